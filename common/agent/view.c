/* SPDX-License-Identifier: ISC */
/*
 * How it works: this file gives the folded state to others: as a summary, the
 * next request's body, one call, a dump for tests. It never changes the state.
 */
#include "common/agent/compact.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/utf8.h"

#define BODY_MAX ((size_t)1 << 30)
#define INPUT_SHOWN 4096   /* of a call to decide about */
#define INPUTS_SHOWN 65536 /* of all of them together */

const struct task *
agent_task(const struct agent *agent)
{
	return agent->submitted ? &agent->task : NULL;
}

char *
agent_request(const struct agent *agent, size_t *ret_length)
{
	struct span pinned = { agent->request, agent->request_length }, most;
	struct buf body = BUF_INIT(BODY_MAX);

	/* The service's cache does not look at max_tokens. */
	if (agent->max_tokens && json_member(pinned, "max_tokens", &most)) {
		buf_add(&body, pinned.at, (size_t)(most.at - pinned.at));
		buf_print(&body, "%" PRId64, agent->max_tokens);
		pinned.length -= (size_t)(most.at - pinned.at) + most.length;
		pinned.at = most.at + most.length;
	}
	buf_add(&body, pinned.at, pinned.length - 1);
	buf_add_string(&body, ",\"messages\":[");
	agent_compact_request(agent, &body);
	buf_add_string(&body, "}");
	return buf_detach(&body, ret_length);
}

size_t
agent_decisions(const struct agent *agent, struct buf *buf)
{
	const struct call *call;
	size_t count = 0, i;

	for (i = agent->first_open; i < agent->call_count; i++) {
		call = &agent->calls[i];
		if (!agent_call_asked(call))
			continue;
		buf_add_string(buf, count++ ? ",{" : "[{");
		member_string(buf, "call", call->id);
		member_string(buf, "tool", call->name);
		if (call->input_length <= INPUT_SHOWN &&
		    buf->length < INPUTS_SHOWN)
			member_raw(buf, "input", call->input,
			    call->input_length);
		buf_add_string(buf, "}");
	}
	if (count)
		buf_add_string(buf, "]");
	return count;
}

const uint64_t *
agent_ids(const struct agent *agent, size_t *ret_count)
{
	*ret_count = agent->id_count;
	return agent->ids;
}

bool
agent_call(const struct agent *agent, const char *id, struct agent_call *ret)
{
	const struct call *call = agent_find_call(agent, id);

	if (!call || !call->pin)
		return false;
	*ret = (struct agent_call){
		.id = call->id,
		.name = call->name,
		.provider = call->pin->provider,
		.slug = call->pin->slug,
		.toolkit = call->pin->toolkit,
		.version = call->pin->version,
		.account = call->pin->account,
		.user = agent->task.user,
		.input = { call->input, call->input_length },
		.repeatable = call->pin->repeatable,
		.attempt = call->attempt,
		.sent_at = call->sent_at,
	};
	return true;
}

bool
agent_lookup(const struct agent *agent, struct agent_lookup *ret)
{
	const struct call *call;
	bool found = false;
	int64_t at;
	size_t i;

	for (i = agent->first_open; i < agent->call_count; i++) {
		call = &agent->calls[i];
		if (call->ask)
			at = call->ask_at;
		else if (call->status == CALL_PENDING && call->look)
			at = agent->state == TASK_WAITING ? call->not_before
							  : call->look_at;
		else
			continue;
		if (found && at >= ret->at)
			continue;
		found = true;
		*ret = (struct agent_lookup){
			.call = call->ask ? call->id : NULL,
			.toolkit = call->connection,
			.account = call->pin->account,
			.at = at,
		};
	}
	return found;
}

bool
agent_result_block(struct buf *buf, const char *call, const char *text,
    size_t length, size_t limit, bool is_error, const char *read_tool)
{
	struct buf cut = BUF_INIT(BODY_MAX);
	size_t keep = utf8_cut(text, length, limit ? limit : length);
	bool is_cut = keep < length;

	buf_add_string(buf, "{\"type\":\"tool_result\",\"tool_use_id\":");
	json_quote(buf, call, strlen(call));
	buf_add_string(buf, ",\"content\":");
	if (is_cut) {
		buf_add(&cut, text, keep);
		buf_print(&cut,
		    AGENT_CUT_MARK "the first %zu of %zu bytes are shown; ",
		    keep, length);
		if (read_tool)
			buf_print(&cut, AGENT_READ_ON "]", read_tool, call,
			    keep);
		else
			buf_add_string(&cut,
			    "ask for less at a time to see the rest]");
		json_quote(buf, cut.data, cut.length);
		buf_release(&cut);
	} else {
		json_quote(buf, text, length);
	}
	buf_add_string(buf, is_error ? ",\"is_error\":true}" : "}");
	return is_cut;
}

void
agent_summary(const struct agent *agent, struct agent_summary *ret)
{
	int64_t limit;

	*ret = (struct agent_summary){
		.state = agent->state,
		.reason = agent->reason,
		.turns = agent->turns,
		.calls = agent->calls_made,
		.calls_unknown = agent->calls_unknown,
		.input_tokens = agent->tokens.input,
		.output_tokens = agent->tokens.output,
		.cache_read_tokens = agent->tokens.cache_read,
		.cache_write_tokens = agent->tokens.cache_write,
		.nano_usd = agent->nano_usd,
		.reserved_nano_usd = agent->reserved_nano_usd,
		.seq = agent->seq,
		.clock_from = agent->started_at ? agent->clock_from : 0,
		.paused = agent->paused,
		.cancel_asked = agent->cancel_asked,
	};
	if (agent->state == TASK_WAITING) {
		ret->wait = agent->wait.kind;
		ret->since = agent->wait.since;
		ret->toolkit = agent->wait.toolkit;
		ret->call = agent->wait.call;
		ret->link = agent->wait.link;
		limit = agent_time_limit(agent, 0);
		ret->due = agent->due && (!limit || agent->due < limit)
		    ? agent->due
		    : limit;
	}
}

static void
dump_string(struct buf *dump, const char *name, const char *value)
{
	if (value)
		buf_print(dump, "%s %s\n", name, value);
}

static void
dump_call(struct buf *dump, const struct call *call)
{
	buf_print(dump,
	    "call %s %s pinned %d input %s status %d attempt %u failed %u "
	    "lost %u not_before %" PRId64 " wait %s\n",
	    call->id, call->name, call->pin != NULL, call->input, call->status,
	    call->attempt, call->failed, call->lost, call->not_before,
	    wait_name(call->wait));
	dump_string(dump, "broken", call->broken);
	buf_print(dump, "sent_at %" PRId64 " settle_at %" PRId64 "\n",
	    call->sent_at, call->settle_at);
	dump_string(dump, "evidence", call->evidence);
	if (call->ask)
		buf_print(dump, "ask_at %" PRId64 "\n", call->ask_at);
	dump_string(dump, "connection", call->connection);
	if (call->look)
		buf_print(dump, "look_at %" PRId64 "\n", call->look_at);
	dump_string(dump, "error", call->error);
	dump_string(dump, "failure", call->failure);
	dump_string(dump, "block", call->block);
	dump_string(dump, "answer", call->answer);
}

char *
agent_dump(const struct agent *agent)
{
	struct buf dump = BUF_INIT(BODY_MAX);

	buf_print(&dump,
	    "state %s step %d seq %" PRIu64 " started_at %" PRId64 " %" PRId64
	    " pins %zu due %" PRId64 " paused %d cancel_asked %d day %" PRId64
	    "\n",
	    task_state_name(agent->state), agent->step, agent->seq,
	    agent->started_at, agent->clock_from, agent->pin_count, agent->due,
	    agent->paused, agent->cancel_asked, agent->day_ends);
	buf_print(&dump,
	    "model running %d attempt %u not_before %" PRId64
	    " wait %s failed %u lost %u empty %u cut %u goes_on %d echoed %d\n",
	    agent->model_running, agent->model_attempt, agent->model_not_before,
	    wait_name(agent->model_wait), agent->model_failed,
	    agent->model_lost, agent->empty_replies, agent->cut_replies,
	    agent->text_goes_on, agent->echoed);
	buf_print(&dump,
	    "first_open %zu skip_calls %d turns %" PRId64 " calls %" PRId64
	    " unknown %" PRId64 "\n",
	    agent->first_open, agent->skip_calls, agent->turns,
	    agent->calls_made, agent->calls_unknown);
	buf_print(&dump,
	    "input %" PRId64 " output %" PRId64 " cache_read %" PRId64
	    " cache_write %" PRId64 " nano_usd %" PRId64 "\n",
	    agent->tokens.input, agent->tokens.output, agent->tokens.cache_read,
	    agent->tokens.cache_write, agent->nano_usd);
	if (agent->wait.kind != WAIT_NONE)
		buf_print(&dump, "waits for %s since %" PRId64 "\n",
		    wait_name(agent->wait.kind), agent->wait.since);
	dump_string(&dump, "toolkit", agent->wait.toolkit);
	dump_string(&dump, "call", agent->wait.call);
	dump_string(&dump, "link", agent->wait.link);
	buf_print(&dump,
	    "max_tokens %" PRId64 " reserved %" PRId64 " %" PRId64 " %" PRId64
	    " prompt %" PRId64 " %" PRId64 "\n",
	    agent->max_tokens, agent->reserved_nano_usd, agent->input_nano_usd,
	    agent->input_tokens, agent->prompt_tokens, agent->prompt_bytes);
	buf_print(&dump,
	    "window %" PRId64 " context %" PRId64 " bytes %zu sent %zu "
	    "answered %zu marked %zu compacting %d from %zu after %" PRId64
	    " overflow %d no_service %d by_service %d was_cut %d\n",
	    agent->window, agent->context, agent->context_bytes, agent->sent,
	    agent->answered, agent->marked, agent->compacting,
	    agent->compact_from, agent->compact_after, agent->overflow,
	    agent->no_service, agent->by_service, agent->was_cut);
	dump_string(&dump, "reason", agent->reason);
	dump_string(&dump, "error", agent->error);
	dump_string(&dump, "stop_reason", agent->stop_reason);
	dump_string(&dump, "text", agent->text);
	dump_string(&dump, "said", agent->said);
	dump_string(&dump, "request", agent->request);
	dump_string(&dump, "messages", agent->messages.data);
	for (size_t i = 0; i < agent->pin_count; i++)
		dump_string(&dump, agent->pins[i].name, agent->pins[i].account);
	for (size_t i = 0; i < agent->call_count; i++)
		dump_call(&dump, &agent->calls[i]);
	return buf_detach(&dump, NULL);
}
