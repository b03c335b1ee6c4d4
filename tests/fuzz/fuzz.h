/* SPDX-License-Identifier: ISC */
/*
 * fuzz: what the entries of the parsers share. fuzz_NAME.c is one entry and
 * corpus/NAME has its seeds. scripts/fuzz links it with libFuzzer; replay.c
 * makes it a unit test. What an entry insists on is asserted.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/fail.h"
#include "common/json/json.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The next line of *REST, which becomes what follows it; the caller frees. */
char *
fuzz_line(struct span *rest);

/* The path of a file with these bytes, until the next call. */
const char *
fuzz_file(const void *bytes, size_t size);

/* Insists on FAIL_NEVER and this type. */
void
fuzz_never(const struct fail *fail, const char *type);

/* Insists that TEXT is JSON; the value, which the caller frees. */
cJSON *
fuzz_json(const char *text, size_t length);

/* Whether two strings are the same; NULL is like nothing but itself. */
bool
fuzz_same(const char *one, const char *other);

#endif
