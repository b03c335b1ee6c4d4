/* SPDX-License-Identifier: ISC */
/*
 * How claude_stream works: the events of the stream become blocks (claude_block),
 * and when it has ended well, these become the content (claude_content).
 */
#include "common/provider/claude_internal.h"

#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/secret.h"
#include "common/json/json.h"
#include "common/net/sse.h"

#define BLOCKS_MAX 4096

/* An event as it was repaired (often the same as RAW), and RAW as it came. */
struct received {
	const char *text, *raw;
	struct json_object members; /* of the text */
};

struct claude_stream {
	struct sse sse;
	struct buf whole; /* a reply that is not a stream but one JSON object */
	bool begun;
	void (*text)(void *context, const char *bytes, size_t length);
	void *context;
	struct claude_block *blocks;
	size_t block_count;
	size_t held; /* bytes in all blocks */
	struct claude_content content;
	char *message_id, *model, *stop_reason, *stop_details;
	char *error_type, *error_message, *error_code;
	struct claude_usage usage;
	int64_t cache_write; /* see claude_usage_take */
	bool started, stopped, error_sent;
	uint64_t events;
};

struct claude_stream *
claude_stream_new(void (*text)(void *context, const char *bytes, size_t length),
    void *context)
{
	struct claude_stream *stream = mem_alloc(sizeof(*stream));

	sse_init(&stream->sse, CLAUDE_REPLY_MAX);
	stream->whole = BUF_INIT(CLAUDE_REPLY_MAX);
	stream->content.json = BUF_INIT(2 * CLAUDE_REPLY_MAX);
	stream->content.broken = BUF_INIT(CLAUDE_REPLY_MAX);
	stream->text = text;
	stream->context = context;
	stream->cache_write = -1;
	return stream;
}

void
claude_stream_free(struct claude_stream *stream)
{
	size_t i;

	if (stream == NULL)
		return;
	for (i = 0; i < stream->block_count; i++)
		claude_block_release(&stream->blocks[i]);
	free(stream->blocks);
	sse_release(&stream->sse);
	buf_release(&stream->whole);
	claude_content_release(&stream->content);
	free(stream->message_id);
	free(stream->model);
	free(stream->stop_reason);
	free(stream->stop_details);
	free(stream->error_type);
	free(stream->error_message);
	free(stream->error_code);
	free(stream);
}

void
claude_stream_judge_by(struct claude_stream *stream, int64_t turn,
    const uint64_t *ids, size_t count)
{
	stream->content.turn = turn;
	stream->content.earlier = mem_alloc((count + 1) * sizeof(*ids));
	if (count > 0)
		memcpy(stream->content.earlier, ids, count * sizeof(*ids));
	stream->content.earlier_count = count;
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

/* Some gateways send the same start twice. */
static bool
message_start(struct claude_stream *stream, const struct received *event)
{
	struct json_object message;

	if (!json_object(json_get(&event->members, "message"), &message) ||
	    (stream->started &&
		(stream->block_count > 0 || stream->message_id == NULL ||
		    !json_is(json_get(&message, "id"), stream->message_id))))
		return nonsense(stream, "a message_start out of place");
	stream->started = true;
	replace_string(&stream->message_id, json_get(&message, "id"));
	replace_string(&stream->model, json_get(&message, "model"));
	claude_usage_take(json_get(&message, "usage"), &stream->usage,
	    &stream->cache_write);
	return true;
}

/* The block of that name, when it is open. */
static struct claude_block *
find_open(struct claude_stream *stream, int64_t index)
{
	size_t i;

	for (i = stream->block_count; i-- > 0;)
		if (stream->blocks[i].open && stream->blocks[i].index == index)
			return &stream->blocks[i];
	return NULL;
}

static struct claude_block *
add_block(struct claude_stream *stream, struct span value, int64_t index)
{
	struct json_object start;
	struct claude_block *block;
	size_t part;

	if (!stream->started || stream->block_count >= BLOCKS_MAX ||
	    !json_object(value, &start) || !is_string(json_get(&start, "type")))
		return NULL;
	stream->blocks = mem_grow(stream->blocks, stream->block_count + 1,
	    sizeof(*block));
	block = &stream->blocks[stream->block_count++];
	*block = (struct claude_block){ .json = BUF_INIT(2 * CLAUDE_REPLY_MAX),
		.index = index,
		.open = true };
	for (part = 0; part < CLAUDE_PARTS; part++)
		block->parts[part] = BUF_INIT(CLAUDE_REPLY_MAX);
	if (json_is(json_get(&start, "type"), "text"))
		show_text(stream, json_get(&start, "text"));
	return hold(stream, &block->json, value.at, value.length) ? block
								  : NULL;
}

static bool
block_start(struct claude_stream *stream, const struct received *event)
{
	int64_t index;

	if (!json_whole(json_get(&event->members, "index"), &index) ||
	    find_open(stream, index) != NULL ||
	    add_block(stream, json_get(&event->members, "content_block"),
		index) == NULL)
		return nonsense(stream, "a content_block_start out of place");
	return true;
}

static struct claude_block *
open_block(struct claude_stream *stream, const struct received *event)
{
	struct claude_block *block = NULL;
	int64_t index;

	if (json_whole(json_get(&event->members, "index"), &index))
		block = find_open(stream, index);
	if (block == NULL)
		nonsense(stream, "an event for a block that is not open");
	return block;
}

/* It comes whole: its members replace those of the block. */
static bool
compaction_delta(struct claude_stream *stream, struct claude_block *block,
    const struct json_object *delta)
{
	static const char *const names[] = { "content", "encrypted_content",
		"signature" };
	struct buf json;
	struct span value;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		value = json_get(delta, names[i]);
		if (value.length == 0)
			continue;
		json = BUF_INIT(2 * CLAUDE_REPLY_MAX);
		json_splice(&json,
		    (struct span){ block->json.data, block->json.length },
		    names[i], value);
		buf_release(&block->json);
		block->json = json;
		stream->held += value.length;
	}
	return stream->held <= CLAUDE_REPLY_MAX ||
	    broken(stream, "reply_too_large",
		"the reply is longer than 32 MiB");
}

static bool
block_delta(struct claude_stream *stream, const struct received *event)
{
	struct claude_block *block = open_block(stream, event);
	struct json_object delta;
	struct span type, value;
	char *decoded;
	size_t part;
	bool fits;

	if (block == NULL)
		return false;
	(void)json_object(json_get(&event->members, "delta"), &delta);
	type = json_get(&delta, "type");
	if (json_is(type, "compaction_delta"))
		return compaction_delta(stream, block, &delta);
	for (part = 0; part < CLAUDE_PARTS; part++)
		if (json_is(type, claude_deltas[part].type))
			break;
	if (part == CLAUDE_PARTS)
		return true; /* a newer kind: nothing to add */
	value = json_get(&delta, claude_deltas[part].member);
	if (value.length == 0 ||
	    (part != CLAUDE_PART_CITATIONS && !is_string(value)))
		return nonsense(stream, "a delta without its value");
	block->seen[part] = true;
	if (part == CLAUDE_PART_TEXT)
		show_text(stream, value);
	switch ((enum claude_part)part) {
	case CLAUDE_PART_TEXT:
	case CLAUDE_PART_THINKING:
		return hold(stream, &block->parts[part],
		    event->raw + (value.at - event->text) + 1,
		    value.length - 2);
	case CLAUDE_PART_SIGNATURE:
		buf_reset(&block->parts[part]);
		return hold(stream, &block->parts[part], value.at,
		    value.length);
	case CLAUDE_PART_INPUT:
		decoded = json_decode(value);
		fits = hold(stream, &block->parts[part], decoded,
		    strlen(decoded));
		free(decoded);
		return fits;
	case CLAUDE_PART_CITATIONS:
		if (block->parts[part].length > 0)
			buf_add(&block->parts[part], ",", 1);
		return hold(stream, &block->parts[part], value.at,
		    value.length);
	}
	return true;
}

static bool
close_block(struct claude_stream *stream, struct claude_block *block)
{
	return claude_block_close(block) ||
	    nonsense(stream,
		"a block that is not valid, or a tool "
		"call without an id, a name or an input");
}

static bool
block_stop(struct claude_stream *stream, const struct received *event)
{
	struct claude_block *block = open_block(stream, event);

	return block != NULL && close_block(stream, block);
}

static void
take_end(struct claude_stream *stream, const struct json_object *delta,
    const struct json_object *event)
{
	struct span details = json_get(delta, "stop_details");

	replace_string(&stream->stop_reason, json_get(delta, "stop_reason"));
	if (details.length > 0 && *details.at == '{') {
		free(stream->stop_details);
		stream->stop_details = mem_copy(details.at, details.length);
	}
	claude_usage_take(json_get(event, "usage"), &stream->usage,
	    &stream->cache_write);
}

static bool
message_delta(struct claude_stream *stream, const struct received *event)
{
	struct json_object delta;

	(void)json_object(json_get(&event->members, "delta"), &delta);
	take_end(stream, &delta, &event->members);
	return true;
}

static bool
stopped_for(const struct claude_stream *stream, const char *reason)
{
	return stream->stop_reason != NULL &&
	    strcmp(stream->stop_reason, reason) == 0;
}

/* A reply that was cut at the token limit may end within a block. Thinking that
 * was cut has no signature, without which it cannot be sent back. */
static bool
message_stop(struct claude_stream *stream, const struct received *event)
{
	bool cut = stopped_for(stream, "max_tokens") ||
	    stopped_for(stream, "model_context_window_exceeded");
	struct claude_block *block;
	struct span type;
	size_t i;

	(void)event;
	for (i = 0; i < stream->block_count; i++) {
		block = &stream->blocks[i];
		if (!block->open)
			continue;
		if (!cut)
			return nonsense(stream,
			    "the reply ended in the middle of a block");
		if (!close_block(stream, block))
			return false;
		block->dropped = json_member((struct span){ block->json.data,
						 block->json.length },
				     "type", &type) &&
		    json_is(type, "thinking");
	}
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
	if (message == NULL)
		message = json_decode(json_get(&event->members, "error"));
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
	stream->events++;
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

uint64_t
claude_stream_events(const struct claude_stream *stream)
{
	return stream->events;
}

bool
claude_stream_feed(struct claude_stream *stream, const char *bytes,
    size_t length)
{
	if (stream->error_type != NULL)
		return false;
	for (; !stream->begun && length > 0; bytes++, length--) {
		if (strchr(" \t\r\n\xef\xbb\xbf", *bytes) != NULL &&
		    *bytes != '\0')
			continue;
		stream->begun = true;
		if (*bytes == '{')
			buf_add(&stream->whole, "{", 1);
		else
			break;
	}
	if (stream->whole.length > 0) {
		buf_add(&stream->whole, bytes, length);
		if (!stream->whole.overflow)
			return true;
	} else if (sse_feed(&stream->sse, bytes, length, on_event, stream)) {
		return true;
	}
	return broken(stream, "reply_too_large",
	    "an event of the reply is longer than 32 MiB");
}

/* The members of a whole message are those that a stream begins and ends with. */
static void
whole_message(struct claude_stream *stream, const struct received *message)
{
	struct span content = json_get(&message->members, "content"), value;
	struct claude_block *block;

	stream->started = true;
	replace_string(&stream->message_id, json_get(&message->members, "id"));
	replace_string(&stream->model, json_get(&message->members, "model"));
	while (json_element(&content, &value)) {
		block = add_block(stream, value, 0);
		if (block == NULL) {
			nonsense(stream, "a block that is not valid");
			return;
		}
		if (!close_block(stream, block))
			return;
	}
	take_end(stream, &message->members, &message->members);
	stream->stopped = true;
}

/* Some gateways answer with the whole message, or with an error and status 200,
 * although a stream was asked for. */
static void
take_whole(struct claude_stream *stream)
{
	struct span text = { stream->whole.data, stream->whole.length };
	struct received event;
	char *repaired;
	struct fail fail;

	if (json_check_repaired(&text, &json_limits_upstream, &event.members,
		&repaired, &fail) < 0)
		nonsense(stream, fail.message);
	else if (json_get(&event.members, "error").length > 0)
		error_event(stream, &event);
	else if (json_is(json_get(&event.members, "type"), "message"))
		whole_message(stream, &event);
	free(repaired);
}

static const char *
or_empty(const char *string)
{
	return string != NULL ? string : "";
}

void
claude_stream_end(struct claude_stream *stream, struct claude_reply *ret)
{
	struct claude_content *content = &stream->content;
	bool cut = stopped_for(stream, "max_tokens");
	struct claude_block *block;
	size_t i;

	if (stream->whole.length > 0 && stream->error_type == NULL)
		take_whole(stream);
	if (!stream->stopped)
		broken(stream, "cut_short", "the reply ended before its end");
	for (i = 0; i < stream->block_count && stream->error_type == NULL;
	     i++) {
		block = &stream->blocks[i];
		if (!block->dropped)
			claude_content_add(content, &block->json,
			    cut ? NULL : block->broken_input);
	}
	claude_content_end(content);
	*ret = (struct claude_reply){
		.ok = stream->error_type == NULL,
		.content = content->json.data,
		.content_length = content->json.length,
		.broken = or_empty(content->broken.data),
		.stop_reason = or_empty(stream->stop_reason),
		.stop_details = or_empty(stream->stop_details),
		.message_id = or_empty(stream->message_id),
		.model = or_empty(stream->model),
		.usage = stream->usage,
		.request_id = "",
		.error_type = or_empty(
		    secret_strike_string(stream->error_type)),
		.error_message = or_empty(
		    secret_strike_string(stream->error_message)),
		.error_code = or_empty(
		    secret_strike_string(stream->error_code)),
		.error_sent = stream->error_sent,
	};
}
