/* SPDX-License-Identifier: ISC */
/*
 * How claude_stream works: a block that the model wrote is sent back to it with
 * every later request, and must then be unchanged: signatures and the prompt
 * cache are bound to it, and a block may have members that are not known here.
 * So a block is stored as the bytes with which it started, and its deltas are
 * spliced into these bytes at the end: pieces of a string are joined in their
 * escaped form, as they came. Nothing is printed again.
 *
 * Text that json_parse would refuse is repaired (repair.h), but the pieces of a
 * string are joined as they came, because two of them may each have half of a
 * surrogate pair. Only a block that is still invalid when it is complete is
 * repaired.
 */
#include "common/provider/claude_stream.h"

#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/json/json.h"
#include "common/json/repair.h"
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
	int64_t cache_write; /* the sum of the two, or -1 */
	bool started, stopped, error_sent, broken_input;
};

static bool
on_event(void *context, const char *name, const char *data, size_t length);

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

static void
replace_string(char **place, const char *string)
{
	if (string == NULL)
		return;
	free(*place);
	*place = mem_string(string);
}

static void
take_number(const cJSON *object, const char *name, int64_t *number)
{
	int64_t value;

	if (json_integer(object, name, &value) && value >= 0)
		*number = value;
}

static void
take_usage_of(struct claude_stream *stream, const cJSON *usage)
{
	const cJSON *writes;

	take_number(usage, "input_tokens", &stream->usage.input);
	take_number(usage, "output_tokens", &stream->usage.output);
	take_number(usage, "cache_read_input_tokens",
	    &stream->usage.cache_read);
	take_number(usage, "cache_creation_input_tokens", &stream->cache_write);
	writes = json_item(usage, "cache_creation");
	take_number(writes, "ephemeral_5m_input_tokens",
	    &stream->usage.cache_write_5m);
	take_number(writes, "ephemeral_1h_input_tokens",
	    &stream->usage.cache_write_1h);
}

/* The sum of the two kinds of cache writes is always sent, the number of each
 * kind is not: the rest is of the usual, cheap kind. */
static void
settle_writes(struct claude_stream *stream)
{
	struct claude_usage *usage = &stream->usage;

	if (stream->cache_write < 0)
		return;
	if (usage->cache_write_1h > stream->cache_write)
		usage->cache_write_1h = stream->cache_write;
	usage->cache_write_5m = stream->cache_write - usage->cache_write_1h;
}

/* A missing member keeps its earlier value. When the service worked in several
 * iterations, only their sum is what is billed. */
static void
take_usage(struct claude_stream *stream, const cJSON *usage)
{
	struct claude_usage sum = { 0 };
	const cJSON *rounds, *one;

	rounds = json_item(usage, "iterations");
	if (!cJSON_IsArray(rounds) || rounds->child == NULL) {
		take_usage_of(stream, usage);
		settle_writes(stream);
		return;
	}
	cJSON_ArrayForEach (one, rounds) {
		stream->usage = (struct claude_usage){ 0 };
		stream->cache_write = -1;
		take_usage_of(stream, one);
		settle_writes(stream);
		sum.input += stream->usage.input;
		sum.output += stream->usage.output;
		sum.cache_read += stream->usage.cache_read;
		sum.cache_write_5m += stream->usage.cache_write_5m;
		sum.cache_write_1h += stream->usage.cache_write_1h;
	}
	stream->usage = sum;
	stream->cache_write = sum.cache_write_5m + sum.cache_write_1h;
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

static bool
message_start(struct claude_stream *stream, const cJSON *event)
{
	const cJSON *message;

	message = json_item(event, "message");
	if (stream->started || !cJSON_IsObject(message))
		return nonsense(stream, "a message_start out of place");
	stream->started = true;
	replace_string(&stream->message_id, json_string(message, "id"));
	replace_string(&stream->model, json_string(message, "model"));
	take_usage(stream, json_item(message, "usage"));
	return true;
}

static bool
block_start(struct claude_stream *stream, const cJSON *event, struct span text)
{
	const char *written;
	struct block *block;
	struct span value;
	const cJSON *start;
	int64_t index;
	size_t part;

	start = json_item(event, "content_block");
	if (!stream->started || !json_integer(event, "index", &index) ||
	    index != (int64_t)stream->block_count || index >= BLOCKS_MAX ||
	    json_string(start, "type") == NULL ||
	    !json_member(text, "content_block", &value))
		return nonsense(stream, "a content_block_start out of place");
	stream->blocks = mem_grow(stream->blocks, stream->block_count + 1,
	    sizeof(*block));
	block = &stream->blocks[stream->block_count++];
	*block = (struct block){ .json = BUF_INIT(2 * CLAUDE_REPLY_MAX) };
	for (part = 0; part < PARTS; part++)
		block->parts[part] = BUF_INIT(CLAUDE_REPLY_MAX);
	block->open = true;
	written = json_string(start, "text");
	if (stream->text != NULL && written != NULL && *written != '\0' &&
	    strcmp(json_string(start, "type"), "text") == 0)
		stream->text(stream->context, written, strlen(written));
	return hold(stream, &block->json, value.at, value.length);
}

static struct block *
open_block(struct claude_stream *stream, const cJSON *event)
{
	int64_t index;

	if (!json_integer(event, "index", &index) || index < 0 ||
	    index >= (int64_t)stream->block_count ||
	    !stream->blocks[index].open) {
		nonsense(stream, "an event for a block that is not open");
		return NULL;
	}
	return &stream->blocks[index];
}

/* TEXT is the event as it was repaired, RAW the same as it came. */
static bool
block_delta(struct claude_stream *stream, const cJSON *event, struct span text,
    const char *raw)
{
	struct block *block = open_block(stream, event);
	const char *type, *decoded;
	struct span delta, value;
	const cJSON *data;
	size_t part;

	if (block == NULL)
		return false;
	data = json_item(event, "delta");
	type = json_string(data, "type");
	for (part = 0; part < PARTS; part++)
		if (type != NULL && strcmp(type, deltas[part].type) == 0)
			break;
	if (part == PARTS)
		return true; /* a newer kind: nothing to add */
	decoded = json_string(data, deltas[part].member);
	if (!json_member(text, "delta", &delta) ||
	    !json_member(delta, deltas[part].member, &value) ||
	    (decoded == NULL && part != PART_CITATIONS))
		return nonsense(stream, "a delta without its value");
	block->seen[part] = true;
	if (part == PART_TEXT && stream->text != NULL && *decoded != '\0')
		stream->text(stream->context, decoded, strlen(decoded));
	switch ((enum part)part) {
	case PART_TEXT:
	case PART_THINKING:
		return hold(stream, &block->parts[part],
		    raw + (value.at - text.at) + 1, value.length - 2);
	case PART_SIGNATURE:
		buf_reset(&block->parts[part]);
		return hold(stream, &block->parts[part], value.at,
		    value.length);
	case PART_INPUT:
		return hold(stream, &block->parts[part], decoded,
		    strlen(decoded));
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
	struct fail fail;
	cJSON *input;
	bool object;

	switch (part) {
	case PART_TEXT:
	case PART_THINKING:
		buf_add(value, "\"", 1);
		add_inner(value, block, part, '"');
		buf_add(value, grown->data, grown->length);
		buf_add(value, "\"", 1);
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
		repair_json(grown->data, grown->length);
		input = json_parse(grown->data, grown->length,
		    &json_limits_upstream, &fail);
		object = cJSON_IsObject(input);
		cJSON_Delete(input);
		if (object) {
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
block_valid(struct block *block)
{
	struct fail fail;
	const char *type;
	cJSON *json;
	bool valid;

	json = json_parse(block->json.data, block->json.length,
	    &json_limits_upstream, &fail);
	if (json == NULL) {
		repair_json(block->json.data, block->json.length);
		json = json_parse(block->json.data, block->json.length,
		    &json_limits_upstream, &fail);
	}
	type = json_string(json, "type");
	valid = type != NULL &&
	    (strcmp(type, "tool_use") != 0 ||
		(json_string(json, "id") != NULL &&
		    json_string(json, "name") != NULL &&
		    cJSON_IsObject(json_item(json, "input"))));
	cJSON_Delete(json);
	return valid;
}

static bool
block_stop(struct claude_stream *stream, const cJSON *event)
{
	struct block *block = open_block(stream, event);
	struct buf value = BUF_INIT(2 * CLAUDE_REPLY_MAX);
	struct buf whole = BUF_INIT(3 * CLAUDE_REPLY_MAX);
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
		buf_reset(&block->json);
		buf_add(&block->json, whole.data, whole.length);
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
message_delta(struct claude_stream *stream, const cJSON *event,
    struct span text)
{
	struct span delta, details;
	const cJSON *data;

	data = json_item(event, "delta");
	replace_string(&stream->stop_reason, json_string(data, "stop_reason"));
	if (json_member(text, "delta", &delta) &&
	    json_member(delta, "stop_details", &details) &&
	    details.at[0] == '{') {
		free(stream->stop_details);
		stream->stop_details = mem_copy(details.at, details.length);
	}
	take_usage(stream, json_item(event, "usage"));
	return true;
}

static bool
error_event(struct claude_stream *stream, const cJSON *event)
{
	const cJSON *error, *details;
	const char *type, *message;

	error = json_item(event, "error");
	details = json_item(error, "details");
	type = json_string(error, "type");
	message = json_string(error, "message");
	replace_string(&stream->error_code, json_string(details, "error_code"));
	stream->error_sent = true;
	return broken(stream, type != NULL ? type : "api_error",
	    message != NULL ? message : "an error without a message");
}

static bool
take_event(struct claude_stream *stream, const cJSON *event, struct span text,
    const char *raw)
{
	const char *type = json_string(event, "type");
	size_t i;

	if (type == NULL)
		return nonsense(stream, "an event without a type");
	if (strcmp(type, "error") == 0)
		return error_event(stream, event);
	if (strcmp(type, "message_start") == 0)
		return message_start(stream, event);
	if (strcmp(type, "content_block_start") == 0)
		return block_start(stream, event, text);
	if (strcmp(type, "content_block_delta") == 0)
		return block_delta(stream, event, text, raw);
	if (strcmp(type, "content_block_stop") == 0)
		return block_stop(stream, event);
	if (strcmp(type, "message_delta") == 0)
		return message_delta(stream, event, text);
	if (strcmp(type, "message_stop") == 0) {
		for (i = 0; i < stream->block_count; i++)
			if (stream->blocks[i].open)
				return nonsense(stream,
				    "the reply ended in the middle of a block");
		stream->stopped = stream->started;
	}
	return true;
}

static bool
on_event(void *context, const char *name, const char *data, size_t length)
{
	static const char *const known[] = { "", "error", "message_start",
		"content_block_start", "content_block_delta",
		"content_block_stop", "message_delta", "message_stop" };
	struct claude_stream *stream = context;
	char *text;
	struct fail fail;
	cJSON *event;
	bool go_on;
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(name, known[i]) == 0)
			break;
	if (stream->stopped || i == sizeof(known) / sizeof(known[0]))
		return true;
	text = mem_copy(data, length);
	repair_json(text, length);
	event = json_parse(text, length, &json_limits_upstream, &fail);
	if (event == NULL)
		go_on = nonsense(stream, fail.message);
	else
		go_on = take_event(stream, event, (struct span){ text, length },
		    data);
	free(text);
	cJSON_Delete(event);
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

void
claude_stream_end(struct claude_stream *stream, struct claude_turn *ret)
{
	struct claude_turn turn = { 0 };
	size_t i;

	if (!stream->stopped)
		broken(stream, "cut_short", "the reply ended before its end");
	if (stream->broken_input &&
	    (stream->stop_reason == NULL ||
		strcmp(stream->stop_reason, "max_tokens") != 0))
		nonsense(stream,
		    "the input of a tool call is not a JSON object");
	turn.complete = stream->error_type == NULL;
	if (turn.complete) {
		buf_add(&stream->content, "[", 1);
		for (i = 0; i < stream->block_count; i++) {
			if (i > 0)
				buf_add(&stream->content, ",", 1);
			buf_add(&stream->content, stream->blocks[i].json.data,
			    stream->blocks[i].json.length);
		}
		buf_add(&stream->content, "]", 1);
		turn.content = stream->content.data;
		turn.content_length = stream->content.length;
	}
#define OR_EMPTY(string) ((string) != NULL ? (string) : "")
	turn.stop_reason = OR_EMPTY(stream->stop_reason);
	turn.stop_details = OR_EMPTY(stream->stop_details);
	turn.message_id = OR_EMPTY(stream->message_id);
	turn.model = OR_EMPTY(stream->model);
	turn.error_type = OR_EMPTY(stream->error_type);
	turn.error_message = OR_EMPTY(stream->error_message);
	turn.error_code = OR_EMPTY(stream->error_code);
#undef OR_EMPTY
	turn.usage = stream->usage;
	turn.error_sent = stream->error_sent;
	*ret = turn;
}
