/* SPDX-License-Identifier: ISC */
/*
 * reading: the GET routes of tasks, answered from an engine. One CGI process
 * and a resident responder answer by the same code, so with the same bytes.
 *
 *	GET /v1/tasks               state, queue, limit, before
 *	GET /v1/tasks/ID            wait (with If-None-Match)
 *	GET /v1/tasks/ID/events     after, limit, wait; or a stream, by Accept
 *	GET /v1/tasks/ID/result
 *
 *	reading = reading_new(readings, env);
 *	while (reading->next != READING_DONE) {
 *		... send what is in reading->out, buf_reset it ...
 *		... READING_WAIT: until reading->probe has changed, or UNTIL ...
 *		reading_go_on(readings, reading);
 *	}
 *	... send reading->out ...
 *	reading_free(reading);
 */
#ifndef COMMON_API_READ_API_H
#define COMMON_API_READ_API_H

#include "common/agent/engine.h"
#include "common/api/caller.h"
#include "common/base/buf.h"

struct readings {                         /* what all of them share */
	const char *engine_name, *folder; /* as engine_open takes them */
	const struct config *config;
	const struct fail *broken; /* not NULL: every answer is this error */
	/* opened when they are needed, NULL at first */
	struct engine *engine;
	struct callers *callers;
};

void
readings_close(struct readings *readings);

enum reading_next {
	READING_DONE, /* what is in out is the end of it */
	READING_WAIT, /* until the task has changed, or until UNTIL */
	READING_MORE, /* there is more, once out is sent */
};

struct reading {
	enum reading_next next;
	struct buf out;               /* to be sent */
	int64_t until;                /* boot time */
	struct engine_probe probe;    /* of the task, as it was seen last */
	char user[TASK_USER_MAX + 1]; /* who asks; "" when nobody knows */
	struct fail fail; /* why it failed inside; kind 0: it did not */
	struct reading_private *own;
};

/* Never NULL: what cannot be answered is answered with an error. ENV is not
 * used after the call. */
struct reading *
reading_new(struct readings *readings, char *const *env);

/* After the task has another version than reading->probe, which is what was seen
 * last, or UNTIL has passed, or for what is more. */
void
reading_go_on(struct readings *readings, struct reading *reading);

/* Instead of waiting, for want of room: an answer (503) that is all. Nothing
 * may have been sent. */
void
reading_refuse(struct reading *reading);

/* Ends a wait before its time, as if that had come; a stream just ends. */
void
reading_end(struct readings *readings, struct reading *reading);

void
reading_free(struct reading *reading); /* NULL is fine */

#endif
