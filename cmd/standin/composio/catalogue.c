/* SPDX-License-Identifier: ISC */
/*
 * catalogue: the tools in an array sorted by slug.
 */
#include "cmd/standin/composio/composio.h"

#include <math.h>

#include "cmd/standin/build.h"
#include "cmd/standin/script/script.h"
#include "cmd/standin/script/template.h"
#include "common/base/mem.h"
#include "common/json/json.h"

/* Every tool's schema of what it gives. */
#define OUTPUT \
	"{'type':'object','properties':{'data':{'type':'object'}," \
	"'error':{'type':'string'},'successful':{'type':'boolean'}}," \
	"'required':['data','successful']}"

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

static void
add_builtin(struct catalogue *catalogue,
    const struct catalogue_builtin *builtin)
{
	catalogue->tools[catalogue->count++] = (struct tool){
		.slug = builtin->slug,
		.name = builtin->name,
		.description = builtin->description,
		.toolkit = builtin->toolkit,
		.version = builtin->version,
		.run = builtin->run,
		.read_only = builtin->read_only,
		.idempotent = builtin->idempotent,
		.no_auth = strcmp(builtin->toolkit, "hackernews") == 0,
		.input = build("{'type':'object','title':%s,'properties':%j,"
			       "'required':%j}",
		    builtin->name, cJSON_Parse(builtin->input),
		    cJSON_Parse(builtin->required)),
	};
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
}

static int
add_scripted(struct catalogue *catalogue, const cJSON *entry, struct fail *fail)
{
	static const char *const names[] = { "deprecated", "description",
		"destructive", "error", "idempotent", "input_parameters",
		"name", "no_auth", "read_only", "result", "scope_requirements",
		"slug", "toolkit", "version", NULL };
	struct tool tool = { .slug = NULL }, *old;
	const cJSON *schema = json_item(entry, "input_parameters");

	if (script_known(entry, names, "a tool", fail) < 0 ||
	    script_string(entry, "slug", NULL, &tool.slug, "a tool", fail) < 0)
		return -1;
	if (tool.slug == NULL)
		return script_refuse(fail, "a tool has no \"slug\"");
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
		return script_refuse(fail, "%s: a tool has a \"toolkit\"",
		    tool.slug);
	if (schema != NULL && !cJSON_IsObject(schema))
		return script_refuse(fail,
		    "%s: \"input_parameters\" is a JSON Schema", tool.slug);
	tool.read_only = json_true(entry, "read_only");
	tool.idempotent = tool.read_only || json_true(entry, "idempotent");
	tool.destructive = json_true(entry, "destructive");
	tool.deprecated = json_true(entry, "deprecated");
	tool.no_auth = json_true(entry, "no_auth");
	tool.scopes = json_item(entry, "scope_requirements");
	tool.result = json_item(entry, "result");
	tool.error = json_item(entry, "error");
	tool.input = schema != NULL
	    ? cJSON_Duplicate(schema, true)
	    : build("{'type':'object','properties':{}}");
	old = find(catalogue, tool.slug);
	if (old != NULL) {
		tool.run = old->run;
		tool_release(old);
	} else {
		old = &catalogue->tools[catalogue->count++];
	}
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
	return find(catalogue, slug);
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
	int i;

	if (type != NULL && !has_type(value, type)) {
		snprintf(error, 300,
		    "Invalid request data provided: the value "
		    "of '%.100s' should be of type %.20s",
		    value->string, type);
		return false;
	}
	for (i = 0; i < 2; i++) {
		bound = json_item(schema, i == 0 ? "maximum" : "minimum");
		if (!cJSON_IsNumber(value) || !cJSON_IsNumber(bound) ||
		    (i == 0 ? value->valuedouble <= bound->valuedouble
			    : value->valuedouble >= bound->valuedouble))
			continue;
		snprintf(error, 300,
		    "Invalid request data provided: '%.100s' should be at %s "
		    "%.0f",
		    value->string, i == 0 ? "most" : "least",
		    bound->valuedouble);
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

static cJSON *
hints(const struct tool *tool)
{
	cJSON *tags = build("[%s]",
	    tool->read_only ? "readOnlyHint" : "createHint");

	if (tool->idempotent)
		cJSON_AddItemToArray(tags, build("'idempotentHint'"));
	if (tool->destructive)
		cJSON_AddItemToArray(tags, build("'destructiveHint'"));
	cJSON_AddItemToArray(tags, build("'openWorldHint'"));
	return tags;
}

cJSON *
catalogue_json(const struct catalogue *catalogue, const struct tool *tool)
{
	return build(
	    "{'slug':%s,'name':%s,'description':%s,"
	    "'human_description':%s,'toolkit':{'slug':%s,'name':%s,"
	    "'logo':''},'input_parameters':%j,'output_parameters':" OUTPUT ","
	    "'version':%s,'available_versions':[%s,'00000000_00'],"
	    "'tags':%j,'scopes':[],'scope_requirements':%j,"
	    "'no_auth':%b,'is_deprecated':%b,'deprecated':{"
	    "'displayName':%s,'version':%s,'available_versions':[%s],"
	    "'toolkit':{'logo':''},'is_deprecated':%b}}",
	    tool->slug, tool->name, tool->description, tool->description,
	    tool->toolkit, catalogue_toolkit(catalogue, tool->toolkit),
	    cJSON_Duplicate(tool->input, true), tool->version, tool->version,
	    hints(tool),
	    tool->scopes ? cJSON_Duplicate(tool->scopes, true)
			 : cJSON_CreateNull(),
	    tool->no_auth, tool->deprecated, tool->name, tool->version,
	    tool->version, tool->deprecated);
}
