/* SPDX-License-Identifier: ISC */
/*
 * How it works: the pages of a history go through temporal_history, whose
 * journal events are looked at as they come: a row needs some of them, and a
 * follower all.
 *
 * A history may end with a workflow task that was scheduled or started; when it
 * is not answered, other events can have its place later. So these are held
 * back until something follows them.
 *
 * A task may have gone on in a new run, which the server gives out first. Then
 * the oldest run that the server still has is read, and each that follows it,
 * as one history. (A run that goes on from a forgotten one has the journal in
 * it.)
 *
 * A signal that no worker has seen yet is an event of the history without the
 * decision that must follow. The decision depends on nothing but the fold, so it
 * is made here, for the answer only.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/temporal/engine_internal.h"

#define OBJECT_MAX ((size_t)EVENT_MAX + (16u << 20))
#define KEPT_MAX ((size_t)EVENT_MAX * 4)
#define EVENT_TASK_SCHEDULED 5

static void
set(char **string, const char *text, size_t length)
{
	free(*string);
	*string = mem_copy(text, length);
}

static void
take_journal_event(void *context, const struct event *event)
{
	struct tale *tale = context;
	struct span task;
	const char *worker;

	tale->updated_at = event->at > tale->updated_at ? event->at
							: tale->updated_at;
	tale->last_type = event->type;
	if (event->type == EVENT_SUBMITTED) {
		tale->created_at = event->at;
		if (json_member(event->text, "task", &task))
			set(&tale->task, task.at, task.length);
	}
	worker = event->type == EVENT_STARTED
	    ? json_string(event->data, "worker")
	    : NULL;
	if (worker != NULL)
		set(&tale->worker, worker, strlen(worker));
	if (event->type >= EVENT_COMPLETED)
		set(&tale->last, event->text.at, event->text.length);
	if (!tale->following || event->seq <= tale->seen)
		return;
	if (tale->event == NULL) {
		buf_add(&tale->kept, event->text.at, event->text.length);
		buf_add(&tale->kept, "", 1);
	} else if (tale->stopped == 0) {
		tale->stopped = tale->event(tale->context, event->text);
	}
	tale->seen = event->seq;
}

struct tale *
tale_new(struct engine_temporal *own, const char *id)
{
	struct tale *tale = mem_alloc(sizeof(*tale));

	tale->own = own;
	tale->id = mem_string(id);
	tale->history = temporal_history_new(take_journal_event, tale);
	tale->kept = BUF_INIT(KEPT_MAX);
	return tale;
}

static void
drop_held(struct tale *tale)
{
	size_t i;

	for (i = 0; i < tale->held_count; i++)
		api__history_event__free_unpacked(tale->held[i], NULL);
	tale->held_count = 0;
}

void
tale_free(struct tale *tale)
{
	if (tale == NULL)
		return;
	temporal_answer_release(&tale->answer);
	temporal_history_free(tale->history);
	drop_held(tale);
	free(tale->held);
	free(tale->token.data);
	free(tale->id);
	free(tale->run);
	free(tale->runs);
	free(tale->task);
	free(tale->last);
	free(tale->worker);
	buf_release(&tale->kept);
	free(tale);
}

/* ---- pages ---- */

static int
take_event(struct tale *tale, const Api__HistoryEvent *event, struct fail *fail)
{
	const Api__WorkflowExecutionStartedEventAttributes *started;

	if (event->event_type == TEMPORAL_EVENT_STARTED) {
		started = event->workflow_execution_started_event_attributes;
		if (started == NULL || started->workflow_type == NULL ||
		    strcmp(started->workflow_type->name, TEMPORAL_WORKFLOW) !=
			0)
			return fail_set(fail, FAIL_NO, "no_task",
			    "workflow %s is not a task", tale->id);
	}
	if (temporal_history_take(tale->history, event, fail) < 0)
		return fail_prefix(fail, "task %s", tale->id);
	return 0;
}

static bool
may_be_replaced(const Api__HistoryEvent *event)
{
	return event->event_type == EVENT_TASK_SCHEDULED ||
	    event->event_type == TEMPORAL_EVENT_TASK_STARTED;
}

/* Takes what is held and is before the event that comes now. */
static int
take_held(struct tale *tale, int64_t before, struct fail *fail)
{
	int result = 0;
	size_t i;

	for (i = 0; i < tale->held_count && result == 0; i++)
		if (tale->held[i]->event_id < before)
			result = take_event(tale, tale->held[i], fail);
	drop_held(tale);
	return result;
}

static int
take_page(struct tale *tale, Api__History *page, struct fail *fail)
{
	size_t i, end = page != NULL ? page->n_events : 0, count = end;

	while (end > 0 && may_be_replaced(page->events[end - 1]))
		end--;
	if (end > 0 && take_held(tale, page->events[0]->event_id, fail) < 0)
		return -1;
	for (i = 0; i < end; i++)
		if (take_event(tale, page->events[i], fail) < 0)
			return -1;
	if (end == count)
		return 0;
	tale->held = mem_grow(tale->held, tale->held_count + count - end,
	    sizeof(*tale->held));
	for (i = end; i < count; i++)
		tale->held[tale->held_count++] = page->events[i];
	page->n_events = end;
	return 0;
}

static void
keep_token(struct tale *tale, const ProtobufCBinaryData *token)
{
	free(tale->token.data);
	tale->token.data = (uint8_t *)mem_copy(token->data, token->len);
	tale->token.len = token->len;
}

static int
send_page(struct tale *tale, bool wait, struct fail *fail)
{
	struct temporal_page page = { .id = tale->id,
		.run = tale->run,
		.wait = wait,
		.token = tale->token.len > 0 ? &tale->token : NULL };

	return temporal_history(tale->own->temporal, &page, &tale->answer,
	    fail);
}

/* Another run is to be read, from its beginning. */
static void
turn_to(struct tale *tale, const char *run)
{
	set(&tale->run, run, strlen(run));
	drop_held(tale);
	tale->token.len = 0;
}

/* The oldest run that was not tried yet; when the server has none of them any
 * more, the latest alone. False when that is gone, too. */
static bool
turn_to_oldest(struct tale *tale)
{
	cJSON *runs = tale->runs != NULL ? cJSON_Parse(tale->runs) : NULL;
	const cJSON *run = cJSON_GetArrayItem(runs, tale->next_run++);
	bool result = true;

	if (cJSON_IsString(run)) {
		turn_to(tale, run->valuestring);
	} else if (runs != NULL && !tale->alone) {
		turn_to(tale, "");
		tale->alone = true;
	} else {
		result = false;
	}
	cJSON_Delete(runs);
	return result;
}

/* How many runs there were before one that says that they are RUNS. */
static int
count_runs(const char *runs)
{
	cJSON *list = runs != NULL ? cJSON_Parse(runs) : NULL;
	int count = cJSON_GetArraySize(list);

	cJSON_Delete(list);
	return count;
}

/* Whether the page is of the latest run, and others are to be read first: all
 * before it, or the rest of the one that was the latest a moment ago. */
static bool
is_ahead(struct tale *tale, const Api__History *page)
{
	struct temporal_facts facts = temporal_history_facts(tale->history);
	struct span continued, runs;

	if ((tale->run != NULL && *tale->run != '\0') || page == NULL ||
	    page->n_events == 0 ||
	    !temporal_history_continued(page->events[0], &continued) ||
	    !json_member(continued, "runs", &runs))
		return false;
	set(&tale->runs, runs.at, runs.length);
	tale->next_run = facts.last > 0 ? count_runs(facts.runs) : 0;
	return facts.last > 0 ? count_runs(tale->runs) > tale->next_run
			      : !tale->alone;
}

/* What the answer brought. Whether there is more to be read, now or later: the
 * token and the run say what. */
static int
take_answer(struct tale *tale, bool *ret_more, struct fail *fail)
{
	Api__GetWorkflowExecutionHistoryResponse *response;
	const char *next;
	int result = 0;

	if (temporal_wait(tale->own->temporal, &tale->answer, fail) < 0) {
		temporal_answer_release(&tale->answer);
		if (strcmp(fail->type, "not_found") != 0)
			return -1;
		*ret_more = turn_to_oldest(tale);
		return *ret_more ? 0
				 : fail_set(fail, FAIL_NO, "no_task",
				       "there is no task %s", tale->id);
	}
	response = (Api__GetWorkflowExecutionHistoryResponse *)(void *)
		       tale->answer.message;
	if (is_ahead(tale, response->history)) {
		*ret_more = turn_to_oldest(tale);
	} else {
		result = take_page(tale, response->history, fail);
		keep_token(tale, &response->next_page_token);
		next = temporal_history_facts(tale->history).next_run;
		*ret_more = tale->token.len > 0 || next != NULL;
		if (tale->token.len == 0 && next != NULL) {
			turn_to(tale, next);
			temporal_history_next(tale->history);
		}
	}
	temporal_answer_release(&tale->answer);
	return result;
}

int
tale_begin(struct tale *tale, struct fail *fail)
{
	return send_page(tale, false, fail);
}

int
tale_finish(struct tale *tale, struct fail *fail)
{
	bool more;

	for (;;) {
		if (take_answer(tale, &more, fail) < 0)
			return -1;
		if (!more)
			return 0;
		if (send_page(tale, false, fail) < 0)
			return -1;
	}
}

int
tale_settle(struct tale *tale, struct fail *fail)
{
	const struct agent *agent = temporal_history_agent(tale->history);
	struct agent_summary summary;
	struct plan plan;
	bool more;
	int result = temporal_history_settle(tale->history, fail);

	agent_summary(agent, &summary);
	more = tale->last_type == EVENT_SIGNAL && agent_task(agent) != NULL &&
	    summary.state != TASK_RUNNING;
	while (more && result == 0) {
		agent_next(agent, tale->updated_at, &plan);
		more = plan.has_record;
		if (more)
			result = temporal_history_ahead(tale->history,
			    TEMPORAL_EVENT_MARKER, NULL, plan.record,
			    (struct span){ plan.record_members.data,
				plan.record_members.length },
			    fail);
		plan_release(&plan);
	}
	return result;
}

bool
tale_row(const struct tale *tale, struct task_row *ret_row)
{
	const struct agent *agent = temporal_history_agent(tale->history);
	struct agent_summary summary;

	if (agent_task(agent) == NULL)
		return false;
	agent_summary(agent, &summary);
	row_begin(ret_row, agent_task(agent), tale->created_at);
	row_follow(ret_row, agent, tale->updated_at);
	ret_row->seq = summary.seq;
	return true;
}

void
tale_members(const struct tale *tale, struct buf *buf)
{
	struct task_row row;

	if (tale_row(tale, &row)) {
		row_members(buf, &row, tale->id,
		    row.state == TASK_RUNNING ? tale->worker : NULL);
		return;
	}
	member_string(buf, "id", tale->id);
	member_string(buf, "state", task_state_name(TASK_QUEUED));
}

/* ---- one task ---- */

/* What the model has said so far is in the heartbeats. */
static int
add_progress(struct tale *tale, struct buf *members, struct fail *fail)
{
	Api__DescribeWorkflowExecutionResponse *description;
	struct span details, text;
	size_t i;
	int result = -1;

	if (temporal_describe(tale->own->temporal, tale->id, NULL,
		&tale->answer, fail) < 0 ||
	    temporal_wait(tale->own->temporal, &tale->answer, fail) < 0)
		goto out;
	description = (Api__DescribeWorkflowExecutionResponse *)(void *)
			  tale->answer.message;
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
	temporal_answer_release(&tale->answer);
	return result;
}

static void
add_ends(struct tale *tale, struct buf *members, const struct task_row *row)
{
	row_ends(members, row,
	    (struct span){ tale->task, tale->task ? strlen(tale->task) : 0 },
	    (struct span){ tale->last, tale->last ? strlen(tale->last) : 0 });
}

int
engine_temporal_get(struct engine *engine, const char *id, struct buf *buf,
    struct fail *fail)
{
	struct buf members = BUF_INIT(OBJECT_MAX);
	struct temporal_facts facts;
	struct tale *tale = NULL;
	struct task_row row;
	int result = -1;

	if (engine_temporal_check_id(id, fail) < 0)
		return -1;
	tale = tale_new(engine_temporal_own(engine), id);
	if (tale_begin(tale, fail) < 0 || tale_finish(tale, fail) < 0 ||
	    tale_settle(tale, fail) < 0)
		goto out;
	tale_members(tale, &members);
	facts = temporal_history_facts(tale->history);
	if (tale_row(tale, &row))
		add_ends(tale, &members, &row);
	else if (facts.unread != NULL)
		member_raw(&members, "task", facts.unread,
		    strlen(facts.unread));
	if (tale_row(tale, &row) && row.state == TASK_RUNNING &&
	    add_progress(tale, &members, fail) < 0)
		goto out;
	buf_add_string(buf, "{");
	buf_add(buf, members.data, members.length);
	buf_add_string(buf, "}");
	result = 0;
out:
	tale_free(tale);
	buf_release(&members);
	return result;
}

/* ---- its events ---- */

static int
give_kept(struct tale *tale, int (*event)(void *context, struct span text),
    void *context)
{
	size_t at, length;
	int result = 0;

	for (at = 0; at < tale->kept.length && result == 0; at += length + 1) {
		length = strlen(tale->kept.data + at);
		result = event(context,
		    (struct span){ tale->kept.data + at, length });
	}
	buf_reset(&tale->kept);
	return result;
}

int
engine_temporal_events(struct engine *engine, const char *id, uint64_t after,
    int (*event)(void *context, struct span text), void *context,
    struct fail *fail)
{
	struct engine_temporal *own = engine_temporal_own(engine);
	struct tale *tale = own->followed;
	int result = -1;

	if (engine_temporal_check_id(id, fail) < 0)
		return -1;
	if (tale != NULL && tale->waiting && strcmp(tale->id, id) == 0)
		return give_kept(tale, event, context);
	tale_free(tale);
	own->followed = tale = tale_new(own, id);
	tale->following = true;
	tale->seen = after;
	tale->event = event;
	tale->context = context;
	if (tale_begin(tale, fail) == 0 && tale_finish(tale, fail) == 0)
		result = tale->stopped;
	tale->event = NULL;
	return result;
}

int
tale_wait(struct tale *tale, int64_t until, struct fail *fail)
{
	struct loop *loop = temporal_loop(tale->own->temporal);
	size_t before = tale->kept.length;
	bool more;

	if (!tale->waiting) {
		/* what is there comes once more, and is passed over */
		drop_held(tale);
		tale->waiting = true;
		if (send_page(tale, true, fail) < 0)
			return -1;
	}
	while (!tale->ended && tale->kept.length == before) {
		while (!tale->answer.done && clock_boot() < until)
			if (loop_turn(loop, until, fail) < 0)
				return -1;
		if (!tale->answer.done)
			return 0;
		if (take_answer(tale, &more, fail) < 0)
			return -1;
		tale->ended = !more;
		if (more && send_page(tale, true, fail) < 0)
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
	return tale_wait(own->followed, clock_boot() + milliseconds, fail);
}
