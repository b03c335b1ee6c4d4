/* SPDX-License-Identifier: ISC */
/*
 * exchange: one request and its answer, as the services see them.
 *
 * The server (server.h) fills the request, and plays the answer back; the
 * services (dispatch.h) never meet the HTTP library.
 */
#ifndef CMD_STANDIN_SERVER_EXCHANGE_H
#define CMD_STANDIN_SERVER_EXCHANGE_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"

struct request {
	const char *method;
	const char *path; /* decoded, without the query */
	struct buf body;
	bool too_large;   /* the body was over its limit and is not here */
	void *connection; /* of the HTTP library, for the two below */
	char id[32];      /* "req_..." */
};

/* NULL when it was not sent; borrowed for the life of the request. */
const char *
request_header(const struct request *request, const char *name);

/* A decoded query argument, likewise. */
const char *
request_query(const struct request *request, const char *name);

#define REPLY_HEADERS 24

struct reply {
	int status;
	const char *type; /* of the content; a literal */
	struct buf body;
	char *names[REPLY_HEADERS], *values[REPLY_HEADERS];
	size_t header_count;

	/* An event stream: where each event ends in the body. */
	size_t *ends;
	size_t end_count;
	int64_t drip_ms; /* wait before each event */
	long cut;        /* ends after so many events; -1: not */

	int64_t delay_ms; /* wait before the first byte goes out */
	bool reset;       /* no answer: the connection is reset */
};

void
reply_init(struct reply *reply);

void
reply_release(struct reply *reply);

/* Both are copied; headers beyond the limit are dropped. */
void
reply_header(struct reply *reply, const char *name, const char *value);

/* Adds JSON, which is freed, to the body. */
void
reply_json(struct reply *reply, cJSON *json);

/* Marks the end of an event at the end of the body. */
void
reply_event_end(struct reply *reply);

/* The treatment of a request before it is answered. */
struct arrival {
	int64_t delay_ms;  /* wait before it is carried out */
	bool hang;         /* no answer until the client has gone */
	bool reset;        /* reset at once, nothing is carried out */
	const void *fault; /* struct fault, kept for the answer, or NULL */
};

#endif
