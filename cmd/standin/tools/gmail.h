/* SPDX-License-Identifier: ISC */
/*
 * gmail: the Gmail tools on a mailbox. Drafts and label changes are stored;
 * every user has drafts of their own, and all see the same mailbox. The caller
 * holds the stand-in's lock.
 */
#ifndef CMD_STANDIN_TOOLS_GMAIL_H
#define CMD_STANDIN_TOOLS_GMAIL_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "cmd/standin/tools/mailbox.h"
#include "cmd/standin/tools/records.h"

struct gmail {
	struct mailbox *mailbox;
	struct records *drafts;
};

/* Runs the tool SLUG. False when it is not one of Gmail's. Otherwise *RET_DATA
 * is its data (the caller frees), or NULL and ERROR is filled. */
bool
gmail_run(const struct gmail *gmail, const char *slug, const char *user,
    const cJSON *arguments, cJSON **ret_data, char error[300]);

/* Whether a message is found by a query in Gmail's search syntax: in:, is:,
 * label:, from:, to:, subject:, newer_than:, older_than:, after:, before:,
 * has:attachment, words, "quoted words", and - in front of any of them. NOW is
 * the time that newer_than and older_than count from. */
bool
gmail_query_matches(const char *query, const struct mail *mail, int64_t now);

#endif
