/* SPDX-License-Identifier: ISC */
/*
 * decisions: what the fold of a task wants next, as commands; takes the journal
 * into a new run, before the server ends the old one for its length; and answers
 * what a client asks of a running workflow.
 *
 *	struct decisions decisions = { .worker = worker, ... };
 *
 *	if (decisions_make(&decisions, &fail) == 0)
 *		... decisions.commands answers the workflow task ...
 *	commands_release(&decisions.commands);
 */
#ifndef COMMON_TEMPORAL_DECISIONS_H
#define COMMON_TEMPORAL_DECISIONS_H

#include "common/agent/agent.h"
#include "common/temporal/history.h"
#include "common/temporal/worker_internal.h"

/* ---- commands.c: the commands that answer a workflow task, on the heap ---- */

struct commands {
	Api__Command **list;
	size_t count;
};

void
commands_release(struct commands *commands);

/* A marker with EVENT, which has its type and its members. */
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

/* Schedules what ACTION says; PIN numbers the activities ACTION_PIN. RET_ID is
 * borrowed from the command. */
void
commands_activity(struct commands *commands,
    const struct worker_temporal *worker, const struct agent *agent,
    const struct action *action, int64_t pin, const char **ret_id);

/* Starts a timer that ends at AT, NOW being the workflow task's time. */
void
commands_timer(struct commands *commands, int64_t at, int64_t now,
    const char **ret_id);

/* Lists are to show STATE, in our search attribute or else in the memo. */
void
commands_show(struct commands *commands, bool attribute, const char *state);

/* The EVENT that ends the task: completed, blocked, failed, cancelled. Returns
 * the type of the history's event that it becomes. */
Api__EventType
commands_end(struct commands *commands, enum event_type type, struct span event,
    const char *message);

/* The run ends, and goes on in a new one. */
void
commands_continue(struct commands *commands,
    const struct temporal_history *history, const char *run);

/* ---- decisions.c ---- */
struct decisions {
	/* the caller's: */
	struct worker_temporal *worker;
	const char *workflow, *run;
	struct temporal_history *history; /* is ahead afterwards */
	bool full; /* the limits do not let the task begin yet */
	/* filled in: */
	struct commands commands;
	bool continues; /* in a new run */
	int state;      /* the task's, -1 when it continues */
};

/* To be called after the history's last event, a WorkflowTaskStarted. */
int
decisions_make(struct decisions *decisions, struct fail *fail);

/* Has the task fail. */
int
decisions_fail(struct decisions *decisions, const char *type,
    const char *message, struct fail *fail);

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

/* ---- query.c ---- */

/* The answer to a query of TYPE, on the heap. */
Api__WorkflowQueryResult *
query_result(const struct temporal_history *history, const char *type);

/* Answers to the queries that came with the task. */
void
query_add_results(const Api__PollWorkflowTaskQueueResponse *task,
    const struct temporal_history *history,
    Api__RespondWorkflowTaskCompletedRequest *request);

void
query_free_results(Api__RespondWorkflowTaskCompletedRequest *request);

#endif
