/* SPDX-License-Identifier: ISC */
/*
 * claude_internal: puts the event stream of one reply together. For claude*.c
 * and their tests.
 *
 * Feed it bytes as they come, and get the result at the end. A reply counts
 * only when its last event has come and every block is closed.
 */
#ifndef COMMON_PROVIDER_CLAUDE_INTERNAL_H
#define COMMON_PROVIDER_CLAUDE_INTERNAL_H

#include "common/json/span.h"
#include "common/provider/claude.h"

#define CLAUDE_REPLY_MAX (32u << 20) /* bytes of all blocks of one reply */

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

/* Gives the result as if the stream ended here, borrowed from the stream, and
 * without what HTTP says. May be called once. */
void
claude_stream_end(struct claude_stream *stream, struct claude_reply *ret);

/* Takes over what the raw JSON object JSON has of it; other members of USAGE
 * keep their value. *WRITTEN is all that was written to the cache, -1 at first:
 * the service does not always say which part of it is of which kind. */
void
claude_usage_take(struct span json, struct claude_usage *usage,
    int64_t *written);

#endif
