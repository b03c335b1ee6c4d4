/* SPDX-License-Identifier: ISC */
/*
 * How what a provider's log says of a call in doubt becomes its result, or an
 * "evidence". The log is asked again after as long as the call has been in doubt
 * by then, so that a call that ends soon is known soon, and one that never does
 * costs few questions.
 *
 * Circle: effect.c starts this like its other effects, which end in the same way.
 */
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/provider/effect_internal.h"

#define SHORTEST_MS 1000
#define RESULT_MAX ((size_t)100000) /* a history of Temporal takes it */

static int64_t
next_question(const struct effect *effect)
{
	int64_t doubt = clock_wall() - effect->sent_at;

	return doubt > SHORTEST_MS ? doubt : SHORTEST_MS;
}

static void
nothing_proven(struct effect *effect, const char *message, bool again)
{
	struct buf members = BUF_INIT(1u << 20);

	member_string(&members, "call", effect->call);
	member_integer(&members, "attempt", effect->attempt);
	if (*message != '\0')
		member_string(&members, "message", message);
	if (again)
		member_integer(&members, "delay_ms", next_question(effect));
	effect_end(effect, EVENT_EVIDENCE, &members);
}

static void
evidence_done(void *context, const struct tool_result *result)
{
	struct effect *effect = context;
	struct buf members = BUF_INIT(EVENT_MAX), text = BUF_INIT(EVENT_MAX);
	bool is_error = result->outcome == TOOL_ERROR;
	char sent[CLOCK_TEXT];

	effect->tool_call = NULL;
	if (result->outcome == TOOL_UNKNOWN) {
		nothing_proven(effect, result->text, result->delay_ms > 0);
		return;
	}
	clock_format(effect->sent_at, sent);
	buf_print(&text,
	    "The answer to this call, which was sent at %s, was lost. The "
	    "service's log (%s) says that it %s: ",
	    sent, result->log_id, is_error ? "failed" : "succeeded");
	buf_add(&text, result->text, result->length);
	member_string(&members, "call", effect->call);
	member_integer(&members, "attempt", effect->attempt);
	(void)effect_add_block(effect, &members, text.data, text.length,
	    RESULT_MAX, is_error);
	member_raw(&members, "evidence", "true", 4);
	member_string(&members, "log_id", result->log_id);
	buf_release(&text);
	effect_end(effect, EVENT_TOOL_FINISHED, &members);
}

static void
not_asked(void *context)
{
	struct effect *effect = context;

	nothing_proven(effect, "", effect->failure.kind == FAIL_NOT_NOW);
}

void
effect_start_evidence(struct effect *effect,
    const struct effect_request *request, const char *id)
{
	struct agent_call call = { .attempt = 0 };
	char name[EFFECT_NAME];
	struct tool_request wanted = { .call = &call,
		.limit_ms = effect->effects->config->call_ms,
		.limit_bytes = RESULT_MAX,
		.done = evidence_done,
		.context = effect };

	effect->call = mem_string(id);
	(void)agent_call(request->agent, id,
	    &call); /* it is one of its calls */
	effect->attempt = call.attempt;
	effect->sent_at = call.sent_at;
	call.request = effect_name(name, request->id, id, call.attempt);
	if (tools_evidence(effect->effects->tools, &wanted, &effect->tool_call,
		&effect->failure) == 0)
		return;
	effect->now.fire = not_asked;
	effect->now.context = effect;
	loop_timer(effect->effects->loop, &effect->now, clock_boot());
}
