/* SPDX-License-Identifier: ISC */
/*
 * decisions: what the fold of a task wants next, as commands.
 *
 *	struct decisions decisions = { .worker = worker, ... };
 *
 *	if (decisions_make(&decisions, &fail) == 0)
 *		... decisions.commands answers the workflow task ...
 *	commands_release(&decisions.commands);
 */
#ifndef COMMON_TEMPORAL_DECISIONS_H
#define COMMON_TEMPORAL_DECISIONS_H

#include "common/temporal/commands.h"

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

#endif
