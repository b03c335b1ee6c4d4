/* SPDX-License-Identifier: ISC */
/*
 * worker: leases tasks and drives each one's agent from one event loop.
 */
#ifndef COMMON_STORE_WORKER_H
#define COMMON_STORE_WORKER_H

#include "common/agent/config.h"
#include "common/agent/engine.h"
#include "common/base/fail.h"

/* Runs until it is told to stop (SIGTERM, SIGINT: drains), or as the options
 * say. *ret_state is the state of the last task that ended, or -1. Returns 0
 * when it ended as it should. */
int
worker_run(struct engine *engine, const struct config *config,
    const struct worker_options *options, int *ret_state, struct fail *fail);

#endif
