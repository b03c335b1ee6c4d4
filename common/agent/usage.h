/* SPDX-License-Identifier: ISC */
/*
 * usage: what a turn of the model used. For the files of the fold.
 */
#ifndef COMMON_AGENT_USAGE_H
#define COMMON_AGENT_USAGE_H

#include <stdint.h>

#include "common/agent/agent.h"

/* Counts the members "usage", "nano_usd" and "lost_tokens". */
void
agent_count_usage(struct agent *agent, const struct event *event);

/* The tokens of the request and the reply. */
int64_t
agent_usage_context(const struct event *event);

#endif
