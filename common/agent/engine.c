/* SPDX-License-Identifier: ISC */
/*
 * How it works: every call goes to the engine's own function.
 */
#include "common/agent/engine.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/digest.h"
#include "common/json/json.h"

#define OBJECT_MAX ((size_t)EVENT_MAX + (16u << 20))

void
engine_close(struct engine *engine)
{
	if (engine)
		engine->operations->close(engine);
}

int
engine_submit(struct engine *engine, struct submission *submissions,
    size_t count, struct fail *fail)
{
	return engine->operations->submit(engine, submissions, count, fail);
}

static int
count_row(void *context, struct span text)
{
	(void)text;
	++*(int64_t *)context;
	return 0;
}

int
engine_admit(struct engine *engine, const struct task *task,
    const struct submission *submissions, size_t count, int64_t most,
    struct fail *fail)
{
	static const enum task_state open_states[] = { TASK_QUEUED,
		TASK_RUNNING, TASK_WAITING };
	int64_t found = 0;

	for (size_t i = 0; i < count; i++)
		found += strcmp(submissions[i].task->user, task->user) == 0;
	for (size_t i = 0; found < most && i < 3; i++) {
		struct engine_filter filter = { .user = task->user,
			.state = (int)open_states[i],
			.limit = (size_t)(most - found) };

		if (engine_list(engine, &filter, count_row, &found, fail) < 0)
			return -1;
	}
	if (most == 0 || found < most)
		return 0;
	return fail_set(fail, FAIL_NOT_NOW, "too_many_tasks",
	    "%s has %lld tasks that have not ended and may have no more: "
	    "wait until one ends, or cancel one",
	    task->user, (long long)most);
}

int
engine_get(struct engine *engine, const char *id, struct buf *buf,
    struct fail *fail)
{
	return engine->operations->get(engine, id, buf, fail);
}

int
engine_events(struct engine *engine, const char *id, uint64_t after,
    int (*event)(void *context, struct span text), void *context,
    struct fail *fail)
{
	return engine->operations->events(engine, id, after, event, context,
	    fail);
}

int
engine_list(struct engine *engine, const struct engine_filter *filter,
    int (*task)(void *context, struct span text), void *context,
    struct fail *fail)
{
	return engine->operations->list(engine, filter, task, context, fail);
}

int
engine_signal(struct engine *engine, const char *id, const char *signal,
    struct span members, struct fail *fail)
{
	return engine->operations->signal(engine, id, signal, members, fail);
}

int
engine_depth(struct engine *engine, const char *queue, struct buf *buf,
    struct fail *fail)
{
	return engine->operations->depth(engine, queue, buf, fail);
}

int
engine_wait(struct engine *engine, int64_t milliseconds, struct fail *fail)
{
	return engine->operations->wait(engine, milliseconds, fail);
}

/* Fills the probe from the object of the task. */
static void
fill_probe(struct engine_probe *probe, struct span task)
{
	char digest[DIGEST_TEXT];
	const char *user, *state;
	struct span span;
	cJSON *value;

	digest_hex(task.at, task.length, digest);
	digest[16] = '\0';
	probe->version = strtoull(digest, NULL, 16);
	value = cJSON_CreateObject();
	if (json_member(task, "user", &span))
		cJSON_AddItemToObject(value, "user",
		    cJSON_ParseWithLength(span.at, span.length));
	if (json_member(task, "state", &span))
		cJSON_AddItemToObject(value, "state",
		    cJSON_ParseWithLength(span.at, span.length));
	user = json_string(value, "user");
	state = json_string(value, "state");
	probe->found = user && strlen(user) < sizeof(probe->user) && state &&
	    task_state_parse(state, &probe->state);
	if (probe->found)
		memcpy(probe->user, user, strlen(user) + 1);
	cJSON_Delete(value);
}

int
engine_probe(struct engine *engine, struct engine_probe *probes, size_t count,
    struct fail *fail)
{
	struct buf task = BUF_INIT(OBJECT_MAX);
	int result = 0;

	if (engine->operations->probe)
		return engine->operations->probe(engine, probes, count, fail);
	for (size_t i = 0; result == 0 && i < count; i++) {
		buf_reset(&task);
		probes[i].found = false;
		if (engine_get(engine, probes[i].id, &task, fail) == 0)
			fill_probe(&probes[i],
			    (struct span){ task.data, task.length });
		else if (strcmp(fail->type, "no_task") != 0 &&
		    strcmp(fail->type, "invalid_id") != 0)
			result = -1;
	}
	buf_release(&task);
	return result;
}

int
engine_watch(struct engine *engine, int *ret_fd, struct fail *fail)
{
	*ret_fd = -1;
	return engine->operations->watch
	    ? engine->operations->watch(engine, ret_fd, fail)
	    : 0;
}

static int
no_schedules(struct fail *fail)
{
	return fail_set(fail, FAIL_NEVER, "no_schedules",
	    "this engine has no schedules: use Temporal's, or cron(8) with "
	    "agent-submit");
}

int
engine_schedule(struct engine *engine, struct submission *submissions,
    size_t count, const char *cron, struct fail *fail)
{
	if (!engine->operations->schedule)
		return no_schedules(fail);
	return engine->operations->schedule(engine, submissions, count, cron,
	    fail);
}

int
engine_schedules(struct engine *engine,
    int (*schedule)(void *context, struct span text), void *context,
    struct fail *fail)
{
	if (!engine->operations->schedules)
		return no_schedules(fail);
	return engine->operations->schedules(engine, schedule, context, fail);
}

int
engine_schedule_signal(struct engine *engine, const char *id,
    const char *signal, struct fail *fail)
{
	if (!engine->operations->schedule_signal)
		return no_schedules(fail);
	return engine->operations->schedule_signal(engine, id, signal, fail);
}
