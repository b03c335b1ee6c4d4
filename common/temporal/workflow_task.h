/* SPDX-License-Identifier: ISC */
/*
 * workflow_task: answers a workflow task: folds the run's history, and sends what
 * the fold says is next as commands.
 */
#ifndef COMMON_TEMPORAL_WORKFLOW_TASK_H
#define COMMON_TEMPORAL_WORKFLOW_TASK_H

#include "common/temporal/worker_internal.h"

/* RESPONSE is taken over. */
void
workflow_task_begin(struct worker_temporal *worker,
    Api__PollWorkflowTaskQueueResponse *response);

void
workflow_task_end_all(struct worker_temporal *worker);

#endif
