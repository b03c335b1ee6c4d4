/* SPDX-License-Identifier: ISC */
/*
 * concurrency_limit: whether the limits of running tasks let one begin.
 */
#ifndef COMMON_TEMPORAL_CONCURRENCY_LIMIT_H
#define COMMON_TEMPORAL_CONCURRENCY_LIMIT_H

#include "common/agent/task.h"
#include "common/temporal/worker_internal.h"

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
