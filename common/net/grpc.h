/* SPDX-License-Identifier: ISC */
/*
 * grpc: unary gRPC calls, long polls among them, over libcurl's HTTP/2 in a
 * struct loop. Beside http, the only module that knows libcurl.
 *
 * One grpc is a channel to one server. Its connection is made when the first
 * call needs it, and is replaced before the server ends it because of its age,
 * and after it broke. A call that was started ends with exactly one call of
 * done, unless it is cancelled first; then done is not called. done is called
 * from the loop, and may start and cancel calls, but neither close the channel
 * nor run the loop.
 *
 *	frame = grpc_frame(size, &message);
 *	(write SIZE bytes to message)
 *	grpc_start(grpc, &(struct grpc_request){ .frame = frame, ... }, ...);
 */
#ifndef COMMON_NET_GRPC_H
#define COMMON_NET_GRPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/fail.h"
#include "common/base/loop.h"

struct grpc;
struct grpc_call;

enum grpc_status {
	GRPC_OK,
	GRPC_CANCELLED,
	GRPC_UNKNOWN,
	GRPC_INVALID_ARGUMENT,
	GRPC_DEADLINE_EXCEEDED,
	GRPC_NOT_FOUND,
	GRPC_ALREADY_EXISTS,
	GRPC_PERMISSION_DENIED,
	GRPC_RESOURCE_EXHAUSTED,
	GRPC_FAILED_PRECONDITION,
	GRPC_ABORTED,
	GRPC_OUT_OF_RANGE,
	GRPC_UNIMPLEMENTED,
	GRPC_INTERNAL,
	GRPC_UNAVAILABLE,
	GRPC_DATA_LOSS,
	GRPC_UNAUTHENTICATED,
};

/* A member that is NULL or 0 is not used, unless its comment says otherwise.
 * Everything is copied. */
struct grpc_options {
	const char *address; /* "HOST:PORT", "[::1]:PORT" */
	bool tls;
	const char *server_name;    /* in its certificate; NULL: HOST */
	const char *authority_file; /* PEM files: who signs servers, and our */
	const char *certificate_file; /* own certificate and key */
	const char *key_file;
	const char *bearer; /* a secret token; needs TLS off loopback */
	const char *const *metadata; /* "name: value", ends with NULL */
	const char *hello;           /* path of a harmless method that takes an
	                               * empty message; opens each connection */
	int64_t age_ms;              /* no new call on an older connection;
	                               * 0: 4 minutes */
	size_t reply_maximum;        /* 0: 128 MiB */
};

/* Connects to nothing yet. FAIL_NEVER for options that cannot work. */
int
grpc_open(struct loop *loop, const struct grpc_options *options,
    struct grpc **ret_grpc, struct fail *fail);

void
grpc_close(struct grpc *grpc); /* cancels what is under way; NULL is fine */

/* Room for a request: the block for grpc_request.frame, and in *RET_MESSAGE
 * its part for a message of SIZE bytes. */
char *
grpc_frame(size_t size, uint8_t **ret_message);

struct grpc_reply;

struct grpc_request {
	const char *path;   /* "/package.Service/Method"; copied */
	char *frame;        /* of grpc_frame; taken over and freed */
	size_t size;        /* of the message */
	int64_t timeout_ms; /* of one try, told to the server */
	int64_t repeat_ms;  /* failures that can pass are retried until the call
	                     * is this old; for calls that may be done twice */
	void (*done)(void *context, const struct grpc_reply *reply);
	void *context;
};

struct grpc_reply {
	enum grpc_status status;
	const char *message; /* for people, "" when GRPC_OK; not clean */
	const uint8_t *body; /* the reply's message, when GRPC_OK */
	size_t size;
	const uint8_t *details; /* a google.rpc.Status, when there is one */
	size_t details_size;
	bool unsent; /* certainly never reached the server */
};                   /* all borrowed until done returns */

/* FAIL_NEVER, type "too_large", for a message over the limit. The returned call
 * is valid until done is called or it is cancelled. */
int
grpc_start(struct grpc *grpc, const struct grpc_request *request,
    struct grpc_call **ret_call, struct fail *fail);

void
grpc_cancel(struct grpc_call *call); /* NULL is fine */

/* Milliseconds to wait after the failed try ATTEMPT (from 1), jitter
 * included; -1 when a retry cannot help. For callers that retry by themselves,
 * such as polls. */
int64_t
grpc_delay(enum grpc_status status, unsigned attempt);

/* "NOT_FOUND" and so on. */
const char *
grpc_status_name(enum grpc_status status);

#endif
