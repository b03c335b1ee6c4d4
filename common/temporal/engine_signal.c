/* SPDX-License-Identifier: ISC */
/*
 * How it works: a signal becomes an event of the history at once. Before it is
 * sent, the fold decides whether it fits the task's state; the worker decides
 * that again. An ended task, which has no open workflow, gets a new run.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/temporal/start_request.h"
#include "common/temporal/task_reader.h"

/* The task has ended, and so its workflow: a new run takes the signal. */
static int
reopen(struct engine_temporal *own, const struct task_reader *reader,
    const char *signal, struct span json, struct fail *fail)
{
	const Api__DescribeWorkflowExecutionResponse *latest;
	struct temporal_answer answer = { .done = false };
	int result = -1;

	if (!temporal_history_facts(reader->history).closed)
		return fail_set(fail, FAIL_NOT_NOW, "ending",
		    "a worker still has to end the task");
	if (temporal_describe(own->temporal, reader->id, NULL, &answer, fail) ==
	    0) {
		latest = (Api__DescribeWorkflowExecutionResponse *)(void *)
			     answer.message;
		result = start_request_reopen(own, reader->history, reader->id,
		    latest->workflow_execution_info->execution->run_id, signal,
		    json, fail);
		if (result < 0 && !own->plain &&
		    engine_temporal_no_attribute(fail)) {
			own->plain = true;
			temporal_answer_release(&answer);
			return reopen(own, reader, signal, json, fail);
		}
	}
	temporal_answer_release(&answer);
	return result;
}

static int
send_signal(struct engine_temporal *own, const struct task_reader *reader,
    const char *signal, struct span members, struct fail *fail)
{
	struct temporal_answer answer = { .done = false };
	struct buf text = BUF_INIT(EVENT_MAX);
	struct agent_summary summary;
	struct span json;
	int result;

	buf_add(&text, "{", 1);
	buf_add(&text, members.at, members.length);
	buf_add(&text, "}", 1);
	json = (struct span){ text.data, text.length };
	agent_summary(temporal_history_agent(reader->history), &summary);
	if (task_state_final(summary.state)) {
		result = reopen(own, reader, signal, json, fail);
	} else {
		result = temporal_signal(own->temporal, reader->id, NULL,
		    signal, json, &answer, fail);
		if (result < 0 && strcmp(fail->type, "not_found") == 0)
			fail_set(fail, FAIL_NO, "task_ended",
			    "the task has ended");
	}
	temporal_answer_release(&answer);
	buf_release(&text);
	return result;
}

/* Ends the workflow, unless it is closed. */
static int
terminate(struct engine_temporal *own, const char *id, const char *why,
    struct fail *fail)
{
	struct temporal_answer answer = { .done = false };
	int result = temporal_terminate(own->temporal, id, NULL, why, &answer,
	    fail);

	if (result < 0 && strcmp(fail->type, "not_found") == 0)
		result = 0;
	temporal_answer_release(&answer);
	return result;
}

/* Without a worker a cancel would have no effect. When the signal is in the
 * history, a worker that comes now decides the same, so this program can end
 * the workflow itself. */
static int
end_cancelled(struct engine_temporal *own, const char *id, struct fail *fail)
{
	struct task_reader *reader = task_reader_new(own->temporal, id);
	struct task_row row;
	char *queue = NULL;
	bool polled = true;
	int result = -1;

	if (task_reader_read(reader, fail) < 0)
		goto out;
	result = 0;
	if (!task_reader_row(reader, &row) || row.state != TASK_CANCELLED ||
	    temporal_history_facts(reader->history).closed)
		goto out;
	queue = mem_print(TEMPORAL_QUEUE_PREFIX "%s", row.queue);
	result = engine_temporal_polled(own, queue, &polled, fail);
	if (result < 0 || polled)
		goto out;
	result = terminate(own, id, "asked for", fail);
out:
	task_reader_free(reader);
	free(queue);
	return result;
}

/* A cancelled task can go on before a worker has ended its workflow. */
static int
end_first(struct engine_temporal *own, const char *id,
    struct task_reader **reader, struct fail *fail)
{
	const struct temporal_history *history = (*reader)->history;
	struct agent_summary summary;

	agent_summary(temporal_history_agent(history), &summary);
	if (summary.state != TASK_CANCELLED ||
	    temporal_history_facts(history).closed)
		return 0;
	if (terminate(own, id, "asked for", fail) < 0)
		return -1;
	task_reader_free(*reader);
	*reader = task_reader_new(own->temporal, id);
	return task_reader_read(*reader, fail);
}

/* A task whose history cannot be read, for the reason FAIL, can only be
 * cancelled. */
static int
cancel_unreadable(struct engine_temporal *own, const char *id,
    const char *signal, struct fail *fail)
{
	if (fail->kind != FAIL_NEVER || strcmp(signal, "cancel") != 0)
		return -1;
	return terminate(own, id, "asked for, and its history cannot be read",
	    fail);
}

int
engine_temporal_signal(struct engine *engine, const char *id,
    const char *signal, struct span members, struct fail *fail)
{
	struct engine_temporal *own = engine_temporal_own(engine);
	struct task_reader *reader = NULL;
	const struct agent *agent;
	int result = -1;

	if (engine_temporal_check_id(id, fail) < 0)
		goto out;
	reader = task_reader_new(own->temporal, id);
	if (task_reader_read(reader, fail) < 0) {
		result = cancel_unreadable(own, id, signal, fail);
		goto out;
	}
	agent = temporal_history_agent(reader->history);
	if ((agent_task(agent) != NULL || strcmp(signal, "cancel") != 0) &&
	    agent_accepts(agent, signal, members, fail) < 0)
		goto out;
	if (end_first(own, id, &reader, fail) == 0)
		result = send_signal(own, reader, signal, members, fail);
	if (result == 0 && strcmp(signal, "cancel") == 0)
		result = end_cancelled(own, id, fail);
out:
	task_reader_free(reader);
	return result;
}
