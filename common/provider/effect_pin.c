/* SPDX-License-Identifier: ISC */
/*
 * How the facts about a task become its pins, a wait or its end.
 *
 * Circle: effect.c starts this like its other effects, which end in the same way.
 */
#include <stdlib.h>
#include <string.h>

#include "common/agent/preflight.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/provider/effect_internal.h"

#define FACTS_WAIT_MS 60000
#define CONNECTION_WAIT_MS 300000

/* TOOLKIT is the one to connect, NULL: none. */
static void
wait_for(struct effect *effect, enum wait_kind kind, const char *message,
    int64_t delay, const char *toolkit)
{
	struct buf members = BUF_INIT(1u << 20);
	char until[CLOCK_TEXT];

	clock_format(clock_wall() + delay, until);
	member_wait(&members, kind, message, until);
	if (toolkit != NULL)
		member_string(&members, "toolkit", toolkit);
	effect_end(effect, EVENT_WAITING, &members);
}

/* Joins the messages of all reasons; true when each is about a connection,
 * which the user can make while the task waits. */
static bool
join_reasons(const cJSON *reasons, struct buf *text)
{
	const char *type, *message;
	bool connections = true;
	const cJSON *reason;

	cJSON_ArrayForEach (reason, reasons) {
		type = json_string(reason, "type");
		message = json_string(reason, "message");
		if (type == NULL || strncmp(type, "connection", 10) != 0)
			connections = false;
		buf_print(text, "%s%s", text->length > 0 ? "; " : "",
		    message != NULL ? message : "");
	}
	return connections;
}

/* The task cannot run as it is. */
static void
unfit(struct effect *effect, const cJSON *reasons)
{
	struct buf text = BUF_INIT(1u << 20), members = BUF_INIT(2u << 20);

	if (join_reasons(reasons, &text)) {
		wait_for(effect, WAIT_CONNECTION, text.data, CONNECTION_WAIT_MS,
		    json_string(reasons->child, "toolkit"));
	} else {
		member_error(&members, "refused", text.data, NULL);
		effect_end(effect, EVENT_FAILED, &members);
	}
	buf_release(&text);
}

/* Why there are no facts: the type may be a kind of wait, and FAIL_NEVER is about
 * what the operator has set up. */
static enum wait_kind
wait_of(const struct fail *fail)
{
	enum wait_kind kind = wait_parse(fail->type);

	return kind != WAIT_NONE       ? kind
	    : fail->kind == FAIL_NEVER ? WAIT_KEY
				       : WAIT_OUTAGE;
}

static void
facts_done(void *context, cJSON *facts, const struct fail *fail)
{
	struct effect *effect = context;
	struct buf members = BUF_INIT(1u << 20);
	struct preflight preflight;
	struct fail shape;

	effect->tool_call = NULL;
	if (effect->account != NULL) {
		preflight_account(&effect->task, facts, fail, effect->account,
		    &members);
		effect_end(effect, EVENT_ACCOUNT, &members);
		cJSON_Delete(facts);
		return;
	}
	if (facts != NULL &&
	    preflight_check(&effect->task, effect->effects->config, facts,
		&preflight, &shape) < 0)
		fail = &shape;
	if (facts == NULL || fail != NULL) {
		wait_for(effect, wait_of(fail), fail->message, FACTS_WAIT_MS,
		    NULL);
	} else {
		if (cJSON_GetArraySize(preflight.reasons) == 0)
			effect_end(effect, EVENT_PINNED, &preflight.pins);
		else
			unfit(effect, preflight.reasons);
		preflight_release(&preflight);
	}
	cJSON_Delete(facts);
}

int
effect_start_pin(struct effect *effect, const struct effect_request *request,
    struct fail *fail)
{
	struct agent_lookup lookup;
	bool looks;

	looks = agent_lookup(request->agent, &lookup);
	if (looks && lookup.call != NULL) {
		effect_start_evidence(effect, request, lookup.call);
		return 0;
	}
	if (task_read(agent_task(request->agent)->doc, &effect->task, fail) < 0)
		return -1;
	effect->has_task = true;
	if (looks) {
		effect->account = mem_string(lookup.account);
		task_connections(&effect->task, lookup.toolkit);
	}
	tools_facts(effect->effects->tools, &effect->task, facts_done, effect,
	    &effect->tool_call);
	return 0;
}
