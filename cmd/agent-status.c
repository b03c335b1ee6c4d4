/*
 * agent-status: what the tasks are doing. It only reads the store.
 */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/cli.h"
#include "common/clock.h"
#include "common/engine.h"
#include "common/fail.h"
#include "common/json.h"
#include "common/task.h"
#include "common/view.h"

static const char usage_text[] =
    "agent-status [--before ID] [--config FILE] [--engine NAME] [--json]\n"
    "                    [--limit N] [--queue NAME] [--state STATE] [--store DIR]\n"
    "                    [--user USER]\n"
    "       agent-status [--after SEQ] [--config FILE] [--engine NAME]\n"
    "                    [--events] [--follow] [--json] [--result] [--store DIR] ID\n"
    "       agent-status --schedules [--config FILE] [--engine NAME] [--json]\n"
    "                    [--store DIR]";
static const char help_text[] =
    "Lists tasks, newest first, or shows the one named ID.\n"
    "\n"
    "  --limit N      at most N tasks (50)\n"
    "  --user USER    only this user's\n"
    "  --queue NAME   only this queue's\n"
    "  --state STATE  only those queued, running, waiting, completed,\n"
    "                 blocked, failed or cancelled\n"
    "  --before ID    only those older than ID: the next page\n"
    "\n"
    "  --events       the task's journal, an event a line\n"
    "  --follow       the same, going on until the task has ended\n"
    "  --after SEQ    only events after number SEQ\n"
    "  --result       only the result\n"
    "\n"
    "  --schedules    the schedules instead\n";

enum { OPTION_AFTER = CLI_OWN, OPTION_BEFORE, OPTION_EVENTS, OPTION_FOLLOW,
	OPTION_LIMIT, OPTION_QUEUE, OPTION_RESULT, OPTION_SCHEDULES, OPTION_STATE, OPTION_USER };
static const struct option options[] = {
	CLI_OPTIONS,
	{ "after", required_argument, NULL, OPTION_AFTER },
	{ "before", required_argument, NULL, OPTION_BEFORE },
	{ "events", no_argument, NULL, OPTION_EVENTS },
	{ "follow", no_argument, NULL, OPTION_FOLLOW },
	{ "limit", required_argument, NULL, OPTION_LIMIT },
	{ "queue", required_argument, NULL, OPTION_QUEUE },
	{ "result", no_argument, NULL, OPTION_RESULT },
	{ "schedules", no_argument, NULL, OPTION_SCHEDULES },
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
	bool events, follow, result, schedules;
	int final;  /* the state that the task ended in, or -1 */
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

static void
event_line(struct buf *buf, const cJSON *event, int64_t now)
{
	(void)now;
	view_event(buf, event);
}

static int
show_row(void *context, struct span text)
{
	show(context, text, view_row);
	return 0;
}

static int
show_schedule(void *context, struct span text)
{
	show(context, text, NULL);
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
	struct span type, seq;
	enum task_state state;
	char name[32] = "";

	if (json_member(text, "type", &type) && type.length > 2 &&
	    type.length - 2 < sizeof(name))
		memcpy(name, type.at + 1, type.length - 2);
	if (task_state_parse(name, &state) && task_state_final(state))
		status->final = (int)state;
	if (json_member(text, "seq", &seq))
		status->after = strtoull(seq.at, NULL, 10);
	if (!status->result)
		show(status, text, event_line);
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
		if (!status->follow)
			return 0;
		if (status->final >= 0)
			return status->final == TASK_COMPLETED ? 0 : 1;
		if (cli_reader_gone())
			return 0;
		if (engine_wait(status->engine, 1000, fail) < 0)
			return -1;
	}
}

/* Only the result's text; -1 with FAIL_NO when there is none. */
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

	if (status->result && status->follow && events(status, fail) < 0)
		return -1;
	if (engine_get(status->engine, status->id, &task, fail) < 0)
		goto out;
	text = (struct span){ task.data, task.length };
	if (status->result) {
		done = result(status, text, fail);
	} else if (status->events || status->follow) {
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

	status->filter.state = -1;
	status->filter.limit = 50;
	while ((option = cli_option(cli, argc, argv, "", options)) != -1) {
		switch (option) {
		case OPTION_AFTER:
			status->after = (uint64_t)cli_number(cli, "--after",
			    optarg, 0, 1LL << 53);
			break;
		case OPTION_BEFORE:
			status->filter.before = optarg;
			break;
		case OPTION_EVENTS:
			status->events = true;
			break;
		case OPTION_FOLLOW:
			status->follow = true;
			break;
		case OPTION_LIMIT:
			status->filter.limit = (size_t)cli_number(cli,
			    "--limit", optarg, 1, 1000000);
			break;
		case OPTION_QUEUE:
			status->filter.queue = optarg;
			break;
		case OPTION_RESULT:
			status->result = true;
			break;
		case OPTION_SCHEDULES:
			status->schedules = true;
			break;
		case OPTION_STATE:
			if (!task_state_parse(optarg, &state))
				cli_usage(cli, "no such state: %s", optarg);
			status->filter.state = (int)state;
			break;
		case OPTION_USER:
			status->filter.user = optarg;
			break;
		}
	}
	if (optind + 1 < argc)
		cli_usage(cli, "unexpected argument: %s", argv[optind + 1]);
	status->id = argv[optind];
	if (!status->id && (status->events || status->follow ||
		status->result || status->after))
		cli_usage(cli, "--after, --events, --follow and --result need "
		    "the id of a task");
}

int
main(int argc, char **argv)
{
	struct status status = { .after = 0 };
	struct fail fail;
	int code;

	cli_start(&status.cli, "agent-status", usage_text, help_text);
	parse_options(&status, argc, argv);
	if (cli_settings(&status.cli, &fail) < 0)
		return cli_fail(&status.cli, &fail, NULL);
	if (engine_open(status.cli.engine, cli_store(&status.cli), ENGINE_READ,
		&status.cli.config, &status.engine, &fail) < 0)
		code = -1;
	else if (status.schedules)
		code = engine_schedules(status.engine, show_schedule, &status,
		    &fail);
	else
		code = status.id ? one(&status, &fail) : list(&status, &fail);
	if (code < 0)
		code = cli_fail(&status.cli, &fail, NULL);
	engine_close(status.engine);
	config_release(&status.cli.config);
	return code;
}
