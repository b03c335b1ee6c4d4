/* SPDX-License-Identifier: ISC */
/* key_waits: which tasks this worker has seen begin to wait for a key. */
#ifndef COMMON_TEMPORAL_KEY_WAITS_H
#define COMMON_TEMPORAL_KEY_WAITS_H

#include "common/temporal/worker_internal.h"

/* Notes that the task ID waits for a key or for credit now, or does not. */
void
key_waits_note(struct worker_temporal *worker, const char *id, bool waits_now);

/* ACCEPTED: tells those that were noted to go on; else no more of them. */
void
key_waits_wake(struct worker_temporal *worker, bool accepted);

void
key_waits_free(struct key_waits *waits); /* NULL is fine */

#endif
