/* SPDX-License-Identifier: ISC */
/*
 * How it works: a program's table of options becomes that of getopt_long, and
 * the lines of --help.
 */
#include "common/cli/cli.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPTIONS_MAX 32

enum { OPTION_HELP = 1000, OPTION_VERSION, OPTION_LONG };

static int
print_name(char line[64], const struct cli_option *option)
{
	return snprintf(line, 64, "  %s%s%s%s",
	    option->name[1] != '\0' ? "--" : "-", option->name,
	    option->value != NULL ? " " : "",
	    option->value != NULL ? option->value : "");
}

static void
say_help(const struct cli *cli, const struct cli_option *options)
{
	struct buf text = BUF_INIT(1u << 20);
	const struct cli_option *one;
	const char *words;
	int length, width = 0;
	char name[64];

	for (one = options; one->name != NULL; one++) {
		if (one->words == NULL || *one->name == '\0')
			continue;
		length = print_name(name, one);
		width = length > width ? length : width;
	}
	buf_print(&text, "usage: %s\n\n%s\n", cli->usage, cli->help);
	for (one = options; one->name != NULL; one++) {
		if (*one->name == '\0')
			buf_print(&text, "\n%s",
			    one->words != NULL ? one->words : "");
		if (*one->name == '\0' || one->words == NULL)
			continue;
		print_name(name, one);
		for (words = one->words; *words != '\0'; words += length) {
			words += *words == '\n';
			length = (int)strcspn(words, "\n");
			buf_print(&text, "%-*s  %.*s\n", width, name, length,
			    words);
			*name = '\0';
		}
	}
	cli_write(cli, text.data, text.length);
	buf_release(&text);
}

static void
say_version(const struct cli *cli)
{
	char text[200];

	snprintf(text, sizeof(text), "%s " AGENT_VERSION "\n", cli->program);
	cli_write(cli, text, strlen(text));
}

/* Reports why getopt_long refused an option. Because of the colon in front of
 * the letters it tells a missing argument from an unknown option. */
static void
refuse_option(const struct cli *cli, int result, char **argv)
{
	const char *word = argv[optind - 1];
	char letter[3] = { '-', (char)optopt, '\0' };

	/* For a letter in a group, optind may still be at that group. */
	if (optopt > 0 && optopt < OPTION_HELP)
		word = letter;
	if (result == ':')
		cli_usage(cli, "option %s needs a value", word);
	if (optopt >= OPTION_HELP)
		cli_usage(cli, "option %s takes no value", word);
	cli_usage(cli, "unknown option %s", word);
}

static void
set_option(struct cli *cli, const struct cli_option *option)
{
	char name[64];

	if (option->flag != NULL) {
		*option->flag = option->flag != &cli->human; /* --json */
	} else if (option->number != NULL) {
		snprintf(name, sizeof(name), "--%s", option->name);
		*option->number = cli_number(cli, name, optarg, option->least,
		    option->most);
	} else {
		option->text[option->count != NULL ? (*option->count)++ : 0] =
		    optarg;
	}
}

void
cli_options(struct cli *cli, const struct cli_option *options, int operands,
    int argc, char **argv)
{
	struct option longs[OPTIONS_MAX] = {
		{ "help", no_argument, NULL, OPTION_HELP },
		{ "version", no_argument, NULL, OPTION_VERSION },
	};
	const struct cli_option *one, *letter_of[128] = { NULL };
	char letters[64] = ":";
	size_t count = 2, length;
	int result;

	for (one = options; one->name != NULL; one++) {
		if (one->name[0] != '\0' && one->name[1] == '\0') {
			letter_of[(unsigned char)one->name[0] & 127] = one;
			length = strlen(letters);
			snprintf(letters + length, sizeof(letters) - length,
			    "%s%s", one->name, one->value != NULL ? ":" : "");
		} else if (one->name[0] != '\0' && count < OPTIONS_MAX - 1) {
			longs[count++] = (struct option){ one->name,
				one->value != NULL, NULL,
				OPTION_LONG + (int)(one - options) };
		}
	}
	opterr = 0;
	while ((result = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		if (result == OPTION_HELP)
			say_help(cli, options);
		else if (result == OPTION_VERSION)
			say_version(cli);
		else if (result == ':' || result == '?')
			refuse_option(cli, result, argv);
		else
			set_option(cli,
			    result < OPTION_LONG
				? letter_of[result]
				: &options[result - OPTION_LONG]);
		if (result == OPTION_HELP || result == OPTION_VERSION)
			exit(0);
	}
	if (argc - optind > operands)
		cli_usage(cli, "unexpected argument: %s",
		    argv[optind + operands]);
}
