/* SPDX-License-Identifier: ISC */
/*
 * How it works: every call goes to the engine's own function.
 */
#include "common/agent/engine.h"

#include <string.h>

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

int
engine_probe(struct engine *engine, struct engine_probe *probes, size_t count,
    struct fail *fail)
{
	return engine->operations->probe(engine, probes, count, fail);
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
