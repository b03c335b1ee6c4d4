/* SPDX-License-Identifier: ISC */
/*
 * json_internal: the check of a text before cJSON sees it. Only for json.c.
 */
#ifndef COMMON_JSON_INTERNAL_H
#define COMMON_JSON_INTERNAL_H

#include "common/json/json.h"

/* Checks what json_parse promises about the encoding, the spelling of strings
 * and numbers, white space, depth and the number of members, without
 * recursion. It does not check the grammar of arrays and objects. */
int
json_scan(const char *text, size_t length, const struct json_limits *limits,
    struct fail *fail);

/* Fills FAIL with where OFFSET is and the reason. Returns -1. */
int
json_refuse(const char *text, size_t offset, const char *reason,
    struct fail *fail);

#endif
