/* SPDX-License-Identifier: ISC */
/*
 * The file is read by tables: one row for each member, with its offset in the
 * struct and its limits. The built-in prices follow the user's in one list, and
 * the search takes the first that matches, so a user's price overrides ours of
 * the same name.
 */
#include "common/agent/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/json/json.h"
#include "common/json/shape.h"
#include "common/json/yaml.h"

#define SECONDS 1000 /* times are seconds in the file, milliseconds here */
#define DAY 86400
#define PRICE_SCALE 1000 /* USD a million tokens to nano-dollars a token */
#define PRICE_MAX 100000
#define TOOL_RULES_MAX 1024
#define GLOB_MAX 128
#define MOST_USD 1000000
#define NANO 1000000000               /* of a dollar */
#define LARGE_NUMBER 9007199254740992 /* 2^53 */

static const char *const members[] = { "store", "engine", "anthropic",
	"composio", "plain_http", "model", "effort", "max_tokens", "system",
	"timezone", "prices", "tools", "probes", "context_tokens",
	"result_bytes", "result_bytes_max", "attempts", "time_limits", "worker",
	"limits", NULL };
static const char *const url_members[] = { "url", NULL };
static const char *const time_members[] = { "turn", "idle", "call", "settle",
	NULL };
static const char *const worker_members[] = { "concurrency", "grace", "lease",
	NULL };
static const char *const limit_members[] = { "open_per_user",
	"running_per_user", "running_per_queue", "run_events", "run_bytes",
	"store_bytes", "usd_per_user_day", "usd_per_day", NULL };
static const char *const price_members[] = { "input", "output", "cache_read",
	"cache_write_5m", "cache_write_1h", "above", NULL };
#define PRICE_NUMBERS 5 /* the first of them */
static const char *const rule_members[] = { "on_unknown", "repeatable", NULL };
const char *const config_efforts[] = { "low", "medium", "high", "xhigh", "max",
	NULL };
const char *const config_on_unknown[] = { [ON_UNKNOWN_TELL] = "tell",
	[ON_UNKNOWN_RETRY] = "retry",
	[ON_UNKNOWN_ASK] = "ask",
	NULL };

/* In thousandths of a dollar a million tokens: input, output, and what a read
 * from the cache costs. Writing to the cache costs 1.25 times the input (for
 * five minutes), or twice (for an hour). Prompts of more tokens than ABOVE (0:
 * none) cost TIMES as much. */
static const struct {
	const char *model;
	int64_t input, output, cache_read, above, times;
} built_in_prices[] = {
	{ "claude-fable-5-2", 8000, 40000, 800 },
	{ "claude-mythos-5-2", 8000, 40000, 800 },
	{ "claude-fable-5-1", 10000, 50000, 250 },
	{ "claude-mythos-5-1", 10000, 50000, 250 },
	{ "claude-opus-5-5", 4000, 20000, 200 },
	{ "claude-sonnet-5-5", 2000, 10000, 100 },
	{ "claude-haiku-5-5", 100, 500, 10, 100000, 5 },
	{ "claude-fable-5", 10000, 50000, 1000 },
	{ "claude-mythos-5", 10000, 50000, 1000 },
	{ "claude-opus-5", 5000, 25000, 500 },
	{ "claude-sonnet-5", 2000, 10000, 200 },
	{ "claude-opus-4-8", 5000, 25000, 500 },
	{ "claude-opus-4-7", 5000, 25000, 500 },
	{ "claude-opus-4-6", 5000, 25000, 500 },
	{ "claude-sonnet-4-6", 3000, 15000, 300 },
	{ "claude-opus-4-5*", 5000, 25000, 500 },
	{ "claude-sonnet-4-5*", 3000, 15000, 300 },
	{ "claude-haiku-4-5*", 1000, 5000, 100 },
};
#define BUILT_IN_PRICES (sizeof(built_in_prices) / sizeof(built_in_prices[0]))

static bool
no_controls(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

static bool
word(const char *text)
{
	return text[strspn(text,
		   "abcdefghijklmnopqrstuvwxyz"
		   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:@/-")] == '\0';
}

static bool
tool_glob(const char *text)
{
	return text[strspn(text,
		   "abcdefghijklmnopqrstuvwxyz"
		   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_*?[]!^-")] == '\0';
}

static bool
web_address(const char *text)
{
	const char *host;

	if (strncmp(text, "https://", 8) == 0)
		host = text + 8;
	else if (strncmp(text, "http://", 7) == 0)
		host = text + 7;
	else
		return false;
	return no_controls(text) && strpbrk(text, " ?#") == NULL &&
	    host[0] != '\0' && host[0] != '/';
}

static int
set_url(const cJSON *value, const char *path, char **ret_url, struct fail *fail)
{
	const char *text;
	size_t length;

	if (shape_string(value, path, 1, 2048, web_address,
		"an address as in https://host or http://127.0.0.1:8080", &text,
		fail) < 0)
		return -1;
	for (length = strlen(text); text[length - 1] == '/'; length--)
		continue;
	/* Some give the address with the version, which the paths begin with. */
	if (strncasecmp(path, "anthropic", 9) == 0 && length > 3 &&
	    memcmp(text + length - 3, "/v1", 3) == 0)
		length -= 3;
	free(*ret_url);
	*ret_url = mem_copy(text, length);
	return 0;
}

int
config_url(const char *name, const char *text, char **ret_url,
    struct fail *fail)
{
	cJSON *value;
	int result;

	value = cJSON_CreateString(text);
	result = set_url(value, name, ret_url, fail);
	cJSON_Delete(value);
	if (result < 0)
		snprintf(fail->type, sizeof(fail->type), "invalid_config");
	return result;
}

/* A setting (SECTION "": of the top level), or NULL, and its PATH. */
static const cJSON *
find(const cJSON *file, const char *section, const char *name,
    char path[SHAPE_PATH])
{
	snprintf(path, SHAPE_PATH, "%s%s%s", section, *section ? "." : "",
	    name);
	return json_item(*section ? json_item(file, section) : file, name);
}

static int
set_texts(const cJSON *file, struct config *config, struct fail *fail)
{
	const struct {
		const char *name;
		size_t most;
		bool (*fine)(const char *text);
		const char *must;
		char **text;
	} rows[] = {
		{ "store", 4000, no_controls, "the name of a folder",
		    &config->store },
		{ "engine", 512, word, "the name of an engine",
		    &config->engine },
		{ "plain_http", 253, word, "the name of a host",
		    &config->plain_http },
		{ "model", 128, word, "the name of a model", &config->model },
		{ "system", 100000, NULL, "a text", &config->system },
		{ "timezone", 64, word, "the IANA name of a time zone",
		    &config->timezone },
	};
	const cJSON *value;
	const char *text;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		value = json_item(file, rows[i].name);
		if (value == NULL)
			continue;
		if (shape_string(value, rows[i].name, 1, rows[i].most,
			rows[i].fine, rows[i].must, &text, fail) < 0)
			return -1;
		free(*rows[i].text);
		*rows[i].text = mem_string(text);
	}
	value = json_item(file, "effort");
	if (value != NULL) {
		if (shape_choice(value, "effort", config_efforts, &i, fail) < 0)
			return -1;
		config->effort = mem_string(config_efforts[i]);
	}
	return 0;
}

static int
set_urls(const cJSON *file, struct config *config, struct fail *fail)
{
	char path[SHAPE_PATH];
	const cJSON *url;

	url = find(file, "anthropic", "url", path);
	if (url != NULL && set_url(url, path, &config->anthropic_url, fail) < 0)
		return -1;
	url = find(file, "composio", "url", path);
	return url != NULL ? set_url(url, path, &config->composio_url, fail)
			   : 0;
}

static int
set_numbers(const cJSON *file, struct config *config, struct fail *fail)
{
	const struct {
		const char *section, *name;
		int64_t least, most;
		int64_t scale; /* 1: whole numbers */
		int64_t *number;
	} rows[] = {
		{ "", "max_tokens", 1, 1000000, 1, &config->max_tokens },
		{ "", "context_tokens", 0, 100000000, 1,
		    &config->context_tokens },
		{ "", "result_bytes", 0, 10000000, 1, &config->result_bytes },
		{ "", "result_bytes_max", 1000, 32 << 20, 1,
		    &config->result_bytes_max },
		{ "", "attempts", 1, 100, 1, &config->attempts },
		{ "time_limits", "turn", 0, DAY, SECONDS, &config->turn_ms },
		{ "time_limits", "idle", 1, DAY, SECONDS, &config->idle_ms },
		{ "time_limits", "call", 1, DAY, SECONDS, &config->call_ms },
		{ "time_limits", "settle", 0, DAY, SECONDS,
		    &config->settle_ms },
		{ "worker", "concurrency", 1, 100000, 1, &config->concurrency },
		{ "worker", "grace", 0, DAY, SECONDS, &config->grace_ms },
		{ "worker", "lease", 1, DAY, SECONDS, &config->lease_ms },
		{ "limits", "open_per_user", 0, 1000000, 1,
		    &config->open_per_user },
		{ "limits", "running_per_user", 0, 1000000, 1,
		    &config->running_per_user },
		{ "limits", "running_per_queue", 0, 1000000, 1,
		    &config->running_per_queue },
		{ "limits", "run_events", 0, 40000, 1, &config->run_events },
		{ "limits", "run_bytes", 0, 32 << 20, 1, &config->run_bytes },
		{ "limits", "store_bytes", 0, LARGE_NUMBER, 1,
		    &config->store_bytes },
		{ "limits", "usd_per_user_day", 0, MOST_USD, NANO,
		    &config->user_day_nano_usd },
		{ "limits", "usd_per_day", 0, MOST_USD, NANO,
		    &config->day_nano_usd },
	};
	const cJSON *value;
	char path[SHAPE_PATH];
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		value = find(file, rows[i].section, rows[i].name, path);
		if (value == NULL)
			continue;
		if ((rows[i].scale == 1
			    ? shape_integer(value, path, rows[i].least,
				  rows[i].most, rows[i].number, fail)
			    : shape_decimal(value, path, (double)rows[i].least,
				  (double)rows[i].most, rows[i].scale,
				  rows[i].number, fail)) < 0)
			return -1;
	}
	return 0;
}

static int
check_sections(const cJSON *file, struct fail *fail)
{
	static const struct {
		const char *name;
		const char *const *known;
	} sections[] = {
		{ "anthropic", url_members },
		{ "composio", url_members },
		{ "time_limits", time_members },
		{ "worker", worker_members },
		{ "limits", limit_members },
	};
	const cJSON *section;
	size_t i;

	for (i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		section = json_item(file, sections[i].name);
		if (section != NULL &&
		    shape_object(section, sections[i].name, sections[i].known,
			fail) < 0)
			return -1;
	}
	return 0;
}

/* What follows from the price of input when nothing else is said. */
static void
derive(struct price *price, int64_t cache_read)
{
	price->cache_read = cache_read;
	price->cache_write_5m = price->input * 5 / 4;
	price->cache_write_1h = price->input * 2;
}

/* Adds a step to PRICE, which are in their order. */
static struct price *
add_step(struct price *price, int64_t above)
{
	struct price *step = mem_alloc(sizeof(*step));

	while (price->next && price->next->above < above)
		price = price->next;
	step->above = above;
	step->next = price->next;
	price->next = step;
	return step;
}

static int
set_numbers_of(const cJSON *value, const char *path, struct price *price,
    struct fail *fail)
{
	int64_t *const numbers[] = { &price->input, &price->output,
		&price->cache_read, &price->cache_write_5m,
		&price->cache_write_1h };
	const cJSON *member;
	char name[SHAPE_PATH];
	size_t i;

	if (shape_object(value, path, price_members, fail) < 0)
		return -1;
	for (i = 0; i < PRICE_NUMBERS; i++) {
		snprintf(name, sizeof(name), "%.160s.%s", path,
		    price_members[i]);
		member = json_item(value, price_members[i]);
		if ((member != NULL || i < 2) &&
		    shape_decimal(member, name, 0, PRICE_MAX, PRICE_SCALE,
			numbers[i], fail) < 0)
			return -1;
		if (i == 0)
			derive(price, price->input / 10);
	}
	return 0;
}

static int
set_price(const cJSON *value, struct price *price, struct fail *fail)
{
	const cJSON *steps = json_item(value, "above"), *step;
	char path[SHAPE_PATH];
	int64_t above;

	snprintf(path, sizeof(path), "prices.%.130s", price->model);
	if (set_numbers_of(value, path, price, fail) < 0)
		return -1;
	snprintf(path, sizeof(path), "prices.%.130s.above", price->model);
	if (steps && shape_object(steps, path, NULL, fail) < 0)
		return -1;
	cJSON_ArrayForEach (step, steps) {
		if (!json_whole((struct span){ step->string,
				    strlen(step->string) },
			&above) ||
		    above < 1 || json_item(step, "above"))
			return shape_refuse(fail, steps, path,
			    "prices by a number of tokens, without steps of "
			    "their own");
		snprintf(path, sizeof(path), "prices.%.130s.above.%.20s",
		    price->model, step->string);
		if (set_numbers_of(step, path, add_step(price, above), fail) <
		    0)
			return -1;
	}
	return 0;
}

static void
set_built_in(struct price *price, size_t i)
{
	int64_t above = built_in_prices[i].above;
	int64_t times = built_in_prices[i].times;
	struct price *step;

	price->model = mem_string(built_in_prices[i].model);
	price->input = built_in_prices[i].input;
	price->output = built_in_prices[i].output;
	derive(price, built_in_prices[i].cache_read);
	if (!above)
		return;
	step = add_step(price, above);
	step->input = price->input * times;
	step->output = price->output * times;
	derive(step, price->cache_read * times);
}

static int
set_prices(const cJSON *file, struct config *config, struct fail *fail)
{
	const cJSON *prices = json_item(file, "prices"), *entry;
	struct price *price;
	size_t count = 0, i;

	if (prices != NULL) {
		if (shape_object(prices, "prices", NULL, fail) < 0)
			return -1;
		count = (size_t)cJSON_GetArraySize(prices);
	}
	config->prices = mem_alloc(
	    (count + BUILT_IN_PRICES) * sizeof(*config->prices));
	cJSON_ArrayForEach (entry, prices) {
		price = &config->prices[config->price_count++];
		price->model = mem_string(entry->string);
		if (set_price(entry, price, fail) < 0)
			return -1;
	}
	for (i = 0; i < BUILT_IN_PRICES; i++)
		set_built_in(&config->prices[config->price_count++], i);
	return 0;
}

static int
set_probes(const cJSON *file, struct config *config, struct fail *fail)
{
	const cJSON *probes = json_item(file, "probes"), *entry;
	const char *tool;
	char path[SHAPE_PATH];

	if (probes != NULL && shape_object(probes, "probes", NULL, fail) < 0)
		return -1;
	config->probes = mem_alloc(
	    ((size_t)cJSON_GetArraySize(probes) + 1) * sizeof(*config->probes));
	cJSON_ArrayForEach (entry, probes) {
		snprintf(path, sizeof(path), "probes.%.80s", entry->string);
		if (shape_string(entry, path, 1, GLOB_MAX, tool_glob,
			"the name of a tool", &tool, fail) < 0)
			return -1;
		config->probes[config->probe_count++] = (struct probe){
			mem_string(entry->string), mem_string(tool)
		};
	}
	return 0;
}

static int
set_tool(const cJSON *entry, struct tool_rule *rule, struct fail *fail)
{
	const cJSON *value;
	char path[SHAPE_PATH];
	size_t index;

	if (entry->string[0] == '\0' || strlen(entry->string) > GLOB_MAX ||
	    !tool_glob(entry->string))
		return fail_set(fail, FAIL_NEVER, "invalid_value",
		    "tools has a member \"%.80s\": it must be the name of a "
		    "tool, or a pattern with * ? [...], of at most %d bytes",
		    entry->string, GLOB_MAX);
	rule->glob = mem_string(entry->string);
	snprintf(path, sizeof(path), "tools.%s", entry->string);
	if (shape_object(entry, path, rule_members, fail) < 0)
		return -1;
	value = json_item(entry, "on_unknown");
	if (value != NULL) {
		snprintf(path, sizeof(path), "tools.%s.on_unknown",
		    entry->string);
		if (shape_choice(value, path, config_on_unknown, &index, fail) <
		    0)
			return -1;
		rule->has_on_unknown = true;
		rule->on_unknown = (enum on_unknown)index;
	}
	value = json_item(entry, "repeatable");
	if (value != NULL) {
		snprintf(path, sizeof(path), "tools.%s.repeatable",
		    entry->string);
		if (shape_boolean(value, path, &rule->repeatable, fail) < 0)
			return -1;
		rule->has_repeatable = true;
	}
	return 0;
}

static int
set_tools(const cJSON *file, struct config *config, struct fail *fail)
{
	const cJSON *tools = json_item(file, "tools"), *entry;
	size_t count;

	if (tools == NULL)
		return 0;
	if (shape_object(tools, "tools", NULL, fail) < 0)
		return -1;
	count = (size_t)cJSON_GetArraySize(tools);
	if (count > TOOL_RULES_MAX)
		return fail_set(fail, FAIL_NEVER, "invalid_value",
		    "tools has %zu members, and may have at most %d", count,
		    TOOL_RULES_MAX);
	config->tools = mem_alloc((count + 1) * sizeof(*config->tools));
	cJSON_ArrayForEach (entry, tools)
		if (set_tool(entry, &config->tools[config->tool_count++],
			fail) < 0)
			return -1;
	return 0;
}

static void
set_defaults(struct config *config)
{
	*config = (struct config){
		.anthropic_url = mem_string("https://api.anthropic.com"),
		.composio_url = mem_string("https://backend.composio.dev"),
		.model = mem_string("claude-opus-5-5"),
		.max_tokens = 32000,
		.result_bytes = 100000,
		.result_bytes_max = 4000000,
		.idle_ms = 120 * SECONDS,
		.call_ms = 180 * SECONDS,
		.settle_ms = -1,
		.attempts = 20,
		.concurrency = 64,
		.grace_ms = 30 * SECONDS,
		.lease_ms = 60 * SECONDS,
	};
}

int
config_parse(const char *text, size_t length, struct config *config,
    struct fail *fail)
{
	struct config made;
	cJSON *file = NULL;
	int result = -1;

	set_defaults(&made);
	if (text != NULL) {
		file = yaml_or_json(text, length, &json_limits_task, fail);
		if (file == NULL)
			goto out;
		/* a file with only comments has no settings */
		if (!cJSON_IsNull(file) &&
		    shape_object(file, "", members, fail) < 0)
			goto out;
	}
	if (check_sections(file, fail) < 0 ||
	    set_texts(file, &made, fail) < 0 ||
	    set_urls(file, &made, fail) < 0 ||
	    set_prices(file, &made, fail) < 0 ||
	    set_tools(file, &made, fail) < 0 ||
	    set_probes(file, &made, fail) < 0 ||
	    set_numbers(file, &made, fail) < 0)
		goto out;
	if (made.settle_ms < 0)
		made.settle_ms = made.call_ms;
	*config = made;
	result = 0;
out:
	if (result < 0) {
		snprintf(fail->type, sizeof(fail->type), "invalid_config");
		config_release(&made);
	}
	cJSON_Delete(file);
	return result;
}
