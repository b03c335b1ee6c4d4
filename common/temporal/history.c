/* SPDX-License-Identifier: ISC */
/*
 * How it works: history_event.c handles each kind of event.
 *
 * A worker knows which events its commands will be in the history: the
 * completion of its workflow task, then one event for each command, in order.
 * They are folded when they are decided, so that the next decision can build on
 * them and an activity has its conversation; when they come as events, they are
 * compared and skipped. If they differ, the history is read again.
 */
#include "common/temporal/history_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

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
	history_carry_release(history);
	free(history);
}

void
history_set(char **string, const char *value)
{
	char *copy = mem_string(value);

	free(*string);
	*string = copy;
}

struct agent_summary
history_summary(const struct temporal_history *history)
{
	struct agent_summary result;

	agent_summary(history->agent, &result);
	return result;
}

/* Folds one event of the journal; ignored after the end of the task. */
int
history_fold(struct temporal_history *history, int64_t at, enum event_type type,
    struct span members, struct fail *fail)
{
	struct agent_summary now = history_summary(history);
	struct buf text = BUF_INIT(TEXT_MAX);
	struct event event;
	int result = -1;

	if (history->passing || task_state_final(now.state) ||
	    (type != EVENT_SUBMITTED && agent_task(history->agent) == NULL))
		return 0;
	event_write(&text, now.seq + 1, at, type, members.at, members.length);
	if (text.overflow)
		fail_set(fail, FAIL_NEVER, "invalid_event",
		    "event %s is larger than %zu bytes", event_type_name(type),
		    TEXT_MAX);
	else if (event_parse((struct span){ text.data, text.length }, &event,
		     fail) == 0 &&
	    agent_apply(history->agent, &event, fail) == 0)
		result = 0;
	if (result == 0 && history->event != NULL)
		history->event(history->context, &event);
	buf_release(&text);
	return result;
}

int
history_fold_buf(struct temporal_history *history, int64_t at,
    enum event_type type, struct buf *members, struct fail *fail)
{
	int result = history_fold(history, at, type,
	    (struct span){ members->data, members->length }, fail);

	buf_release(members);
	return result;
}

/* ---- payloads ---- */

/* The text between the braces of an object. */
bool
history_inside(struct span text, struct span *ret)
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

	if (!history_inside(text, &rest) || rest.length < head_length ||
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
	rest = (struct span){ rest.at + length + 1, rest.length - length - 1 };
	if (rest.length > 0 && rest.at[0] != ',')
		return false;
	if (rest.length > 0)
		rest = (struct span){ rest.at + 1, rest.length - 1 };
	*ret_type = (enum event_type)i;
	*ret_members = rest;
	return true;
}

/* ---- taking events ---- */

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
	size_t kind = (size_t)event->event_type;
	Api__HistoryEvent__AttributesCase attributes = 0;
	bool known = history_known(kind, &attributes);
	int result = 0;

	if (event->event_id <= history->last)
		return 0;
	if (event->event_id != history->last + 1)
		return fail_set(fail, FAIL_NEVER, "invalid_journal",
		    "event %" PRId64 " of the history follows event %" PRId64,
		    event->event_id, history->last);
	if (known && attributes != 0 && event->attributes_case != attributes)
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
		result = history_event(history, event, fail);
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
		.activities = history->activity_count,
		.carrying = history->fresh != NULL,
		.carried = history->carried,
		.steps = history->steps,
		.runs = history->runs,
		.suggest_new = history->suggest_new,
		.size = history->size,
		.own_size = history->base_size < 0
		    ? 0
		    : history->size - history->base_size,
		.own_events = history->last - history->base_last,
		.memo = history->memo,
		.attributes = history->attributes,
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
		if (history->expected[i].kind ==
			TEMPORAL_EVENT(ACTIVITY_TASK_SCHEDULED) &&
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
	if (history_step(history, fail) < 0)
		return -1;
	history->stepped = true;
	*ret_running = history_summary(history).state == TASK_RUNNING;
	return 0;
}

int
temporal_history_ahead(struct temporal_history *history, Api__EventType kind,
    const char *id, enum event_type type, struct span members,
    struct fail *fail)
{
	history->expected = mem_grow(history->expected,
	    history->expected_count + 1, sizeof(*history->expected));
	history->expected[history->expected_count++] = (struct expected){
		.kind = kind,
		.id = mem_string(id)
	};
	if (members.at == NULL)
		return 0;
	if (type == EVENT_SUBMITTED)
		return history_submit_late(history, members, fail);
	return history_fold(history, history->now, type, members, fail);
}
