/* SPDX-License-Identifier: ISC */
/*
 * worker_internal: shared by the files of Temporal's worker.
 *
 * worker.c polls, drains and ends. workflow_task.c answers workflow tasks with
 * the help of commands.c, which builds the commands, query.c, and
 * continue_as_new.c, which takes the journal into a new run;
 * concurrency_limit.c asks whether a task may begin; activity_task.c performs
 * activities, and liveness.c notes them for the other workers of this machine.
 */
#ifndef COMMON_TEMPORAL_WORKER_INTERNAL_H
#define COMMON_TEMPORAL_WORKER_INTERNAL_H

#include "common/base/id.h"
#include "common/base/loop.h"
#include "common/provider/effect.h"
#include "common/temporal/client.h"
#include "common/temporal/history_reader.h"
#include "common/temporal/worker.h"

struct liveness;
struct poller_group;
struct poll;
struct workflow_task;
struct activity_task;
struct admitted;
struct permit;

/* A run's history, cached so that the next task and the activities of the run
 * need not fold it again. */
struct cached_history {
	char *run;
	struct temporal_history *history;
	uint64_t used; /* when: the oldest goes first */
};
#define HISTORY_CACHE_MAX 512

struct worker_temporal {
	const struct config *config;
	const struct worker_options *options;
	const char *target;
	struct loop *loop;
	struct temporal *temporal;
	struct effects *effects;
	struct liveness *liveness; /* NULL: the folder cannot be used */
	char name[ID_TEXT];        /* of this process */

	struct poller_group *groups; /* two for each queue */
	struct poll *polls;
	size_t group_count, poll_count, open_polls, next_group;
	struct timer again, grace, idle;
	size_t idle_looks, queues_asked;
	struct temporal_answer listing, attributes_answer;
	struct temporal_answer *goodbyes;
	bool attributes;    /* the search attribute is known to the server */
	bool no_attributes; /* the server refuses it nevertheless */

	struct cached_history cached[HISTORY_CACHE_MAX];
	size_t cached_count;
	uint64_t clock;

	struct admitted *admitted; /* tasks that began a moment ago */
	size_t admitted_count;

	struct workflow_task *workflow_tasks;
	struct activity_task *activity_tasks;
	size_t activity_task_count;

	bool draining, grace_over;
	bool took_one; /* for --once: a task ended or waits */
	bool failed;   /* it cannot go on: why */
	struct fail why;
	int *ret_state;
};

/* ---- worker.c ---- */

/* Starts as many polls as the limits allow. */
void
worker_poll_more(struct worker_temporal *worker);

/* Makes the worker end, because it cannot go on. */
void
worker_give_up(struct worker_temporal *worker, const struct fail *why);

/* Borrowed until the next call, or NULL. */
struct temporal_history *
history_cache_get(struct worker_temporal *worker, const char *run);

/* The same, handed over. */
struct temporal_history *
history_cache_take(struct worker_temporal *worker, const char *run);

/* Takes HISTORY over, and replaces the one that is cached for RUN; NULL removes
 * that one. */
void
history_cache_put(struct worker_temporal *worker, const char *run,
    struct temporal_history *history);

/* ---- workflow_task.c ---- */

/* RESPONSE is taken over. */
void
workflow_task_begin(struct worker_temporal *worker,
    Api__PollWorkflowTaskQueueResponse *response);

void
workflow_task_end_all(struct worker_temporal *worker);

/* ---- commands.c ---- */

struct commands {
	Api__Command **list;
	size_t count;
};

void
commands_release(struct commands *commands);

/* JSON text as an argument list of one that the message frees. */
Api__Payloads *
commands_payloads(struct span json);

void
commands_marker(struct commands *commands, struct span event);

/* A marker for events of earlier runs; returns the marker's details. */
Api__Payloads *
commands_carried(struct commands *commands);

void
commands_carry(Api__Payloads *carried, struct span event);

/* A marker that says that all events are carried. */
void
commands_carried_all(struct commands *commands);

void
commands_activity(struct commands *commands,
    const struct worker_temporal *worker, const struct agent *agent,
    const struct action *action, int64_t pin, const char **ret_id);

void
commands_timer(struct commands *commands, int64_t at, int64_t now,
    const char **ret_id);

void
commands_show(struct commands *commands, bool attribute, const char *state);

/* The event that ends the task: completed, blocked, failed, cancelled. Returns
 * the type of the history's event that it becomes. */
Api__EventType
commands_end(struct commands *commands, enum event_type type, struct span event,
    const char *message);

/* The run ends, and goes on in a new one. */
void
commands_continue(struct commands *commands,
    const struct temporal_history *history, const char *run);

/* The members of an event "completed" with a result larger than RESULT_MAX, which
 * is cut because the server would end the workflow otherwise. The caller
 * frees. */
#define RESULT_MAX (TEMPORAL_BLOB_MAX - 4096)

char *
commands_fit_result(struct span members);

/* ---- query.c ---- */

extern const char query_unknown[];

/* The JSON text of the answer; NULL when there is no such query. The caller
 * frees. */
char *
query_answer(const struct temporal_history *history, const char *type);

/* Answers to the queries that came with the task. */
void
query_add_results(const Api__PollWorkflowTaskQueueResponse *task,
    const struct temporal_history *history,
    Api__RespondWorkflowTaskCompletedRequest *request);

void
query_free_results(Api__RespondWorkflowTaskCompletedRequest *request);

/* ---- continue_as_new.c ---- */

/* Whether the task should go on in a new run. */
bool
carry_due(const struct worker_temporal *worker,
    const struct temporal_facts *facts);

/* Whether the server is about to end the run while it cannot go on in a new run
 * yet. */
bool
carry_too_late(const struct temporal_facts *facts);

/* Reads the journal of the run before RUN, and adds markers with its events,
 * from the first that is missing in HISTORY, to COMMANDS, as many as fit in one
 * request; then calls THEN (never from within this call), with FAIL NULL unless
 * it failed. */
struct carry;

struct carry *
carry_begin(struct worker_temporal *worker, const char *workflow,
    const char *run, const struct temporal_history *history,
    struct commands *commands,
    void (*then)(void *context, const struct fail *fail), void *context);

void
carry_end(struct carry *carry); /* NULL is fine; then is not called any more */

/* ---- concurrency_limit.c ---- */

/* Asks whether the limits let TASK begin. NULL: no limit applies, and THEN is
 * not called. Else THEN is called once, from the loop, and the caller frees. */
struct permit *
permit_ask(struct worker_temporal *worker, const struct task *task,
    void (*then)(void *context, bool free), void *context);

void
permit_free(struct permit *permit); /* NULL is fine */

void
permit_forget_all(struct worker_temporal *worker);

/* ---- activity_task.c ---- */

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

/* ---- liveness.c ---- */

int
liveness_open(struct worker_temporal *worker, const char *folder,
    struct liveness **ret_notes, struct fail *fail);

void
liveness_close(struct liveness *liveness); /* NULL is fine, here and below */

void
liveness_add(struct liveness *liveness, const char *workflow, const char *run,
    const char *activity);

void
liveness_drop(struct liveness *liveness, const char *workflow, const char *run,
    const char *activity);

/* Called each second while something is under way: records that this worker
 * lives. */
void
liveness_touch(struct liveness *liveness);

#endif
