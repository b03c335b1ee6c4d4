/* SPDX-License-Identifier: ISC */
/*
 * preflight: decides from facts whether a task can run, and gives its pins or
 * the reasons. Pure. composio.h gathers the facts.
 *
 * Facts, as composio_facts gives them:
 *	{"tools":[<tool objects of Composio, raw>],
 *	 "missing_tools":["SLUG", ...],      named by the task, unknown there
 *	 "toolkits":{"gmail":{"found":true,"no_auth":false}, ...},
 *	 "accounts":[<connected accounts of the user, raw, all pages>],
 *	 "auth_configs":{"linear":["ac_1", ...], ...}}
 */
#ifndef COMMON_AGENT_PREFLIGHT_H
#define COMMON_AGENT_PREFLIGHT_H

#include <cjson/cJSON.h>

#include "common/agent/config.h"
#include "common/agent/task.h"
#include "common/base/buf.h"
#include "common/base/fail.h"

struct preflight_link { /* a connection that a person can make */
	char toolkit[128];
	char auth_config[128]; /* "" when none is known */
	size_t reason;         /* its index in reasons */
};

struct preflight {
	cJSON *reasons; /* array of {"type","message","toolkit"|"tool",...},
	                        * every one, in a stable order; empty: it passed */
	struct preflight_link *links;
	size_t link_count;
	struct buf pins; /* members of "pinned" when it passed */
	cJSON *accounts; /* {"gmail":"ca_1"}: chosen, when it passed */
};

/* Returns 0 with RET filled, whether the task passed or not; -1 when the facts
 * do not have the shape above (FAIL_NOT_NOW, type "upstream"), so that no task
 * passes on missing facts. Of several ACTIVE accounts the one connected last
 * is taken. */
int
preflight_check(const struct task *task, const struct config *config,
    const cJSON *facts, struct preflight *ret, struct fail *fail);

/* Checks only whether each toolkit of TASK is connected, or without any, each
 * for which the user has an account: reasons, links and accounts as above, no
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
