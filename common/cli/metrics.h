/* SPDX-License-Identifier: ISC */
/*
 * metrics: the numbers of an engine as OpenMetrics text.
 */
#ifndef COMMON_CLI_METRICS_H
#define COMMON_CLI_METRICS_H

#include <cjson/cJSON.h>
#include <stdint.h>

#include "common/agent/engine.h"
#include "common/base/buf.h"
#include "common/base/fail.h"

/* The engine's number NAME, which must be there: a number that is not told is
 * FAIL_NOT_NOW and never a zero. */
int
metrics_get(const cJSON *numbers, const char *name, int64_t *ret_number,
    struct fail *fail);

/* Adds to OUT what engine_depth told of ALL queues together, and what ENGINE
 * tells of each; with "# EOF" at the end. */
int
metrics_write(struct buf *out, struct engine *engine, const struct buf *all,
    struct fail *fail);

#endif
