/* SPDX-License-Identifier: ISC */
/*
 * claude_stream: puts the event stream of one reply together. For claude.c.
 *
 * Feed it bytes as they come, and get the result at the end. A reply counts
 * only when its last event has come and every block is closed.
 */
#ifndef COMMON_PROVIDER_CLAUDE_STREAM_H
#define COMMON_PROVIDER_CLAUDE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/provider/claude_usage.h"

#define CLAUDE_REPLY_MAX (32u << 20) /* bytes of all blocks of one reply */

struct claude_turn { /* borrowed from the stream */
	bool complete;
	const char *content; /* when complete: raw JSON array */
	size_t content_length;
	const char *stop_reason, *stop_details; /* "" when null */
	const char *message_id, *model;         /* "" when none came */
	struct claude_usage usage;
	/* when not complete */
	const char *error_type, *error_message, *error_code;
	bool error_sent; /* the service sent it as an event */
};

struct claude_stream;

/* TEXT gets the decoded text as it comes; may be NULL. */
struct claude_stream *
claude_stream_new(void (*text)(void *context, const char *bytes, size_t length),
    void *context);

void
claude_stream_free(struct claude_stream *stream);

/* False when the reply is lost and more bytes cannot help. */
bool
claude_stream_feed(struct claude_stream *stream, const char *bytes,
    size_t length);

/* Gives the result as if the stream ended here. May be called once. */
void
claude_stream_end(struct claude_stream *stream, struct claude_turn *ret);

#endif
