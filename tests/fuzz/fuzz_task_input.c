/* SPDX-License-Identifier: ISC */
/*
 * Tasks as they come in: lines or a document. Each is what its text says, and
 * no line of the input gives more than one.
 */
#include "common/agent/pins.h"
#include "common/base/mem.h"
#include "common/cli/task_input.h"
#include "tests/fuzz/fuzz.h"

/* What agent-submit writes into the journal. */
static void
look_at_pins(const cJSON *value, struct span text)
{
	struct fail fail;
	char *members, *object;
	cJSON *pins;

	if (task_input_pins(text, "r", &members, &fail) < 0) {
		fuzz_never(&fail, "not_checked");
		return;
	}
	pins = json_item(json_item(value, "preflight"), "pins");
	if (pins_check(pins, &fail) == 0) {
		object = mem_print("{%s}", members);
		pins = fuzz_json(object, strlen(object));
		assert(fuzz_same(json_string(pins, "request_id"), "r"));
		cJSON_Delete(pins);
		free(object);
	}
	free(members);
}

static void
look_at(cJSON *value, struct span text)
{
	cJSON *parsed = fuzz_json(text.at, text.length);

	assert(cJSON_Compare(value, parsed, true));
	look_at_pins(value, text);
	cJSON_Delete(parsed);
	cJSON_Delete(value);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *path = fuzz_file(data, size);
	enum task_input_result result;
	struct task_input *input;
	struct span text;
	struct fail fail;
	size_t most = 2, i;
	cJSON *value;

	for (i = 0; i < size; i++)
		most += data[i] == '\n';
	assert(task_input_open(path, &input, &fail) == 0);
	do {
		result = task_input_next(input, true, &value, &text, &fail);
		if (result == INTAKE_VALUE)
			look_at(value, text);
		assert(result != INTAKE_FAILED && most-- > 0);
	} while (result != INTAKE_END);
	task_input_close(input);
	return 0;
}
