/* SPDX-License-Identifier: ISC */
/*
 * claude_tools: checks the tools of a request. Each input schema must be one of
 * JSON Schema, draft 2020-12: a table says what each keyword's value must be,
 * and where schemas are within it.
 */
#include "cmd/standin/claude/claude.h"
#include "common/json/json.h"

#define NAME_LETTERS \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
#define NAME_MOST 128
#define KEY_MOST 64
#define SCHEMA_DEPTH 40

enum shape {
	SCHEMA, /* an object or a boolean */
	SCHEMAS,
	SCHEMA_MAP,
	TYPES,
	NUMBER,
	COUNT,
	BOOLEAN,
	STRING,
	STRINGS, /* without one that is there twice */
	ARRAY,
};

static const struct {
	const char *name;
	enum shape shape;
} keywords[] = {
	{ "additionalProperties", SCHEMA },
	{ "allOf", SCHEMAS },
	{ "anyOf", SCHEMAS },
	{ "contains", SCHEMA },
	{ "$defs", SCHEMA_MAP },
	{ "definitions", SCHEMA_MAP },
	{ "description", STRING },
	{ "else", SCHEMA },
	{ "enum", ARRAY },
	{ "exclusiveMaximum", NUMBER },
	{ "exclusiveMinimum", NUMBER },
	{ "format", STRING },
	{ "if", SCHEMA },
	{ "items", SCHEMA },
	{ "maxItems", COUNT },
	{ "maxLength", COUNT },
	{ "maxProperties", COUNT },
	{ "maximum", NUMBER },
	{ "minItems", COUNT },
	{ "minLength", COUNT },
	{ "minProperties", COUNT },
	{ "minimum", NUMBER },
	{ "multipleOf", NUMBER },
	{ "not", SCHEMA },
	{ "oneOf", SCHEMAS },
	{ "pattern", STRING },
	{ "patternProperties", SCHEMA_MAP },
	{ "prefixItems", SCHEMAS },
	{ "properties", SCHEMA_MAP },
	{ "propertyNames", SCHEMA },
	{ "$ref", STRING },
	{ "required", STRINGS },
	{ "then", SCHEMA },
	{ "title", STRING },
	{ "type", TYPES },
	{ "uniqueItems", BOOLEAN },
};

static bool
are_strings(const cJSON *value)
{
	const cJSON *one, *other;

	cJSON_ArrayForEach (one, value) {
		if (!cJSON_IsString(one))
			return false;
		for (other = value->child; other != one; other = other->next)
			if (strcmp(one->valuestring, other->valuestring) == 0)
				return false;
	}
	return cJSON_IsArray(value);
}

static bool
are_types(const cJSON *value)
{
	static const char *const types[] = { "array", "boolean", "integer",
		"null", "number", "object", "string", NULL };
	const cJSON *one;

	if (cJSON_IsString(value))
		return claude_one_of(value->valuestring, types);
	cJSON_ArrayForEach (one, value)
		if (!claude_one_of(cJSON_GetStringValue(one), types))
			return false;
	return value->child != NULL && are_strings(value);
}

static bool
is_schema(const cJSON *schema, int depth);

static bool
are_schemas(const cJSON *list, int depth)
{
	const cJSON *child;

	cJSON_ArrayForEach (child, list)
		if (!is_schema(child, depth))
			return false;
	return true;
}

static bool
fits(const cJSON *value, enum shape shape, int depth)
{
	switch (shape) {
	case SCHEMA:
		return is_schema(value, depth);
	case SCHEMAS:
		return cJSON_IsArray(value) && value->child != NULL &&
		    are_schemas(value, depth);
	case SCHEMA_MAP:
		return cJSON_IsObject(value) && are_schemas(value, depth);
	case TYPES:
		return are_types(value);
	case NUMBER:
		return cJSON_IsNumber(value);
	case COUNT:
		return cJSON_IsNumber(value) && value->valuedouble >= 0;
	case BOOLEAN:
		return cJSON_IsBool(value);
	case STRING:
		return cJSON_IsString(value);
	case STRINGS:
		return are_strings(value);
	case ARRAY:
		return cJSON_IsArray(value);
	}
	return false;
}

static bool
is_schema(const cJSON *schema, int depth)
{
	const cJSON *member;
	size_t i;

	if (cJSON_IsBool(schema))
		return true;
	if (!cJSON_IsObject(schema) || depth > SCHEMA_DEPTH)
		return false;
	cJSON_ArrayForEach (member, schema)
		for (i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++)
			if (strcmp(member->string, keywords[i].name) == 0 &&
			    !fits(member, keywords[i].shape, depth + 1))
				return false;
	return true;
}

/* Keys of properties, wherever they are. */
static bool
keys_fit(const cJSON *schema)
{
	const cJSON *child;
	size_t length;

	if (cJSON_IsObject(schema))
		cJSON_ArrayForEach (child, json_item(schema, "properties")) {
			length = strlen(child->string);
			if (length == 0 || length > KEY_MOST ||
			    strspn(child->string, NAME_LETTERS ".") != length)
				return false;
		}
	cJSON_ArrayForEach (child, schema)
		if (!keys_fit(child))
			return false;
	return true;
}

static int
check_schema(const cJSON *schema, size_t tool, struct claude_error *error)
{
	static const char *const unions[] = { "allOf", "anyOf", "oneOf", NULL };
	const cJSON *member;
	const char *type;

	if (!cJSON_IsObject(schema))
		return claude_refuse(error, "tools.%zu.custom.input_schema: %s",
		    tool,
		    schema == NULL ? "Field required"
				   : "Input should be a valid dictionary");
	type = json_string(schema, "type");
	if (type == NULL || strcmp(type, "object") != 0)
		return claude_refuse(error,
		    "tools.%zu.custom.input_schema.type: %s", tool,
		    json_item(schema, "type") == NULL
			? "Field required"
			: "Input should be 'object'");
	cJSON_ArrayForEach (member, schema)
		if (claude_one_of(member->string, unions))
			return claude_refuse(error,
			    "tools.%zu.custom.input_schema: input_schema does "
			    "not support oneOf, allOf, or anyOf at the top "
			    "level",
			    tool);
	if (!is_schema(schema, 0))
		return claude_refuse(error,
		    "tools.%zu.custom.input_schema: JSON schema is invalid. "
		    "It must match JSON Schema draft 2020-12",
		    tool);
	if (!keys_fit(schema))
		return claude_refuse(error,
		    "tools.%zu.custom.input_schema.properties: Property keys "
		    "should match pattern '^[a-zA-Z0-9_.-]{1,64}$'",
		    tool);
	return 0;
}

/* A tool of the service's own. */
static bool
is_own_type(const char *type)
{
	static const char *const types[] = { "advisor_20260301",
		"bash_20241022", "bash_20250124", "browser_toolset_20260801",
		"code_execution_20250522", "code_execution_20250825",
		"code_execution_20260120", "code_execution_20260521",
		"computer_20241022", "computer_20250124", "computer_20251124",
		"computer_toolset_20260801", "memory_20250818",
		"text_editor_20241022", "text_editor_20250124",
		"text_editor_20250429", "text_editor_20250728",
		"tool_search_tool_bm25", "tool_search_tool_bm25_20251119",
		"tool_search_tool_regex", "tool_search_tool_regex_20251119",
		"web_fetch_20250910", "web_fetch_20260209",
		"web_fetch_20260309", "web_fetch_20260318",
		"web_search_20250305", "web_search_20260209",
		"web_search_20260318", NULL };

	return claude_one_of(type, types);
}

static int
check_custom(const cJSON *tool, size_t index, struct claude_error *error)
{
	static const char *const known[] = { "allowed_callers", "cache_control",
		"defer_loading", "description", "eager_input_streaming",
		"input_examples", "input_schema", "name", "strict", "type",
		NULL };
	const cJSON *member, *schema = json_item(tool, "input_schema");

	cJSON_ArrayForEach (member, tool)
		if (!claude_one_of(member->string, known))
			return claude_refuse(error,
			    "tools.%zu.custom.%s: Extra inputs are not "
			    "permitted",
			    index, member->string);
	if (check_schema(schema, index, error) < 0)
		return -1;
	if (json_true(tool, "strict") &&
	    !cJSON_IsFalse(json_item(schema, "additionalProperties")))
		return claude_refuse(error,
		    "tools.%zu.custom: For 'object' type, "
		    "'additionalProperties' must be explicitly set to false",
		    index);
	return 0;
}

static int
check_tool(const cJSON *tool, size_t index, const cJSON *names,
    struct claude_error *error)
{
	const char *name = json_string(tool, "name");
	const char *type = json_string(tool, "type");
	size_t length;

	if (type != NULL && strcmp(type, "mcp_toolset") == 0)
		return json_string(tool, "mcp_server_name") != NULL
		    ? 0
		    : claude_refuse(error,
			  "tools.%zu.mcp_toolset.mcp_server_name: Field "
			  "required",
			  index);
	if (name == NULL && type != NULL && strstr(type, "_toolset_") != NULL &&
	    is_own_type(type))
		return 0;
	if (name == NULL)
		return claude_refuse(error,
		    "tools.%zu.custom.name: Field required", index);
	length = strlen(name);
	if (length > NAME_MOST)
		return claude_refuse(error,
		    "tools.%zu.custom.name: String "
		    "should have at most 128 characters",
		    index);
	if (length == 0 || strspn(name, NAME_LETTERS) != length)
		return claude_refuse(error,
		    "tools.%zu.custom.name: String "
		    "should match pattern '^[a-zA-Z0-9_-]{1,128}$'",
		    index);
	if (json_item(names, name) != NULL)
		return claude_refuse(error,
		    "tools: Tool names must be unique.");
	if (type == NULL || strcmp(type, "custom") == 0)
		return check_custom(tool, index, error);
	return is_own_type(type)
	    ? 0
	    : claude_refuse(error,
		  "tools.%zu: Input tag '%s' found using 'type' does not "
		  "match any of the expected tags",
		  index, type);
}

int
claude_check_tools(const cJSON *request, struct claude_error *error)
{
	const cJSON *tools = json_item(request, "tools"), *tool;
	cJSON *names;
	char where[40];
	size_t index = 0;
	int result = 0;

	if (tools == NULL)
		return 0;
	if (!cJSON_IsArray(tools))
		return claude_refuse(error,
		    "tools: Input should be a valid list");
	names = cJSON_CreateObject();
	cJSON_ArrayForEach (tool, tools) {
		snprintf(where, sizeof(where), "tools.%zu", index);
		result = check_tool(tool, index, names, error);
		if (result == 0)
			result = claude_check_marker(tool, where, error);
		if (result < 0)
			break;
		if (json_string(tool, "name") != NULL)
			cJSON_AddTrueToObject(names, json_string(tool, "name"));
		index++;
	}
	cJSON_Delete(names);
	return result;
}
