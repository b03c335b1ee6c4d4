/* SPDX-License-Identifier: ISC */
/*
 * claude_check: checks the members of a request, except its messages
 * (messages.c). The texts of the errors are similar to those of the API;
 * clients should check status and type.
 */
#include <stdarg.h>

#include "cmd/standin/claude/claude.h"
#include "common/json/json.h"

#define MARKERS_MOST 4

int
claude_refuse(struct claude_error *error, const char *format, ...)
{
	va_list arguments;

	error->status = 400;
	error->type = "invalid_request_error";
	error->code = NULL;
	va_start(arguments, format);
	vsnprintf(error->message, sizeof(error->message), format, arguments);
	va_end(arguments);
	return -1;
}

bool
claude_one_of(const char *word, const char *const *words)
{
	for (; *words != NULL; words++)
		if (word != NULL && strcmp(word, *words) == 0)
			return true;
	return false;
}

/* Whether the header has one of the betas that bring the member NAME. */
static int
check_beta_member(const char *name, const struct claude_rules *rules,
    struct claude_error *error)
{
	static const struct {
		const char *member, *beta;
	} brought[] = {
		{ "compaction", "compact-2026-09-04" },
		{ "context_management", "compact-2026-01-12" },
		{ "context_management", "context-management-2025-06-27" },
		{ "billing_policy", "user-profiles-billing-" },
		{ "fallback_credit_token", "fallback-credit-" },
		{ "fallbacks", "server-side-fallback-" },
		{ "mcp_servers", "mcp-client-" },
		{ "task_budget", "task-budgets-2026-03-13" },
	};
	bool known = false;
	size_t i;

	for (i = 0; i < sizeof(brought) / sizeof(brought[0]); i++) {
		if (strcmp(name, brought[i].member) != 0)
			continue;
		if (rules->beta && strstr(rules->beta, brought[i].beta))
			return 0;
		known = true;
	}
	return known
	    ? claude_refuse(error, "%s: Extra inputs are not permitted", name)
	    : 0;
}

static int
check_account(const cJSON *request, struct claude_error *error)
{
	static const char *const tiers[] = { "auto", "standard_only", NULL };
	const cJSON *metadata = json_item(request, "metadata"), *entry;

	if (json_item(request, "service_tier") != NULL &&
	    !claude_one_of(json_string(request, "service_tier"), tiers))
		return claude_refuse(error,
		    "service_tier: Input should be 'auto' or 'standard_only'");
	if (metadata == NULL)
		return 0;
	if (!cJSON_IsObject(metadata))
		return claude_refuse(error,
		    "metadata: Input should be a valid dictionary");
	cJSON_ArrayForEach (entry, metadata)
		if (strcmp(entry->string, "user_id") != 0)
			return claude_refuse(error,
			    "metadata.%s: Extra inputs are not permitted",
			    entry->string);
	entry = json_item(metadata, "user_id");
	if (entry != NULL && !cJSON_IsNull(entry) && !cJSON_IsString(entry))
		return claude_refuse(error,
		    "metadata.user_id: Input should be a valid string");
	return 0;
}

static int
check_names(const cJSON *request, const struct claude_rules *rules,
    struct claude_error *error)
{
	static const char *const known[] = { "billing_policy", "cache_control",
		"container", "context_management", "compaction", "diagnostics",
		"fallback_credit_token", "fallbacks", "inference_geo",
		"max_tokens", "mcp_servers", "messages", "metadata", "model",
		"output_config", "service_tier", "speed", "stop_sequences",
		"stream", "system", "temperature", "thinking", "thread",
		"tool_choice", "tools", "top_k", "top_p", NULL };
	static const char *const sampling[] = { "temperature", "top_k", "top_p",
		NULL };
	const cJSON *entry;

	cJSON_ArrayForEach (entry, request) {
		if (!claude_one_of(entry->string, known))
			return claude_refuse(error,
			    "%s: Extra inputs are not permitted",
			    entry->string);
		if (check_beta_member(entry->string, rules, error) < 0)
			return -1;
		if (rules->strict && claude_one_of(entry->string, sampling))
			return claude_refuse(error,
			    "%s: sampling parameters "
			    "are not supported on this API version",
			    entry->string);
	}
	if (json_item(request, "thread") != NULL) {
		claude_refuse(error,
		    "thread: message threads are not "
		    "supported for this request; send the full history");
		error->code = "thread_unsupported_request";
		return -1;
	}
	return 0;
}

static int
check_limits(const cJSON *request, const struct claude_rules *rules,
    const struct claude_model *model, struct claude_error *error)
{
	const cJSON *value = json_item(request, "max_tokens");
	int64_t most;

	if (rules->counting)
		return value == NULL
		    ? 0
		    : claude_refuse(error,
			  "max_tokens: Extra inputs are not permitted");
	if (value == NULL)
		return claude_refuse(error, "max_tokens: Field required");
	if (!json_integer(request, "max_tokens", &most))
		return claude_refuse(error,
		    "max_tokens: Input should be a valid integer");
	if (most < 0 || (most == 0 && json_true(request, "stream")))
		return claude_refuse(error,
		    "max_tokens: Input should be greater than or equal to 1");
	if (most > model->output)
		return claude_refuse(error,
		    "max_tokens: %lld > %lld, which is "
		    "the maximum allowed number of output tokens for %s",
		    (long long)most, (long long)model->output, model->id);
	value = json_item(request, "stream");
	if (value != NULL && !cJSON_IsBool(value))
		return claude_refuse(error,
		    "stream: Input should be a valid boolean");
	return 0;
}

static int
check_thinking(const cJSON *request, const struct claude_model *model,
    struct claude_error *error)
{
	static const char *const types[] = { "adaptive", "between_tools",
		"disabled", "enabled", NULL };
	static const char *const displays[] = { "omitted", "summarized",
		"updates", NULL };
	const cJSON *thinking = json_item(request, "thinking");
	const char *type, *display;
	int64_t budget, most;

	if (thinking == NULL)
		return 0;
	type = json_string(thinking, "type");
	if (!claude_one_of(type, types))
		return claude_refuse(error,
		    "thinking.type: Input should be "
		    "'adaptive', 'enabled', 'disabled' or 'between_tools'");
	if ((strcmp(type, "enabled") == 0 && !model->enabled) ||
	    (strcmp(type, "adaptive") == 0 && !model->adaptive) ||
	    (strcmp(type, "disabled") == 0 && !model->disabled) ||
	    (strcmp(type, "between_tools") == 0 && !model->between_tools))
		return claude_refuse(error,
		    "\"thinking.type.%s\" is not supported for this model.%s",
		    type,
		    model->adaptive
			? " Use \"thinking.type.adaptive\" and "
			  "\"output_config.effort\" to control thinking behavior."
			: "");
	display = json_string(thinking, "display");
	if (json_item(thinking, "display") != NULL &&
	    !claude_one_of(display, displays))
		return claude_refuse(error,
		    "thinking.display: Input should "
		    "be 'summarized' or 'omitted'");
	if (strcmp(type, "enabled") != 0)
		return json_item(thinking, "budget_tokens") == NULL
		    ? 0
		    : claude_refuse(error,
			  "thinking.%s.budget_tokens: Extra "
			  "inputs are not permitted",
			  type);
	if (!json_integer(thinking, "budget_tokens", &budget))
		return claude_refuse(error,
		    "thinking.enabled.budget_tokens: Field required");
	if (budget < 1024)
		return claude_refuse(error,
		    "thinking.enabled.budget_tokens: "
		    "Input should be greater than or equal to 1024");
	if (json_integer(request, "max_tokens", &most) && budget >= most)
		return claude_refuse(error,
		    "`max_tokens` must be greater than "
		    "`thinking.budget_tokens`");
	return 0;
}

static int
check_output(const cJSON *request, const struct claude_rules *rules,
    const struct claude_model *model, struct claude_error *error)
{
	static const char *const levels[] = { "high", "low", "max", "medium",
		"xhigh", NULL };
	static const char *const known[] = { "effort", "format", "task_budget",
		NULL };
	const cJSON *output = json_item(request, "output_config"), *entry;
	const char *thinking;

	if (output == NULL)
		return 0;
	if (!cJSON_IsObject(output))
		return claude_refuse(error,
		    "output_config: Input should be a valid dictionary");
	cJSON_ArrayForEach (entry, output)
		if (!claude_one_of(entry->string, known))
			return claude_refuse(error,
			    "output_config.%s: Extra inputs are not permitted",
			    entry->string);
		else if (check_beta_member(entry->string, rules, error) < 0)
			return -1;
	entry = json_item(output, "effort");
	if (entry == NULL)
		return 0;
	if (!claude_one_of(json_string(output, "effort"), levels))
		return claude_refuse(error,
		    "output_config.effort: Input "
		    "should be 'low', 'medium', 'high', 'xhigh' or 'max'");
	if (!model->effort)
		return claude_refuse(error,
		    "This model does not support the effort parameter.");
	thinking = json_string(json_item(request, "thinking"), "type");
	if (thinking != NULL && model->binds &&
	    (strcmp(thinking, "disabled") == 0 ||
		strcmp(thinking, "between_tools") == 0) &&
	    (strcmp(entry->valuestring, "max") == 0 ||
		strcmp(entry->valuestring, "xhigh") == 0))
		return claude_refuse(error,
		    "output_config.effort: with "
		    "thinking off, effort must be 'high' or lower");
	return 0;
}

static int
check_tool_choice(const cJSON *request, const struct claude_model *model,
    struct claude_error *error)
{
	static const char *const types[] = { "any", "auto", "none", "tool",
		NULL };
	const cJSON *choice = json_item(request, "tool_choice"), *tool;
	const char *type, *name;

	if (choice == NULL)
		return 0;
	type = json_string(choice, "type");
	if (!claude_one_of(type, types))
		return claude_refuse(error,
		    "tool_choice.type: Input should "
		    "be 'auto', 'any', 'tool' or 'none'");
	if (cJSON_GetArraySize(json_item(request, "tools")) == 0)
		return claude_refuse(error,
		    "tool_choice: tool_choice may only "
		    "be specified while providing tools");
	if (strcmp(type, "any") != 0 && strcmp(type, "tool") != 0)
		return 0;
	if (!model->forced)
		return claude_refuse(error,
		    "tool_choice: type '%s' is not "
		    "supported for this model; use 'auto'",
		    type);
	name = json_string(choice, "name");
	if (strcmp(type, "tool") != 0)
		return 0;
	cJSON_ArrayForEach (tool, json_item(request, "tools"))
		if (name != NULL && json_string(tool, "name") != NULL &&
		    strcmp(name, json_string(tool, "name")) == 0)
			return 0;
	return claude_refuse(error,
	    "tool_choice: Tool '%s' not found in provided tools",
	    name ? name : "");
}

int
claude_check_marker(const cJSON *object, const char *where,
    struct claude_error *error)
{
	const cJSON *marker = json_item(object, "cache_control");
	const char *type, *ttl, *text;

	if (marker == NULL || cJSON_IsNull(marker))
		return 0;
	type = json_string(marker, "type");
	if (type == NULL || strcmp(type, "ephemeral") != 0)
		return claude_refuse(error,
		    "%s.cache_control.type: Input should be 'ephemeral'",
		    where);
	ttl = json_string(marker, "ttl");
	if (json_item(marker, "ttl") != NULL &&
	    (ttl == NULL || (strcmp(ttl, "5m") != 0 && strcmp(ttl, "1h") != 0)))
		return claude_refuse(error,
		    "%s.cache_control.ttl: Input should be '5m' or '1h'",
		    where);
	type = json_string(object, "type");
	text = json_string(object, "text");
	if (type != NULL && strstr(type, "thinking") != NULL)
		return claude_refuse(error,
		    "%s.cache_control: Extra inputs are not permitted", where);
	if (text != NULL && *text == '\0')
		return claude_refuse(error,
		    "%s: cache_control cannot be set for empty text blocks",
		    where);
	return 0;
}

static int
check_system(const cJSON *request, struct claude_error *error)
{
	const cJSON *system = json_item(request, "system"), *block;
	const char *type, *text;
	char where[40];
	size_t index = 0;

	if (system == NULL || cJSON_IsString(system))
		return 0;
	if (!cJSON_IsArray(system))
		return claude_refuse(error,
		    "system: Input should be a valid list");
	cJSON_ArrayForEach (block, system) {
		snprintf(where, sizeof(where), "system.%zu", index++);
		type = json_string(block, "type");
		text = json_string(block, "text");
		if (type == NULL || strcmp(type, "text") != 0)
			return claude_refuse(error,
			    "%s.type: Input should be 'text'", where);
		if (text == NULL)
			return claude_refuse(error, "%s.text: Field required",
			    where);
		if (claude_check_marker(block, where, error) < 0)
			return -1;
		if (*text == '\0')
			return claude_refuse(error,
			    "system: text content blocks must be non-empty");
	}
	return 0;
}

struct markers {
	size_t count;
	bool short_seen, misplaced;
};

/* In the order of the cache: tools, system, messages. */
static void
count_markers(const cJSON *value, int depth, struct markers *markers)
{
	const cJSON *child, *marker;
	const char *ttl;

	if (depth > 4)
		return;
	marker = cJSON_IsObject(value) ? json_item(value, "cache_control")
				       : NULL;
	if (cJSON_IsObject(marker)) {
		ttl = json_string(marker, "ttl");
		markers->count++;
		if (ttl == NULL || strcmp(ttl, "1h") != 0)
			markers->short_seen = true;
		else if (markers->short_seen)
			markers->misplaced = true;
	}
	cJSON_ArrayForEach (child, value) {
		/* Blocks within blocks count; a tool's schema does not. */
		if (cJSON_IsArray(child) ||
		    (cJSON_IsArray(value) && cJSON_IsObject(child)))
			count_markers(child, depth + 1, markers);
	}
}

static int
check_markers(const cJSON *request, struct claude_error *error)
{
	struct markers markers = { 0, false, false };

	if (claude_check_marker(request, "request", error) < 0)
		return -1;
	count_markers(json_item(request, "tools"), 0, &markers);
	count_markers(json_item(request, "system"), 0, &markers);
	count_markers(json_item(request, "messages"), 0, &markers);
	if (cJSON_IsObject(json_item(request, "cache_control")))
		markers.count++;
	if (markers.count > MARKERS_MOST)
		return claude_refuse(error,
		    "A maximum of %d blocks with "
		    "cache_control may be provided. Found %zu.",
		    MARKERS_MOST, markers.count);
	if (markers.misplaced)
		return claude_refuse(error,
		    "a ttl='1h' cache_control block "
		    "must not come after a ttl='5m' cache_control block");
	return 0;
}

int
claude_check_request(const cJSON *request, const struct claude_rules *rules,
    const struct claude_model **ret_model, struct claude_error *error)
{
	const struct claude_model *model;
	const char *name;

	if (!cJSON_IsObject(request))
		return claude_refuse(error,
		    "The request body is not a JSON object");
	name = json_string(request, "model");
	if (name == NULL)
		return claude_refuse(error,
		    json_item(request, "model") == NULL
			? "model: Field required"
			: "model: Input should be a valid string");
	model = claude_model(name);
	if (model == NULL) {
		claude_refuse(error, "model: %.100s", name);
		error->status = 404;
		error->type = "not_found_error";
		return -1;
	}
	if (check_names(request, rules, error) < 0 ||
	    check_limits(request, rules, model, error) < 0 ||
	    check_thinking(request, model, error) < 0 ||
	    check_output(request, rules, model, error) < 0 ||
	    check_account(request, error) < 0 ||
	    claude_check_tools(request, error) < 0 ||
	    check_tool_choice(request, model, error) < 0 ||
	    check_system(request, error) < 0 ||
	    check_markers(request, error) < 0)
		return -1;
	*ret_model = model;
	return 0;
}
