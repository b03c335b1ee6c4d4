/* SPDX-License-Identifier: ISC */
/*
 * journal: the events of a task, as JSON text, one object each.
 * Pure. agent-journal(5) describes every event and its members.
 *
 *	{"v":1,"seq":7,"at":"2026-11-23T20:01:02.345Z","type":"tool.started",...}
 *
 * How the format changes. A new type, or a new required member of a type, gets
 * the next number as its `since` in the table of journal.c; JOURNAL_VERSION
 * becomes that number. An event's "v" is the newest `since` of its own type and
 * members (of an optional one, when it is there; of a signal, that of its name),
 * so that an older program refuses only the tasks that hold something new. The
 * reader keeps reading every older version (a member is not asked of events from
 * before its `since`), and tests/data/journals keeps a journal of each. A program
 * refuses an event that it does not know (FAIL_NEVER, type
 * "unknown_event") instead of skipping it: a journal that is only partly
 * understood gives a wrong state.
 */
#ifndef COMMON_AGENT_JOURNAL_H
#define COMMON_AGENT_JOURNAL_H

#include <stdint.h>

#include "common/agent/task.h"
#include "common/agent/wait.h"
#include "common/base/buf.h"
#include "common/base/fail.h"
#include "common/json/json.h"

#define JOURNAL_VERSION 2     /* the newest `since` */
#define EVENT_MAX (96u << 20) /* bytes of one event */

enum event_type {
	EVENT_SUBMITTED,     /* task */
	EVENT_PINNED,        /* request, tools, read_tool: see pins.h */
	EVENT_STARTED,       /* worker, fence: a worker took the lease */
	EVENT_RELEASED,      /* worker, reason: the lease ended, task goes on */
	EVENT_MODEL_STARTED, /* turn, attempt; date: the day that the model is
	                      * told */
	EVENT_MODEL_REPLIED, /* turn, content (raw), stop_reason, usage, broken
	                      * when calls in it are not run, ... */
	EVENT_MODEL_FAILED,  /* turn, attempt, error, delay_ms when retried,
	                       * wait (a kind) when that is no attempt */
	EVENT_TOOL_STARTED,  /* call, tool, attempt: the intent; settle_ms: how
	                      * long it may be under way */
	EVENT_TOOL_FINISHED, /* call, block (raw tool_result), is_error, whole;
	                      * evidence: as the service's log has it */
	EVENT_TOOL_FAILED,   /* call, attempt, error: certainly not executed;
	                       * delay_ms when retried, wait (a kind) when that is
	                       * no attempt, connection for that of a toolkit */
	EVENT_TOOL_UNKNOWN,  /* call, attempt, error, sent_at: nobody knows if
	                       * it happened; what the model is told is the
	                       * tool.finished that follows */
	EVENT_EVIDENCE, /* call, attempt, message: what the service's log says
	                   * of a call in doubt proves nothing; delay_ms: it may
	                   * be asked again */
	EVENT_ACCOUNT, /* toolkit, account: the live one, for calls from now on;
	                  * or without an account message, delay_ms: none */
	EVENT_COMPACTED, /* turn, by, content (raw), kept, usage: the messages
	                     * before the last ones are replaced by content;
	                     * bytes: results are cut */
	EVENT_CLOCK,     /* stepped_ms: by so much the clock was set forward */
	EVENT_USER_MESSAGE, /* content (raw), reason: our message to the model */
	EVENT_SIGNAL,       /* signal, by, and its own members */
	EVENT_WAITING,      /* reason, until, for (a kind), message, toolkit,
	                     * call, link, decisions */
	EVENT_COMPLETED,    /* result */
	EVENT_BLOCKED,      /* reason */
	EVENT_FAILED,       /* error */
	EVENT_CANCELLED,    /* reason */
	EVENT_TYPES,        /* how many; the order means nothing */
};

struct event {
	uint64_t seq; /* from 1, without gaps */
	int64_t at;   /* wall milliseconds */
	enum event_type type;
	struct span text; /* the whole object, borrowed from the caller */
	struct json_object members; /* of it */
};

const char *
event_type_name(enum event_type type); /* "tool.started" */

/* Whether an event of TYPE ends its task: then *ret_state (may be NULL) is the
 * state that it ends in. */
bool
event_is_end(enum event_type type, enum task_state *ret_state);

/* Reads one event; TEXT must outlive it. Every required member of its type is
 * checked: FAIL_NEVER, type "invalid_event" or "unknown_event". */
int
event_parse(struct span text, struct event *ret_event, struct fail *fail);

/* Writes an event: the header, then MEMBERS, which is a list of further
 * members as raw JSON without braces (`"turn":1,"attempt":2`) or "". */
void
event_write(struct buf *buf, uint64_t seq, int64_t at, enum event_type type,
    const char *members, size_t length);

/* Helpers for building MEMBERS, or an object that begins with "{" in BUF: each
 * adds a comma first where one is due. */
void
member_string(struct buf *buf, const char *name, const char *value);

void
member_integer(struct buf *buf, const char *name, int64_t value);

void
member_raw(struct buf *buf, const char *name, const char *json, size_t length);

/* "error":{...}; MORE (NULL: none) are further members of it. */
void
member_error(struct buf *buf, const char *type, const char *message,
    const char *more);

/* Adds the members of "waiting" that every wait has; UNTIL is a time as a journal
 * has it, NULL for a wait that does not end by itself. */
void
member_wait(struct buf *buf, enum wait_kind kind, const char *message,
    const char *until);

/* Reads a list of MEMBERS as an object; the caller frees the text, from which
 * *RET_OBJECT borrows. */
char *
event_members(struct span members, struct json_object *ret_object);

/* The message of an event's error, or else its reason: raw JSON. */
struct span
event_reason(const struct json_object *members);

/* Reads an event's number and type, and the state in which it ends the task (or
 * -1), without parsing all of its text. False when it has no number and
 * type. */
bool
event_peek(struct span text, uint64_t *ret_seq, struct span *ret_type,
    int *ret_final);

#endif
