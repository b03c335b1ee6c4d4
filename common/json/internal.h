/* SPDX-License-Identifier: ISC */
/*
 * json_internal: the scanner, as the other files of this folder need it.
 */
#ifndef COMMON_JSON_INTERNAL_H
#define COMMON_JSON_INTERNAL_H

#include "common/json/json.h"

/* The end of the JSON value that begins at AT, or NULL when none does. */
const char *
json_value_end(const char *at, const char *end);

/* How many bytes from AT on are ASCII that stands for itself in a string of
 * JSON: no control character, no quote and no backslash. */
size_t
json_plain(const char *at, size_t length);

/* Copies RAW, the inside of a string of judged text, to OUT, which has room for
 * as many bytes or is RAW itself, and resolves the escapes. Returns the length
 * of what is in OUT. */
size_t
json_unescape(struct span raw, char *out);

#endif
