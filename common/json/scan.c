/* SPDX-License-Identifier: ISC */
/*
 * How it works: one walk over the text. It keeps the names of the objects that
 * are open, to find a name that is there twice, and the places of the members
 * of the outermost object. Recursion is as deep as the limits allow.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/hex.h"
#include "common/base/mem.h"
#include "common/base/utf8.h"
#include "common/json/internal.h"

#define FEW 32        /* names that need neither memory nor sorting */
#define NUMBER_MAX 63 /* characters; cJSON reads no more */

/* Decoded. A name without escapes is a piece of the text, others are copies. */
struct names {
	struct span *at;
	size_t count, room;
	struct span few[FEW];
};

struct scan {
	struct span text;
	const char *at, *end;
	const struct json_limits *limits;
	size_t depth;
	struct names *names;      /* NULL: only the grammar counts */
	struct json_object *root; /* the outermost object's, or NULL */
	bool escaped;             /* the last string has an escape */
	const char *reason;       /* why not, when a function returned false */
	struct span twice;        /* the name, when that is why */
};

static const struct json_limits limits_of_cuts = { SIZE_MAX, 1000, SIZE_MAX };

static bool
refuse(struct scan *scan, const char *reason)
{
	scan->reason = reason;
	return false;
}

static bool
next_is(const struct scan *scan, char c)
{
	return scan->at < scan->end && *scan->at == c;
}

static void
skip_space(struct scan *scan)
{
	while (scan->at < scan->end &&
	    (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\r' ||
		*scan->at == '\t'))
		scan->at++;
}

/* ---- strings ---- */

/* Reads the four digits behind \u and moves behind them. */
static bool
scan_hex(struct scan *scan, unsigned *ret_unit)
{
	unsigned unit = 0, i;
	int digit;

	for (i = 0; i < 4; i++) {
		digit = scan->at < scan->end ? hex_number(scan->at, 1) : -1;
		if (digit < 0)
			return refuse(scan, "\\u needs four hex digits");
		unit = unit << 4 | (unsigned)digit;
		scan->at++;
	}
	*ret_unit = unit;
	return true;
}

/* Begins at the backslash. */
static bool
scan_escape(struct scan *scan)
{
	const char *start = scan->at;
	char c = start + 1 < scan->end ? start[1] : 0;
	unsigned unit = 0, second = 0;

	if (c != 'u') {
		if (c == 0 || !strchr("\"\\/bfnrt", c))
			return refuse(scan, "unknown escape in a string");
		scan->at += 2;
		return true;
	}
	scan->at += 2;
	if (!scan_hex(scan, &unit))
		return false;
	if (unit == 0) {
		scan->at = start;
		return refuse(scan, "\\u0000 is not allowed in a string");
	}
	if (unit < 0xd800 || unit > 0xdfff)
		return true;
	if (unit < 0xdc00 && scan->end - scan->at >= 6 && scan->at[0] == '\\' &&
	    scan->at[1] == 'u') {
		scan->at += 2;
		if (!scan_hex(scan, &second))
			return false;
		if (second >= 0xdc00 && second <= 0xdfff)
			return true;
	}
	scan->at = start;
	return refuse(scan, "half of a surrogate pair in a string");
}

/* Begins at the opening quote. */
static bool
scan_string(struct scan *scan)
{
	unsigned char c;
	size_t step;

	scan->at++;
	for (;;) {
		scan->at += json_plain(scan->at,
		    (size_t)(scan->end - scan->at));
		if (scan->at == scan->end)
			return refuse(scan, "a string does not end");
		c = (unsigned char)*scan->at;
		if (c == '"') {
			scan->at++;
			return true;
		}
		if (c == '\\') {
			scan->escaped = true;
			if (!scan_escape(scan))
				return false;
			continue;
		}
		if (c < 0x20)
			return refuse(scan,
			    c == 0
				? "a NUL byte in a string"
				: "a control character in a string: escape it");
		step = utf8_step(scan->at, (size_t)(scan->end - scan->at));
		if (step == 0)
			return refuse(scan, "not UTF-8");
		scan->at += step;
	}
}

/* ---- numbers and words ---- */

static bool
scan_digits(struct scan *scan)
{
	const char *start = scan->at;

	while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9')
		scan->at++;
	return scan->at > start;
}

/* Whether the number, which has an exponent, is one that a double holds. */
static bool
is_finite(const char *start, const char *end)
{
	char text[NUMBER_MAX + 1] = "";

	memcpy(text, start, (size_t)(end - start));
	return isfinite(strtod(text, NULL));
}

static bool
scan_number(struct scan *scan)
{
	static const char reason[] = "a number that JSON does not know";
	const char *start = scan->at;
	bool exponent = false;

	if (next_is(scan, '-'))
		scan->at++;
	if (next_is(scan, '0'))
		scan->at++;
	else if (!scan_digits(scan))
		return refuse(scan, reason);
	if (next_is(scan, '.')) {
		scan->at++;
		if (!scan_digits(scan))
			return refuse(scan, reason);
	}
	if (next_is(scan, 'e') || next_is(scan, 'E')) {
		exponent = true;
		scan->at++;
		if (next_is(scan, '+') || next_is(scan, '-'))
			scan->at++;
		if (!scan_digits(scan))
			return refuse(scan, reason);
	}
	if (scan->at < scan->end && *scan->at != '\0' &&
	    strchr("0123456789.eE+-", *scan->at))
		return refuse(scan, reason);
	if (scan->at - start > NUMBER_MAX) {
		scan->at = start;
		return refuse(scan, "a number of more than 63 characters");
	}
	if (scan->names && exponent && !is_finite(start, scan->at)) {
		scan->at = start;
		return refuse(scan, "a number is too large to be represented");
	}
	return true;
}

static bool
begins_with(const struct scan *scan, const char *word, size_t length)
{
	return (size_t)(scan->end - scan->at) >= length &&
	    memcmp(scan->at, word, length) == 0;
}

static bool
scan_word(struct scan *scan)
{
	static const char *const words[] = { "true", "false", "null" };
	size_t i, length;

	for (i = 0; i < sizeof(words) / sizeof(*words); i++) {
		length = strlen(words[i]);
		if (begins_with(scan, words[i], length)) {
			scan->at += length;
			return true;
		}
	}
	return refuse(scan,
	    begins_with(scan, "\xef\xbb\xbf", 3) ? "a byte order mark"
		: *scan->at == '\0'              ? "a NUL byte"
						 : "no value begins like this");
}

/* ---- arrays and objects ---- */

static bool
scan_value(struct scan *scan);

/* What comes next is not what has to: says why. */
static bool
unexpected(struct scan *scan, const char *reason)
{
	const char *start = scan->at;
	bool outside = scan->depth == 0;

	if (start == scan->end)
		return refuse(scan,
		    outside ? "there is no value"
			    : "an array or object does not end");
	if (outside && (*start == ']' || *start == '}'))
		return refuse(scan, "a bracket too many");
	if (outside && *start == ',')
		return refuse(scan, "a comma too many");
	if (!memchr("{}[],:\"-0123456789", *start, 17) && !scan_word(scan))
		return false;
	scan->at = start;
	return refuse(scan, reason);
}

static const char misplaced[] = "something else is expected here";

/* Begins at the bracket that opens; ONE reads what stands between commas. Inline,
 * because most of a step's instructions are spent here. */
static inline bool
scan_container(struct scan *scan, char close, bool (*one)(struct scan *scan))
{
	size_t count = 0;

	if (scan->depth == scan->limits->depth)
		return refuse(scan, "nested too deep");
	scan->depth++;
	scan->at++;
	skip_space(scan);
	while (!next_is(scan, close)) {
		if (count > 0 && !next_is(scan, ','))
			return unexpected(scan, misplaced);
		if (count > 0 && count >= scan->limits->members)
			return refuse(scan,
			    "an array or object of too many members");
		if (count++ > 0)
			scan->at++;
		if (!one(scan))
			return false;
		skip_space(scan);
	}
	scan->at++;
	scan->depth--;
	return true;
}

static void
add_name(struct names *names, struct span raw, bool escaped)
{
	struct span *grown;
	char *decoded;

	if (escaped) {
		decoded = mem_alloc(raw.length);
		raw.length = json_unescape(raw, decoded);
		raw.at = decoded;
	}
	if (names->count == names->room) {
		names->room *= 2;
		grown = mem_grow(names->at == names->few ? NULL : names->at,
		    names->room, sizeof(*names->at));
		if (names->at == names->few)
			memcpy(grown, names->few, sizeof(names->few));
		names->at = grown;
	}
	names->at[names->count++] = raw;
}

static int
compare_names(const void *a, const void *b)
{
	const struct span *one = a, *other = b;

	if (one->length != other->length)
		return one->length < other->length ? -1 : 1;
	return memcmp(one->at, other->at, one->length);
}

/* For a few names a comparison of each with each is faster than sorting. */
static const struct span *
find_twice(struct span *names, size_t count)
{
	size_t i, j;

	if (count > FEW)
		qsort(names, count, sizeof(*names), compare_names);
	for (i = 1; i < count; i++)
		for (j = count > FEW ? i - 1 : 0; j < i; j++)
			if (names[i].length == names[j].length &&
			    compare_names(&names[i], &names[j]) == 0)
				return &names[i];
	return NULL;
}

/* Drops all but COUNT names. */
static void
drop_names(struct scan *scan, size_t count)
{
	uintptr_t text = (uintptr_t)scan->text.at, name;

	while (scan->names->count > count) {
		name = (uintptr_t)scan->names->at[--scan->names->count].at;
		if (name - text > scan->text.length)
			free((void *)name);
	}
}

static bool
check_names(struct scan *scan, size_t first)
{
	struct names *names = scan->names;
	const struct span *twice = find_twice(names->at + first,
	    names->count - first);

	if (twice) {
		scan->twice = *twice;
		return refuse(scan, "a member is there twice");
	}
	drop_names(scan, first);
	return true;
}

static void
add_member(struct scan *scan, struct span name, const char *value)
{
	struct json_object *root = scan->root;

	if (root->count < JSON_INDEXED) {
		root->at[root->count].name = name;
		root->at[root->count].value = (struct span){ value,
			(size_t)(scan->at - value) };
		root->count++;
	} else if (!root->rest.at) {
		root->rest.at = name.at - 1;
		root->rest.length = (size_t)(scan->end - root->rest.at);
	}
}

static bool
scan_member(struct scan *scan)
{
	const char *start, *value;
	struct span name;

	skip_space(scan);
	start = scan->at;
	if (!next_is(scan, '"'))
		return unexpected(scan, misplaced);
	scan->escaped = false;
	if (!scan_string(scan))
		return false;
	name = (struct span){ start + 1, (size_t)(scan->at - start) - 2 };
	if (scan->names)
		add_name(scan->names, name, scan->escaped);
	if (scan->root && scan->depth == 1 && scan->escaped)
		scan->root->escaped = true;
	skip_space(scan);
	if (!next_is(scan, ':'))
		return unexpected(scan, misplaced);
	scan->at++;
	skip_space(scan);
	value = scan->at;
	if (!scan_value(scan))
		return false;
	if (scan->root && scan->depth == 1)
		add_member(scan, name, value);
	return true;
}

static bool
scan_object(struct scan *scan)
{
	size_t first = scan->names ? scan->names->count : 0;

	return scan_container(scan, '}', scan_member) &&
	    (!scan->names || check_names(scan, first));
}

static bool
scan_value(struct scan *scan)
{
	skip_space(scan);
	if (scan->at == scan->end)
		return unexpected(scan, misplaced);
	switch (*scan->at) {
	case '{':
		return scan_object(scan);
	case '[':
		return scan_container(scan, ']', scan_value);
	case '"':
		return scan_string(scan);
	case ']':
	case '}':
	case ',':
	case ':':
		return unexpected(scan, misplaced);
	default:
		if (*scan->at == '-' || (*scan->at >= '0' && *scan->at <= '9'))
			return scan_number(scan);
		return scan_word(scan);
	}
}

/* ---- whole texts and pieces ---- */

const char *
json_value_end(const char *at, const char *end)
{
	struct scan scan = { .at = at, .end = end, .limits = &limits_of_cuts };

	return scan_value(&scan) ? scan.at : NULL;
}

/* A value that is not there is NULL, to which C lets nothing be added. */
static const char *
end_of(struct span text)
{
	return text.length ? text.at + text.length : text.at;
}

bool
json_object(struct span text, struct json_object *ret_object)
{
	struct scan scan = { .at = text.at,
		.end = end_of(text),
		.limits = &limits_of_cuts,
		.root = ret_object };

	ret_object->escaped = false;
	ret_object->count = 0;
	ret_object->rest = (struct span){ NULL, 0 };
	skip_space(&scan);
	return next_is(&scan, '{') && scan_object(&scan);
}

static int
fail_here(const struct scan *scan, struct fail *fail)
{
	const char *text = scan->text.at;
	size_t line = 1;

	if (scan->twice.at)
		return fail_set(fail, FAIL_NEVER, "invalid_json",
		    "invalid JSON: the member \"%.*s\" is there twice in one "
		    "object: remove one",
		    (int)(scan->twice.length < 200 ? scan->twice.length : 200),
		    scan->twice.at);
	for (; text < scan->at; text++)
		line += *text == '\n';
	return fail_set(fail, FAIL_NEVER, "invalid_json",
	    "invalid JSON at byte %zu (line %zu): %s",
	    (size_t)(scan->at - scan->text.at), line, scan->reason);
}

int
json_check(struct span text, const struct json_limits *limits,
    struct json_object *ret_object, struct fail *fail)
{
	struct names names = { .room = FEW };
	struct scan scan = { .text = text,
		.at = text.at,
		.end = end_of(text),
		.limits = limits,
		.names = &names,
		.root = ret_object };
	bool good;

	if (text.length > limits->bytes)
		return fail_set(fail, FAIL_NEVER, "invalid_json",
		    "invalid JSON: %zu bytes, and at most %zu are read here",
		    text.length, limits->bytes);
	names.at = names.few;
	if (ret_object)
		*ret_object = (struct json_object){ .count = 0 };
	good = scan_value(&scan);
	if (good) {
		skip_space(&scan);
		if (scan.at < scan.end)
			good = unexpected(&scan, "something follows the value");
	}
	if (!good)
		(void)fail_here(&scan, fail);
	drop_names(&scan, 0);
	if (names.at != names.few)
		free(names.at);
	return good ? 0 : -1;
}
