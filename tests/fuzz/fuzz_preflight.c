/* SPDX-License-Identifier: ISC */
/*
 * The facts that Composio gave: a task is refused with reasons, or passes with
 * pins that it can be held to.
 */
#include "common/agent/pins.h"
#include "common/agent/preflight.h"
#include "tests/fuzz/fuzz.h"

static void
passed(const struct preflight *preflight)
{
	struct buf text = BUF_INIT(64u << 20);
	struct fail fail;
	cJSON *value;

	preflight_summary(preflight, &text);
	cJSON_Delete(fuzz_json(text.data, text.length));
	buf_reset(&text);
	buf_print(&text, "{%s}", preflight->pins.data);
	value = fuzz_json(text.data, text.length);
	assert(pins_check(value, &fail) == 0);
	cJSON_Delete(value);
	buf_release(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char text[] = "{\"user\":\"u\",\"goal\":\"g\","
				   "\"toolkits\":[\"gmail\",\"linear\"],"
				   "\"tools\":[\"GMAIL_*\"]}";
	struct preflight preflight;
	struct config config;
	struct task task;
	struct fail fail;
	cJSON *facts;
	const cJSON *reason;

	facts = json_parse((const char *)data, size, &json_limits_upstream,
	    &fail);
	if (!facts)
		return 0;
	assert(config_parse(NULL, 0, &config, &fail) == 0);
	assert(task_check(fuzz_json(text, strlen(text)), &config, &task,
		   &fail) == 0);
	if (preflight_check(&task, &config, facts, &preflight, &fail) < 0) {
		assert(fail.kind == FAIL_NOT_NOW &&
		    strcmp(fail.type, "upstream") == 0);
	} else {
		cJSON_ArrayForEach (reason, preflight.reasons)
			assert(json_string(reason, "type") &&
			    json_string(reason, "message"));
		if (!preflight.reasons->child)
			passed(&preflight);
		preflight_release(&preflight);
	}
	task_release(&task);
	config_release(&config);
	cJSON_Delete(facts);
	return 0;
}
