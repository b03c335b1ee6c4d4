/* SPDX-License-Identifier: ISC */
/*
 * Printing is done here: cJSON's own printer treats two numbers as equal when
 * they differ in the last bit, and so loses it (2^53-1 is printed as an even
 * number).
 */
#include "common/json/internal.h"

#include <errno.h>
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

#define WORD_MAX 64 /* longest word that is compared */
#define FEW 8       /* members that need no sorting */

const struct json_limits json_limits_task = { 1 << 20, 32, 4096 };
const struct json_limits json_limits_upstream = { 64 << 20, 200, 1000000 };

cJSON *
json_parse(const char *text, size_t length, const struct json_limits *limits,
    struct fail *fail)
{
	cJSON *value;

	if (json_check((struct span){ text, length }, limits, NULL, fail) < 0)
		return NULL;
	value = cJSON_ParseWithLength(text, length);
	if (!value)
		fail_errno(fail, "unable to read %zu bytes of JSON", length);
	return value;
}

cJSON *
json_tree(struct span value)
{
	return value.length ? cJSON_ParseWithLength(value.at, value.length)
			    : NULL;
}

/* The next number of the text, behind *AT, which moves behind it. */
static struct span
next_number(const char **at)
{
	struct span number;

	while (strchr("-0123456789", **at) == NULL)
		if (*(*at)++ == '"')
			while (*(*at)++ != '"')
				if ((*at)[-1] == '\\')
					++*at;
	number = (struct span){ *at, strspn(*at, "+-.eE0123456789") };
	*at += number.length;
	return number;
}

/* Numbers come in the tree in the order that they have in the text. */
static void
keep_numbers(cJSON *value, const char **at)
{
	struct span number;
	cJSON *item;

	cJSON_ArrayForEach (item, value)
		keep_numbers(item, at);
	if (!cJSON_IsNumber(value))
		return;
	number = next_number(at);
	if (number.length <= DBL_DIG)
		return;
	value->type = cJSON_Raw;
	value->valuestring = mem_copy(number.at, number.length);
}

cJSON *
json_tree_exact(struct span value)
{
	cJSON *tree = json_tree(value);
	const char *at = value.at;

	keep_numbers(tree, &at);
	return tree;
}

cJSON *
json_item(const cJSON *object, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(object, name);
}

const char *
json_string(const cJSON *object, const char *name)
{
	return cJSON_GetStringValue(json_item(object, name));
}

bool
json_integer(const cJSON *object, const char *name, int64_t *ret_number)
{
	const cJSON *item = json_item(object, name);

	if (!cJSON_IsNumber(item) ||
	    !(fabs(item->valuedouble) <= JSON_WHOLE_MAX) ||
	    item->valuedouble != (double)(int64_t)item->valuedouble)
		return false;
	*ret_number = (int64_t)item->valuedouble;
	return true;
}

bool
json_true(const cJSON *object, const char *name)
{
	return cJSON_IsTrue(json_item(object, name));
}

/* The shortest text that reads back as the same number. */
static void
print_number(struct buf *buf, double number)
{
	char text[32];
	int digits;

	if (!isfinite(number)) {
		buf_add_string(buf, "null");
		return;
	}
	if (fabs(number) <= JSON_WHOLE_MAX &&
	    number == (double)(int64_t)number) {
		buf_print(buf, "%lld", (long long)number);
		return;
	}
	for (digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, number);
		if (strtod(text, NULL) == number)
			break;
	}
	buf_add_string(buf, text);
}

static void
print_value(struct buf *buf, const cJSON *value)
{
	bool object = cJSON_IsObject(value);
	const cJSON *item;

	if (object || cJSON_IsArray(value)) {
		buf_add(buf, object ? "{" : "[", 1);
		for (item = value->child; item; item = item->next) {
			if (item != value->child)
				buf_add(buf, ",", 1);
			if (object) {
				json_quote(buf, item->string,
				    strlen(item->string));
				buf_add(buf, ":", 1);
			}
			print_value(buf, item);
		}
		buf_add(buf, object ? "}" : "]", 1);
	} else if (cJSON_IsString(value))
		json_quote(buf, value->valuestring, strlen(value->valuestring));
	else if (cJSON_IsNumber(value))
		print_number(buf, value->valuedouble);
	else if (cJSON_IsRaw(value))
		buf_add_string(buf, value->valuestring);
	else
		buf_add_string(buf,
		    cJSON_IsTrue(value)        ? "true"
			: cJSON_IsFalse(value) ? "false"
					       : "null");
}

char *
json_text(const cJSON *value)
{
	struct buf buf = BUF_INIT(SIZE_MAX / 2);

	print_value(&buf, value);
	return buf_detach(&buf, NULL);
}

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* The number of insertions, removals and replacements from NAME to WORD. */
static size_t
edit_distance(const char *word, const char *name)
{
	size_t row[WORD_MAX + 1], length = strlen(name), i, j, diagonal, above;

	for (j = 0; j <= length; j++)
		row[j] = j;
	for (i = 1; word[i - 1] != '\0'; i++) {
		diagonal = row[0];
		row[0] = i;
		for (j = 1; j <= length; j++) {
			above = row[j];
			row[j] = least(least(above, row[j - 1]) + 1,
			    diagonal + (word[i - 1] != name[j - 1]));
			diagonal = above;
		}
	}
	return row[length];
}

const char *
json_nearest(const char *word, const char *const *names)
{
	size_t length = strlen(word), limit = length / 3 + 1, distance;
	size_t best = limit + 1;
	const char *nearest = NULL;

	if (length > WORD_MAX)
		return NULL;
	for (; *names; names++) {
		if (strlen(*names) > WORD_MAX)
			continue;
		distance = edit_distance(word, *names);
		/* A name that would be replaced completely is not near. */
		if (distance < best && distance < strlen(*names)) {
			best = distance;
			nearest = *names;
		}
	}
	return nearest;
}
