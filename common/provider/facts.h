/* SPDX-License-Identifier: ISC */
/*
 * facts: Composio asked by a program that has nothing else to do: blocking
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

struct facts;

/* The key is the secret COMPOSIO_API_KEY; without it FAIL_NEVER, type
 * "missing_key". UNTIL is a time of clock_boot(): what is not answered then is
 * FAIL_NOT_NOW, type "timeout". */
int
facts_open(const struct config *config, int64_t until, struct facts **ret_ask,
    struct fail *fail);

void
facts_close(struct facts *facts); /* NULL is fine */

/* The facts about TASK; the caller frees. */
int
facts_get(struct facts *facts, const struct task *task, cJSON **ret_facts,
    struct fail *fail);

/* Makes every link that PREFLIGHT wants for USER, all at once, and puts each
 * into its reason as "link", or why there is none as "link_error". */
void
facts_links(struct facts *facts, const char *user, struct preflight *preflight);

#endif
