/* SPDX-License-Identifier: ISC */
/*
 * A task that is taken has one form, which is taken as it is and checked into
 * itself: --key compares it.
 */
#include "common/agent/task.h"
#include "common/json/yaml.h"
#include "tests/fuzz/fuzz.h"

/* TASK's form; the task is released. */
static char *
form(struct task *task)
{
	char *text = json_text(task->doc);

	task_release(task);
	return text;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config config;
	struct task task;
	struct fail fail;
	cJSON *value;
	char *text, *again;

	assert(config_parse(NULL, 0, &config, &fail) == 0);
	value = yaml_or_json((const char *)data, size, &json_limits_task,
	    &fail);
	if (!value)
		goto out;
	if (task_check(value, &config, &task, &fail) < 0) {
		fuzz_never(&fail, "invalid_task");
		goto out;
	}
	text = form(&task);
	value = fuzz_json(text, strlen(text));
	assert(task_read(value, &task, &fail) == 0);
	again = form(&task);
	assert(strcmp(text, again) == 0);
	free(again);
	assert(task_check(value, &config, &task, &fail) == 0);
	again = form(&task);
	assert(strcmp(text, again) == 0);
	free(again);
	free(text);
out:
	config_release(&config);
	return 0;
}
