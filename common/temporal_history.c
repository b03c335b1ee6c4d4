/*
 * How it works: one function for each kind of event, found in a table, turns it
 * into none or one event of the journal, which is folded at once. Beside the
 * fold only what a history has and a journal has not is kept: which activities
 * and timers are under way.
 *
 * A worker knows what its commands will be in the history: the completion of
 * its workflow task, then one event for each command, in order. They are folded
 * when they are decided, so that the next decision can build on them and an
 * activity finds its conversation; when they come as events they are compared
 * and passed over. A history that took another course is read anew.
 */
#include "common/temporal_history.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

#define TEXT_MAX ((size_t)EVENT_MAX)
#define RETRY_NON_RETRYABLE 2
#define RETRY_MAXIMUM_ATTEMPTS 4
#define LOST_RETRY_MS 1000

struct activity {
	int64_t scheduled; /* id of the event */
	enum action_type type;
	int64_t turn, attempt;
	char *id, *call;
};

struct running_timer {
	int64_t started; /* id of the event */
	int64_t at;
};

struct expected {
	int kind;
	char *id;
};

struct temporal_history {
	struct agent *agent;
	void (*event)(void *context, const struct event *event);
	void *context;

	int64_t last, steps;
	int64_t task_started, now; /* the last WorkflowTaskStarted: id, time */
	char *worker;
	bool stepped;              /* it was looked at ahead */

	struct activity *activities;
	size_t activity_count;
	struct running_timer *timers;
	size_t timer_count;
	struct expected *expected;
	size_t expected_count, expected_seen;
	bool passing;              /* the event was folded ahead */

	char *unread, *next_run, *shown;
	bool cancel_early;         /* asked for before the task was read */
	bool closed, suggest_new;
	int64_t pins;
};

struct temporal_history *
temporal_history_new(void (*event)(void *context, const struct event *event),
    void *context)
{
	struct temporal_history *history = mem_alloc(sizeof(*history));

	history->agent = agent_new();
	history->event = event;
	history->context = context;
	return history;
}

static void
free_expected(struct temporal_history *history)
{
	size_t i;

	for (i = 0; i < history->expected_count; i++)
		free(history->expected[i].id);
	history->expected_count = history->expected_seen = 0;
}

void
temporal_history_free(struct temporal_history *history)
{
	size_t i;

	if (history == NULL)
		return;
	agent_free(history->agent);
	for (i = 0; i < history->activity_count; i++) {
		free(history->activities[i].id);
		free(history->activities[i].call);
	}
	free(history->activities);
	free(history->timers);
	free_expected(history);
	free(history->expected);
	free(history->worker);
	free(history->unread);
	free(history->next_run);
	free(history->shown);
	free(history);
}

static void
set(char **string, const char *value)
{
	char *copy = mem_string(value);

	free(*string);
	*string = copy;
}

static struct agent_summary
summary(const struct temporal_history *history)
{
	struct agent_summary result;

	agent_summary(history->agent, &result);
	return result;
}

/* Folds one event of the journal; none follows the end of the task. */
static int
fold(struct temporal_history *history, int64_t at, enum event_type type,
    struct span members, struct fail *fail)
{
	struct agent_summary now = summary(history);
	struct buf text = BUF_INIT(TEXT_MAX);
	struct event event = { .data = NULL };
	int result = -1;

	if (history->passing || task_state_final(now.state) ||
	    (type != EVENT_SUBMITTED &&
	        agent_task(history->agent) == NULL))
		return 0;
	event_write(&text, now.seq + 1, at, type, members.at, members.length);
	if (text.overflow)
		fail_set(fail, FAIL_NEVER, "invalid_event",
		    "event %s is larger than %zu bytes",
		    event_type_name(type), TEXT_MAX);
	else if (event_parse((struct span){ text.data, text.length }, &event,
	    fail) == 0 && agent_apply(history->agent, &event, fail) == 0)
		result = 0;
	if (result == 0 && history->event != NULL)
		history->event(history->context, &event);
	event_release(&event);
	buf_release(&text);
	return result;
}

static int
fold_buf(struct temporal_history *history, int64_t at, enum event_type type,
    struct buf *members, struct fail *fail)
{
	int result = fold(history, at, type,
	    (struct span){ members->data, members->length }, fail);

	buf_release(members);
	return result;
}

/* ---- payloads ---- */

/* What is between the braces of an object. */
static bool
inside(struct span text, struct span *ret)
{
	while (text.length > 0 && strchr(" \t\r\n", text.at[0]) != NULL)
		text = (struct span){ text.at + 1, text.length - 1 };
	while (text.length > 0 &&
	    strchr(" \t\r\n", text.at[text.length - 1]) != NULL)
		text.length--;
	if (text.length < 2 || text.at[0] != '{' ||
	    text.at[text.length - 1] != '}')
		return false;
	*ret = (struct span){ text.at + 1, text.length - 2 };
	return true;
}

bool
temporal_history_event(struct span text, enum event_type *ret_type,
    struct span *ret_members)
{
	static const char head[] = "\"type\":\"";
	const size_t head_length = sizeof(head) - 1;
	struct span rest;
	size_t i, length;

	if (!inside(text, &rest) || rest.length < head_length ||
	    memcmp(rest.at, head, head_length) != 0)
		return false;
	rest = (struct span){ rest.at + head_length,
		rest.length - head_length };
	for (i = 0; i < EVENT_TYPES; i++) {
		length = strlen(event_type_name((enum event_type)i));
		if (rest.length > length && rest.at[length] == '"' &&
		    memcmp(rest.at, event_type_name((enum event_type)i),
		    length) == 0)
			break;
	}
	if (i == EVENT_TYPES)
		return false;
	rest = (struct span){ rest.at + length + 1,
		rest.length - length - 1 };
	if (rest.length > 0 && rest.at[0] != ',')
		return false;
	if (rest.length > 0)
		rest = (struct span){ rest.at + 1, rest.length - 1 };
	*ret_type = (enum event_type)i;
	*ret_members = rest;
	return true;
}

static void
add_error(struct buf *members, const char *type, const char *message)
{
	struct buf error = BUF_INIT(TEXT_MAX), text = BUF_INIT(TEXT_MAX);

	member_string(&error, "type", type);
	member_string(&error, "message", message);
	buf_print(&text, "{%s}", error.data);
	member_raw(members, "error", text.data, text.length);
	buf_release(&error);
	buf_release(&text);
}

/* ---- the task ---- */

static int
submit(struct temporal_history *history, int64_t at, struct span members,
    struct fail *fail)
{
	struct buf cancel = BUF_INIT(256);

	set(&history->unread, NULL);
	if (fold(history, at, EVENT_SUBMITTED, members, fail) < 0)
		return -1;
	if (!history->cancel_early)
		return 0;
	member_string(&cancel, "signal", "cancel");
	return fold_buf(history, at, EVENT_SIGNAL, &cancel, fail);
}

/* Whether the task is one that task_check has made. */
static bool
is_checked(struct span task)
{
	cJSON *doc = cJSON_ParseWithLength(task.at, task.length);
	struct task read;
	struct fail why;
	bool result = doc != NULL && task_read(doc, &read, &why) == 0;

	if (result)
		task_release(&read);
	cJSON_Delete(doc);
	return result;
}

static int
take_started(struct temporal_history *history, const Api__HistoryEvent *event,
    struct fail *fail)
{
	const Api__WorkflowExecutionStartedEventAttributes *started =
	    event->workflow_execution_started_event_attributes;
	int64_t at = temporal_time(event->event_time);
	struct span text, task, members, pins;

	if (!temporal_value(started->input, 0, &text) ||
	    !inside(text, &members))
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
	    !inside(pins, &members))
		return 0;
	return fold(history, at, EVENT_PINNED, members, fail);
}

/* ---- workflow tasks ---- */

static int
bring_started(struct temporal_history *history, int64_t at, struct fail *fail)
{
	struct buf members = BUF_INIT(65536);

	member_string(&members, "worker",
	    history->worker != NULL ? history->worker : "");
	member_integer(&members, "fence", history->steps);
	return fold_buf(history, at, EVENT_STARTED, &members, fail);
}

/* One look at the task, as of the start of the workflow task. */
static int
step(struct temporal_history *history, struct fail *fail)
{
	const struct task *task = agent_task(history->agent);
	struct agent_summary now = summary(history);

	history->steps++;
	if (task == NULL)
		return 0;
	if (now.state == TASK_QUEUED ? task->not_before <= history->now
	    : now.state == TASK_WAITING && now.due != 0 &&
	    now.due <= history->now)
		return bring_started(history, history->now, fail);
	return 0;
}

/* A task that had to be put in form first: its workflow task has been looked
 * at already. */
static int
submit_late(struct temporal_history *history, struct span members,
    struct fail *fail)
{
	if (history->passing)
		return 0;
	if (submit(history, history->now, members, fail) < 0)
		return -1;
	history->steps--;
	return step(history, fail);
}

static int
take_task_started(struct temporal_history *history,
    const Api__HistoryEvent *event, struct fail *fail)
{
	const Api__WorkflowTaskStartedEventAttributes *started =
	    event->workflow_task_started_event_attributes;

	(void)fail;
	history->task_started = event->event_id;
	history->now = temporal_time(event->event_time);
	history->suggest_new = started->suggest_continue_as_new;
	set(&history->worker, started->identity);
	return 0;
}

static int
take_task_completed(struct temporal_history *history,
    const Api__HistoryEvent *event, struct fail *fail)
{
	if (history->passing || event->workflow_task_completed_event_attributes
	    ->started_event_id != history->task_started)
		return 0;
	return step(history, fail);
}

/* ---- activities ---- */

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
    const struct activity *activity, const char *tool, struct fail *fail)
{
	struct buf members = BUF_INIT(TEXT_MAX);

	if (activity->type == ACTION_MODEL) {
		member_integer(&members, "turn", activity->turn);
	} else {
		member_string(&members, "call", activity->call);
		member_string(&members, "tool", tool);
	}
	member_integer(&members, "attempt", activity->attempt);
	return fold_buf(history, at, activity->type == ACTION_MODEL
	    ? EVENT_MODEL_STARTED : EVENT_TOOL_STARTED, &members, fail);
}

/* What is intended is in the input. */
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
take_scheduled(struct temporal_history *history,
    const Api__HistoryEvent *event, struct fail *fail)
{
	const Api__ActivityTaskScheduledEventAttributes *scheduled =
	    event->activity_task_scheduled_event_attributes;
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
		history->pins++;
		result = 0;
	} else {
		/* Clocks of a server's nodes differ: the wait was over for
		 * the worker that scheduled it. */
		if (!history->passing &&
		    summary(history).state != TASK_RUNNING &&
		    bring_started(history, at, fail) < 0)
			goto out;
		result = intend(history, at, &activity,
		    json_string(input, "tool"), fail);
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

/* Nobody says what came of it. */
static int
lose(struct temporal_history *history, int64_t at,
    const struct activity *activity, const char *type, const char *message,
    int32_t retry_state, struct fail *fail)
{
	struct buf members = BUF_INIT(TEXT_MAX);
	bool again = retry_state != RETRY_MAXIMUM_ATTEMPTS &&
	    retry_state != RETRY_NON_RETRYABLE;
	struct agent_call call;

	if (activity->type == ACTION_PIN)
		return 0;
	if (activity->type == ACTION_MODEL) {
		member_integer(&members, "turn", activity->turn);
	} else {
		member_string(&members, "call", activity->call);
		again = again && agent_call(history->agent, activity->call,
		    &call) && call.repeatable;
	}
	member_integer(&members, "attempt", activity->attempt);
	add_error(&members, type, message);
	if (again)
		member_integer(&members, "delay_ms", LOST_RETRY_MS);
	return fold_buf(history, at, activity->type == ACTION_MODEL
	    ? EVENT_MODEL_FAILED : EVENT_TOOL_UNKNOWN, &members, fail);
}

/* Whether the event is one that can come of the activity. */
static bool
comes_of(const struct activity *activity, enum event_type type,
    struct span text)
{
	struct span value;
	bool known;

	switch (activity->type) {
	case ACTION_PIN:
		return type == EVENT_PINNED || type == EVENT_WAITING ||
		    type == EVENT_FAILED;
	case ACTION_MODEL:
		return type == EVENT_MODEL_REPLIED ||
		    type == EVENT_MODEL_FAILED;
	case ACTION_TOOL:
		known = json_member(text, "call", &value) &&
		    value.length == strlen(activity->call) + 2 &&
		    memcmp(value.at + 1, activity->call,
		    value.length - 2) == 0;
		return known && (type == EVENT_TOOL_FINISHED ||
		    type == EVENT_TOOL_FAILED || type == EVENT_TOOL_UNKNOWN);
	}
	return false;
}

static int
take_completed(struct temporal_history *history,
    const Api__HistoryEvent *event, struct fail *fail)
{
	const Api__ActivityTaskCompletedEventAttributes *completed =
	    event->activity_task_completed_event_attributes;
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
		result = fold(history, at, type, members, fail);
	else
		result = lose(history, at, activity, "invalid_result",
		    "the result is not one of this program's", 0, fail);
	drop_activity(history, activity);
	return result;
}

static int
end_activity(struct temporal_history *history, const Api__HistoryEvent *event,
    int64_t scheduled, const char *type, const Api__Failure *failure,
    int32_t retry_state, struct fail *fail)
{
	struct activity *activity = find_activity(history, scheduled);
	const char *message;
	int result;

	if (activity == NULL)
		return 0;
	message = failure != NULL && failure->message[0] != '\0'
	    ? failure->message : "the worker ended while it was under way";
	result = lose(history, temporal_time(event->event_time), activity,
	    type, message, retry_state, fail);
	drop_activity(history, activity);
	return result;
}

static int
take_activity_failed(struct temporal_history *history,
    const Api__HistoryEvent *event, struct fail *fail)
{
	const Api__ActivityTaskFailedEventAttributes *failed =
	    event->activity_task_failed_event_attributes;

	return end_activity(history, event, failed->scheduled_event_id,
	    "worker_lost", failed->failure, failed->retry_state, fail);
}

static int
take_activity_timed_out(struct temporal_history *history,
    const Api__HistoryEvent *event, struct fail *fail)
{
	const Api__ActivityTaskTimedOutEventAttributes *timed_out =
	    event->activity_task_timed_out_event_attributes;

	return end_activity(history, event, timed_out->scheduled_event_id,
	    "worker_lost", NULL, timed_out->retry_state, fail);
}

static int
take_activity_canceled(struct temporal_history *history,
    const Api__HistoryEvent *event, struct fail *fail)
{
	return end_activity(history, event,
	    event->activity_task_canceled_event_attributes
	        ->scheduled_event_id, "cancelled", NULL, 0, fail);
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
	history->timers = mem_grow(history->timers,
	    history->timer_count + 1, sizeof(timer));
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

/* Adds what the sender said, without what is ours to say. */
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
	if (inside((struct span){ text, strlen(text) }, &words) &&
	    words.length > 0) {
		buf_add(members, ",", 1);
		buf_add(members, words.at, words.length);
	}
	free(text);
}

static int
signal_came(struct temporal_history *history, int64_t at, const char *name,
    cJSON *input, struct fail *fail)
{
	const cJSON *call = cJSON_GetObjectItemCaseSensitive(input, "call");
	struct buf members = BUF_INIT(TEXT_MAX);
	struct fail why;

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
	return fold_buf(history, at, EVENT_SIGNAL, &members, fail);
}

static int
take_signaled(struct temporal_history *history,
    const Api__HistoryEvent *event, struct fail *fail)
{
	const Api__WorkflowExecutionSignaledEventAttributes *signaled =
	    event->workflow_execution_signaled_event_attributes;
	struct span text = { "", 0 };
	struct fail why;
	cJSON *input;
	int result;

	(void)temporal_value(signaled->input, 0, &text);
	input = json_parse(text.at, text.length, &json_limits_task, &why);
	result = signal_came(history, temporal_time(event->event_time),
	    signaled->signal_name, input, fail);
	cJSON_Delete(input);
	return result;
}

static int
take_cancel_requested(struct temporal_history *history,
    const Api__HistoryEvent *event, struct fail *fail)
{
	const char *cause = event
	    ->workflow_execution_cancel_requested_event_attributes->cause;
	cJSON *input = cJSON_CreateObject();
	int result;

	if (cause[0] != '\0')
		cJSON_AddStringToObject(input, "message", cause);
	result = signal_came(history, temporal_time(event->event_time),
	    "cancel", input, fail);
	cJSON_Delete(input);
	return result;
}

static int
take_marker(struct temporal_history *history, const Api__HistoryEvent *event,
    struct fail *fail)
{
	const Api__MarkerRecordedEventAttributes *marker =
	    event->marker_recorded_event_attributes;
	int64_t at = temporal_time(event->event_time);
	struct span text, members;
	enum event_type type;
	size_t i;

	if (strcmp(marker->marker_name, TEMPORAL_MARKER) != 0)
		return 0;
	for (i = 0; i < marker->n_details; i++) {
		if (strcmp(marker->details[i]->key, "event") != 0)
			continue;
		if (!temporal_value(marker->details[i]->value, 0, &text) ||
		    !temporal_history_event(text, &type, &members))
			break;
		if (type == EVENT_SUBMITTED)
			return submit_late(history, members, fail);
		return fold(history, at, type, members, fail);
	}
	return fail_set(fail, FAIL_NEVER, "invalid_event",
	    "marker %" PRId64 " holds no event", event->event_id);
}

static void
show(struct temporal_history *history, bool known, struct span json)
{
	cJSON *value = known ? cJSON_ParseWithLength(json.at, json.length)
	    : NULL;

	if (cJSON_IsString(value))
		set(&history->shown, value->valuestring);
	cJSON_Delete(value);
}

static int
take_attributes(struct temporal_history *history,
    const Api__HistoryEvent *event, struct fail *fail)
{
	struct span json = { "", 0 };

	(void)fail;
	show(history, temporal_attribute(event
	    ->upsert_workflow_search_attributes_event_attributes
	    ->search_attributes, TEMPORAL_STATE, &json), json);
	return 0;
}

static int
take_memo(struct temporal_history *history, const Api__HistoryEvent *event,
    struct fail *fail)
{
	struct span json = { "", 0 };

	(void)fail;
	show(history, temporal_memo(event
	    ->workflow_properties_modified_event_attributes->upserted_memo,
	    TEMPORAL_STATE_MEMO, &json), json);
	return 0;
}

/* ---- the end ---- */

/* The end as the event in PAYLOADS says, else of TYPE with MEMBERS (released).
 * Calls whose result has to be known are unknown then. */
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
		    &call) && !call.repeatable)
			result = lose(history, at, &history->activities[i],
			    "closed", "the workflow was ended while the call "
			    "was under way", 0, fail);
	if (temporal_value(payloads, 0, &text) &&
	    temporal_history_event(text, &read, &words) &&
	    read >= EVENT_COMPLETED) {
		type = read;
		said = words;
	}
	if (result == 0)
		result = fold(history, at, type, said, fail);
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

	if (failure != NULL && failure->failure_info_case ==
	    API__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO)
		details = failure->application_failure_info->details;
	add_error(&members, "workflow_failed",
	    failure != NULL ? failure->message : "");
	return end(history, event, details, EVENT_FAILED, &members, fail);
}

static int
take_workflow_timed_out(struct temporal_history *history,
    const Api__HistoryEvent *event, struct fail *fail)
{
	struct buf members = BUF_INIT(TEXT_MAX);

	add_error(&members, "timed_out", "the workflow's time is up");
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
take_continued(struct temporal_history *history,
    const Api__HistoryEvent *event, struct fail *fail)
{
	(void)fail;
	history->closed = true;
	set(&history->next_run, event
	    ->workflow_execution_continued_as_new_event_attributes
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

#define ATTRIBUTES(name) API__HISTORY_EVENT__ATTRIBUTES_ ## name ## \
	_EVENT_ATTRIBUTES

static const struct {
	int (*take)(struct temporal_history *, const Api__HistoryEvent *,
	    struct fail *);
	Api__HistoryEvent__AttributesCase attributes; /* 0: not looked at */
} kinds[] = {
	[1] = { take_started, ATTRIBUTES(WORKFLOW_EXECUTION_STARTED) },
	[2] = { take_workflow_completed,
	    ATTRIBUTES(WORKFLOW_EXECUTION_COMPLETED) },
	[3] = { take_workflow_failed, ATTRIBUTES(WORKFLOW_EXECUTION_FAILED) },
	[4] = { take_workflow_timed_out, 0 },
	[5] = { take_nothing, 0 },
	[6] = { take_task_started, ATTRIBUTES(WORKFLOW_TASK_STARTED) },
	[7] = { take_task_completed, ATTRIBUTES(WORKFLOW_TASK_COMPLETED) },
	[8] = { take_nothing, 0 },
	[9] = { take_nothing, 0 },
	[10] = { take_scheduled, ATTRIBUTES(ACTIVITY_TASK_SCHEDULED) },
	[11] = { take_nothing, 0 },
	[12] = { take_completed, ATTRIBUTES(ACTIVITY_TASK_COMPLETED) },
	[13] = { take_activity_failed, ATTRIBUTES(ACTIVITY_TASK_FAILED) },
	[14] = { take_activity_timed_out,
	    ATTRIBUTES(ACTIVITY_TASK_TIMED_OUT) },
	[15] = { take_nothing, 0 },
	[16] = { take_activity_canceled, ATTRIBUTES(ACTIVITY_TASK_CANCELED) },
	[17] = { take_timer, ATTRIBUTES(TIMER_STARTED) },
	[18] = { take_timer_fired, ATTRIBUTES(TIMER_FIRED) },
	[19] = { take_timer_canceled, ATTRIBUTES(TIMER_CANCELED) },
	[20] = { take_cancel_requested,
	    ATTRIBUTES(WORKFLOW_EXECUTION_CANCEL_REQUESTED) },
	[21] = { take_workflow_canceled,
	    ATTRIBUTES(WORKFLOW_EXECUTION_CANCELED) },
	[25] = { take_marker, ATTRIBUTES(MARKER_RECORDED) },
	[26] = { take_signaled, ATTRIBUTES(WORKFLOW_EXECUTION_SIGNALED) },
	[27] = { take_terminated, ATTRIBUTES(WORKFLOW_EXECUTION_TERMINATED) },
	[28] = { take_continued,
	    ATTRIBUTES(WORKFLOW_EXECUTION_CONTINUED_AS_NEW) },
	[40] = { take_attributes,
	    ATTRIBUTES(UPSERT_WORKFLOW_SEARCH_ATTRIBUTES) },
	[41] = { take_nothing, 0 }, /* updates, which the server refuses */
	[42] = { take_nothing, 0 },
	[43] = { take_nothing, 0 },
	[44] = { take_nothing, 0 },
	[45] = { take_nothing, 0 },
	[46] = { take_memo, ATTRIBUTES(WORKFLOW_PROPERTIES_MODIFIED) },
	[47] = { take_nothing, 0 },
	[55] = { take_nothing, 0 }, /* options, pauses, skipped time */
	[58] = { take_nothing, 0 },
	[59] = { take_nothing, 0 },
	[60] = { take_nothing, 0 },
};

static const char *
event_id(const Api__HistoryEvent *event)
{
	if (event->event_type == TEMPORAL_EVENT_SCHEDULED)
		return event->activity_task_scheduled_event_attributes
		    ->activity_id;
	if (event->event_type == TEMPORAL_EVENT_TIMER)
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
		if (event->event_type != TEMPORAL_EVENT_TASK_COMPLETED)
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
		free_expected(history);
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
	size_t kind = event->event_type < 0 ? 0 : (size_t)event->event_type;
	bool known = kind < sizeof(kinds) / sizeof(*kinds) &&
	    kinds[kind].take != NULL;
	int result = 0;

	if (event->event_id <= history->last)
		return 0;
	if (event->event_id != history->last + 1)
		return fail_set(fail, FAIL_NEVER, "invalid_journal",
		    "event %" PRId64 " of the history follows event %" PRId64,
		    event->event_id, history->last);
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
	history->last = event->event_id;
	if (known)
		result = kinds[kind].take(history, event, fail);
	history->passing = false;
	return result;
}

const struct agent *
temporal_history_agent(const struct temporal_history *history)
{
	return history->agent;
}

struct temporal_facts
temporal_history_facts(const struct temporal_history *history)
{
	struct temporal_facts facts = {
		.last = history->last,
		.now = history->now,
		.unread = history->unread,
		.closed = history->closed,
		.next_run = history->next_run,
		.shown = history->shown,
		.pins = history->pins,
		.suggest_new = history->suggest_new,
	};
	size_t i;

	for (i = 0; i < history->activity_count; i++)
		if (history->activities[i].type == ACTION_PIN)
			facts.pinning = true;
	return facts;
}

bool
temporal_history_activity(const struct temporal_history *history,
    const char *id)
{
	size_t i;

	for (i = 0; i < history->activity_count; i++)
		if (strcmp(history->activities[i].id, id) == 0)
			return true;
	for (i = history->expected_seen; i < history->expected_count; i++)
		if (history->expected[i].kind == TEMPORAL_EVENT_SCHEDULED &&
		    strcmp(history->expected[i].id, id) == 0)
			return true;
	return false;
}

int
temporal_history_step(struct temporal_history *history, bool *ret_running,
    struct fail *fail)
{
	if (history->task_started != history->last)
		return fail_set(fail, FAIL_NEVER, "invalid_journal",
		    "the history does not end where a workflow task starts");
	if (step(history, fail) < 0)
		return -1;
	history->stepped = true;
	*ret_running = summary(history).state == TASK_RUNNING;
	return 0;
}

int
temporal_history_ahead(struct temporal_history *history, int kind,
    const char *id, enum event_type type, struct span members,
    struct fail *fail)
{
	history->expected = mem_grow(history->expected,
	    history->expected_count + 1, sizeof(*history->expected));
	history->expected[history->expected_count++] = (struct expected){
		.kind = kind, .id = mem_string(id) };
	if (members.at == NULL)
		return 0;
	if (type == EVENT_SUBMITTED)
		return submit_late(history, members, fail);
	return fold(history, history->now, type, members, fail);
}
