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
 *	   "needs_connection":true,"deprecated":true}, ...],
 *	 "missing_tools":{"NAME":ADVICE, ...},
 *	 "toolkits":{"gmail":{"provider":"composio","found":true,
 *	     "connection":{"state":"active","account":"ca_1"}},
 *	   "linear":{"provider":"composio","found":true,
 *	     "connection":{"state":"missing","message":TEXT,"link":TEXT,...}},
 *	   "news":{"provider":"composio","found":true},
 *	   "nosuch":{"provider":"composio","found":false,"advice":TEXT}}}
 *
 * A tool may be without its description, and what is not true may be left out.
 * missing_tools has the names in the task for which there is no tool, and what
 * a person can do then. A toolkit without a connection needs none. One that
 * is not active goes into the reasons as "connection_STATE" with all its
 * members; its link is what the provider makes a link from, which lets a
 * person connect; without it, no link helps.
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
	char from[128]; /* the "link" of the facts */
	size_t reason;  /* its index in reasons */
};

struct preflight {
	cJSON *reasons; /* array of {"type","message","toolkit"|"tool",...},
	                        * every one, in a stable order; empty: it passed */
	struct preflight_link *links;
	size_t link_count;
	struct buf pins; /* members of "pinned" when it passed */
	cJSON *accounts; /* {"gmail":"ca_1"}: chosen, when it passed */
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
 * of the facts: reasons, links and accounts as above, no
 * pins. TASK has a user and toolkits; its tools are NULL. */
int
preflight_connections(const struct task *task, const cJSON *facts,
    struct preflight *ret, struct fail *fail);

/* The reason why TOOLKIT cannot be used, or NULL; borrowed from PREFLIGHT. */
const cJSON *
preflight_reason(const struct preflight *preflight, const char *toolkit);

/* For a task that passed, adds {"ok":true,"accounts":{"gmail":"ca_1"},
 * "tools":["SLUG",...]} to BUF. */
void
preflight_summary(const struct preflight *preflight, struct buf *buf);

void
preflight_release(struct preflight *preflight);

#endif
