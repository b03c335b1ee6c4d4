/* SPDX-License-Identifier: ISC */
/*
 * How it works: the events are read from the engine, so that it does not matter
 * which one it is, and folded; only the first is written anew.
 */
#include "common/cli/fork.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

struct copying {
	struct fork *fork;
	struct task *task;
	const char *id;
	const cJSON *overrides;
	const struct config *config;
	uint64_t last; /* to be copied */
	int64_t at;    /* of the last one copied */
	bool failed;
	struct fail *fail;
};

void
fork_override(cJSON *value, const cJSON *overrides)
{
	const cJSON *item;

	cJSON_ArrayForEach (item, overrides) {
		cJSON_DeleteItemFromObjectCaseSensitive(value, item->string);
		cJSON_AddItemToObject(value, item->string,
		    cJSON_Duplicate(item, true));
	}
}

/* Adds an event to the new journal, and folds it. */
static int
add_event(struct copying *copying, struct span text)
{
	struct fork *fork = copying->fork;
	struct event event;

	if (event_parse(text, &event, copying->fail) < 0 ||
	    agent_apply(fork->agent, &event, copying->fail) < 0)
		return -1;
	copying->at = event.at;
	buf_add(&fork->journal, text.at, text.length);
	buf_add_string(&fork->journal, "\n");
	return 0;
}

/* The event of SEQ with MEMBERS, at the time of the last one. */
static int
add_own(struct copying *copying, uint64_t seq, enum event_type type,
    const char *members)
{
	struct buf text = BUF_INIT(EVENT_MAX);
	int result;

	event_write(&text, seq, copying->at, type, members, strlen(members));
	result = add_event(copying, (struct span){ text.data, text.length });
	buf_release(&text);
	return result;
}

/* The first event, whose task is to be another one. */
static int
add_submitted(struct copying *copying, const struct event *event)
{
	static const char *const gone[] = { "key", "not_before", "deadline" };
	cJSON *value = json_tree(json_get(&event->members, "task"));
	char *doc, *members;
	size_t i;
	int result;

	for (i = 0; i < sizeof(gone) / sizeof(*gone); i++)
		cJSON_DeleteItemFromObjectCaseSensitive(value, gone[i]);
	fork_override(value, copying->overrides);
	if (task_check(value, copying->config, copying->task, copying->fail) <
	    0)
		return -1;
	doc = json_text(copying->task->doc);
	members = mem_print("\"task\":%s,\"from\":{\"id\":\"%s\",\"seq\":%llu}",
	    doc, copying->id, (unsigned long long)copying->last);
	copying->at = event->at;
	result = add_own(copying, 1, EVENT_SUBMITTED, members);
	free(members);
	free(doc);
	return result;
}

static int
copy_event(void *context, struct span text)
{
	struct copying *copying = context;
	struct agent_summary summary;
	struct event event;
	int result;

	agent_summary(copying->fork->agent, &summary);
	if (summary.seq == copying->last)
		return 1;
	if (summary.seq > 0)
		result = add_event(copying, text);
	else
		result = event_parse(text, &event, copying->fail) < 0
		    ? -1
		    : add_submitted(copying, &event);
	copying->failed = result < 0;
	return result < 0 ? 1 : 0;
}

/* FROM is split at its "@". */
static int
copy(struct copying *copying, struct engine *engine, struct fail *fail)
{
	struct agent_summary summary;

	if (engine->ops->events(engine, copying->id, 0, copy_event, copying,
		fail) < 0 ||
	    copying->failed)
		return -1;
	agent_summary(copying->fork->agent, &summary);
	if (summary.seq < copying->last)
		return fail_set(fail, FAIL_NO, "no_event",
		    "the task %s has %llu events", copying->id,
		    (unsigned long long)summary.seq);
	return summary.state != TASK_RUNNING
	    ? 0
	    : add_own(copying, summary.seq + 1, EVENT_RELEASED,
		  "\"worker\":\"\",\"reason\":\"another task goes on\"");
}

int
fork_task(struct engine *engine, const char *from, const cJSON *overrides,
    const struct config *config, struct task *ret_task, struct fork *ret_fork,
    struct fail *fail)
{
	const char *number = strchr(from, '@');
	struct copying copying = { .fork = ret_fork,
		.task = ret_task,
		.overrides = overrides,
		.config = config,
		.fail = fail };
	char *id, *end = NULL;
	int result;

	if (number)
		copying.last = strtoull(number + 1, &end, 10);
	if (!end || end == number + 1 || *end || copying.last < 1)
		return fail_set(fail, FAIL_NEVER, "invalid_value",
		    "\"%.100s\" must be a task's id, @ and the number of an "
		    "event",
		    from);
	id = mem_copy(from, (size_t)(number - from));
	copying.id = id;
	*ret_fork = (struct fork){ .agent = agent_new(),
		.journal = BUF_INIT((size_t)EVENT_MAX * 8) };
	result = copy(&copying, engine, fail);
	if (result < 0) {
		task_release(ret_task);
		fork_release(ret_fork);
	}
	free(id);
	return result;
}

void
fork_release(struct fork *fork)
{
	agent_free(fork->agent);
	buf_release(&fork->journal);
	fork->agent = NULL;
}
