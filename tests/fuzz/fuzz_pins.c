/* SPDX-License-Identifier: ISC */
/*
 * Pins, and the schema of a tool: pins that are taken make an event, and a tool
 * that is taken can be pinned.
 */
#include "common/agent/journal.h"
#include "common/agent/pins.h"
#include "common/agent/schema.h"
#include "tests/fuzz/fuzz.h"

static void
pin(const char *raw)
{
	static const char text[] = "{\"user\":\"u\",\"goal\":\"g\"}";
	struct pin_tool tool = { .provider = PINS_PROVIDER,
		.slug = "NOTES_WRITE",
		.toolkit = "notes",
		.version = "1" };
	struct buf members = BUF_INIT(64u << 20), line = BUF_INIT(64u << 20);
	struct config config;
	struct task task;
	struct event event;
	struct fail fail;
	cJSON *pins, *schema, *aliases = cJSON_CreateObject();
	char *fitted = NULL;

	schema = json_parse(raw, strlen(raw), &json_limits_upstream, &fail);
	if (schema && schema_fit(schema, aliases, &fail) == 0)
		fitted = json_text(schema);
	cJSON_Delete(schema);
	cJSON_Delete(aliases);
	if (!fitted)
		return;
	tool.input_schema = fitted;
	assert(pins_check_tool(&tool, &fail) == 0);
	assert(config_parse(NULL, 0, &config, &fail) == 0);
	assert(task_check(fuzz_json(text, strlen(text)), &config, &task,
		   &fail) == 0);
	assert(pins_make(&task, &config, &tool, 1, &members, &fail) == 0);
	event_write(&line, 2, 1764000000000, EVENT_PINNED, members.data,
	    members.length);
	assert(event_parse((struct span){ line.data, line.length }, &event,
		   &fail) == 0);
	pins = json_tree(event.text);
	assert(pins_check(pins, &fail) == 0);
	cJSON_Delete(pins);
	task_release(&task);
	config_release(&config);
	buf_release(&members);
	buf_release(&line);
	free(fitted);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = { (const char *)data, size };
	struct fail fail;
	char *schema = fuzz_line(&rest);
	cJSON *pins;

	pin(schema);
	pins = json_parse(rest.at, rest.length, &json_limits_upstream, &fail);
	if (pins && pins_check(pins, &fail) < 0)
		fuzz_never(&fail, "invalid_pins");
	cJSON_Delete(pins);
	free(schema);
	return 0;
}
