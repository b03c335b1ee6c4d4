/* SPDX-License-Identifier: ISC */
/*
 * build: JSON values, written as the JSON that they are.
 */
#ifndef CMD_STANDIN_BUILD_H
#define CMD_STANDIN_BUILD_H

#include <cjson/cJSON.h>

/* The value that PATTERN shows: JSON without white space, with ' for " and
 * without escapes, its strings under 80 bytes, in which a value may be
 *	%s	a string; null for NULL
 *	%n	a whole number, an int64_t
 *	%b	a boolean
 *	%j	a cJSON, which is taken over; null for NULL
 * The caller frees. */
cJSON *
build(const char *pattern, ...);

#endif
