/* SPDX-License-Identifier: ISC */
/*
 * catalogue: the tools in an array sorted by slug, for a binary search.
 */
#include "cmd/standin/composio/catalogue.h"

#include <math.h>

#include "cmd/standin/script/script.h"
#include "cmd/standin/script/template.h"
#include "common/base/mem.h"
#include "common/json/json.h"

struct catalogue {
	struct tool *tools;
	size_t count;
};

static int
compare(const void *a, const void *b)
{
	return strcmp(((const struct tool *)a)->slug,
	    ((const struct tool *)b)->slug);
}

static cJSON *
output_schema(void)
{
	return cJSON_Parse(
	    "{\"type\":\"object\",\"properties\":{\"data\":"
	    "{\"type\":\"object\"},\"error\":{\"type\":\"string\"},"
	    "\"successful\":{\"type\":\"boolean\"}},\"required\":[\"data\","
	    "\"successful\"]}");
}

static void
add_builtin(struct catalogue *catalogue,
    const struct catalogue_builtin *builtin)
{
	struct tool *tool = &catalogue->tools[catalogue->count++];

	*tool = (struct tool){
		.slug = builtin->slug,
		.name = builtin->name,
		.description = builtin->description,
		.toolkit = builtin->toolkit,
		.version = builtin->version,
		.read_only = builtin->read_only,
		.idempotent = builtin->idempotent,
		.no_auth = strcmp(builtin->toolkit, "hackernews") == 0,
		.input = cJSON_CreateObject(),
		.output = output_schema(),
	};
	cJSON_AddStringToObject(tool->input, "type", "object");
	cJSON_AddStringToObject(tool->input, "title", builtin->name);
	cJSON_AddItemToObject(tool->input, "properties",
	    cJSON_Parse(builtin->input));
	cJSON_AddItemToObject(tool->input, "required",
	    cJSON_Parse(builtin->required));
}

static struct tool *
find(const struct catalogue *catalogue, const char *slug)
{
	size_t i;

	for (i = 0; i < catalogue->count; i++)
		if (strcmp(catalogue->tools[i].slug, slug) == 0)
			return &catalogue->tools[i];
	return NULL;
}

static void
tool_release(struct tool *tool)
{
	cJSON_Delete(tool->input);
	cJSON_Delete(tool->output);
}

static int
add_scripted(struct catalogue *catalogue, const cJSON *entry, struct fail *fail)
{
	static const char *const names[] = { "deprecated", "description",
		"destructive", "error", "idempotent", "input_parameters",
		"name", "no_auth", "read_only", "result", "slug", "toolkit",
		"version", NULL };
	struct tool tool = { .slug = NULL }, *old;
	const cJSON *schema = json_item(entry, "input_parameters");

	if (script_known(entry, names, "a tool", fail) < 0 ||
	    script_string(entry, "slug", NULL, &tool.slug, "a tool", fail) < 0)
		return -1;
	if (tool.slug == NULL)
		return fail_set(fail, FAIL_NEVER, "invalid_script",
		    "a tool has no \"slug\"");
	if (script_string(entry, "toolkit", NULL, &tool.toolkit, tool.slug,
		fail) < 0 ||
	    script_string(entry, "name", tool.slug, &tool.name, tool.slug,
		fail) < 0 ||
	    script_string(entry, "description", "", &tool.description,
		tool.slug, fail) < 0 ||
	    script_string(entry, "version", "20261101_00", &tool.version,
		tool.slug, fail) < 0 ||
	    template_check(json_item(entry, "result"), fail) < 0 ||
	    template_check(json_item(entry, "error"), fail) < 0)
		return -1;
	if (tool.toolkit == NULL)
		return fail_set(fail, FAIL_NEVER, "invalid_script",
		    "%s: a tool has a \"toolkit\"", tool.slug);
	if (schema != NULL && !cJSON_IsObject(schema))
		return fail_set(fail, FAIL_NEVER, "invalid_script",
		    "%s: \"input_parameters\" is a JSON Schema", tool.slug);
	tool.read_only = json_true(entry, "read_only");
	tool.idempotent = tool.read_only || json_true(entry, "idempotent");
	tool.destructive = json_true(entry, "destructive");
	tool.deprecated = json_true(entry, "deprecated");
	tool.no_auth = json_true(entry, "no_auth");
	tool.result = json_item(entry, "result");
	tool.error = json_item(entry, "error");
	tool.input = schema != NULL
	    ? cJSON_Duplicate(schema, true)
	    : cJSON_Parse("{\"type\":\"object\",\"properties\":{}}");
	tool.output = output_schema();
	old = find(catalogue, tool.slug);
	if (old != NULL)
		tool_release(old);
	else
		old = &catalogue->tools[catalogue->count++];
	*old = tool;
	return 0;
}

int
catalogue_new(const cJSON *script, struct catalogue **ret_catalogue,
    struct fail *fail)
{
	struct catalogue *catalogue = mem_alloc(sizeof(*catalogue));
	const cJSON *list = json_item(script, "tools"), *entry;
	size_t i = 0;

	while (catalogue_builtins[i].slug != NULL)
		i++;
	catalogue->tools = mem_alloc(
	    (i + 1 + (size_t)cJSON_GetArraySize(list)) *
	    sizeof(*catalogue->tools));
	for (i = 0; catalogue_builtins[i].slug != NULL; i++)
		add_builtin(catalogue, &catalogue_builtins[i]);
	cJSON_ArrayForEach (entry, list) {
		if (add_scripted(catalogue, entry, fail) < 0) {
			catalogue_free(catalogue);
			return fail_prefix(fail, "tools");
		}
	}
	qsort(catalogue->tools, catalogue->count, sizeof(*catalogue->tools),
	    compare);
	*ret_catalogue = catalogue;
	return 0;
}

void
catalogue_free(struct catalogue *catalogue)
{
	size_t i;

	if (catalogue == NULL)
		return;
	for (i = 0; i < catalogue->count; i++)
		tool_release(&catalogue->tools[i]);
	free(catalogue->tools);
	free(catalogue);
}

const struct tool *
catalogue_find(const struct catalogue *catalogue, const char *slug)
{
	struct tool wanted = { .slug = slug };

	return bsearch(&wanted, catalogue->tools, catalogue->count,
	    sizeof(*catalogue->tools), compare);
}

const struct tool *
catalogue_at(const struct catalogue *catalogue, size_t index)
{
	return index < catalogue->count ? &catalogue->tools[index] : NULL;
}

const char *
catalogue_toolkit(const struct catalogue *catalogue, const char *slug)
{
	size_t i;

	for (i = 0; i < catalogue->count; i++)
		if (strcmp(catalogue->tools[i].toolkit, slug) == 0)
			break;
	if (i == catalogue->count)
		return NULL;
	if (strcmp(slug, "gmail") == 0)
		return "Gmail";
	if (strcmp(slug, "linear") == 0)
		return "Linear";
	if (strcmp(slug, "hackernews") == 0)
		return "Hacker News";
	return catalogue->tools[i].toolkit;
}

static bool
has_type(const cJSON *value, const char *type)
{
	if (strcmp(type, "string") == 0)
		return cJSON_IsString(value);
	if (strcmp(type, "integer") == 0)
		return cJSON_IsNumber(value) &&
		    floor(value->valuedouble) == value->valuedouble;
	if (strcmp(type, "number") == 0)
		return cJSON_IsNumber(value);
	if (strcmp(type, "boolean") == 0)
		return cJSON_IsBool(value);
	if (strcmp(type, "array") == 0)
		return cJSON_IsArray(value);
	if (strcmp(type, "object") == 0)
		return cJSON_IsObject(value);
	return true;
}

static bool
check_argument(const cJSON *value, const cJSON *schema, char error[300])
{
	const char *type = json_string(schema, "type");
	const cJSON *list = json_item(schema, "enum"), *entry, *bound;

	if (type != NULL && !has_type(value, type)) {
		snprintf(error, 300,
		    "Invalid request data provided: the value "
		    "of '%.100s' should be of type %.20s",
		    value->string, type);
		return false;
	}
	bound = json_item(schema, "maximum");
	if (cJSON_IsNumber(value) && cJSON_IsNumber(bound) &&
	    value->valuedouble > bound->valuedouble) {
		snprintf(error, 300,
		    "Invalid request data provided: '%.100s' "
		    "should be at most %.0f",
		    value->string, bound->valuedouble);
		return false;
	}
	bound = json_item(schema, "minimum");
	if (cJSON_IsNumber(value) && cJSON_IsNumber(bound) &&
	    value->valuedouble < bound->valuedouble) {
		snprintf(error, 300,
		    "Invalid request data provided: '%.100s' "
		    "should be at least %.0f",
		    value->string, bound->valuedouble);
		return false;
	}
	if (list == NULL)
		return true;
	cJSON_ArrayForEach (entry, list)
		if (cJSON_Compare(entry, value, true))
			return true;
	snprintf(error, 300,
	    "Invalid request data provided: '%.100s' is not "
	    "one of the allowed values",
	    value->string);
	return false;
}

bool
catalogue_check(const struct tool *tool, const cJSON *arguments,
    char error[300])
{
	const cJSON *properties = json_item(tool->input, "properties");
	const cJSON *entry, *schema;

	cJSON_ArrayForEach (entry, json_item(tool->input, "required")) {
		schema = json_item(arguments, entry->valuestring);
		if (schema == NULL || cJSON_IsNull(schema)) {
			snprintf(error, 300,
			    "Invalid request data provided\n"
			    "- Following fields are missing: {'%.100s'}",
			    entry->valuestring);
			return false;
		}
	}
	cJSON_ArrayForEach (entry, arguments) {
		schema = json_item(properties, entry->string);
		if (schema == NULL &&
		    cJSON_IsFalse(
			json_item(tool->input, "additionalProperties"))) {
			snprintf(error, 300,
			    "Invalid request data provided: "
			    "'%.100s' is not a parameter",
			    entry->string);
			return false;
		}
		if (schema != NULL && !cJSON_IsNull(entry) &&
		    !check_argument(entry, schema, error))
			return false;
	}
	return true;
}

static void
add_hints(cJSON *json, const struct tool *tool)
{
	cJSON *tags = cJSON_AddArrayToObject(json, "tags");

	if (tool->read_only)
		cJSON_AddItemToArray(tags, cJSON_CreateString("readOnlyHint"));
	else
		cJSON_AddItemToArray(tags, cJSON_CreateString("createHint"));
	if (tool->idempotent)
		cJSON_AddItemToArray(tags,
		    cJSON_CreateString("idempotentHint"));
	if (tool->destructive)
		cJSON_AddItemToArray(tags,
		    cJSON_CreateString("destructiveHint"));
	cJSON_AddItemToArray(tags, cJSON_CreateString("openWorldHint"));
}

cJSON *
catalogue_json(const struct catalogue *catalogue, const struct tool *tool)
{
	cJSON *json = cJSON_CreateObject(), *part;

	cJSON_AddStringToObject(json, "slug", tool->slug);
	cJSON_AddStringToObject(json, "name", tool->name);
	cJSON_AddStringToObject(json, "description", tool->description);
	cJSON_AddStringToObject(json, "human_description", tool->description);
	part = cJSON_AddObjectToObject(json, "toolkit");
	cJSON_AddStringToObject(part, "slug", tool->toolkit);
	cJSON_AddStringToObject(part, "name",
	    catalogue_toolkit(catalogue, tool->toolkit));
	cJSON_AddStringToObject(part, "logo", "");
	cJSON_AddItemToObject(json, "input_parameters",
	    cJSON_Duplicate(tool->input, true));
	cJSON_AddItemToObject(json, "output_parameters",
	    cJSON_Duplicate(tool->output, true));
	cJSON_AddStringToObject(json, "version", tool->version);
	part = cJSON_AddArrayToObject(json, "available_versions");
	cJSON_AddItemToArray(part, cJSON_CreateString(tool->version));
	cJSON_AddItemToArray(part, cJSON_CreateString("00000000_00"));
	add_hints(json, tool);
	cJSON_AddArrayToObject(json, "scopes");
	cJSON_AddNullToObject(json, "scope_requirements");
	cJSON_AddBoolToObject(json, "no_auth", tool->no_auth);
	cJSON_AddBoolToObject(json, "is_deprecated", tool->deprecated);
	part = cJSON_AddObjectToObject(json, "deprecated");
	cJSON_AddStringToObject(part, "displayName", tool->name);
	cJSON_AddStringToObject(part, "version", tool->version);
	cJSON_AddBoolToObject(part, "is_deprecated", tool->deprecated);
	return json;
}
