/* SPDX-License-Identifier: ISC */
/*
 * message: the parts of Temporal's messages. Messages are built on the heap piece
 * by piece, and freed as those that were received, with protobuf-c's
 * free_unpacked; or on the stack, from parts that are borrowed.
 */
#ifndef COMMON_TEMPORAL_MESSAGE_H
#define COMMON_TEMPORAL_MESSAGE_H

#include "common/json/json.h"
#include "common/temporal/api.h"

/* The largest input, result, signal or heartbeat that a server takes by
 * default is 2 MiB; a command with more ends the workflow. */
#define TEMPORAL_BLOB_MAX (((size_t)2 << 20) - 4096)

/* FAIL_NEVER, type "too_large", for what is over TEMPORAL_BLOB_MAX; WHAT is for
 * the message. */
int
temporal_check_size(size_t size, const char *what, struct fail *fail);

/* ---- reading ---- */

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

/* Wall milliseconds; 0 for NULL. */
int64_t
temporal_time(const Api__Timestamp *timestamp);

/* ---- building ---- */

/* STRING with the type that protobuf-c's messages have; they do not write to
 * it, although the type would let them. Borrowed; NULL is the empty string. */
char *
temporal_text(const char *string);

/* Adds TEXT as a string of the query language of lists. */
void
temporal_quote(struct buf *buf, const char *text);

/* An empty message: HEAP_NEW(task_queue) is an Api__TaskQueue. */
#define HEAP_NEW(type) heap_message(&api__##type##__descriptor)

void *
heap_message(const ProtobufCMessageDescriptor *descriptor);

void *
heap_copy(const ProtobufCMessage *message);

/* LIST, which may be NULL, with ITEM behind its COUNT others. */
void *
heap_append(void *list, size_t *count, void *item);

/* JSON text as a value. */
Api__Payload *
heap_json(struct span json);

Api__Payload *
heap_string(const char *text);

/* JSON text as an argument list of one. */
Api__Payloads *
heap_payloads(struct span json);

Api__Duration *
heap_duration(int64_t milliseconds);

Api__TaskQueue *
heap_queue(char *name); /* taken over */

/* The failure of something that is done for an application; DETAILS, which may
 * be NULL, are taken over. */
Api__Failure *
heap_failure(const char *type, const char *message, Api__Payloads *details);

/* Sets the value of NAME; it is taken over. */
void
heap_set_memo(Api__Memo *memo, const char *name, Api__Payload *value);

void
heap_set_attribute(Api__SearchAttributes *attributes, const char *name,
    Api__Payload *value);

#endif
