/* SPDX-License-Identifier: ISC */
/*
 * read_api: answers the GET routes of tasks from an engine. A CGI process and
 * the resident FastCGI server use the same code, so they answer with the same
 * bytes.
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

struct read_api {                         /* shared by all requests */
	const char *engine_name, *folder; /* as engine_open takes them */
	const struct config *config;
	const struct fail *broken; /* not NULL: every answer is this error */
	/* opened when they are first needed, NULL before */
	struct engine *engine;
	struct callers *callers;
};

void
read_api_close(struct read_api *api);

enum read_request_next {
	READ_DONE, /* the answer ends with what is in out */
	READ_WAIT, /* wait until the task has changed, or until UNTIL */
	READ_MORE, /* there is more, once out is sent */
};

struct read_request {
	enum read_request_next next;
	struct buf out;               /* to be sent */
	int64_t until;                /* boot time */
	struct engine_probe probe;    /* of the task, as it was seen last */
	char user[TASK_USER_MAX + 1]; /* the caller; "" when not known */
	struct fail fail;             /* the internal error; kind 0: none */
	struct read_request_private *own;
};

/* Never NULL: a bad request is answered with an error. ENV is not used after
 * the call. */
struct read_request *
read_request_new(struct read_api *api, char *const *env);

/* Continues a request: when the task's version is no longer that of
 * request->probe, or UNTIL has passed, or next is READ_MORE. */
void
read_request_go_on(struct read_api *api, struct read_request *request);

/* Answers with 503, because too many requests wait; nothing may have been sent
 * before. */
void
read_request_refuse(struct read_request *request);

/* Ends a wait early, as if its time were over; a stream just ends. */
void
read_request_end(struct read_api *api, struct read_request *request);

void
read_request_free(struct read_request *request); /* NULL is fine */

/* ---- what carries them ---- */

/* Answers the request in environ on standard output. AGENT_GATEWAY_WAITING
 * (64) processes may wait or stream at once, which is counted in
 * AGENT_GATEWAY_FOLDER when that is set. Internal errors are logged. */
int
cgi_once(struct read_api *api, struct fail *fail);

/* Answers the requests on the listening socket on descriptor 0, until SIGTERM,
 * SIGINT or SIGUSR1; then it ends those that wait, and returns 0.
 * AGENT_GATEWAY_WAITING (1024) requests may wait or stream at once, a quarter
 * of them of one caller. */
int
fastcgi_serve(struct read_api *api, struct fail *fail);

#endif
