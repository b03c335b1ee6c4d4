/* SPDX-License-Identifier: ISC */
/*
 * How it works: agent_apply is one function per event type. The conversation is
 * stored as the text of the next request: each reply's content and each
 * tool_result block are copied into it as the bytes that came, so that the cost
 * of a turn depends only on its new text, and nothing is printed again.
 *
 * A call under way when its worker ends ("started" or "released" follows its
 * intent) is run again when that is harmless, and is in doubt otherwise:
 * agent_next then records tool.unknown.
 *
 * The model's events are folded in reply.c, those of tool calls in call.c,
 * signals in signal.c.
 */
#include "common/agent/state.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/agent/budget.h"
#include "common/agent/config.h"
#include "common/agent/pins.h"
#include "common/base/clock.h"
#include "common/base/mem.h"

#define MESSAGES_MAX ((size_t)1 << 30)
/* set back by less, the clock was not wrong about the day, or not for long */
#define SAME_HOUR_MS (3600 * 1000)

struct agent *
agent_new(void)
{
	struct agent *agent = mem_alloc(sizeof(*agent));

	agent->messages = BUF_INIT(MESSAGES_MAX);
	return agent;
}

static void
free_pins(struct agent *agent)
{
	size_t i;

	for (i = 0; i < agent->pin_count; i++) {
		free(agent->pins[i].name);
		free(agent->pins[i].provider);
		free(agent->pins[i].slug);
		free(agent->pins[i].toolkit);
		free(agent->pins[i].version);
		free(agent->pins[i].account);
		free(agent->pins[i].aliases);
	}
	free(agent->pins);
}

void
agent_free(struct agent *agent)
{
	if (!agent)
		return;
	if (agent->submitted)
		task_release(&agent->task);
	agent_free_calls(agent);
	free_pins(agent);
	free(agent->request);
	free(agent->reason);
	free(agent->error);
	free(agent->stop_reason);
	free(agent->text);
	agent_end_wait(agent);
	free(agent->ids);
	free(agent->results);
	free(agent->read_tool);
	free(agent->said);
	buf_release(&agent->messages);
	free(agent);
}

void
agent_set_terms(struct agent *agent, const struct agent_terms *terms)
{
	agent->terms = *terms;
}

static int
apply_submitted(struct agent *agent, const struct event *event,
    struct fail *fail)
{
	struct fail why;
	cJSON *doc;
	int result;

	if (agent->submitted)
		return agent_misplaced(event, "the task is submitted", fail);
	doc = json_tree(json_get(&event->members, "task"));
	result = task_read(doc, &agent->task, &why);
	cJSON_Delete(doc);
	if (result < 0)
		return agent_misplaced(event, why.message, fail);
	agent->submitted = true;
	agent->state = TASK_QUEUED;
	agent->step = STEP_PIN;
	agent_say(agent, agent->task.goal);
	return 0;
}

static void
read_pin(const cJSON *item, struct pin *pin)
{
	const char *provider = json_string(item, "provider");

	pin->name = mem_string(json_string(item, "name"));
	pin->provider = mem_string(provider ? provider : PINS_PROVIDER);
	pin->slug = mem_string(json_string(item, "slug"));
	pin->toolkit = mem_string(json_string(item, "toolkit"));
	pin->version = mem_string(json_string(item, "version"));
	pin->account = mem_string(json_string(item, "account"));
	if (json_item(item, "aliases") != NULL)
		pin->aliases = json_text(json_item(item, "aliases"));
	pin->repeatable = json_true(item, "repeatable");
	pin->on_unknown = (enum on_unknown)pins_policy(
	    json_string(item, "on_unknown"));
}

/* The tool of ours that every provider's results can be read with. */
static void
add_read_tool(struct agent *agent, struct span name)
{
	struct pin *pin = &agent->pins[agent->pin_count];

	agent_set_decoded(&agent->read_tool, name);
	if (!agent->read_tool)
		return;
	*pin = (struct pin){ .name = mem_string(agent->read_tool),
		.provider = mem_string(PINS_BUILTIN),
		.slug = mem_string(PINS_READ_TOOL),
		.toolkit = mem_string(PINS_BUILTIN),
		.version = mem_string(""),
		.repeatable = true };
	agent->pin_count++;
}

static int
apply_pinned(struct agent *agent, const struct event *event, struct fail *fail)
{
	struct span request = json_get(&event->members, "request");
	const cJSON *tools, *item;
	struct fail why;
	cJSON *pins;
	int result = -1;

	if (agent->step != STEP_PIN)
		return agent_misplaced(event, "the task is pinned", fail);
	pins = json_tree(event->text);
	if (pins_check(pins, &why) < 0) {
		agent_misplaced(event, why.message, fail);
		goto out;
	}
	tools = json_item(pins, "tools");
	agent->pins = mem_alloc(
	    ((size_t)cJSON_GetArraySize(tools) + 2) * sizeof(*agent->pins));
	cJSON_ArrayForEach (item, tools)
		read_pin(item, &agent->pins[agent->pin_count++]);
	add_read_tool(agent, json_get(&event->members, "read_tool"));
	agent->request = mem_copy(request.at, request.length);
	agent->request_length = request.length;
	if (!json_whole(json_get(&event->members, "context_tokens"),
		&agent->window))
		agent->window = config_context_tokens(agent->task.model);
	agent->step = STEP_MODEL;
	agent_end_wait(agent);
	result = 0;
out:
	cJSON_Delete(pins);
	return result;
}

/* The worker died: the calls and the turn that it had under way are lost. */
static void
lose_effects(struct agent *agent)
{
	budget_end(agent, agent->model_running);
	if (agent->model_running && ++agent->model_lost >= MODEL_LOST_MAX)
		agent_fail_step(agent, "worker_lost",
		    "every worker that "
		    "took this turn of the model ended before the reply came");
	agent->model_running = false;
	agent_lose_calls(agent);
}

static int
apply_started(struct agent *agent, const struct event *event, struct fail *fail)
{
	(void)fail;
	lose_effects(agent);
	agent->state = TASK_RUNNING;
	agent->due = 0;
	agent_set_string(&agent->reason, NULL);
	if (!agent->started_at)
		agent->started_at = agent->clock_from = event->at;
	return 0;
}

static int
apply_released(struct agent *agent, const struct event *event,
    struct fail *fail)
{
	if (agent->state != TASK_RUNNING)
		return agent_misplaced(event, "no worker has the task", fail);
	lose_effects(agent);
	agent->state = TASK_QUEUED;
	return 0;
}

static int
apply_user_message(struct agent *agent, const struct event *event,
    struct fail *fail)
{
	if (agent->step != STEP_SAY)
		return agent_misplaced(event, "nothing is to be said", fail);
	agent_add_message(agent, "user", json_get(&event->members, "content"));
	agent->step = STEP_MODEL;
	return 0;
}

/* What lasts some time is not over sooner. What only waits may go on now. */
static int
apply_clock(struct agent *agent, const struct event *event, struct fail *fail)
{
	int64_t by = agent_integer(&event->members, "stepped_ms");
	struct call *call;
	size_t i;

	if (by <= 0 || by > event->at)
		return agent_misplaced(event, "no such step is possible", fail);
	if (agent->started_at)
		agent->started_at = agent->started_at + by < event->at
		    ? agent->started_at + by
		    : event->at;
	agent->clock_from = event->at;
	for (i = agent->first_open; i < agent->call_count; i++) {
		call = &agent->calls[i];
		if (call->settle_at > 0 && call->sent_at <= event->at - by)
			call->settle_at += by;
	}
	return 0;
}

static void
set_wait(struct agent *agent, const struct event *event)
{
	enum wait_kind kind = agent_wait(event, "for");

	if (kind == WAIT_NONE)
		kind = wait_split(agent->reason ? agent->reason : "", NULL);
	if (kind != agent->wait.kind)
		agent->wait.since = event->at;
	agent->wait.kind = kind;
	agent_set_decoded(&agent->wait.toolkit,
	    json_get(&event->members, "toolkit"));
	agent_set_decoded(&agent->wait.call, json_get(&event->members, "call"));
	agent_set_decoded(&agent->wait.link, json_get(&event->members, "link"));
}

static int
apply_waiting(struct agent *agent, const struct event *event, struct fail *fail)
{
	struct fail why;
	int64_t due = 0;
	char *until;
	int result = 0;

	if (agent_under_way(agent))
		return agent_misplaced(event, "something is under way", fail);
	until = json_decode(json_get(&event->members, "until"));
	if (until && clock_parse(until, &due, &why) < 0)
		result = agent_misplaced(event, why.message, fail);
	free(until);
	if (result < 0)
		return -1;
	agent->state = TASK_WAITING;
	agent->due = due;
	agent_set_decoded(&agent->reason, json_get(&event->members, "reason"));
	set_wait(agent, event);
	return 0;
}

static int
apply_end(struct agent *agent, const struct event *event, struct fail *fail)
{
	/* The reason is not checked: a recorded decision counts, even when
	 * this version of the program would decide otherwise. */
	if (agent_must_finish(agent))
		return agent_misplaced(event,
		    "a call is under way whose result has to be known", fail);
	(void)event_is_end(event->type, &agent->state);
	agent->due = 0;
	budget_end(agent, agent->model_running);
	agent->model_running = false;
	agent_set_decoded(&agent->reason, event_reason(&event->members));
	return 0;
}

/* No default: the compiler asks for each type of event. */
static int
apply(struct agent *agent, const struct event *event, struct fail *fail)
{
	switch (event->type) {
	case EVENT_SUBMITTED:
		return apply_submitted(agent, event, fail);
	case EVENT_PINNED:
		return apply_pinned(agent, event, fail);
	case EVENT_STARTED:
		return apply_started(agent, event, fail);
	case EVENT_RELEASED:
		return apply_released(agent, event, fail);
	case EVENT_MODEL_STARTED:
		return agent_model_started(agent, event, fail);
	case EVENT_MODEL_REPLIED:
		return agent_model_replied(agent, event, fail);
	case EVENT_MODEL_FAILED:
		return agent_model_failed(agent, event, fail);
	case EVENT_TOOL_STARTED:
		return agent_tool_started(agent, event, fail);
	case EVENT_TOOL_FINISHED:
		return agent_tool_finished(agent, event, fail);
	case EVENT_TOOL_FAILED:
		return agent_tool_failed(agent, event, fail);
	case EVENT_TOOL_UNKNOWN:
		return agent_tool_unknown(agent, event, fail);
	case EVENT_ACCOUNT:
		return agent_account(agent, event, fail);
	case EVENT_EVIDENCE:
		return agent_evidence(agent, event, fail);
	case EVENT_COMPACTED:
		return agent_compacted(agent, event, fail);
	case EVENT_CLOCK:
		return apply_clock(agent, event, fail);
	case EVENT_USER_MESSAGE:
		return apply_user_message(agent, event, fail);
	case EVENT_SIGNAL:
		return agent_signalled(agent, event, fail);
	case EVENT_WAITING:
		return apply_waiting(agent, event, fail);
	case EVENT_COMPLETED:
	case EVENT_BLOCKED:
	case EVENT_FAILED:
	case EVENT_CANCELLED:
		return apply_end(agent, event, fail);
	case EVENT_TYPES:
		break;
	}
	return agent_misplaced(event, "it is not folded", fail);
}

static void
set_back(int64_t *time, int64_t back)
{
	if (*time > 0)
		*time = *time > back ? *time - back : 1;
}

/* When the clock was set back since the last event, what is waited for stays as
 * far away as it was then. */
static void
follow_clock(struct agent *agent, int64_t at)
{
	int64_t back = agent->last_at - at;
	size_t i;

	agent->last_at = at;
	if (back <= 0)
		return;
	if (back >= SAME_HOUR_MS)
		agent->day_ends = 0;
	set_back(&agent->started_at, back);
	set_back(&agent->clock_from, back);
	set_back(&agent->model_not_before, back);
	for (i = 0; i < agent->call_count; i++) {
		set_back(&agent->calls[i].not_before, back);
		set_back(&agent->calls[i].settle_at, back);
		set_back(&agent->calls[i].ask_at, back);
	}
}

int
agent_apply(struct agent *agent, const struct event *event, struct fail *fail)
{
	if (event->seq != agent->seq + 1)
		return fail_set(fail, FAIL_NEVER, "invalid_journal",
		    "event %" PRIu64 " follows event %" PRIu64, event->seq,
		    agent->seq);
	if (!agent->submitted && event->type != EVENT_SUBMITTED)
		return agent_misplaced(event, "nothing was submitted", fail);
	if (agent->submitted && task_state_final(agent->state) &&
	    event->type != EVENT_SIGNAL)
		return agent_misplaced(event, "the task has ended", fail);
	follow_clock(agent, event->at);
	if (apply(agent, event, fail) < 0)
		return -1;
	agent->seq = event->seq;
	return 0;
}
