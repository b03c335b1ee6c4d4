/* SPDX-License-Identifier: ISC */
/*
 * agent-submit: puts tasks into the queue, durably, and prints their ids.
 * Lines are read as they arrive: all complete ones, up to BATCH, are one commit,
 * and are answered in their order once it is on disk. So one task costs one
 * commit, many cost one per BATCH, and none waits for the end of the input.
 */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "common/agent/engine.h"
#include "common/agent/pins.h"
#include "common/base/fail.h"
#include "common/base/mem.h"
#include "common/cli/cli.h"
#include "common/cli/fork.h"
#include "common/cli/task_input.h"
#include "common/json/json.h"

#define BATCH 512

static const char usage_text[] =
    "agent-submit [--at TIME] [--config FILE] [--engine NAME] [--json] "
    "[--key KEY]\n"
    "                    [--no-preflight] [--priority N] [--queue NAME] "
    "[--request ID]\n"
    "                    [--schedule CRON] [--store DIR] [-f FILE]\n"
    "       agent-submit --from ID@SEQ [--at TIME] [--config FILE] "
    "[--engine NAME]\n"
    "                    [--json] [--key KEY] [--priority N] "
    "[--queue NAME] [--store DIR]";
static const char help_text[] =
    "Puts tasks (JSON, YAML, or one JSON object a line) into the queue.\n";

/* One answer: an id, an error, or an error of an earlier program. */
struct item {
	cJSON *passed_on;
	bool failed;
	struct fail fail;
	struct task task;
	char *pins; /* raw members, or NULL */
	struct fork fork;
	struct submission *submission;
	unsigned long long line; /* 0: not one of many */
};

struct submit {
	struct cli cli;
	struct engine *engine;
	cJSON *overrides; /* members that options set in every task */
	const char *cron, *request, *from; /* options, or NULL */
	bool unchecked_too;
	struct item items[BATCH];
	struct submission submissions[BATCH];
	size_t count;
	int worst;
};

/* Checks VALUE (taken over), whose text is TEXT. */
static void
add(struct submit *submit, struct item *item, cJSON *value, struct span text)
{
	if (json_string(json_item(value, "error"), "type")) {
		item->passed_on = value;
		return;
	}
	if (cJSON_IsObject(value))
		fork_override(value, submit->overrides);
	if (cli_task(&submit->cli, value, &item->task, &item->fail) < 0) {
		item->failed = true;
		return;
	}
	if (!item->task.preflight && submit->unchecked_too)
		return;
	item->failed = task_input_pins(text, submit->request, &item->pins,
			   &item->fail) < 0 ||
	    pins_check(json_item(item->task.preflight, "pins"), &item->fail) <
		0;
}

static bool
open_engine(struct submit *submit, struct fail *fail)
{
	return submit->engine ||
	    engine_open(submit->cli.engine, cli_store(&submit->cli),
		ENGINE_CREATE, &submit->cli.config, &submit->engine, fail) == 0;
}

/* Whether the user may have one more task beside the COUNT of this batch. */
static bool
admit(struct submit *submit, struct item *item, size_t count)
{
	item->failed = !open_engine(submit, &item->fail) ||
	    engine_admit(submit->engine, &item->task, submit->submissions,
		count, submit->cli.config.open_per_user, &item->fail) < 0;
	return !item->failed;
}

/* Submits every valid task of the batch in one commit. */
static void
commit(struct submit *submit)
{
	size_t count = 0;
	struct fail fail;
	bool failed;

	for (size_t i = 0; i < submit->count; i++) {
		struct item *item = &submit->items[i];

		if (item->passed_on || item->failed ||
		    !admit(submit, item, count))
			continue;
		item->submission = &submit->submissions[count++];
		*item->submission = (struct submission){
			.task = &item->task,
			.pins = { item->pins,
			    item->pins ? strlen(item->pins) : 0 },
			.journal = { item->fork.journal.data,
			    item->fork.journal.length },
			.agent = item->fork.agent,
		};
	}
	failed = count &&
	    engine_submit(submit->engine, submit->submissions, count,
		submit->cron, &fail) < 0;
	for (struct item *item = submit->items; count > 0; item++) {
		if (!item->submission)
			continue;
		item->failed = failed || item->submission->refused;
		item->fail = failed ? fail : item->submission->fail;
		count--;
	}
}

static void
answer_fault(struct submit *submit, struct item *item)
{
	int code;

	if (item->line && !item->passed_on)
		fail_prefix(&item->fail, "line %llu", item->line);
	code = item->passed_on ? cli_passed_on(&submit->cli, item->passed_on)
			       : cli_fail(&submit->cli, &item->fail, NULL);
	if (code > submit->worst)
		submit->worst = code;
}

/* Commits the batch, gives each item's answer in order, and empties it. */
static void
finish(struct submit *submit)
{
	struct buf out = BUF_INIT(1u << 20);

	commit(submit);
	for (size_t i = 0; i < submit->count; i++) {
		struct item *item = &submit->items[i];

		if (item->passed_on || item->failed) {
			cli_write(&submit->cli, out.data, out.length);
			buf_reset(&out);
			answer_fault(submit, item);
		} else if (submit->cli.human) {
			buf_print(&out, "%s\n", item->submission->id);
		} else {
			buf_print(&out, "{\"%s\":\"%s\",%s\"existing\":%s}\n",
			    submit->cron ? "schedule" : "id",
			    item->submission->id,
			    submit->cron || submit->from ||
				    item->submission->existing
				? ""
				: "\"state\":\"queued\",",
			    item->submission->existing ? "true" : "false");
		}
		cJSON_Delete(item->passed_on);
		free(item->pins);
		fork_release(&item->fork);
		task_release(&item->task);
	}
	cli_write(&submit->cli, out.data, out.length);
	buf_release(&out);
	memset(submit->items, 0, submit->count * sizeof(submit->items[0]));
	submit->count = 0;
}

/* Reads until the end of the input. A batch is closed when it is full, and
 * when no more input is there yet. */
static int
take(struct submit *submit, struct task_input *input, struct fail *fail)
{
	enum task_input_result got;
	struct item *item;
	struct span text;
	cJSON *value;

	for (;;) {
		got = task_input_next(input, submit->count == 0, &value, &text,
		    fail);
		item = &submit->items[submit->count];
		if (got == INTAKE_VALUE || got == INTAKE_FAULT) {
			item->line = task_input_line(input);
			item->failed = got == INTAKE_FAULT;
			item->fail = *fail;
			submit->count++;
		}
		if (got == INTAKE_VALUE)
			add(submit, item, value, text);
		if (got <= INTAKE_END || got == INTAKE_NONE ||
		    submit->count == BATCH)
			finish(submit);
		if (got <= INTAKE_END)
			return got;
	}
}

/* The one task that goes on from another one. */
static void
go_on(struct submit *submit)
{
	struct item *item = &submit->items[submit->count++];

	item->failed = !open_engine(submit, &item->fail) ||
	    fork_task(submit->engine, submit->from, submit->overrides,
		&submit->cli.config, &item->task, &item->fork, &item->fail) < 0;
	finish(submit);
}

static const char *
parse_options(struct submit *submit, int argc, char **argv)
{
	struct cli *cli = &submit->cli;
	const char *file = "-";
	const char *texts[3] = { NULL };
	static const char *const members[] = { "not_before", "key", "queue" };
	long long priority = -1;
	const struct cli_option options[] = {
		{ "f", "FILE", "read FILE instead of standard input",
		    .text = &file },
		{ "from", "ID@SEQ",
		    "go on from event SEQ of task ID, as another task",
		    .text = &submit->from },
		{ "key", "KEY",
		    "make it safe to repeat: one key gives one task",
		    .text = &texts[1] },
		{ "at", "TIME",
		    "do not begin before TIME (2026-11-23T20:00:00Z)",
		    .text = &texts[0] },
		{ "priority", "N", "0 (last) to 9 (first)", .number = &priority,
		    .most = 9 },
		{ "queue", "NAME", "the queue to put it into",
		    .text = &texts[2] },
		{ "request", "ID", "the id of the request that brought it",
		    .text = &submit->request },
		{ "schedule", "CRON",
		    "run on a schedule: a new task at each time of CRON",
		    .text = &submit->cron },
		{ "no-preflight", NULL,
		    "accept a task that agent-preflight has not passed",
		    .flag = &submit->unchecked_too },
		CLI_SETTINGS(cli),
		{ NULL },
	};

	cli_options(cli, options, 0, argc, argv);
	submit->overrides = cJSON_CreateObject();
	for (size_t i = 0; i < 3; i++)
		if (texts[i])
			cJSON_AddStringToObject(submit->overrides, members[i],
			    texts[i]);
	if (priority >= 0)
		cJSON_AddNumberToObject(submit->overrides, "priority",
		    (double)priority);
	return file;
}

int
main(int argc, char **argv)
{
	static struct submit submit;
	struct task_input *input = NULL;
	struct fail fail;
	const char *file;

	cli_start(&submit.cli, "agent-submit", usage_text, help_text);
	submit.cli.acknowledges = true;
	file = parse_options(&submit, argc, argv);
	if (cli_settings(&submit.cli, &fail) < 0)
		return cli_fail(&submit.cli, &fail, NULL);
	if (submit.from)
		go_on(&submit);
	else if (task_input_open(file, &input, &fail) < 0 ||
	    take(&submit, input, &fail) < 0)
		answer_fault(&submit, &(struct item){ .fail = fail });
	task_input_close(input);
	engine_close(submit.engine);
	config_release(&submit.cli.config);
	cJSON_Delete(submit.overrides);
	return submit.worst;
}
