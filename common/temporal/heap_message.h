/* SPDX-License-Identifier: ISC */
/*
 * heap_message: messages that are built on the heap piece by piece, and freed as
 * those that were received, with protobuf-c's free_unpacked.
 */
#ifndef COMMON_TEMPORAL_HEAP_MESSAGE_H
#define COMMON_TEMPORAL_HEAP_MESSAGE_H

#include "common/temporal/api.h"

/* An empty message: HEAP_NEW(task_queue) is an Api__TaskQueue. */
#define HEAP_NEW(type) heap_message(&api__##type##__descriptor)

void *
heap_message(const ProtobufCMessageDescriptor *descriptor);

void *
heap_copy(const ProtobufCMessage *message);

/* An array of one pointer. */
void *
heap_one(void *item);

/* JSON text as a value. */
Api__Payload *
heap_json(struct span json);

/* A string as a value. */
Api__Payload *
heap_string(const char *text, size_t length);

/* JSON text as an argument list of one. */
Api__Payloads *
heap_payloads(struct span json);

Api__Duration *
heap_duration(int64_t milliseconds);

#endif
