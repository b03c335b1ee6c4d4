/* SPDX-License-Identifier: ISC */
/*
 * engine: the engine on a Temporal cluster. It is not linked into the programs
 * but a shared object, engine_temporal.so, which exports one symbol,
 * engine_temporal. cli/engine_open.c loads it.
 */
#ifndef COMMON_TEMPORAL_ENGINE_H
#define COMMON_TEMPORAL_ENGINE_H

#include "common/agent/engine.h"

/* This must be the same in the program and the object, because structs pass
 * between them. */
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
	 * "temporal://HOST:PORT/NAMESPACE"; their other settings are in the
	 * environment (temporal/api.h). In FOLDER the workers of this machine
	 * note their activities under way. */
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
