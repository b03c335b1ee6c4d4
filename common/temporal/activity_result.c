/* SPDX-License-Identifier: ISC */
/*
 * How it works: a result is text, as it stands in the history. One that is too
 * large loses what the model does not need, and says how large it was.
 */
#include "common/temporal/activity_result.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/temporal/history.h"

#define AGAIN_MS 1000

bool
activity_result_begin(struct activity_result *result,
    const Api__PollActivityTaskQueueResponse *task)
{
	const char *type = task->activity_type != NULL
	    ? task->activity_type->name
	    : "";
	struct span json = { "", 0 };
	int64_t attempt = 0, tries = 0, lost, again = task->attempt - 1;
	struct fail why;
	cJSON *input;
	bool known = true;

	(void)temporal_value(task->input, 0, &json);
	input = json_parse(json.at, json.length, &json_limits_upstream, &why);
	(void)json_integer(input, "attempt", &attempt);
	(void)json_integer(input, "tries", &tries);
	result->action.attempt = (unsigned)attempt;
	result->action.tries = (unsigned)tries;
	result->action.asked = json_true(input, "asked");
	result->action.members = BUF_INIT(64);
	result->text = BUF_INIT((size_t)EVENT_MAX + 100);
	if (strcmp(type, TEMPORAL_PIN) == 0) {
		result->action.type = ACTION_PIN;
	} else if (strcmp(type, TEMPORAL_MODEL_TURN) == 0) {
		result->action.type = ACTION_MODEL;
		known = json_integer(input, "turn", &result->turn);
		/* the server repeats it when its worker is lost */
		if (again > 0 && json_integer(input, "input_nano_usd", &lost))
			result->action.lost_nano_usd = lost * again;
		if (again > 0 && json_integer(input, "input_tokens", &lost))
			result->action.lost_tokens = lost * again;
	} else if (strcmp(type, TEMPORAL_TOOL_CALL) == 0) {
		result->action.type = ACTION_TOOL;
		result->action.call = mem_string(json_string(input, "call"));
		known = result->action.call != NULL;
	} else {
		known = false;
	}
	cJSON_Delete(input);
	return known;
}

void
activity_result_release(struct activity_result *result)
{
	buf_release(&result->action.members);
	free(result->action.call);
	buf_release(&result->text);
}

void
activity_result_put(struct activity_result *result, enum event_type type,
    struct span members)
{
	buf_reset(&result->text);
	buf_print(&result->text, "{\"type\":\"%s\"%s", event_type_name(type),
	    members.length > 0 ? "," : "");
	buf_add(&result->text, members.at, members.length);
	buf_add(&result->text, "}", 1);
	result->type = type;
}

/* The members that name the turn or call, and an error. */
static void
add_error(struct activity_result *result, struct buf *members, const char *type,
    const char *message)
{
	if (result->action.type == ACTION_MODEL)
		member_integer(members, "turn", result->turn);
	else if (result->action.type == ACTION_TOOL)
		member_string(members, "call", result->action.call);
	if (result->action.type != ACTION_PIN)
		member_integer(members, "attempt", result->action.attempt);
	member_error(members, type, message, NULL);
}

void
activity_result_not_done(struct activity_result *result, const char *message)
{
	struct buf members = BUF_INIT(1u << 20);
	char until[CLOCK_TEXT];

	if (result->action.type == ACTION_PIN) {
		clock_format(clock_wall() + AGAIN_MS, until);
		member_string(&members, "reason", message);
		member_string(&members, "until", until);
	} else {
		add_error(result, &members, "not_run", message);
		member_integer(&members, "delay_ms", AGAIN_MS);
	}
	activity_result_put(result,
	    result->action.type == ACTION_PIN         ? EVENT_WAITING
		: result->action.type == ACTION_MODEL ? EVENT_MODEL_FAILED
						      : EVENT_TOOL_FAILED,
	    (struct span){ members.data, members.length });
	buf_release(&members);
}

/* Without the member "whole", or with a result that only says how large it
 * was: the call was made, and the model has to know. */
static void
shrink_tool_result(struct activity_result *result, size_t size)
{
	struct buf members = BUF_INIT((size_t)EVENT_MAX),
		   block = BUF_INIT(1u << 20);
	struct span all = { result->text.data, result->text.length }, value;
	char *words;

	member_string(&members, "call", result->action.call);
	member_integer(&members, "attempt", result->action.attempt);
	if (json_member(all, "block", &value) &&
	    value.length + 4096 < TEMPORAL_BLOB_MAX) {
		member_raw(&members, "block", value.at, value.length);
		if (json_member(all, "is_error", &value))
			member_raw(&members, "is_error", value.at,
			    value.length);
	} else {
		words = mem_print(
		    "The call was made, but its result has %zu "
		    "bytes, which is too large to store. Ask for less at a "
		    "time.",
		    size);
		(void)agent_result_block(&block, result->action.call, words,
		    strlen(words), 0, true, NULL);
		member_raw(&members, "block", block.data, block.length);
		member_raw(&members, "is_error", "true", 4);
		free(words);
	}
	member_integer(&members, "whole_bytes", (int64_t)size);
	activity_result_put(result, result->type,
	    (struct span){ members.data, members.length });
	buf_release(&members);
	buf_release(&block);
}

void
activity_result_fit(struct activity_result *result)
{
	size_t size = result->text.length;
	struct buf members = BUF_INIT(1u << 20);
	char *words;

	if (size <= TEMPORAL_BLOB_MAX)
		return;
	if (result->type == EVENT_TOOL_FINISHED) {
		shrink_tool_result(result, size);
		return;
	}
	words = mem_print("the %s has %zu bytes, and Temporal takes %zu",
	    result->action.type == ACTION_PIN ? "task's tools" : "answer", size,
	    TEMPORAL_BLOB_MAX);
	add_error(result, &members, "too_large", words);
	activity_result_put(result,
	    result->action.type == ACTION_PIN         ? EVENT_FAILED
		: result->action.type == ACTION_MODEL ? EVENT_MODEL_FAILED
						      : EVENT_TOOL_UNKNOWN,
	    (struct span){ members.data, members.length });
	free(words);
	buf_release(&members);
}
