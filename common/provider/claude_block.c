/* SPDX-License-Identifier: ISC */
/*
 * How claude_block works: a block that the model wrote is sent back to it with
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

#include "common/base/mem.h"
#include "common/json/json.h"

const struct claude_delta claude_deltas[CLAUDE_PARTS] = {
	[CLAUDE_PART_TEXT] = { "text_delta", "text", "text" },
	[CLAUDE_PART_THINKING] = { "thinking_delta", "thinking", "thinking" },
	[CLAUDE_PART_SIGNATURE] = { "signature_delta", "signature",
	    "signature" },
	[CLAUDE_PART_INPUT] = { "input_json_delta", "partial_json", "input" },
	[CLAUDE_PART_CITATIONS] = { "citations_delta", "citation",
	    "citations" },
};

static bool
is_string(struct span value)
{
	return value.length > 0 && *value.at == '"';
}

/* Adds the value that the block already has for the part's member, without its
 * quotes or brackets. */
static void
add_inner(struct buf *buf, const struct claude_block *block,
    enum claude_part part, char open)
{
	struct span whole = { block->json.data, block->json.length }, value;

	if (json_member(whole, claude_deltas[part].target, &value) &&
	    value.at[0] == open)
		buf_add(buf, value.at + 1, value.length - 2);
}

/* The input of a call, of which names that are there twice have their last value.
 * One that is not a JSON object may have been cut at the token limit; it is left
 * out, and the call is not run. */
static void
input_value(struct claude_block *block, struct buf *value)
{
	struct buf *grown = &block->parts[CLAUDE_PART_INPUT];
	struct span text;
	struct fail fail, still;

	if (grown->length == 0)
		buf_add_string(grown, "{}");
	json_repair(grown->data, grown->length);
	text = (struct span){ grown->data, grown->length };
	if (json_check(text, &json_limits_upstream, NULL, &fail) == 0)
		buf_add(value, grown->data, grown->length);
	else if (json_keep_last(value, text) &&
	    json_check((struct span){ value->data, value->length },
		&json_limits_upstream, NULL, &still) < 0)
		buf_reset(value);
	if (value->length > 0 && value->data[strspn(value->data, " \t")] == '{')
		return;
	block->broken_input = mem_print(
	    "the input of the call could not be read (%s). Call "
	    "again with the whole input as one JSON object.",
	    value->length > 0 ? "it is not a JSON object" : fail.message);
	buf_reset(value);
	buf_add_string(value, "{}");
}

/* The value that the block's start and the part's deltas make together. */
static void
part_value(struct claude_block *block, enum claude_part part, struct buf *value)
{
	struct buf *grown = &block->parts[part];

	switch (part) {
	case CLAUDE_PART_TEXT:
	case CLAUDE_PART_THINKING:
		buf_add(value, "\"", 1);
		add_inner(value, block, part, '"');
		buf_add(value, grown->data, grown->length);
		buf_add(value, "\"", 1);
		json_repair(value->data, value->length);
		break;
	case CLAUDE_PART_SIGNATURE:
		buf_add(value, grown->data, grown->length);
		break;
	case CLAUDE_PART_CITATIONS:
		buf_add(value, "[", 1);
		add_inner(value, block, part, '[');
		if (value->length > 1)
			buf_add(value, ",", 1);
		buf_add(value, grown->data, grown->length);
		buf_add(value, "]", 1);
		break;
	case CLAUDE_PART_INPUT:
		input_value(block, value);
		break;
	}
}

/* Whether the block has what the agent relies on. */
static bool
block_valid(const struct claude_block *block)
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

bool
claude_block_close(struct claude_block *block)
{
	struct buf value = BUF_INIT(2 * CLAUDE_REPLY_MAX);
	struct buf whole = BUF_INIT(3 * CLAUDE_REPLY_MAX), before;
	size_t part;

	block->open = false;
	for (part = 0; part < CLAUDE_PARTS; part++) {
		if (!block->seen[part])
			continue;
		buf_reset(&value);
		part_value(block, (enum claude_part)part, &value);
		buf_reset(&whole);
		json_splice(&whole,
		    (struct span){ block->json.data, block->json.length },
		    claude_deltas[part].target,
		    (struct span){ value.data, value.length });
		before = block->json;
		block->json = whole;
		whole = before;
		buf_release(&block->parts[part]);
	}
	buf_release(&value);
	buf_release(&whole);
	return block_valid(block);
}

void
claude_block_release(struct claude_block *block)
{
	size_t part;

	buf_release(&block->json);
	for (part = 0; part < CLAUDE_PARTS; part++)
		buf_release(&block->parts[part]);
	free(block->broken_input);
}
