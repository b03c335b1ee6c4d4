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

/* The parts of a block that grow by deltas. */
enum claude_part {
	CLAUDE_PART_TEXT,
	CLAUDE_PART_THINKING,
	CLAUDE_PART_SIGNATURE,
	CLAUDE_PART_INPUT,
	CLAUDE_PART_CITATIONS,
};
#define CLAUDE_PARTS (CLAUDE_PART_CITATIONS + 1)

extern const struct claude_delta {
	const char *type, *member; /* of the delta */
	const char *target;        /* the block's member that it builds */
} claude_deltas[CLAUDE_PARTS];

struct claude_block {
	struct buf json; /* as it started; when closed, as it is sent */
	struct buf parts[CLAUDE_PARTS];
	bool seen[CLAUDE_PARTS];
	int64_t index; /* its name in the stream, wherever that counts from */
	bool open, dropped;
	char *broken_input; /* why its input could not be read */
};

/* Puts the parts into the block. False when it lacks what the agent relies on. */
bool
claude_block_close(struct claude_block *block);

void
claude_block_release(struct claude_block *block);

/* The content of a reply as it is recorded (claude_content.c says how). Zero, but
 * for the maxima of the buffers; then add each block, and end. */
struct claude_content {
	struct buf json;   /* the raw array */
	struct buf broken; /* a raw object: why calls, by id, are not run; or
	                    * nothing */
	int64_t turn;      /* for made-up ids */
	uint64_t *earlier, *here; /* hashes of the ids of calls */
	size_t earlier_count, here_count, made_up;
};

/* BLOCK is valid and may be changed. BROKEN_INPUT (NULL: it is not) is why the
 * input of a call could not be read. */
void
claude_content_add(struct claude_content *content, struct buf *block,
    const char *broken_input);

void
claude_content_end(struct claude_content *content);

void
claude_content_release(struct claude_content *content);

/* TEXT gets the decoded text as it comes; may be NULL. */
struct claude_stream *
claude_stream_new(void (*text)(void *context, const char *bytes, size_t length),
    void *context);

void
claude_stream_free(struct claude_stream *stream);

/* See claude_judge_by. */
void
claude_stream_judge_by(struct claude_stream *stream, int64_t turn,
    const uint64_t *ids, size_t count);

/* False when the reply is lost and more bytes cannot help. */
bool
claude_stream_feed(struct claude_stream *stream, const char *bytes,
    size_t length);

/* How many events have come that say something: not the pings. */
uint64_t
claude_stream_events(const struct claude_stream *stream);

/* Gives the result as if the stream ended here, borrowed from the stream, and
 * without what HTTP says. May be called once. */
void
claude_stream_end(struct claude_stream *stream, struct claude_reply *ret);

/* What has to be waited for after a failure with STATUS (0: no answer); WAIT_NONE:
 * that is not all there is to it. *RET_OF_KEY: all calls with this key meet
 * it. */
enum wait_kind
claude_wait(const struct claude_reply *reply, int status, bool *ret_of_key);

#define CLAUDE_LIMIT_TEXT 40

/* One of the service's limits, as its headers tell it; "" for what they do not. */
struct claude_limit {
	char limit[CLAUDE_LIMIT_TEXT], remaining[CLAUDE_LIMIT_TEXT],
	    reset[CLAUDE_LIMIT_TEXT];
};

struct claude_limits {
	struct claude_limit requests, tokens;
};

/* Takes over what LINE, of the head of an answer, says of the limits. */
void
claude_limits_read(struct claude_limits *limits, const char *line,
    size_t length);

/* Whether little is left of what the service allows, at the wall time NOW and by
 * the answer to a request of TOKENS: calls should then leave *RET_STEP_MS apart
 * for *RET_FOR_MS. */
bool
claude_pace(const struct claude_limits *limits, int64_t tokens, int64_t now,
    int64_t *ret_step_ms, int64_t *ret_for_ms);

/* Takes over what the raw JSON object JSON has of it; other members of USAGE
 * keep their value. *WRITTEN is all that was written to the cache, -1 at first:
 * the service does not always say which part of it is of which kind. */
void
claude_usage_take(struct span json, struct claude_usage *usage,
    int64_t *written);

#endif
