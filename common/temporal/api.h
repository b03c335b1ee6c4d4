/* SPDX-License-Identifier: ISC */
/*
 * temporal: calls a Temporal server's API with typed messages, those of
 * common/temporal/temporal.proto. client.h builds the common ones.
 *
 * An answer belongs to the caller and stays in place until it is released:
 *
 *	struct temporal_answer answer = { 0 };
 *
 *	if (temporal_send(temporal, TEMPORAL_DESCRIBE, &request.base,
 *	        &answer, &fail) == 0 &&
 *	    temporal_wait(temporal, &answer, &fail) == 0)
 *		(answer.message is a DescribeWorkflowExecutionResponse)
 *	temporal_answer_release(&answer);
 *
 * With a function in answer.then the caller need not wait: the loop calls it
 * with the answer. It may send, and release answers, this one too.
 */
#ifndef COMMON_TEMPORAL_API_H
#define COMMON_TEMPORAL_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <temporal.pb-c.h>

#include "common/base/buf.h"
#include "common/base/fail.h"
#include "common/base/loop.h"
#include "common/json/json.h"
#include "common/net/grpc.h"

struct temporal;

/* A value of an enumeration of temporal.proto, by the official name:
 * TEMPORAL_ENUM(TASK_QUEUE_KIND, NORMAL) is TASK_QUEUE_KIND_NORMAL. */
#define TEMPORAL_ENUM(type, name) API__##type##__##type##_##name
#define TEMPORAL_EVENT(name) TEMPORAL_ENUM(EVENT_TYPE, name)

/* The largest input, result, signal or heartbeat that a server takes by
 * default is 2 MiB; a command with more ends the workflow. */
#define TEMPORAL_BLOB_MAX (((size_t)2 << 20) - 4096)

struct temporal_options {
	const char *target;   /* "temporal://HOST:PORT/NAMESPACE"; the port and
	                       * the namespace may be left out */
	const char *identity; /* shown in histories; NULL: "PID@HOST" */
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

/* Borrowed; not const, because protobuf-c's messages want it so. */
char *
temporal_namespace(const struct temporal *temporal);

char *
temporal_identity(const struct temporal *temporal);

struct loop *
temporal_loop(struct temporal *temporal);

enum temporal_method {
	TEMPORAL_START,
	TEMPORAL_SIGNAL,
	TEMPORAL_CANCEL,
	TEMPORAL_TERMINATE,
	TEMPORAL_DELETE,
	TEMPORAL_QUERY,
	TEMPORAL_DESCRIBE,
	TEMPORAL_HISTORY,
	TEMPORAL_HISTORY_WAIT, /* GetWorkflowExecutionHistory as a long poll */
	TEMPORAL_HISTORY_REVERSE,
	TEMPORAL_LIST,
	TEMPORAL_COUNT,
	TEMPORAL_SCHEDULE_CREATE,
	TEMPORAL_SCHEDULE_DESCRIBE,
	TEMPORAL_SCHEDULE_PATCH,
	TEMPORAL_SCHEDULE_DELETE,
	TEMPORAL_SCHEDULE_LIST,
	TEMPORAL_SYSTEM_INFO,
	TEMPORAL_HEALTH,
	TEMPORAL_NAMESPACE,
	TEMPORAL_NAMESPACE_REGISTER,
	TEMPORAL_ATTRIBUTES_ADD,
	TEMPORAL_QUEUE,
	TEMPORAL_POLL_WORKFLOW,
	TEMPORAL_WORKFLOW_COMPLETED,
	TEMPORAL_WORKFLOW_FAILED,
	TEMPORAL_QUERY_COMPLETED,
	TEMPORAL_POLL_ACTIVITY,
	TEMPORAL_HEARTBEAT,
	TEMPORAL_ACTIVITY_COMPLETED,
	TEMPORAL_ACTIVITY_FAILED,
	TEMPORAL_ACTIVITY_FAILED_BY_ID,
	TEMPORAL_ACTIVITY_CANCELED,
	TEMPORAL_SHUTDOWN_WORKER,
};

struct temporal_answer {
	/* the caller's, set before: */
	void (*then)(void *context, struct temporal_answer *answer);
	void *context;
	/* filled in: */
	bool done;
	enum grpc_status status;
	bool unsent;               /* certainly never reached the server */
	ProtobufCMessage *message; /* NULL unless GRPC_OK */
	struct fail fail;          /* unless GRPC_OK */
	char run_id[64];           /* TEMPORAL_START refused: the run that has
	                            * the id; else "" */
	/* temporal's: */
	struct temporal *temporal;
	struct grpc_call *call;
	enum temporal_method method;
};

/* Sends a request, which the caller may free when it returns. All calls but
 * polls are retried after failures that can pass: each may be done twice (where
 * that matters a request_id makes it safe). Kind and type of a failure: FAIL_NO
 * "not_found", "already_exists", "query_failed"; FAIL_NEVER "no_namespace",
 * "permission", "too_large", "invalid_argument"; else FAIL_NOT_NOW. */
int
temporal_send(struct temporal *temporal, enum temporal_method method,
    const ProtobufCMessage *request, struct temporal_answer *answer,
    struct fail *fail);

/* Runs the loop until the answer is there. 0 for GRPC_OK. Must not be called
 * from then. */
int
temporal_wait(struct temporal *temporal, struct temporal_answer *answer,
    struct fail *fail);

/* Waits for MILLISECONDS, in which the loop turns. */
int
temporal_pause(struct temporal *temporal, int64_t milliseconds,
    struct fail *fail);

/* Frees its contents, and cancels the call if it is under way. The struct can
 * be used again, with the same then and context. */
void
temporal_answer_release(struct temporal_answer *answer);

/* ---- parts of messages ---- */

/* Room for one value as Temporal wraps it, and for a list with only that. */
struct temporal_payload {
	Api__Payload payload, *list[1];
	Api__Payload__MetadataEntry encoding, *metadata[1];
	Api__Payloads payloads;
};

/* STRING with the type that protobuf-c's messages have; they do not write to
 * it, although the type would let them. Borrowed; NULL is the empty string. */
char *
temporal_text(const char *string);

/* JSON text as an argument list of one; both are borrowed. */
Api__Payloads *
temporal_json(struct temporal_payload *room, struct span json);

/* The text of the JSON value INDEX in PAYLOADS (NULL is fine); false when
 * there is none or it is something else. "null" for a void result. Borrowed. */
bool
temporal_value(const Api__Payloads *payloads, size_t index,
    struct span *ret_json);

/* The JSON value under NAME in a memo or in search attributes; likewise. */
bool
temporal_memo(const Api__Memo *memo, const char *name, struct span *ret_json);

bool
temporal_attribute(const Api__SearchAttributes *attributes, const char *name,
    struct span *ret_json);

/* FAIL_NEVER, type "too_large", for what is over TEMPORAL_BLOB_MAX; WHAT is for
 * the message. */
int
temporal_check_size(struct span json, const char *what, struct fail *fail);

/* Wall milliseconds; 0 for NULL. */
int64_t
temporal_time(const Api__Timestamp *timestamp);

Api__Duration
temporal_duration(int64_t milliseconds);

/* Adds TEXT as a string of the query language of lists. */
void
temporal_quote(struct buf *buf, const char *text);

#endif
