/* SPDX-License-Identifier: ISC */
#include "tests/unit/agent/agent_driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/agent/read.h"
#include "common/base/mem.h"

#define ROOM ((size_t)EVENT_MAX)
#define DECISIONS_MAX 100000

struct driver *
driver_open(void)
{
	struct driver *driver = mem_alloc(sizeof(*driver));

	driver->agent = agent_new();
	driver->now = 1700000000000;
	return driver;
}

void
driver_close(struct driver *driver)
{
	size_t i;

	if (!driver)
		return;
	agent_free(driver->agent);
	for (i = 0; i < driver->count; i++)
		free(driver->lines[i]);
	for (i = 0; i < driver->call_count; i++) {
		free(driver->calls[i].id);
		free(driver->calls[i].policy);
	}
	free(driver->lines);
	free(driver->calls);
	free(driver->body);
	cJSON_Delete(driver->pins);
	free(driver);
}

/* ---- what is checked of every event ---- */

static struct driver_call *
tracked(struct driver *driver, const char *id)
{
	size_t i;

	for (i = driver->call_count; id && i-- > 0;)
		if (strcmp(driver->calls[i].id, id) == 0)
			return &driver->calls[i];
	return NULL;
}

static const char *
policy_of(const struct driver *driver, const char *tool)
{
	const cJSON *item;

	cJSON_ArrayForEach (item, driver->pins)
		if (strcmp(json_string(item, "name"), tool) == 0)
			return json_string(item, "on_unknown");
	return "";
}

static void
check_start(struct driver *driver, const struct event *event)
{
	char *id = json_decode(json_get(&event->members, "call"));
	struct driver_call *tracking = tracked(driver, id);
	struct agent_call call;

	if (!agent_call(driver->agent, id, &call)) {
		driver->fault = "a call was started that is not there";
		free(id);
		return;
	}
	if (!tracking) {
		driver->calls = mem_grow(driver->calls, driver->call_count + 1,
		    sizeof(*driver->calls));
		tracking = &driver->calls[driver->call_count++];
		*tracking = (struct driver_call){ .id = mem_string(id) };
		tracking->policy = mem_string(policy_of(driver, call.name));
	}
	free(id);
	if (tracking->maybe && !call.repeatable)
		driver->fault = "a call that may have taken effect was "
				"repeated";
	tracking->maybe = true;
	tracking->started++;
}

static void
check_event(struct driver *driver, const struct event *event)
{
	char *id = json_decode(json_get(&event->members, "call"));
	struct driver_call *call = tracked(driver, id);
	bool approved = json_is(json_get(&event->members, "signal"), "approve");
	size_t i;

	free(id);
	if (event->type == EVENT_TOOL_STARTED)
		check_start(driver, event);
	if (call &&
	    (event->type == EVENT_TOOL_FAILED ||
		event->type == EVENT_TOOL_FINISHED ||
		(event->type == EVENT_TOOL_UNKNOWN &&
		    strcmp(call->policy, "retry") == 0)))
		call->maybe = false;
	for (i = 0; approved && i < driver->call_count; i++)
		if (!call || call == &driver->calls[i])
			driver->calls[i].maybe = false;
}

/* BODY without the number of max_tokens, which may be another in each turn. */
static char *
without_max_tokens(const char *body, size_t length)
{
	struct span most = { body, 0 };
	size_t before;

	(void)json_member((struct span){ body, length }, "max_tokens", &most);
	before = (size_t)(most.at - body);
	return mem_print("%.*s%s", (int)before, body,
	    body + before + most.length);
}

/* A marker of the cache moves, and belongs not to what is said. */
static void
remove_marker(char *body)
{
	static const char marker[] =
	    ",\"cache_control\":{\"type\":\"ephemeral\"}";
	char *at = strstr(body, "\"messages\":["), *end;

	while (at && (at = strstr(at, marker))) {
		end = at + strlen(marker);
		memmove(at, end, strlen(end) + 1);
	}
}

/* The body without its last two bytes is the start of the next one, until it is
 * compacted. */
static void
check_body(struct driver *driver)
{
	char *body, *now, *before;
	size_t length = 0;
	int64_t kept;

	if (!agent_task(driver->agent) || !driver->pins ||
	    agent_compaction(driver->agent, &kept) != AGENT_COMPACTS_NOT)
		return;
	body = agent_request(driver->agent, &length);
	remove_marker(body);
	length = strlen(body);
	if (driver->body) {
		now = without_max_tokens(body, length);
		before = without_max_tokens(driver->body, strlen(driver->body));
		if (strncmp(now, before, strlen(before) - 2) != 0)
			driver->fault = "the conversation was changed";
		free(now);
		free(before);
	}
	free(driver->body);
	driver->body = body;
}

/* Hands over the events that calls are answered from. */
static void
recall(struct driver *driver)
{
	struct event event;
	uint64_t seq;
	char *line;

	while ((seq = agent_wants(driver->agent))) {
		line = driver->lines[seq - 1];
		(void)event_parse((struct span){ line, strlen(line) }, &event,
		    &driver->fail);
		agent_recall(driver->agent, &event);
	}
}

int
driver_apply(struct driver *driver, const char *line, size_t length)
{
	struct event event;
	char *copy = mem_copy(line, length);
	int result;

	if (event_parse((struct span){ copy, length }, &event, &driver->fail) <
	    0) {
		free(copy);
		return -1;
	}
	if (agent_task(driver->agent))
		check_event(driver, &event);
	result = agent_apply(driver->agent, &event, &driver->fail);
	driver->now = event.at;
	if (result == 0 && event.type == EVENT_PINNED)
		driver->pins = json_tree(json_get(&event.members, "tools"));
	if (result < 0) {
		free(copy);
		return -1;
	}
	driver->lines = mem_grow(driver->lines, driver->count + 1,
	    sizeof(*driver->lines));
	driver->lines[driver->count++] = copy;
	if (event.type == EVENT_COMPACTED) {
		free(driver->body);
		driver->body = NULL;
	}
	check_body(driver);
	recall(driver);
	return 0;
}

int
driver_record(struct driver *driver, enum event_type type, const char *members)
{
	struct buf text = BUF_INIT(ROOM);
	int result;

	event_write(&text, driver->count + 1, driver->now, type, members,
	    strlen(members));
	result = driver_apply(driver, text.data, text.length);
	buf_release(&text);
	return result;
}

int
driver_settle(struct driver *driver, struct plan *ret_plan)
{
	struct plan plan;
	size_t left = DECISIONS_MAX;
	int result;

	for (;;) {
		agent_next(driver->agent, driver->now, &plan);
		if (!plan.has_record)
			break;
		if (plan.count)
			driver->fault = "a plan has a record and actions";
		result = driver_record(driver, plan.record,
		    plan.record_members.data);
		plan_release(&plan);
		if (result < 0)
			return -1;
		if (--left == 0) {
			driver->fault = "decisions without end";
			break;
		}
	}
	*ret_plan = plan;
	return 0;
}

int
driver_begin(struct driver *driver, const struct plan *plan)
{
	size_t i;

	for (i = 0; i < plan->count; i++)
		if (plan->actions[i].type != ACTION_PIN &&
		    driver_record(driver, plan->actions[i].intent,
			plan->actions[i].members.data) < 0)
			return -1;
	return 0;
}

/* ---- the world ---- */

static const struct world_answer *
find_answer(const struct world *world, const struct action *action,
    unsigned turn)
{
	const struct world_answer *answer;
	size_t i;

	for (i = 0; i < world->count; i++) {
		answer = &world->answers[i];
		if (answer->attempt && answer->attempt != action->attempt)
			continue;
		if (action->type == ACTION_TOOL
			? answer->call &&
			    strcmp(answer->call, action->call) == 0
			: !answer->call && answer->turn == turn)
			return answer;
	}
	return NULL;
}

static int
answer_model(struct driver *driver, const struct world_answer *answer,
    const struct action *action, unsigned turn)
{
	struct buf members = BUF_INIT(ROOM);
	int result;

	buf_print(&members, "\"turn\":%u,\"attempt\":%u,%s", turn,
	    action->attempt,
	    action->compact ? "\"by\":\"summary\",\"content\":[{\"type\":"
			      "\"text\",\"text\":\"so far\"}]"
		: answer
		? answer->members
		: "\"content\":[{\"type\":\"text\","
		  "\"text\":\"the end\"}],\"stop_reason\":\"end_turn\","
		  "\"usage\":{\"input\":1,\"output\":1},\"nano_usd\":1");
	result = driver_record(driver,
	    action->compact ? EVENT_COMPACTED
		: answer    ? answer->type
			    : EVENT_MODEL_REPLIED,
	    members.data);
	buf_release(&members);
	return result;
}

static int
answer_call(struct driver *driver, const struct world_answer *answer,
    const struct action *action)
{
	struct buf members = BUF_INIT(ROOM), block = BUF_INIT(ROOM);
	int result;

	member_string(&members, "call", action->call);
	member_integer(&members, "attempt", action->attempt);
	if (answer) {
		buf_print(&members, ",%s", answer->members);
	} else {
		agent_result_block(&block, action->call, "done", 4, 0, false,
		    NULL);
		member_raw(&members, "block", block.data, block.length);
		member_raw(&members, "is_error", "false", 5);
	}
	result = driver_record(driver,
	    answer ? answer->type : EVENT_TOOL_FINISHED, members.data);
	buf_release(&members);
	buf_release(&block);
	return result;
}

/* Pins, or finds that each toolkit has a new account, and no log a call. */
static int
answer_pin(struct driver *driver)
{
	struct agent_call call = { .attempt = 0 };
	struct agent_lookup lookup;
	char *members;
	int result;

	if (!agent_lookup(driver->agent, &lookup))
		return driver_record(driver, EVENT_PINNED,
		    "\"request\":{\"model\":\"m\"},\"tools\":[]");
	if (lookup.call)
		(void)agent_call(driver->agent, lookup.call, &call);
	members = lookup.call
	    ? mem_print("\"call\":\"%s\",\"attempt\":%u", lookup.call,
		  call.attempt)
	    : mem_print("\"toolkit\":\"%s\",\"account\":\"ca_new\"",
		  lookup.toolkit);
	result = driver_record(driver,
	    lookup.call ? EVENT_EVIDENCE : EVENT_ACCOUNT, members);
	free(members);
	return result;
}

static int
perform(struct driver *driver, const struct world *world,
    const struct plan *plan)
{
	struct agent_summary summary;
	const struct action *action;
	unsigned turn;
	size_t i;

	/* The last one answers first: answers come in any order. */
	for (i = plan->count; i-- > 0;) {
		action = &plan->actions[i];
		agent_summary(driver->agent, &summary);
		turn = (unsigned)summary.turns + 1;
		driver->now += 7;
		if (action->type == ACTION_PIN ? answer_pin(driver) < 0
			: action->type == ACTION_MODEL
			? answer_model(driver, find_answer(world, action, turn),
			      action, turn) < 0
			: answer_call(driver, find_answer(world, action, 0),
			      action) < 0)
			return -1;
	}
	return 0;
}

/* A person decides about one call that is asked about. Returns 1 when there
 * is none. */
static int
decide(struct driver *driver, const char *decision)
{
	struct buf members = BUF_INIT(ROOM);
	struct fail fail;
	size_t i;
	int result = 1;

	for (i = 0; decision && i < driver->call_count && result == 1; i++) {
		buf_reset(&members);
		member_string(&members, "call", driver->calls[i].id);
		if (agent_accepts(driver->agent, decision,
			(struct span){ members.data, members.length },
			&fail) < 0)
			continue;
		buf_reset(&members);
		member_string(&members, "signal", decision);
		member_string(&members, "call", driver->calls[i].id);
		result = driver_record(driver, EVENT_SIGNAL, members.data);
	}
	buf_release(&members);
	return result;
}

/* Returns 1 when there is nothing more to be done. */
static int
step(struct driver *driver, const struct world *world)
{
	struct agent_summary summary;
	struct plan plan;
	int result = 0;

	if (driver_settle(driver, &plan) < 0)
		return -1;
	agent_summary(driver->agent, &summary);
	if (task_state_final(summary.state)) {
		result = 1;
	} else if (summary.state == TASK_WAITING && !summary.due) {
		result = decide(driver, world->decision);
	} else if (summary.state != TASK_RUNNING) {
		if (summary.due > driver->now)
			driver->now = summary.due;
		result = driver_record(driver, EVENT_STARTED,
		    "\"worker\":\"w\",\"fence\":1");
	} else if (plan.count) {
		result = driver_begin(driver, &plan);
		if (result == 0)
			result = perform(driver, world, &plan);
	} else if (plan.wake_at > driver->now) {
		driver->now = plan.wake_at;
	} else {
		driver->fault = "nothing to do, and no time to wait for";
		result = 1;
	}
	plan_release(&plan);
	return result;
}

int
driver_run(struct driver *driver, const struct world *world)
{
	size_t i;
	int result = 0;

	for (i = 0; i < world->steps && result == 0; i++)
		result = step(driver, world);
	if (result == 0)
		driver->fault = "the task does not end";
	return result < 0 ? -1 : 0;
}
