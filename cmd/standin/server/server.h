/* SPDX-License-Identifier: ISC */
/*
 * server: HTTP/1.1 by libmicrohttpd, the only module that knows it.
 *
 * Requests are answered by a pool of threads. None of them ever sleeps: a
 * delay suspends the connection, and a timer thread resumes it.
 */
#ifndef CMD_STANDIN_SERVER_SERVER_H
#define CMD_STANDIN_SERVER_SERVER_H

#include "cmd/standin/server/exchange.h"
#include "common/base/fail.h"

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

#endif
