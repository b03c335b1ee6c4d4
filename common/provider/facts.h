/* SPDX-License-Identifier: ISC */
/*
 * facts: blocking calls over tools.h, for programs that do nothing else, with
 * one time limit for all of them together.
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

/* UNTIL is a time of clock_boot(): a call that is not answered by then is
 * FAIL_NOT_NOW, type "timeout". */
int
facts_open(const struct config *config, int64_t until, struct facts **ret_ask,
    struct fail *fail);

void
facts_close(struct facts *facts); /* NULL is fine */

/* The facts about TASK; the caller frees. Without a provider's key
 * FAIL_NEVER, type "missing_key". */
int
facts_get(struct facts *facts, const struct task *task, cJSON **ret_facts,
    struct fail *fail);

/* Adds what the model's service says of TASK's model to FACTS, as preflight.h has
 * it; nothing when there is no ANTHROPIC_API_KEY here. FAIL_NOT_NOW, type
 * "bad_key" when the service refuses the key, "upstream" or "timeout" when it
 * does not answer and nothing is known from before. */
int
facts_model(struct facts *facts, const struct task *task, cJSON *known,
    struct fail *fail);

/* Makes the probe of each account that PREFLIGHT, which has no reasons, chose:
 * KNOWN are the facts that it is made from. Adds whose the accounts are, and a
 * reason for each that is refused; what cannot be told is a warning. FAIL_NEVER,
 * type "invalid_config", for a probe that is no tool that only reads. */
int
facts_probe(struct facts *facts, const struct task *task, const cJSON *known,
    struct preflight *preflight, struct fail *fail);

/* Makes every link that PREFLIGHT wants for USER and that is not open yet, all
 * at the same time, and adds each to its reason as "link", or the error as "link_error". */
void
facts_links(struct facts *facts, const char *user, struct preflight *preflight);

/* Waits until each link that PREFLIGHT's reasons have was used by USER, or is of
 * no use any more; at most ten minutes, which is how long links live. 1 when one
 * was used, else 0. */
int
facts_wait(struct facts *facts, const char *user,
    const struct preflight *preflight, struct fail *fail);

#endif
