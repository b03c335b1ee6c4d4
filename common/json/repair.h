/* SPDX-License-Identifier: ISC */
/*
 * repair: makes the JSON text of a service acceptable to json_parse. Pure.
 *
 * Services pass on text of others: half of an emoji where a text was cut, or a
 * zero byte from a mail. A whole answer must not be lost because of that.
 */
#ifndef COMMON_JSON_REPAIR_H
#define COMMON_JSON_REPAIR_H

#include <stddef.h>

#include "common/json/json.h"

/* Changes TEXT in place without moving any byte: escapes of a zero byte and of
 * lone surrogates become \ufffd, bytes that are not UTF-8 become '?', and line
 * breaks become spaces, so that it can be a line of a journal. Text without
 * any of these stays as it is. */
void
repair_json(char *text, size_t length);

/* As json_check, but a TEXT that needs it is repaired: it is then a copy, also
 * in *ret_copy, which the caller frees; else that is NULL. */
int
repair_check(struct span *text, const struct json_limits *limits,
    struct json_object *ret_object, char **ret_copy, struct fail *fail);

#endif
