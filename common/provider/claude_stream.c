/* SPDX-License-Identifier: ISC */
/*
 * How claude_stream works: a block that the model wrote is sent back to it with
 * every later request, and must then be unchanged: signatures and the prompt
 * cache are bound to it, and a block may have members that are not known here.
 * So a block is stored as the bytes with which it started, and its deltas are
 * spliced into these bytes at the end: pieces of a string are joined in their
 * escaped form, as they came. Nothing is printed again.
 *
 * Text that json_check would refuse is repaired (json_repair), but the pieces of a
 * string are joined as they came, because two of them may each have half of a
 * surrogate pair. Only a string that is still invalid when it is complete is
 * repaired.
 */
#include "common/provider/claude_internal.h"

#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/json/json.h"
#include "common/net/sse.h"

#define BLOCKS_MAX 4096

enum part {
	PART_TEXT,
	PART_THINKING,
	PART_SIGNATURE,
	PART_INPUT,
	PART_CITATIONS,
};
#define PARTS (PART_CITATIONS + 1)

static const struct delta {
	const char *type, *member; /* of the delta */
	const char *target;        /* the block's member that it builds */
} deltas[] = {
	[PART_TEXT] = { "text_delta", "text", "text" },
	[PART_THINKING] = { "thinking_delta", "thinking", "thinking" },
	[PART_SIGNATURE] = { "signature_delta", "signature", "signature" },
	[PART_INPUT] = { "input_json_delta", "partial_json", "input" },
	[PART_CITATIONS] = { "citations_delta", "citation", "citations" },
};
_Static_assert(sizeof(deltas) / sizeof(*deltas) == PARTS,
    "each part has a row");

struct block {
	struct buf json; /* as it started; when closed, as it is sent */
	struct buf parts[PARTS];
	bool seen[PARTS];
	bool open;
};

/* An event as it was repaired (often the same as RAW), and RAW as it came. */
struct received {
	const char *text, *raw;
	struct json_object members; /* of the text */
};

struct claude_stream {
	struct sse sse;
	void (*text)(void *context, const char *bytes, size_t length);
	void *context;
	struct block *blocks;
	size_t block_count;
	size_t held; /* bytes in all blocks */
	struct buf content;
	char *message_id, *model, *stop_reason, *stop_details;
	char *error_type, *error_message, *error_code;
	struct claude_usage usage;
	int64_t cache_write; /* see claude_usage_take */
	bool started, stopped, error_sent, broken_input;
};

struct claude_stream *
claude_stream_new(void (*text)(void *context, const char *bytes, size_t length),
    void *context)
{
	struct claude_stream *stream = mem_alloc(sizeof(*stream));

	sse_init(&stream->sse, CLAUDE_REPLY_MAX);
	stream->content = BUF_INIT(CLAUDE_REPLY_MAX + BLOCKS_MAX + 2);
	stream->text = text;
	stream->context = context;
	stream->cache_write = -1;
	return stream;
}

void
claude_stream_free(struct claude_stream *stream)
{
	size_t i, part;

	if (stream == NULL)
		return;
	for (i = 0; i < stream->block_count; i++) {
		buf_release(&stream->blocks[i].json);
		for (part = 0; part < PARTS; part++)
			buf_release(&stream->blocks[i].parts[part]);
	}
	free(stream->blocks);
	sse_release(&stream->sse);
	buf_release(&stream->content);
	free(stream->message_id);
	free(stream->model);
	free(stream->stop_reason);
	free(stream->stop_details);
	free(stream->error_type);
	free(stream->error_message);
	free(stream->error_code);
	free(stream);
}

/* The first error counts. Returns false. */
static bool
broken(struct claude_stream *stream, const char *type, const char *message)
{
	if (stream->error_type == NULL) {
		stream->error_type = mem_string(type);
		stream->error_message = mem_string(message);
	}
	return false;
}

static bool
nonsense(struct claude_stream *stream, const char *message)
{
	return broken(stream, "invalid_stream", message);
}

/* Keeps what is there when VALUE is no string. */
static void
replace_string(char **place, struct span value)
{
	char *string = json_decode(value);

	if (string == NULL)
		return;
	free(*place);
	*place = string;
}

static bool
is_string(struct span value)
{
	return value.length > 0 && *value.at == '"';
}

static bool
hold(struct claude_stream *stream, struct buf *buf, const char *bytes,
    size_t length)
{
	stream->held += length;
	if (stream->held > CLAUDE_REPLY_MAX)
		return broken(stream, "reply_too_large",
		    "the reply is longer than 32 MiB");
	buf_add(buf, bytes, length);
	return true;
}

static void
show_text(struct claude_stream *stream, struct span value)
{
	char *text = stream->text != NULL ? json_decode(value) : NULL;

	if (text != NULL && *text != '\0')
		stream->text(stream->context, text, strlen(text));
	free(text);
}

static bool
message_start(struct claude_stream *stream, const struct received *event)
{
	struct json_object message;

	if (!json_object(json_get(&event->members, "message"), &message) ||
	    stream->started)
		return nonsense(stream, "a message_start out of place");
	stream->started = true;
	replace_string(&stream->message_id, json_get(&message, "id"));
	replace_string(&stream->model, json_get(&message, "model"));
	claude_usage_take(json_get(&message, "usage"), &stream->usage,
	    &stream->cache_write);
	return true;
}

static bool
block_start(struct claude_stream *stream, const struct received *event)
{
	struct span value = json_get(&event->members, "content_block");
	struct json_object start;
	struct block *block;
	int64_t index;
	size_t part;

	if (!stream->started ||
	    !json_whole(json_get(&event->members, "index"), &index) ||
	    index != (int64_t)stream->block_count || index >= BLOCKS_MAX ||
	    !json_object(value, &start) || !is_string(json_get(&start, "type")))
		return nonsense(stream, "a content_block_start out of place");
	stream->blocks = mem_grow(stream->blocks, stream->block_count + 1,
	    sizeof(*block));
	block = &stream->blocks[stream->block_count++];
	*block = (struct block){ .json = BUF_INIT(2 * CLAUDE_REPLY_MAX) };
	for (part = 0; part < PARTS; part++)
		block->parts[part] = BUF_INIT(CLAUDE_REPLY_MAX);
	block->open = true;
	if (json_is(json_get(&start, "type"), "text"))
		show_text(stream, json_get(&start, "text"));
	return hold(stream, &block->json, value.at, value.length);
}

static struct block *
open_block(struct claude_stream *stream, const struct received *event)
{
	int64_t index;

	if (!json_whole(json_get(&event->members, "index"), &index) ||
	    index < 0 || index >= (int64_t)stream->block_count ||
	    !stream->blocks[index].open) {
		nonsense(stream, "an event for a block that is not open");
		return NULL;
	}
	return &stream->blocks[index];
}

static bool
block_delta(struct claude_stream *stream, const struct received *event)
{
	struct block *block = open_block(stream, event);
	struct json_object delta;
	struct span type, value;
	char *decoded;
	size_t part;
	bool fits;

	if (block == NULL)
		return false;
	(void)json_object(json_get(&event->members, "delta"), &delta);
	type = json_get(&delta, "type");
	for (part = 0; part < PARTS; part++)
		if (json_is(type, deltas[part].type))
			break;
	if (part == PARTS)
		return true; /* a newer kind: nothing to add */
	value = json_get(&delta, deltas[part].member);
	if (value.length == 0 || (part != PART_CITATIONS && !is_string(value)))
		return nonsense(stream, "a delta without its value");
	block->seen[part] = true;
	if (part == PART_TEXT)
		show_text(stream, value);
	switch ((enum part)part) {
	case PART_TEXT:
	case PART_THINKING:
		return hold(stream, &block->parts[part],
		    event->raw + (value.at - event->text) + 1,
		    value.length - 2);
	case PART_SIGNATURE:
		buf_reset(&block->parts[part]);
		return hold(stream, &block->parts[part], value.at,
		    value.length);
	case PART_INPUT:
		decoded = json_decode(value);
		fits = hold(stream, &block->parts[part], decoded,
		    strlen(decoded));
		free(decoded);
		return fits;
	case PART_CITATIONS:
		if (block->parts[part].length > 0)
			buf_add(&block->parts[part], ",", 1);
		return hold(stream, &block->parts[part], value.at,
		    value.length);
	}
	return true;
}

/* Adds the value that the block already has for the part's member, without its
 * quotes or brackets. */
static void
add_inner(struct buf *buf, const struct block *block, enum part part, char open)
{
	struct span whole = { block->json.data, block->json.length }, value;

	if (json_member(whole, deltas[part].target, &value) &&
	    value.at[0] == open)
		buf_add(buf, value.at + 1, value.length - 2);
}

/* The value that the block's start and the part's deltas make together. An
 * input that is not a JSON object was cut at the token limit; then it is not
 * used and may be empty. Otherwise it makes the reply invalid. */
static void
part_value(struct claude_stream *stream, struct block *block, enum part part,
    struct buf *value)
{
	struct buf *grown = &block->parts[part];
	struct json_object input;
	struct span text;
	struct fail fail;

	switch (part) {
	case PART_TEXT:
	case PART_THINKING:
		buf_add(value, "\"", 1);
		add_inner(value, block, part, '"');
		buf_add(value, grown->data, grown->length);
		buf_add(value, "\"", 1);
		json_repair(value->data, value->length);
		break;
	case PART_SIGNATURE:
		buf_add(value, grown->data, grown->length);
		break;
	case PART_CITATIONS:
		buf_add(value, "[", 1);
		add_inner(value, block, part, '[');
		if (value->length > 1)
			buf_add(value, ",", 1);
		buf_add(value, grown->data, grown->length);
		buf_add(value, "]", 1);
		break;
	case PART_INPUT:
		if (grown->length == 0)
			buf_add_string(grown, "{}");
		json_repair(grown->data, grown->length);
		text = (struct span){ grown->data, grown->length };
		if (json_check(text, &json_limits_upstream, NULL, &fail) == 0 &&
		    json_object(text, &input)) {
			buf_add(value, grown->data, grown->length);
		} else {
			stream->broken_input = true;
			buf_add_string(value, "{}");
		}
		break;
	}
}

/* Whether the block has what the agent relies on. */
static bool
block_valid(const struct block *block)
{
	struct json_object members;
	struct span type, input;
	struct fail fail;

	if (json_check((struct span){ block->json.data, block->json.length },
		&json_limits_upstream, &members, &fail) < 0)
		return false;
	type = json_get(&members, "type");
	input = json_get(&members, "input");
	return is_string(type) &&
	    (!json_is(type, "tool_use") ||
		(is_string(json_get(&members, "id")) &&
		    is_string(json_get(&members, "name")) && input.length > 0 &&
		    *input.at == '{'));
}

static bool
block_stop(struct claude_stream *stream, const struct received *event)
{
	struct block *block = open_block(stream, event);
	struct buf value = BUF_INIT(2 * CLAUDE_REPLY_MAX);
	struct buf whole = BUF_INIT(3 * CLAUDE_REPLY_MAX), before;
	bool fine = true;
	size_t part;

	if (block == NULL)
		return false;
	block->open = false;
	for (part = 0; part < PARTS; part++) {
		if (!block->seen[part])
			continue;
		buf_reset(&value);
		part_value(stream, block, (enum part)part, &value);
		buf_reset(&whole);
		json_splice(&whole,
		    (struct span){ block->json.data, block->json.length },
		    deltas[part].target,
		    (struct span){ value.data, value.length });
		before = block->json;
		block->json = whole;
		whole = before;
		buf_release(&block->parts[part]);
	}
	if (!block_valid(block))
		fine = nonsense(stream,
		    "a block that is not valid, or a tool "
		    "call without an id, a name or an input");
	buf_release(&value);
	buf_release(&whole);
	return fine;
}

static bool
message_delta(struct claude_stream *stream, const struct received *event)
{
	struct json_object delta;
	struct span details;

	(void)json_object(json_get(&event->members, "delta"), &delta);
	replace_string(&stream->stop_reason, json_get(&delta, "stop_reason"));
	details = json_get(&delta, "stop_details");
	if (details.length > 0 && *details.at == '{') {
		free(stream->stop_details);
		stream->stop_details = mem_copy(details.at, details.length);
	}
	claude_usage_take(json_get(&event->members, "usage"), &stream->usage,
	    &stream->cache_write);
	return true;
}

static bool
message_stop(struct claude_stream *stream, const struct received *event)
{
	size_t i;

	(void)event;
	for (i = 0; i < stream->block_count; i++)
		if (stream->blocks[i].open)
			return nonsense(stream,
			    "the reply ended in the middle of a block");
	stream->stopped = stream->started;
	return true;
}

static bool
error_event(struct claude_stream *stream, const struct received *event)
{
	struct json_object error, details;
	char *type, *message;

	(void)json_object(json_get(&event->members, "error"), &error);
	(void)json_object(json_get(&error, "details"), &details);
	type = json_decode(json_get(&error, "type"));
	message = json_decode(json_get(&error, "message"));
	replace_string(&stream->error_code, json_get(&details, "error_code"));
	stream->error_sent = true;
	broken(stream, type != NULL && *type != '\0' ? type : "api_error",
	    message != NULL ? message : "an error without a message");
	free(type);
	free(message);
	return false;
}

static const struct {
	const char *type;
	bool (
	    *take)(struct claude_stream *stream, const struct received *event);
} kinds[] = {
	{ "content_block_delta", block_delta },
	{ "content_block_start", block_start },
	{ "content_block_stop", block_stop },
	{ "message_start", message_start },
	{ "message_delta", message_delta },
	{ "message_stop", message_stop },
	{ "error", error_event },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static bool
take_event(struct claude_stream *stream, const struct received *event)
{
	struct span type = json_get(&event->members, "type");
	size_t i;

	if (!is_string(type))
		return nonsense(stream, "an event without a type");
	for (i = 0; i < KINDS; i++)
		if (json_is(type, kinds[i].type))
			return kinds[i].take(stream, event);
	return true;
}

static bool
on_event(void *context, const char *name, const char *data, size_t length)
{
	struct claude_stream *stream = context;
	struct span text = { data, length };
	struct received event;
	char *repaired;
	struct fail fail;
	bool go_on;
	size_t i;

	for (i = 0; *name != '\0' && i < KINDS; i++)
		if (strcmp(name, kinds[i].type) == 0)
			break;
	if (stream->stopped || i == KINDS)
		return true;
	if (json_check_repaired(&text, &json_limits_upstream, &event.members,
		&repaired, &fail) == 0) {
		event.text = text.at;
		event.raw = data;
		go_on = take_event(stream, &event);
	} else {
		go_on = nonsense(stream, fail.message);
	}
	free(repaired);
	return go_on;
}

bool
claude_stream_feed(struct claude_stream *stream, const char *bytes,
    size_t length)
{
	if (stream->error_type != NULL)
		return false;
	if (sse_feed(&stream->sse, bytes, length, on_event, stream))
		return true;
	return broken(stream, "reply_too_large",
	    "an event of the reply is longer than 32 MiB");
}

static const char *
or_empty(const char *string)
{
	return string != NULL ? string : "";
}

void
claude_stream_end(struct claude_stream *stream, struct claude_reply *ret)
{
	size_t i;

	if (!stream->stopped)
		broken(stream, "cut_short", "the reply ended before its end");
	if (stream->broken_input &&
	    strcmp(or_empty(stream->stop_reason), "max_tokens") != 0)
		nonsense(stream,
		    "the input of a tool call is not a JSON object");
	buf_add(&stream->content, "[", 1);
	for (i = 0; i < stream->block_count; i++) {
		if (i > 0)
			buf_add(&stream->content, ",", 1);
		buf_add(&stream->content, stream->blocks[i].json.data,
		    stream->blocks[i].json.length);
	}
	buf_add(&stream->content, "]", 1);
	*ret = (struct claude_reply){
		.ok = stream->error_type == NULL,
		.content = stream->content.data,
		.content_length = stream->content.length,
		.stop_reason = or_empty(stream->stop_reason),
		.stop_details = or_empty(stream->stop_details),
		.message_id = or_empty(stream->message_id),
		.model = or_empty(stream->model),
		.usage = stream->usage,
		.request_id = "",
		.error_type = or_empty(stream->error_type),
		.error_message = or_empty(stream->error_message),
		.error_code = or_empty(stream->error_code),
		.error_sent = stream->error_sent,
	};
}
