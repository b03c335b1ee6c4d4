/* SPDX-License-Identifier: ISC */
/*
 * How it works: the pages of a history go through temporal_history, whose
 * journal events are used as they come: a row needs some of them.
 *
 * A history may end with a workflow task that was scheduled or started; when it
 * is not answered, other events can replace it later. So these are held back
 * until another event follows them.
 *
 * A task may have gone on in a new run, for its length or after its end, which
 * the server returns first. Then the oldest run that the server still has is
 * read, and each that follows it, as one history. (A run that continues a
 * forgotten one has the journal in it.)
 *
 * A signal that no worker has seen yet is an event of the history without the
 * decision that must follow. The decision depends only on the fold, so it is
 * made here, for this answer only.
 */
#include "common/temporal/task_reader.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

static void
set(char **string, const char *text, size_t length)
{
	free(*string);
	*string = mem_copy(text, length);
}

static void
take_journal_event(void *context, const struct event *event)
{
	struct task_reader *reader = context;
	struct span task;
	char *worker;

	reader->updated_at = event->at > reader->updated_at
	    ? event->at
	    : reader->updated_at;
	reader->last_type = event->type;
	if (event->type == EVENT_SUBMITTED) {
		reader->created_at = event->at;
		task = json_get(&event->members, "task");
		set(&reader->task, task.at, task.length);
	} else if (event->type == EVENT_STARTED) {
		worker = json_decode(json_get(&event->members, "worker"));
		set(&reader->worker, worker, strlen(worker));
		free(worker);
	}
	if (event_is_end(event->type, NULL))
		set(&reader->last, event->text.at, event->text.length);
	if (reader->event != NULL)
		reader->event(reader->context, event);
}

static void
drop_held(struct task_reader *reader)
{
	size_t i;

	for (i = 0; i < reader->held_count; i++)
		api__history_event__free_unpacked(reader->held[i], NULL);
	reader->held_count = 0;
}

void
task_reader_free(struct task_reader *reader)
{
	if (reader == NULL)
		return;
	history_reader_release(&reader->pages);
	temporal_history_free(reader->history);
	drop_held(reader);
	free(reader->held);
	free(reader->id);
	free(reader->run);
	free(reader->runs);
	free(reader->task);
	free(reader->last);
	free(reader->worker);
	free(reader);
}

/* ---- pages ---- */

static int
take_event(struct task_reader *reader, const Api__HistoryEvent *event,
    struct fail *fail)
{
	const Api__WorkflowExecutionStartedEventAttributes *started;

	if (event->event_type == TEMPORAL_EVENT(WORKFLOW_EXECUTION_STARTED)) {
		started = event->workflow_execution_started_event_attributes;
		if (started == NULL || started->workflow_type == NULL ||
		    strcmp(started->workflow_type->name, TEMPORAL_WORKFLOW) !=
			0)
			return fail_set(fail, FAIL_NO, "no_task",
			    "workflow %s is not a task", reader->id);
	}
	if (temporal_history_take(reader->history, event, fail) < 0)
		return fail_prefix(fail, "task %s", reader->id);
	return 0;
}

static bool
may_be_replaced(const Api__HistoryEvent *event)
{
	return event->event_type == TEMPORAL_EVENT(WORKFLOW_TASK_SCHEDULED) ||
	    event->event_type == TEMPORAL_EVENT(WORKFLOW_TASK_STARTED);
}

/* Takes the events that were held back and precede the new event. */
static int
take_held(struct task_reader *reader, int64_t before, struct fail *fail)
{
	int result = 0;
	size_t i;

	for (i = 0; i < reader->held_count && result == 0; i++)
		if (reader->held[i]->event_id < before)
			result = take_event(reader, reader->held[i], fail);
	drop_held(reader);
	return result;
}

static int
take_events(struct task_reader *reader, Api__History *page, struct fail *fail)
{
	size_t i, end = page->n_events, count = end;

	while (end > 0 && may_be_replaced(page->events[end - 1]))
		end--;
	if (end > 0 && take_held(reader, page->events[0]->event_id, fail) < 0)
		return -1;
	for (i = 0; i < end; i++)
		if (take_event(reader, page->events[i], fail) < 0)
			return -1;
	if (end == count)
		return 0;
	reader->held = mem_grow(reader->held, reader->held_count + count - end,
	    sizeof(*reader->held));
	for (i = end; i < count; i++)
		reader->held[reader->held_count++] = page->events[i];
	page->n_events = end;
	return 0;
}

/* Begins to read another run. */
static void
turn_to(struct task_reader *reader, const char *run)
{
	set(&reader->run, run, strlen(run));
	reader->pages.run = reader->run;
	drop_held(reader);
}

/* The number of runs in the list RUNS (NULL: none); RET_RUN, unless it is NULL,
 * gets the one of number INDEX, which the caller frees. */
static int
count_runs(const char *runs, int index, char **ret_run)
{
	struct span list = { runs, runs != NULL ? strlen(runs) : 0 }, run;
	int count = 0;

	for (; json_element(&list, &run); count++)
		if (ret_run != NULL && count == index)
			*ret_run = json_decode(run);
	return count;
}

/* Chooses the oldest run that was not tried yet; when the server has none of them
 * any more, only the latest. False when that is gone, too. */
static bool
turn_to_oldest(struct task_reader *reader)
{
	char *run = NULL;
	bool result = true;

	(void)count_runs(reader->runs, reader->next_run++, &run);
	if (run != NULL) {
		turn_to(reader, run);
	} else if (reader->runs != NULL && !reader->alone) {
		turn_to(reader, "");
		reader->alone = true;
	} else {
		result = false;
	}
	free(run);
	return result;
}

/* Whether the page is of the latest run, and others must be read first: all
 * before it, or the rest of the one that was the latest a moment ago. */
static bool
is_ahead(struct task_reader *reader, const Api__History *page)
{
	struct temporal_facts facts = temporal_history_facts(reader->history);
	struct span continued, runs;
	struct json_object object;
	struct fail why;

	if ((reader->run != NULL && *reader->run != '\0') ||
	    page->n_events == 0 ||
	    !temporal_history_continued(page->events[0], &continued) ||
	    json_check(continued, &json_limits_upstream, &object, &why) < 0)
		return false;
	runs = json_get(&object, "runs");
	if (runs.length == 0)
		return false;
	set(&reader->runs, runs.at, runs.length);
	reader->next_run = facts.last > 0 ? count_runs(facts.runs, 0, NULL) : 0;
	return facts.last > 0
	    ? count_runs(reader->runs, 0, NULL) > reader->next_run
	    : !reader->alone;
}

static int
take_page(void *context, Api__History *page, struct fail *fail)
{
	struct task_reader *reader = context;

	reader->ahead = is_ahead(reader, page);
	return reader->ahead ? 1 : take_events(reader, page, fail);
}

static void
stop(struct task_reader *reader, const struct fail *why)
{
	reader->ended = reader->failed = true;
	reader->why = *why;
}

/* The run that was begun when the one that is read had ended, or NULL. */
static char *
find_opened_again(struct task_reader *reader)
{
	int count = count_runs(reader->runs, 0, NULL), i;
	char *run = NULL;

	for (i = 0; i < count; i++) {
		free(run);
		run = NULL;
		(void)count_runs(reader->runs, i, &run);
		if (run != NULL && reader->run != NULL &&
		    strcmp(run, reader->run) == 0)
			break;
	}
	free(run);
	run = NULL;
	if (i == count)
		return NULL;
	(void)count_runs(reader->runs, i + 1, &run);
	reader->alone = reader->alone || run == NULL;
	return run != NULL ? run : mem_string("");
}

/* A run was read, or is gone, or others have to be read before it. */
static void
run_came(void *context, const struct fail *why)
{
	struct task_reader *reader = context;
	const char *next = temporal_history_facts(reader->history).next_run;
	char *again = NULL;
	struct fail fail;

	if (why != NULL &&
	    (reader->pages.refused || strcmp(why->type, "not_found") != 0)) {
		stop(reader, why);
		return;
	}
	if (why == NULL && !reader->ahead) {
		if (next == NULL)
			next = again = find_opened_again(reader);
		if (next == NULL) {
			reader->ended = true;
			return;
		}
		turn_to(reader, next);
		temporal_history_next(reader->history);
		free(again);
	} else if (!turn_to_oldest(reader)) {
		fail_set(&fail, FAIL_NO, "no_task", "there is no task %s",
		    reader->id);
		stop(reader, &fail);
		return;
	}
	task_reader_begin(reader);
}

struct task_reader *
task_reader_new(struct temporal *temporal, const char *id)
{
	struct task_reader *reader = mem_alloc(sizeof(*reader));

	reader->id = mem_string(id);
	reader->history = temporal_history_new(take_journal_event, reader);
	reader->pages = (struct history_reader){ .temporal = temporal,
		.id = reader->id,
		.page = take_page,
		.done = run_came,
		.context = reader };
	return reader;
}

void
task_reader_begin(struct task_reader *reader)
{
	reader->ended = reader->ahead = false;
	history_reader_read(&reader->pages, NULL);
}

int
task_reader_finish(struct task_reader *reader, struct fail *fail)
{
	struct loop *loop = temporal_loop(reader->pages.temporal);

	while (!reader->ended)
		if (loop_turn(loop, -1, fail) < 0)
			return -1;
	if (reader->failed)
		*fail = reader->why;
	return reader->failed ? -1 : 0;
}

/* What is there of the run comes once more, and is passed over. */
void
task_reader_follow(struct task_reader *reader)
{
	drop_held(reader);
	reader->pages.wait = true;
	task_reader_begin(reader);
}

int
task_reader_read(struct task_reader *reader, struct fail *fail)
{
	task_reader_begin(reader);
	return task_reader_finish(reader, fail) < 0
	    ? -1
	    : task_reader_settle(reader, fail);
}

int
task_reader_settle(struct task_reader *reader, struct fail *fail)
{
	const struct agent *agent = temporal_history_agent(reader->history);
	struct agent_summary summary;
	struct plan plan;
	bool more;
	int result = temporal_history_settle(reader->history, fail);

	agent_summary(agent, &summary);
	more = reader->last_type == EVENT_SIGNAL && agent_task(agent) != NULL &&
	    summary.state != TASK_RUNNING;
	while (more && result == 0) {
		agent_next(agent, reader->updated_at, &plan);
		more = plan.has_record;
		if (more)
			result = temporal_history_ahead(reader->history,
			    TEMPORAL_EVENT(MARKER_RECORDED), NULL, plan.record,
			    (struct span){ plan.record_members.data,
				plan.record_members.length },
			    fail);
		plan_release(&plan);
	}
	return result;
}

bool
task_reader_row(const struct task_reader *reader, struct task_row *ret_row)
{
	const struct agent *agent = temporal_history_agent(reader->history);
	struct agent_summary summary;

	if (agent_task(agent) == NULL)
		return false;
	agent_summary(agent, &summary);
	row_begin(ret_row, agent_task(agent), reader->created_at);
	row_follow(ret_row, agent, reader->updated_at);
	ret_row->seq = summary.seq;
	return true;
}

void
task_reader_members(const struct task_reader *reader, struct buf *buf)
{
	struct buf decisions = BUF_INIT((size_t)EVENT_MAX);
	struct task_row row;

	if (task_reader_row(reader, &row)) {
		(void)agent_decisions(temporal_history_agent(reader->history),
		    &decisions);
		row_members(buf, &row, reader->id,
		    row.state == TASK_RUNNING ? reader->worker : NULL,
		    (struct span){ decisions.data, decisions.length });
		buf_release(&decisions);
		return;
	}
	member_string(buf, "id", reader->id);
	member_string(buf, "state", task_state_name(TASK_QUEUED));
}
