/* SPDX-License-Identifier: ISC */
/*
 * preflight: is this task worth queueing? Pure: facts in, pins or reasons
 * out. composio.h gathers the facts.
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

struct preflight_link { /* a connection that a person can mend */
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

/* Returns 0 with RET filled, whether passed or not; -1 when the facts are not
 * of the shape above (FAIL_NOT_NOW, type "upstream"): never a pass on missing
 * facts. Of several ACTIVE accounts the one connected last is taken. */
int
preflight_check(const struct task *task, const struct config *config,
    const cJSON *facts, struct preflight *ret, struct fail *fail);

/* Only whether each toolkit of TASK is connected, or without any, each that
 * the user has an account of: reasons, links and accounts as above, no pins.
 * TASK is a user and toolkits, its tools are NULL. */
int
preflight_connections(const struct task *task, const cJSON *facts,
    struct preflight *ret, struct fail *fail);

/* What is wrong with TOOLKIT, or NULL; borrowed from PREFLIGHT. */
const cJSON *
preflight_reason(const struct preflight *preflight, const char *toolkit);

/* Of one that passed: {"ok":true,"accounts":{"gmail":"ca_1"},"tools":["SLUG",
 * ...]} added to BUF. */
void
preflight_summary(const struct preflight *preflight, struct buf *buf);

void
preflight_release(struct preflight *preflight);

#endif
