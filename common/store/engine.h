/* SPDX-License-Identifier: ISC */
/*
 * engine_lmdb: the embedded engine. Its store is one directory, without a
 * server or daemon; any program of the toolkit opens it, and ends within a
 * millisecond.
 */
#ifndef COMMON_STORE_ENGINE_H
#define COMMON_STORE_ENGINE_H

#include "common/agent/engine.h"
#include "common/store/store.h"

int
engine_lmdb_open(const char *folder, enum engine_mode mode,
    const struct config *config, struct engine **ret_engine, struct fail *fail);

/* The store of an engine that engine_lmdb_open made, for the worker. */
struct store *
engine_lmdb_store(struct engine *engine);

#endif
