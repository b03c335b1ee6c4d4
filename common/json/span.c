/* SPDX-License-Identifier: ISC */
/*
 * Raw text is cut where cJSON says that a value ends: each value is parsed
 * and thrown away, so a walk costs time in proportion to the text and what
 * it returns is valid JSON.
 */
#include <stdlib.h>
#include <string.h>

#include "common/json/json.h"

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

/* Cuts the value that comes next off TEXT. The tree goes to RET_VALUE when it
 * is not NULL. */
static bool
take_value(struct span *text, struct span *ret_raw, cJSON **ret_value)
{
	struct span rest = skip_space(*text);
	const char *end = NULL;
	cJSON *value;
	size_t size;

	/* cJSON would skip a byte order mark and any control character. */
	if (rest.length == 0 || *rest.at == '\0' ||
	    !strchr("{[\"-0123456789tfn", *rest.at))
		return false;
	value = cJSON_ParseWithLengthOpts(rest.at, rest.length, &end, 0);
	if (!value)
		return false;
	if (ret_value)
		*ret_value = value;
	else
		cJSON_Delete(value);
	size = (size_t)(end - rest.at);
	*ret_raw = (struct span){ rest.at, size };
	*text = advance(rest, size);
	return true;
}

/* Cuts "name": off TEXT. */
static bool
take_name(struct span *text, const char *name, bool *ret_same)
{
	struct span raw;
	cJSON *key = NULL;
	bool string;

	if (!take_value(text, &raw, &key))
		return false;
	string = cJSON_IsString(key);
	if (string)
		*ret_same = strcmp(key->valuestring, name) == 0;
	cJSON_Delete(key);
	return string && take(text, ':');
}

enum found { FOUND, MISSING, NOT_AN_OBJECT };

/* RET_END is the closing brace when the member is MISSING. */
static enum found
find_member(struct span text, const char *name, struct span *ret_value,
    const char **ret_end, bool *ret_empty)
{
	bool same = false;

	if (!take(&text, '{'))
		return NOT_AN_OBJECT;
	*ret_empty = take(&text, '}');
	while (!*ret_empty) {
		if (!take_name(&text, name, &same) ||
		    !take_value(&text, ret_value, NULL))
			return NOT_AN_OBJECT;
		if (same)
			return FOUND;
		if (take(&text, '}'))
			break;
		if (!take(&text, ','))
			return NOT_AN_OBJECT;
	}
	*ret_end = text.at - 1;
	return MISSING;
}

bool
json_member(struct span text, const char *name, struct span *ret_value)
{
	struct span value = { NULL, 0 };
	const char *end = NULL;
	bool empty;

	if (find_member(text, name, &value, &end, &empty) != FOUND)
		return false;
	*ret_value = value;
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
	if (!take_value(&rest, &value, NULL))
		return false;
	*ret_value = value;
	*array = rest;
	return true;
}

bool
json_splice(struct buf *buf, struct span text, const char *name,
    struct span value)
{
	struct span old = { NULL, 0 };
	const char *end = NULL, *stop = text.at + text.length;
	bool empty = false;

	switch (find_member(text, name, &old, &end, &empty)) {
	case NOT_AN_OBJECT:
		return false;
	case FOUND:
		buf_add(buf, text.at, (size_t)(old.at - text.at));
		buf_add(buf, value.at, value.length);
		end = old.at + old.length;
		break;
	case MISSING:
		buf_add(buf, text.at, (size_t)(end - text.at));
		if (!empty)
			buf_add(buf, ",", 1);
		json_quote(buf, name, strlen(name));
		buf_add(buf, ":", 1);
		buf_add(buf, value.at, value.length);
		break;
	}
	buf_add(buf, end, (size_t)(stop - end));
	return true;
}
