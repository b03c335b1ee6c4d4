/*
 * worker: leases tasks and drives each one's agent from one event loop.
 */
#ifndef COMMON_WORKER_H
#define COMMON_WORKER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/config.h"
#include "common/engine.h"
#include "common/fail.h"

struct worker_options {
	const char *const *queues;  /* count 0: all */
	size_t queue_count;
	bool once;                  /* one task, then end */
	bool exit_when_idle;        /* end when nothing is ready and nothing runs */
};

/* Works until told to stop (SIGTERM, SIGINT: drains), or as the options say.
 * *ret_state is the state of the last task that ended, or -1. 0 when it ended
 * in order. */
int
worker_run(struct engine *engine, const struct config *config,
    const struct worker_options *options, int *ret_state,
    struct fail *fail);

#endif
