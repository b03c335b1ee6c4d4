/* SPDX-License-Identifier: ISC */
/*
 * grpc_internal: the parts of grpc. For grpc*.c and their test only.
 */
#ifndef COMMON_NET_GRPC_INTERNAL_H
#define COMMON_NET_GRPC_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/net/curl_loop.h"
#include "common/net/grpc.h"

#define GRPC_HEAD 5 /* bytes before each message */

/* ---- grpc_wire.c: reads the bytes of an answer; pure ---- */

/* The contents of an answer's header lines so far. */
struct grpc_trailer {
	int status; /* -1: none yet; the last one counts */
	bool grpc;  /* the content is gRPC */
	struct buf message;
	struct buf details;
};

/* One line "name: value", without the line break. */
void
grpc_header(struct grpc_trailer *trailer, const char *line, size_t length);

/* The gRPC status for an HTTP answer that is not gRPC. */
enum grpc_status
grpc_http_status(int status);

/* Whether BODY is exactly one plain message; if not, *RET_FAULT says why. */
bool
grpc_body(const struct buf *body, const char **ret_fault);

/* The size that the head of a body announces; 0 before the head has come. */
size_t
grpc_announced(const struct buf *body);

/* ---- grpc.c: the channel and its connections ---- */

struct connection {
	struct grpc *grpc;
	struct connection *next;
	struct curl_loop *curl;
	int64_t born, used;
	size_t flying;
	bool up, broken;
};

struct grpc {
	struct loop *loop;
	struct connection *connections; /* the first may be given new calls */
	struct grpc_call *calls;        /* all, in order, hellos too */
	struct grpc_call *last_call;
	struct grpc_call *spare;
	size_t spare_count;
	CURLSH *share;
	char *origin, *bearer, *hello;
	char *authority_file, *certificate_file, *key_file;
	struct curl_slist *metadata, *connect_list;
	int64_t age_ms;
	size_t reply_maximum;
	bool tls, local;
	unsigned ending; /* transfers are being ended: free no connection */
};

enum call_state { CALL_WAITING, CALL_FLYING, CALL_PAUSED };

struct grpc_call {
	struct grpc *grpc;
	struct grpc_call *next, *previous;
	struct connection *connection; /* CALL_FLYING */
	enum call_state state;
	CURL *easy;
	struct curl_slist *headers;
	int64_t headers_ms; /* the time limit that they tell */
	char *path, *frame;
	size_t size;
	curl_off_t uploaded; /* as the timer saw it last */
	int64_t timeout_ms, repeat_until;
	unsigned attempt, refused, resets;
	bool hello, sent, too_large;
	struct timer timer;
	struct buf body;
	struct grpc_trailer trailer;
	void (*done)(void *context, const struct grpc_reply *reply);
	void *context;
	char error[CURL_ERROR_SIZE];
};

/* Gives waiting calls a connection, or begins to make one. */
void
grpc_pump(struct grpc *grpc);

/* ---- grpc_call.c: one call and its transfer ---- */

/* NULL when there is no memory. Not in a list yet (call_insert). */
struct grpc_call *
call_new(struct grpc *grpc);

void
call_insert(struct grpc_call *call);

/* Takes it off its connection and out of the list; done is not called. */
void
call_free(struct grpc_call *call);

/* Frees one that call_free kept for reuse. */
void
call_destroy(struct grpc_call *call);

/* Whether the call now flies on CONNECTION. */
bool
call_launch(struct grpc_call *call, struct connection *connection);

/* Takes it off its connection. */
void
call_land(struct grpc_call *call);

/* Status and text of a try that libcurl has ended. */
enum grpc_status
call_outcome(struct grpc_call *call, CURLcode code, const char **ret_message);

void
call_done(struct grpc_call *call, enum grpc_status status, const char *message);

/* Ends a try: repeats it later, or ends the call. */
void
call_failed(struct grpc_call *call, enum grpc_status status,
    const char *message);

#endif
