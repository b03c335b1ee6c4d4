/*
 * engines: which engine a name means.
 *
 * The Temporal engine is a shared object that is loaded when it is named, so
 * that nothing else pays for its libraries at every start. It has its own copy
 * of what it needs of common/ and one symbol; only the structs of engine.h and
 * what they point to pass between it and the program.
 */
#include <dlfcn.h>
#include <string.h>
#include <unistd.h>

#include "common/engine.h"
#include "common/engine_lmdb.h"
#include "common/engine_temporal.h"
#include "common/mem.h"

#define OBJECT "engine_temporal.so"

/* Beside the program, where make puts it, or in lib/ where it is installed. */
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
		path = mem_print("%.*s%s", (int)length - 1, program,
		    places[i]);
		object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
		free(path);
	}
	return object;
}

/* The object stays loaded: the engine's functions are in it. */
static int
load_temporal(const char *target, enum engine_mode mode,
    const struct config *config, struct engine **ret_engine,
    struct fail *fail)
{
	union {
		void *symbol;
		engine_temporal_opener *open;
	} found = { NULL };
	void *object = load();

	if (object != NULL)
		found.symbol = dlsym(object, "engine_temporal_open");
	if (found.symbol == NULL)
		return fail_set(fail, FAIL_NEVER, "unknown_engine",
		    "the Temporal engine cannot be loaded (is it installed "
		    "with the programs?): %s", dlerror());
	return found.open(target, mode, config, ret_engine, fail);
}

int
engine_open(const char *name, const char *folder, enum engine_mode mode,
    const struct config *config, struct engine **ret_engine,
    struct fail *fail)
{
	if (!name || strcmp(name, "lmdb") == 0)
		return engine_lmdb_open(folder, mode, config, ret_engine,
		    fail);
	if (strncmp(name, "temporal://", 11) == 0)
		return load_temporal(name, mode, config, ret_engine, fail);
	return fail_set(fail, FAIL_NEVER, "unknown_engine",
	    "there is no engine \"%s\": use lmdb or "
	    "temporal://HOST:PORT/NAMESPACE", name);
}
