/* SPDX-License-Identifier: ISC */
/*
 * activity_task: performs an activity, and reports what came of it.
 */
#ifndef COMMON_TEMPORAL_ACTIVITY_TASK_H
#define COMMON_TEMPORAL_ACTIVITY_TASK_H

#include "common/temporal/worker_internal.h"

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

#endif
