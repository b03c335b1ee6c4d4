/* SPDX-License-Identifier: ISC */
/*
 * How it works: agent.c, reply.c, call.c and signal.c fold events into the
 * state, next.c, decide.c and view.c read it, and this file has the functions
 * that several of them use.
 */
#include "common/agent/state.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

#define ERROR_MAX ((size_t)1 << 30)
#define TEXT_MAX ((size_t)1 << 30)
#define DELAY_MAX ((int64_t)366 * 24 * 3600 * 1000)

/* FNV-1a. */
uint64_t
agent_id_hash(const char *id)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (; *id; id++)
		hash = (hash ^ (unsigned char)*id) * 0x100000001b3;
	return hash;
}

struct call *
agent_find_call(const struct agent *agent, const char *id)
{
	struct call *call;
	size_t i;

	/* Calls mostly end in order: a search from the first open one finds
	 * each of many at once. */
	for (i = 0; id && i < agent->call_count; i++) {
		call =
		    &agent->calls[(agent->first_open + i) % agent->call_count];
		if (strcmp(call->id, id) == 0)
			return call;
	}
	return NULL;
}

bool
agent_call_refused(const struct agent *agent, const struct call *call)
{
	return agent->skip_calls || call->broken || !call->pin ||
	    !call->input_valid;
}

bool
agent_call_asked(const struct call *call)
{
	return call->status == CALL_UNKNOWN &&
	    call->pin->on_unknown == ON_UNKNOWN_ASK;
}

bool
agent_must_finish(const struct agent *agent)
{
	size_t i;

	for (i = agent->first_open; i < agent->call_count; i++)
		if (agent->calls[i].status == CALL_RUNNING &&
		    !agent->calls[i].pin->repeatable)
			return true;
	return false;
}

bool
agent_under_way(const struct agent *agent)
{
	size_t i;

	for (i = agent->first_open; i < agent->call_count; i++)
		if (agent->calls[i].status == CALL_RUNNING)
			return true;
	return agent->model_running;
}

int64_t
agent_time_limit(const struct agent *agent, int64_t behind)
{
	int64_t deadline = agent->task.deadline, end;

	if (!agent->task.budget_seconds || !agent->started_at)
		return deadline;
	end = agent->started_at + agent->task.budget_seconds * 1000 - behind;
	return deadline && deadline < end ? deadline : end;
}

/* ---- shared by the files that fold ---- */

int
agent_misplaced(const struct event *event, const char *why, struct fail *fail)
{
	return fail_set(fail, FAIL_NEVER, "invalid_journal",
	    "event %" PRIu64 " (%s) cannot come here: %s", event->seq,
	    event_type_name(event->type), why);
}

void
agent_set_string(char **string, const char *value)
{
	char *copy = mem_string(value);

	free(*string);
	*string = copy;
}

void
agent_set_decoded(char **string, struct span value)
{
	free(*string);
	*string = json_decode(value);
}

void
agent_set_raw(char **string, struct span value)
{
	free(*string);
	*string = mem_copy(value.at, value.length);
}

int64_t
agent_integer(const struct json_object *object, const char *name)
{
	int64_t number = 0;

	(void)json_whole(json_get(object, name), &number);
	return number;
}

enum wait_kind
agent_wait(const struct event *event, const char *name)
{
	struct span value = json_get(&event->members, name);
	char *text = json_decode(value);
	enum wait_kind kind = wait_parse(text);

	free(text);
	return value.length && kind == WAIT_NONE ? WAIT_TIME : kind;
}

void
agent_end_wait(struct agent *agent)
{
	agent->wait.kind = WAIT_NONE;
	agent_set_string(&agent->wait.toolkit, NULL);
	agent_set_string(&agent->wait.call, NULL);
	agent_set_string(&agent->wait.link, NULL);
}

int64_t
agent_after(const struct event *event, const char *name)
{
	int64_t delay;

	if (!json_whole(json_get(&event->members, name), &delay))
		return -1;
	return event->at +
	    (delay < 0                  ? 0
		    : delay > DELAY_MAX ? DELAY_MAX
					: delay);
}

void
agent_add_message(struct agent *agent, const char *role, struct span content)
{
	if (agent->messages.length)
		buf_add(&agent->messages, ",", 1);
	buf_print(&agent->messages, "{\"role\":\"%s\",\"content\":", role);
	buf_add(&agent->messages, content.at, content.length);
	buf_add(&agent->messages, "}", 1);
	agent->last_user = *role == 'u';
}

void
agent_say(struct agent *agent, const char *text)
{
	struct buf content = BUF_INIT(TEXT_MAX);
	char *before = agent->said;

	if (agent->step == STEP_TOOLS) {
		agent->said = before ? mem_print("%s\n\n%s", before, text)
				     : mem_string(text);
		free(before);
		return;
	}
	buf_add_string(&content, "[{\"type\":\"text\",\"text\":");
	json_quote(&content, text, strlen(text));
	buf_add_string(&content, "}]");
	agent_add_message(agent, "user",
	    (struct span){ content.data, content.length });
	buf_release(&content);
}

void
agent_fail_step(struct agent *agent, const char *type, const char *message)
{
	struct buf error = BUF_INIT(ERROR_MAX);

	buf_add_string(&error, "{");
	member_string(&error, "type", type);
	member_string(&error, "message", message);
	buf_add_string(&error, "}");
	free(agent->error);
	agent->error = buf_detach(&error, NULL);
	agent->step = STEP_FAIL;
}
