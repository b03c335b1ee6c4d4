/* SPDX-License-Identifier: ISC */
/*
 * How it works: one function for each kind of event, found in a table, turns it
 * into a few events of the journal, or none.
 */
#include "common/temporal/history_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

/* ---- the task ---- */

/* Whether the task is one that task_check has made. */
static bool
is_checked(struct span task)
{
	struct task read;
	struct fail why;
	cJSON *doc = json_parse(task.at, task.length, &json_limits_upstream,
	    &why);
	bool result = doc != NULL && task_read(doc, &read, &why) == 0;

	if (result)
		task_release(&read);
	cJSON_Delete(doc);
	return result;
}

/* The state that lists show, if it is there. */
static void
show(struct temporal_history *history, const Api__Memo *memo,
    const Api__SearchAttributes *attributes)
{
	struct span json;
	char *state = temporal_attribute(attributes, TEMPORAL_STATE, &json) ||
		temporal_memo(memo, TEMPORAL_STATE_MEMO, &json)
	    ? json_decode(json)
	    : NULL;

	if (state != NULL) {
		free(history->facts.shown);
		history->facts.shown = state;
	}
}

static int
take_started(struct temporal_history *history, const Api__HistoryEvent *event,
    struct fail *fail)
{
	const Api__WorkflowExecutionStartedEventAttributes
	    *started = event->workflow_execution_started_event_attributes;
	int64_t at = temporal_time(event->event_time);
	struct span text, task, members, pins;

	history_keep_start(history, event);
	if (temporal_history_continued(event, &text)) {
		show(history, started->memo, started->search_attributes);
		return history_continue(history, text, started->input, fail);
	}
	if (!temporal_value(started->input, 0, &text) ||
	    !history_inside(text, &members))
		return fail_set(fail, FAIL_NEVER, "invalid_event",
		    "the workflow's first argument is not an object with "
		    "the member \"task\"");
	task = text;
	if (!json_member(text, "task", &task) || !is_checked(task)) {
		free(history->facts.unread);
		history->facts.unread = mem_copy(task.at, task.length);
		return 0;
	}
	if (history_submit(history, at, members, fail) < 0)
		return -1;
	if (!temporal_value(started->input, 1, &pins) ||
	    !history_inside(pins, &members))
		return 0;
	return history_fold(history, at, EVENT_PINNED, members, fail);
}

/* ---- workflow tasks ---- */

static int
take_task_started(struct temporal_history *history,
    const Api__HistoryEvent *event, struct fail *fail)
{
	const Api__WorkflowTaskStartedEventAttributes
	    *started = event->workflow_task_started_event_attributes;

	(void)fail;
	history->task_started = event->event_id;
	history->facts.now = temporal_time(event->event_time);
	history->facts.suggest_new = started->suggest_continue_as_new;
	history->facts.size = started->history_size_bytes;
	if (history->base_size < 0) {
		history->base_size = history->facts.size;
		history->base_last = history->facts.last;
	}
	history_set(&history->worker, started->identity);
	return 0;
}

static int
take_task_completed(struct temporal_history *history,
    const Api__HistoryEvent *event, struct fail *fail)
{
	if (history->passing ||
	    event->workflow_task_completed_event_attributes->started_event_id !=
		history->task_started)
		return 0;
	return history_step(history, fail);
}

/* ---- timers ---- */

static int
take_timer(struct temporal_history *history, const Api__HistoryEvent *event,
    struct fail *fail)
{
	const char *id = event->timer_started_event_attributes->timer_id;
	const size_t length = sizeof(TEMPORAL_TIMER) - 1;
	struct running_timer timer = { .started = event->event_id };

	(void)fail;
	if (strncmp(id, TEMPORAL_TIMER, length) == 0)
		timer.at = strtoll(id + length, NULL, 10);
	history->timers = mem_grow(history->timers, history->timer_count + 1,
	    sizeof(timer));
	history->timers[history->timer_count++] = timer;
	return 0;
}

static int
take_timer_end(struct temporal_history *history, const Api__HistoryEvent *event,
    struct fail *fail)
{
	int64_t started = event->event_type == TEMPORAL_EVENT(TIMER_FIRED)
	    ? event->timer_fired_event_attributes->started_event_id
	    : event->timer_canceled_event_attributes->started_event_id;
	size_t i;

	(void)fail;
	for (i = 0; i < history->timer_count; i++)
		if (history->timers[i].started == started)
			break;
	if (i < history->timer_count)
		history->timers[i] = history->timers[--history->timer_count];
	return 0;
}

/* ---- signals and decisions ---- */

static int
take_signaled(struct temporal_history *history, const Api__HistoryEvent *event,
    struct fail *fail)
{
	const Api__WorkflowExecutionSignaledEventAttributes
	    *signaled = event->workflow_execution_signaled_event_attributes;
	struct span text = { "", 0 };
	struct fail why;
	cJSON *input;
	int result;

	(void)temporal_value(signaled->input, 0, &text);
	input = json_parse(text.at, text.length, &json_limits_task, &why);
	result = history_signal(history, temporal_time(event->event_time),
	    signaled->signal_name, input, fail);
	cJSON_Delete(input);
	return result;
}

static int
take_cancel_requested(struct temporal_history *history,
    const Api__HistoryEvent *event, struct fail *fail)
{
	const char *cause =
	    event->workflow_execution_cancel_requested_event_attributes->cause;
	cJSON *input = cJSON_CreateObject();
	int result;

	if (cause[0] != '\0')
		cJSON_AddStringToObject(input, "message", cause);
	result = history_signal(history, temporal_time(event->event_time),
	    "cancel", input, fail);
	cJSON_Delete(input);
	return result;
}

static int
take_marker(struct temporal_history *history, const Api__HistoryEvent *event,
    struct fail *fail)
{
	const Api__MarkerRecordedEventAttributes
	    *marker = event->marker_recorded_event_attributes;
	int64_t at = temporal_time(event->event_time);
	struct span text, members;
	enum event_type type;
	size_t i;

	if (strcmp(marker->marker_name, TEMPORAL_CARRIED) == 0)
		return history_carried(history, event, fail);
	if (strcmp(marker->marker_name, TEMPORAL_MARKER) != 0)
		return 0;
	for (i = 0; i < marker->n_details; i++) {
		if (strcmp(marker->details[i]->key, "event") != 0)
			continue;
		if (!temporal_value(marker->details[i]->value, 0, &text) ||
		    !temporal_history_event(text, &type, &members))
			break;
		if (type == EVENT_SUBMITTED)
			return history_submit_late(history, members, fail);
		return history_fold(history, at, type, members, fail);
	}
	return fail_set(fail, FAIL_NEVER, "invalid_event",
	    "marker %" PRId64 " holds no event", event->event_id);
}

static int
take_shown(struct temporal_history *history, const Api__HistoryEvent *event,
    struct fail *fail)
{
	(void)fail;
	if (event->event_type ==
	    TEMPORAL_EVENT(UPSERT_WORKFLOW_SEARCH_ATTRIBUTES))
		show(history, NULL,
		    event->upsert_workflow_search_attributes_event_attributes
			->search_attributes);
	else
		show(history,
		    event->workflow_properties_modified_event_attributes
			->upserted_memo,
		    NULL);
	return 0;
}

static int
take_continued(struct temporal_history *history, const Api__HistoryEvent *event,
    struct fail *fail)
{
	(void)fail;
	history->facts.closed = true;
	history_set(&history->facts.next_run,
	    event->workflow_execution_continued_as_new_event_attributes
		->new_execution_run_id);
	return 0;
}

/* ---- all of them ---- */

static int
take_nothing(struct temporal_history *history, const Api__HistoryEvent *event,
    struct fail *fail)
{
	(void)history;
	(void)event;
	(void)fail;
	return 0;
}

#define TAKES(name, function) \
	[TEMPORAL_EVENT(name)] = { function, \
		API__HISTORY_EVENT__ATTRIBUTES_##name##_EVENT_ATTRIBUTES }
#define PASSES(name) [TEMPORAL_EVENT(name)] = { take_nothing, 0 }

static const struct {
	int (*take)(struct temporal_history *, const Api__HistoryEvent *,
	    struct fail *);
	Api__HistoryEvent__AttributesCase attributes; /* 0: not checked */
} kinds[] = {
	TAKES(WORKFLOW_EXECUTION_STARTED, take_started),
	TAKES(WORKFLOW_EXECUTION_COMPLETED, history_end),
	TAKES(WORKFLOW_EXECUTION_FAILED, history_end),
	[TEMPORAL_EVENT(WORKFLOW_EXECUTION_TIMED_OUT)] = { history_end, 0 },
	PASSES(WORKFLOW_TASK_SCHEDULED),
	TAKES(WORKFLOW_TASK_STARTED, take_task_started),
	TAKES(WORKFLOW_TASK_COMPLETED, take_task_completed),
	PASSES(WORKFLOW_TASK_TIMED_OUT),
	PASSES(WORKFLOW_TASK_FAILED),
	TAKES(ACTIVITY_TASK_SCHEDULED, history_activity),
	PASSES(ACTIVITY_TASK_STARTED),
	TAKES(ACTIVITY_TASK_COMPLETED, history_activity),
	TAKES(ACTIVITY_TASK_FAILED, history_activity),
	TAKES(ACTIVITY_TASK_TIMED_OUT, history_activity),
	PASSES(ACTIVITY_TASK_CANCEL_REQUESTED),
	TAKES(ACTIVITY_TASK_CANCELED, history_activity),
	TAKES(TIMER_STARTED, take_timer),
	TAKES(TIMER_FIRED, take_timer_end),
	TAKES(TIMER_CANCELED, take_timer_end),
	TAKES(WORKFLOW_EXECUTION_CANCEL_REQUESTED, take_cancel_requested),
	TAKES(WORKFLOW_EXECUTION_CANCELED, history_end),
	TAKES(MARKER_RECORDED, take_marker),
	TAKES(WORKFLOW_EXECUTION_SIGNALED, take_signaled),
	TAKES(WORKFLOW_EXECUTION_TERMINATED, history_end),
	TAKES(WORKFLOW_EXECUTION_CONTINUED_AS_NEW, take_continued),
	TAKES(UPSERT_WORKFLOW_SEARCH_ATTRIBUTES, take_shown),
	PASSES(WORKFLOW_EXECUTION_UPDATE_ACCEPTED),
	PASSES(WORKFLOW_EXECUTION_UPDATE_REJECTED),
	PASSES(WORKFLOW_EXECUTION_UPDATE_COMPLETED),
	PASSES(WORKFLOW_PROPERTIES_MODIFIED_EXTERNALLY),
	PASSES(ACTIVITY_PROPERTIES_MODIFIED_EXTERNALLY),
	TAKES(WORKFLOW_PROPERTIES_MODIFIED, take_shown),
	PASSES(WORKFLOW_EXECUTION_UPDATE_ADMITTED),
	PASSES(WORKFLOW_EXECUTION_OPTIONS_UPDATED),
	PASSES(WORKFLOW_EXECUTION_PAUSED),
	PASSES(WORKFLOW_EXECUTION_UNPAUSED),
	PASSES(WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED),
};

static const char *
event_id(const Api__HistoryEvent *event)
{
	if (event->event_type == TEMPORAL_EVENT(ACTIVITY_TASK_SCHEDULED))
		return event->activity_task_scheduled_event_attributes
		    ->activity_id;
	if (event->event_type == TEMPORAL_EVENT(TIMER_STARTED))
		return event->timer_started_event_attributes->timer_id;
	return NULL;
}

/* Compares the event with what was decided ahead; sets passing. */
static int
compare(struct temporal_history *history, const Api__HistoryEvent *event,
    struct fail *fail)
{
	const struct expected *expected;
	const char *id = event_id(event);

	if (history->stepped) {
		if (event->event_type !=
		    TEMPORAL_EVENT(WORKFLOW_TASK_COMPLETED))
			goto changed;
		history->stepped = false;
		history->passing = true;
		return 0;
	}
	if (history->expected_seen == history->expected_count)
		return 0;
	expected = &history->expected[history->expected_seen++];
	if (event->event_type != expected->kind ||
	    (expected->id != NULL && strcmp(expected->id, id) != 0))
		goto changed;
	history->passing = true;
	if (history->expected_seen == history->expected_count)
		history_drop_expected(history);
	return 0;
changed:
	return fail_set(fail, FAIL_NEVER, "history_changed",
	    "event %" PRId64 " of the history is not what was decided",
	    event->event_id);
}

int
temporal_history_take(struct temporal_history *history,
    const Api__HistoryEvent *event, struct fail *fail)
{
	size_t kind = (size_t)event->event_type;
	bool known = kind < sizeof(kinds) / sizeof(*kinds) &&
	    kinds[kind].take != NULL;
	int result = 0;

	if (event->event_id <= history->facts.last)
		return 0;
	if (event->event_id != history->facts.last + 1)
		return fail_set(fail, FAIL_NEVER, "invalid_journal",
		    "event %" PRId64 " of the history follows event %" PRId64,
		    event->event_id, history->facts.last);
	if (known && kinds[kind].attributes != 0 &&
	    event->attributes_case != kinds[kind].attributes)
		return fail_set(fail, FAIL_NEVER, "invalid_event",
		    "event %" PRId64 " of the history has no attributes",
		    event->event_id);
	if (!known && !event->worker_may_ignore)
		return fail_set(fail, FAIL_NEVER, "unknown_event",
		    "event %" PRId64 " of the history is of type %zu, which "
		    "this program does not know: use a newer one",
		    event->event_id, kind);
	if (compare(history, event, fail) < 0)
		return -1;
	history->facts.last = event->event_id;
	if (known)
		result = kinds[kind].take(history, event, fail);
	history->passing = false;
	return result;
}
