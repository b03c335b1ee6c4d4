/* SPDX-License-Identifier: ISC */
/*
 * Raw text is cut where the scanner says that a value ends, so a walk costs
 * time in proportion to the text and what it returns is valid JSON.
 */
#include "common/json/span.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/json/internal.h"

#define PLAIN_DIGITS 15 /* characters of a number that every double holds */
#define NUMBER_MAX 63

static struct span
advance(struct span text, size_t size)
{
	return (struct span){ text.at + size, text.length - size };
}

static struct span
skip_space(struct span text)
{
	while (text.length > 0 &&
	    (*text.at == ' ' || *text.at == '\t' || *text.at == '\n' ||
		*text.at == '\r'))
		text = advance(text, 1);
	return text;
}

/* Moves TEXT behind C, which must be next except for white space. */
static bool
take(struct span *text, char c)
{
	struct span rest = skip_space(*text);

	if (rest.length == 0 || *rest.at != c)
		return false;
	*text = advance(rest, 1);
	return true;
}

/* Cuts the value that comes next off TEXT. */
static bool
take_value(struct span *text, struct span *ret_raw)
{
	struct span rest = skip_space(*text);
	const char *end = json_value_end(rest.at, rest.at + rest.length);

	if (!end)
		return false;
	*ret_raw = (struct span){ rest.at, (size_t)(end - rest.at) };
	*text = advance(rest, ret_raw->length);
	return true;
}

/* Whether the inside of a string, RAW, is NAME when it is decoded. */
static bool
is_name(struct span raw, const char *name, size_t length)
{
	bool same = false;
	char *decoded;

	if (raw.length == length && memcmp(raw.at, name, length) == 0)
		return !memchr(name, '\\', length);
	if (raw.length > length && memchr(raw.at, '\\', raw.length)) {
		decoded = mem_alloc(raw.length);
		same = json_unescape(raw, decoded) == length &&
		    memcmp(decoded, name, length) == 0;
		free(decoded);
	}
	return same;
}

/* The string VALUE without its quotes; false when it is none. */
static bool
inside(struct span value, struct span *ret_raw)
{
	if (value.length < 2 || *value.at != '"')
		return false;
	*ret_raw = (struct span){ value.at + 1, value.length - 2 };
	return true;
}

/* Cuts "name": off TEXT. */
static bool
take_name(struct span *text, const char *name, bool *ret_same)
{
	struct span raw;

	if (!take_value(text, &raw) || !inside(raw, &raw))
		return false;
	*ret_same = is_name(raw, name, strlen(name));
	return take(text, ':');
}

/* TEXT begins at a member and is moved to the value of the one of that name. */
static bool
find_name(struct span *text, const char *name)
{
	struct span value;
	bool same = false;

	do {
		if (!take_name(text, name, &same))
			return false;
		if (same)
			return true;
	} while (take_value(text, &value) && take(text, ','));
	return false;
}

bool
json_member(struct span text, const char *name, struct span *ret_value)
{
	return take(&text, '{') && find_name(&text, name) &&
	    take_value(&text, ret_value);
}

bool
json_member_rest(struct span text, const char *name, struct span *ret_rest)
{
	if (!take(&text, '{') || !find_name(&text, name))
		return false;
	*ret_rest = skip_space(text);
	return true;
}

struct span
json_get(const struct json_object *object, const char *name)
{
	size_t length = strlen(name), i;
	struct span value = { NULL, 0 }, raw, rest = object->rest;

	for (i = 0; i < object->count; i++) {
		raw = object->at[i].name;
		if (object->escaped ? is_name(raw, name, length)
				    : raw.length == length &&
			    memcmp(raw.at, name, length) == 0)
			return object->at[i].value;
	}
	if (rest.length > 0 && find_name(&rest, name))
		(void)take_value(&rest, &value);
	return value;
}

bool
json_is(struct span value, const char *string)
{
	struct span raw;

	return inside(value, &raw) && is_name(raw, string, strlen(string));
}

char *
json_decode(struct span value)
{
	struct span raw;
	char *decoded;

	if (!inside(value, &raw))
		return NULL;
	decoded = mem_copy(raw.at, raw.length);
	if (memchr(raw.at, '\\', raw.length))
		decoded[json_unescape(raw, decoded)] = '\0';
	return decoded;
}

bool
json_whole(struct span value, int64_t *ret_number)
{
	size_t negative = value.length > 0 && *value.at == '-';
	char text[NUMBER_MAX + 1] = "";
	int64_t number = 0;
	double read;
	size_t i;

	for (i = negative; i < value.length && i < PLAIN_DIGITS; i++) {
		if (value.at[i] < '0' || value.at[i] > '9')
			break;
		number = number * 10 + (value.at[i] - '0');
	}
	if (i == value.length && i > negative) {
		*ret_number = negative ? -number : number;
		return true;
	}
	if (i == negative || value.length > NUMBER_MAX)
		return false;
	memcpy(text, value.at, value.length);
	read = strtod(text, NULL);
	if (!(fabs(read) <= JSON_WHOLE_MAX) || read != (double)(int64_t)read)
		return false;
	*ret_number = (int64_t)read;
	return true;
}

bool
json_element(struct span *array, struct span *ret_value)
{
	struct span rest = *array, value;

	/* After a call the rest begins with the comma or the end. */
	if (take(&rest, '[')) {
		if (take(&rest, ']'))
			return false;
	} else if (!take(&rest, ','))
		return false;
	if (!take_value(&rest, &value))
		return false;
	*ret_value = value;
	*array = rest;
	return true;
}

bool
json_splice(struct buf *buf, struct span text, const char *name,
    struct span value)
{
	struct span old, inner = text;
	const char *stop = text.at + text.length, *end;
	bool empty;

	if (json_member(text, name, &old)) {
		buf_add(buf, text.at, (size_t)(old.at - text.at));
		end = old.at + old.length;
	} else {
		end = json_value_end(text.at, stop);
		if (!take(&inner, '{') || !end)
			return false;
		end--; /* the closing brace */
		empty = take(&inner, '}');
		buf_add(buf, text.at, (size_t)(end - text.at));
		if (!empty)
			buf_add(buf, ",", 1);
		json_quote(buf, name, strlen(name));
		buf_add(buf, ":", 1);
	}
	buf_add(buf, value.at, value.length);
	buf_add(buf, end, (size_t)(stop - end));
	return true;
}

/* ---- names that are there twice ---- */

struct named {
	struct span name, value; /* the name with its quotes */
	char *decoded;
};

static void
keep_last(struct buf *buf, struct span value);

/* Adds those of the COUNT members that no later one has the name of. */
static void
add_members(struct buf *buf, const struct named *members, size_t count)
{
	const char *comma = "";
	size_t i, j;

	for (i = 0; i < count; i++) {
		for (j = i + 1; j < count; j++)
			if (strcmp(members[i].decoded, members[j].decoded) == 0)
				break;
		if (j < count)
			continue;
		buf_add_string(buf, comma);
		buf_add(buf, members[i].name.at, members[i].name.length);
		buf_add(buf, ":", 1);
		keep_last(buf, members[i].value);
		comma = ",";
	}
}

static void
keep_last_object(struct buf *buf, struct span text)
{
	struct named *members = NULL, one;
	size_t count = 0, i;

	(void)take(&text, '{');
	buf_add(buf, "{", 1);
	while (take_value(&text, &one.name) && take(&text, ':') &&
	    take_value(&text, &one.value)) {
		one.decoded = json_decode(one.name);
		if (one.decoded == NULL)
			break;
		members = mem_grow(members, count + 1, sizeof(*members));
		members[count++] = one;
		(void)take(&text, ',');
	}
	add_members(buf, members, count);
	buf_add(buf, "}", 1);
	for (i = 0; i < count; i++)
		free(members[i].decoded);
	free(members);
}

static void
keep_last(struct buf *buf, struct span value)
{
	const char *comma = "[";
	struct span element;

	if (*value.at == '{') {
		keep_last_object(buf, value);
	} else if (*value.at == '[') {
		while (json_element(&value, &element)) {
			buf_add_string(buf, comma);
			keep_last(buf, element);
			comma = ",";
		}
		buf_add_string(buf, *comma == '[' ? "[]" : "]");
	} else {
		buf_add(buf, value.at, value.length);
	}
}

bool
json_keep_last(struct buf *buf, struct span text)
{
	struct span value;

	text = skip_space(text);
	if (!take_value(&text, &value) || skip_space(text).length > 0)
		return false;
	keep_last(buf, value);
	return true;
}
