/* SPDX-License-Identifier: ISC */
/*
 * preflight: decides from facts whether a task can run, and gives its pins or
 * the reasons. Pure. provider/tools.h gathers the facts from the providers of
 * tools, each of which adds its own:
 *
 *	{"tools":[{"provider":"composio","name":"GMAIL_FETCH_EMAILS",
 *	   "toolkit":"gmail","version":"20261101_00","description":TEXT,
 *	   "input_schema":{...},
 *	   "hints":{"read_only":true,"idempotent":true,"destructive":true},
 *	   "needs_connection":true,"important":true,"deprecated":true,
 *	   "scopes":[["gmail.compose","mail.google.com"]]}, ...],
 *	 "missing_tools":{"NAME":ADVICE, ...},
 *	 "toolkits":{"gmail":{"provider":"composio","found":true,
 *	     "connection":{"state":"active","account":"ca_1",
 *	       "scopes":["gmail.readonly"]}},
 *	   "linear":{"provider":"composio","found":true,
 *	     "connection":{"state":"missing","message":TEXT,"link":TEXT,...}},
 *	   "news":{"provider":"composio","found":true},
 *	   "nosuch":{"provider":"composio","found":false,"advice":TEXT}},
 *	 "model":{"found":true,"max_tokens":128000}}
 *
 * The model may be missing, or without what is not known of it, and then is
 * not judged; one that is not found has an advice. A tool may be without its
 * description, and what is not true may be left out. missing_tools has the
 * names in the task for which there is no tool, and what a person can do then.
 * A toolkit without a connection needs none. One that is not active goes into
 * the reasons as "connection_STATE" with all its members; its link is what the
 * provider makes a link from, which lets a person connect; without it, no link
 * helps. "open" beside it is a link that is there already,
 * {"url","expires_at","account"}. An active one has "choices":
 * [{"account","alias","word_id"}, ...] when several accounts are live, and
 * "scopes", when it is known what the account grants: one of each list of a
 * tool's scopes has to be among them.
 */
#ifndef COMMON_AGENT_PREFLIGHT_H
#define COMMON_AGENT_PREFLIGHT_H

#include <cjson/cJSON.h>

#include "common/agent/config.h"
#include "common/agent/task.h"
#include "common/base/buf.h"
#include "common/base/fail.h"

struct preflight_link { /* a connection that a person can make */
	char provider[64], toolkit[128];
	char from[128];                   /* the "link" of the facts */
	char alias[TASK_ACCOUNT_MAX + 1]; /* for the new account, or "" */
	cJSON *open;                      /* the "open" of the facts, or NULL */
	size_t reason;                    /* its index in reasons */
};

struct preflight {
	cJSON *reasons;  /* array of {"type","message","toolkit"|"tool",...},
	                        * every one, in a stable order; empty: it passed */
	cJSON *warnings; /* array of {"type","message","about"}: what the task
	                  * will do without */
	struct preflight_link *links;
	size_t link_count;
	struct buf pins; /* members of "pinned" when it passed */
	cJSON *accounts; /* {"gmail":"ca_1"}: chosen, when it passed */
	cJSON *owners;   /* {"gmail":"ana@example.net"}: whose they are, where
	                  * a probe has told it */
	cJSON *choices;  /* {"gmail":[{"account","alias","word_id"},...]}: of
	                  * toolkits with several live accounts */
	cJSON *tools;    /* ["NAME",...]: likewise */
};

/* Facts to add to; the caller frees. */
cJSON *
preflight_no_facts(void);

/* Returns 0 with RET filled, whether the task passed or not; -1 when the facts
 * do not have the shape above (FAIL_NOT_NOW, type "upstream"), so that no task
 * passes on missing facts. */
int
preflight_check(const struct task *task, const struct config *config,
    const cJSON *facts, struct preflight *ret, struct fail *fail);

/* Checks only whether each toolkit of TASK is connected, or without any, each
 * of the facts: reasons, links, accounts and choices as above, no
 * pins; of several live accounts it is the one connected last. TASK is one of task_connections. */
int
preflight_connections(const struct task *task, const cJSON *facts,
    struct preflight *ret, struct fail *fail);

/* What came of looking up the accounts of TASK's one toolkit: adds the members
 * of the event "account" to BUF. FACTS are NULL when they could not be had,
 * which WHY tells. As long as ACCOUNT is live, it is not replaced. */
void
preflight_account(const struct task *task, const cJSON *facts,
    const struct fail *why, const char *account, struct buf *buf);

/* The reason why TOOLKIT cannot be used, or NULL; borrowed from PREFLIGHT. */
const cJSON *
preflight_reason(const struct preflight *preflight, const char *toolkit);

/* Adds the reason, MESSAGE, that the account which RET chose for TOOLKIT is
 * refused by its own service, and the wish for a link. */
void
preflight_refused(const struct task *task, const cJSON *facts,
    const char *toolkit, const char *message, struct preflight *ret);

void
preflight_warning(struct preflight *ret, const char *type, const char *about,
    const char *message);

/* Adds a reason to RET when TASK's deadline has passed at NOW, wall time. */
void
preflight_deadline(const struct task *task, int64_t now, struct preflight *ret);

/* For a task that passed, adds {"ok":true,"accounts":{"gmail":"ca_1"},
 * "tools":["SLUG",...]}, and "warnings" if there are any, to BUF. */
void
preflight_summary(const struct preflight *preflight, struct buf *buf);

void
preflight_release(struct preflight *preflight);

#endif
