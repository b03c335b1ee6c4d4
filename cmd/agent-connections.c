/* SPDX-License-Identifier: ISC */
/*
 * agent-connections: lists what a user has connected at Composio, with links
 * to connect what is missing.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/agent/preflight.h"
#include "common/agent/task.h"
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/cli/cli.h"
#include "common/json/json.h"
#include "common/provider/facts.h"

static const char usage[] =
    "agent-connections [--config FILE] [--json] [--link] [--no-link]\n"
    "                         [--timeout SECONDS] --user USER [TOOLKIT ...]";
static const char help[] =
    "Says for each TOOLKIT whether the user has connected it, or without any\n"
    "TOOLKIT lists what the user has connected.\n";

struct question {
	struct cli cli;
	const char *user;
	bool link, no_link;
	int64_t until;    /* boot milliseconds: when to give up */
	struct task task; /* a user and toolkits */
};

static void
read_options(struct question *question, int argc, char **argv)
{
	struct cli *cli = &question->cli;
	long long seconds = 30;
	const struct cli_option options[] = {
		{ "user", "USER", "the user whose connections are listed",
		    .text = &question->user },
		{ "link", NULL,
		    "make links for connections that are missing, as on a terminal",
		    .flag = &question->link },
		{ "no-link", NULL, "make none, even on a terminal",
		    .flag = &question->no_link },
		{ "timeout", "SECONDS", "give up after this time (default 30)",
		    .number = &seconds, .least = 1, .most = 3600 },
		CLI_SETTINGS(cli),
		{ NULL },
	};

	cli_options(cli, options, argc, argc, argv);
	if (question->user == NULL)
		cli_usage(cli, "--user is needed");
	question->until = clock_boot() + seconds * 1000;
}

/* The names have the form that they have in a task; one may come twice. */
static int
check_names(struct question *question, char **toolkits, struct fail *fail)
{
	cJSON *value = cJSON_CreateObject(), *list;
	const cJSON *item;

	cJSON_AddStringToObject(value, "user", question->user);
	cJSON_AddStringToObject(value, "goal", "-");
	list = cJSON_AddArrayToObject(value, "toolkits");
	for (; *toolkits != NULL; toolkits++) {
		cJSON_ArrayForEach (item, list)
			if (strcmp(item->valuestring, *toolkits) == 0)
				break;
		if (item == NULL)
			cJSON_AddItemToArray(list,
			    cJSON_CreateString(*toolkits));
	}
	if (task_check(value, &question->cli.config, &question->task, fail) < 0)
		return -1;
	task_connections(&question->task, NULL);
	return 0;
}

static void
add_copy(cJSON *target, const char *name, const cJSON *source,
    const char *source_name)
{
	const cJSON *value = json_item(source, source_name);

	if (value != NULL)
		cJSON_AddItemToObject(target, name,
		    cJSON_Duplicate(value, true));
}

/* The state of a connection that cannot be used, as one word. */
static char *
state_of(const cJSON *reason)
{
	const char *type = json_string(reason, "type");
	const char *status = json_string(reason, "status");
	char *state;

	if (strncmp(type, "connection_", 11) == 0)
		type += 11;
	state = mem_string(status != NULL ? status : type);
	for (char *at = state; *at != '\0'; at++)
		*at = (char)tolower((unsigned char)*at);
	return state;
}

static void
add_connection(cJSON *list, const struct preflight *preflight,
    const char *toolkit)
{
	const cJSON *reason = preflight_reason(preflight, toolkit);
	const char *account = json_string(preflight->accounts, toolkit);
	cJSON *connection = cJSON_CreateObject();
	char *state = reason != NULL
	    ? state_of(reason)
	    : mem_string(account != NULL ? "active" : "not_needed");

	cJSON_AddStringToObject(connection, "toolkit", toolkit);
	cJSON_AddStringToObject(connection, "state", state);
	if (account != NULL)
		cJSON_AddStringToObject(connection, "account", account);
	add_copy(connection, "account", reason, "account");
	add_copy(connection, "reason", reason, "message");
	add_copy(connection, "link", reason, "link");
	add_copy(connection, "choices", preflight->choices, toolkit);
	add_copy(connection, "link_error", reason, "link_error");
	cJSON_AddItemToArray(list, connection);
	free(state);
}

static void
tell(const struct question *question, const struct preflight *preflight)
{
	struct buf out = BUF_INIT(1u << 20);
	cJSON *list = cJSON_CreateArray();
	const cJSON *item;
	char *text;

	cJSON_ArrayForEach (item, question->task.toolkits)
		add_connection(list, preflight, item->valuestring);
	if (question->task.toolkits->child == NULL) {
		cJSON_ArrayForEach (item, preflight->accounts)
			add_connection(list, preflight, item->string);
		cJSON_ArrayForEach (item, preflight->reasons)
			add_connection(list, preflight,
			    json_string(item, "toolkit"));
	}
	if (question->cli.human) {
		cJSON_ArrayForEach (item, list) {
			const char *url = json_string(json_item(item, "link"),
			    "url");

			buf_print(&out, "%s %s%s%s\n",
			    json_string(item, "toolkit"),
			    json_string(item, "state"), url ? " " : "",
			    url ? url : "");
		}
	} else {
		text = json_text(list);
		buf_print(&out, "{\"connections\":%s}\n", text);
		free(text);
	}
	cli_write(&question->cli, out.data, out.length);
	buf_release(&out);
	cJSON_Delete(list);
}

static int
answer(struct question *question, struct fail *fail)
{
	struct preflight preflight = { .reasons = NULL };
	const struct task *task = &question->task;
	struct facts *client = NULL;
	cJSON *facts = NULL;
	int result = -1;

	if (facts_open(&question->cli.config, question->until, &client, fail) <
		0 ||
	    facts_get(client, task, &facts, fail) < 0 ||
	    preflight_connections(task, facts, &preflight, fail) < 0)
		goto out;
	if (!question->no_link && (question->link || question->cli.human) &&
	    task->toolkits->child != NULL)
		facts_links(client, task->user, &preflight);
	tell(question, &preflight);
	result = 0;
out:
	preflight_release(&preflight);
	cJSON_Delete(facts);
	facts_close(client);
	return result;
}

int
main(int argc, char **argv)
{
	struct question question = { .user = NULL };
	struct fail fail;
	int status = 0;

	cli_start(&question.cli, "agent-connections", usage, help);
	read_options(&question, argc, argv);
	if (cli_settings(&question.cli, &fail) < 0)
		return cli_fail(&question.cli, &fail, NULL);
	if (check_names(&question, argv + optind, &fail) < 0 ||
	    answer(&question, &fail) < 0)
		status = cli_fail(&question.cli, &fail, NULL);
	task_release(&question.task);
	config_release(&question.cli.config);
	return status;
}
