/* SPDX-License-Identifier: ISC */
/*
 * How it works: each decision becomes a command and is folded at once, so that
 * the next one follows from it; then come the activities, the timer, and the
 * state that lists show.
 */
#include "common/temporal/decisions.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/utf8.h"
#include "common/json/log.h"
#include "common/provider/effect.h"

#define LIMIT_MS 500
#define LIMIT_MAX_MS 60000
#define RESULT_MAX (TEMPORAL_BLOB_MAX - 4096)

/* The members of an event "completed" whose result is cut, because the server
 * would end the workflow otherwise. The caller frees. */
static char *
fit_result(struct span members)
{
	struct buf fitted = BUF_INIT((size_t)EVENT_MAX);
	struct buf words = BUF_INIT((size_t)EVENT_MAX);
	struct json_object object;
	char *all = event_members(members, &object), *text, *made;
	size_t whole, length;

	text = json_decode(json_get(&object, "result"));
	whole = length = text != NULL ? strlen(text) : 0;
	do {
		length = utf8_cut(text, length, length * 3 / 4);
		buf_reset(&words);
		buf_reset(&fitted);
		buf_add(&words, text, length);
		buf_print(&words,
		    "\n[cut: it has %zu bytes, and the "
		    "journal has all of them]",
		    whole);
		json_quote(&fitted, words.data, words.length);
	} while (fitted.length > RESULT_MAX && length > 0);
	made = mem_print("\"result\":%s", fitted.data);
	buf_release(&fitted);
	buf_release(&words);
	free(text);
	free(all);
	return made;
}

/* Adds one decision to the commands and folds it. */
static int
decide(struct decisions *decisions, enum event_type type, struct span members,
    struct fail *fail)
{
	struct buf event = BUF_INIT((size_t)EVENT_MAX + 100);
	struct commands *commands = &decisions->commands;
	Api__EventType kind = TEMPORAL_EVENT(MARKER_RECORDED);
	char *fitted = NULL, *call, *reason;
	struct json_object object;
	struct span span;
	int result;

	if (type == EVENT_COMPLETED && members.length > RESULT_MAX) {
		fitted = fit_result(members);
		members = (struct span){ fitted, strlen(fitted) };
	}
	buf_print(&event, "{\"type\":\"%s\"%s", event_type_name(type),
	    members.length > 0 ? "," : "");
	buf_add(&event, members.at, members.length);
	buf_add(&event, "}", 1);
	span = (struct span){ event.data, event.length };
	(void)json_object(span, &object);
	call = json_decode(json_get(&object, "call"));
	reason = json_decode(event_reason(&object));
	log_line("info", event_type_name(type), "task", decisions->workflow,
	    "worker", decisions->worker->name, "call", call, "reason", reason,
	    NULL);
	if (type == EVENT_BLOCKED && decisions->worker->attributes)
		commands_show(commands, true, "blocked");
	if (event_is_end(type, NULL))
		kind = commands_end(commands, type, span,
		    reason != NULL ? reason : event_type_name(type));
	else
		commands_marker(commands, span);
	result = temporal_history_ahead(decisions->history, kind, NULL, type,
	    members, fail);
	buf_release(&event);
	free(fitted);
	free(call);
	free(reason);
	return result;
}

int
decisions_fail(struct decisions *decisions, const char *type,
    const char *message, struct fail *fail)
{
	struct buf members = BUF_INIT(1u << 20);
	int result;

	member_error(&members, type, message, NULL);
	result = decide(decisions, EVENT_FAILED,
	    (struct span){ members.data, members.length }, fail);
	buf_release(&members);
	return result;
}

/* A task that another client has started: it is put into the form of task_check,
 * or refused. */
static int
check_task(struct decisions *decisions, struct fail *fail)
{
	const char *unread = temporal_history_facts(decisions->history).unread;
	cJSON *value;
	struct task task;
	struct fail why;
	char *doc, *members;
	int result;

	value = json_parse(unread, strlen(unread), &json_limits_task, &why);
	if (value == NULL ||
	    task_check(value, decisions->worker->config, &task, &why) < 0)
		return decisions_fail(decisions, why.type, why.message, fail);
	doc = json_text(task.doc);
	members = mem_print("\"task\":%s", doc);
	result = decide(decisions, EVENT_SUBMITTED,
	    (struct span){ members, strlen(members) }, fail);
	free(members);
	free(doc);
	task_release(&task);
	return result;
}

static int
schedule(struct decisions *decisions, const struct plan *plan,
    struct fail *fail)
{
	const struct agent *agent = temporal_history_agent(decisions->history);
	struct temporal_facts facts = temporal_history_facts(
	    decisions->history);
	struct action *action;
	struct span members;
	const char *id;
	size_t i;

	for (i = 0; i < plan->count; i++) {
		action = &plan->actions[i];
		if (action->type == ACTION_PIN && facts.pinning)
			continue;
		effect_complete(decisions->worker->config, action,
		    agent_task(agent), facts.now);
		commands_activity(&decisions->commands, decisions->worker,
		    agent, action, facts.pins + 1, &id);
		members = (struct span){ action->members.data,
			action->members.length };
		if (action->type == ACTION_PIN)
			members = (struct span){ NULL, 0 };
		if (temporal_history_ahead(decisions->history,
			TEMPORAL_EVENT(ACTIVITY_TASK_SCHEDULED), id,
			action->intent, members, fail) < 0)
			return -1;
	}
	return 0;
}

static bool
is_to_continue(const struct decisions *decisions)
{
	struct temporal_facts facts = temporal_history_facts(
	    decisions->history);
	struct agent_summary summary;

	agent_summary(temporal_history_agent(decisions->history), &summary);
	return !task_state_final(summary.state) &&
	    carry_due(decisions->worker, &facts);
}

/* Records every decision and schedules every action; WAKE_AT is when the task
 * has to be advanced again. */
static int
plan(struct decisions *decisions, bool running, int64_t *ret_wake_at,
    struct fail *fail)
{
	const struct agent *agent = temporal_history_agent(decisions->history);
	int64_t now = temporal_history_facts(decisions->history).now;
	const struct agent_terms terms = {
		.price = config_price(decisions->worker->config,
		    agent_task(agent)->model),
	};
	struct plan next;
	int result;

	agent_set_terms(temporal_history_tell(decisions->history), &terms);
	for (;;) {
		agent_next(agent, now, &next);
		if (!next.has_record)
			break;
		result = decide(decisions, next.record,
		    (struct span){ next.record_members.data,
			next.record_members.length },
		    fail);
		plan_release(&next);
		if (result < 0)
			return -1;
	}
	*ret_wake_at = next.wake_at;
	decisions->continues = is_to_continue(decisions);
	result = running && !decisions->continues
	    ? schedule(decisions, &next, fail)
	    : 0;
	plan_release(&next);
	return result;
}

static int
set_timer(struct decisions *decisions, int64_t at, struct fail *fail)
{
	int64_t now = temporal_history_facts(decisions->history).now;
	const char *id;

	if (at <= now || temporal_history_timer(decisions->history, at))
		return 0;
	commands_timer(&decisions->commands, at, now, &id);
	return temporal_history_ahead(decisions->history,
	    TEMPORAL_EVENT(TIMER_STARTED), id, EVENT_WAITING,
	    (struct span){ NULL, 0 }, fail);
}

/* Updates the state in lists if it would be wrong. */
static int
show_state(struct decisions *decisions, enum task_state state,
    struct fail *fail)
{
	const struct temporal_facts facts = temporal_history_facts(
	    decisions->history);
	const char *shown = facts.shown, *wanted = task_state_name(state);
	struct span begun;
	/* The server knows the attribute if the task was started with it, even
	 * if we may not ask for that. */
	bool attribute = !decisions->worker->no_attributes &&
	    (decisions->worker->attributes ||
		temporal_attribute(facts.attributes, TEMPORAL_STATE, &begun));

	if (strcmp(shown != NULL ? shown : "queued", wanted) == 0)
		return 0;
	commands_show(&decisions->commands, attribute, wanted);
	return temporal_history_ahead(decisions->history,
	    attribute ? TEMPORAL_EVENT(UPSERT_WORKFLOW_SEARCH_ATTRIBUTES)
		      : TEMPORAL_EVENT(WORKFLOW_PROPERTIES_MODIFIED),
	    NULL, EVENT_WAITING, (struct span){ NULL, 0 }, fail);
}

/* The limits do not let the task begin yet. The longer it has waited, the less
 * often it asks again, because each time adds five events. */
static int
ask_later(struct decisions *decisions, struct fail *fail)
{
	struct temporal_facts facts = temporal_history_facts(
	    decisions->history);
	int64_t delay = LIMIT_MS + facts.last * LIMIT_MS / 10;

	if (delay > LIMIT_MAX_MS)
		delay = LIMIT_MAX_MS;
	decisions->state = TASK_QUEUED;
	return set_timer(decisions, facts.now + delay, fail);
}

int
decisions_make(struct decisions *decisions, struct fail *fail)
{
	const struct agent *agent = temporal_history_agent(decisions->history);
	struct agent_summary summary;
	struct temporal_facts facts;
	int64_t wake_at = 0;
	bool running;

	if (temporal_history_step(decisions->history, &running, fail) < 0)
		return -1;
	if (temporal_history_facts(decisions->history).unread != NULL) {
		if (check_task(decisions, fail) < 0)
			return -1;
		if (agent_task(agent) == NULL) {
			decisions->state = TASK_FAILED;
			return 0;
		}
		agent_summary(agent, &summary);
		running = summary.state == TASK_RUNNING;
	}
	agent_summary(agent, &summary);
	if (task_state_final(summary.state)) {
		decisions->state = (int)summary.state;
		return decisions_fail(decisions, "refused",
		    summary.reason != NULL ? summary.reason : "refused", fail);
	}
	if (plan(decisions, running && !decisions->full, &wake_at, fail) < 0)
		return -1;
	agent_summary(agent, &summary);
	decisions->state = (int)summary.state;
	if (task_state_final(summary.state))
		return 0;
	if (decisions->continues) {
		decisions->state = -1;
		commands_continue(&decisions->commands, decisions->history,
		    decisions->run);
		return 0;
	}
	if (decisions->full && summary.state == TASK_RUNNING)
		return ask_later(decisions, fail);
	facts = temporal_history_facts(decisions->history);
	if (carry_too_late(&facts))
		return decisions_fail(decisions, "history_full",
		    "the task has more events, or bytes, than Temporal keeps "
		    "of one workflow",
		    fail);
	if (summary.state == TASK_WAITING)
		wake_at = summary.due;
	else if (summary.state == TASK_QUEUED)
		wake_at = agent_task(agent)->not_before;
	if (set_timer(decisions, wake_at, fail) < 0)
		return -1;
	return show_state(decisions, summary.state, fail);
}
