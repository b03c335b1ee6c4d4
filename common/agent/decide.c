/* SPDX-License-Identifier: ISC */
/*
 * How it works: what is recorded of a call that is not, or not yet, known to
 * have been made, and what the model is told instead of its result.
 */
#include "common/agent/decide.h"

#include <stdlib.h>
#include <string.h>

#include "common/agent/compact.h"
#include "common/agent/pins.h"
#include "common/agent/read.h"
#include "common/base/clock.h"
#include "common/base/mem.h"

#define EVENT_ROOM ((size_t)EVENT_MAX)

void
plan_record(struct plan *plan, enum event_type type)
{
	plan->has_record = true;
	plan->record = type;
	plan->record_members = BUF_INIT(EVENT_ROOM);
}

static void
record_unknown(struct plan *plan, const struct call *call)
{
	char sent[CLOCK_TEXT];

	plan_record(plan, EVENT_TOOL_UNKNOWN);
	member_string(&plan->record_members, "call", call->id);
	member_integer(&plan->record_members, "attempt", call->attempt);
	clock_format(call->sent_at, sent);
	member_string(&plan->record_members, "sent_at", sent);
	buf_add_string(&plan->record_members,
	    ",\"error\":{\"type\":\"worker_lost\",\"message\":\"the worker "
	    "ended while the call was under way\"}");
}

/* What the model is told instead of a result. */
static void
record_text(struct plan *plan, const struct call *call, const char *text,
    bool is_error)
{
	struct buf block = BUF_INIT(EVENT_ROOM);

	(void)agent_result_block(&block, call->id, text, strlen(text), 0,
	    is_error, NULL);
	plan_record(plan, EVENT_TOOL_FINISHED);
	member_string(&plan->record_members, "call", call->id);
	member_integer(&plan->record_members, "attempt", call->attempt);
	member_raw(&plan->record_members, "block", block.data, block.length);
	member_raw(&plan->record_members, "is_error",
	    is_error ? "true" : "false", is_error ? 4 : 5);
	buf_release(&block);
}

static void
record_result(struct plan *plan, const struct call *call, const char *text)
{
	record_text(plan, call, text, true);
}

static void
record_read(const struct agent *agent, const struct call *call,
    struct plan *plan)
{
	bool is_error;
	char *text = agent_read_answer(agent, call, &is_error);

	record_text(plan, call, text, is_error);
	free(text);
}

static void
record_no_such_tool(const struct agent *agent, struct plan *plan,
    const struct call *call)
{
	struct buf text = BUF_INIT(EVENT_ROOM);
	size_t i;

	buf_print(&text,
	    "There is no tool named \"%s\"; nothing was done. "
	    "The tools are:",
	    call->name);
	for (i = 0; i < agent->pin_count; i++)
		buf_print(&text, " %s", agent->pins[i].name);
	buf_add_string(&text, " " PINS_BLOCKED_TOOL);
	record_result(plan, call, text.data);
	buf_release(&text);
}

/* Why the last attempt of a call that may be repeated failed, in the words of
 * the service. */
static char *
failure_text(const struct call *call)
{
	struct span error = { call->failure,
		call->failure ? strlen(call->failure) : 0 };
	struct span status = { NULL, 0 }, id = { NULL, 0 };
	const char *said = call->error ? call->error : "no answer";
	char *request, *text;
	bool add;

	(void)json_member(error, "status", &status);
	(void)json_member(error, "request_id", &id);
	request = json_decode(id);
	add = request && !strstr(said, request);
	text = mem_print("%s%s%.*s%s%s", said, status.length ? ", status " : "",
	    (int)status.length, status.length ? status.at : "",
	    add ? ", request " : "", add ? request : "");
	free(request);
	return text;
}

static void
record_told(struct plan *plan, const struct call *call)
{
	char sent[CLOCK_TEXT], *why, *text;

	if (call->pin->repeatable) {
		why = failure_text(call);
		text = call->lost > 1
		    ? mem_print("The call failed each of %u times: %s.",
			  call->lost, why)
		    : mem_print("The call failed: %s.", why);
		free(why);
	} else {
		clock_format(call->sent_at, sent);
		text = mem_print(
		    "No result: the call was sent at %s, but the answer was "
		    "lost, so it may have taken effect or not. It is not "
		    "repeated for you. Look whether it took effect before you "
		    "call it again.%s%s",
		    sent, call->evidence ? " " : "",
		    call->evidence ? call->evidence : "");
	}
	record_result(plan, call, text);
	free(text);
}

/* The reason why none of the calls is run. */
static const char *
skipped(const struct agent *agent)
{
	if (agent_reply_cut(agent))
		return "Not run: your reply was cut at its token limit. Call "
		       "again, with less at a time.";
	if (strcmp(agent->stop_reason, "tool_use") == 0 &&
	    agent->call_count > CALLS_MAX)
		return "Not run: these are too many calls at once. Call "
		       "again, with fewer at a time.";
	if (strcmp(agent->stop_reason, "tool_use") == 0)
		return "Not run: the task was blocked in the same reply. Call "
		       "again if it is still wanted.";
	return "Not run: your reply ended without asking for it. Call again "
	       "if it is still wanted.";
}

static void
record_refusal(const struct agent *agent, const struct call *call,
    struct plan *plan)
{
	if (agent->skip_calls && strcmp(call->name, PINS_BLOCKED_TOOL) == 0 &&
	    strcmp(agent->stop_reason, "tool_use") == 0)
		record_result(plan, call,
		    "A person has seen the reason, and asks you to go on: try "
		    "again what was not possible.");
	else if (agent->skip_calls)
		record_result(plan, call, skipped(agent));
	else if (call->broken)
		record_result(plan, call, call->broken);
	else if (!call->pin)
		record_no_such_tool(agent, plan, call);
	else
		record_result(plan, call,
		    "Not run: the input is not a JSON "
		    "object.");
}

bool
decide_doubt(const struct agent *agent, struct plan *plan)
{
	size_t i;

	for (i = agent->first_open; i < agent->call_count; i++)
		if (agent->calls[i].status == CALL_DOUBT) {
			record_unknown(plan, &agent->calls[i]);
			return true;
		}
	return false;
}

bool
decide_settling(const struct call *call, int64_t now)
{
	return call->ask ||
	    ((call->status == CALL_DOUBT || call->status == CALL_UNKNOWN) &&
		call->settle_at > now);
}

bool
decide_call(const struct agent *agent, const struct call *call, int64_t now,
    struct plan *plan)
{
	if (decide_settling(call, now)) {
		return false;
	} else if (call->status == CALL_DOUBT) {
		record_unknown(plan, call);
	} else if (call->status == CALL_DENIED ||
	    (call->status == CALL_UNKNOWN &&
		call->pin->on_unknown != ON_UNKNOWN_ASK)) {
		record_told(plan, call);
	} else if (call->status == CALL_PENDING &&
	    agent_call_refused(agent, call)) {
		record_refusal(agent, call, plan);
	} else if (call->status == CALL_PENDING && agent_reads(call)) {
		record_read(agent, call, plan);
	} else {
		return false;
	}
	return true;
}
