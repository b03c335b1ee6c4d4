/*
 * engines: which engine a name means.
 */
#include <string.h>

#include "common/engine.h"
#include "common/engine_lmdb.h"

int
engine_open(const char *name, const char *folder, enum engine_mode mode,
    const struct config *config, struct engine **ret_engine,
    struct fail *fail)
{
	if (!name || strcmp(name, "lmdb") == 0)
		return engine_lmdb_open(folder, mode, config, ret_engine,
		    fail);
	return fail_set(fail, FAIL_NEVER, "unknown_engine",
	    "there is no engine \"%s\": use lmdb", name);
}
