/* SPDX-License-Identifier: ISC */
/*
 * json: the one parser for all JSON input. It refuses anything that two readers
 * could understand in two ways. Text that has passed is read in place (span.h);
 * trees, where they are needed, are cJSON's.
 */
#ifndef COMMON_JSON_JSON_H
#define COMMON_JSON_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/fail.h"
#include "common/json/span.h"

struct json_limits {
	size_t bytes;   /* of the text */
	size_t depth;   /* of arrays and objects */
	size_t members; /* of one object or array */
};

extern const struct json_limits json_limits_task;     /* 1 MiB, 32, 4096 */
extern const struct json_limits json_limits_upstream; /* 64 MiB, 200, 1e6 */

/* Judges the whole text, white space around one value allowed. Refused with
 * FAIL_NEVER, type "invalid_json", the message naming the byte where it can:
 * invalid UTF-8, a NUL byte or \u0000, a lone surrogate, a duplicate member,
 * numbers that are not finite, anything after the value, a limit passed.
 * RET_OBJECT (NULL: not wanted) gets the members of an object, none of another
 * value. */
int
json_check(struct span text, const struct json_limits *limits,
    struct json_object *ret_object, struct fail *fail);

/* As json_check, and builds the tree. The caller frees with cJSON_Delete. */
cJSON *
json_parse(const char *text, size_t length, const struct json_limits *limits,
    struct fail *fail);

/* Changes TEXT in place without moving any byte, because services pass on text
 * of others (half of an emoji where a text was cut, a zero byte from a mail),
 * and a whole answer must not be lost for that: escapes of a zero byte and of
 * lone surrogates become \ufffd, bytes that are not UTF-8 become '?', and line
 * breaks become spaces, so that it can be a line of a journal. Text without
 * any of these stays as it is. */
void
json_repair(char *text, size_t length);

/* As json_check, but a TEXT that needs it is repaired: it is then a copy, also
 * in *ret_copy, which the caller frees; else that is NULL. */
int
json_check_repaired(struct span *text, const struct json_limits *limits,
    struct json_object *ret_object, char **ret_copy, struct fail *fail);

/* As json_object, for an answer that is almost JSON: numbers that JSON does not
 * know (NaN, Infinity, 1e400, very long ones), names that are there twice, control
 * characters in strings, a byte order mark, any depth up to 1000. The values are
 * pieces of *ret_copy, which the caller frees: they are as they came, but
 * repaired, and may be no JSON. */
bool
json_object_loose(struct span text, struct json_object *ret_object,
    char **ret_copy);

/* The tree of VALUE, raw JSON of judged text; NULL when its length is 0. The
 * caller frees with cJSON_Delete. */
cJSON *
json_tree(struct span value);

/* As json_tree; a number of more digits than a double holds becomes cJSON_Raw,
 * which json_text writes as it was. */
cJSON *
json_tree_exact(struct span value);

/* The member NAME, or NULL when OBJECT is NULL, no object, or has none. */
cJSON *
json_item(const cJSON *object, const char *name);

/* The string member NAME, or NULL when it is missing or not a string. */
const char *
json_string(const cJSON *object, const char *name);

#define JSON_WHOLE_MAX 9007199254740992.0 /* 2^53 */

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

/* The name in NAMES (ends with NULL) nearest to WORD by edit distance, for
 * "did you mean"; NULL when none is near. */
const char *
json_nearest(const char *word, const char *const *names);

#endif
