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

/* The engine's number NAME. A missing number is FAIL_NOT_NOW and never a
 * zero. */
int
metrics_get(const cJSON *numbers, const char *name, int64_t *ret_number,
    struct fail *fail);

/* Adds to OUT the numbers of ALL queues together (from the engine's depth),
 * those of each queue (from ENGINE), and "# EOF". */
int
metrics_write(struct buf *out, struct engine *engine, const struct buf *all,
    struct fail *fail);

#endif
