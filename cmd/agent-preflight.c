/* SPDX-License-Identifier: ISC */
/*
 * agent-preflight: reads a task, asks Composio whether it can run, and passes
 * it on with its pins, or prints every reason why it cannot run.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/agent/preflight.h"
#include "common/agent/task.h"
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/cli/cli.h"
#include "common/json/json.h"
#include "common/json/yaml.h"
#include "common/provider/facts.h"

static const char usage[] =
    "agent-preflight [--check-only] [--config FILE] [--json] [--link] [--no-link]\n"
    "                       [--summary] [--timeout SECONDS] [--user USER] [--wait]\n"
    "                       [-f FILE]";

static const char help[] =
    "Reads one task (JSON or YAML), checks that it can run, and prints it\n"
    "with its accounts, tools and versions pinned, for agent-submit.\n";

struct session {
	struct cli cli;
	const char *path;
	const char *user; /* whose the task must be, or NULL */
	bool check_only, link, no_link, summary, wait;
	int64_t limit_ms; /* of each check */
	struct task task;
};

/* Makes the task USER's, whose identity is verified; the task may not name
 * another user or claim to be checked. */
static int
set_user(const char *user, cJSON *value, struct fail *fail)
{
	const cJSON *said = json_item(value, "user");

	if (!cJSON_IsObject(value)) /* task_check reports it */
		return 0;
	if (said != NULL &&
	    (!cJSON_IsString(said) || strcmp(said->valuestring, user) != 0))
		return fail_set(fail, FAIL_NEVER, "invalid_task",
		    "user must be \"%.128s\" or left out", user);
	if (json_item(value, "preflight") != NULL)
		return fail_set(fail, FAIL_NEVER, "invalid_task",
		    "preflight must be left out: the task is checked here");
	if (said == NULL)
		cJSON_AddStringToObject(value, "user", user);
	return 0;
}

/* Reads the task; a positive return is the status of an error passed on. */
static int
read_task(struct session *session, struct fail *fail)
{
	struct buf text = BUF_INIT(json_limits_task.bytes);
	cJSON *value = NULL;
	int result = -1;

	if (file_read(session->path, &text, fail) < 0)
		goto out;
	if (text.length == 0) {
		fail_set(fail, FAIL_NEVER, "invalid_task",
		    "there is no task: the input is empty");
		goto out;
	}
	value = session->user != NULL
	    ? json_parse(text.data, text.length, &json_limits_task, fail)
	    : yaml_or_json(text.data, text.length, &json_limits_task, fail);
	if (value == NULL)
		goto out;
	if (session->user != NULL)
		result = set_user(session->user, value, fail);
	else
		result = cli_passed_on(&session->cli, value);
	if (result != 0)
		goto out;
	result = cli_task(&session->cli, value, &session->task, fail);
	value = NULL;
out:
	cJSON_Delete(value);
	buf_release(&text);
	return result;
}

static int
refuse(struct session *session, const struct preflight *preflight)
{
	struct fail fail;
	char *reasons, *details;
	int count, status;

	count = cJSON_GetArraySize(preflight->reasons);
	fail_set(&fail, FAIL_NO, "preflight_refused",
	    "the task is refused for %d reason%s", count,
	    count == 1 ? "" : "s");
	reasons = json_text(preflight->reasons);
	details = mem_print("\"reasons\":%s", reasons);
	status = cli_fail(&session->cli, &fail, details);
	free(details);
	free(reasons);
	return status;
}

static int
pass(const struct session *session, const struct preflight *preflight)
{
	struct buf text = BUF_INIT(64u << 20);
	char *doc, *accounts, now[CLOCK_TEXT];

	doc = json_text(session->task.doc);
	accounts = json_text(preflight->accounts);
	clock_format(clock_wall(), now);
	if (session->cli.human) {
		buf_print(&text, "The task can run. Accounts: %s\n", accounts);
	} else if (session->summary) {
		preflight_summary(preflight, &text);
		buf_add_string(&text, "\n");
	} else {
		/* The pins are written as the bytes they are, so the object
		 * is put together here and not in a tree. */
		buf_add(&text, doc, strlen(doc) - 1);
		buf_print(&text,
		    ",\"preflight\":{\"checked_at\":\"%s\","
		    "\"accounts\":%s,\"pins\":{",
		    now, accounts);
		buf_add(&text, preflight->pins.data, preflight->pins.length);
		buf_add_string(&text, "}}}\n");
	}
	cli_write(&session->cli, text.data, text.length);
	buf_release(&text);
	free(accounts);
	free(doc);
	return 0;
}

/* One whole check. When links were opened meanwhile, as --wait wants it, 1 says
 * that another check may pass. */
static int
check_once(struct session *session, struct preflight *preflight,
    struct fail *fail)
{
	const struct config *config = &session->cli.config;
	struct facts *client = NULL;
	cJSON *facts = NULL;
	int result = -1;

	if (facts_open(config, clock_boot() + session->limit_ms, &client,
		fail) < 0 ||
	    facts_get(client, &session->task, &facts, fail) < 0 ||
	    facts_model(client, &session->task, facts, fail) < 0 ||
	    preflight_check(&session->task, config, facts, preflight, fail) < 0)
		goto out;
	preflight_deadline(&session->task, clock_wall(), preflight);
	if (preflight->reasons->child == NULL &&
	    facts_probe(client, &session->task, facts, preflight, fail) < 0)
		goto out;
	if (session->link)
		facts_links(client, session->task.user, preflight);
	cli_tell(&session->cli, preflight);
	if (preflight->link_count > 0 && !session->link && !session->no_link)
		cli_say(&session->cli, "--link makes links to connect them");
	result = session->wait && preflight->reasons->child != NULL
	    ? facts_wait(client, session->task.user, preflight, fail)
	    : 0;
out:
	cJSON_Delete(facts);
	facts_close(client);
	return result;
}

static int
check(struct session *session)
{
	struct preflight preflight;
	struct fail fail;
	int result, status = 0;

	do {
		preflight = (struct preflight){ .reasons = NULL };
		result = check_once(session, &preflight, &fail);
		if (result < 0)
			status = cli_fail(&session->cli, &fail, NULL);
		else if (result == 0)
			status = preflight.reasons->child != NULL
			    ? refuse(session, &preflight)
			    : pass(session, &preflight);
		preflight_release(&preflight);
		session->wait = false;
	} while (result > 0);
	return status;
}

static void
read_options(struct session *session, int argc, char **argv)
{
	struct cli *cli = &session->cli;
	long long seconds = 30;
	const struct cli_option options[] = {
		{ "f", "FILE",
		    "read the task from FILE, not from standard input",
		    .text = &session->path },
		{ "check-only", NULL,
		    "check only the form, without asking Composio",
		    .flag = &session->check_only },
		{ "link", NULL,
		    "make links for connections that are missing, as on a terminal",
		    .flag = &session->link },
		{ "no-link", NULL, "make none, even on a terminal",
		    .flag = &session->no_link },
		{ "summary", NULL, "print a summary instead of the task",
		    .flag = &session->summary },
		{ "timeout", "SECONDS", "give up after this time (default 30)",
		    .number = &seconds, .least = 1, .most = 3600 },
		{ "user", "USER",
		    "require that the task is this user's, and JSON",
		    .text = &session->user },
		{ "wait", NULL,
		    "make links, wait until they are used, and check again",
		    .flag = &session->wait },
		CLI_SETTINGS(cli),
		{ "", NULL,
		    "Exit status: 0 it can run, 1 it cannot, 100 bad input, 111 it could not\n"
		    "be checked now. COMPOSIO_API_KEY or COMPOSIO_API_KEY_FILE has the key.\n" },
		{ NULL },
	};

	cli_options(cli, options, 1, argc, argv);
	if (optind < argc)
		cli_usage(cli, "unknown argument %s: a file is named with -f",
		    argv[optind]);
	session->limit_ms = seconds * 1000;
	if (isatty(STDERR_FILENO) == 1 || session->wait)
		session->link = true;
	if (session->no_link && session->wait)
		cli_usage(cli, "--wait is of no use with --no-link");
	if (session->no_link)
		session->link = false;
}

int
main(int argc, char **argv)
{
	struct session session = { .path = "-" };
	struct fail fail;
	char *doc;
	int status;

	cli_start(&session.cli, "agent-preflight", usage, help);
	read_options(&session, argc, argv);
	if (cli_settings(&session.cli, &fail) < 0)
		return cli_fail(&session.cli, &fail, NULL);
	status = read_task(&session, &fail);
	if (status < 0) {
		status = cli_fail(&session.cli, &fail, NULL);
	} else if (status == 0 && session.check_only) {
		doc = json_text(session.task.doc);
		cli_write(&session.cli, doc, strlen(doc));
		cli_write(&session.cli, "\n", 1);
		free(doc);
	} else if (status == 0) {
		status = check(&session);
	}
	task_release(&session.task);
	config_release(&session.cli.config);
	return status;
}
