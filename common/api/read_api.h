/* SPDX-License-Identifier: ISC */
/*
 * read_api: the GET routes of tasks, answered from an engine. One CGI process
 * and a resident FastCGI server answer by the same code, so with the same bytes.
 *
 *	GET /v1/tasks               state, queue, limit, before
 *	GET /v1/tasks/ID            wait (with If-None-Match)
 *	GET /v1/tasks/ID/events     after, limit, wait; or a stream, by Accept
 *	GET /v1/tasks/ID/result
 *
 *	request = read_request_new(api, env);
 *	while (request->next != READ_DONE) {
 *		... send what is in request->out, buf_reset it ...
 *		... READ_WAIT: until request->probe has changed, or UNTIL ...
 *		read_request_go_on(api, request);
 *	}
 *	... send request->out ...
 *	read_request_free(request);
 */
#ifndef COMMON_API_READ_API_H
#define COMMON_API_READ_API_H

#include "common/agent/engine.h"
#include "common/api/caller.h"
#include "common/base/buf.h"

struct read_api {                         /* what all of them share */
	const char *engine_name, *folder; /* as engine_open takes them */
	const struct config *config;
	const struct fail *broken; /* not NULL: every answer is this error */
	/* opened when they are needed, NULL at first */
	struct engine *engine;
	struct callers *callers;
};

void
read_api_close(struct read_api *api);

enum read_request_next {
	READ_DONE, /* what is in out is the end of it */
	READ_WAIT, /* until the task has changed, or until UNTIL */
	READ_MORE, /* there is more, once out is sent */
};

struct read_request {
	enum read_request_next next;
	struct buf out;               /* to be sent */
	int64_t until;                /* boot time */
	struct engine_probe probe;    /* of the task, as it was seen last */
	char user[TASK_USER_MAX + 1]; /* who asks; "" when nobody knows */
	struct fail fail; /* why it failed inside; kind 0: it did not */
	struct read_request_private *own;
};

/* Never NULL: what cannot be answered is answered with an error. ENV is not
 * used after the call. */
struct read_request *
read_request_new(struct read_api *api, char *const *env);

/* After the task has another version than request->probe, which is what was seen
 * last, or UNTIL has passed, or for what is more. */
void
read_request_go_on(struct read_api *api, struct read_request *request);

/* Instead of waiting, for want of room: an answer (503) that is all. Nothing
 * may have been sent. */
void
read_request_refuse(struct read_request *request);

/* Ends a wait before its time, as if that had come; a stream just ends. */
void
read_request_end(struct read_api *api, struct read_request *request);

void
read_request_free(struct read_request *request); /* NULL is fine */

#endif
