/* SPDX-License-Identifier: ISC */
/*
 * engine_open: opens the engine that a name means.
 *
 * The Temporal engine is a shared object that is loaded when its name is used,
 * so that programs on LMDB do not load its libraries at every start. It has its
 * own copy of what it needs of common/ and one symbol; only the structs of
 * agent/engine.h and what they point to pass between it and the program.
 */
#include <dlfcn.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/store/engine.h"
#include "common/temporal/engine.h"

#define OBJECT "engine_temporal.so"

/* It is beside the program after make, and in lib/ when it is installed. */
static void *
load(void)
{
	static const char *const places[] = { "/" OBJECT,
		"/../lib/agent-utils/" OBJECT };
	char program[4096], *path;
	ssize_t length = readlink("/proc/self/exe", program, sizeof(program));
	void *object = NULL;
	size_t i;

	while (length > 0 && program[length - 1] != '/')
		length--;
	for (i = 0; length > 0 && object == NULL && i < 2; i++) {
		path = mem_print("%.*s%s", (int)length - 1, program, places[i]);
		object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
		free(path);
	}
	return object;
}

/* The object stays loaded: the engine's functions are in it. */
static const struct engine_module *
load_temporal(struct fail *fail)
{
	static const struct engine_abi abi = ENGINE_ABI;
	const struct engine_module *module = NULL;
	void *object = load();

	if (object)
		module = dlsym(object, "engine_temporal");
	if (!module) {
		fail_set(fail, FAIL_NEVER, "unknown_engine",
		    "the Temporal engine cannot be loaded: it is installed "
		    "with the programs, unless they were built without it "
		    "(make TEMPORAL=no): %s",
		    dlerror());
		return NULL;
	}
	if (memcmp(&module->abi, &abi, sizeof(abi)) != 0) {
		fail_set(fail, FAIL_NEVER, "unknown_engine",
		    "the Temporal engine is of another version (%.15s) than "
		    "this program (%s): install both anew and start the "
		    "program again",
		    module->abi.version, AGENT_VERSION);
		return NULL;
	}
	return module;
}

bool
engine_is_temporal(const char *name)
{
	return name && strncmp(name, "temporal://", 11) == 0;
}

int
engine_work_temporal(const char *target, const char *folder,
    const struct config *config, const struct worker_options *options,
    int *ret_state, struct fail *fail)
{
	const struct engine_module *module = load_temporal(fail);

	return module
	    ? module->work(target, folder, config, options, ret_state, fail)
	    : -1;
}

int
engine_open(const char *name, const char *folder, enum engine_mode mode,
    const struct config *config, struct engine **ret_engine, struct fail *fail)
{
	const struct engine_module *module;

	if (!name || strcmp(name, "lmdb") == 0)
		return engine_lmdb_open(folder, mode, config, ret_engine, fail);
	if (engine_is_temporal(name)) {
		module = load_temporal(fail);
		return module
		    ? module->open(name, mode, config, ret_engine, fail)
		    : -1;
	}
	return fail_set(fail, FAIL_NEVER, "unknown_engine",
	    "there is no engine \"%s\": use lmdb or "
	    "temporal://HOST:PORT/NAMESPACE",
	    name);
}
