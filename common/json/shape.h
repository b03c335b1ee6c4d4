/* SPDX-License-Identifier: ISC */
/*
 * shape: checks whether a value that a person wrote has the right type and
 * size, and reports a wrong one by its path. Pure.
 *
 * PATH is the name by which a person finds the value ("budget.turns",
 * "tools[2]"); "" is the whole document. VALUE NULL is a missing member. A
 * wrong value is FAIL_NEVER, type "invalid_value" (which the caller replaces
 * by its own type); the message says what the value must be and what it is.
 */
#ifndef COMMON_JSON_SHAPE_H
#define COMMON_JSON_SHAPE_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/fail.h"

#define SHAPE_PATH 200 /* room for a path */

/* Fills FAIL: "PATH must be ..., not ...". FORMAT is what it must be. -1. */
int
shape_refuse(struct fail *fail, const cJSON *value, const char *path,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

/* An object with no members but KNOWN (ends with NULL; KNOWN NULL: any); the
 * message names an unknown one, and the nearest known one. */
int
shape_object(const cJSON *value, const char *path, const char *const *known,
    struct fail *fail);

int
shape_integer(const cJSON *value, const char *path, int64_t least, int64_t most,
    int64_t *ret_number, struct fail *fail);

/* A number from LEAST to MOST that is a whole number of SCALEths, given back
 * as that whole number: 0.25 with scale 1000 gives 250. */
int
shape_decimal(const cJSON *value, const char *path, double least, double most,
    int64_t scale, int64_t *ret_scaled, struct fail *fail);

int
shape_boolean(const cJSON *value, const char *path, bool *ret_value,
    struct fail *fail);

/* A string of LEAST to MOST bytes for which FINE (NULL: any) is true; MUST
 * describes such strings for the message. */
int
shape_string(const cJSON *value, const char *path, size_t least, size_t most,
    bool (*fine)(const char *text), const char *must, const char **ret_string,
    struct fail *fail);

/* One of CHOICES (ends with NULL); gives its index. */
int
shape_choice(const cJSON *value, const char *path, const char *const *choices,
    size_t *ret_index, struct fail *fail);

#endif
