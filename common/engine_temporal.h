/*
 * engine_temporal: the distributed engine, a Temporal cluster. It is no part of
 * the programs but a shared object, engine_temporal.so, of which this is the
 * one symbol; engines.c loads it.
 */
#ifndef COMMON_ENGINE_TEMPORAL_H
#define COMMON_ENGINE_TEMPORAL_H

#include "common/engine.h"

typedef int engine_temporal_opener(const char *target, enum engine_mode mode,
    const struct config *config, struct engine **ret_engine,
    struct fail *fail);

/* TARGET: "temporal://HOST:PORT/NAMESPACE"; what else it takes is in the
 * environment (temporal.h). */
__attribute__((visibility("default"))) engine_temporal_opener
    engine_temporal_open;

#endif
