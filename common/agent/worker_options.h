/* SPDX-License-Identifier: ISC */
/*
 * worker_options: the options of agent-worker, the same for every engine.
 */
#ifndef COMMON_AGENT_WORKER_OPTIONS_H
#define COMMON_AGENT_WORKER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

struct worker_options {
	const char *const *queues; /* count 0: all */
	size_t queue_count;
	bool verbose;        /* log each event of a task */
	bool once;           /* one task, then end */
	bool exit_when_idle; /* end when nothing is ready and nothing runs */
};

#endif
