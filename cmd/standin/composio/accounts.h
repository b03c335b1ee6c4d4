/* SPDX-License-Identifier: ISC */
/*
 * accounts: the users' connections, and whether they are still active.
 * The caller holds the stand-in's lock.
 */
#ifndef CMD_STANDIN_COMPOSIO_ACCOUNTS_H
#define CMD_STANDIN_COMPOSIO_ACCOUNTS_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/fail.h"

struct account {
	char *id, *user, *toolkit, *auth_config, *alias, *reason, *token;
	const char *status; /* as it is now */
	bool disabled;
	int64_t made; /* wall time */
	/* After this many executed calls it becomes LATER; -1: never. */
	int64_t after_calls, calls;
	const char *later, *later_reason;
};

struct accounts;

/* The section "accounts" of SCRIPT, which must live longer. */
int
accounts_new(const cJSON *script, struct accounts **ret_accounts,
    struct fail *fail);

void
accounts_free(struct accounts *accounts); /* NULL is fine */

struct account *
accounts_at(struct accounts *accounts, size_t index); /* or NULL */

struct account *
accounts_find(struct accounts *accounts, const char *id);

/* Whether the account is USER's; one of the user "*" is everybody's. */
bool
account_of(const struct account *account, const char *user);

/* The newest ACTIVE account of USER with TOOLKIT, or NULL. */
struct account *
accounts_active(struct accounts *accounts, const char *user,
    const char *toolkit);

/* A new one, INITIALIZING, with a token for its link. */
struct account *
accounts_link(struct accounts *accounts, const char *user, const char *toolkit,
    const char *auth_config);

/* Opens the link: its account becomes ACTIVE. NULL when there is
 * no such token. */
struct account *
accounts_connect(struct accounts *accounts, const char *token);

/* Counts a call, after which the account may change to its later status. */
void
account_called(struct account *account);

/* As GET /connected_accounts/{id} gives it; the caller frees. */
cJSON *
account_json(const struct account *account, bool whole);

#endif
