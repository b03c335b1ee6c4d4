/* SPDX-License-Identifier: ISC */
/*
 * tools: the built-in tools, and what users have made with them. The caller
 * holds the stand-in's lock.
 */
#ifndef CMD_STANDIN_TOOLS_TOOLS_H
#define CMD_STANDIN_TOOLS_TOOLS_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/standin/tools/mailbox.h"
#include "common/base/fail.h"

struct standin;

struct tool_call {
	struct standin *standin;
	const char *user;
	const cJSON *arguments; /* they fit the tool's schema */
	char error[300];        /* in the provider's words */
};

/* Fills the error and returns NULL. */
cJSON *
tool_refuse(struct tool_call *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Executes a tool: its data (the caller frees), or NULL and the error. */
typedef cJSON *
tool_run(struct tool_call *call);

/* Gmail, on the mailbox. Drafts and label changes are stored; every user has
 * drafts of their own, and all see the same mailbox. */
tool_run gmail_fetch, gmail_fetch_one, gmail_change_labels, gmail_create_draft,
    gmail_list_drafts, gmail_profile;

/* Linear. Every user has issues of their own. */
tool_run linear_list_teams, linear_create_issue, linear_list_issues,
    linear_current_user;

tool_run hackernews_user;

/* Whether a message is found by a query in Gmail's search syntax: in:, is:,
 * label:, from:, to:, subject:, newer_than:, older_than:, after:, before:,
 * has:attachment, words, "quoted words", and - in front of any of them. NOW is
 * the time that newer_than and older_than count from. */
bool
gmail_query_matches(const char *query, const struct mail *mail, int64_t now);

struct linear;

/* The section "teams" of SCRIPT, which must live longer; one team
 * "Engineering" when it has none. */
int
linear_new(const cJSON *script, struct linear **ret_linear, struct fail *fail);

void
linear_free(struct linear *linear); /* NULL is fine */

/* What users have made with a tool, oldest first: Gmail's drafts, Linear's
 * issues. */
struct records;

struct record {
	size_t number; /* from 1, among those of all users */
	char *user;
	int64_t date;
	cJSON *arguments; /* of the call that made it */
};

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
