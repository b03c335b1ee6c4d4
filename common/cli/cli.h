/* SPDX-License-Identifier: ISC */
/*
 * cli: shared by all programs: the common options, the settings, the output of
 * errors. The only module of common/ that prints; main() uses it. What is
 * printed on a terminal is made visible (utf8.h); to files and pipes it goes as
 * it is.
 */
#ifndef COMMON_CLI_CLI_H
#define COMMON_CLI_CLI_H

#include <cjson/cJSON.h>
#include <getopt.h>
#include <stdbool.h>

#include "common/agent/config.h"
#include "common/base/buf.h"
#include "common/base/fail.h"

struct cli {
	const char *program; /* "agent-submit" */
	const char *usage;   /* the SYNOPSIS line(s), without "usage: " */
	const char *help;    /* text of --help between usage and options */
	const char *store, *engine, *config_path; /* options, or NULL */
	struct config config;
	bool human;        /* stdout is a terminal and no --json */
	bool acknowledges; /* its output is an acknowledgement: a reader that
	                        * closes it early is a failure */
};

/* An option, and what it sets: a flag to true, or a text or a number to its
 * value. A table of them ends with a name of NULL. */
struct cli_option {
	const char *name;  /* "f" is -f, "file" is --file; "": WORDS (or
	                    * nothing) are a paragraph of the help */
	const char *value; /* its name in the help; NULL: it takes none */
	const char *words; /* of the help, as lines; NULL: not shown there */
	bool *flag;
	const char **text; /* borrowed from the command line */
	size_t *count;     /* of the texts at TEXT: it can be repeated */
	long long *number, least, most;
};

/* The options that set what cli_settings needs, and --json. */
#define CLI_SETTINGS(cli) \
	{ "config", "FILE", .text = &(cli)->config_path }, \
	    { "engine", "NAME", .text = &(cli)->engine }, \
	    { "json", .flag = &(cli)->human }, \
	{ \
		"store", "DIR", .text = &(cli)->store \
	}

/* The first call of a program: afterwards descriptors 0 to 2 exist, SIGPIPE is
 * ignored, and signals end process 1 of a container as they end others. */
void
cli_start(struct cli *cli, const char *program, const char *usage,
    const char *help);

/* Sets what the options say; at most OPERANDS words may be left, from optind
 * on. --help and --version end with 0, a bad command line with 100. */
void
cli_options(struct cli *cli, const struct cli_option *options, int operands,
    int argc, char **argv);

/* "usage: ..." and the reason on stderr; exits 100. */
void
cli_usage(const struct cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3), noreturn));

/* Reads the settings: --config, else AGENT_CONFIG, else the user's or the
 * system's agent.yaml; then the environment. Fills cli->config and the store
 * and engine names (options win). */
int
cli_settings(struct cli *cli, struct fail *fail);

/* The store's folder: --store, AGENT_STORE, the setting "store", else
 * agent-utils in XDG_STATE_HOME, or for root /var/lib/agent-utils, or in
 * HOME/.local/state. */
const char *
cli_store(struct cli *cli);

struct task;

/* As task_check with the settings, and there has to be such a time zone. */
int
cli_task(const struct cli *cli, cJSON *value, struct task *task,
    struct fail *fail);

/* "prog: " and the text as a line on stderr. */
void
cli_say(const struct cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* "prog: message" on stderr, {"error":{...}} on stdout unless human; returns
 * the exit status. DETAILS (may be NULL) are further members as raw JSON. */
int
cli_fail(const struct cli *cli, const struct fail *fail, const char *details);

/* When VALUE is an error object of an earlier program in the pipe: prints it
 * unchanged (not for a human, who has read it on stderr) and returns its exit
 * status; else returns 0. */
int
cli_passed_on(const struct cli *cli, const cJSON *value);

/* Whether the reader of stdout has closed it. */
bool
cli_reader_gone(void);

/* The whole number of an option, from LEAST to MOST, else cli_usage. */
long long
cli_number(const struct cli *cli, const char *option, const char *text,
    long long least, long long most);

/* Writes to stdout; a closed stdout ends the program with 111 (0 for EPIPE of
 * a reader that had enough, as head does, unless it acknowledges). */
void
cli_write(const struct cli *cli, const void *bytes, size_t size);

/* Prints for people, on stderr, whose the accounts of a check are, what the task
 * will do without, and each reason with its link. */
struct preflight;

void
cli_tell(const struct cli *cli, const struct preflight *preflight);

#endif
