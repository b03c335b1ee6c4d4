/* SPDX-License-Identifier: ISC */
/*
 * How it works: this file folds the events of tool calls. A call goes from
 * pending over running to done. When its outcome is unknown, it is run again
 * if that is harmless or the user's settings say so; otherwise it is unknown
 * until the model is told or a person decides. A request that was sent may
 * still be executed after its worker or its connection has gone: nobody is told
 * before its settle time is over, because the model would look too early, find
 * nothing, and call again. Meanwhile the service's log is asked, if it may know
 * the call: what it has is the outcome, and what it has not may still come.
 *
 * The results of all calls of a reply become one user message when the last
 * one is there, in the order of the calls.
 */
#include "common/agent/read.h"
#include "common/agent/state.h"

#include <stdlib.h>
#include <string.h>

#define CONTENT_MAX ((size_t)1 << 30)
#define CONNECTION_RETRY_MS (5 * 60 * 1000)
#define LOST_RETRY_MS 1000

void
agent_free_calls(struct agent *agent)
{
	struct call *call;
	size_t i;

	for (i = 0; i < agent->call_count; i++) {
		call = &agent->calls[i];
		free(call->id);
		free(call->name);
		free(call->input);
		free(call->broken);
		free(call->evidence);
		free(call->connection);
		free(call->error);
		free(call->failure);
		free(call->block);
		free(call->answer);
	}
	free(agent->calls);
	agent->calls = NULL;
	agent->call_count = agent->first_open = 0;
}

/* A call with a settle time of 0 is told at once. */
static void
ask_for_evidence(struct call *call, int64_t at)
{
	call->ask = call->settle_at > call->sent_at;
	call->ask_at = at;
}

void
agent_lose_calls(struct agent *agent)
{
	struct call *call;
	size_t i;

	for (i = 0; i < agent->call_count; i++) {
		call = &agent->calls[i];
		if (call->status != CALL_RUNNING)
			continue;
		call->lost++;
		call->status = call->pin->repeatable &&
			call->lost < CALL_LOST_MAX
		    ? CALL_PENDING
		    : CALL_DOUBT;
		call->not_before = 0;
		if (call->status == CALL_DOUBT)
			ask_for_evidence(call, agent->last_at);
	}
}

static struct call *
event_call(struct agent *agent, const struct event *event)
{
	struct call *call;
	char *id;

	if (agent->step != STEP_TOOLS)
		return NULL;
	id = json_decode(json_get(&event->members, "call"));
	call = agent_find_call(agent, id);
	free(id);
	return call;
}

/* Whether the event is about the attempt that is the call's last one. */
static bool
same_attempt(const struct call *call, const struct event *event)
{
	return agent_integer(&event->members, "attempt") ==
	    (int64_t)call->attempt;
}

/* Whether evidence is about the call as it stands: a person may have decided
 * while the log was asked. */
static bool
is_asked_about(const struct call *call, const struct event *event)
{
	return call && same_attempt(call, event) &&
	    (call->status == CALL_DOUBT || call->status == CALL_UNKNOWN);
}

int
agent_tool_started(struct agent *agent, const struct event *event,
    struct fail *fail)
{
	struct call *call = event_call(agent, event);

	if (!call || call->status != CALL_PENDING || agent_reads(call) ||
	    agent->state != TASK_RUNNING || agent_call_refused(agent, call))
		return agent_misplaced(event, "no such call is due", fail);
	if (agent_integer(&event->members, "attempt") !=
	    (int64_t)call->attempt + 1)
		return agent_misplaced(event, "it is another attempt", fail);
	call->status = CALL_RUNNING;
	call->wait = WAIT_NONE;
	call->attempt++;
	call->sent_at = event->at;
	call->settle_at = call->pin->repeatable ||
		call->pin->on_unknown == ON_UNKNOWN_RETRY
	    ? 0
	    : agent_after(event, "settle_ms");
	agent->calls_made++;
	call->look = call->ask = false;
	agent_set_string(&call->evidence, NULL);
	agent_set_string(&call->connection, NULL);
	agent_set_string(&call->error, NULL);
	return 0;
}

/* When all calls have their block, they make the next user message. */
static void
finish_calls(struct agent *agent)
{
	struct buf content = BUF_INIT(CONTENT_MAX);
	size_t i;

	while (agent->first_open < agent->call_count &&
	    agent->calls[agent->first_open].status == CALL_DONE)
		agent->first_open++;
	if (agent->first_open < agent->call_count)
		return;
	for (i = 0; i < agent->call_count; i++) {
		buf_add_string(&content, i ? "," : "[");
		buf_add(&content, agent->calls[i].block,
		    agent->calls[i].block_length);
	}
	if (agent->said) {
		buf_add_string(&content, ",{\"type\":\"text\",\"text\":");
		json_quote(&content, agent->said, strlen(agent->said));
		buf_add_string(&content, "}");
		agent_set_string(&agent->said, NULL);
	}
	buf_add_string(&content, "]");
	agent_add_message(agent, "user",
	    (struct span){ content.data, content.length });
	buf_release(&content);
	agent_free_calls(agent);
	agent->step = STEP_MODEL;
	agent->model_not_before = 0;
}

static int
finish_call(struct agent *agent, struct call *call, const struct event *event,
    struct fail *fail)
{
	struct span block = json_get(&event->members, "block");
	struct json_object members;

	if (!json_object(block, &members) ||
	    !json_is(json_get(&members, "type"), "tool_result") ||
	    !json_is(json_get(&members, "tool_use_id"), call->id))
		return agent_misplaced(event,
		    "its block is not the result of this call", fail);
	agent_set_raw(&call->block, block);
	call->block_length = block.length;
	call->status = CALL_DONE;
	call->ask = false;
	agent_keep_result(agent, call, event->seq);
	agent_end_wait(agent);
	finish_calls(agent);
	return 0;
}

int
agent_tool_finished(struct agent *agent, const struct event *event,
    struct fail *fail)
{
	struct call *call = event_call(agent, event);

	if (json_get(&event->members, "evidence").length > 0) {
		if (!is_asked_about(call, event))
			return 0;
	} else if (!call || call->status == CALL_DONE ||
	    call->status == CALL_DOUBT ||
	    (call->status == CALL_PENDING && !agent_reads(call) &&
		!agent_call_refused(agent, call)))
		return agent_misplaced(event, "no such call is open", fail);
	return finish_call(agent, call, event, fail);
}

static void
keep_error(struct call *call, const struct event *event)
{
	agent_set_decoded(&call->error, event_reason(&event->members));
	if (!call->error)
		agent_set_string(&call->error, "");
}

int
agent_tool_failed(struct agent *agent, const struct event *event,
    struct fail *fail)
{
	struct call *call = event_call(agent, event);
	struct span connection = json_get(&event->members, "connection");
	int64_t at = agent_after(event, "delay_ms");

	if (!call || call->status != CALL_RUNNING || !same_attempt(call, event))
		return agent_misplaced(event, "no such call is under way",
		    fail);
	if (at < 0 && !connection.length)
		return finish_call(agent, call, event, fail);
	keep_error(call, event);
	agent_set_decoded(&call->connection, connection);
	call->wait = connection.length ? WAIT_CONNECTION
				       : agent_wait(event, "wait");
	call->status = CALL_PENDING;
	call->not_before = at >= 0 ? at : event->at + CONNECTION_RETRY_MS;
	call->look = connection.length > 0;
	call->look_at = event->at;
	if (call->wait == WAIT_NONE)
		call->failed++;
	return 0;
}

/* Gives the pins of TOOLKIT this account; whether that is another one. */
static bool
replace_account(struct agent *agent, const char *toolkit, const char *account)
{
	bool replaced = false;
	struct pin *pin;
	size_t i;

	for (i = 0; i < agent->pin_count; i++) {
		pin = &agent->pins[i];
		if (!pin->account || strcmp(pin->toolkit, toolkit) != 0 ||
		    strcmp(pin->account, account) == 0)
			continue;
		agent_set_string(&pin->account, account);
		replaced = true;
	}
	return replaced;
}

/* With another account the calls are made at once. With the same one, which
 * has just failed, they wait as long as they would have without it. */
static void
take_account(struct call *call, const struct event *event, bool found,
    bool replaced)
{
	int64_t at = agent_after(event, "delay_ms");

	call->look = !found;
	if (replaced) {
		call->not_before = event->at;
	} else if (!found) {
		call->not_before = call->look_at = at >= 0
		    ? at
		    : event->at + CONNECTION_RETRY_MS;
		agent_set_decoded(&call->error,
		    json_get(&event->members, "message"));
		call->wait = agent_wait(event, "wait");
		if (call->wait == WAIT_NONE)
			call->wait = WAIT_CONNECTION;
	}
}

int
agent_account(struct agent *agent, const struct event *event, struct fail *fail)
{
	char *toolkit = json_decode(json_get(&event->members, "toolkit"));
	char *account = json_decode(json_get(&event->members, "account"));
	bool replaced = account && replace_account(agent, toolkit, account);
	struct call *call;
	size_t i;

	(void)fail;
	for (i = agent->first_open; i < agent->call_count; i++) {
		call = &agent->calls[i];
		if (call->status == CALL_PENDING && call->connection &&
		    strcmp(call->connection, toolkit) == 0)
			take_account(call, event, account != NULL, replaced);
	}
	free(toolkit);
	free(account);
	return 0;
}

/* Whether the service itself answered: then it is done with the call. These
 * statuses are those of a proxy that did not wait for it. */
static bool
was_answered(struct span error)
{
	struct json_object members;
	int64_t status;

	(void)json_object(error, &members);
	status = agent_integer(&members, "status");
	return status && status != 408 && status != 502 && status != 504;
}

int
agent_tool_unknown(struct agent *agent, const struct event *event,
    struct fail *fail)
{
	struct span error = json_get(&event->members, "error");
	struct call *call = event_call(agent, event);
	int64_t at = agent_after(event, "delay_ms");

	if (!call || !same_attempt(call, event) ||
	    (call->status != CALL_RUNNING && call->status != CALL_DOUBT))
		return agent_misplaced(event, "no such call is under way",
		    fail);
	keep_error(call, event);
	agent_set_raw(&call->failure, error);
	agent->calls_unknown++;
	if (call->status == CALL_RUNNING)
		ask_for_evidence(call, event->at);
	if (call->status == CALL_DOUBT || was_answered(error))
		call->settle_at = 0;
	if (call->status == CALL_RUNNING) {
		call->lost++;
		call->failed++;
		at = at < 0 && call->pin->on_unknown == ON_UNKNOWN_RETRY
		    ? event->at + LOST_RETRY_MS
		    : at;
	}
	call->status = CALL_UNKNOWN;
	call->not_before = 0;
	if (call->lost < CALL_LOST_MAX &&
	    (call->pin->on_unknown == ON_UNKNOWN_RETRY ||
		(at >= 0 && call->pin->repeatable))) {
		call->status = CALL_PENDING;
		call->ask = false;
		call->not_before = at >= 0 ? at : 0;
	}
	return 0;
}

int
agent_evidence(struct agent *agent, const struct event *event,
    struct fail *fail)
{
	struct call *call = event_call(agent, event);
	int64_t at = agent_after(event, "delay_ms");

	(void)fail;
	if (!is_asked_about(call, event))
		return 0;
	agent_set_decoded(&call->evidence,
	    json_get(&event->members, "message"));
	/* The last time, it is asked when the call can no longer happen. */
	call->ask = at >= 0 && call->settle_at > event->at;
	call->ask_at = at < call->settle_at ? at : call->settle_at;
	return 0;
}
