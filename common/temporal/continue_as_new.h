/* SPDX-License-Identifier: ISC */
/*
 * continue_as_new: takes a task's journal into a new run, before the server ends
 * the old one for its length.
 */
#ifndef COMMON_TEMPORAL_CONTINUE_AS_NEW_H
#define COMMON_TEMPORAL_CONTINUE_AS_NEW_H

#include "common/temporal/commands.h"

/* Whether the task should go on in a new run. */
bool
carry_due(const struct worker_temporal *worker,
    const struct temporal_facts *facts);

/* Whether the server is about to end the run while it cannot go on in a new run
 * yet. */
bool
carry_too_late(const struct temporal_facts *facts);

/* Reads the journal of the run before RUN, and adds markers with its events,
 * from the first that is missing in HISTORY, to COMMANDS, as many as fit in one
 * request; then calls THEN (never from within this call), with FAIL NULL unless
 * it failed. */
struct carry;

struct carry *
carry_begin(struct worker_temporal *worker, const char *workflow,
    const char *run, const struct temporal_history *history,
    struct commands *commands,
    void (*then)(void *context, const struct fail *fail), void *context);

void
carry_end(struct carry *carry); /* NULL is fine; then is not called any more */

#endif
