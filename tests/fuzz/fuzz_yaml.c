/* SPDX-License-Identifier: ISC */
/* What is taken as YAML is the same value when it is written as JSON. */
#include "common/json/yaml.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fail fail;
	cJSON *tree, *parsed;
	char *text;

	tree = yaml_parse((const char *)data, size, &json_limits_task, &fail);
	if (!tree) {
		fuzz_never(&fail, "invalid_yaml");
		return 0;
	}
	text = json_text(tree);
	parsed = fuzz_json(text, strlen(text));
	assert(cJSON_Compare(tree, parsed, true));
	cJSON_Delete(parsed);
	cJSON_Delete(tree);
	free(text);
	return 0;
}
