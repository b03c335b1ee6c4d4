/* SPDX-License-Identifier: ISC */
/*
 * temporal: calls a Temporal server's API with typed messages, those of
 * common/temporal/temporal.proto. client.h builds the common ones.
 *
 * An answer belongs to the caller and stays in place until it is released:
 *
 *	struct temporal_answer answer = { 0 };
 *
 *	if (temporal_call(temporal, &request.base, &answer, &fail) == 0)
 *		(answer.message is the reply that the request gets)
 *	temporal_answer_release(&answer);
 *
 * With a function in answer.then and temporal_send the caller need not wait: the
 * loop calls it with the answer. It may send, and release answers, this one too.
 */
#ifndef COMMON_TEMPORAL_API_H
#define COMMON_TEMPORAL_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <temporal.pb-c.h>

#include "common/base/fail.h"
#include "common/base/loop.h"
#include "common/net/grpc.h"

struct temporal;

/* A value of an enumeration of temporal.proto, by the official name:
 * TEMPORAL_ENUM(TASK_QUEUE_KIND, NORMAL) is TASK_QUEUE_KIND_NORMAL. */
#define TEMPORAL_ENUM(type, name) API__##type##__##type##_##name
#define TEMPORAL_EVENT(name) TEMPORAL_ENUM(EVENT_TYPE, name)

struct temporal_options {
	const char *target;  /* "temporal://HOST:PORT/NAMESPACE"; the port and
	                       * the namespace may be left out */
	int64_t timeout_ms;  /* of a call that is no long poll; 0: 10 seconds */
	int64_t patience_ms; /* how long calls are retried; 0: 10 seconds */
	int64_t age_ms;      /* of a connection; 0: as grpc has it */
	int64_t poll_ms;     /* of a poll for tasks, which returns empty two
	                       * seconds before; 0: 70 seconds */
};

/* LOOP: NULL for one of its own. TLS and credentials come from TEMPORAL_TLS,
 * TEMPORAL_TLS_SERVER_NAME, TEMPORAL_TLS_SERVER_CA_CERT_PATH,
 * TEMPORAL_TLS_CLIENT_CERT_PATH, TEMPORAL_TLS_CLIENT_KEY_PATH and
 * TEMPORAL_API_KEY (or TEMPORAL_API_KEY_FILE) in the environment, the names
 * that Temporal's own programs use. It does not connect yet. */
int
temporal_open(struct loop *loop, const struct temporal_options *options,
    struct temporal **ret_temporal, struct fail *fail);

void
temporal_close(struct temporal *temporal); /* after all answers were released;
                                            * NULL is fine */

struct loop *
temporal_loop(struct temporal *temporal);

struct temporal_answer {
	/* the caller's, set before: */
	void (*then)(void *context, struct temporal_answer *answer);
	void *context;
	/* filled in: */
	bool done;
	enum grpc_status status;
	ProtobufCMessage *message; /* NULL unless GRPC_OK */
	struct fail fail;          /* unless GRPC_OK */
	/* temporal's: */
	struct temporal *temporal;
	struct grpc_call *call;
	const ProtobufCMethodDescriptor *method;
};

/* Sends a request of temporal.proto, which the caller may free when it returns; it
 * may borrow from the last message of ANSWER, such as the token of a page.
 * Its namespace, its identity ("PID@HOST") and a new request id are filled in
 * where these members are empty. All calls but polls are retried after failures
 * that can pass: each may be done twice, unless it has a request id. Kind and
 * type of a failure: FAIL_NO "not_found", "already_exists";
 * FAIL_NEVER "no_namespace", "permission", "too_large", "invalid_argument"; else
 * FAIL_NOT_NOW. */
int
temporal_send(struct temporal *temporal, ProtobufCMessage *request,
    struct temporal_answer *answer, struct fail *fail);

/* Runs the loop until the answer is there. 0 for GRPC_OK. Must not be called
 * from then. */
int
temporal_wait(struct temporal *temporal, struct temporal_answer *answer,
    struct fail *fail);

/* Both. */
int
temporal_call(struct temporal *temporal, ProtobufCMessage *request,
    struct temporal_answer *answer, struct fail *fail);

/* Waits for MILLISECONDS, in which the loop turns. */
int
temporal_pause(struct temporal *temporal, int64_t milliseconds,
    struct fail *fail);

/* Frees its contents, and cancels the call if it is under way. The struct can
 * be used again, with the same then and context. */
void
temporal_answer_release(struct temporal_answer *answer);

#endif
