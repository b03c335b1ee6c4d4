/* SPDX-License-Identifier: ISC */
/*
 * rate: limits the requests of each caller, counted across all processes that
 * share a folder.
 */
#ifndef COMMON_API_RATE_H
#define COMMON_API_RATE_H

#include <stdint.h>

#include "common/base/fail.h"

struct rate_limit {
	int64_t per_minute; /* on the long run; 0: no limit */
	int64_t burst;      /* at once, at least 1 */
};

/* Counts one request of CALLER at NOW (wall milliseconds) in FOLDER/rate.
 * FAIL_NOT_NOW, type "rate_limited", when it is one too many; then it is not
 * counted, and *RET_WAIT is the number of milliseconds to wait. */
int
rate_take(const char *folder, const struct rate_limit *limit,
    const char *caller, int64_t now, int64_t *ret_wait, struct fail *fail);

#endif
