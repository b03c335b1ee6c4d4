/* SPDX-License-Identifier: ISC */
/*
 * What is repaired is one line of UTF-8 without an escaped zero byte, and is
 * not repaired again; good JSON stays as it is.
 */
#include "common/base/mem.h"
#include "common/json/json.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	char *once = mem_copy(text, size), *twice;
	struct fail fail;
	cJSON *tree;

	json_repair(once, size);
	assert(json_utf8(once, size) && !memchr(once, '\n', size));
	twice = mem_copy(once, size);
	json_repair(twice, size);
	assert(memcmp(once, twice, size) == 0);
	tree = json_parse(text, size, &json_limits_upstream, &fail);
	if (tree && !memchr(text, '\n', size) && !memchr(text, '\r', size))
		assert(memcmp(once, text, size) == 0);
	if (tree)
		cJSON_Delete(fuzz_json(once, size));
	cJSON_Delete(tree);
	free(once);
	free(twice);
	return 0;
}
