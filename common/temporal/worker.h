/* SPDX-License-Identifier: ISC */
/*
 * worker_temporal: runs the tasks of a Temporal cluster: answers the workflow
 * tasks of its queues, and performs their activities, from one event loop.
 */
#ifndef COMMON_TEMPORAL_WORKER_H
#define COMMON_TEMPORAL_WORKER_H

#include "common/agent/config.h"
#include "common/agent/engine.h"
#include "common/base/fail.h"

/* As worker_run. TARGET is "temporal://HOST:PORT/NAMESPACE"; in FOLDER (made
 * when it is missing; nothing is lost if that fails) the workers of this
 * machine note their activities under way. Without queues in OPTIONS it takes
 * the tasks of the queue "default". */
int
worker_temporal_run(const char *target, const char *folder,
    const struct config *config, const struct worker_options *options,
    int *ret_state, struct fail *fail);

#endif
