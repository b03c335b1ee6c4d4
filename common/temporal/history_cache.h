/* SPDX-License-Identifier: ISC */
/*
 * history_cache: histories of runs that this worker has folded, so that the next
 * workflow task and the activities of a run need not fold them again.
 */
#ifndef COMMON_TEMPORAL_HISTORY_CACHE_H
#define COMMON_TEMPORAL_HISTORY_CACHE_H

#include "common/temporal/history.h"

struct history_cache;

struct history_cache *
history_cache_new(void);

void
history_cache_free(struct history_cache *cache); /* NULL is fine */

/* Borrowed until the next call, or NULL. */
struct temporal_history *
history_cache_get(struct history_cache *cache, const char *run);

/* The same, handed over. */
struct temporal_history *
history_cache_take(struct history_cache *cache, const char *run);

/* Takes HISTORY over, and replaces the one that is cached for RUN; NULL removes
 * that one. */
void
history_cache_put(struct history_cache *cache, const char *run,
    struct temporal_history *history);

#endif
