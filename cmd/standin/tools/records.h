/* SPDX-License-Identifier: ISC */
/*
 * records: what users have made with a tool, oldest first: Gmail's drafts,
 * Linear's issues. The caller holds the stand-in's lock.
 */
#ifndef CMD_STANDIN_TOOLS_RECORDS_H
#define CMD_STANDIN_TOOLS_RECORDS_H

#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdint.h>

struct record {
	size_t number; /* from 1, among those of all users */
	char *user;
	int64_t date;
	cJSON *arguments; /* of the call that made it */
};

struct records;

struct records *
records_new(void);

void
records_free(struct records *records); /* NULL is fine */

/* USER and ARGUMENTS are copied. */
const struct record *
records_add(struct records *records, const char *user, int64_t date,
    const cJSON *arguments);

/* How many USER has, and the one that is INDEX behind the newest, or NULL. */
size_t
records_count(const struct records *records, const char *user);

const struct record *
records_newest(const struct records *records, const char *user, size_t index);

/* All, for the state file; and back. */
cJSON *
records_save(const struct records *records);

void
records_restore(struct records *records, const cJSON *saved);

#endif
