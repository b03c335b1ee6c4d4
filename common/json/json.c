/* SPDX-License-Identifier: ISC */
/*
 * A text is checked (scan.c), then parsed by cJSON, then the tree is checked
 * for duplicate names and numbers too large for a double. Recursion is as deep
 * as the limits allow, which is less than cJSON itself allows.
 *
 * Printing is done here: cJSON's own printer treats two numbers as equal when
 * they differ in the last bit, and so loses it (2^53-1 is printed as an even
 * number).
 */
#include "common/json/internal.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/utf8.h"

#define INTEGER_MAX 9007199254740992.0 /* 2^53 */
#define WORD_MAX 64                    /* longest word that is compared */
#define FEW 8                          /* members that need no sorting */

const struct json_limits json_limits_task = { 1 << 20, 32, 4096 };
const struct json_limits json_limits_upstream = { 64 << 20, 200, 1000000 };

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Most objects are small: for these a comparison of each with each is faster
 * than memory for the names. */
static const char *
find_duplicate_of_few(const cJSON *object)
{
	const cJSON *item, *other;

	for (item = object->child; item; item = item->next)
		for (other = object->child; other != item; other = other->next)
			if (strcmp(other->string, item->string) == 0)
				return item->string;
	return NULL;
}

/* A name that OBJECT has twice, or NULL. */
static const char *
find_duplicate(const cJSON *object)
{
	const char **names = NULL, *duplicate = NULL;
	const cJSON *item;
	size_t count = 0, i;

	for (item = object->child; item; item = item->next)
		count++;
	if (count <= FEW)
		return find_duplicate_of_few(object);
	names = mem_grow(NULL, count, sizeof *names);
	for (i = 0, item = object->child; item; item = item->next)
		names[i++] = item->string;
	qsort(names, count, sizeof *names, compare_names);
	for (i = 1; i < count && !duplicate; i++)
		if (strcmp(names[i - 1], names[i]) == 0)
			duplicate = names[i];
	free(names);
	return duplicate;
}

static int
check_tree(const cJSON *value, struct fail *fail)
{
	const char *duplicate;
	const cJSON *item;

	if (cJSON_IsNumber(value) && !isfinite(value->valuedouble))
		return fail_set(fail, FAIL_NEVER, "invalid_json",
		    "invalid JSON: a number is too large to be represented%s%s",
		    value->string ? ": member " : "",
		    value->string ? value->string : "");
	if (cJSON_IsObject(value)) {
		duplicate = find_duplicate(value);
		if (duplicate)
			return fail_set(fail, FAIL_NEVER, "invalid_json",
			    "invalid JSON: the member \"%.200s\" is there "
			    "twice in one object: remove one",
			    duplicate);
	}
	for (item = value->child; item; item = item->next)
		if (check_tree(item, fail) < 0)
			return -1;
	return 0;
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Skips white space; the rest may be empty. */
static struct span
skip_space(struct span text)
{
	while (text.length > 0 && is_space(*text.at)) {
		text.at++;
		text.length--;
	}
	return text;
}

cJSON *
json_parse(const char *text, size_t length, const struct json_limits *limits,
    struct fail *fail)
{
	struct span rest = { text, length };
	const char *end = NULL;
	cJSON *value = NULL;

	if (length > limits->bytes) {
		fail_set(fail, FAIL_NEVER, "invalid_json",
		    "invalid JSON: %zu bytes, and at most %zu are read here",
		    length, limits->bytes);
		return NULL;
	}
	if (json_scan(text, length, limits, fail) < 0)
		return NULL;
	rest = skip_space(rest);
	if (rest.length == 0) {
		json_refuse(text, length, "there is no value", fail);
		return NULL;
	}
	errno = 0;
	value = cJSON_ParseWithLengthOpts(rest.at, rest.length, &end, 0);
	if (!value && errno == ENOMEM) {
		fail_errno(fail, "unable to read %zu bytes of JSON", length);
		return NULL;
	}
	if (!value) {
		json_refuse(text, end ? (size_t)(end - text) : 0,
		    "something else is expected here", fail);
		return NULL;
	}
	rest.length -= (size_t)(end - rest.at);
	rest.at = end;
	rest = skip_space(rest);
	if (rest.length > 0) {
		json_refuse(text, (size_t)(rest.at - text),
		    "something follows the value", fail);
		goto out;
	}
	if (check_tree(value, fail) < 0)
		goto out;
	return value;
out:
	cJSON_Delete(value);
	return NULL;
}

const char *
json_string(const cJSON *object, const char *name)
{
	return cJSON_GetStringValue(
	    cJSON_GetObjectItemCaseSensitive(object, name));
}

bool
json_integer(const cJSON *object, const char *name, int64_t *ret_number)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

	if (!cJSON_IsNumber(item) ||
	    !(fabs(item->valuedouble) <= INTEGER_MAX) ||
	    item->valuedouble != (double)(int64_t)item->valuedouble)
		return false;
	*ret_number = (int64_t)item->valuedouble;
	return true;
}

bool
json_true(const cJSON *object, const char *name)
{
	return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(object, name));
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
	if (fabs(number) <= INTEGER_MAX && number == (double)(int64_t)number) {
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

/* Adds the escape of one character that a string may not contain. */
static void
quote_control(struct buf *buf, unsigned char c)
{
	static const char plain[] = "\"\\\b\f\n\r\t", letter[] = "\"\\bfnrt";
	const char *found = c != 0 ? strchr(plain, c) : NULL;
	char escape[2] = { '\\', 0 };

	if (!found) {
		buf_print(buf, "\\u%04x", c);
		return;
	}
	escape[1] = letter[found - plain];
	buf_add(buf, escape, sizeof escape);
}

void
json_quote(struct buf *buf, const char *string, size_t length)
{
	size_t run = 0, step;
	unsigned char c;

	buf_add(buf, "\"", 1);
	while (run < length) {
		c = (unsigned char)string[run];
		if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
			run++; /* most characters */
			continue;
		}
		step = utf8_step(string + run, length - run);
		if (step > 1 ||
		    (step == 1 && c >= 0x20 && c != '"' && c != '\\')) {
			run += step;
			continue;
		}
		buf_add(buf, string, run);
		if (step == 0)
			buf_add(buf, "\xef\xbf\xbd", 3);
		else
			quote_control(buf, c);
		string += run + 1;
		length -= run + 1;
		run = 0;
	}
	buf_add(buf, string, run);
	buf_add(buf, "\"", 1);
}

bool
json_utf8(const char *bytes, size_t length)
{
	size_t step;

	for (; length > 0; bytes += step, length -= step) {
		step = utf8_step(bytes, length);
		if (step == 0)
			return false;
	}
	return true;
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
