/* SPDX-License-Identifier: ISC */
/*
 * How it works: this file folds signals, and says which ones make sense. The
 * journal keeps only those that did.
 *
 * "retry" and "continue" open an ended task again, at the step at which it
 * ended: what was answered stays answered, and a call in doubt stays in doubt.
 * Counters of attempts, and the time limit of the budget, begin anew.
 */
#include "common/agent/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/json/shape.h"

#define CEILING_MAX ((int64_t)1 << 53)
#define NANO 1000000000

static const char *const known[] = { "cancel", "pause", "resume", "approve",
	"deny", "budget", "retry", "continue", NULL };

/* ---- ceilings ---- */

/* Reads what is to be added to a ceiling; 0 when it is not mentioned. */
static int
read_more(const struct json_object *members, const char *name, int64_t scale,
    int64_t most, int64_t *ret_more, struct fail *fail)
{
	struct span raw = json_get(members, name);
	cJSON *value = raw.length ? json_tree(raw) : NULL;
	int result = 0;

	*ret_more = 0;
	if (raw.length)
		result = scale == 1
		    ? shape_integer(value, name, 1, most, ret_more, fail)
		    : shape_decimal(value, name, 1.0 / (double)scale,
			  (double)most, scale, ret_more, fail);
	cJSON_Delete(value);
	if (result < 0)
		snprintf(fail->type, sizeof(fail->type), "invalid_signal");
	return result;
}

/* Reads what MEMBERS add to each ceiling of TASK, and adds it if ADD.
 * *RET_ANY: whether there is something. */
static int
raise(struct task *task, const struct json_object *members, bool add,
    bool *ret_any, struct fail *fail)
{
	const struct {
		const char *name;
		int64_t scale, most;
		int64_t *ceiling;
	} rows[] = {
		{ "usd", NANO, TASK_USD_MAX, &task->budget_nano_usd },
		{ "tokens", 1, TASK_TOKENS_MAX, &task->budget_tokens },
		{ "turns", 1, TASK_TURNS_MAX, &task->budget_turns },
		{ "seconds", 1, TASK_SECONDS_MAX, &task->budget_seconds },
	};
	int64_t more;
	size_t i;

	*ret_any = false;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (read_more(members, rows[i].name, rows[i].scale,
			rows[i].most, &more, fail) < 0)
			return -1;
		if (more && !*rows[i].ceiling)
			return fail_set(fail, FAIL_NO, "wrong_state",
			    "the task has no ceiling of %s", rows[i].name);
		if (more && add)
			*rows[i].ceiling = more > CEILING_MAX - *rows[i].ceiling
			    ? CEILING_MAX
			    : *rows[i].ceiling + more;
		*ret_any = *ret_any || more;
	}
	return 0;
}

/* ---- what makes sense ---- */

/* The call that waits for a person's decision: that of the id, or, for NULL, the
 * only one; else NULL. */
static struct call *
asked_call(const struct agent *agent, const char *id)
{
	struct call *call, *found = NULL;
	size_t i;

	for (i = 0; i < agent->call_count; i++) {
		call = &agent->calls[i];
		if (!agent_call_asked(call))
			continue;
		if (id && strcmp(call->id, id) == 0)
			return call;
		if (!id && found)
			return NULL;
		found = call;
	}
	return id ? NULL : found;
}

/* Whether a decision is about all calls that wait for one. */
static bool
about_all(const struct json_object *members)
{
	struct span all = json_get(members, "all");

	return all.length == 4 && *all.at == 't' &&
	    json_get(members, "call").length == 0;
}

/* The first of the *RET_COUNT calls that wait for a decision. */
static const struct call *
first_asked(const struct agent *agent, size_t *ret_count)
{
	const struct call *first = NULL, *call;
	size_t i;

	*ret_count = 0;
	for (i = agent->call_count; i-- > 0;) {
		call = &agent->calls[i];
		if (!agent_call_asked(call))
			continue;
		first = call;
		++*ret_count;
	}
	return first;
}

static int
accepts_decision(const struct agent *agent, const struct json_object *members,
    struct fail *fail)
{
	char *call = json_decode(json_get(members, "call"));
	bool all = about_all(members);
	size_t count;
	bool fits = all ? first_asked(agent, &count) != NULL
			: asked_call(agent, call) != NULL;

	if (!fits)
		fail_set(fail, FAIL_NO, "wrong_state",
		    "no call of the task %s: name one with --call that the "
		    "task waits for",
		    call      ? "of that id waits for a decision"
			: all ? "waits for a decision"
			      : "waits for a decision, or several do");
	free(call);
	return fits ? 0 : -1;
}

/* Whether an ended task can be opened again. */
static int
accepts_again(const struct agent *agent, bool more,
    const struct json_object *members, struct fail *fail)
{
	struct span message = json_get(members, "message");

	if (!task_state_final(agent->state))
		return fail_set(fail, FAIL_NO, "wrong_state",
		    "the task has not ended");
	if (!more && agent->state == TASK_COMPLETED)
		return fail_set(fail, FAIL_NO, "wrong_state",
		    "the task has completed: continue gives it a message");
	if (more && (message.length < 3 || *message.at != '"'))
		return fail_set(fail, FAIL_NEVER, "invalid_signal",
		    "continue needs a message for the model");
	return 0;
}

static int
accepts_open(const struct agent *agent, const char *signal, bool raises,
    const struct json_object *members, struct fail *fail)
{
	if (task_state_final(agent->state))
		return fail_set(fail, FAIL_NO, "task_ended",
		    "the task has ended (%s)", task_state_name(agent->state));
	if (strcmp(signal, "pause") == 0 && agent->paused)
		return fail_set(fail, FAIL_NO, "wrong_state",
		    "the task is paused already");
	if (strcmp(signal, "resume") == 0 && !agent->paused &&
	    agent->state != TASK_WAITING)
		return fail_set(fail, FAIL_NO, "wrong_state",
		    "the task is neither paused nor waiting");
	if (strcmp(signal, "resume") == 0 &&
	    json_get(members, "for").length > 0 &&
	    (agent->paused || agent->state != TASK_WAITING ||
		!wait_of_key(agent->wait.kind)))
		return fail_set(fail, FAIL_NO, "wrong_state",
		    "the task does not wait for a key");
	if (strcmp(signal, "budget") == 0 && !raises)
		return fail_set(fail, FAIL_NEVER, "invalid_signal",
		    "budget needs usd, tokens, turns or seconds to add");
	if (strcmp(signal, "approve") == 0 || strcmp(signal, "deny") == 0)
		return accepts_decision(agent, members, fail);
	return 0;
}

static int
accepts(const struct agent *agent, const char *signal,
    const struct json_object *members, struct fail *fail)
{
	struct task task = agent->task;
	bool more = strcmp(signal, "continue") == 0;
	bool again = more || strcmp(signal, "retry") == 0, raises = false;
	size_t i;

	for (i = 0; known[i] && strcmp(known[i], signal) != 0; i++)
		;
	if (!known[i])
		return fail_set(fail, FAIL_NEVER, "unknown_signal",
		    "\"%s\" is not a signal: use cancel, pause, resume, "
		    "approve, deny, budget, retry or continue",
		    signal);
	if ((again || strcmp(signal, "budget") == 0) &&
	    raise(&task, members, false, &raises, fail) < 0)
		return -1;
	return again ? accepts_again(agent, more, members, fail)
		     : accepts_open(agent, signal, raises, members, fail);
}

int
agent_accepts(const struct agent *agent, const char *signal,
    struct span members, struct fail *fail)
{
	struct json_object object;
	char *text = event_members(members, &object);
	int result = accepts(agent, signal, &object, fail);

	free(text);
	return result;
}

bool
agent_signal(const struct agent *agent, const char *signal, struct span members,
    struct buf *buf)
{
	struct json_object object;
	char *text = event_members(members, &object);
	size_t count = 0;

	member_string(buf, "signal", signal);
	if (members.length)
		buf_print(buf, ",%.*s", (int)members.length, members.at);
	if ((strcmp(signal, "approve") == 0 || strcmp(signal, "deny") == 0) &&
	    about_all(&object))
		member_string(buf, "call", first_asked(agent, &count)->id);
	free(text);
	return count > 1;
}

/* ---- the fold ---- */

static void
leave_wait(struct agent *agent)
{
	if (agent->state != TASK_WAITING)
		return;
	agent->state = TASK_QUEUED;
	agent->due = 0;
	agent_set_string(&agent->reason, NULL);
}

/* Makes the task try now what it waits for. */
static void
resume(struct agent *agent)
{
	size_t i;

	agent->paused = false;
	if (agent->wait.kind == WAIT_PAUSED)
		agent_end_wait(agent);
	if (agent->state != TASK_WAITING)
		return;
	leave_wait(agent);
	agent->model_not_before = 0;
	for (i = 0; i < agent->call_count; i++)
		agent->calls[i].not_before = agent->calls[i].look_at = 0;
}

/* The step at which an ended task goes on. */
static enum step
next_step(struct agent *agent, bool more)
{
	switch (agent->step) {
	case STEP_FAIL:
		return STEP_MODEL;
	case STEP_BLOCKED:
		/* the calls of that reply need results, and are not made */
		agent->skip_calls = true;
		return STEP_TOOLS;
	case STEP_COMPLETE:
	case STEP_SAY:
		return more ? STEP_MODEL : agent->step;
	default:
		return agent->step;
	}
}

static void
reopen(struct agent *agent, int64_t at, char *message)
{
	size_t i;

	agent_lose_calls(agent);
	for (i = 0; i < agent->call_count; i++) {
		agent->calls[i].failed = agent->calls[i].lost = 0;
		agent->calls[i].not_before = agent->calls[i].look_at = 0;
	}
	agent->model_failed = agent->model_lost = 0;
	agent->model_not_before = 0;
	agent->empty_replies = agent->cut_replies = 0;
	agent->paused = agent->cancel_asked = false;
	agent->started_at = 0;
	/* whoever opens a task after its deadline wants it nevertheless */
	if (agent->task.deadline && agent->task.deadline <= at)
		agent->task.deadline = 0;
	agent->state = TASK_QUEUED;
	agent_set_string(&agent->reason, NULL);
	agent_end_wait(agent);
	agent->step = next_step(agent, message != NULL);
	if (message)
		agent_say(agent, message);
	free(message);
}

static int
decide(struct agent *agent, const struct event *event, bool approve,
    struct fail *fail)
{
	char *id = json_decode(json_get(&event->members, "call"));
	struct call *call = asked_call(agent, id);

	free(id);
	if (!call)
		return agent_misplaced(event, "no such call is asked about",
		    fail);
	call->status = approve ? CALL_PENDING : CALL_DENIED;
	call->ask = false;
	leave_wait(agent);
	return 0;
}

int
agent_signalled(struct agent *agent, const struct event *event,
    struct fail *fail)
{
	struct span name = json_get(&event->members, "signal");
	bool more = json_is(name, "continue"), raises, yes;
	bool again = more || json_is(name, "retry");
	bool budget = json_is(name, "budget");
	struct fail why;

	if (again != task_state_final(agent->state))
		return agent_misplaced(event,
		    again ? "the task goes on" : "the task has ended", fail);
	if ((again || budget) &&
	    raise(&agent->task, &event->members, true, &raises, &why) < 0)
		return agent_misplaced(event, why.message, fail);
	yes = json_is(name, "approve");
	if (yes || json_is(name, "deny"))
		return decide(agent, event, yes, fail);
	if (again)
		reopen(agent, event->at,
		    more ? json_decode(json_get(&event->members, "message"))
			 : NULL);
	else if (json_is(name, "cancel"))
		agent->cancel_asked = true;
	else if (json_is(name, "pause"))
		agent->paused = true;
	else if (json_is(name, "resume"))
		resume(agent);
	else if (budget)
		leave_wait(agent);
	else
		return agent_misplaced(event, "an unknown signal", fail);
	return 0;
}
