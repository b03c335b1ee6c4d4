/* SPDX-License-Identifier: ISC */
/*
 * How it works: the server's visibility gives the number of running tasks of a
 * user or a queue; it may be a moment old. The tasks that this worker has begun
 * within that moment are added, so one worker never exceeds the limit; several
 * workers in the same moment can exceed it by one task each.
 */
#include "common/temporal/worker_internal.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/json/log.h"
#include "common/temporal/history.h"

#define LAG_MS 1000
#define LIMITS 2

struct admitted {
	char *names[LIMITS]; /* the user, the queue */
	int64_t until;
};

struct permit {
	struct worker_temporal *worker;
	char *names[LIMITS];
	struct temporal_answer answers[LIMITS];
	size_t open;
	void (*then)(void *context, bool free);
	void *context;
};

static int64_t
limit(const struct worker_temporal *worker, size_t which)
{
	return which == 0 ? worker->config->running_per_user
			  : worker->config->running_per_queue;
}

static void
forget(struct worker_temporal *worker, struct admitted *admitted)
{
	size_t i;

	for (i = 0; i < LIMITS; i++)
		free(admitted->names[i]);
	*admitted = worker->admitted[--worker->admitted_count];
}

void
permit_forget_all(struct worker_temporal *worker)
{
	while (worker->admitted_count > 0)
		forget(worker, worker->admitted);
	free(worker->admitted);
	worker->admitted = NULL;
}

static int64_t
count_admitted(struct worker_temporal *worker, size_t which, const char *name)
{
	int64_t now = clock_boot(), count = 0;
	size_t i;

	for (i = worker->admitted_count; i-- > 0;)
		if (worker->admitted[i].until <= now)
			forget(worker, &worker->admitted[i]);
	for (i = 0; i < worker->admitted_count; i++)
		count += strcmp(worker->admitted[i].names[which], name) == 0;
	return count;
}

static void
admit(const struct permit *permit)
{
	struct worker_temporal *worker = permit->worker;
	struct admitted admitted = { .until = clock_boot() + LAG_MS };
	size_t i;

	for (i = 0; i < LIMITS; i++)
		admitted.names[i] = mem_string(permit->names[i]);
	worker->admitted = mem_grow(worker->admitted,
	    worker->admitted_count + 1, sizeof(admitted));
	worker->admitted[worker->admitted_count++] = admitted;
}

static bool
is_free(const struct permit *permit, size_t which)
{
	struct worker_temporal *worker = permit->worker;
	const struct temporal_answer *answer = &permit->answers[which];
	const Api__CountWorkflowExecutionsResponse *response;

	if (limit(worker, which) == 0)
		return true;
	if (answer->status != GRPC_OK) {
		log_line("warning", "limit", which == 0 ? "user" : "queue",
		    permit->names[which], "reason", answer->fail.message, NULL);
		return answer->fail.kind != FAIL_NOT_NOW;
	}
	response = (const Api__CountWorkflowExecutionsResponse *)(const void *)
		       answer->message;
	return response->count +
	    count_admitted(worker, which, permit->names[which]) <
	    limit(worker, which);
}

static void
counted(void *context, struct temporal_answer *answer)
{
	struct permit *permit = context;
	bool result = true;
	size_t i;

	(void)answer;
	if (--permit->open > 0)
		return;
	for (i = 0; i < LIMITS; i++)
		result = result && is_free(permit, i);
	if (result)
		admit(permit);
	permit->then(permit->context, result);
}

static int
ask(struct permit *permit, size_t which, struct fail *fail)
{
	struct buf query = BUF_INIT(64u << 10);
	int result;

	buf_add_string(&query,
	    "WorkflowType = '" TEMPORAL_WORKFLOW
	    "' AND ExecutionStatus = 'Running' AND " TEMPORAL_STATE
	    " = 'running' AND ");
	buf_add_string(&query,
	    which == 0 ? TEMPORAL_USER " = " : "TaskQueue = ");
	temporal_quote(&query, permit->names[which]);
	permit->answers[which].then = counted;
	permit->answers[which].context = permit;
	result = temporal_count(permit->worker->temporal, query.data,
	    &permit->answers[which], fail);
	buf_release(&query);
	return result;
}

struct permit *
permit_ask(struct worker_temporal *worker, const struct task *task,
    void (*then)(void *context, bool free), void *context)
{
	struct permit *permit;
	struct fail fail;
	size_t i;

	if (limit(worker, 0) == 0 && limit(worker, 1) == 0)
		return NULL;
	permit = mem_alloc(sizeof(*permit));
	permit->worker = worker;
	permit->names[0] = mem_string(task->user);
	permit->names[1] = mem_print("agent-%s", task->queue);
	permit->then = then;
	permit->context = context;
	for (i = 0; i < LIMITS; i++) {
		if (limit(worker, i) == 0)
			continue;
		if (ask(permit, i, &fail) < 0) {
			worker_give_up(worker, &fail);
			permit_free(permit);
			return NULL;
		}
		permit->open++;
	}
	return permit;
}

void
permit_free(struct permit *permit)
{
	size_t i;

	if (permit == NULL)
		return;
	for (i = 0; i < LIMITS; i++) {
		temporal_answer_release(&permit->answers[i]);
		free(permit->names[i]);
	}
	free(permit);
}
