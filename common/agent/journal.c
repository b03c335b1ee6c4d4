/* SPDX-License-Identifier: ISC */
/*
 * How it works: one table says which members each type must have. An event is
 * checked once, strictly, and its members are read in place.
 */
#include "common/agent/journal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/agent/task.h"
#include "common/base/clock.h"
#include "common/base/mem.h"

/* Most are the byte that such a value begins with. */
enum member_kind {
	STRING = '"',
	ARRAY = '[',
	OBJECT = '{',
	INTEGER = 1,
	BOOLEAN
};

struct member {
	const char *name;
	enum member_kind kind;
	bool optional;
	int since; /* version that brought it; 0: as its type */
};

#define MEMBERS_MAX 8

/* The limits of what a service may send, within an event. */
static const struct json_limits limits = { EVENT_MAX, 216, 1000100 };

static const struct {
	const char *name;
	struct member members[MEMBERS_MAX];
	enum task_state end; /* in which it ends the task, if that is final */
	int since;           /* version that brought it; 0: the first */
} types[] = {
	[EVENT_SUBMITTED] = { "submitted", { { "task", OBJECT } } },
	[EVENT_PINNED] = { "pinned",
	    { { "request", OBJECT }, { "tools", ARRAY },
		{ "aliases", OBJECT, true, 2 }, /* of a tool */
		{ "read_tool", STRING, true, 2 } } },
	[EVENT_STARTED] = { "started",
	    { { "worker", STRING }, { "fence", INTEGER } } },
	[EVENT_RELEASED] = { "released",
	    { { "worker", STRING }, { "reason", STRING } } },
	[EVENT_MODEL_STARTED] = { "model.started",
	    { { "turn", INTEGER }, { "attempt", INTEGER },
		{ "max_tokens", INTEGER, true },
		{ "reserved_nano_usd", INTEGER, true },
		{ "input_nano_usd", INTEGER, true },
		{ "input_tokens", INTEGER, true, 2 },
		{ "compact", STRING, true, 2 }, { "date", OBJECT, true, 2 } } },
	[EVENT_MODEL_REPLIED] = { "model.replied",
	    { { "turn", INTEGER }, { "content", ARRAY },
		{ "stop_reason", STRING }, { "usage", OBJECT },
		{ "nano_usd", INTEGER }, { "broken", OBJECT, true, 2 } } },
	[EVENT_MODEL_FAILED] = { "model.failed",
	    { { "turn", INTEGER }, { "attempt", INTEGER }, { "error", OBJECT },
		{ "delay_ms", INTEGER, true }, { "wait", STRING, true } } },
	[EVENT_TOOL_STARTED] = { "tool.started",
	    { { "call", STRING }, { "tool", STRING }, { "attempt", INTEGER },
		{ "settle_ms", INTEGER, true } } },
	[EVENT_TOOL_FINISHED] = { "tool.finished",
	    { { "call", STRING }, { "block", OBJECT }, { "is_error", BOOLEAN },
		{ "evidence", BOOLEAN, true } } },
	[EVENT_TOOL_FAILED] = { "tool.failed",
	    { { "call", STRING }, { "attempt", INTEGER }, { "error", OBJECT },
		{ "delay_ms", INTEGER, true }, { "connection", STRING, true },
		{ "block", OBJECT, true }, { "wait", STRING, true },
		{ "toolkit", STRING, true } } },
	[EVENT_TOOL_UNKNOWN] = { "tool.unknown",
	    { { "call", STRING }, { "attempt", INTEGER }, { "error", OBJECT },
		{ "delay_ms", INTEGER, true }, { "sent_at", STRING, true } } },
	[EVENT_EVIDENCE] = { "evidence",
	    { { "call", STRING }, { "attempt", INTEGER },
		{ "message", STRING, true }, { "delay_ms", INTEGER, true } },
	    .since = 2 },
	[EVENT_ACCOUNT] = { "account",
	    { { "toolkit", STRING }, { "account", STRING, true },
		{ "message", STRING, true }, { "delay_ms", INTEGER, true },
		{ "wait", STRING, true } },
	    .since = 2 },
	[EVENT_COMPACTED] = { "compacted",
	    { { "turn", INTEGER }, { "by", STRING }, { "content", ARRAY, true },
		{ "kept", INTEGER, true }, { "bytes", INTEGER, true },
		{ "usage", OBJECT, true } },
	    .since = 2 },
	[EVENT_CLOCK] = { "clock", { { "stepped_ms", INTEGER } }, .since = 2 },
	[EVENT_USER_MESSAGE] = { "user.message",
	    { { "content", ARRAY }, { "reason", STRING } } },
	[EVENT_SIGNAL] = { "signal",
	    { { "signal", STRING }, { "call", STRING, true } }, 0,
	    2 }, /* of new_signals; the others are of 1 */
	[EVENT_WAITING] = { "waiting",
	    { { "reason", STRING }, { "until", STRING, true },
		{ "for", STRING, true }, { "message", STRING, true },
		{ "toolkit", STRING, true }, { "call", STRING, true },
		{ "link", STRING, true }, { "decisions", ARRAY, true } } },
	[EVENT_COMPLETED] = { "completed", { { "result", STRING } },
	    TASK_COMPLETED },
	[EVENT_BLOCKED] = { "blocked", { { "reason", STRING } }, TASK_BLOCKED },
	[EVENT_FAILED] = { "failed", { { "error", OBJECT } }, TASK_FAILED },
	[EVENT_CANCELLED] = { "cancelled", { { "reason", STRING } },
	    TASK_CANCELLED },
};
_Static_assert(sizeof(types) / sizeof(*types) == EVENT_TYPES,
    "each type of event has a row");

const char *
event_type_name(enum event_type type)
{
	return types[type].name;
}

bool
event_is_end(enum event_type type, enum task_state *ret_state)
{
	if (!task_state_final(types[type].end))
		return false;
	if (ret_state)
		*ret_state = types[type].end;
	return true;
}

/* Whether the raw members MEMBERS may have one of that name, or one in them. */
static bool
may_have(struct span members, const char *name)
{
	char quoted[64];

	(void)snprintf(quoted, sizeof(quoted), "\"%s\":", name);
	return members.length > 0 &&
	    memmem(members.at, members.length, quoted, strlen(quoted));
}

/* The "v" of an event of TYPE with these MEMBERS; NULL: of its newest form. */
static int
version_of(enum event_type type, const struct span *members)
{
	int version = types[type].since ? types[type].since : 1;
	const struct member *member;
	size_t i;

	for (i = 0; i < MEMBERS_MAX; i++) {
		member = &types[type].members[i];
		if (member->since > version &&
		    (!members || !member->optional ||
			may_have(*members, member->name)))
			version = member->since;
	}
	return version;
}

static bool
is_kind(const struct json_object *members, const struct member *member)
{
	struct span value = json_get(members, member->name);
	int64_t number;

	if (value.length == 0)
		return member->optional;
	if (member->kind == INTEGER)
		return json_whole(value, &number);
	if (member->kind == BOOLEAN)
		return *value.at == 't' || *value.at == 'f';
	return *value.at == (char)member->kind;
}

static int
check_members(const struct event *event, int64_t version, struct fail *fail)
{
	enum event_type type = event->type;
	const struct member *member;
	size_t i;

	for (i = 0; i < MEMBERS_MAX && types[type].members[i].name; i++) {
		member = &types[type].members[i];
		if (version >= member->since &&
		    !is_kind(&event->members, member))
			return fail_set(fail, FAIL_NEVER, "invalid_event",
			    "event %s: member \"%s\" is missing or of the "
			    "wrong type",
			    types[type].name, member->name);
	}
	return 0;
}

static int
read_header(struct event *event, const char *name, const char *at,
    int64_t *ret_version, struct fail *fail)
{
	int64_t version, seq;
	struct fail why;
	size_t i;

	if (!json_whole(json_get(&event->members, "v"), &version) || !name)
		return fail_set(fail, FAIL_NEVER, "invalid_event",
		    "event: member \"v\" or \"type\" is missing");
	for (i = 0; i < EVENT_TYPES; i++)
		if (types[i].name && strcmp(types[i].name, name) == 0)
			break;
	if (version < 1 ||
	    version > (i < EVENT_TYPES ? version_of((enum event_type)i, NULL)
				       : JOURNAL_VERSION))
		return fail_set(fail, FAIL_NEVER, "unknown_event",
		    "event %s has version %" PRId64 ", this program knows up "
		    "to %d: use a newer one",
		    name, version, JOURNAL_VERSION);
	if (i == EVENT_TYPES)
		return fail_set(fail, FAIL_NEVER, "unknown_event",
		    "event type \"%s\" is not known to this program: use a "
		    "newer one",
		    name);
	event->type = (enum event_type)i;
	*ret_version = version;
	if (!json_whole(json_get(&event->members, "seq"), &seq) || seq < 1 ||
	    !at)
		return fail_set(fail, FAIL_NEVER, "invalid_event",
		    "event %s: member \"seq\" or \"at\" is missing", name);
	event->seq = (uint64_t)seq;
	if (clock_parse(at, &event->at, &why) < 0 || event->at < 0)
		return fail_set(fail, FAIL_NEVER, "invalid_event",
		    "event %s: member \"at\" is not a time of 1970 to 9999",
		    name);
	return 0;
}

int
event_parse(struct span text, struct event *ret_event, struct fail *fail)
{
	struct event event = { .text = text };
	char *name, *at;
	int64_t version = 0;
	struct fail why;
	int result;

	if (json_check(text, &limits, &event.members, &why) < 0)
		return fail_set(fail, FAIL_NEVER, "invalid_event", "event: %s",
		    why.message);
	name = json_decode(json_get(&event.members, "type"));
	at = json_decode(json_get(&event.members, "at"));
	result = read_header(&event, name, at, &version, fail);
	if (result == 0)
		result = check_members(&event, version, fail);
	if (result == 0)
		*ret_event = event;
	free(name);
	free(at);
	return result;
}

/* The same, where a signal's is that of its name. */
static int
version_with(enum event_type type, const struct span *members)
{
	static const char *const new_signals[] = { "\"signal\":\"budget\"",
		"\"signal\":\"continue\"", "\"signal\":\"retry\"" };
	size_t i, length;

	if (type != EVENT_SIGNAL)
		return version_of(type, members);
	for (i = 0; i < sizeof(new_signals) / sizeof(*new_signals); i++) {
		length = strlen(new_signals[i]);
		if (members->length >= length &&
		    memcmp(members->at, new_signals[i], length) == 0)
			return 2;
	}
	return 1;
}

void
event_write(struct buf *buf, uint64_t seq, int64_t at, enum event_type type,
    const char *members, size_t length)
{
	char time[CLOCK_TEXT];

	clock_format(at, time);
	buf_print(buf,
	    "{\"v\":%d,\"seq\":%" PRIu64 ",\"at\":\"%s\",\"type\":\"%s\"",
	    version_with(type, &(struct span){ members, length }), seq, time,
	    types[type].name);
	if (length) {
		buf_add(buf, ",", 1);
		buf_add(buf, members, length);
	}
	buf_add(buf, "}", 1);
}

static void
member_name(struct buf *buf, const char *name)
{
	if (buf->length && buf->data[buf->length - 1] != '{')
		buf_add(buf, ",", 1);
	json_quote(buf, name, strlen(name));
	buf_add(buf, ":", 1);
}

void
member_string(struct buf *buf, const char *name, const char *value)
{
	member_name(buf, name);
	json_quote(buf, value, strlen(value));
}

void
member_integer(struct buf *buf, const char *name, int64_t value)
{
	uint64_t left = value < 0 ? -(uint64_t)value : (uint64_t)value;
	char digits[24], *at = digits + sizeof(digits);

	do
		*--at = (char)('0' + left % 10);
	while (left /= 10);
	if (value < 0)
		*--at = '-';
	member_name(buf, name);
	buf_add(buf, at, (size_t)(digits + sizeof(digits) - at));
}

void
member_raw(struct buf *buf, const char *name, const char *json, size_t length)
{
	member_name(buf, name);
	buf_add(buf, json, length);
}

void
member_error(struct buf *buf, const char *type, const char *message,
    const char *more)
{
	member_name(buf, "error");
	buf_add(buf, "{", 1);
	member_string(buf, "type", type);
	member_string(buf, "message", message);
	if (more)
		buf_print(buf, ",%s", more);
	buf_add(buf, "}", 1);
}

void
member_wait(struct buf *buf, enum wait_kind kind, const char *message,
    const char *until)
{
	char *reason = mem_print("%s%s%s", wait_name(kind),
	    *message ? ": " : "", message);

	member_string(buf, "reason", reason);
	if (until)
		member_string(buf, "until", until);
	member_string(buf, "for", wait_name(kind));
	member_string(buf, "message", message);
	free(reason);
}

char *
event_members(struct span members, struct json_object *ret_object)
{
	struct buf text = BUF_INIT(EVENT_MAX);
	size_t length;
	char *all;

	buf_add_string(&text, "{");
	buf_add(&text, members.at, members.length);
	buf_add_string(&text, "}");
	all = buf_detach(&text, &length);
	(void)json_object((struct span){ all, length }, ret_object);
	return all;
}

struct span
event_reason(const struct json_object *members)
{
	struct span error = json_get(members, "error");
	struct json_object object;

	if (error.length == 0)
		return json_get(members, "reason");
	(void)json_object(error, &object);
	return json_get(&object, "message");
}

bool
event_peek(struct span text, uint64_t *ret_seq, struct span *ret_type,
    int *ret_final)
{
	struct span seq, type;
	enum task_state state;
	char name[32] = "";

	if (!json_member(text, "seq", &seq) ||
	    !json_member(text, "type", &type) || type.length < 2)
		return false;
	*ret_seq = strtoull(seq.at, NULL, 10);
	*ret_type = (struct span){ type.at + 1, type.length - 2 };
	if (ret_type->length < sizeof(name))
		memcpy(name, ret_type->at, ret_type->length);
	*ret_final = task_state_parse(name, &state) && task_state_final(state)
	    ? (int)state
	    : -1;
	return true;
}
