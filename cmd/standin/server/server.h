/* SPDX-License-Identifier: ISC */
/*
 * server: HTTP/1.1 by libmicrohttpd, the only module that knows it.
 *
 * The server fills a request, and plays the answer back; the services never
 * meet the HTTP library. Requests are answered by a pool of threads. None of
 * them ever sleeps: a delay suspends the connection, and a timer thread
 * resumes it.
 */
#ifndef CMD_STANDIN_SERVER_SERVER_H
#define CMD_STANDIN_SERVER_SERVER_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/fail.h"

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

struct server;

struct server_options {
	const char *address; /* of the interface, numeric: "127.0.0.1" */
	uint16_t port;       /* 0: any free one */
	unsigned threads;
	size_t body_maximum;
	/* A request has arrived whole: what happens first. */
	void (*arrive)(void *context, struct request *request,
	    struct arrival *ret_arrival);
	/* Carries it out. Called by many threads at once. */
	void (*answer)(void *context, struct request *request,
	    const struct arrival *arrival, struct reply *reply);
	void *context;
};

/* FAIL_NOT_NOW when the port is taken, FAIL_NEVER for a bad address. */
int
server_start(const struct server_options *options, struct server **ret_server,
    struct fail *fail);

uint16_t
server_port(const struct server *server);

/* Ends every connection, waits for the threads. NULL is fine. */
void
server_stop(struct server *server);

struct timer;

int
timer_start(struct timer **ret_timer, struct fail *fail);

/* Calls CALL(ARGUMENT) in DELAY milliseconds, in the timer's thread. When the
 * timer is already ending it is called at once. */
void
timer_add(struct timer *timer, int64_t delay, void (*call)(void *argument),
    void *argument);

/* Calls what is still waiting, at once; what is added from now on is called at
 * once, too. The thread ends. */
void
timer_drain(struct timer *timer);

void
timer_free(struct timer *timer); /* after timer_drain; NULL is fine */

#endif
