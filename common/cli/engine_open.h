/* SPDX-License-Identifier: ISC */
/*
 * engine_open: calls for programs that open engines, besides engine_open itself,
 * which agent/engine.h declares.
 */
#ifndef COMMON_CLI_ENGINE_OPEN_H
#define COMMON_CLI_ENGINE_OPEN_H

#include "common/agent/engine.h"

/* Whether NAME (may be NULL) begins as the targets of Temporal do. */
bool
engine_is_temporal(const char *name);

/* Runs Temporal's worker, as worker_run of store/worker.h does the store's.
 * FAIL_NEVER, type "unknown_engine", where the programs were built or
 * installed without Temporal. */
int
engine_work_temporal(const char *target, const char *folder,
    const struct config *config, const struct worker_options *options,
    int *ret_state, struct fail *fail);

#endif
