/* SPDX-License-Identifier: ISC */
/*
 * The distributed engine, a Temporal cluster, is no part of the programs but a
 * shared object, engine_temporal.so, whose one symbol is engine_temporal.
 * cli/engine_open.c loads it.
 */
#ifndef COMMON_TEMPORAL_ENGINE_H
#define COMMON_TEMPORAL_ENGINE_H

#include "common/agent/engine.h"
#include "common/agent/worker_options.h"

/* What the program and the object must have the same: structs pass between
 * them. */
struct engine_abi {
	char version[16];
	size_t config, operations, submission, options;
};

#define ENGINE_ABI \
	{ \
		AGENT_VERSION, sizeof(struct config), \
		    sizeof(struct engine_operations), \
		    sizeof(struct submission), sizeof(struct worker_options) \
	}

struct engine_module {
	struct engine_abi abi; /* the first member, whatever else changes */
	/* As engine_open and agent-worker's worker_run. TARGET is
	 * "temporal://HOST:PORT/NAMESPACE"; what else they take is in the
	 * environment (temporal/api.h). FOLDER is where the workers of this
	 * machine note what they have under way. */
	int (*open)(const char *target, enum engine_mode mode,
	    const struct config *config, struct engine **ret_engine,
	    struct fail *fail);
	int (*work)(const char *target, const char *folder,
	    const struct config *config, const struct worker_options *options,
	    int *ret_state, struct fail *fail);
};

__attribute__((
    visibility("default"))) extern const struct engine_module engine_temporal;

#endif
