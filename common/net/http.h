/* SPDX-License-Identifier: ISC */
/*
 * http: HTTP requests by libcurl's multi interface in a struct loop. It and
 * grpc are the modules that know libcurl; only programs that speak HTTP link
 * them.
 *
 * One http holds the connections (kept alive, reused). A request that was
 * started ends with exactly one call of done, unless it is cancelled first;
 * then done is not called. Nothing is retried here and no redirect is
 * followed. Credentials are sent in headers and never appear in an error or a
 * log: a secret that the answer quotes is struck out of it (secret.h), but for
 * the pieces of a streamed one.
 */
#ifndef COMMON_NET_HTTP_H
#define COMMON_NET_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/backoff.h"
#include "common/base/buf.h"
#include "common/base/fail.h"
#include "common/base/loop.h"

struct http;
struct http_call;
struct http_answer;

struct http_request {
	const char *method;         /* "GET", "POST" */
	const char *url;            /* http: is refused off loopback, but for
	                             * the host of http_plain */
	const char *const *headers; /* "name: value", ends with NULL */
	char *body;                 /* NULL: none; taken over and freed */
	size_t body_length;
	int64_t idle_ms;     /* no byte for so long ends it; 0: 60000 */
	int64_t total_ms;    /* 0: no limit */
	size_t body_maximum; /* of the answer; 0: 64 MiB */
	bool cut;  /* a body that is longer is read, and what is over the
	                      * maximum is dropped; else it ends the call */
	bool once; /* has an effect: it is not sent over a connection
	                             * that the server may be about to close */
	/* The boot time from which on it is not sent: read when the connection
	 * is up, so it may move; it must be there until done or the cancel.
	 * NULL: none */
	const int64_t *not_after;

	/* For a streamed answer (status 2xx): called with each piece as it
	 * comes, which is then not gathered in the answer's body. Returning
	 * false ends the call as HTTP_ABORTED. May be NULL. */
	bool (*piece)(void *context, const char *bytes, size_t length);

	/* Called with each line of the answer's head, without its end. May be
	 * NULL. */
	void (*header)(void *context, const char *line, size_t length);

	void (*done)(void *context, const struct http_answer *answer);
	void *context;
};

enum http_outcome {
	HTTP_ANSWERED, /* a status and the whole body came */
	HTTP_NOT_SENT, /* certainly never reached the server: no address, no
	                 * connection, refused TLS; or, over HTTP/2, the server
	                 * said that it did not process it */
	HTTP_CUT,      /* ended after the request may have been read: reset,
	                 * time-out, body too large, cut short */
	HTTP_ABORTED,  /* piece returned false */
};

struct http_answer {
	enum http_outcome outcome;
	int status;       /* 0 when none came; may be there when cut */
	const char *body; /* NUL-terminated; borrowed until done returns */
	size_t body_length;
	size_t body_cut;        /* bytes that were dropped */
	bool late;              /* HTTP_NOT_SENT: not_after was over */
	const char *error;      /* for people, "" when HTTP_ANSWERED */
	struct http_call *call; /* for http_header */
};

/* Servers are verified against the system's certificates, or those of the file
 * that SSL_CERT_FILE names; https_proxy and no_proxy hold, but not for
 * loopback. SIGPIPE is ignored in the whole process from here on. */
int
http_open(struct loop *loop, struct http **ret_http, struct fail *fail);

/* HOST (copied; NULL: none) may be spoken to without TLS. */
void
http_plain(struct http *http, const char *host);

void
http_close(struct http *http); /* cancels what is under way; NULL is fine */

struct loop *
http_loop(struct http *http);

/* Starts the request; everything in it is copied but the body, which is taken
 * over even on failure. FAIL_NEVER for a bad URL. The returned call is valid
 * until done was called or it is cancelled. Callbacks are called from the
 * loop, never from within http_start. */
int
http_start(struct http *http, const struct http_request *request,
    struct http_call **ret_call, struct fail *fail);

void
http_cancel(struct http_call *call);

/* A header of the answer (the last one of that name), or NULL. Only within
 * piece and done; borrowed until they return. */
const char *
http_header(struct http_call *call, const char *name);

/* Likewise, the one at INDEX, from 0, of those of that name. */
const char *
http_header_at(struct http_call *call, const char *name, size_t index);

/* What backoff has to know of the answer; status 0 when it is not whole. Only
 * within done, as the headers are. */
struct backoff_answer
http_backoff(const struct http_answer *answer);

/* Adds the beginning of a body that should be JSON and is not (the page of a
 * proxy, for example) for a message: one line of ASCII, without tags. */
void
http_excerpt(struct buf *buf, const char *body, size_t length);

/* Whether a key may be sent to this URL: FAIL_NEVER, type "invalid_url" or
 * "insecure_url", when not. PLAIN: as for http_plain. */
int
http_check_url(const char *text, const char *plain, bool *ret_loopback,
    bool *ret_secure, struct fail *fail);

/* Adds TEXT percent-encoded as a component of a URL (all but unreserved). */
void
http_escape(struct buf *buf, const char *text);

#endif
