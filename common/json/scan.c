/* SPDX-License-Identifier: ISC */
/*
 * cJSON is lenient: it accepts any control character as white space and in
 * strings, reads 01 and 1. as numbers, ends a string at \u0000 and nests until
 * its own limit. So a text is first scanned as tokens, with a counter for each
 * open array or object. cJSON checks whether the order of the tokens is valid.
 */
#include "common/json/internal.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/hex.h"
#include "common/base/mem.h"
#include "common/base/utf8.h"

#define USUAL_DEPTH 256 /* of limits that need no memory */

struct scan {
	const char *text;
	size_t length, at;
	const char *reason; /* why not, when a function returned false */
};

int
json_refuse(const char *text, size_t offset, const char *reason,
    struct fail *fail)
{
	size_t line = 1, i;

	for (i = 0; i < offset; i++)
		if (text[i] == '\n')
			line++;
	return fail_set(fail, FAIL_NEVER, "invalid_json",
	    "invalid JSON at byte %zu (line %zu): %s", offset, line, reason);
}

static bool
refuse(struct scan *scan, const char *reason)
{
	scan->reason = reason;
	return false;
}

/* Reads the four digits behind \u and moves behind them. */
static bool
scan_hex(struct scan *scan, unsigned *ret_unit)
{
	unsigned unit = 0, i;
	int digit;

	for (i = 0; i < 4; i++) {
		digit = scan->at < scan->length
		    ? hex_number(scan->text + scan->at, 1)
		    : -1;
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
	unsigned unit = 0, second = 0;
	size_t start = scan->at;
	char c = start + 1 < scan->length ? scan->text[start + 1] : 0;

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
	if (unit < 0xdc00 && scan->length - scan->at >= 6 &&
	    scan->text[scan->at] == '\\' && scan->text[scan->at + 1] == 'u') {
		scan->at += 2;
		if (!scan_hex(scan, &second))
			return false;
		if (second >= 0xdc00 && second <= 0xdfff)
			return true;
	}
	scan->at = start;
	return refuse(scan, "half of a surrogate pair in a string");
}

/* Begins behind the opening quote. */
static bool
scan_string(struct scan *scan)
{
	unsigned char c;
	size_t step;

	while (scan->at < scan->length) {
		c = (unsigned char)scan->text[scan->at];
		if (c == '"') {
			scan->at++;
			return true;
		}
		if (c == '\\') {
			if (!scan_escape(scan))
				return false;
		} else if (c < 0x20)
			return refuse(scan,
			    c == 0
				? "a NUL byte in a string"
				: "a control character in a string: escape it");
		else if (c < 0x80)
			scan->at++;
		else {
			step = utf8_step(scan->text + scan->at,
			    scan->length - scan->at);
			if (step == 0)
				return refuse(scan, "not UTF-8");
			scan->at += step;
		}
	}
	return refuse(scan, "a string does not end");
}

static size_t
scan_digits(struct scan *scan)
{
	size_t start = scan->at;

	while (scan->at < scan->length && scan->text[scan->at] >= '0' &&
	    scan->text[scan->at] <= '9')
		scan->at++;
	return scan->at - start;
}

static bool
scan_is(const struct scan *scan, const char *set)
{
	return scan->at < scan->length && scan->text[scan->at] != '\0' &&
	    strchr(set, scan->text[scan->at]);
}

static bool
scan_number(struct scan *scan)
{
	static const char reason[] = "a number that JSON does not know";
	size_t start = scan->at;

	if (scan_is(scan, "-"))
		scan->at++;
	if (scan_is(scan, "0"))
		scan->at++;
	else if (scan_digits(scan) == 0)
		return refuse(scan, reason);
	if (scan_is(scan, ".")) {
		scan->at++;
		if (scan_digits(scan) == 0)
			return refuse(scan, reason);
	}
	if (scan_is(scan, "eE")) {
		scan->at++;
		if (scan_is(scan, "+-"))
			scan->at++;
		if (scan_digits(scan) == 0)
			return refuse(scan, reason);
	}
	if (scan_is(scan, "0123456789.eE+-"))
		return refuse(scan, reason);
	/* cJSON reads no more than that. */
	if (scan->at - start > 63) {
		scan->at = start;
		return refuse(scan, "a number of more than 63 characters");
	}
	return true;
}

/* A token that is not a bracket, comma, colon or white space. */
static bool
scan_token(struct scan *scan)
{
	static const char *const words[] = { "true", "false", "null" };
	size_t i, size;

	if (scan_is(scan, "\"")) {
		scan->at++;
		return scan_string(scan);
	}
	if (scan_is(scan, "-0123456789"))
		return scan_number(scan);
	for (i = 0; i < sizeof words / sizeof words[0]; i++) {
		size = strlen(words[i]);
		if (scan->length - scan->at >= size &&
		    memcmp(scan->text + scan->at, words[i], size) == 0) {
			scan->at += size;
			return true;
		}
	}
	if (scan->length - scan->at >= 3 &&
	    memcmp(scan->text + scan->at, "\xef\xbb\xbf", 3) == 0)
		return refuse(scan, "a byte order mark");
	if (scan->text[scan->at] == '\0')
		return refuse(scan, "a NUL byte");
	return refuse(scan, "no value begins like this");
}

static bool
scan_all(struct scan *scan, const struct json_limits *limits, size_t *commas)
{
	size_t depth = 0;

	while (scan->at < scan->length) {
		switch (scan->text[scan->at]) {
		case '[':
		case '{':
			if (depth == limits->depth)
				return refuse(scan, "nested too deep");
			commas[depth++] = 0;
			scan->at++;
			break;
		case ']':
		case '}':
			if (depth == 0)
				return refuse(scan, "a bracket too many");
			depth--;
			scan->at++;
			break;
		case ',':
			if (depth == 0)
				return refuse(scan, "a comma too many");
			if (++commas[depth - 1] >= limits->members)
				return refuse(scan,
				    "an array or object of too "
				    "many members");
			scan->at++;
			break;
		case ':':
		case ' ':
		case '\t':
		case '\n':
		case '\r':
			scan->at++;
			break;
		default:
			if (!scan_token(scan))
				return false;
		}
	}
	if (depth > 0)
		return refuse(scan, "an array or object does not end");
	return true;
}

int
json_scan(const char *text, size_t length, const struct json_limits *limits,
    struct fail *fail)
{
	struct scan scan = { .text = text, .length = length };
	size_t usual[USUAL_DEPTH], *commas = usual;
	int result = 0;

	if (limits->depth > USUAL_DEPTH)
		commas = mem_grow(NULL, limits->depth, sizeof *commas);
	if (!scan_all(&scan, limits, commas))
		result = json_refuse(text, scan.at, scan.reason, fail);
	if (commas != usual)
		free(commas);
	return result;
}
