/* SPDX-License-Identifier: ISC */
/* A script of the stand-in: every section of it is read or refused. */
#include "cmd/standin/composio/composio.h"
#include "cmd/standin/script/faults.h"
#include "cmd/standin/script/model.h"
#include "cmd/standin/script/script.h"
#include "cmd/standin/tools/tools.h"
#include "tests/fuzz/fuzz.h"

#define SECTION(name, script, fail) \
	do { \
		struct name *section; \
		if (name##_new(script, &section, fail) == 0) \
			name##_free(section); \
		else \
			assert((fail)->kind == FAIL_NEVER); \
	} while (0)

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fail fail;
	cJSON *script = script_read(fuzz_file(data, size), &fail);

	if (!script)
		return 0;
	SECTION(model, script, &fail);
	SECTION(faults, script, &fail);
	SECTION(catalogue, script, &fail);
	SECTION(accounts, script, &fail);
	SECTION(linear, script, &fail);
	cJSON_Delete(script);
	return 0;
}
