/* SPDX-License-Identifier: ISC */
/*
 * How it works: an activity's input has the intent, and its result has the
 * outcome. The server itself reports only that a worker was lost: then a turn of
 * the model has failed, and the outcome of a call is unknown.
 */
#include "common/temporal/history_internal.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

#define LOST_RETRY_MS 1000

static struct activity *
find_activity(struct temporal_history *history, int64_t scheduled)
{
	size_t i;

	for (i = 0; i < history->activity_count; i++)
		if (history->activities[i].scheduled == scheduled)
			return &history->activities[i];
	return NULL;
}

static void
drop_activity(struct temporal_history *history, struct activity *activity)
{
	free(activity->id);
	free(activity->call);
	*activity = history->activities[--history->activity_count];
}

static int
intend(struct temporal_history *history, int64_t at,
    const struct activity *activity, const cJSON *input, struct fail *fail)
{
	static const char *const names[] = { "max_tokens", "reserved_nano_usd",
		"input_nano_usd", "input_tokens", "settle_ms" };
	const char *compact = json_string(input, "compact");
	char *date = NULL;
	struct buf members = BUF_INIT(TEXT_MAX);
	int64_t number;
	size_t i;

	if (activity->type == ACTION_MODEL) {
		member_integer(&members, "turn", activity->turn);
		if (compact != NULL)
			member_string(&members, "compact", compact);
		if (cJSON_IsObject(json_item(input, "date"))) {
			date = json_text(json_item(input, "date"));
			member_raw(&members, "date", date, strlen(date));
		}
	} else {
		member_string(&members, "call", activity->call);
		member_string(&members, "tool", json_string(input, "tool"));
	}
	member_integer(&members, "attempt", activity->attempt);
	for (i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (json_integer(input, names[i], &number))
			member_integer(&members, names[i], number);
	free(date);
	return history_fold_buf(history, at,
	    activity->type == ACTION_MODEL ? EVENT_MODEL_STARTED
					   : EVENT_TOOL_STARTED,
	    &members, fail);
}

/* The intent is in the input. */
static bool
read_input(struct activity *activity, const cJSON *input)
{
	if (activity->type == ACTION_PIN)
		return true;
	activity->call = mem_string(json_string(input, "call"));
	return json_integer(input, "attempt", &activity->attempt) &&
	    (activity->type == ACTION_MODEL
		    ? json_integer(input, "turn", &activity->turn)
		    : activity->call != NULL &&
			json_string(input, "tool") != NULL);
}

static bool
read_type(const Api__ActivityType *type, enum action_type *ret)
{
	static const char *const names[] = {
		[ACTION_PIN] = TEMPORAL_PIN,
		[ACTION_MODEL] = TEMPORAL_MODEL_TURN,
		[ACTION_TOOL] = TEMPORAL_TOOL_CALL,
	};
	size_t i;

	for (i = 0; type != NULL && i < 3; i++)
		if (strcmp(type->name, names[i]) == 0) {
			*ret = (enum action_type)i;
			return true;
		}
	return false;
}

static int
take_scheduled(struct temporal_history *history, const Api__HistoryEvent *event,
    struct fail *fail)
{
	const Api__ActivityTaskScheduledEventAttributes
	    *scheduled = event->activity_task_scheduled_event_attributes;
	struct activity activity = { .scheduled = event->event_id };
	int64_t at = temporal_time(event->event_time);
	struct span text = { "", 0 };
	cJSON *input;
	struct fail why;
	int result = -1;

	(void)temporal_value(scheduled->input, 0, &text);
	input = json_parse(text.at, text.length, &json_limits_upstream, &why);
	if (!read_type(scheduled->activity_type, &activity.type) ||
	    !read_input(&activity, input)) {
		fail_set(fail, FAIL_NEVER, "unknown_event",
		    "activity %s is not one of this program's",
		    scheduled->activity_id);
		goto out;
	}
	if (activity.type == ACTION_PIN) {
		history->facts.pins++;
		result = 0;
	} else {
		/* Clocks of a server's nodes differ: the wait was over for
		 * the worker that scheduled it. */
		if (!history->passing &&
		    history_summary(history).state != TASK_RUNNING &&
		    history_bring_started(history, at, fail) < 0)
			goto out;
		result = intend(history, at, &activity, input, fail);
	}
	activity.id = mem_string(scheduled->activity_id);
	history->activities = mem_grow(history->activities,
	    history->activity_count + 1, sizeof(activity));
	history->activities[history->activity_count++] = activity;
	activity.call = NULL;
out:
	free(activity.call);
	cJSON_Delete(input);
	return result;
}

int
history_lose(struct temporal_history *history, int64_t at,
    const struct activity *activity, const char *type, const char *message,
    int64_t delay_ms, struct fail *fail)
{
	struct buf members = BUF_INIT(TEXT_MAX);
	bool again = delay_ms >= 0;
	struct agent_call call;

	if (activity->type == ACTION_PIN)
		return 0;
	if (activity->type == ACTION_MODEL) {
		member_integer(&members, "turn", activity->turn);
	} else {
		member_string(&members, "call", activity->call);
		again = again &&
		    agent_call(history->agent, activity->call, &call) &&
		    call.repeatable;
	}
	member_integer(&members, "attempt", activity->attempt);
	member_error(&members, type, message, NULL);
	if (again)
		member_integer(&members, "delay_ms", delay_ms);
	return history_fold_buf(history, at,
	    activity->type == ACTION_MODEL ? EVENT_MODEL_FAILED
					   : EVENT_TOOL_UNKNOWN,
	    &members, fail);
}

/* Whether the event can be the result of the activity. */
static bool
comes_of(const struct activity *activity, enum event_type type,
    struct span text)
{
	struct span value;

	switch (activity->type) {
	case ACTION_PIN:
		return type == EVENT_PINNED || type == EVENT_ACCOUNT ||
		    type == EVENT_EVIDENCE || type == EVENT_TOOL_FINISHED ||
		    type == EVENT_WAITING || type == EVENT_FAILED;
	case ACTION_MODEL:
		return type == EVENT_MODEL_REPLIED ||
		    type == EVENT_MODEL_FAILED || type == EVENT_COMPACTED;
	case ACTION_TOOL:
		return json_member(text, "call", &value) &&
		    json_is(value, activity->call) &&
		    (type == EVENT_TOOL_FINISHED || type == EVENT_TOOL_FAILED ||
			type == EVENT_TOOL_UNKNOWN);
	}
	return false;
}

static int
take_completed(struct temporal_history *history, const Api__HistoryEvent *event,
    struct fail *fail)
{
	const Api__ActivityTaskCompletedEventAttributes
	    *completed = event->activity_task_completed_event_attributes;
	int64_t at = temporal_time(event->event_time);
	struct activity *activity = find_activity(history,
	    completed->scheduled_event_id);
	struct span text, members;
	enum event_type type;
	int result;

	if (activity == NULL)
		return 0;
	if (temporal_value(completed->result, 0, &text) &&
	    temporal_history_event(text, &type, &members) &&
	    comes_of(activity, type, text))
		result = history_fold(history, at, type, members, fail);
	else
		result = history_lose(history, at, activity, "invalid_result",
		    "the result is not one of this program's", LOST_RETRY_MS,
		    fail);
	drop_activity(history, activity);
	return result;
}

static int64_t
retry_delay(Api__RetryState state)
{
	return state == TEMPORAL_ENUM(RETRY_STATE, MAXIMUM_ATTEMPTS_REACHED) ||
		state == TEMPORAL_ENUM(RETRY_STATE, NON_RETRYABLE_FAILURE)
	    ? -1
	    : LOST_RETRY_MS;
}

/* Whether another worker reported the death: then the next attempt needs no
 * timer, which can fire a second late. */
static bool
is_reported(const Api__Failure *failure)
{
	return failure != NULL &&
	    failure->failure_info_case ==
	    API__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO &&
	    strcmp(failure->application_failure_info->type,
		TEMPORAL_WORKER_LOST) == 0;
}

static int
take_end(struct temporal_history *history, const Api__HistoryEvent *event,
    struct fail *fail)
{
	const Api__ActivityTaskFailedEventAttributes
	    *failed = event->activity_task_failed_event_attributes;
	const Api__ActivityTaskTimedOutEventAttributes
	    *timed_out = event->activity_task_timed_out_event_attributes;
	const char *message = "the worker ended while it was under way",
		   *type = TEMPORAL_WORKER_LOST;
	int64_t scheduled, delay_ms = LOST_RETRY_MS;
	struct activity *activity;
	int result;

	if (event->event_type == TEMPORAL_EVENT(ACTIVITY_TASK_FAILED)) {
		scheduled = failed->scheduled_event_id;
		delay_ms = is_reported(failed->failure)
		    ? 0
		    : retry_delay(failed->retry_state);
		if (failed->failure != NULL &&
		    failed->failure->message[0] != '\0')
			message = failed->failure->message;
	} else if (event->event_type ==
	    TEMPORAL_EVENT(ACTIVITY_TASK_TIMED_OUT)) {
		scheduled = timed_out->scheduled_event_id;
		delay_ms = retry_delay(timed_out->retry_state);
	} else {
		scheduled = event->activity_task_canceled_event_attributes
				->scheduled_event_id;
		type = "cancelled";
	}
	activity = find_activity(history, scheduled);
	if (activity == NULL)
		return 0;
	result = history_lose(history, temporal_time(event->event_time),
	    activity, type, message, delay_ms, fail);
	drop_activity(history, activity);
	return result;
}

int
history_activity(struct temporal_history *history,
    const Api__HistoryEvent *event, struct fail *fail)
{
	return event->event_type == TEMPORAL_EVENT(ACTIVITY_TASK_SCHEDULED)
	    ? take_scheduled(history, event, fail)
	    : event->event_type == TEMPORAL_EVENT(ACTIVITY_TASK_COMPLETED)
	    ? take_completed(history, event, fail)
	    : take_end(history, event, fail);
}
