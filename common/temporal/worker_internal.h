/* SPDX-License-Identifier: ISC */
/*
 * worker_internal: the state that the parts of a worker share, and what the parts
 * do for each other: poller.c brings tasks, workflow_task.c answers the workflow
 * tasks, as the fold of the run's history says, activity_task.c performs the
 * activities and reports what came of them, and idle.c ends a worker that is told
 * to end when it has nothing to do. concurrency_limit.c, liveness.h and
 * history_cache.c serve these.
 */
#ifndef COMMON_TEMPORAL_WORKER_INTERNAL_H
#define COMMON_TEMPORAL_WORKER_INTERNAL_H

#include "common/agent/config.h"
#include "common/agent/engine.h"
#include "common/agent/task.h"
#include "common/base/id.h"
#include "common/base/loop.h"
#include "common/temporal/client.h"

struct activity_task;
struct admitted;
struct effects;
struct history_cache;
struct idle;
struct key_waits;
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
	struct key_waits *key_waits; /* NULL: none so far */
	struct idle *idle;           /* NULL: it does not end when it is idle */
	char name[ID_TEXT];          /* of this process */
	char **queues;               /* as the server names them */
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

/* ---- worker.c ---- */

/* As worker_run. TARGET is "temporal://HOST:PORT/NAMESPACE"; in FOLDER (made
 * when it is missing; nothing is lost if that fails) the workers of this
 * machine note their activities under way. Without queues in OPTIONS it takes
 * the tasks of the queue "default". */
int
worker_temporal_run(const char *target, const char *folder,
    const struct config *config, const struct worker_options *options,
    int *ret_state, struct fail *fail);

/* ---- poller.c ---- */

/* Makes worker->poller. What its polls bring is handed over to WORKFLOW and to
 * ACTIVITY. */
void
poller_open(struct worker_temporal *worker,
    void (*workflow)(struct worker_temporal *worker,
	Api__PollWorkflowTaskQueueResponse *response),
    void (*activity)(struct worker_temporal *worker,
	Api__PollActivityTaskQueueResponse *response));

void
poller_close(struct poller *poller); /* NULL is fine */

/* Starts as many polls as the limits allow. */
void
poller_more(struct worker_temporal *worker);

/* Starts no more polls, and sets the grace timer; those that are open are not
 * cancelled. */
void
poller_drain(struct worker_temporal *worker);

/* Whether a poll is open. */
bool
poller_is_open(const struct worker_temporal *worker);

/* ---- workflow_task.c ---- */

/* RESPONSE is taken over. */
void
workflow_task_begin(struct worker_temporal *worker,
    Api__PollWorkflowTaskQueueResponse *response);

void
workflow_task_end_all(struct worker_temporal *worker);

/* ---- activity_task.c ---- */

/* RESPONSE is taken over. */
void
activity_task_begin(struct worker_temporal *worker,
    Api__PollActivityTaskQueueResponse *response);

/* The run has ended: cuts off those of its activities that may be. */
void
activity_task_cut_run(struct worker_temporal *worker, const char *run);

/* The grace is over: releases all activities. */
void
activity_task_release_all(struct worker_temporal *worker);

void
activity_task_end_all(struct worker_temporal *worker);

/* ---- idle.c ---- */

/* Makes worker->idle, which drains the worker once it is idle, or, for --once,
 * once it has taken a task. */
void
idle_begin(struct worker_temporal *worker);

void
idle_end(struct idle *idle); /* NULL is fine */

/* ---- concurrency_limit.c ---- */

/* Asks whether the limits let TASK begin. NULL: no limit applies, and THEN is
 * not called. Else THEN is called once, from the loop, and the caller frees. */
struct permit *
permit_ask(struct worker_temporal *worker, const struct task *task,
    void (*then)(void *context, bool free), void *context);

void
permit_free(struct permit *permit); /* NULL is fine */

/* Frees what is remembered of tasks that began a moment ago. */
void
permit_forget_all(struct worker_temporal *worker);

#endif
