/* SPDX-License-Identifier: ISC */
/*
 * There are three passes over the facts: which tools the task uses, which
 * toolkits those need and whether each has an active account, and whether the
 * budget can be enforced. Every pass adds its reasons and goes on; only missing
 * or malformed facts end the check at once, because no task may pass on them.
 *
 * The order of reasons follows the task file, then the facts, so equal input
 * gives equal output.
 */
#include "common/agent/preflight_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/agent/pins.h"
#include "common/agent/schema.h"
#include "common/base/mem.h"
#include "common/json/json.h"

#define PINS_MAX (24u << 20) /* the model's API takes 32 MB a request */
#define TOOLS_MAX 128        /* more would confuse the model, and cost */

/* Adds the tool unless it is there already (two patterns may match it). */
static void
choose(struct check *check, const cJSON *fact)
{
	const char *name = json_string(fact, "name");
	size_t i;

	for (i = 0; i < check->count; i++)
		if (strcmp(check->chosen[i].name, name) == 0)
			return;
	check->chosen = mem_grow(check->chosen, check->count + 1,
	    sizeof(*check->chosen));
	check->chosen[check->count++] = (struct chosen_tool){
		.fact = fact,
		.name = name,
		.toolkit = json_string(fact, "toolkit"),
	};
}

static int
choose_named(struct check *check, const char *name)
{
	const char *advice = json_string(check->missing, name);
	const cJSON *fact;

	cJSON_ArrayForEach (fact, check->tools)
		if (strcmp(json_string(fact, "name"), name) == 0)
			break;
	if (fact == NULL && advice == NULL)
		return preflight_bad_facts(check->fail,
		    "nothing about a tool that the task names");
	if (fact == NULL)
		preflight_add_reason(check, "unknown_tool", "tool", name,
		    mem_print("there is no tool %s: %s", name, advice));
	else if (json_true(fact, "deprecated"))
		preflight_add_reason(check, "deprecated_tool", "tool", name,
		    mem_print(
			"the tool %s is deprecated and may go away "
			"while the task runs: name the one that replaces it",
			name));
	else
		choose(check, fact);
	return 0;
}

static void
choose_matching(struct check *check, const char *glob)
{
	const cJSON *fact;
	bool found = false;

	cJSON_ArrayForEach (fact, check->tools) {
		if (json_true(fact, "deprecated") ||
		    !config_glob(glob, json_string(fact, "name")) ||
		    !preflight_in_list(check->task->toolkits,
			json_string(fact, "toolkit")))
			continue;
		choose(check, fact);
		found = true;
	}
	if (!found)
		preflight_add_reason(check, "no_tool_matches", "tool", glob,
		    mem_print("no tool of the task's toolkits matches %s%s",
			glob,
			check->task->toolkits->child == NULL
			    ? ": name the toolkit in toolkits"
			    : ""));
}

/* There are too many tools for the model: of those that only a pattern or a
 * toolkit chose, the ones that the provider calls important stay. */
static void
choose_important(struct check *check)
{
	size_t i, count = 0, all = check->count;
	char *message;

	for (i = 0; i < all; i++)
		if (json_true(check->chosen[i].fact, "important") ||
		    preflight_in_list(check->task->tools,
			check->chosen[i].name))
			check->chosen[count++] = check->chosen[i];
	if (count > 0 && count <= TOOLS_MAX) {
		check->count = count;
		message = mem_print(
		    "the task means %zu tools, and the model is given at "
		    "most %d: only the %zu that are named in tools or "
		    "marked as important are offered; name those that are "
		    "needed in tools for others",
		    all, TOOLS_MAX, count);
		preflight_warning(check->out, "too_many_tools", "tools",
		    message);
		free(message);
		return;
	}
	check->count = 0; /* nothing more is to be said of them */
	preflight_add_reason(check, "too_many_tools", "member", "tools",
	    mem_print("the task would offer %zu tools to the model, and at "
		      "most %d are allowed: name the ones it needs in tools, "
		      "or patterns such as %.60s*",
		all, TOOLS_MAX, check->chosen[0].name));
}

static int
choose_tools(struct check *check)
{
	const cJSON *item;
	const char *name;

	if (check->task->tools->child == NULL) {
		cJSON_ArrayForEach (item, check->tools)
			if (!json_true(item, "deprecated") &&
			    preflight_in_list(check->task->toolkits,
				json_string(item, "toolkit")))
				choose(check, item);
	}
	cJSON_ArrayForEach (item, check->task->tools) {
		name = item->valuestring;
		if (strpbrk(name, "*?[") != NULL)
			choose_matching(check, name);
		else if (choose_named(check, name) < 0)
			return -1;
	}
	if (check->count > TOOLS_MAX)
		choose_important(check);
	return 0;
}

static void
check_model(struct check *check)
{
	const struct task *task = check->task;
	int64_t most;

	if (cJSON_IsFalse(json_item(check->model, "found")))
		preflight_add_reason(check, "model", "member", "model",
		    mem_print("there is no model %s: %s", task->model,
			json_string(check->model, "advice")));
	else if (json_integer(check->model, "max_tokens", &most) &&
	    task->max_tokens > most)
		preflight_add_reason(check, "model", "member", "max_tokens",
		    mem_print("max_tokens is %lld, and %s gives at most %lld",
			(long long)task->max_tokens, task->model,
			(long long)most));
}

static void
check_budget(struct check *check)
{
	const struct task *task = check->task;

	if (task->budget_nano_usd > 0 &&
	    config_price(check->config, task->model) == NULL)
		preflight_add_reason(check, "budget", "member", "budget.usd",
		    mem_print(
			"budget.usd cannot be kept: the price of %s is "
			"not known; add it to prices in the configuration",
			task->model));
	if (task->budget_tokens > 0 &&
	    task->budget_tokens < task_shortest_reply(task))
		preflight_add_reason(check, "budget", "member", "budget.tokens",
		    mem_print(
			"budget.tokens is %lld, and no turn is begun for a "
			"reply of less than %lld",
			(long long)task->budget_tokens,
			(long long)task_shortest_reply(task)));
}

struct fitted {
	char *schema, *aliases; /* as a pin has them */
};

static void
fill_pin(const struct check *check, const struct chosen_tool *chosen,
    const struct fitted *fitted, struct pin_tool *pin)
{
	const cJSON *fact = chosen->fact, *hints = json_item(fact, "hints");

	*pin = (struct pin_tool){
		.provider = json_string(fact, "provider"),
		.slug = chosen->name,
		.toolkit = chosen->toolkit,
		.version = json_string(fact, "version"),
		.description = json_string(fact, "description"),
		.input_schema = fitted->schema,
		.aliases = fitted->aliases,
		.repeatable = !json_true(hints, "destructive") &&
		    (json_true(hints, "read_only") ||
			json_true(hints, "idempotent")),
	};
	if (json_true(fact, "needs_connection"))
		pin->account = json_string(check->out->accounts,
		    chosen->toolkit);
}

/* Makes the schema of one tool fit. A tool that cannot be given to the model is
 * a reason when the task names it, and else is left out. */
static bool
fit_tool(struct check *check, const struct chosen_tool *chosen,
    struct pin_tool *pin, struct fitted *fitted)
{
	cJSON *schema = cJSON_Duplicate(json_item(chosen->fact, "input_schema"),
	    true);
	cJSON *aliases = cJSON_CreateObject();
	struct fail fail;
	bool fits = schema_fit(schema, aliases, &fail) == 0;

	fitted->schema = json_text(schema);
	fitted->aliases = aliases->child != NULL ? json_text(aliases) : NULL;
	cJSON_Delete(schema);
	cJSON_Delete(aliases);
	fill_pin(check, chosen, fitted, pin);
	if (fits && pins_check_tool(pin, &fail) == 0)
		return true;
	if (preflight_in_list(check->task->tools, chosen->name))
		preflight_add_reason(check, "tool_refused", "tool",
		    chosen->name,
		    mem_print("the tool %s cannot be offered to the model: %s",
			chosen->name, fail.message));
	else
		preflight_left_out(check, chosen->name, fail.message);
	return false;
}

static void
make_pins(struct check *check)
{
	struct preflight *out = check->out;
	struct pin_tool *pins = mem_alloc((check->count + 1) * sizeof(*pins));
	struct fitted *fitted = mem_alloc((check->count + 1) * sizeof(*fitted));
	struct fail fail;
	size_t i, count = 0;

	for (i = 0; i < check->count; i++)
		if (fit_tool(check, &check->chosen[i], &pins[count],
			&fitted[i]))
			cJSON_AddItemToArray(out->tools,
			    cJSON_CreateString(pins[count++].slug));
	if (check->count > 0 && count == 0 && out->reasons->child == NULL)
		preflight_add_reason(check, "request_refused", "member",
		    "tools",
		    mem_string("none of the tools can be offered to the "
			       "model"));
	if (pins_make(check->task, check->config, pins, count, &out->pins,
		&fail) < 0)
		preflight_add_reason(check, "request_refused", "member",
		    "model", mem_string(fail.message));
	for (i = 0; i < check->count; i++) {
		free(fitted[i].schema);
		free(fitted[i].aliases);
	}
	free(fitted);
	free(pins);
}

cJSON *
preflight_no_facts(void)
{
	cJSON *facts = cJSON_CreateObject();

	cJSON_AddArrayToObject(facts, "tools");
	cJSON_AddObjectToObject(facts, "missing_tools");
	cJSON_AddObjectToObject(facts, "toolkits");
	return facts;
}

int
preflight_check(const struct task *task, const struct config *config,
    const cJSON *facts, struct preflight *ret, struct fail *fail)
{
	struct preflight out;
	struct check check = preflight_begin(task, facts, &out, fail);
	int result = -1;

	out.pins = BUF_INIT(PINS_MAX);
	check.config = config;
	if (preflight_shape(&check) < 0 || choose_tools(&check) < 0 ||
	    preflight_toolkits(&check) < 0)
		goto out;
	preflight_scopes(&check);
	check_model(&check);
	check_budget(&check);
	make_pins(&check);
	if (out.reasons->child != NULL)
		buf_release(&out.pins);
	*ret = out;
	result = 0;
out:
	if (result < 0)
		preflight_release(&out);
	free(check.chosen);
	return result;
}

void
preflight_deadline(const struct task *task, int64_t now, struct preflight *ret)
{
	struct check check = { .task = task, .out = ret };

	if (task->deadline != 0 && task->deadline <= now)
		preflight_add_reason(&check, "budget", "member", "deadline",
		    mem_string("deadline is in the past: there is no time left "
			       "to run"));
}

void
preflight_summary(const struct preflight *preflight, struct buf *buf)
{
	char *accounts = json_text(preflight->accounts);
	char *tools = json_text(preflight->tools);
	char *warnings = json_text(preflight->warnings);
	char *owners = json_text(preflight->owners);

	buf_print(buf, "{\"ok\":true,\"accounts\":%s,\"tools\":%s", accounts,
	    tools);
	if (preflight->owners->child != NULL)
		buf_print(buf, ",\"owners\":%s", owners);
	if (preflight->warnings->child != NULL)
		buf_print(buf, ",\"warnings\":%s", warnings);
	buf_add_string(buf, "}");
	free(warnings);
	free(owners);
	free(tools);
	free(accounts);
}
