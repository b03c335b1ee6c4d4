/* SPDX-License-Identifier: ISC */
/*
 * liveness: what this worker has under way, noted for the other workers of the
 * machine, and what they had when they died, reported to the server.
 */
#ifndef COMMON_TEMPORAL_LIVENESS_H
#define COMMON_TEMPORAL_LIVENESS_H

#include "common/temporal/worker_internal.h"

/* FOLDER is made when it is missing. */
int
liveness_open(struct worker_temporal *worker, const char *folder,
    struct liveness **ret_liveness, struct fail *fail);

void
liveness_close(struct liveness *liveness); /* NULL is fine, here and below */

/* The activity is under way; it is not any more. */
void
liveness_add(struct liveness *liveness, const char *workflow, const char *run,
    const char *activity);

void
liveness_drop(struct liveness *liveness, const char *workflow, const char *run,
    const char *activity);

/* Called each second while something is under way: records that this worker
 * lives. */
void
liveness_touch(struct liveness *liveness);

#endif
