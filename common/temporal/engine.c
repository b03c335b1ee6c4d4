/* SPDX-License-Identifier: ISC */
/*
 * How it works: a task is a workflow. A worker folds its history, and a program
 * that reads the task folds it too (task_reader.c), so that both engines give
 * the same answers from the same fold. Lists and numbers come from the server's
 * visibility (engine_list.c), which is at most a second old.
 *
 * A signal becomes an event of the history at once. Before it is sent, the fold
 * decides whether it fits the task's state; the worker decides that again.
 */
#include "common/temporal/engine.h"
#include "common/temporal/worker.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/temporal/engine_internal.h"

struct engine_temporal *
engine_temporal_own(struct engine *engine)
{
	return (struct engine_temporal *)(void *)engine;
}

bool
engine_temporal_no_attribute(const struct fail *fail)
{
	return strcmp(fail->type, "invalid_argument") == 0 &&
	    (strstr(fail->message, TEMPORAL_USER) != NULL ||
		strstr(fail->message, TEMPORAL_STATE) != NULL);
}

int
engine_temporal_pause(struct engine_temporal *own, int64_t milliseconds,
    struct fail *fail)
{
	int64_t until = clock_boot() + milliseconds;

	while (clock_boot() < until)
		if (loop_turn(temporal_loop(own->temporal), until, fail) < 0)
			return -1;
	return 0;
}

int
engine_temporal_check_id(const char *id, struct fail *fail)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz0123456789._:-";
	size_t length = strlen(id);

	if (length >= 8 && length <= 255 && strspn(id, plain) == length)
		return 0;
	return fail_set(fail, FAIL_NEVER, "invalid_id",
	    "\"%.60s\" is not a task id: ids look like "
	    "0197a3c4-52f0-7e1b-9d3a-5f6b7c8d9e0f",
	    id);
}

static void
close_engine(struct engine *engine)
{
	struct engine_temporal *own = engine_temporal_own(engine);

	task_reader_free(own->followed);
	temporal_close(own->temporal);
	free(own);
}

/* ---- signal ---- */

static int
send_signal(struct engine_temporal *own, const char *id, const char *signal,
    struct span members, struct fail *fail)
{
	struct temporal_answer answer = { .done = false };
	struct buf text = BUF_INIT(EVENT_MAX);
	int result;

	buf_add(&text, "{", 1);
	buf_add(&text, members.at, members.length);
	buf_add(&text, "}", 1);
	result = temporal_signal(own->temporal, id, NULL, signal,
	    (struct span){ text.data, text.length }, &answer, fail);
	if (result == 0)
		result = temporal_wait(own->temporal, &answer, fail);
	if (result < 0 && strcmp(fail->type, "not_found") == 0)
		fail_set(fail, FAIL_NO, "task_ended", "the task has ended");
	temporal_answer_release(&answer);
	buf_release(&text);
	return result;
}

/* Without a worker a cancel would have no effect. When the signal is in the
 * history, a worker that comes now decides the same, so this program can end
 * the workflow itself. */
static int
end_cancelled(struct engine_temporal *own, const char *id, struct fail *fail)
{
	struct temporal_answer answer = { .done = false };
	struct task_reader *reader = task_reader_new(own, id);
	struct task_row row;
	char *queue = NULL;
	bool polled = true;
	int result = -1;

	if (task_reader_begin(reader, fail) < 0 ||
	    task_reader_finish(reader, fail) < 0 ||
	    task_reader_settle(reader, fail) < 0)
		goto out;
	result = 0;
	if (!task_reader_row(reader, &row) || row.state != TASK_CANCELLED ||
	    temporal_history_facts(reader->history).closed)
		goto out;
	queue = mem_print(TEMPORAL_QUEUE_PREFIX "%s", row.queue);
	result = engine_temporal_polled(own, queue, &polled, fail);
	if (result < 0 || polled)
		goto out;
	result = temporal_terminate(own->temporal, id, NULL, "asked for",
	    &answer, fail);
	if (result == 0)
		result = temporal_wait(own->temporal, &answer, fail);
	if (result < 0 && strcmp(fail->type, "not_found") == 0)
		result = 0;
out:
	temporal_answer_release(&answer);
	task_reader_free(reader);
	free(queue);
	return result;
}

static int
signal_task(struct engine *engine, const char *id, const char *signal,
    struct span members, struct fail *fail)
{
	struct engine_temporal *own = engine_temporal_own(engine);
	struct task_reader *reader = NULL;
	const struct agent *agent;
	char *call = row_call(members);
	int result = -1;

	if (engine_temporal_check_id(id, fail) < 0)
		goto out;
	reader = task_reader_new(own, id);
	if (task_reader_begin(reader, fail) < 0 ||
	    task_reader_finish(reader, fail) < 0 ||
	    task_reader_settle(reader, fail) < 0)
		goto out;
	agent = temporal_history_agent(reader->history);
	if ((agent_task(agent) != NULL || strcmp(signal, "cancel") != 0) &&
	    agent_accepts(agent, signal, call, fail) < 0)
		goto out;
	result = send_signal(own, id, signal, members, fail);
	if (result == 0 && strcmp(signal, "cancel") == 0)
		result = end_cancelled(own, id, fail);
out:
	task_reader_free(reader);
	free(call);
	return result;
}

/* ---- open ---- */

static const struct engine_operations operations = {
	.close = close_engine,
	.submit = engine_temporal_submit,
	.get = engine_temporal_get,
	.events = engine_temporal_events,
	.list = engine_temporal_list,
	.signal = signal_task,
	.depth = engine_temporal_depth,
	.wait = engine_temporal_wait,
	.schedule = engine_temporal_schedule,
	.schedules = engine_temporal_schedules,
	.schedule_signal = engine_temporal_schedule_signal,
};

static int
open_engine(const char *target, enum engine_mode mode,
    const struct config *config, struct engine **ret_engine, struct fail *fail)
{
	struct temporal_options options = { .target = target };
	struct engine_temporal *own = mem_alloc(sizeof(*own));

	(void)mode;
	(void)config;
	if (temporal_open(NULL, &options, &own->temporal, fail) < 0) {
		free(own);
		return -1;
	}
	own->engine.operations = &operations;
	*ret_engine = &own->engine;
	return 0;
}

const struct engine_module engine_temporal = {
	.abi = ENGINE_ABI,
	.open = open_engine,
	.work = worker_temporal_run,
};
