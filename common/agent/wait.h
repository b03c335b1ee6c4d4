/* SPDX-License-Identifier: ISC */
/*
 * wait: what a task waits for. Everything that time or a person can mend is a
 * wait, and its kind tells what makes the task go on. Pure.
 */
#ifndef COMMON_AGENT_WAIT_H
#define COMMON_AGENT_WAIT_H

#include <stdbool.h>

/* The order is that of the byte in a store's rows: add at the end. */
enum wait_kind {
	WAIT_NONE,
	WAIT_RATE_LIMIT, /* a service's limit: its time */
	WAIT_OUTAGE,     /* a service that does not work: tries, ever rarer */
	WAIT_KEY,        /* what the operator has set up is refused: another
	                  * key, or a slow try that succeeds */
	WAIT_CREDIT,     /* money at the service: a slow try, or "resume" */
	WAIT_CONNECTION, /* a live account of a toolkit */
	WAIT_DECISION,   /* a person: "approve" or "deny" */
	WAIT_ANSWER,     /* a person: an answer to the model */
	WAIT_BUDGET,     /* a person: a higher budget */
	WAIT_TIME,       /* its time */
	WAIT_CHILD,      /* the task's helpers */
	WAIT_PAUSED,     /* a person: "resume" */
	WAIT_LIMIT,      /* room under a limit of ours */
	WAIT_KINDS,
};

const char *
wait_name(enum wait_kind kind); /* "rate_limit"; "" for WAIT_NONE */

/* Whether the key itself is refused, or what stands behind it. */
bool
wait_of_key(enum wait_kind kind);

/* WAIT_NONE for NULL and what is not a name. */
enum wait_kind
wait_parse(const char *name);

/* The kind that a REASON, "KIND: message", begins with. Those of journals that
 * do not tell the kind ("model: ...", "tool: ...") have one, too; for others it
 * is WAIT_TIME. *RET_MESSAGE (may be NULL) is the part of REASON that follows,
 * which may be "". */
enum wait_kind
wait_split(const char *reason, const char **ret_message);

#endif
