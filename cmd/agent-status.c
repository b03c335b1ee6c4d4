/* SPDX-License-Identifier: ISC */
/*
 * agent-status: shows what the tasks are doing. It only reads the store.
 */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "common/agent/engine.h"
#include "common/agent/task.h"
#include "common/api/fastcgi_server.h"
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
    "Lists tasks, newest first, or shows the one named ID.\n"
    "\n"
    "  --limit N      at most N tasks (50)\n"
    "  --user USER    only this user's tasks\n"
    "  --queue NAME   only tasks of this queue\n"
    "  --state STATE  only tasks that are queued, running, waiting,\n"
    "                 completed, blocked, failed or cancelled\n"
    "  --before ID    only tasks older than ID: the next page\n"
    "\n"
    "  --events       print the task's journal, one event a line\n"
    "  --follow       the same, and each new event until the task ends\n"
    "  --after SEQ    only events after number SEQ\n"
    "  --result       print only the result\n"
    "\n"
    "  --schedules    list the schedules\n"
    "\n"
    "  --cgi          answer one request of a web server (CGI/1.1)\n"
    "  --fastcgi      stay and answer many requests\n";

enum {
	OPTION_AFTER = CLI_OWN,
	OPTION_BEFORE,
	OPTION_LIMIT,
	OPTION_QUEUE,
	OPTION_STATE,
	OPTION_USER,
	OPTION_FLAGS
};
enum { CGI, EVENTS, FASTCGI, FOLLOW, RESULT, SCHEDULES, FLAGS };
static const struct option options[] = {
	CLI_OPTIONS,
	{ "after", required_argument, NULL, OPTION_AFTER },
	{ "before", required_argument, NULL, OPTION_BEFORE },
	{ "cgi", no_argument, NULL, OPTION_FLAGS + CGI },
	{ "events", no_argument, NULL, OPTION_FLAGS + EVENTS },
	{ "fastcgi", no_argument, NULL, OPTION_FLAGS + FASTCGI },
	{ "follow", no_argument, NULL, OPTION_FLAGS + FOLLOW },
	{ "limit", required_argument, NULL, OPTION_LIMIT },
	{ "queue", required_argument, NULL, OPTION_QUEUE },
	{ "result", no_argument, NULL, OPTION_FLAGS + RESULT },
	{ "schedules", no_argument, NULL, OPTION_FLAGS + SCHEDULES },
	{ "state", required_argument, NULL, OPTION_STATE },
	{ "user", required_argument, NULL, OPTION_USER },
	{ NULL, 0, NULL, 0 },
};

struct status {
	struct cli cli;
	struct engine *engine;
	struct engine_filter filter;
	const char *id;
	uint64_t after;
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
	return engine_list(status->engine, &status->filter, show_row, status,
	    fail);
}

static int
show_event(void *context, struct span text)
{
	struct status *status = context;
	struct span type;
	int final;

	if (event_peek(text, &status->after, &type, &final) && final >= 0)
		status->final = final;
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
		if (engine_events(status->engine, status->id, status->after,
			show_event, status, fail) < 0)
			return -1;
		if (!status->flags[FOLLOW])
			return 0;
		if (status->final >= 0)
			return status->final == TASK_COMPLETED ? 0 : 1;
		if (cli_reader_gone())
			return 0;
		if (engine_wait(status->engine, 1000, fail) < 0)
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
	if (engine_get(status->engine, status->id, &task, fail) < 0)
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
	enum task_state state;
	int option;

	while ((option = cli_option(cli, argc, argv, "", options)) != -1) {
		switch (option) {
		case OPTION_AFTER:
			status->after = (uint64_t)cli_number(cli, "--after",
			    optarg, 0, 1LL << 53);
			break;
		case OPTION_BEFORE:
			status->filter.before = optarg;
			break;
		case OPTION_LIMIT:
			status->filter.limit = (size_t)cli_number(cli,
			    "--limit", optarg, 1, 1000000);
			break;
		case OPTION_QUEUE:
			status->filter.queue = optarg;
			break;
		case OPTION_STATE:
			if (!task_state_parse(optarg, &state))
				cli_usage(cli, "no such state: %s", optarg);
			status->filter.state = (int)state;
			break;
		case OPTION_USER:
			status->filter.user = optarg;
			break;
		default:
			status->flags[option - OPTION_FLAGS] = true;
		}
	}
	if (optind + 1 < argc)
		cli_usage(cli, "unexpected argument: %s", argv[optind + 1]);
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
	struct status status = { .filter = { .state = -1, .limit = 50 } };
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
		code = engine_schedules(status.engine, show_row, &status,
		    &fail);
	else
		code = status.id ? one(&status, &fail) : list(&status, &fail);
	if (code < 0)
		code = cli_fail(&status.cli, &fail, NULL);
	engine_close(status.engine);
	config_release(&status.cli.config);
	return code;
}
