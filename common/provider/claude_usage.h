/* SPDX-License-Identifier: ISC */
/*
 * claude_usage: the tokens of one attempt, and what they cost. Pure.
 */
#ifndef COMMON_PROVIDER_CLAUDE_USAGE_H
#define COMMON_PROVIDER_CLAUDE_USAGE_H

#include <stdint.h>

#include "common/agent/config.h"
#include "common/json/span.h"

struct claude_usage {
	int64_t input, output, cache_read, cache_write_5m, cache_write_1h;
};

/* Takes over what the raw JSON object JSON has of it; other members of USAGE
 * keep their value. *WRITTEN is all that was written to the cache, -1 at first:
 * the service does not always say which part of it is of which kind. */
void
claude_usage_take(struct span json, struct claude_usage *usage,
    int64_t *written);

/* What the usage costs, in nano-dollars; 0 without a price. */
int64_t
claude_cost(const struct claude_usage *usage, const struct price *price);

#endif
