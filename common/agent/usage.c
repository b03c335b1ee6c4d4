/* SPDX-License-Identifier: ISC */
#include "common/agent/usage.h"

#include "common/agent/budget.h"

static void
add_count(int64_t *total, const struct json_object *object, const char *name)
{
	budget_add(total, agent_integer(object, name));
}

void
agent_count_usage(struct agent *agent, const struct event *event)
{
	int64_t prompt = 0;
	struct json_object usage;

	(void)json_object(json_get(&event->members, "usage"), &usage);
	add_count(&agent->tokens.input, &usage, "input");
	add_count(&agent->tokens.output, &usage, "output");
	add_count(&agent->tokens.cache_read, &usage, "cache_read");
	add_count(&agent->tokens.cache_write, &usage, "cache_write_5m");
	add_count(&agent->tokens.cache_write, &usage, "cache_write_1h");
	add_count(&agent->nano_usd, &event->members, "nano_usd");
	add_count(&agent->tokens.input, &event->members, "lost_tokens");
	add_count(&prompt, &usage, "input");
	add_count(&prompt, &usage, "cache_read");
	add_count(&prompt, &usage, "cache_write_5m");
	add_count(&prompt, &usage, "cache_write_1h");
	budget_end(agent, false);
	budget_measure(agent, prompt);
}

int64_t
agent_usage_context(const struct event *event)
{
	static const char *const names[] = { "input", "output", "cache_read",
		"cache_write_5m", "cache_write_1h" };
	struct json_object usage;
	int64_t context = 0;
	size_t i;

	(void)json_object(json_get(&event->members, "usage"), &usage);
	for (i = 0; i < sizeof(names) / sizeof(*names); i++)
		add_count(&context, &usage, names[i]);
	return context;
}
