/* SPDX-License-Identifier: ISC */
/*
 * read_route: which route of tasks a request means, its method and parameters.
 * For read_api.c only.
 */
#ifndef COMMON_API_READ_ROUTE_H
#define COMMON_API_READ_ROUTE_H

#include "common/agent/engine.h"
#include "common/api/cgi.h"

enum route {
	ROUTE_LIST,
	ROUTE_TASK,
	ROUTE_EVENTS,
	ROUTE_RESULT,
	ROUTE_SIGNALS,
	ROUTE_NONE,
};

enum { WAIT, AFTER, LIMIT, STATE, QUEUE, BEFORE, PARAMETERS };

struct read_request_private {
	enum route route;
	struct cgi_answer answer;
	char request_id[65];
	char *id;            /* of the task */
	char *if_none_match; /* or NULL */
	char *values[PARAMETERS];
	int64_t after, limit, wait;
	bool stream;
	bool begun;       /* the headers of a stream were sent */
	int64_t deadline; /* of the wait, or of the next empty comment; 0:
	                       * not set yet */
};

/* Sets the route and the task's id. */
void
route_find(struct read_request_private *own, const char *path);

/* FAIL_NEVER, type "method_not_allowed", but for a GET or HEAD of a route that
 * reads. */
int
route_check_method(struct read_request_private *own, const char *method,
    struct fail *fail);

/* Reads the query and the headers that the route takes. FAIL_NEVER, type
 * "bad_request". */
int
route_parameters(struct read_request_private *own, char *const *env,
    struct fail *fail);

#endif
