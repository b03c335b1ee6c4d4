/* SPDX-License-Identifier: ISC */
/*
 * One table says what the value of each keyword must be. A schema is walked
 * once: each value is put right or judged, and then the schemas in it are. A
 * property has the same alias wherever it is, and no property of the schema is
 * called so. schema_restore.c puts the names back.
 */
#include "common/agent/schema.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/json/json.h"

#define KEY_MAX 64
#define KEY_CHARACTERS \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"

struct fit {
	cJSON *names;   /* of all properties: {"NAME":true} */
	cJSON *renamed; /* {"NAME":"ALIAS"} */
	cJSON *aliases; /* {"ALIAS":"NAME"} */
	struct fail *fail;
};

enum kind {
	SCHEMA = 1,
	SCHEMAS, /* array of them, not empty */
	NAMED,   /* object of them */
	PROPERTIES,
	NUMBER,
	COUNT,
	STRING,
	NAMES, /* array of strings, none twice */
	ARRAY,
	TYPE,
	NOTE_STRING, /* notes change nothing, so a wrong one is left out */
	NOTE_BOOLEAN,
	NOTE_ARRAY,
	UNIQUE, /* a boolean */
	DROP,
};

static const struct {
	const char *name;
	enum kind kind;
} keywords[] = {
	{ "$schema", DROP },
	{ "$defs", NAMED },
	{ "$ref", STRING },
	{ "additionalProperties", SCHEMA },
	{ "allOf", SCHEMAS },
	{ "anyOf", SCHEMAS },
	{ "contains", SCHEMA },
	{ "definitions", NAMED },
	{ "dependentSchemas", NAMED },
	{ "deprecated", NOTE_BOOLEAN },
	{ "description", NOTE_STRING },
	{ "else", SCHEMA },
	{ "enum", ARRAY },
	{ "examples", NOTE_ARRAY },
	{ "exclusiveMaximum", NUMBER },
	{ "exclusiveMinimum", NUMBER },
	{ "format", NOTE_STRING },
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
	{ "patternProperties", NAMED },
	{ "prefixItems", SCHEMAS },
	{ "properties", PROPERTIES },
	{ "propertyNames", SCHEMA },
	{ "readOnly", NOTE_BOOLEAN },
	{ "required", NAMES },
	{ "then", SCHEMA },
	{ "title", NOTE_STRING },
	{ "type", TYPE },
	{ "unevaluatedProperties", SCHEMA },
	{ "uniqueItems", UNIQUE },
	{ "writeOnly", NOTE_BOOLEAN },
};

static enum kind
kind_of(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++)
		if (strcmp(keywords[i].name, name) == 0)
			return keywords[i].kind;
	return 0;
}

static int
refuse(const struct fit *fit, const cJSON *value)
{
	char *text = json_text(value);

	fail_set(fit->fail, FAIL_NO, "refused",
	    "its schema has \"%.100s\": %.100s, which is not JSON Schema "
	    "(2020-12)",
	    value->string != NULL ? value->string : "", text);
	free(text);
	return -1;
}

/* A number that a double cannot hold is kept as it was written. */
static bool
is_number(const cJSON *value)
{
	return cJSON_IsNumber(value) || cJSON_IsRaw(value);
}

static bool
is_boolean(const cJSON *value)
{
	return cJSON_IsBool(value);
}

/* ---- names of properties ---- */

static bool
fine_name(const char *name)
{
	size_t length = strlen(name);

	return length >= 1 && length <= KEY_MAX &&
	    strspn(name, KEY_CHARACTERS) == length;
}

static void
collect_names(const cJSON *schema, cJSON *names)
{
	const cJSON *member, *property;

	cJSON_ArrayForEach (member, schema) {
		if (cJSON_IsObject(member) && member->string != NULL &&
		    strcmp(member->string, "properties") == 0)
			cJSON_ArrayForEach (property, member)
				if (json_item(names, property->string) == NULL)
					cJSON_AddTrueToObject(names,
					    property->string);
		collect_names(member, names);
	}
}

/* The name that the model knows a property by, which is its own if that is
 * fine. */
static const char *
name_for_model(const struct fit *fit, const char *name)
{
	const char *known = json_string(fit->renamed, name), *at;
	struct buf alias = BUF_INIT(400);
	size_t length;
	unsigned n = 1;

	if (known != NULL || fine_name(name))
		return known != NULL ? known : name;
	for (at = name; *at != '\0' && alias.length < KEY_MAX - 4; at++) {
		if (*at == '$' || *at == '@')
			buf_add_string(&alias, *at == '$' ? "dollar_" : "at_");
		else
			buf_add(&alias,
			    strchr(KEY_CHARACTERS, *at) != NULL ? at : "_", 1);
	}
	length = alias.length < KEY_MAX - 4 ? alias.length : KEY_MAX - 4;
	do {
		alias.length = length;
		if (length == 0 || n > 1)
			buf_print(&alias, "_%u", n);
		else
			alias.data[length] = '\0';
		n++;
	} while (json_item(fit->names, alias.data) != NULL ||
	    json_item(fit->aliases, alias.data) != NULL);
	cJSON_AddStringToObject(fit->aliases, alias.data, name);
	known = cJSON_AddStringToObject(fit->renamed, name, alias.data)
		    ->valuestring;
	buf_release(&alias);
	return known;
}

static void
rename_member(const struct fit *fit, cJSON *member)
{
	const char *name = name_for_model(fit, member->string);

	if (name == member->string)
		return;
	cJSON_free(member->string);
	member->string = mem_string(name);
}

/* ---- values ---- */

static int
fit_one(const struct fit *fit, cJSON *schema);

static int
fit_named(const struct fit *fit, cJSON *map, bool properties)
{
	cJSON *item;

	if (cJSON_IsArray(map) && map->child == NULL)
		map->type = cJSON_Object;
	if (!cJSON_IsObject(map))
		return refuse(fit, map);
	cJSON_ArrayForEach (item, map) {
		if (cJSON_IsNull(item))
			item->type = cJSON_Object;
		if (fit_one(fit, item) < 0)
			return -1;
		if (properties)
			rename_member(fit, item);
	}
	return 0;
}

static int
fit_list(const struct fit *fit, cJSON *list)
{
	cJSON *item;

	if (!cJSON_IsArray(list) || list->child == NULL)
		return refuse(fit, list);
	cJSON_ArrayForEach (item, list)
		if (fit_one(fit, item) < 0)
			return -1;
	return 0;
}

/* Drops what is there twice; properties are given the model's names. */
static int
fit_names(const struct fit *fit, cJSON *list)
{
	cJSON *item, *next, *before, *made;

	for (item = list->child; item != NULL; item = next) {
		next = item->next;
		if (!cJSON_IsString(item))
			return refuse(fit, list);
		for (before = list->child; before != item;
		     before = before->next)
			if (strcmp(before->valuestring, item->valuestring) == 0)
				break;
		if (before != item)
			cJSON_Delete(cJSON_DetachItemViaPointer(list, item));
	}
	cJSON_ArrayForEach (item, list) {
		made = cJSON_CreateString(
		    name_for_model(fit, item->valuestring));
		cJSON_ReplaceItemViaPointer(list, item, made);
		item = made;
	}
	return 0;
}

static bool
is_type(const cJSON *value)
{
	static const char *const names[] = { "array", "boolean", "integer",
		"null", "number", "object", "string" };
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (cJSON_IsString(value) &&
		    strcmp(value->valuestring, names[i]) == 0)
			return true;
	return false;
}

static int
check_type(const struct fit *fit, const cJSON *value)
{
	const cJSON *item, *other;

	if (!cJSON_IsArray(value) || value->child == NULL)
		return is_type(value) ? 0 : refuse(fit, value);
	cJSON_ArrayForEach (item, value) {
		if (!is_type(item))
			return refuse(fit, value);
		for (other = item->next; other != NULL; other = other->next)
			if (cJSON_Compare(item, other, true))
				return refuse(fit, value);
	}
	return 0;
}

static bool
fits(enum kind kind, const cJSON *value)
{
	switch (kind) {
	case STRING:
	case NOTE_STRING:
		return cJSON_IsString(value);
	case NUMBER:
		return is_number(value) &&
		    (strcmp(value->string, "multipleOf") != 0 ||
			cJSON_IsRaw(value) || value->valuedouble > 0);
	case COUNT:
		return cJSON_IsRaw(value) ||
		    (cJSON_IsNumber(value) && value->valuedouble >= 0 &&
			value->valuedouble ==
			    (double)(int64_t)value->valuedouble);
	case ARRAY:
	case NOTE_ARRAY:
		return cJSON_IsArray(value);
	case NOTE_BOOLEAN:
	case UNIQUE:
		return is_boolean(value);
	default:
		return true;
	}
}

static int
fit_value(const struct fit *fit, enum kind kind, cJSON *value)
{
	switch (kind) {
	case SCHEMA:
		return fit_one(fit, value);
	case SCHEMAS:
		return fit_list(fit, value);
	case NAMED:
	case PROPERTIES:
		return fit_named(fit, value, kind == PROPERTIES);
	case NAMES:
		return cJSON_IsArray(value) ? fit_names(fit, value)
					    : refuse(fit, value);
	case TYPE:
		return check_type(fit, value);
	default:
		return fits(kind, value) ? 0 : refuse(fit, value);
	}
}

/* ---- what older drafts, and mistakes, mean ---- */

/* "exclusiveMinimum": true beside a "minimum" is that number itself. */
static void
fit_exclusive(cJSON *schema, const char *name, const char *limit)
{
	cJSON *exclusive = json_item(schema, name);
	bool meant = cJSON_IsTrue(exclusive) &&
	    is_number(json_item(schema, limit));

	if (!is_boolean(exclusive))
		return;
	if (meant)
		cJSON_ReplaceItemInObjectCaseSensitive(schema, name,
		    cJSON_DetachItemFromObjectCaseSensitive(schema, limit));
	else
		cJSON_DeleteItemFromObjectCaseSensitive(schema, name);
}

/* "items": [...] is "prefixItems" now. */
static void
fit_tuple(cJSON *schema)
{
	cJSON *items = json_item(schema, "items");

	if (!cJSON_IsArray(items))
		return;
	items = cJSON_DetachItemViaPointer(schema, items);
	if (items->child != NULL && json_item(schema, "prefixItems") == NULL)
		cJSON_AddItemToObject(schema, "prefixItems", items);
	else
		cJSON_Delete(items);
}

/* "required": "a" means one name; true and false, in a property, are of the
 * third draft, and say nothing that the service does not check itself. */
static void
fit_required(cJSON *schema)
{
	cJSON *required = json_item(schema, "required"), *list;

	if (is_boolean(required)) {
		cJSON_Delete(cJSON_DetachItemViaPointer(schema, required));
	} else if (cJSON_IsString(required)) {
		list = cJSON_CreateArray();
		cJSON_AddItemToArray(list,
		    cJSON_CreateString(required->valuestring));
		cJSON_ReplaceItemInObjectCaseSensitive(schema, "required",
		    list);
	}
}

static bool
is_left_out(enum kind kind, const cJSON *value)
{
	return kind == DROP || (kind != 0 && cJSON_IsNull(value)) ||
	    (kind >= NOTE_STRING && kind <= NOTE_ARRAY && !fits(kind, value));
}

static int
fit_one(const struct fit *fit, cJSON *schema)
{
	cJSON *member, *next;
	enum kind kind;

	if (is_boolean(schema))
		return 0;
	if (!cJSON_IsObject(schema))
		return refuse(fit, schema);
	fit_exclusive(schema, "exclusiveMinimum", "minimum");
	fit_exclusive(schema, "exclusiveMaximum", "maximum");
	fit_tuple(schema);
	fit_required(schema);
	for (member = schema->child; member != NULL; member = next) {
		next = member->next;
		kind = kind_of(member->string);
		if (is_left_out(kind, member))
			cJSON_Delete(
			    cJSON_DetachItemViaPointer(schema, member));
		else if (kind != 0 && fit_value(fit, kind, member) < 0)
			return -1;
	}
	return 0;
}

/* Whether each of the choices only says which properties are required. */
static bool
only_requires(const cJSON *choices)
{
	const cJSON *choice, *member;

	cJSON_ArrayForEach (choice, choices)
		cJSON_ArrayForEach (member, choice)
			if (strcmp(member->string, "required") != 0)
				return false;
	return cJSON_IsArray(choices);
}

/* The service allows no choices at the top. Where they only require one
 * property or another, the tool's own service will check that. */
static int
fit_top(const struct fit *fit, cJSON *schema)
{
	static const char *const names[] = { "allOf", "anyOf", "oneOf" };
	const cJSON *type, *item;
	cJSON *choices;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		choices = json_item(schema, names[i]);
		if (choices == NULL)
			continue;
		if (!only_requires(choices))
			return fail_set(fit->fail, FAIL_NO, "refused",
			    "its schema has %s at its top", names[i]);
		cJSON_Delete(cJSON_DetachItemViaPointer(schema, choices));
	}
	type = json_item(schema, "type");
	cJSON_ArrayForEach (item, type)
		if (is_type(item) && strcmp(item->valuestring, "object") == 0)
			break;
	if ((type == NULL && json_item(schema, "$ref") == NULL) ||
	    cJSON_IsNull(type) || item != NULL) {
		cJSON_DeleteItemFromObjectCaseSensitive(schema, "type");
		cJSON_AddStringToObject(schema, "type", "object");
	} else if (!cJSON_IsString(type) ||
	    strcmp(type->valuestring, "object") != 0) {
		return fail_set(fit->fail, FAIL_NO, "refused",
		    "its schema is not of type object");
	}
	return 0;
}

int
schema_fit(cJSON *schema, cJSON *aliases, struct fail *fail)
{
	struct fit fit = { cJSON_CreateObject(), cJSON_CreateObject(), aliases,
		fail };
	int result = -1;

	if (!cJSON_IsObject(schema)) {
		fail_set(fail, FAIL_NO, "refused",
		    "its schema is not an object");
	} else {
		collect_names(schema, fit.names);
		if (fit_top(&fit, schema) == 0)
			result = fit_one(&fit, schema);
	}
	cJSON_Delete(fit.names);
	cJSON_Delete(fit.renamed);
	return result;
}
