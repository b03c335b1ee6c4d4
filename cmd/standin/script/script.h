/* SPDX-License-Identifier: ISC */
/*
 * script: the file that says how the stand-in behaves; agent-standin(5).
 *
 * The modules read their own sections of it; this one reads the file, refuses
 * unknown members, and has the helpers for reading sections.
 */
#ifndef CMD_STANDIN_SCRIPT_SCRIPT_H
#define CMD_STANDIN_SCRIPT_SCRIPT_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/fail.h"

#define DELAY_MOST 86400000 /* milliseconds */

/* The whole document, an object with known members only; the caller frees. */
cJSON *
script_read(const char *path, struct fail *fail);

/* FAIL_NEVER when OBJECT is not an object or has a member that is not in NAMES
 * (ends with NULL). WHERE names it in the message: "model rule 3". */
int
script_known(const cJSON *object, const char *const *names, const char *where,
    struct fail *fail);

/* A member, and what it sets; what it sets stays as it was when the member is
 * missing, but for values and flags. A table ends with a name of NULL. */
struct script_member {
	const char *name;
	const char **text; /* borrowed from the script */
	int64_t *number, least, most;
	bool *flag;
	const cJSON **value; /* of any type; NULL when missing */
};

/* As script_known for the names of MEMBERS (at most 20), and reads them. */
int
script_members(const cJSON *object, const struct script_member *members,
    const char *where, struct fail *fail);

/* Room, zeroed, for as many structs of SIZE as LIST has, and one more. */
void *
script_list(const cJSON *list, size_t size);

/* Fills FAIL with FAIL_NEVER and returns -1. */
int
script_refuse(struct fail *fail, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Adds to the message of FAIL which of NAMES was perhaps meant; -1. */
int
script_hint(const char *word, const char *const *names, struct fail *fail);

/* The member as a whole number in [least, most]; FALLBACK when missing. */
int
script_number(const cJSON *object, const char *name, int64_t least,
    int64_t most, int64_t fallback, int64_t *ret_number, const char *where,
    struct fail *fail);

/* The member as a string, or FALLBACK when missing; borrowed. */
int
script_string(const cJSON *object, const char *name, const char *fallback,
    const char **ret_string, const char *where, struct fail *fail);

struct script_range { /* 3, or {from: 2, to: 5}, both ends included */
	int64_t from, to;
};

/* All numbers when VALUE is NULL. */
int
script_range(const cJSON *value, struct script_range *ret_range,
    const char *where, struct fail *fail);

bool
script_in_range(const struct script_range *range, int64_t number);

/* Whether NAME matches the shell pattern GLOB. */
bool
script_glob(const char *glob, const char *name);

/* The latency of TOOL before and after it is executed, or of "messages". */
void
script_latency(const cJSON *script, const char *tool, int64_t *ret_before,
    int64_t *ret_after);

#endif
