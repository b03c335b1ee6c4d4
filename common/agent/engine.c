/* SPDX-License-Identifier: ISC */
/*
 * How it works: what is the same for every engine, by its operations.
 */
#include "common/agent/engine.h"

#include <string.h>

void
engine_close(struct engine *engine)
{
	if (engine)
		engine->ops->close(engine);
}

static int
count_row(void *context, struct span text)
{
	(void)text;
	++*(int64_t *)context;
	return 0;
}

int
engine_fail_open(const char *user, int64_t most, struct fail *fail)
{
	return fail_set(fail, FAIL_NOT_NOW, "too_many_tasks",
	    "%s has %lld tasks that have not ended and may have no more: "
	    "wait until one ends, or cancel one",
	    user, (long long)most);
}

int
engine_admit(struct engine *engine, const struct task *task,
    const struct submission *submissions, size_t count, int64_t most,
    struct fail *fail)
{
	static const enum task_state open_states[] = { TASK_QUEUED,
		TASK_RUNNING, TASK_WAITING };
	int64_t found = 0;

	if (engine->ops->admits)
		return 0;
	for (size_t i = 0; i < count; i++)
		found += strcmp(submissions[i].task->user, task->user) == 0;
	for (size_t i = 0; found < most && i < 3; i++) {
		struct engine_filter filter = { .user = task->user,
			.state = (int)open_states[i],
			.limit = (size_t)(most - found) };

		if (engine->ops->list(engine, &filter, count_row, &found,
			fail) < 0)
			return -1;
	}
	if (most == 0 || found < most)
		return 0;
	return engine_fail_open(task->user, most, fail);
}

int
engine_check_schedules(const struct engine *engine, struct fail *fail)
{
	if (engine->ops->schedule)
		return 0;
	return fail_set(fail, FAIL_NEVER, "no_schedules",
	    "this engine has no schedules: use Temporal's, or cron(8) with "
	    "agent-submit");
}

int
engine_submit(struct engine *engine, struct submission *submissions,
    size_t count, const char *cron, struct fail *fail)
{
	if (!cron)
		return engine->ops->submit(engine, submissions, count, fail);
	if (engine_check_schedules(engine, fail) < 0)
		return -1;
	return engine->ops->schedule(engine, submissions, count, cron, fail);
}
