/* SPDX-License-Identifier: ISC */
/*
 * How effect works: each action becomes one call of a provider, and the
 * provider's answer one event. Whether another try is an attempt is decided
 * here: when they are used up, what can still be mended is waited for. The fold,
 * which sees delay_ms, decides whether it is made.
 *
 * The members of the events, in this order; [] marks those that may be
 * missing:
 *
 * model.replied	turn, attempt, content (raw array), [broken (raw object:
 *	why calls, by id, are not run)], stop_reason ("" for null),
 *	[stop_details (raw object)], usage {input, output, cache_read,
 *	cache_write_5m, cache_write_1h}, nano_usd, model, message, request_id
 * model.failed		turn, attempt, error {type, message, [code], [status],
 *	[request_id]}, [usage, nano_usd] when something was billed, [delay_ms]
 *	when a retry can help, with wait when it is none of the attempts
 * compacted		turn, attempt, by, content (raw), kept, usage, nano_usd:
 *	instead of model.replied when the turn was to compact
 * tool.finished	call, attempt, block (raw tool_result), is_error, [whole]
 *	(raw data) when the block holds only its beginning, [log_id],
 *	[request_id]
 * tool.failed		call, attempt, error, then one of: delay_ms (try again),
 *	connection (the toolkit; wait for a live account), block and is_error
 *	(final: what the model is told)
 * tool.unknown		call, attempt, error, [delay_ms] when another try is
 *	allowed, if the fold finds the tool repeatable
 * pinned		request, tools: see pins.h
 * account		toolkit, then account, or message, [delay_ms]
 * evidence		call, attempt, [message], [delay_ms]; or tool.finished with
 *	evidence and log_id
 * waiting		reason, until, for, message: an outage or a key when the
 *	facts could not be had, connection when only those are missing
 * failed		error {type "refused", message}: all the reasons
 */
#include "common/provider/effect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/agent/preflight.h"
#include "common/agent/read.h"
#include "common/base/backoff.h"
#include "common/base/clock.h"
#include "common/base/id.h"
#include "common/base/mem.h"
#include "common/base/utf8.h"
#include "common/base/zone.h"
#include "common/net/http.h"
#include "common/provider/compaction.h"
#include "common/provider/effect_internal.h"

#define START_WAIT_MS 60000
#define NAME_PART 64 /* bytes of a task's id, and of a call's */

static void
effect_free(void *context)
{
	struct effect *effect = context;

	loop_cancel(effect->effects->loop, &effect->now);
	if (effect->has_task)
		task_release(&effect->task);
	free(effect->model);
	free(effect->goal);
	free(effect->call);
	free(effect->toolkit);
	free(effect->read_tool);
	free(effect->account);
	free(effect);
}

void
effect_end(struct effect *effect, enum event_type type, struct buf *members)
{
	void (*done)(void *, enum event_type, struct buf *) = effect->done;
	void *context = effect->context;

	effect_free(effect);
	done(context, type, members);
	buf_release(members);
}

static bool
may_retry(const struct effect *effect)
{
	return effect->tries < effect->effects->config->attempts;
}

/* Adds "error":{...}; STATUS 0 and empty strings are left out. */
static void
add_error(struct buf *members, const char *type, const char *message,
    const char *code, int status, const char *request_id)
{
	struct buf more = BUF_INIT(1u << 20);

	if (*code != '\0')
		member_string(&more, "code", code);
	if (status != 0)
		member_integer(&more, "status", status);
	if (*request_id != '\0')
		member_string(&more, "request_id", request_id);
	member_error(members, type, message, more.data);
	buf_release(&more);
}

/* Adds that there has to be a wait, which is no attempt. NONE stands for an
 * outage that has lasted for all attempts. DELAY is what is known of its time: 0
 * for nothing. */
static void
add_wait(const struct effect *effect, struct buf *members, enum wait_kind kind,
    int64_t delay)
{
	struct backoff_answer none = { .status = 0 };
	int64_t grown = backoff_delay(&none, (unsigned)effect->attempt,
	    random_fraction());

	if (kind == WAIT_NONE && delay < grown)
		delay = grown;
	if (kind == WAIT_NONE)
		kind = WAIT_OUTAGE;
	if (delay <= 0)
		delay = backoff_slow(
		    (unsigned)(effect->attempt - effect->tries + 1));
	member_string(members, "wait", wait_name(kind));
	member_integer(members, "delay_ms", delay);
}

/* ---- the model ---- */

static void
add_usage(const struct effect *effect, const struct claude_reply *reply,
    struct buf *members)
{
	claude_usage_members(reply, effect->effects->config, effect->model,
	    effect->lost_nano_usd, members);
	if (effect->lost_tokens)
		member_integer(members, "lost_tokens", effect->lost_tokens);
}

/* A turn that was to compact the conversation. */
static void
compaction_done(struct effect *effect, const struct claude_reply *reply,
    struct buf *members)
{
	enum event_type type = EVENT_COMPACTED;

	if (compaction_read(reply, effect->compaction, effect->goal, members)) {
		member_integer(members, "kept", effect->kept);
	} else {
		type = EVENT_MODEL_FAILED;
		add_error(members, "no_summary",
		    "the reply has nothing that stands for the conversation",
		    "", 0, reply->request_id);
	}
	add_usage(effect, reply, members);
	effect_end(effect, type, members);
}

static void
model_done(void *context, const struct claude_reply *reply)
{
	struct effect *effect = context;
	struct buf members = BUF_INIT(EVENT_MAX);

	effect->claude_call = NULL;
	member_integer(&members, "turn", effect->turn);
	member_integer(&members, "attempt", effect->attempt);
	if (!reply->ok) {
		add_error(&members, reply->error_type, reply->error_message,
		    reply->error_code, reply->status, reply->request_id);
		if (claude_billed(&reply->usage) || effect->lost_nano_usd ||
		    effect->lost_tokens)
			add_usage(effect, reply, &members);
		if (reply->retryable && may_retry(effect))
			member_integer(&members, "delay_ms", reply->delay_ms);
		else if (reply->retryable || reply->wait != WAIT_NONE)
			add_wait(effect, &members, reply->wait,
			    reply->delay_ms);
		effect_end(effect, EVENT_MODEL_FAILED, &members);
		return;
	}
	if (effect->compaction != AGENT_COMPACTS_NOT) {
		compaction_done(effect, reply, &members);
		return;
	}
	member_raw(&members, "content", reply->content, reply->content_length);
	if (*reply->broken != '\0')
		member_raw(&members, "broken", reply->broken,
		    strlen(reply->broken));
	member_string(&members, "stop_reason", reply->stop_reason);
	if (*reply->stop_details != '\0')
		member_raw(&members, "stop_details", reply->stop_details,
		    strlen(reply->stop_details));
	add_usage(effect, reply, &members);
	member_string(&members, "model", reply->model);
	member_string(&members, "message", reply->message_id);
	member_string(&members, "request_id", reply->request_id);
	effect_end(effect, EVENT_MODEL_REPLIED, &members);
}

static void
on_text(void *context, const char *bytes, size_t length)
{
	struct effect *effect = context;

	if (effect->text != NULL)
		effect->text(effect->context, bytes, length);
}

static int
start_model(struct effect *effect, const struct effect_request *request,
    struct fail *fail)
{
	const struct task *task = agent_task(request->agent);
	struct agent_summary summary;
	size_t length, ids_count;
	const uint64_t *ids;
	char *body;

	agent_summary(request->agent, &summary);
	effect->turn = summary.turns + 1;
	effect->model = mem_string(task->model);
	effect->goal = mem_string(task->goal);
	effect->compaction = agent_compaction(request->agent, &effect->kept);
	body = agent_request(request->agent, &length);
	if (claude_start(effect->effects->claude, body, length,
		agent_compact_beta(request->agent) ? CLAUDE_COMPACT : NULL,
		(unsigned)effect->attempt, request->action->asked, on_text,
		model_done, effect, &effect->claude_call, fail) < 0)
		return -1;
	ids = agent_ids(request->agent, &ids_count);
	claude_judge_by(effect->claude_call, effect->turn, ids, ids_count);
	return 0;
}

/* ---- tools ---- */

bool
effect_add_block(const struct effect *effect, struct buf *members,
    const char *text, size_t length, size_t limit, bool is_error)
{
	bool cut;

	member_raw(members, "block", "", 0);
	cut = agent_result_block(members, effect->call, text, length, limit,
	    is_error, is_error ? NULL : effect->read_tool);
	member_raw(members, "is_error", is_error ? "true" : "false",
	    is_error ? 4 : 5);
	return cut;
}

/* The journal keeps what the model does not see. */
static void
add_whole(struct buf *members, const struct tool_result *result)
{
	member_raw(members, "whole", "", 0);
	if (result->loose)
		json_quote(members, result->text, result->length);
	else
		buf_add(members, result->text, result->length);
}

/* Of a result that was too long to be kept, the model sees the beginning. */
static void
add_beginning(const struct effect *effect, struct buf *members,
    const struct tool_result *result, size_t limit, bool is_error)
{
	size_t keep = utf8_cut(result->text, result->length,
	    limit > 0 ? limit : result->length);
	bool more = effect->read_tool != NULL && keep < result->length;
	struct buf text = BUF_INIT(EVENT_MAX);

	buf_add(&text, result->text, keep);
	buf_print(&text,
	    AGENT_CUT_MARK
	    "the first %zu of %zu bytes are shown. The call was "
	    "made, but of its result no more than %zu bytes were kept",
	    keep, result->whole, result->length);
	if (more)
		buf_print(&text, ", of which " AGENT_READ_ON, effect->read_tool,
		    effect->call, keep);
	buf_add_string(&text, ": ask for less at a time to see the rest]");
	effect_add_block(effect, members, text.data, text.length, 0, is_error);
	member_integer(members, "whole_bytes", (int64_t)result->whole);
	if (more) {
		member_raw(members, "kept", "", 0);
		json_quote(members, result->text, result->length);
	}
	buf_release(&text);
}

static void
tool_finished(struct effect *effect, const struct tool_result *result)
{
	size_t limit = (size_t)effect->effects->config->result_bytes;
	bool is_error = result->outcome == TOOL_ERROR;
	struct buf members = BUF_INIT(EVENT_MAX);

	member_string(&members, "call", effect->call);
	member_integer(&members, "attempt", effect->attempt);
	if (result->whole > 0)
		add_beginning(effect, &members, result, limit, is_error);
	else if (effect_add_block(effect, &members, result->text,
		     result->length, limit, is_error) &&
	    !is_error)
		add_whole(&members, result);
	if (*result->log_id != '\0')
		member_string(&members, "log_id", result->log_id);
	if (*result->request_id != '\0')
		member_string(&members, "request_id", result->request_id);
	effect_end(effect, EVENT_TOOL_FINISHED, &members);
}

static void
add_failure(const struct effect *effect, struct buf *members, const char *type,
    const struct tool_result *result)
{
	member_string(members, "call", effect->call);
	member_integer(members, "attempt", effect->attempt);
	add_error(members, type, result->text, "", result->status,
	    result->request_id);
}

/* The call certainly did not happen. When no other try can help (AGAIN), the
 * model is told. */
static void
tool_not_run(struct effect *effect, const char *type,
    const struct tool_result *result, bool again)
{
	struct buf members = BUF_INIT(1u << 20), text = BUF_INIT(65536);

	add_failure(effect, &members, type, result);
	if (again && (result->wait != WAIT_NONE || !may_retry(effect))) {
		add_wait(effect, &members, result->wait, result->delay_ms);
	} else if (again) {
		member_integer(&members, "delay_ms", result->delay_ms);
	} else {
		buf_print(&text, "Not run: %s", result->text);
		effect_add_block(effect, &members, text.data, text.length,
		    (size_t)effect->effects->config->result_bytes, true);
		buf_release(&text);
	}
	effect_end(effect, EVENT_TOOL_FAILED, &members);
}

static void
tool_done(void *context, const struct tool_result *result)
{
	struct effect *effect = context;
	struct buf members = BUF_INIT(1u << 20);
	enum event_type type = EVENT_TOOL_FAILED;

	effect->tool_call = NULL;
	switch (result->outcome) {
	case TOOL_DONE:
	case TOOL_ERROR:
		tool_finished(effect, result);
		return;
	case TOOL_LATER:
		tool_not_run(effect, "not_run", result, true);
		return;
	case TOOL_CONNECTION:
		add_failure(effect, &members, "no_connection", result);
		member_string(&members, "connection", effect->toolkit);
		break;
	case TOOL_UNKNOWN:
		type = EVENT_TOOL_UNKNOWN;
		add_failure(effect, &members, "no_answer", result);
		if (may_retry(effect))
			member_integer(&members, "delay_ms", result->delay_ms);
		break;
	}
	effect_end(effect, type, &members);
}

/* It could not even be started; what time may mend gets its time. */
static void
not_started(void *context)
{
	struct effect *effect = context;
	const struct fail *fail = &effect->failure;
	struct tool_result result = { .text = fail->message,
		.request_id = "",
		.log_id = "",
		.delay_ms = START_WAIT_MS };

	if (strcmp(fail->type, "missing_key") == 0)
		result.wait = WAIT_KEY;
	tool_not_run(effect, fail->type, &result,
	    fail->kind == FAIL_NOT_NOW || result.wait != WAIT_NONE);
}

/* Copies a part of a name, which becomes a header; returns where it ends. */
static char *
add_part(char *to, const char *part)
{
	const char *end = part + strnlen(part, NAME_PART);

	for (; part < end; part++)
		*to++ = (char)(*part > ' ' && *part < 0x7f ? *part : '-');
	return to;
}

const char *
effect_name(char name[EFFECT_NAME], const char *task, const char *call,
    unsigned attempt)
{
	char *end;

	if (task == NULL)
		return NULL;
	end = add_part(name, task);
	*end++ = '-';
	end = add_part(end, call);
	(void)snprintf(end, (size_t)(name + EFFECT_NAME - end), "-%u", attempt);
	return name;
}

static void
start_tool(struct effect *effect, const struct effect_request *request)
{
	char name[EFFECT_NAME];
	struct agent_call call;
	struct tool_request wanted = {
		.call = &call,
		.asked = request->action->asked,
		.limit_ms = effect->effects->config->call_ms,
		.limit_bytes = (size_t)
				   effect->effects->config->result_bytes_max,
		.not_after = request->not_after,
		.done = tool_done,
		.context = effect,
	};

	effect->call = mem_string(request->action->call);
	effect->read_tool = mem_string(agent_read_tool(request->agent));
	if (!agent_call(request->agent, effect->call, &call)) {
		fail_set(&effect->failure, FAIL_NEVER, "unknown_tool",
		    "there is no such tool");
	} else {
		effect->toolkit = mem_string(call.toolkit);
		call.attempt = (unsigned)effect->attempt;
		call.request = effect_name(name, request->id, effect->call,
		    call.attempt);
		if (tools_execute(effect->effects->tools, &wanted,
			&effect->tool_call, &effect->failure) == 0)
			return;
	}
	/* from the loop, because done never comes from within effect_start */
	effect->now.fire = not_started;
	effect->now.context = effect;
	loop_timer(effect->effects->loop, &effect->now, clock_boot());
}

/* ---- starting and ending ---- */

void
effect_complete(const struct config *config, struct action *action,
    const struct task *task, int64_t now)
{
	char *text, until[CLOCK_TEXT];
	int64_t ends;

	if (action->type == ACTION_TOOL)
		member_integer(&action->members, "settle_ms",
		    config->settle_ms);
	if (!action->date)
		return;
	text = zone_today(task->timezone, now, &ends);
	clock_format(ends, until);
	buf_add_string(&action->members, ",\"date\":{");
	member_string(&action->members, "text", text);
	member_string(&action->members, "until", until);
	buf_add_string(&action->members, "}");
	free(text);
}

int
effects_open(struct loop *loop, const struct config *config,
    struct effects **ret_effects, struct fail *fail)
{
	struct effects *effects = mem_alloc(sizeof(*effects));
	int result = -1;

	effects->loop = loop;
	effects->config = config;
	if (http_open(loop, &effects->http, fail) < 0)
		goto out;
	http_plain(effects->http, config->plain_http);
	effects->tools = tools_new(effects->http, config, &effects->watch);
	result = claude_open(effects->http, config->anthropic_url, config,
	    &effects->watch, &effects->claude, fail);
out:
	if (result < 0)
		effects_close(effects);
	else
		*ret_effects = effects;
	return result;
}

struct gate *
effects_gate(const struct effects *effects)
{
	return claude_gate(effects->claude);
}

void
effects_watch(struct effects *effects, const struct gate_watch *watch)
{
	effects->watch = *watch;
	tools_open(effects->tools);
}

void
effects_close(struct effects *effects)
{
	if (effects == NULL)
		return;
	claude_close(effects->claude);
	tools_free(effects->tools);
	http_close(effects->http);
	free(effects);
}

int
effect_start(struct effects *effects, const struct effect_request *request,
    struct effect **ret_effect, struct fail *fail)
{
	struct effect *effect = mem_alloc(sizeof(*effect));
	int result = -1;

	effect->effects = effects;
	effect->attempt = request->action->attempt;
	effect->tries = request->action->tries;
	effect->lost_nano_usd = request->action->lost_nano_usd;
	effect->lost_tokens = request->action->lost_tokens;
	effect->text = request->text;
	effect->done = request->done;
	effect->context = request->context;
	switch (request->action->type) {
	case ACTION_PIN:
		result = effect_start_pin(effect, request, fail);
		break;
	case ACTION_MODEL:
		result = start_model(effect, request, fail);
		break;
	case ACTION_TOOL:
		start_tool(effect, request);
		result = 0;
		break;
	}
	if (result < 0) {
		effect_free(effect);
		return -1;
	}
	*ret_effect = effect;
	return 0;
}

void
effect_cancel(struct effect *effect)
{
	if (effect == NULL)
		return;
	claude_cancel(effect->claude_call);
	tools_cancel(effect->tool_call, effect_free, effect);
}
