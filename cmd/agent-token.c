/* SPDX-License-Identifier: ISC */
/*
 * agent-token: makes, lists and revokes the tokens of a gateway's callers, and
 * names the user who sent a request.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/agent/journal.h"
#include "common/api/caller.h"
#include "common/api/token.h"
#include "common/base/clock.h"
#include "common/base/fail.h"
#include "common/cli/cli.h"
#include "common/json/json.h"

static const char usage_text[] =
    "agent-token [--expires TIME] [--file FILE] [--json] new USER\n"
    "       agent-token [--file FILE] [--json] list\n"
    "       agent-token [--file FILE] [--json] revoke ID\n"
    "       agent-token [--json] check";
static const char help_text[] =
    "Makes and revokes the tokens of the gateway's callers. A file has their\n"
    "hashes.\n"
    "\n"
    "  new USER        make a token for USER and print it, once\n"
    "  list            list the tokens' ids and users, without the tokens\n"
    "  revoke ID       make a token invalid\n"
    "  check           print the user who sent a request of CGI/1.1\n";

struct command {
	struct cli cli;
	const char *file, *expires;
	int64_t now;
};

/* "90d", or a time. */
static int64_t
parse_expires(const struct command *command)
{
	const char *text = command->expires;
	struct fail fail;
	int64_t at;

	if (clock_duration(text, &at))
		return command->now + at;
	if (clock_parse(text, &at, &fail) < 0)
		cli_usage(&command->cli,
		    "--expires must be a time such as "
		    "2026-12-31T00:00:00Z, or a number of days, hours or "
		    "minutes such as 90d, 12h or 30m, not \"%.60s\"",
		    text);
	if (at <= command->now)
		cli_usage(&command->cli, "--expires is in the past");
	return at;
}

static void
print_token(struct command *command, const struct token *token,
    const char *text)
{
	const char *state = token->revoked                     ? "revoked"
	    : token->expires && token->expires <= command->now ? "expired"
							       : "valid";
	char created[CLOCK_TEXT], expires[CLOCK_TEXT] = "never";
	struct buf out = BUF_INIT(65536);

	clock_format(token->created, created);
	if (token->expires)
		clock_format(token->expires, expires);
	if (command->cli.human && text) {
		buf_print(&out, "%s\n", text);
	} else if (command->cli.human) {
		buf_print(&out, "%s  %-7s  %-24s  %s\n", token->id, state,
		    token->revoked ? "-" : expires, token->user);
	} else {
		buf_add_string(&out, "{");
		member_string(&out, "id", token->id);
		member_string(&out, "user", token->user);
		member_string(&out, "state", state);
		member_string(&out, "created_at", created);
		if (token->expires)
			member_string(&out, "expires_at", expires);
		if (text)
			member_string(&out, "token", text);
		buf_add_string(&out, "}\n");
	}
	cli_write(&command->cli, out.data, out.length);
	explicit_bzero(out.data, out.length);
	buf_release(&out);
}

static void
list_one(void *context, const struct token *token)
{
	print_token(context, token, NULL);
}

static int
make_new(struct command *command, const char *user, struct fail *fail)
{
	char text[TOKEN_TEXT];
	struct token token;

	if (token_new(command->file, user,
		command->expires ? parse_expires(command) : 0, command->now,
		text, &token, fail) < 0)
		return -1;
	print_token(command, &token, text);
	explicit_bzero(text, sizeof(text));
	return 0;
}

/* Prints the user alone on a line, for a shell. */
static int
check(struct command *command)
{
	char user[TASK_USER_MAX + 1], details[60] = "";
	struct callers *callers = NULL;
	int64_t retry = 0;
	struct fail fail;
	int code = 0;

	if (callers_open(&callers, &fail) < 0 ||
	    callers_identify(callers, environ, user, &retry, &fail) < 0) {
		if (retry)
			snprintf(details, sizeof(details),
			    "\"retry_after\":%lld", (long long)retry);
		code = cli_fail(&command->cli, &fail, details);
	} else {
		cli_write(&command->cli, user, strlen(user));
		cli_write(&command->cli, "\n", 1);
	}
	callers_close(callers);
	return code;
}

static int
run(struct command *command, char **words, int count)
{
	struct fail fail;
	int result;

	if (count == 1 && strcmp(words[0], "check") == 0)
		return check(command);
	if (!command->file || !*command->file)
		cli_usage(&command->cli,
		    "no file is given: use --file FILE or "
		    "set AGENT_TOKENS_FILE");
	if (count == 2 && strcmp(words[0], "new") == 0)
		result = make_new(command, words[1], &fail);
	else if (count == 1 && strcmp(words[0], "list") == 0)
		result = token_list(command->file, list_one, command, &fail);
	else if (count == 2 && strcmp(words[0], "revoke") == 0)
		result = token_revoke(command->file, words[1], &fail);
	else
		cli_usage(&command->cli,
		    "one of new USER, list, revoke ID, check is needed");
	return result < 0 ? cli_fail(&command->cli, &fail, NULL) : 0;
}

int
main(int argc, char **argv)
{
	struct command command = { .file = getenv("AGENT_TOKENS_FILE"),
		.now = clock_wall() };
	const struct cli_option options[] = {
		{ "expires", "TIME",
		    "make it valid until TIME (2026-12-31T00:00:00Z), or\n"
		    "for a duration (90d, 12h, 30m)",
		    .text = &command.expires },
		{ "file", "FILE", "the file; by default AGENT_TOKENS_FILE",
		    .text = &command.file },
		CLI_SETTINGS(&command.cli),
		{ NULL },
	};

	cli_start(&command.cli, "agent-token", usage_text, help_text);
	command.cli.acknowledges = true;
	cli_options(&command.cli, options, argc, argc, argv);
	return run(&command, argv + optind, argc - optind);
}
