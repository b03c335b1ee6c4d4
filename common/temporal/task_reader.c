/* SPDX-License-Identifier: ISC */
/*
 * How it works: the pages of a history go through temporal_history, whose
 * journal events are used as they come: a row needs some of them, and a follower
 * all.
 *
 * A history may end with a workflow task that was scheduled or started; when it
 * is not answered, other events can replace it later. So these are held back
 * until another event follows them.
 *
 * A task may have gone on in a new run, which the server returns first. Then the
 * oldest run that the server still has is read, and each that follows it, as one
 * history. (A run that continues a forgotten one has the journal in it.)
 *
 * A signal that no worker has seen yet is an event of the history without the
 * decision that must follow. The decision depends only on the fold, so it is
 * made here, for this answer only.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/temporal/engine_internal.h"

#define OBJECT_MAX ((size_t)EVENT_MAX + (16u << 20))
#define PENDING_MAX ((size_t)EVENT_MAX * 4)

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
	const char *worker;

	reader->updated_at = event->at > reader->updated_at
	    ? event->at
	    : reader->updated_at;
	reader->last_type = event->type;
	if (event->type == EVENT_SUBMITTED) {
		reader->created_at = event->at;
		if (json_member(event->text, "task", &task))
			set(&reader->task, task.at, task.length);
	}
	worker = event->type == EVENT_STARTED
	    ? json_string(event->data, "worker")
	    : NULL;
	if (worker != NULL)
		set(&reader->worker, worker, strlen(worker));
	if (event_is_end(event->type, NULL))
		set(&reader->last, event->text.at, event->text.length);
	if (!reader->following || event->seq <= reader->seen)
		return;
	if (reader->event == NULL) {
		buf_add(&reader->pending, event->text.at, event->text.length);
		buf_add(&reader->pending, "", 1);
	} else if (reader->stopped == 0) {
		reader->stopped = reader->event(reader->context, event->text);
	}
	reader->seen = event->seq;
}

struct task_reader *
task_reader_new(struct engine_temporal *own, const char *id)
{
	struct task_reader *reader = mem_alloc(sizeof(*reader));

	reader->own = own;
	reader->id = mem_string(id);
	reader->history = temporal_history_new(take_journal_event, reader);
	reader->pending = BUF_INIT(PENDING_MAX);
	return reader;
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
	temporal_answer_release(&reader->answer);
	temporal_history_free(reader->history);
	drop_held(reader);
	free(reader->held);
	free(reader->token.data);
	free(reader->id);
	free(reader->run);
	free(reader->runs);
	free(reader->task);
	free(reader->last);
	free(reader->worker);
	buf_release(&reader->pending);
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
take_page(struct task_reader *reader, Api__History *page, struct fail *fail)
{
	size_t i, end = page != NULL ? page->n_events : 0, count = end;

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

static void
keep_token(struct task_reader *reader, const ProtobufCBinaryData *token)
{
	free(reader->token.data);
	reader->token.data = (uint8_t *)mem_copy(token->data, token->len);
	reader->token.len = token->len;
}

static int
send_page(struct task_reader *reader, bool wait, struct fail *fail)
{
	struct temporal_page page = { .id = reader->id,
		.run = reader->run,
		.wait = wait,
		.token = reader->token.len > 0 ? &reader->token : NULL };

	return temporal_history(reader->own->temporal, &page, &reader->answer,
	    fail);
}

/* Begins to read another run. */
static void
turn_to(struct task_reader *reader, const char *run)
{
	set(&reader->run, run, strlen(run));
	drop_held(reader);
	reader->token.len = 0;
}

/* Chooses the oldest run that was not tried yet; when the server has none of them
 * any more, only the latest. False when that is gone, too. */
static bool
turn_to_oldest(struct task_reader *reader)
{
	cJSON *runs = reader->runs != NULL ? cJSON_Parse(reader->runs) : NULL;
	const cJSON *run = cJSON_GetArrayItem(runs, reader->next_run++);
	bool result = true;

	if (cJSON_IsString(run)) {
		turn_to(reader, run->valuestring);
	} else if (runs != NULL && !reader->alone) {
		turn_to(reader, "");
		reader->alone = true;
	} else {
		result = false;
	}
	cJSON_Delete(runs);
	return result;
}

/* The number of runs in the list RUNS. */
static int
count_runs(const char *runs)
{
	cJSON *list = runs != NULL ? cJSON_Parse(runs) : NULL;
	int count = cJSON_GetArraySize(list);

	cJSON_Delete(list);
	return count;
}

/* Whether the page is of the latest run, and others must be read first: all
 * before it, or the rest of the one that was the latest a moment ago. */
static bool
is_ahead(struct task_reader *reader, const Api__History *page)
{
	struct temporal_facts facts = temporal_history_facts(reader->history);
	struct span continued, runs;

	if ((reader->run != NULL && *reader->run != '\0') || page == NULL ||
	    page->n_events == 0 ||
	    !temporal_history_continued(page->events[0], &continued) ||
	    !json_member(continued, "runs", &runs))
		return false;
	set(&reader->runs, runs.at, runs.length);
	reader->next_run = facts.last > 0 ? count_runs(facts.runs) : 0;
	return facts.last > 0 ? count_runs(reader->runs) > reader->next_run
			      : !reader->alone;
}

/* Takes the events of the answer. The token and the run then say what to read
 * next, now or later. */
static int
take_answer(struct task_reader *reader, bool *ret_more, struct fail *fail)
{
	Api__GetWorkflowExecutionHistoryResponse *response;
	const char *next;
	int result = 0;

	if (temporal_wait(reader->own->temporal, &reader->answer, fail) < 0) {
		temporal_answer_release(&reader->answer);
		if (strcmp(fail->type, "not_found") != 0)
			return -1;
		*ret_more = turn_to_oldest(reader);
		return *ret_more ? 0
				 : fail_set(fail, FAIL_NO, "no_task",
				       "there is no task %s", reader->id);
	}
	response = (Api__GetWorkflowExecutionHistoryResponse *)(void *)
		       reader->answer.message;
	if (is_ahead(reader, response->history)) {
		*ret_more = turn_to_oldest(reader);
	} else {
		result = take_page(reader, response->history, fail);
		keep_token(reader, &response->next_page_token);
		next = temporal_history_facts(reader->history).next_run;
		*ret_more = reader->token.len > 0 || next != NULL;
		if (reader->token.len == 0 && next != NULL) {
			turn_to(reader, next);
			temporal_history_next(reader->history);
		}
	}
	temporal_answer_release(&reader->answer);
	return result;
}

int
task_reader_begin(struct task_reader *reader, struct fail *fail)
{
	return send_page(reader, false, fail);
}

int
task_reader_finish(struct task_reader *reader, struct fail *fail)
{
	bool more;

	for (;;) {
		if (take_answer(reader, &more, fail) < 0)
			return -1;
		if (!more)
			return 0;
		if (send_page(reader, false, fail) < 0)
			return -1;
	}
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
	struct task_row row;

	if (task_reader_row(reader, &row)) {
		row_members(buf, &row, reader->id,
		    row.state == TASK_RUNNING ? reader->worker : NULL);
		return;
	}
	member_string(buf, "id", reader->id);
	member_string(buf, "state", task_state_name(TASK_QUEUED));
}

/* ---- one task ---- */

/* The text so far of a turn under way is in the heartbeats. */
static int
add_progress(struct task_reader *reader, struct buf *members, struct fail *fail)
{
	Api__DescribeWorkflowExecutionResponse *description;
	struct span details, text;
	size_t i;
	int result = -1;

	if (temporal_describe(reader->own->temporal, reader->id, NULL,
		&reader->answer, fail) < 0 ||
	    temporal_wait(reader->own->temporal, &reader->answer, fail) < 0)
		goto out;
	description = (Api__DescribeWorkflowExecutionResponse *)(void *)
			  reader->answer.message;
	for (i = 0; i < description->n_pending_activities; i++)
		if (temporal_value(
			description->pending_activities[i]->heartbeat_details,
			0, &details) &&
		    json_member(details, "text", &text)) {
			member_raw(members, "progress", text.at, text.length);
			break;
		}
	result = 0;
out:
	temporal_answer_release(&reader->answer);
	return result;
}

static void
add_ends(struct task_reader *reader, struct buf *members,
    const struct task_row *row)
{
	row_ends(members, row,
	    (struct span){ reader->task,
		reader->task ? strlen(reader->task) : 0 },
	    (struct span){ reader->last,
		reader->last ? strlen(reader->last) : 0 });
}

int
engine_temporal_get(struct engine *engine, const char *id, struct buf *buf,
    struct fail *fail)
{
	struct buf members = BUF_INIT(OBJECT_MAX);
	struct temporal_facts facts;
	struct task_reader *reader = NULL;
	struct task_row row;
	int result = -1;

	if (engine_temporal_check_id(id, fail) < 0)
		return -1;
	reader = task_reader_new(engine_temporal_own(engine), id);
	if (task_reader_begin(reader, fail) < 0 ||
	    task_reader_finish(reader, fail) < 0 ||
	    task_reader_settle(reader, fail) < 0)
		goto out;
	task_reader_members(reader, &members);
	facts = temporal_history_facts(reader->history);
	if (task_reader_row(reader, &row))
		add_ends(reader, &members, &row);
	else if (facts.unread != NULL)
		member_raw(&members, "task", facts.unread,
		    strlen(facts.unread));
	if (task_reader_row(reader, &row) && row.state == TASK_RUNNING &&
	    add_progress(reader, &members, fail) < 0)
		goto out;
	buf_add_string(buf, "{");
	buf_add(buf, members.data, members.length);
	buf_add_string(buf, "}");
	result = 0;
out:
	task_reader_free(reader);
	buf_release(&members);
	return result;
}

/* ---- its events ---- */

static int
give_kept(struct task_reader *reader,
    int (*event)(void *context, struct span text), void *context)
{
	size_t at, length;
	int result = 0;

	for (at = 0; at < reader->pending.length && result == 0;
	     at += length + 1) {
		length = strlen(reader->pending.data + at);
		result = event(context,
		    (struct span){ reader->pending.data + at, length });
	}
	buf_reset(&reader->pending);
	return result;
}

int
engine_temporal_events(struct engine *engine, const char *id, uint64_t after,
    int (*event)(void *context, struct span text), void *context,
    struct fail *fail)
{
	struct engine_temporal *own = engine_temporal_own(engine);
	struct task_reader *reader = own->followed;
	int result = -1;

	if (engine_temporal_check_id(id, fail) < 0)
		return -1;
	if (reader != NULL && reader->waiting && strcmp(reader->id, id) == 0)
		return give_kept(reader, event, context);
	task_reader_free(reader);
	own->followed = reader = task_reader_new(own, id);
	reader->following = true;
	reader->seen = after;
	reader->event = event;
	reader->context = context;
	if (task_reader_begin(reader, fail) == 0 &&
	    task_reader_finish(reader, fail) == 0)
		result = reader->stopped;
	reader->event = NULL;
	return result;
}

int
task_reader_wait(struct task_reader *reader, int64_t until, struct fail *fail)
{
	struct loop *loop = temporal_loop(reader->own->temporal);
	size_t before = reader->pending.length;
	bool more;

	if (!reader->waiting) {
		/* events that were read before come again, and are skipped */
		drop_held(reader);
		reader->waiting = true;
		if (send_page(reader, true, fail) < 0)
			return -1;
	}
	while (!reader->ended && reader->pending.length == before) {
		while (!reader->answer.done && clock_boot() < until)
			if (loop_turn(loop, until, fail) < 0)
				return -1;
		if (!reader->answer.done)
			return 0;
		if (take_answer(reader, &more, fail) < 0)
			return -1;
		reader->ended = !more;
		if (more && send_page(reader, true, fail) < 0)
			return -1;
	}
	return 0;
}

int
engine_temporal_wait(struct engine *engine, int64_t milliseconds,
    struct fail *fail)
{
	struct engine_temporal *own = engine_temporal_own(engine);

	if (own->followed == NULL || own->followed->ended)
		return engine_temporal_pause(own, milliseconds, fail);
	return task_reader_wait(own->followed, clock_boot() + milliseconds,
	    fail);
}
