/* SPDX-License-Identifier: ISC */
/*
 * ask: Composio asked by a program that has nothing else to do: blocking
 * calls over composio.h, with one time limit for all of them together.
 */
#ifndef COMMON_PROVIDER_FACTS_H
#define COMMON_PROVIDER_FACTS_H

#include <cjson/cJSON.h>
#include <stdint.h>

#include "common/agent/config.h"
#include "common/agent/preflight.h"
#include "common/agent/task.h"
#include "common/base/fail.h"

struct ask;

/* The key is the secret COMPOSIO_API_KEY; without it FAIL_NEVER, type
 * "missing_key". UNTIL is a time of clock_boot(): what is not answered then is
 * FAIL_NOT_NOW, type "timeout". */
int
ask_open(const struct config *config, int64_t until, struct ask **ret_ask,
    struct fail *fail);

void
ask_close(struct ask *ask); /* NULL is fine */

/* The facts about TASK; the caller frees. */
int
ask_facts(struct ask *ask, const struct task *task, cJSON **ret_facts,
    struct fail *fail);

/* Makes every link that PREFLIGHT wants for USER, all at once, and puts each
 * into its reason as "link", or why there is none as "link_error". */
void
ask_links(struct ask *ask, const char *user, struct preflight *preflight);

#endif
