/* SPDX-License-Identifier: ISC */
/*
 * composio: what the stand-in's Composio is made of. The caller holds the
 * stand-in's lock for accounts, and while it adds to the ledger.
 *
 * accounts: the users' connections, and whether they are still active.
 *
 * catalogue: the tools that can be executed, built in or from the script.
 *
 * ledger: every tool call that was executed, one JSON object a line:
 * {"n","tool","user","account","arguments","read_only","times"}. "times" is
 * how often the same call (tool, user, arguments) had been executed by then:
 * more than 1 in a tool that is not read-only is a repeat.
 */
#ifndef CMD_STANDIN_COMPOSIO_COMPOSIO_H
#define CMD_STANDIN_COMPOSIO_COMPOSIO_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/standin/tools/tools.h"
#include "common/base/buf.h"
#include "common/base/fail.h"

struct account {
	char *id, *user, *toolkit, *auth_config, *alias, *reason, *token;
	const char *scope;  /* what it grants; NULL: not known */
	char *url;          /* of its link, as long as that was not opened */
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

/* A new one, INITIALIZING, with a link below BASE; ALIAS may be NULL. */
struct account *
accounts_link(struct accounts *accounts, const char *user, const char *toolkit,
    const char *auth_config, const char *base, const char *alias);

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

struct tool {
	const char *slug, *name, *description, *toolkit, *version;
	bool read_only, idempotent, destructive, no_auth, deprecated;
	tool_run *run;               /* of a built-in tool, or NULL */
	cJSON *input;                /* a JSON Schema */
	const cJSON *scopes;         /* scope_requirements, or NULL */
	const cJSON *result, *error; /* templates of the script's */
};

struct catalogue;

/* The built-in tools and the section "tools" of SCRIPT, which must live
 * longer. A tool of the script's hides a built-in one of the same slug. */
int
catalogue_new(const cJSON *script, struct catalogue **ret_catalogue,
    struct fail *fail);

void
catalogue_free(struct catalogue *catalogue); /* NULL is fine */

const struct tool *
catalogue_find(const struct catalogue *catalogue, const char *slug);

const struct tool *
catalogue_at(const struct catalogue *catalogue, size_t index);

/* The name of a toolkit for people; borrowed. NULL when no tool is of it. */
const char *
catalogue_toolkit(const struct catalogue *catalogue, const char *slug);

/* Whether the arguments fit the tool's schema: what is required is there, and
 * types and enums are right. False and an ERROR in a provider's words. */
bool
catalogue_check(const struct tool *tool, const cJSON *arguments,
    char error[300]);

/* As GET /tools gives it; the caller frees. */
cJSON *
catalogue_json(const struct catalogue *catalogue, const struct tool *tool);

struct catalogue_builtin {
	const char *slug, *name, *toolkit, *version, *description;
	const char *input;    /* JSON of the schema's "properties" */
	const char *required; /* JSON */
	bool read_only, idempotent;
	tool_run *run;
};

/* Ends with a NULL slug. In catalogue_builtin.c. */
extern const struct catalogue_builtin catalogue_builtins[];

struct ledger;

/* Goes on where the file PATH ends; NULL: nothing is written. */
int
ledger_open(const char *path, struct ledger **ret_ledger, struct fail *fail);

void
ledger_close(struct ledger *ledger); /* NULL is fine */

/* One write(2) before it returns. Not for two threads at once. */
int
ledger_add(struct ledger *ledger, const char *tool, const char *user,
    const char *account, const cJSON *arguments, bool read_only,
    struct fail *fail);

/* A summary of the ledger at PATH, one line per tool, as text or as JSON.
 * A cut last line is ignored. */
int
ledger_summary(const char *path, bool human, struct buf *buf,
    struct fail *fail);

#endif
