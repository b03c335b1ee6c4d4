/* SPDX-License-Identifier: ISC */
/*
 * A reply comes to the same wherever its stream is cut; a whole one has
 * content that can be sent back and an end that the fold can read.
 */
#include "common/provider/claude_internal.h"
#include "tests/fuzz/fuzz.h"

struct reply {
	struct claude_stream *stream;
	struct claude_reply turn;
	struct buf text;
};

static void
add_text(void *context, const char *bytes, size_t length)
{
	struct reply *reply = context;

	buf_add(&reply->text, bytes, length);
}

static void
read_by(size_t step, const char *bytes, size_t size, struct reply *reply)
{
	size_t at, part;

	*reply = (struct reply){ .text = BUF_INIT(64u << 20) };
	reply->stream = claude_stream_new(add_text, reply);
	for (at = 0; at < size; at += part) {
		part = size - at < step ? size - at : step;
		if (!claude_stream_feed(reply->stream, bytes + at, part))
			break;
	}
	claude_stream_end(reply->stream, &reply->turn);
}

static void
release(struct reply *reply)
{
	claude_stream_free(reply->stream);
	buf_release(&reply->text);
}

static void
check(const struct claude_reply *turn)
{
	cJSON *content;

	if (!turn->ok) {
		assert(*turn->error_type && turn->error_message);
		return;
	}
	content = fuzz_json(turn->content, turn->content_length);
	assert(cJSON_IsArray(content));
	assert(!memchr(turn->content, '\n', turn->content_length));
	assert(turn->stop_reason && turn->usage.output >= 0);
	cJSON_Delete(content);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *)data;
	struct reply one, other;

	read_by(size + 1, bytes, size, &one);
	check(&one.turn);
	read_by(1, bytes, size, &other);
	assert(one.turn.ok == other.turn.ok);
	assert(fuzz_same(one.text.data, other.text.data));
	if (one.turn.ok) {
		assert(strcmp(one.turn.content, other.turn.content) == 0);
		assert(
		    strcmp(one.turn.stop_reason, other.turn.stop_reason) == 0);
	} else {
		assert(fuzz_same(one.turn.error_type, other.turn.error_type));
	}
	release(&one);
	release(&other);
	return 0;
}
