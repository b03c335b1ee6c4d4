/* SPDX-License-Identifier: ISC */
/*
 * How it works: the input is walked once, together with the schemas that hold at
 * each place of it: those that a keyword names, and those that these refer to. A
 * key is a property when one of the schemas of its object says so; any other key
 * is the model's own, and stays, whatever it is called.
 *
 * Where schemas are alternatives, all of them count.
 */
#include <stdlib.h>
#include <string.h>

#include "common/agent/schema.h"
#include "common/base/mem.h"
#include "common/json/json.h"

#define PLACE_MAX 1000 /* schemas */

/* The schemas that hold for a value. */
struct place {
	const cJSON **schemas;
	size_t count;
};

/* An object or an array that the walk is in. */
struct level {
	struct place place; /* its own */
	struct place next;  /* of the value that comes next */
};

struct walk {
	struct span aliases;
	const cJSON *schema; /* NULL: every key is a property */
	struct level *levels;
	size_t depth;
	struct place next; /* at the top */
};

/* What the path "#/a/b" leads to, or NULL. */
static const cJSON *
find(const cJSON *schema, const char *path)
{
	char *name;
	size_t length;

	if (path == NULL || *path++ != '#')
		return NULL;
	while (*path == '/' && schema != NULL) {
		length = strcspn(++path, "/");
		name = mem_copy(path, length);
		schema = json_item(schema, name);
		free(name);
		path += length;
	}
	return schema;
}

/* Adds SCHEMA and what it refers to. */
static void
place_add(const struct walk *walk, struct place *place, const cJSON *schema)
{
	static const char *const lists[] = { "allOf", "anyOf", "oneOf",
		"dependentSchemas" };
	static const char *const singles[] = { "if", "then", "else" };
	const cJSON *item;
	size_t i;

	for (i = 0; i < place->count; i++)
		if (place->schemas[i] == schema)
			return;
	if (!cJSON_IsObject(schema) || place->count == PLACE_MAX)
		return;
	place->schemas = mem_grow(place->schemas, place->count + 1,
	    sizeof(*place->schemas));
	place->schemas[place->count++] = schema;
	place_add(walk, place, find(walk->schema, json_string(schema, "$ref")));
	for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		cJSON_ArrayForEach (item, json_item(schema, lists[i]))
			place_add(walk, place, item);
	for (i = 0; i < sizeof(singles) / sizeof(singles[0]); i++)
		place_add(walk, place, json_item(schema, singles[i]));
}

static void
place_clear(struct place *place)
{
	free(place->schemas);
	*place = (struct place){ .count = 0 };
}

/* Goes into an object or an array. */
static void
enter(struct walk *walk)
{
	const struct place *next = walk->depth > 0
	    ? &walk->levels[walk->depth - 1].next
	    : &walk->next;
	struct place place = { .count = 0 };
	const cJSON *schema, *item;
	struct level *level;
	size_t i;

	for (i = 0; i < next->count; i++) /* an array has more of them */
		place_add(walk, &place, next->schemas[i]);
	walk->levels = mem_grow(walk->levels, walk->depth + 1,
	    sizeof(*walk->levels));
	level = &walk->levels[walk->depth++];
	*level = (struct level){ .place = place };
	/* those of an object follow from its keys */
	for (i = 0; i < place.count; i++) {
		schema = place.schemas[i];
		place_add(walk, &level->next, json_item(schema, "items"));
		place_add(walk, &level->next, json_item(schema, "contains"));
		cJSON_ArrayForEach (item, json_item(schema, "prefixItems"))
			place_add(walk, &level->next, item);
	}
}

static void
leave(struct walk *walk)
{
	if (walk->depth == 0)
		return;
	walk->depth--;
	place_clear(&walk->levels[walk->depth].place);
	place_clear(&walk->levels[walk->depth].next);
}

/* The value of KEY comes next. Whether KEY is a property. */
static bool
take_key(struct walk *walk, const char *key)
{
	static const char *const others[] = { "additionalProperties",
		"unevaluatedProperties" };
	const cJSON *schema, *item;
	struct level *level;
	bool found = false;
	size_t i, k;

	if (walk->schema == NULL || walk->depth == 0)
		return walk->schema == NULL;
	level = &walk->levels[walk->depth - 1];
	place_clear(&level->next);
	for (i = 0; i < level->place.count; i++) {
		schema = level->place.schemas[i];
		item = json_item(json_item(schema, "properties"), key);
		found = found || item != NULL;
		place_add(walk, &level->next, item);
		for (k = 0; k < 2 && item == NULL; k++)
			place_add(walk, &level->next,
			    json_item(schema, others[k]));
		cJSON_ArrayForEach (item,
		    json_item(schema, "patternProperties"))
			place_add(walk, &level->next, item);
	}
	return found;
}

/* Where the string that begins at AT ends: behind its closing quote. */
static const char *
string_end(const char *at, const char *end)
{
	for (at++; at < end && *at != '"'; at++)
		if (*at == '\\')
			at++;
	return at < end ? at + 1 : end;
}

/* Adds the string from AT to NEXT, by its name if it is an alias. */
static void
add_string(struct walk *walk, const char *at, const char *next, const char *end,
    struct buf *buf)
{
	struct span value = { at, (size_t)(next - at) };
	const char *colon = next;
	char *name;

	while (colon < end && strchr(" \t\r\n", *colon) != NULL)
		colon++;
	if (colon < end && *colon == ':') {
		name = mem_copy(at + 1, value.length - 2);
		if (take_key(walk, name))
			(void)json_member(walk->aliases, name, &value);
		free(name);
	}
	buf_add(buf, value.at, value.length);
}

void
schema_restore(struct span aliases, struct span schema, struct span input,
    struct buf *buf)
{
	const char *at = input.at, *end = at + input.length, *next;
	cJSON *tree = json_tree(schema);
	struct walk walk = { .aliases = aliases, .schema = tree };

	place_add(&walk, &walk.next, tree);
	for (; at < end; at = next) {
		if (*at == '"') {
			next = string_end(at, end);
			add_string(&walk, at, next, end, buf);
			continue;
		}
		if (*at == '{' || *at == '[')
			enter(&walk);
		else if (*at == '}' || *at == ']')
			leave(&walk);
		next = at + 1;
		buf_add(buf, at, 1);
	}
	while (walk.depth > 0)
		leave(&walk);
	free(walk.levels);
	place_clear(&walk.next);
	cJSON_Delete(tree);
}
