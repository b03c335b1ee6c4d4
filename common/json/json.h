/* SPDX-License-Identifier: ISC */
/*
 * json: the one parser for all JSON input, and functions for raw JSON as bytes.
 *
 * cJSON is the toolkit's value type. json_parse is stricter than cJSON:
 * anything that two readers could understand in two ways is refused.
 *
 * What the model's API sends must go back byte for byte, so it is kept as
 * text and cut by spans: a span is a piece of text that another owns. The spans
 * are found with cJSON's own tokenizer, so they are valid JSON values.
 */
#ifndef COMMON_JSON_JSON_H
#define COMMON_JSON_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/fail.h"

struct json_limits {
	size_t bytes;   /* of the text */
	size_t depth;   /* of arrays and objects */
	size_t members; /* of one object or array */
};

extern const struct json_limits json_limits_task;     /* 1 MiB, 32, 4096 */
extern const struct json_limits json_limits_upstream; /* 64 MiB, 200, 1e6 */

/* Parses the whole text, white space around one value allowed. Refused with
 * FAIL_NEVER, type "invalid_json", the message naming the byte where it can:
 * invalid UTF-8, a NUL byte or \u0000, a lone surrogate, a duplicate member,
 * numbers that are not finite, anything after the value, a limit passed. The
 * caller frees with cJSON_Delete. */
cJSON *
json_parse(const char *text, size_t length, const struct json_limits *limits,
    struct fail *fail);

/* The string member NAME, or NULL when it is missing or not a string. */
const char *
json_string(const cJSON *object, const char *name);

/* The number member NAME when it is an integer with |n| <= 2^53. */
bool
json_integer(const cJSON *object, const char *name, int64_t *ret_number);

bool
json_true(const cJSON *object, const char *name); /* false when missing */

/* The value as text without white space; the caller frees. */
char *
json_text(const cJSON *value);

/* Adds a string literal, quotes included. Invalid UTF-8 becomes U+FFFD. */
void
json_quote(struct buf *buf, const char *string, size_t length);

/* Whether the bytes are UTF-8 as RFC 3629 has it. */
bool
json_utf8(const char *bytes, size_t length);

struct span {
	const char *at;
	size_t length;
};

/* The raw text of the member NAME of the object TEXT; false when TEXT is not
 * an object or has no such member. Names are compared decoded. */
bool
json_member(struct span text, const char *name, struct span *ret_value);

/* Walks an array: ARRAY is the whole array at first, and on each call becomes
 * what is left. False at the end. */
bool
json_element(struct span *array, struct span *ret_value);

/* Copies the object TEXT to BUF with the member NAME set to VALUE (raw JSON):
 * in its place when it is there, else at the end; every other byte as it is.
 * False, and nothing added, when TEXT is not an object. */
bool
json_splice(struct buf *buf, struct span text, const char *name,
    struct span value);

/* The name in NAMES (ends with NULL) nearest to WORD by edit distance, for
 * "did you mean"; NULL when none is near. */
const char *
json_nearest(const char *word, const char *const *names);

#endif
