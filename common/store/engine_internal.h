/* SPDX-License-Identifier: ISC */
/*
 * engine_internal: the parts of the LMDB engine among themselves.
 */
#ifndef COMMON_STORE_ENGINE_INTERNAL_H
#define COMMON_STORE_ENGINE_INTERNAL_H

#include "common/agent/engine.h"
#include "common/store/store.h"

struct engine_lmdb {
	struct engine engine;
	struct store *store;
	int64_t open_per_user; /* config.h */
	int notify;            /* inotify, -1: not opened yet */
};

static inline struct engine_lmdb *
engine_lmdb(struct engine *engine)
{
	return (struct engine_lmdb *)(void *)engine;
}

/* ---- engine_read.c, as engine.h ---- */

int
engine_lmdb_get(struct engine *engine, const char *text, struct buf *buf,
    struct fail *fail);

int
engine_lmdb_events(struct engine *engine, const char *text, uint64_t after,
    int (*event)(void *context, struct span text), void *context,
    struct fail *fail);

int
engine_lmdb_list(struct engine *engine, const struct engine_filter *filter,
    int (*task)(void *context, struct span text), void *context,
    struct fail *fail);

int
engine_lmdb_depth(struct engine *engine, const char *queue, struct buf *buf,
    struct fail *fail);

/* FAIL_NEVER, type "invalid_id". */
int
engine_lmdb_id(const char *text, struct id *ret_id, struct fail *fail);

int
engine_lmdb_wait(struct engine *engine, int64_t milliseconds,
    struct fail *fail);

int
engine_lmdb_probe(struct engine *engine, struct engine_probe *probes,
    size_t count, struct fail *fail);

int
engine_lmdb_watch(struct engine *engine, int *ret_fd, struct fail *fail);

#endif
