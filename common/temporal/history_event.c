/* SPDX-License-Identifier: ISC */
/*
 * How it works: one function for each kind of event, found in a table, turns it
 * into a few events of the journal, or none, which are folded at once. Besides
 * the fold only the activities and timers under way are stored, which are in a
 * history but not in a journal.
 */
#include "common/temporal/history_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

/* ---- the task ---- */

static int
submit(struct temporal_history *history, int64_t at, struct span members,
    struct fail *fail)
{
	struct buf cancel = BUF_INIT(256);

	history_set(&history->unread, NULL);
	if (history_fold(history, at, EVENT_SUBMITTED, members, fail) < 0)
		return -1;
	if (!history->cancel_early)
		return 0;
	member_string(&cancel, "signal", "cancel");
	return history_fold_buf(history, at, EVENT_SIGNAL, &cancel, fail);
}

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

static void
show(struct temporal_history *history, bool known, struct span json)
{
	cJSON *value = known ? cJSON_ParseWithLength(json.at, json.length)
			     : NULL;

	if (cJSON_IsString(value))
		history_set(&history->shown, value->valuestring);
	cJSON_Delete(value);
}

static int
take_started(struct temporal_history *history, const Api__HistoryEvent *event,
    struct fail *fail)
{
	const Api__WorkflowExecutionStartedEventAttributes
	    *started = event->workflow_execution_started_event_attributes;
	int64_t at = temporal_time(event->event_time);
	struct span text, task, members, pins, json = { "", 0 };

	history_keep_start(history, event);
	if (temporal_history_continued(event, &text)) {
		show(history,
		    temporal_attribute(started->search_attributes,
			TEMPORAL_STATE, &json) ||
			temporal_memo(started->memo, TEMPORAL_STATE_MEMO,
			    &json),
		    json);
		return history_continue(history, text, fail);
	}
	if (!temporal_value(started->input, 0, &text) ||
	    !history_inside(text, &members))
		return fail_set(fail, FAIL_NEVER, "invalid_event",
		    "the workflow's first argument is not an object with "
		    "the member \"task\"");
	task = text;
	if (!json_member(text, "task", &task) || !is_checked(task)) {
		free(history->unread);
		history->unread = mem_copy(task.at, task.length);
		return 0;
	}
	if (submit(history, at, members, fail) < 0)
		return -1;
	if (!temporal_value(started->input, 1, &pins) ||
	    !history_inside(pins, &members))
		return 0;
	return history_fold(history, at, EVENT_PINNED, members, fail);
}

/* ---- workflow tasks ---- */

int
history_bring_started(struct temporal_history *history, int64_t at,
    struct fail *fail)
{
	struct buf members = BUF_INIT(65536);

	member_string(&members, "worker",
	    history->worker != NULL ? history->worker : "");
	member_integer(&members, "fence", history->steps);
	return history_fold_buf(history, at, EVENT_STARTED, &members, fail);
}

/* Counts one step of the task, at the start of the last workflow task, and folds
 * "started" when the task's time has come. */
int
history_step(struct temporal_history *history, struct fail *fail)
{
	const struct task *task = agent_task(history->agent);
	struct agent_summary now = history_summary(history);

	if (history_carrying(history))
		return 0;
	history->steps++;
	if (task == NULL)
		return 0;
	if (now.state == TASK_QUEUED ? task->not_before <= history->now
				     : now.state == TASK_WAITING &&
		    now.due != 0 && now.due <= history->now)
		return history_bring_started(history, history->now, fail);
	return 0;
}

/* Submits a task that first had to be put into the form of task_check; the step
 * of its workflow task was counted already. */
int
history_submit_late(struct temporal_history *history, struct span members,
    struct fail *fail)
{
	if (history->passing)
		return 0;
	if (submit(history, history->now, members, fail) < 0)
		return -1;
	history->steps--;
	return history_step(history, fail);
}

static int
take_task_started(struct temporal_history *history,
    const Api__HistoryEvent *event, struct fail *fail)
{
	const Api__WorkflowTaskStartedEventAttributes
	    *started = event->workflow_task_started_event_attributes;

	(void)fail;
	history->task_started = event->event_id;
	history->now = temporal_time(event->event_time);
	history->suggest_new = started->suggest_continue_as_new;
	history->size = started->history_size_bytes;
	if (history->base_size < 0) {
		history->base_size = history->size;
		history->base_last = history->last;
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
end_timer(struct temporal_history *history, int64_t started)
{
	size_t i;

	for (i = 0; i < history->timer_count; i++)
		if (history->timers[i].started == started)
			break;
	if (i < history->timer_count)
		history->timers[i] = history->timers[--history->timer_count];
	return 0;
}

static int
take_timer_fired(struct temporal_history *history,
    const Api__HistoryEvent *event, struct fail *fail)
{
	(void)fail;
	return end_timer(history,
	    event->timer_fired_event_attributes->started_event_id);
}

static int
take_timer_canceled(struct temporal_history *history,
    const Api__HistoryEvent *event, struct fail *fail)
{
	(void)fail;
	return end_timer(history,
	    event->timer_canceled_event_attributes->started_event_id);
}

bool
temporal_history_timer(const struct temporal_history *history, int64_t at)
{
	size_t i;

	for (i = 0; i < history->timer_count; i++)
		if (history->timers[i].at == at)
			return true;
	return false;
}

/* ---- signals and decisions ---- */

/* Adds the sender's members, without those that only we set. */
static void
add_words(struct buf *members, cJSON *input)
{
	static const char *const ours[] = { "v", "seq", "at", "type",
		"signal" };
	struct span words;
	char *text;
	size_t i;

	if (!cJSON_IsObject(input))
		return;
	for (i = 0; i < sizeof(ours) / sizeof(*ours); i++)
		cJSON_DeleteItemFromObjectCaseSensitive(input, ours[i]);
	text = json_text(input);
	if (history_inside((struct span){ text, strlen(text) }, &words) &&
	    words.length > 0) {
		buf_add(members, ",", 1);
		buf_add(members, words.at, words.length);
	}
	free(text);
}

int
history_signal(struct temporal_history *history, int64_t at, const char *name,
    cJSON *input, struct fail *fail)
{
	const cJSON *call = json_item(input, "call");
	struct buf members = BUF_INIT(TEXT_MAX);
	struct fail why;

	if (history_carrying(history)) {
		history_late_signal(history, at, name, input);
		return 0;
	}
	if (agent_task(history->agent) == NULL) {
		history->cancel_early = history->cancel_early ||
		    strcmp(name, "cancel") == 0;
		return 0;
	}
	if ((call != NULL && !cJSON_IsString(call)) ||
	    agent_accepts(history->agent, name, json_string(input, "call"),
		&why) < 0)
		return 0;
	member_string(&members, "signal", name);
	add_words(&members, input);
	return history_fold_buf(history, at, EVENT_SIGNAL, &members, fail);
}

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
take_attributes(struct temporal_history *history,
    const Api__HistoryEvent *event, struct fail *fail)
{
	struct span json = { "", 0 };

	(void)fail;
	show(history,
	    temporal_attribute(
		event->upsert_workflow_search_attributes_event_attributes
		    ->search_attributes,
		TEMPORAL_STATE, &json),
	    json);
	return 0;
}

static int
take_memo(struct temporal_history *history, const Api__HistoryEvent *event,
    struct fail *fail)
{
	struct span json = { "", 0 };

	(void)fail;
	show(history,
	    temporal_memo(event->workflow_properties_modified_event_attributes
			      ->upserted_memo,
		TEMPORAL_STATE_MEMO, &json),
	    json);
	return 0;
}

/* ---- the end ---- */

/* Folds the end: the event in PAYLOADS, or else TYPE with MEMBERS (released).
 * Calls under way whose result is needed become unknown. */
static int
end(struct temporal_history *history, const Api__HistoryEvent *event,
    const Api__Payloads *payloads, enum event_type type, struct buf *members,
    struct fail *fail)
{
	int64_t at = temporal_time(event->event_time);
	struct span text, said = { members->data, members->length };
	struct agent_call call;
	enum event_type read;
	struct span words;
	int result = 0;
	size_t i;

	history->closed = true;
	for (i = 0; i < history->activity_count && result == 0; i++)
		if (history->activities[i].type == ACTION_TOOL &&
		    agent_call(history->agent, history->activities[i].call,
			&call) &&
		    !call.repeatable)
			result = history_lose(history, at,
			    &history->activities[i], "closed",
			    "the workflow was ended while the call "
			    "was under way",
			    -1, fail);
	if (temporal_value(payloads, 0, &text) &&
	    temporal_history_event(text, &read, &words) &&
	    event_is_end(read, NULL)) {
		type = read;
		said = words;
	}
	if (result == 0)
		result = history_fold(history, at, type, said, fail);
	buf_release(members);
	return result;
}

static int
take_workflow_completed(struct temporal_history *history,
    const Api__HistoryEvent *event, struct fail *fail)
{
	struct buf members = BUF_INIT(TEXT_MAX);

	member_string(&members, "result", "");
	return end(history, event,
	    event->workflow_execution_completed_event_attributes->result,
	    EVENT_COMPLETED, &members, fail);
}

static int
take_workflow_failed(struct temporal_history *history,
    const Api__HistoryEvent *event, struct fail *fail)
{
	const Api__Failure *failure =
	    event->workflow_execution_failed_event_attributes->failure;
	const Api__Payloads *details = NULL;
	struct buf members = BUF_INIT(TEXT_MAX);

	if (failure != NULL &&
	    failure->failure_info_case ==
		API__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO)
		details = failure->application_failure_info->details;
	member_error(&members, "workflow_failed",
	    failure != NULL ? failure->message : "", NULL);
	return end(history, event, details, EVENT_FAILED, &members, fail);
}

static int
take_workflow_timed_out(struct temporal_history *history,
    const Api__HistoryEvent *event, struct fail *fail)
{
	struct buf members = BUF_INIT(TEXT_MAX);

	member_error(&members, "timed_out", "the workflow's time is up", NULL);
	return end(history, event, NULL, EVENT_FAILED, &members, fail);
}

static int
take_workflow_canceled(struct temporal_history *history,
    const Api__HistoryEvent *event, struct fail *fail)
{
	struct buf members = BUF_INIT(TEXT_MAX);

	member_string(&members, "reason", "asked for");
	return end(history, event,
	    event->workflow_execution_canceled_event_attributes->details,
	    EVENT_CANCELLED, &members, fail);
}

static int
take_terminated(struct temporal_history *history,
    const Api__HistoryEvent *event, struct fail *fail)
{
	const char *reason =
	    event->workflow_execution_terminated_event_attributes->reason;
	struct buf members = BUF_INIT(TEXT_MAX), text = BUF_INIT(TEXT_MAX);

	buf_print(&text, "terminated%s%s", reason[0] != '\0' ? ": " : "",
	    reason);
	member_string(&members, "reason", text.data);
	buf_release(&text);
	return end(history, event, NULL, EVENT_CANCELLED, &members, fail);
}

static int
take_continued(struct temporal_history *history, const Api__HistoryEvent *event,
    struct fail *fail)
{
	(void)fail;
	history->closed = true;
	history_set(&history->next_run,
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
	TAKES(WORKFLOW_EXECUTION_COMPLETED, take_workflow_completed),
	TAKES(WORKFLOW_EXECUTION_FAILED, take_workflow_failed),
	[TEMPORAL_EVENT(
	    WORKFLOW_EXECUTION_TIMED_OUT)] = { take_workflow_timed_out, 0 },
	PASSES(WORKFLOW_TASK_SCHEDULED),
	TAKES(WORKFLOW_TASK_STARTED, take_task_started),
	TAKES(WORKFLOW_TASK_COMPLETED, take_task_completed),
	PASSES(WORKFLOW_TASK_TIMED_OUT),
	PASSES(WORKFLOW_TASK_FAILED),
	TAKES(ACTIVITY_TASK_SCHEDULED, history_scheduled),
	PASSES(ACTIVITY_TASK_STARTED),
	TAKES(ACTIVITY_TASK_COMPLETED, history_completed),
	TAKES(ACTIVITY_TASK_FAILED, history_activity_failed),
	TAKES(ACTIVITY_TASK_TIMED_OUT, history_activity_timed_out),
	PASSES(ACTIVITY_TASK_CANCEL_REQUESTED),
	TAKES(ACTIVITY_TASK_CANCELED, history_activity_canceled),
	TAKES(TIMER_STARTED, take_timer),
	TAKES(TIMER_FIRED, take_timer_fired),
	TAKES(TIMER_CANCELED, take_timer_canceled),
	TAKES(WORKFLOW_EXECUTION_CANCEL_REQUESTED, take_cancel_requested),
	TAKES(WORKFLOW_EXECUTION_CANCELED, take_workflow_canceled),
	TAKES(MARKER_RECORDED, take_marker),
	TAKES(WORKFLOW_EXECUTION_SIGNALED, take_signaled),
	TAKES(WORKFLOW_EXECUTION_TERMINATED, take_terminated),
	TAKES(WORKFLOW_EXECUTION_CONTINUED_AS_NEW, take_continued),
	TAKES(UPSERT_WORKFLOW_SEARCH_ATTRIBUTES, take_attributes),
	PASSES(WORKFLOW_EXECUTION_UPDATE_ACCEPTED),
	PASSES(WORKFLOW_EXECUTION_UPDATE_REJECTED),
	PASSES(WORKFLOW_EXECUTION_UPDATE_COMPLETED),
	PASSES(WORKFLOW_PROPERTIES_MODIFIED_EXTERNALLY),
	PASSES(ACTIVITY_PROPERTIES_MODIFIED_EXTERNALLY),
	TAKES(WORKFLOW_PROPERTIES_MODIFIED, take_memo),
	PASSES(WORKFLOW_EXECUTION_UPDATE_ADMITTED),
	PASSES(WORKFLOW_EXECUTION_OPTIONS_UPDATED),
	PASSES(WORKFLOW_EXECUTION_PAUSED),
	PASSES(WORKFLOW_EXECUTION_UNPAUSED),
	PASSES(WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED),
};

bool
history_known(size_t kind, Api__HistoryEvent__AttributesCase *ret_attributes)
{
	if (kind >= sizeof(kinds) / sizeof(*kinds) || kinds[kind].take == NULL)
		return false;
	*ret_attributes = kinds[kind].attributes;
	return true;
}

int
history_event(struct temporal_history *history, const Api__HistoryEvent *event,
    struct fail *fail)
{
	return kinds[event->event_type].take(history, event, fail);
}
