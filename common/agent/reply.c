/* SPDX-License-Identifier: ISC */
/*
 * How it works: this file folds the model's events. A reply's content is stored
 * as the bytes that came; it is only searched for its calls and its text. The
 * stop reason decides what comes next.
 *
 * Two kinds of reply are not sent back, because the service refuses a
 * conversation that contains them: one whose only content is empty text, and
 * one that ends in a thinking block and is not continued.
 */
#include "common/agent/state.h"

#include <stdlib.h>
#include <string.h>

#include "common/agent/budget.h"
#include "common/agent/compact.h"
#include "common/agent/pins.h"
#include "common/agent/schema.h"
#include "common/agent/usage.h"
#include "common/base/clock.h"
#include "common/base/mem.h"

#define TEXT_MAX ((size_t)1 << 30)
#define EMPTY_REPLIES_MAX 3
#define CUT_REPLIES_MAX 5

/* Tells the day, in a message of its own: none that was sent is changed. */
static int
tell_date(struct agent *agent, const struct event *event, struct span date,
    struct fail *fail)
{
	struct buf content = BUF_INIT(TEXT_MAX);
	struct json_object members;
	struct span text;
	struct fail why;
	char *until;
	int result = -1;

	(void)json_object(date, &members);
	text = json_get(&members, "text");
	until = json_decode(json_get(&members, "until"));
	if (!agent->last_user || !text.length || *text.at != '"' || !until ||
	    clock_parse(until, &agent->day_ends, &why) < 0) {
		agent_misplaced(event,
		    "it tells no day, or not to a user's "
		    "message",
		    fail);
		goto out;
	}
	buf_add_string(&content, "[{\"type\":\"text\",\"text\":");
	buf_add(&content, text.at, text.length);
	buf_add_string(&content, "}]");
	agent_add_message(agent, "user",
	    (struct span){ content.data, content.length });
	result = 0;
out:
	buf_release(&content);
	free(until);
	return result;
}

int
agent_model_started(struct agent *agent, const struct event *event,
    struct fail *fail)
{
	struct span date = json_get(&event->members, "date");

	if (agent->state != TASK_RUNNING || agent->step != STEP_MODEL ||
	    agent->model_running)
		return agent_misplaced(event, "no model turn is due", fail);
	if (agent_integer(&event->members, "turn") != agent->turns + 1)
		return agent_misplaced(event, "it is another turn's", fail);
	if (agent_integer(&event->members, "attempt") !=
	    (int64_t)agent->model_attempt + 1)
		return agent_misplaced(event, "it is another attempt", fail);
	if (date.length && tell_date(agent, event, date, fail) < 0)
		return -1;
	agent->model_running = true;
	agent->model_attempt++;
	agent_compact_started(agent, event);
	budget_begin(agent, &event->members,
	    agent_compact_sends(agent, agent->compacting));
	return 0;
}

/* ---- the reply's blocks ---- */

static const struct pin *
find_pin(const struct agent *agent, const char *name)
{
	size_t i;

	for (i = 0; i < agent->pin_count; i++)
		if (strcmp(agent->pins[i].name, name) == 0)
			return &agent->pins[i];
	return NULL;
}

/* As the model was given it; of length 0 when it is not there. */
static struct span
input_schema(const struct agent *agent, const char *tool)
{
	struct span request = { agent->request, agent->request_length };
	struct span tools = { NULL, 0 }, item, value, schema = { NULL, 0 };

	(void)json_member(request, "tools", &tools);
	while (!schema.length && json_element(&tools, &item))
		if (json_member(item, "name", &value) && json_is(value, tool))
			(void)json_member(item, "input_schema", &schema);
	return schema;
}

static void
keep_id(struct agent *agent, const char *id)
{
	size_t count = agent->id_count;

	if ((count & (count - 1)) == 0) {
		agent->ids = mem_grow(agent->ids, count ? count * 2 : 1,
		    sizeof(*agent->ids));
		agent->results = mem_grow(agent->results, count ? count * 2 : 1,
		    sizeof(*agent->results));
	}
	agent->results[agent->id_count] = 0;
	agent->ids[agent->id_count++] = agent_id_hash(id);
}

static void
add_call(struct agent *agent, const struct json_object *block,
    const struct event *event, char *id, char *name)
{
	struct span input = json_get(block, "input");
	struct buf restored = BUF_INIT(TEXT_MAX);
	size_t count = agent->call_count;
	struct json_object broken;
	struct call *call;

	keep_id(agent, id);
	if ((count & (count - 1)) == 0)
		agent->calls = mem_grow(agent->calls, count ? count * 2 : 1,
		    sizeof(*agent->calls));
	call = &agent->calls[agent->call_count++];
	memset(call, 0, sizeof(*call));
	if (!input.length)
		input = (struct span){ "{}", 2 };
	call->id = id;
	call->name = name;
	call->pin = find_pin(agent, name);
	if (call->pin && call->pin->aliases)
		schema_restore((struct span){ call->pin->aliases,
				   strlen(call->pin->aliases) },
		    input_schema(agent, name), input, &restored);
	else
		buf_add(&restored, input.at, input.length);
	call->input = buf_detach(&restored, &call->input_length);
	call->input_valid = input.at[0] == '{';
	if (json_object(json_get(&event->members, "broken"), &broken))
		call->broken = json_decode(json_get(&broken, id));
}

static int
compare_ids(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool
ids_differ(const struct agent *agent)
{
	const char **ids;
	bool differ = true;
	size_t i;

	if (agent->call_count < 2)
		return true;
	ids = mem_alloc(agent->call_count * sizeof(*ids));
	for (i = 0; i < agent->call_count; i++)
		ids[i] = agent->calls[i].id;
	qsort(ids, agent->call_count, sizeof(*ids), compare_ids);
	for (i = 1; i < agent->call_count && differ; i++)
		differ = strcmp(ids[i - 1], ids[i]) != 0;
	free(ids);
	return differ;
}

struct reply {
	const char *stop;
	bool filled; /* it has a block other than empty text */
	bool has_text;
	bool ends_in_thinking;
	size_t text_before; /* length of the text that it continues */
};

static int
read_block(struct agent *agent, struct span block, const struct event *event,
    struct buf *text, struct reply *reply, struct fail *fail)
{
	struct json_object members;
	char *string, *name;
	struct span type;

	(void)json_object(block, &members);
	type = json_get(&members, "type");
	if (!type.length || *type.at != '"')
		return agent_misplaced(event, "a block has no type", fail);
	if (json_is(type, "text")) {
		string = json_decode(json_get(&members, "text"));
		if (!string || !*string) {
			free(string);
			return 0;
		}
		buf_add_string(text, string);
		free(string);
		reply->has_text = true;
	} else if (json_is(type, "tool_use")) {
		string = json_decode(json_get(&members, "id"));
		name = json_decode(json_get(&members, "name"));
		if (!string || !name) {
			free(string);
			free(name);
			return agent_misplaced(event,
			    "a tool_use has no id or no name", fail);
		}
		add_call(agent, &members, event, string, name);
	}
	reply->filled = true;
	reply->ends_in_thinking = json_is(type, "thinking") ||
	    json_is(type, "redacted_thinking");
	return 0;
}

static int
read_content(struct agent *agent, const struct event *event,
    struct span content, struct reply *reply, struct fail *fail)
{
	struct buf text = BUF_INIT(TEXT_MAX);
	struct span block;
	int result = -1;

	if (agent->text_goes_on)
		buf_add_string(&text, agent->text);
	reply->text_before = text.length;
	while (json_element(&content, &block))
		if (read_block(agent, block, event, &text, reply, fail) < 0)
			goto out;
	if (!ids_differ(agent)) {
		agent_misplaced(event, "two tool_use have one id", fail);
		goto out;
	}
	free(agent->text);
	agent->text = buf_detach(&text, NULL);
	result = 0;
out:
	buf_release(&text);
	return result;
}

/* ---- the next step ---- */

static void
fail_refused(struct agent *agent, const struct event *event)
{
	struct span details = json_get(&event->members, "stop_details");
	struct json_object members;
	char *category, *why, *message;

	(void)json_object(details, &members);
	category = json_decode(json_get(&members, "category"));
	why = json_decode(json_get(&members, "explanation"));
	message = mem_print("the model refused to answer%s%s%s%s",
	    category ? ", category " : "", category ? category : "",
	    why ? ": " : "", why ? why : "");

	agent_fail_step(agent, "refusal", message);
	free(category);
	free(why);
	free(message);
}

static void
fail_unknown_stop(struct agent *agent, const char *stop)
{
	char *message = *stop ? mem_print("the reply stopped for a reason "
					  "that this program does not know: %s",
				    stop)
			      : mem_string("the reply has no stop reason");

	agent_fail_step(agent, "unknown_stop_reason", message);
	free(message);
}

static void
choose_calls(struct agent *agent)
{
	size_t i;

	agent->step = STEP_TOOLS;
	agent->skip_calls = agent->call_count > CALLS_MAX;
	for (i = 0; i < agent->call_count && !agent->skip_calls; i++)
		if (strcmp(agent->calls[i].name, PINS_BLOCKED_TOOL) == 0 &&
		    !agent->calls[i].broken)
			agent->step = STEP_BLOCKED;
}

/* Whether the reply announces a call that is not in it. */
static bool
no_call(const struct agent *agent)
{
	return strcmp(agent->stop_reason, "tool_use") == 0 &&
	    !agent->call_count;
}

/* The stop reason decides. */
static void
choose_step(struct agent *agent, const struct event *event, struct reply *reply)
{
	const char *stop = reply->stop;
	bool cut = agent_reply_cut(agent);

	if (strcmp(stop, "pause_turn") == 0) {
		agent->step = STEP_MODEL;
	} else if (strcmp(stop, "tool_use") == 0 && agent->call_count) {
		choose_calls(agent);
	} else if (cut || strcmp(stop, "end_turn") == 0 ||
	    strcmp(stop, "stop_sequence") == 0 ||
	    strcmp(stop, "tool_use") == 0) {
		if (reply->ends_in_thinking) {
			agent_free_calls(agent);
			reply->filled = false;
		}
		agent->skip_calls = agent->call_count > 0;
		agent->step = agent->call_count                 ? STEP_TOOLS
		    : cut || !reply->has_text || no_call(agent) ? STEP_SAY
								: STEP_COMPLETE;
	} else if (strcmp(stop, "refusal") == 0) {
		fail_refused(agent, event);
	} else {
		fail_unknown_stop(agent, stop);
	}
}

/* A model whose replies are empty, or are cut again and again, is asked only a
 * limited number of times. */
static void
check_progress(struct agent *agent, const struct reply *reply)
{
	bool cut = agent_reply_cut(agent);

	agent->empty_replies = agent->step == STEP_SAY
	    ? (reply->filled && reply->has_text && !no_call(agent)
		      ? 0
		      : agent->empty_replies + 1)
	    : agent->step == STEP_MODEL && !reply->filled
	    ? agent->empty_replies + 1
	    : 0;
	agent->cut_replies = cut ? agent->cut_replies + 1 : 0;
	if (agent->step == STEP_FAIL)
		return;
	if (agent->empty_replies >= EMPTY_REPLIES_MAX)
		agent_fail_step(agent, "empty_reply",
		    no_call(agent) ? "the model announced a call and made "
				     "none, three times in a row"
				   : "the model answered nothing, three times "
				     "in a row");
	else if (agent->cut_replies >= CUT_REPLIES_MAX)
		agent_fail_step(agent, "max_tokens",
		    "the model's reply was cut at its token limit, five "
		    "times in a row: raise max_tokens");
}

int
agent_model_replied(struct agent *agent, const struct event *event,
    struct fail *fail)
{
	struct span content = json_get(&event->members, "content");
	struct reply reply = { .stop = NULL };

	if (!agent->model_running || agent->compacting)
		return agent_misplaced(event, "no model turn is under way",
		    fail);
	if (agent_integer(&event->members, "turn") != agent->turns + 1)
		return agent_misplaced(event, "it is another turn's", fail);
	agent->model_running = agent->was_cut = false;
	agent->model_attempt = agent->model_failed = agent->model_lost = 0;
	agent->model_not_before = 0;
	agent->model_wait = WAIT_NONE;
	agent_end_wait(agent);
	agent->turns++;
	agent_count_usage(agent, event);
	agent_set_string(&agent->error, NULL);
	agent_set_decoded(&agent->stop_reason,
	    json_get(&event->members, "stop_reason"));
	reply.stop = agent->stop_reason;
	agent->skip_calls = false;
	if (read_content(agent, event, content, &reply, fail) < 0)
		return -1;
	choose_step(agent, event, &reply);
	check_progress(agent, &reply);
	agent->echoed = reply.filled && agent->step != STEP_FAIL;
	if (agent->step == STEP_SAY && !agent->echoed)
		agent->text[reply.text_before] = '\0';
	else
		agent->text_goes_on = agent->step == STEP_MODEL ||
		    (agent->step == STEP_SAY && !no_call(agent));
	if (agent->echoed)
		agent_add_message(agent, "assistant", content);
	if (agent->step != STEP_TOOLS && agent->step != STEP_BLOCKED)
		agent_free_calls(agent);
	agent_compact_replied(agent, agent_usage_context(event));
	return 0;
}

int
agent_model_failed(struct agent *agent, const struct event *event,
    struct fail *fail)
{
	struct json_object error;

	if (!agent->model_running)
		return agent_misplaced(event, "no model turn is under way",
		    fail);
	if (agent_integer(&event->members, "turn") != agent->turns + 1)
		return agent_misplaced(event, "it is another turn's", fail);
	if (agent_integer(&event->members, "attempt") !=
	    (int64_t)agent->model_attempt)
		return agent_misplaced(event, "it is another attempt", fail);
	agent->model_running = false;
	agent->model_lost = 0;
	agent->model_wait = agent_wait(event, "wait");
	if (agent->model_wait == WAIT_NONE)
		agent->model_failed++;
	(void)json_object(json_get(&event->members, "error"), &error);
	budget_end(agent, json_is(json_get(&error, "type"), "worker_lost"));
	agent_count_usage(agent, event);
	agent_set_raw(&agent->error, json_get(&event->members, "error"));
	agent->model_not_before = agent_after(event, "delay_ms");
	if (agent->model_not_before >= 0)
		return 0;
	if (!agent_compact_failed(agent, event))
		agent->step = STEP_FAIL;
	return 0;
}
