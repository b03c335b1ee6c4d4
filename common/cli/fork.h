/* SPDX-License-Identifier: ISC */
/*
 * fork: a new task out of the beginning of another one's journal.
 */
#ifndef COMMON_CLI_FORK_H
#define COMMON_CLI_FORK_H

#include "common/agent/agent.h"
#include "common/agent/engine.h"

struct fork {
	struct agent *agent; /* which has folded the journal */
	struct buf journal;  /* a line for each event */
};

/* Sets the members of OVERRIDES in VALUE. */
void
fork_override(cJSON *value, const cJSON *overrides);

/* FROM is "ID@SEQ": copies that task's events up to number SEQ, without the
 * key and the times of the task; OVERRIDES are set in it. A worker that had the
 * task then has not the new one. FAIL_NO: there is no such task, or event. */
int
fork_task(struct engine *engine, const char *from, const cJSON *overrides,
    const struct config *config, struct task *ret_task, struct fork *ret_fork,
    struct fail *fail);

void
fork_release(struct fork *fork);

#endif
