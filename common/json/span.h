/* SPDX-License-Identifier: ISC */
/*
 * span: raw JSON, read where it stands. A span is a piece of somebody else's
 * text and lives as long as that does. What must go back byte for byte (what
 * the model's API sent) is cut by spans and never printed anew; of a large
 * text only what is looked into is decoded.
 *
 *	struct json_object object;
 *
 *	if (json_check(text, &json_limits_upstream, &object, fail) < 0)
 *		return -1;
 *	if (json_is(json_get(&object, "type"), "error"))
 *		message = json_decode(json_get(&object, "message"));
 */
#ifndef COMMON_JSON_SPAN_H
#define COMMON_JSON_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"

struct span {
	const char *at;
	size_t length;
};

#define JSON_INDEXED 16 /* what no object of ours has more of */

/* Where the members of an object stand. The first JSON_INDEXED are found by
 * their names, others (REST, from one of them on) by going through the text. */
struct json_object {
	bool escaped; /* a name may have an escape */
	size_t count;
	struct {
		struct span name; /* raw, without the quotes */
		struct span value;
	} at[JSON_INDEXED];
	struct span rest;
};

/* False when TEXT does not begin with an object. Of one that is cut off
 * *ret_object has the members that are whole. */
bool
json_object(struct span text, struct json_object *ret_object);

/* The raw value of the member NAME, compared decoded; of length 0 when there
 * is none. The functions below take that for a value of another type. */
struct span
json_get(const struct json_object *object, const char *name);

/* Whether VALUE is a string, and that string is STRING when it is decoded. */
bool
json_is(struct span value, const char *string);

/* The string, decoded; the caller frees. NULL when VALUE is no string. */
char *
json_decode(struct span value);

/* Whether VALUE is a number that is an integer with |n| <= 2^53. */
bool
json_whole(struct span value, int64_t *ret_number);

/* The raw text of the member NAME of the object TEXT; false when TEXT is not
 * an object or has no such member. Names are compared decoded. */
bool
json_member(struct span text, const char *name, struct span *ret_value);

/* As json_member, for a TEXT that was cut off: the value and all that follows
 * it, to the end of what there is. */
bool
json_member_rest(struct span text, const char *name, struct span *ret_rest);

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

/* Copies the value TEXT to BUF, without white space between its tokens, and of
 * members of one object that have the same name only the last. False, and
 * nothing added, when TEXT is not one value by the grammar alone. */
bool
json_keep_last(struct buf *buf, struct span text);

#endif
