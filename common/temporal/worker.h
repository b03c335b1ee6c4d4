/* SPDX-License-Identifier: ISC */
/*
 * worker_temporal: works tasks off that a Temporal cluster keeps: answers the
 * workflow tasks of its queues, and performs their activities, from one event
 * loop.
 */
#ifndef COMMON_TEMPORAL_WORKER_H
#define COMMON_TEMPORAL_WORKER_H

#include "common/agent/config.h"
#include "common/agent/worker_options.h"
#include "common/base/fail.h"

/* As worker_run. TARGET is "temporal://HOST:PORT/NAMESPACE"; in FOLDER (made
 * when it is missing; nothing is lost where it cannot be) the workers of this
 * machine note what they have under way. Without queues in OPTIONS that of
 * tasks which name none is worked. */
int
worker_temporal_run(const char *target, const char *folder,
    const struct config *config, const struct worker_options *options,
    int *ret_state, struct fail *fail);

#endif
