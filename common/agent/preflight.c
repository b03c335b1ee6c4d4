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
#include "common/agent/preflight.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/agent/pins.h"
#include "common/base/mem.h"
#include "common/json/json.h"

#define PINS_MAX (24u << 20) /* the model's API takes 32 MB a request */
#define TOOLS_MAX 128        /* more would confuse the model, and cost */

struct chosen_tool {
	const cJSON *fact;
	const char *name, *toolkit;
};

struct check {
	const struct task *task;
	const struct config *config;
	const cJSON *tools, *missing, *toolkits;
	struct chosen_tool *chosen;
	size_t count;
	struct preflight *out;
	struct fail *fail;
};

static int
bad_facts(struct fail *fail, const char *what)
{
	return fail_set(fail, FAIL_NOT_NOW, "upstream",
	    "unable to check the task: the facts have %s; try again later",
	    what);
}

/* Adds a reason; ABOUT names the member that SUBJECT is put in ("tool",
 * "toolkit", "member"). */
static cJSON *
add_reason(struct check *check, const char *type, const char *about,
    const char *subject, char *message)
{
	cJSON *reason = cJSON_CreateObject();

	cJSON_AddStringToObject(reason, "type", type);
	cJSON_AddStringToObject(reason, "message", message);
	cJSON_AddStringToObject(reason, about, subject);
	cJSON_AddItemToArray(check->out->reasons, reason);
	free(message);
	return reason;
}

static bool
fits_connection(const cJSON *connection)
{
	const char *state = json_string(connection, "state");

	return connection == NULL ||
	    (state != NULL &&
		json_string(connection,
		    strcmp(state, "active") == 0 ? "account" : "message"));
}

static int
check_shape(const struct check *check)
{
	const cJSON *item;

	if (!cJSON_IsArray(check->tools) || !cJSON_IsObject(check->missing) ||
	    !cJSON_IsObject(check->toolkits))
		return bad_facts(check->fail, "not all of what was asked");
	cJSON_ArrayForEach (item, check->tools)
		if (json_string(item, "provider") == NULL ||
		    json_string(item, "name") == NULL ||
		    json_string(item, "toolkit") == NULL ||
		    json_string(item, "version") == NULL ||
		    !cJSON_IsObject(json_item(item, "input_schema")))
			return bad_facts(check->fail,
			    "a tool without provider, name, toolkit, version "
			    "or schema");
	cJSON_ArrayForEach (item, check->toolkits)
		if (json_string(item, "provider") == NULL ||
		    !cJSON_IsBool(json_item(item, "found")) ||
		    !fits_connection(json_item(item, "connection")))
			return bad_facts(check->fail,
			    "a toolkit of which nothing is known");
	return 0;
}

static bool
in_list(const cJSON *list, const char *word)
{
	const cJSON *item;

	cJSON_ArrayForEach (item, list)
		if (cJSON_IsString(item) &&
		    strcmp(item->valuestring, word) == 0)
			return true;
	return false;
}

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
		return bad_facts(check->fail,
		    "nothing about a tool that the task names");
	if (fact == NULL)
		add_reason(check, "unknown_tool", "tool", name,
		    mem_print("there is no tool %s: %s", name, advice));
	else if (json_true(fact, "deprecated"))
		add_reason(check, "deprecated_tool", "tool", name,
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
		    !in_list(check->task->toolkits,
			json_string(fact, "toolkit")))
			continue;
		choose(check, fact);
		found = true;
	}
	if (!found)
		add_reason(check, "no_tool_matches", "tool", glob,
		    mem_print("no tool of the task's toolkits matches %s%s",
			glob,
			check->task->toolkits->child == NULL
			    ? ": name the toolkit in toolkits"
			    : ""));
}

static int
choose_tools(struct check *check)
{
	const cJSON *item;
	const char *name;

	if (check->task->tools->child == NULL) {
		cJSON_ArrayForEach (item, check->tools)
			if (!json_true(item, "deprecated") &&
			    in_list(check->task->toolkits,
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
		add_reason(check, "too_many_tools", "member", "tools",
		    mem_print(
			"the task would offer %zu tools to the model, and at "
			"most %d are allowed: name the ones it needs in tools",
			check->count, TOOLS_MAX));
	return 0;
}

/* The one thing that keeps the task from using TOOLKIT. */
static void
tell_connection(struct check *check, const cJSON *toolkit,
    const cJSON *connection)
{
	struct preflight *out = check->out;
	const char *from = json_string(connection, "link");
	struct preflight_link *link;
	const cJSON *member;
	cJSON *reason;
	char *type;

	type = mem_print("connection_%s", json_string(connection, "state"));
	reason = add_reason(check, type, "toolkit", toolkit->string,
	    mem_string(json_string(connection, "message")));
	free(type);
	cJSON_ArrayForEach (member, connection)
		if (strcmp(member->string, "state") != 0 &&
		    strcmp(member->string, "message") != 0 &&
		    strcmp(member->string, "link") != 0)
			cJSON_AddItemToObject(reason, member->string,
			    cJSON_Duplicate(member, true));
	if (from == NULL)
		return;
	out->links = mem_grow(out->links, out->link_count + 1,
	    sizeof(*out->links));
	link = &out->links[out->link_count++];
	snprintf(link->provider, sizeof(link->provider), "%s",
	    json_string(toolkit, "provider"));
	snprintf(link->toolkit, sizeof(link->toolkit), "%s", toolkit->string);
	snprintf(link->from, sizeof(link->from), "%s", from);
	link->reason = (size_t)cJSON_GetArraySize(out->reasons) - 1;
}

/* Whether the task's tools of this toolkit need its connection; a toolkit that
 * was asked for without any of its tools does. */
static bool
needs_connection(const struct check *check, const char *toolkit)
{
	bool any = false;
	size_t i;

	for (i = 0; i < check->count; i++) {
		if (strcmp(check->chosen[i].toolkit, toolkit) != 0)
			continue;
		if (json_true(check->chosen[i].fact, "needs_connection"))
			return true;
		any = true;
	}
	return !any;
}

static void
check_connection(struct check *check, const cJSON *toolkit)
{
	const cJSON *connection = json_item(toolkit, "connection");

	if (connection == NULL || !needs_connection(check, toolkit->string))
		return;
	if (strcmp(json_string(connection, "state"), "active") != 0)
		tell_connection(check, toolkit, connection);
	else
		cJSON_AddStringToObject(check->out->accounts, toolkit->string,
		    json_string(connection, "account"));
}

static int
check_toolkit(struct check *check, const char *name)
{
	const cJSON *toolkit = json_item(check->toolkits, name);
	const char *advice = json_string(toolkit, "advice");

	if (toolkit == NULL)
		return bad_facts(check->fail, "nothing about a toolkit");
	if (json_true(toolkit, "found"))
		check_connection(check, toolkit);
	else
		add_reason(check, "unknown_toolkit", "toolkit", name,
		    mem_print("there is no toolkit %s%s%s", name,
			advice != NULL ? ": " : "",
			advice != NULL ? advice : ""));
	return 0;
}

/* Those that the task names, then those of its other tools. */
static int
check_toolkits(struct check *check)
{
	const char *toolkit;
	const cJSON *item;
	size_t i, j;

	cJSON_ArrayForEach (item, check->task->toolkits)
		if (check_toolkit(check, item->valuestring) < 0)
			return -1;
	for (i = 0; i < check->count; i++) {
		toolkit = check->chosen[i].toolkit;
		for (j = 0; j < i; j++)
			if (strcmp(check->chosen[j].toolkit, toolkit) == 0)
				break;
		if (j == i && !in_list(check->task->toolkits, toolkit) &&
		    check_toolkit(check, toolkit) < 0)
			return -1;
	}
	return 0;
}

static void
check_budget(struct check *check)
{
	const struct task *task = check->task;

	if (task->budget_nano_usd > 0 &&
	    config_price(check->config, task->model) == NULL)
		add_reason(check, "budget", "member", "budget.usd",
		    mem_print(
			"budget.usd cannot be kept: the price of %s is "
			"not known; add it to prices in the configuration",
			task->model));
	if (task->budget_tokens > 0 && task->budget_tokens < task->max_tokens)
		add_reason(check, "budget", "member", "budget.tokens",
		    mem_print(
			"budget.tokens is %lld, and one reply alone may take "
			"max_tokens, %lld: raise the one or lower the other",
			(long long)task->budget_tokens,
			(long long)task->max_tokens));
}

static void
fill_pin(const struct check *check, const struct chosen_tool *chosen,
    const char *schema, struct pin_tool *pin)
{
	const cJSON *fact = chosen->fact, *hints = json_item(fact, "hints");

	*pin = (struct pin_tool){
		.provider = json_string(fact, "provider"),
		.slug = chosen->name,
		.toolkit = chosen->toolkit,
		.version = json_string(fact, "version"),
		.description = json_string(fact, "description"),
		.input_schema = schema,
		.repeatable = !json_true(hints, "destructive") &&
		    (json_true(hints, "read_only") ||
			json_true(hints, "idempotent")),
	};
	if (json_true(fact, "needs_connection"))
		pin->account = json_string(check->out->accounts,
		    chosen->toolkit);
}

/* Checks each tool alone first, to find every reason; then all together. */
static void
make_pins(struct check *check)
{
	struct preflight *out = check->out;
	struct pin_tool *pins = mem_alloc((check->count + 1) * sizeof(*pins));
	char **schemas = mem_alloc((check->count + 1) * sizeof(*schemas));
	struct fail fail;
	size_t i, refused = 0;

	for (i = 0; i < check->count; i++) {
		schemas[i] = json_text(
		    json_item(check->chosen[i].fact, "input_schema"));
		fill_pin(check, &check->chosen[i], schemas[i], &pins[i]);
		cJSON_AddItemToArray(out->tools,
		    cJSON_CreateString(pins[i].slug));
		if (pins_check_tool(&pins[i], &fail) < 0) {
			add_reason(check, "tool_refused", "tool", pins[i].slug,
			    mem_string(fail.message));
			refused++;
		}
	}
	if (pins_make(check->task, check->config, pins,
		refused == 0 ? check->count : 0, &out->pins, &fail) < 0)
		add_reason(check, "request_refused", "member", "model",
		    mem_string(fail.message));
	for (i = 0; i < check->count; i++)
		free(schemas[i]);
	free(schemas);
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

static struct check
begin(const struct task *task, const cJSON *facts, struct preflight *out,
    struct fail *fail)
{
	*out = (struct preflight){
		.pins = BUF_INIT(PINS_MAX),
		.reasons = cJSON_CreateArray(),
		.accounts = cJSON_CreateObject(),
		.tools = cJSON_CreateArray(),
	};
	return (struct check){
		.task = task,
		.tools = json_item(facts, "tools"),
		.missing = json_item(facts, "missing_tools"),
		.toolkits = json_item(facts, "toolkits"),
		.out = out,
		.fail = fail,
	};
}

int
preflight_connections(const struct task *task, const cJSON *facts,
    struct preflight *ret, struct fail *fail)
{
	struct preflight out;
	struct check check = begin(task, facts, &out, fail);
	const cJSON *item;

	if (check_shape(&check) < 0 || check_toolkits(&check) < 0) {
		preflight_release(&out);
		return -1;
	}
	if (task->toolkits->child == NULL)
		cJSON_ArrayForEach (item, check.toolkits)
			check_connection(&check, item);
	*ret = out;
	return 0;
}

const cJSON *
preflight_reason(const struct preflight *preflight, const char *toolkit)
{
	const cJSON *reason;
	const char *about;

	cJSON_ArrayForEach (reason, preflight->reasons) {
		about = json_string(reason, "toolkit");
		if (about != NULL && strcmp(about, toolkit) == 0)
			return reason;
	}
	return NULL;
}

int
preflight_check(const struct task *task, const struct config *config,
    const cJSON *facts, struct preflight *ret, struct fail *fail)
{
	struct preflight out;
	struct check check = begin(task, facts, &out, fail);
	int result = -1;

	check.config = config;
	if (check_shape(&check) < 0 || choose_tools(&check) < 0 ||
	    check_toolkits(&check) < 0)
		goto out;
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
preflight_summary(const struct preflight *preflight, struct buf *buf)
{
	char *accounts = json_text(preflight->accounts);
	char *tools = json_text(preflight->tools);

	buf_print(buf, "{\"ok\":true,\"accounts\":%s,\"tools\":%s}", accounts,
	    tools);
	free(tools);
	free(accounts);
}

void
preflight_release(struct preflight *preflight)
{
	cJSON_Delete(preflight->reasons);
	cJSON_Delete(preflight->accounts);
	cJSON_Delete(preflight->tools);
	free(preflight->links);
	buf_release(&preflight->pins);
	*preflight = (struct preflight){ .reasons = NULL };
}
