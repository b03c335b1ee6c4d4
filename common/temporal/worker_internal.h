/* SPDX-License-Identifier: ISC */
/*
 * worker_internal: the state that the parts of a worker share. Each part has a
 * small header: poller.h brings tasks, workflow_task.h and activity_task.h do
 * them, and idle.h, liveness.h and history_cache.h serve these.
 */
#ifndef COMMON_TEMPORAL_WORKER_INTERNAL_H
#define COMMON_TEMPORAL_WORKER_INTERNAL_H

#include "common/agent/config.h"
#include "common/agent/engine.h"
#include "common/base/id.h"
#include "common/base/loop.h"
#include "common/temporal/client.h"

struct activity_task;
struct admitted;
struct effects;
struct history_cache;
struct idle;
struct liveness;
struct poller;
struct workflow_task;

struct worker_temporal {
	const struct config *config;
	const struct worker_options *options;
	const char *target;
	struct loop *loop;
	struct temporal *temporal;
	struct effects *effects;
	struct liveness *liveness; /* NULL: the folder cannot be used */
	struct history_cache *histories;
	struct poller *poller;
	struct idle *idle;  /* NULL: it does not end when it is idle */
	char name[ID_TEXT]; /* of this process */
	char **queues;      /* as the server names them */
	size_t queue_count;
	struct temporal_answer attributes_answer;
	bool attributes;    /* the search attribute is known to the server */
	bool no_attributes; /* the server refuses it nevertheless */

	struct admitted *admitted; /* tasks that began a moment ago */
	size_t admitted_count;
	struct workflow_task *workflow_tasks;
	struct activity_task *activity_tasks;
	size_t activity_task_count;

	size_t idle_looks; /* how often it seemed idle, one after the other */
	struct timer grace;
	bool draining, grace_over;
	bool took_one; /* for --once: a task ended or waits */
	bool failed;   /* it cannot go on: why */
	struct fail why;
	int *ret_state;
};

/* Makes the worker end, because it cannot go on. */
static inline void
worker_give_up(struct worker_temporal *worker, const struct fail *why)
{
	if (!worker->failed)
		worker->why = *why;
	worker->failed = true;
}

#endif
