/* SPDX-License-Identifier: ISC */
/*
 * How it works: here is the state, with what the other files do to it: an event
 * of the journal is folded at once, and besides the fold only the activities and
 * timers under way are stored, which are in a history but not in a journal.
 * history_event.c takes the history's events, with a file for those of
 * activities, of the end, and of a run that goes on from another one.
 *
 * A worker knows which events its commands will be in the history: the
 * completion of its workflow task, then one event for each command, in order.
 * They are folded when they are decided, so that the next decision can build on
 * them and an activity has its conversation; when they come as events, they are
 * compared and skipped. If they differ, the history is read again.
 */
#include "common/temporal/history_internal.h"

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

void
history_drop_activities(struct temporal_history *history)
{
	while (history->activity_count > 0) {
		history->activity_count--;
		free(history->activities[history->activity_count].id);
		free(history->activities[history->activity_count].call);
	}
}

void
history_drop_expected(struct temporal_history *history)
{
	size_t i;

	for (i = 0; i < history->expected_count; i++)
		free(history->expected[i].id);
	history->expected_count = history->expected_seen = 0;
}

void
history_drop_start(struct temporal_history *history)
{
	if (history->facts.memo != NULL)
		api__memo__free_unpacked(history->facts.memo, NULL);
	if (history->facts.attributes != NULL)
		api__search_attributes__free_unpacked(history->facts.attributes,
		    NULL);
	history->facts.memo = NULL;
	history->facts.attributes = NULL;
}

static void
drop_late(struct temporal_history *history)
{
	size_t i;

	for (i = 0; i < history->late_count; i++) {
		free(history->late[i].name);
		cJSON_Delete(history->late[i].input);
	}
	free(history->late);
	history->late = NULL;
	history->late_count = 0;
}

void
temporal_history_free(struct temporal_history *history)
{
	if (history == NULL)
		return;
	agent_free(history->agent);
	agent_free(history->fresh);
	history_drop_activities(history);
	free(history->activities);
	free(history->timers);
	history_drop_expected(history);
	free(history->expected);
	free(history->worker);
	free(history->facts.unread);
	free(history->facts.next_run);
	free(history->facts.shown);
	free(history->facts.runs);
	history_drop_start(history);
	drop_late(history);
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

int
history_fold(struct temporal_history *history, int64_t at, enum event_type type,
    struct span members, struct fail *fail)
{
	struct agent_summary now = history_summary(history);
	struct buf text = BUF_INIT(TEXT_MAX);
	struct event event;
	int result = -1;

	if (history->passing ||
	    (task_state_final(now.state) && type != EVENT_SIGNAL) ||
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

/* ---- what the journal gets ---- */

int
history_submit(struct temporal_history *history, int64_t at,
    struct span members, struct fail *fail)
{
	struct buf cancel = BUF_INIT(256);

	history_set(&history->facts.unread, NULL);
	if (history_fold(history, at, EVENT_SUBMITTED, members, fail) < 0)
		return -1;
	if (!history->cancel_early)
		return 0;
	member_string(&cancel, "signal", "cancel");
	return history_fold_buf(history, at, EVENT_SIGNAL, &cancel, fail);
}

int
history_bring_started(struct temporal_history *history, int64_t at,
    struct fail *fail)
{
	struct buf members = BUF_INIT(65536);

	member_string(&members, "worker",
	    history->worker != NULL ? history->worker : "");
	member_integer(&members, "fence", history->facts.steps);
	return history_fold_buf(history, at, EVENT_STARTED, &members, fail);
}

int
history_step(struct temporal_history *history, struct fail *fail)
{
	const struct task *task = agent_task(history->agent);
	struct agent_summary now = history_summary(history);

	if (history->fresh != NULL)
		return 0;
	history->facts.steps++;
	if (task == NULL)
		return 0;
	if (now.state == TASK_QUEUED ? task->not_before <= history->facts.now
				     : now.state == TASK_WAITING &&
		    now.due != 0 && now.due <= history->facts.now)
		return history_bring_started(history, history->facts.now, fail);
	return 0;
}

int
history_submit_late(struct temporal_history *history, struct span members,
    struct fail *fail)
{
	if (history->passing)
		return 0;
	if (history_submit(history, history->facts.now, members, fail) < 0)
		return -1;
	history->facts.steps--;
	return history_step(history, fail);
}

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
	if (history_inside((struct span){ text, strlen(text) }, &words))
		buf_add(members, words.at, words.length);
	free(text);
}

/* Holds a signal back until all events before it are there. */
static void
keep_late(struct temporal_history *history, int64_t at, const char *name,
    const cJSON *input)
{
	history->late = mem_grow(history->late, history->late_count + 1,
	    sizeof(*history->late));
	history->late[history->late_count++] = (struct late_signal){ .at = at,
		.name = mem_string(name),
		.input = cJSON_Duplicate(input, true) };
}

int
history_signal(struct temporal_history *history, int64_t at, const char *name,
    cJSON *input, struct fail *fail)
{
	struct buf words = BUF_INIT(TEXT_MAX), members = BUF_INIT(TEXT_MAX);
	const cJSON *call = json_item(input, "call");
	struct span said;
	struct fail why;
	bool more;
	int result = 0;

	if (history->fresh != NULL) {
		keep_late(history, at, name, input);
		return 0;
	}
	if (agent_task(history->agent) == NULL) {
		history->cancel_early = history->cancel_early ||
		    strcmp(name, "cancel") == 0;
		return 0;
	}
	add_words(&words, input);
	said = (struct span){ words.data, words.length };
	more = (call == NULL || cJSON_IsString(call)) &&
	    agent_accepts(history->agent, name, said, &why) == 0;
	while (more && result == 0) {
		more = agent_signal(history->agent, name, said, &members);
		result = history_fold_buf(history, at, EVENT_SIGNAL, &members,
		    fail);
		more = more && !history->passing;
	}
	buf_release(&words);
	return result;
}

int
history_take_late(struct temporal_history *history, struct fail *fail)
{
	struct late_signal *late;
	size_t i;

	for (i = 0; i < history->late_count; i++) {
		late = &history->late[i];
		if (history_signal(history, late->at, late->name, late->input,
			fail) < 0)
			return -1;
	}
	drop_late(history);
	return 0;
}

/* ---- what is known ---- */

const struct agent *
temporal_history_agent(const struct temporal_history *history)
{
	return history->agent;
}

struct temporal_facts
temporal_history_facts(const struct temporal_history *history)
{
	struct temporal_facts facts = history->facts;
	size_t i;

	facts.activities = history->activity_count;
	facts.carrying = history->fresh != NULL;
	if (history->base_size >= 0)
		facts.own_size = facts.size - history->base_size;
	facts.own_events = facts.last - history->base_last;
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

bool
temporal_history_timer(const struct temporal_history *history, int64_t at)
{
	size_t i;

	for (i = 0; i < history->timer_count; i++)
		if (history->timers[i].at == at)
			return true;
	return false;
}

/* ---- ahead of the server ---- */

struct agent *
temporal_history_tell(struct temporal_history *history)
{
	return history->agent;
}

int
temporal_history_step(struct temporal_history *history, bool *ret_running,
    struct fail *fail)
{
	if (history->task_started != history->facts.last)
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
	return history_fold(history, history->facts.now, type, members, fail);
}
