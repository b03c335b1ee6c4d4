/* SPDX-License-Identifier: ISC */
/*
 * agent-status: shows what the tasks are doing. It only reads the store.
 */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "common/agent/engine.h"
#include "common/agent/task.h"
#include "common/api/read_api.h"
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/fail.h"
#include "common/cli/cli.h"
#include "common/cli/view.h"
#include "common/json/json.h"

static const char usage_text[] =
    "agent-status [--before ID] [--config FILE] [--engine NAME] [--json]\n"
    "                    [--limit N] [--queue NAME] [--state STATE] [--store DIR]\n"
    "                    [--user USER]\n"
    "       agent-status [--after SEQ] [--config FILE] [--engine NAME]\n"
    "                    [--events] [--follow] [--json] [--result] [--store DIR] ID\n"
    "       agent-status --schedules [--config FILE] [--engine NAME] [--json]\n"
    "                    [--store DIR]\n"
    "       agent-status --cgi | --fastcgi [--config FILE] [--engine NAME]\n"
    "                    [--store DIR]";
static const char help_text[] =
    "Lists tasks, newest first, or shows the one named ID.\n";

enum { CGI, EVENTS, FASTCGI, FOLLOW, RESULT, SCHEDULES, FLAGS };

struct status {
	struct cli cli;
	struct engine *engine;
	struct engine_filter filter;
	const char *id;
	long long after; /* the number of an event */
	bool flags[FLAGS];
	int final; /* the state that the task ended in, or -1 */
};

static cJSON *
parse(struct span text)
{
	struct fail fail;

	return json_parse(text.at, text.length, &json_limits_upstream, &fail);
}

/* Writes TEXT as it is, or as VIEW shows it to a person. */
static void
show(const struct status *status, struct span text,
    void (*view)(struct buf *buf, const cJSON *value, int64_t now))
{
	struct buf out = BUF_INIT(EVENT_MAX + 4096u);
	cJSON *value = view && status->cli.human ? parse(text) : NULL;

	if (value) {
		view(&out, value, clock_wall());
	} else {
		buf_add(&out, text.at, text.length);
		buf_add(&out, "\n", 1);
	}
	cli_write(&status->cli, out.data, out.length);
	buf_release(&out);
	cJSON_Delete(value);
}

static int
show_row(void *context, struct span text)
{
	const struct status *status = context;

	show(status, text, status->flags[SCHEDULES] ? NULL : view_row);
	return 0;
}

static int
list(struct status *status, struct fail *fail)
{
	struct buf header = BUF_INIT(4096);

	view_header(&header);
	if (status->cli.human)
		cli_write(&status->cli, header.data, header.length);
	buf_release(&header);
	return status->engine->ops->list(status->engine, &status->filter,
	    show_row, status, fail);
}

static int
show_event(void *context, struct span text)
{
	struct status *status = context;
	struct span type;
	uint64_t seq;
	int final;

	if (event_peek(text, &seq, &type, &final)) {
		status->after = (long long)seq;
		status->final = final >= 0 ? final : status->final;
	}
	if (!status->flags[RESULT])
		show(status, text, view_event);
	return 0;
}

/* The journal; with --follow until the task has ended. */
static int
events(struct status *status, struct fail *fail)
{
	status->final = -1;
	for (;;) {
		if (status->engine->ops->events(status->engine, status->id,
			(uint64_t)status->after, show_event, status, fail) < 0)
			return -1;
		if (!status->flags[FOLLOW])
			return 0;
		if (status->final >= 0)
			return status->final == TASK_COMPLETED ? 0 : 1;
		if (cli_reader_gone())
			return 0;
		if (status->engine->ops->wait(status->engine, 1000, fail) < 0)
			return -1;
	}
}

/* Writes only the result's text; -1 with FAIL_NO when there is none. */
static int
result(struct status *status, struct span text, struct fail *fail)
{
	cJSON *task = parse(text);
	const char *state = json_string(task, "state");
	const char *words = json_string(task, "result");
	const char *reason = json_string(task, "reason");
	int done = -1;

	if (!state || strcmp(state, "completed") != 0 || !words) {
		fail_set(fail, FAIL_NO, "no_result",
		    "the task has no result: it is %s%s%s",
		    state ? state : "damaged", reason ? ": " : "",
		    reason ? reason : "");
	} else {
		cli_write(&status->cli, words, strlen(words));
		cli_write(&status->cli, "\n", 1);
		done = 0;
	}
	cJSON_Delete(task);
	return done;
}

static int
one(struct status *status, struct fail *fail)
{
	struct buf task = BUF_INIT(EVENT_MAX);
	struct span text;
	int done = -1;

	if (status->flags[RESULT] && status->flags[FOLLOW] &&
	    events(status, fail) < 0)
		return -1;
	if (status->engine->ops->get(status->engine, status->id, &task, fail) <
	    0)
		goto out;
	text = (struct span){ task.data, task.length };
	if (status->flags[RESULT]) {
		done = result(status, text, fail);
	} else if (status->flags[EVENTS] || status->flags[FOLLOW]) {
		done = events(status, fail);
	} else {
		show(status, text, view_card);
		done = 0;
	}
out:
	buf_release(&task);
	return done;
}

static void
parse_options(struct status *status, int argc, char **argv)
{
	struct cli *cli = &status->cli;
	const char *name = NULL;
	long long limit = 50;
	enum task_state state;
	bool *flags = status->flags;
	const struct cli_option options[] = {
		{ "limit", "N", "at most N tasks (50)", .number = &limit,
		    .least = 1, .most = 1000000 },
		{ "user", "USER", "only this user's tasks",
		    .text = &status->filter.user },
		{ "queue", "NAME", "only tasks of this queue",
		    .text = &status->filter.queue },
		{ "state", "STATE",
		    "only tasks that are queued, running, waiting,\n"
		    "completed, blocked, failed or cancelled",
		    .text = &name },
		{ "before", "ID", "only tasks older than ID: the next page",
		    .text = &status->filter.before },
		{ "" },
		{ "events", NULL, "print the task's journal, one event a line",
		    .flag = &flags[EVENTS] },
		{ "follow", NULL,
		    "the same, and each new event until the task ends",
		    .flag = &flags[FOLLOW] },
		{ "after", "SEQ", "only events after number SEQ",
		    .number = &status->after, .most = 1LL << 53 },
		{ "result", NULL, "print only the result",
		    .flag = &flags[RESULT] },
		{ "" },
		{ "schedules", NULL, "list the schedules",
		    .flag = &flags[SCHEDULES] },
		{ "" },
		{ "cgi", NULL, "answer one request of a web server (CGI/1.1)",
		    .flag = &flags[CGI] },
		{ "fastcgi", NULL, "stay and answer many requests",
		    .flag = &flags[FASTCGI] },
		CLI_SETTINGS(cli),
		{ NULL },
	};

	cli_options(cli, options, 1, argc, argv);
	if (name && !task_state_parse(name, &state))
		cli_usage(cli, "no such state: %s", name);
	status->filter.state = name ? (int)state : -1;
	status->filter.limit = (size_t)limit;
	status->id = argv[optind];
	if (!status->id &&
	    (status->flags[EVENTS] || status->flags[FOLLOW] ||
		status->flags[RESULT] || status->after))
		cli_usage(cli,
		    "--after, --events, --follow and --result need "
		    "the id of a task");
}

/* Answers a web server, even when the settings are BROKEN. */
static int
respond(struct status *status, const struct fail *broken)
{
	struct cli *cli = &status->cli;
	struct read_api api = { .broken = broken,
		.config = &cli->config,
		.folder = broken ? NULL : cli_store(cli),
		.engine_name = cli->engine };
	struct fail fail;
	int code = status->flags[CGI] ? cgi_once(&api, &fail)
				      : fastcgi_serve(&api, &fail);

	cli->human = true; /* no error behind an answer */
	read_api_close(&api);
	if (!broken)
		config_release(&cli->config);
	return code < 0 ? cli_fail(cli, &fail, NULL) : 0;
}

int
main(int argc, char **argv)
{
	struct status status = { .id = NULL };
	struct fail fail;
	int code;

	cli_start(&status.cli, "agent-status", usage_text, help_text);
	parse_options(&status, argc, argv);
	code = cli_settings(&status.cli, &fail);
	if (status.flags[CGI] || status.flags[FASTCGI])
		return respond(&status, code < 0 ? &fail : NULL);
	if (code < 0)
		return cli_fail(&status.cli, &fail, NULL);
	if (engine_open(status.cli.engine, cli_store(&status.cli), ENGINE_READ,
		&status.cli.config, &status.engine, &fail) < 0)
		code = -1;
	else if (status.flags[SCHEDULES])
		code = engine_check_schedules(status.engine, &fail) < 0
		    ? -1
		    : status.engine->ops->schedules(status.engine, show_row,
			  &status, &fail);
	else
		code = status.id ? one(&status, &fail) : list(&status, &fail);
	if (code < 0)
		code = cli_fail(&status.cli, &fail, NULL);
	engine_close(status.engine);
	config_release(&status.cli.config);
	return code;
}
