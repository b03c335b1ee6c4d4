/* SPDX-License-Identifier: ISC */
/*
 * claude_stream: texts go out in pieces of a few words and inputs in pieces of
 * a few bytes, none of which ends within a character: like the API, and so
 * that no client can mistake a delta for the whole.
 */
#include "cmd/standin/build.h"
#include "cmd/standin/claude/claude.h"
#include "common/base/mem.h"
#include "common/json/json.h"

#define TEXT_PIECE 40
#define INPUT_PIECE 48
#define PIECES_MOST 64

static void
start_event(struct reply *reply, const char *name)
{
	buf_print(&reply->body, "event: %s\ndata: ", name);
}

static void
end_event(struct reply *reply)
{
	buf_add_string(&reply->body, "\n\n");
	reply_event_end(reply);
}

static void
json_event(struct reply *reply, const char *name, cJSON *data)
{
	start_event(reply, name);
	reply_json(reply, data);
	end_event(reply);
}

static void
delta_event(struct reply *reply, int64_t index, const char *type,
    const char *name, const char *text, size_t size)
{
	start_event(reply, "content_block_delta");
	buf_print(&reply->body,
	    "{\"type\":\"content_block_delta\",\"index\":%lld,"
	    "\"delta\":{\"type\":\"%s\",\"%s\":",
	    (long long)index, type, name);
	json_quote(&reply->body, text, size);
	buf_add_string(&reply->body, "}}");
	end_event(reply);
}

/* TEXT in pieces of about SIZE bytes, longer ones when it is very long. */
static void
pieces(struct reply *reply, int64_t index, const char *type, const char *name,
    const char *text, size_t size)
{
	size_t left = strlen(text), piece;

	if (left / PIECES_MOST > size)
		size = left / PIECES_MOST;
	while (left > 0) {
		piece = left < size ? left : size;
		while (
		    piece < left && ((unsigned char)text[piece] & 0xc0) == 0x80)
			piece++;
		delta_event(reply, index, type, name, text, piece);
		text += piece;
		left -= piece;
	}
}

static void
stream_input(struct reply *reply, int64_t index, const cJSON *input)
{
	char *text;

	delta_event(reply, index, "input_json_delta", "partial_json", "", 0);
	if (input == NULL || input->child == NULL)
		return;
	text = json_text(input);
	pieces(reply, index, "input_json_delta", "partial_json", text,
	    INPUT_PIECE);
	free(text);
}

static bool
is_type(const cJSON *block, const char *type)
{
	return strcmp(json_string(block, "type"), type) == 0;
}

static bool
is_call(const cJSON *block)
{
	return is_type(block, "tool_use") || is_type(block, "server_tool_use");
}

/* The block as it starts: what comes by deltas is empty. */
static cJSON *
block_start(const cJSON *block, int64_t index)
{
	static const char *const by_deltas[] = { "text", "thinking",
		"signature" };
	cJSON *start = cJSON_Duplicate(block, true);
	size_t i;

	if (is_type(block, "text") || is_type(block, "thinking"))
		for (i = 0; i < 3; i++)
			cJSON_SetValuestring(json_item(start, by_deltas[i]),
			    "");
	else if (is_type(block, "compaction"))
		cJSON_ReplaceItemInObjectCaseSensitive(start, "content",
		    cJSON_CreateNull());
	else if (is_call(block))
		cJSON_ReplaceItemInObjectCaseSensitive(start, "input",
		    cJSON_CreateObject());
	return build("{'type':'content_block_start','index':%n,"
		     "'content_block':%j}",
	    index, start);
}

static void
stream_block(struct reply *reply, const cJSON *block, int64_t index)
{
	json_event(reply, "content_block_start", block_start(block, index));
	if (is_type(block, "text")) {
		pieces(reply, index, "text_delta", "text",
		    json_string(block, "text"), TEXT_PIECE);
	} else if (is_type(block, "thinking")) {
		pieces(reply, index, "thinking_delta", "thinking",
		    json_string(block, "thinking"), TEXT_PIECE);
		delta_event(reply, index, "signature_delta", "signature",
		    json_string(block, "signature"),
		    strlen(json_string(block, "signature")));
	} else if (is_type(block, "compaction")) {
		json_event(reply, "content_block_delta",
		    build("{'type':'content_block_delta','index':%n,"
			  "'delta':{'type':'compaction_delta','content':%s,"
			  "'encrypted_content':%s}}",
			index, json_string(block, "content"),
			json_string(block, "encrypted_content")));
	} else if (is_call(block)) {
		stream_input(reply, index, json_item(block, "input"));
	}
	json_event(reply, "content_block_stop",
	    build("{'type':'content_block_stop','index':%n}", index));
}

static cJSON *
message_start(const cJSON *message)
{
	cJSON *start = cJSON_Duplicate(message, true);

	cJSON_ReplaceItemInObjectCaseSensitive(start, "content",
	    cJSON_CreateArray());
	cJSON_ReplaceItemInObjectCaseSensitive(start, "stop_reason",
	    cJSON_CreateNull());
	cJSON_ReplaceItemInObjectCaseSensitive(start, "stop_details",
	    cJSON_CreateNull());
	cJSON_ReplaceItemInObjectCaseSensitive(json_item(start, "usage"),
	    "output_tokens", cJSON_CreateNumber(1));
	return build("{'type':'message_start','message':%j}", start);
}

/* SOURCE's members NAMES (ends with NULL), those that it has. */
static cJSON *
some_of(const cJSON *source, const char *const *names)
{
	cJSON *copy = cJSON_CreateObject();

	for (; *names != NULL; names++)
		if (json_item(source, *names) != NULL)
			cJSON_AddItemToObject(copy, *names,
			    cJSON_Duplicate(json_item(source, *names), true));
	return copy;
}

static cJSON *
message_delta(const cJSON *message)
{
	static const char *const moved[] = { "stop_reason", "stop_sequence",
		"stop_details", "container", NULL };
	static const char *const counted[] = { "input_tokens",
		"cache_creation_input_tokens", "cache_read_input_tokens",
		"output_tokens", "output_tokens_details", "iterations", NULL };

	return build("{'type':'message_delta','delta':%j,'usage':%j}",
	    some_of(message, moved),
	    some_of(json_item(message, "usage"), counted));
}

void
claude_stream(struct reply *reply, const cJSON *message)
{
	const cJSON *block;
	int64_t index = 0;

	reply->type = "text/event-stream; charset=utf-8";
	json_event(reply, "message_start", message_start(message));
	cJSON_ArrayForEach (block, json_item(message, "content")) {
		stream_block(reply, block, index);
		if (index++ == 0) {
			start_event(reply, "ping");
			buf_add_string(&reply->body, "{\"type\": \"ping\"}");
			end_event(reply);
		}
	}
	json_event(reply, "message_delta", message_delta(message));
	json_event(reply, "message_stop", build("{'type':'message_stop'}"));
}

void
claude_stream_error(struct reply *reply, size_t count, const char *type,
    const char *text)
{
	if (count < reply->end_count) {
		reply->body.length = count == 0 ? 0 : reply->ends[count - 1];
		reply->end_count = count;
	}
	json_event(reply, "error",
	    build("{'type':'error','error':{'type':%s,'message':%s}}", type,
		text));
}
