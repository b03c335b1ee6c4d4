/* SPDX-License-Identifier: ISC */
/*
 * How it works: agent_next uses only the folded state and answers in a fixed
 * order: an end that was asked for, decisions that need no effect (one record
 * at a time: the driver applies it and asks again), effects that are due, and
 * when there is nothing else to do, a wait.
 *
 * Times are compared with the clock as it was before it was set back, if it was
 * (plan->behind), so that no wait becomes longer by that; what is planned is
 * told in the clock's own time. A deadline is a date, and is compared with it.
 *
 * During a short wait the worker keeps its lease, for a long one it releases
 * it: the task then costs nothing until it is due.
 */
#include "common/agent/decide.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/agent/budget.h"
#include "common/agent/compact.h"
#include "common/agent/pins.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/utf8.h"

#define HOLD_MS (15 * 1000) /* a wait up to here keeps the lease */
#define DATE_BYTES 320      /* the most of a message that tells the day */
#define EVENT_ROOM ((size_t)EVENT_MAX)

static void
record_error(struct plan *plan, const char *type, const char *message)
{
	plan_record(plan, EVENT_FAILED);
	member_error(&plan->record_members, type, message, NULL);
}

static struct action *
add_action(struct plan *plan, enum action_type type, unsigned attempt)
{
	struct action *action;

	plan->actions = mem_grow(plan->actions, plan->count + 1,
	    sizeof(*plan->actions));
	action = &plan->actions[plan->count++];
	*action = (struct action){ .type = type,
		.attempt = attempt,
		.tries = 1,
		.members = BUF_INIT(EVENT_ROOM) };
	return action;
}

void
plan_release(struct plan *plan)
{
	size_t i;

	buf_release(&plan->record_members);
	for (i = 0; i < plan->count; i++) {
		buf_release(&plan->actions[i].members);
		free(plan->actions[i].call);
	}
	free(plan->actions);
	*plan = (struct plan){ 0 };
}

static int64_t
sooner(int64_t a, int64_t b)
{
	return !a ? b : !b ? a : a < b ? a : b;
}

static bool
plan_end(const struct agent *agent, int64_t now, struct plan *plan)
{
	int64_t limit = agent_time_limit(agent, plan->behind);

	if (!agent->cancel_asked && !(limit && now - plan->behind >= limit))
		return false;
	if (agent_must_finish(agent) || decide_doubt(agent, plan))
		return true;
	if (agent->cancel_asked) {
		plan_record(plan, EVENT_CANCELLED);
		member_string(&plan->record_members, "reason", "asked for");
	} else if (limit == agent->task.deadline) {
		record_error(plan, "deadline_exceeded",
		    "the deadline of the task has passed");
	} else {
		record_error(plan, "budget_exceeded",
		    "the budget of seconds is used up");
	}
	return true;
}

/* What there is to wait for. */
struct wanted {
	enum wait_kind kind;
	int64_t at; /* 0: until a person acts */
	const char *message, *toolkit, *call;
};

static void
record_wait(const struct agent *agent, const struct wanted *wait,
    const char *until, struct plan *plan)
{
	struct buf decisions = BUF_INIT(EVENT_ROOM), *members;

	plan_record(plan, EVENT_WAITING);
	members = &plan->record_members;
	member_wait(members, wait->kind, wait->message,
	    wait->at ? until : NULL);
	if (wait->toolkit)
		member_string(members, "toolkit", wait->toolkit);
	if (wait->call)
		member_string(members, "call", wait->call);
	if (wait->kind == WAIT_DECISION && agent_decisions(agent, &decisions))
		member_raw(members, "decisions", decisions.data,
		    decisions.length);
	buf_release(&decisions);
}

/* Whether the task waits for exactly this already. */
static bool
waits_for(const struct agent *agent, const struct wanted *wait,
    const char *until)
{
	char due[CLOCK_TEXT];
	const char *message;

	if (agent->state != TASK_WAITING || agent->wait.kind != wait->kind ||
	    (wait->at != 0) != (agent->due != 0))
		return false;
	/* Compared as they would be written: the journal clamps times. */
	clock_format(agent->due, due);
	(void)wait_split(agent->reason, &message);
	return strcmp(until, due) == 0 && strcmp(message, wait->message) == 0;
}

/* Keeps the lease for a short wait, else records one "waiting", unless there is
 * one already. */
static void
plan_wait(const struct agent *agent, int64_t now, const struct wanted *wait,
    struct plan *plan)
{
	char until[CLOCK_TEXT];

	if (wait->at && wait->at - now <= HOLD_MS &&
	    agent->state == TASK_RUNNING) {
		plan->wake_at = sooner(plan->wake_at, wait->at - plan->behind);
		return;
	}
	clock_format(wait->at - plan->behind, until);
	if (!waits_for(agent, wait, until))
		record_wait(agent, wait, until, plan);
}

static void
plan_pause(const struct agent *agent, int64_t now, struct plan *plan)
{
	const struct wanted wait = { .kind = WAIT_PAUSED, .message = "" };

	plan_wait(agent, now, &wait, plan);
}

/* The most bytes of a message in a reason for waiting. */
static int
shown(const char *text)
{
	return (int)utf8_cut(text, strlen(text), 400);
}

/* The model has to be asked again. */
static void
plan_model_wait(const struct agent *agent, int64_t now, struct plan *plan)
{
	struct wanted wait = { .kind = agent->model_wait,
		.at = agent->model_not_before };
	struct span error = { agent->error,
		agent->error ? strlen(agent->error) : 0 };
	struct span value = { NULL, 0 };
	char *message, *cut;

	if (wait.kind == WAIT_NONE)
		wait.kind = WAIT_OUTAGE;
	(void)json_member(error, "message", &value);
	message = json_decode(value);
	cut = mem_print("%.*s", message ? shown(message) : 0,
	    message ? message : "");
	wait.message = cut;
	plan_wait(agent, now, &wait, plan);
	free(cut);
	free(message);
}

/* A turn is not begun because of a ceiling; it may be UNTIL (0: not by
 * itself). */
static void
plan_budget(const struct agent *agent, int64_t now, int64_t until,
    const char *message, struct plan *plan)
{
	const struct wanted wait = { .kind = WAIT_BUDGET,
		.at = until,
		.message = message };

	if (agent->task.fails_on_budget && !until)
		record_error(plan, "budget_exceeded", message);
	else
		plan_wait(agent, now, &wait, plan);
}

static void
plan_ceiling(const struct agent *agent, int64_t now, const char *ceiling,
    struct plan *plan)
{
	char *message = mem_print("the budget of %s is used up", ceiling);

	plan_budget(agent, now, 0, message, plan);
	free(message);
}

static void
plan_turn(const struct agent *agent, int64_t now, enum compact compact,
    struct plan *plan)
{
	bool date = compact == COMPACT_NONE && agent->last_user &&
	    now >= agent->day_ends;
	struct reservation turn = budget_reserve(agent,
	    agent_compact_sends(agent, compact) + (date ? DATE_BYTES : 0));
	struct action *action;

	if (turn.why) {
		plan_budget(agent, now, turn.until, turn.why, plan);
		free(turn.why);
		return;
	}
	action = add_action(plan, ACTION_MODEL, agent->model_attempt + 1);
	action->intent = EVENT_MODEL_STARTED;
	action->tries = agent->model_failed + 1;
	action->date = date;
	action->asked = agent->model_wait != WAIT_NONE &&
	    !agent->model_not_before;
	member_integer(&action->members, "turn", agent->turns + 1);
	member_integer(&action->members, "attempt", action->attempt);
	if (turn.max_tokens)
		member_integer(&action->members, "max_tokens", turn.max_tokens);
	if (turn.nano_usd) {
		member_integer(&action->members, "reserved_nano_usd",
		    turn.nano_usd);
		member_integer(&action->members, "input_nano_usd",
		    turn.input_nano_usd);
	}
	if (turn.input_tokens)
		member_integer(&action->members, "input_tokens",
		    turn.input_tokens);
	if (compact != COMPACT_NONE) {
		action->compact = compact == COMPACT_SERVICE ? "service"
							     : "summary";
		member_string(&action->members, "compact", action->compact);
	}
}

static void
plan_model(const struct agent *agent, int64_t now, struct plan *plan)
{
	const char *ceiling = budget_reached(agent);
	enum compact compact = agent_compact_due(agent);

	if (agent->model_running)
		return;
	if (ceiling) {
		plan_ceiling(agent, now, ceiling, plan);
	} else if (agent->paused) {
		plan_pause(agent, now, plan);
	} else if (agent->model_not_before > now) {
		plan_model_wait(agent, now, plan);
	} else if (compact == COMPACT_CUT) {
		plan_record(plan, EVENT_COMPACTED);
		member_integer(&plan->record_members, "turn", agent->turns + 1);
		member_string(&plan->record_members, "by", "cut");
		member_integer(&plan->record_members, "bytes",
		    agent_compact_cut(agent));
	} else {
		plan_turn(agent, now, compact, plan);
	}
}

static void
plan_call(const struct call *call, struct plan *plan)
{
	struct action *action;

	action = add_action(plan, ACTION_TOOL, call->attempt + 1);
	action->intent = EVENT_TOOL_STARTED;
	action->tries = call->failed + 1;
	action->asked = call->wait != WAIT_NONE && !call->not_before;
	action->call = mem_string(call->id);
	member_string(&action->members, "call", call->id);
	member_string(&action->members, "tool", call->name);
	member_integer(&action->members, "attempt", action->attempt);
}

static void
plan_call_wait(const struct agent *agent, const struct call *call, int64_t now,
    struct plan *plan)
{
	const char *error = call->error ? call->error : "";
	const char *about = call->connection ? call->connection : call->name;
	struct wanted wait = { .kind = call->wait,
		.toolkit = call->connection ? call->connection
					    : call->pin->toolkit,
		.call = call->id };
	char sent[CLOCK_TEXT];
	char *message;

	if (decide_settling(call, now)) {
		clock_format(call->sent_at, sent);
		wait.kind = WAIT_TIME;
		wait.at = call->ask ? call->ask_at : call->settle_at;
		message = mem_print(
		    "call %.*s (%.*s), sent at %s, may still be "
		    "under way",
		    shown(call->id), call->id, shown(call->name), call->name,
		    sent);
	} else if (call->status == CALL_UNKNOWN) {
		wait.kind = WAIT_DECISION;
		error = call->evidence ? call->evidence : "";
		message = mem_print("did call %.*s (%.*s) take effect? "
				    "approve runs it again, deny tells the "
				    "model%s%.*s",
		    shown(call->id), call->id, shown(call->name), call->name,
		    *error ? ". " : "", shown(error), error);
	} else {
		if (wait.kind == WAIT_NONE)
			wait.kind = WAIT_OUTAGE;
		wait.at = call->not_before;
		message = mem_print("%.*s: %.*s", shown(about), about,
		    shown(error), error);
	}
	wait.message = message;
	plan_wait(agent, now, &wait, plan);
	free(message);
}

#define BY_A_PERSON INT64_MAX

/* When CALL goes on; -1 when it waits for nothing. */
static int64_t
waits_until(const struct call *call, int64_t now)
{
	if (call->status == CALL_PENDING)
		return call->not_before;
	if (decide_settling(call, now))
		return call->ask ? call->ask_at : call->settle_at;
	return call->status == CALL_UNKNOWN ? BY_A_PERSON : -1;
}

static void
plan_tools(const struct agent *agent, int64_t now, struct plan *plan)
{
	const struct call *call, *next = NULL;
	int64_t until, soonest = BY_A_PERSON;
	struct agent_lookup lookup;
	size_t i;

	for (i = agent->first_open; i < agent->call_count; i++)
		if (decide_call(agent, &agent->calls[i], now, plan))
			return;
	/* Nothing else is under way meanwhile, because a lookup that does not
	 * even begin makes the task wait. A task that waits already goes on
	 * waiting until its time. */
	if (agent_lookup(agent, &lookup) && lookup.at <= now &&
	    !agent->paused && !agent_under_way(agent)) {
		(void)add_action(plan, ACTION_PIN, 1);
		return;
	}
	for (i = agent->first_open; i < agent->call_count; i++) {
		call = &agent->calls[i];
		until = waits_until(call, now);
		if (call->status == CALL_PENDING && !agent->paused &&
		    !call->look && until <= now) {
			plan_call(call, plan);
		} else if (until >= 0 && (!next || until < soonest)) {
			next = call;
			soonest = until;
		}
	}
	if (soonest == BY_A_PERSON)
		soonest = 0;
	if (plan->count || agent_under_way(agent)) {
		plan->wake_at = sooner(plan->wake_at,
		    soonest > now ? soonest - plan->behind : 0);
		return;
	}
	if (agent->paused)
		plan_pause(agent, now, plan);
	else if (next)
		plan_call_wait(agent, next, now, plan);
}

static void
plan_say(const struct agent *agent, struct plan *plan)
{
	bool cut = agent_reply_cut(agent);
	bool no_call = strcmp(agent->stop_reason, "tool_use") == 0;
	const char *text = no_call
	    ? "Your reply ended to call a tool, but there is no call in it. Call "
	      "the tool; when the task is done, end with a short report."
	    : !cut
	    ? "Your reply was empty. Go on with the task; when it is done, end "
	      "with a short report."
	    : agent->echoed
	    ? "Your reply was cut at its token limit. Go on from there."
	    : "Your reply was cut at its token limit before there was anything "
	      "in it to go on from. Go on with the task in smaller steps.";

	plan_record(plan, EVENT_USER_MESSAGE);
	member_string(&plan->record_members, "reason",
	    cut           ? "max_tokens"
		: no_call ? "no_call"
			  : "empty_reply");
	buf_add_string(&plan->record_members,
	    ",\"content\":[{\"type\":"
	    "\"text\",\"text\":");
	json_quote(&plan->record_members, text, strlen(text));
	buf_add_string(&plan->record_members, "}]");
}

static void
plan_blocked(const struct agent *agent, struct plan *plan)
{
	const struct call *call = agent->calls;
	struct span value = { NULL, 0 };
	char *reason;

	while (strcmp(call->name, PINS_BLOCKED_TOOL) != 0 || call->broken)
		call++; /* one of them is this call, else the step is another */
	(void)json_member((struct span){ call->input, call->input_length },
	    "reason", &value);
	reason = json_decode(value);
	plan_record(plan, EVENT_BLOCKED);
	member_string(&plan->record_members, "reason",
	    reason && *reason ? reason : "the model gave no reason");
	free(reason);
}

void
agent_next(const struct agent *agent, int64_t now, struct plan *ret_plan)
{
	struct plan *plan = ret_plan;

	*plan = (struct plan){ .wake_at = 0 };
	if (now < agent->last_at)
		plan->behind = agent->last_at - now;
	now += plan->behind;
	if (!agent->submitted || task_state_final(agent->state) ||
	    plan_end(agent, now, plan))
		return;
	plan->wake_at = agent_time_limit(agent, plan->behind);
	switch (agent->step) {
	case STEP_PIN:
		if (agent->paused)
			plan_pause(agent, now, plan);
		else
			(void)add_action(plan, ACTION_PIN, 1);
		break;
	case STEP_MODEL:
		plan_model(agent, now, plan);
		break;
	case STEP_TOOLS:
		plan_tools(agent, now, plan);
		break;
	case STEP_SAY:
		plan_say(agent, plan);
		break;
	case STEP_COMPLETE:
		plan_record(plan, EVENT_COMPLETED);
		member_string(&plan->record_members, "result", agent->text);
		break;
	case STEP_BLOCKED:
		plan_blocked(agent, plan);
		break;
	case STEP_FAIL:
		plan_record(plan, EVENT_FAILED);
		member_raw(&plan->record_members, "error", agent->error,
		    strlen(agent->error));
		break;
	}
}
