/* SPDX-License-Identifier: ISC */
/*
 * idle: ends a worker that is told to end when it has nothing to do.
 */
#ifndef COMMON_TEMPORAL_IDLE_H
#define COMMON_TEMPORAL_IDLE_H

#include "common/temporal/worker_internal.h"

/* Makes worker->idle, which drains the worker once it is idle, or, for --once,
 * once it has taken a task. */
void
idle_begin(struct worker_temporal *worker);

void
idle_end(struct idle *idle); /* NULL is fine */

#endif
