/* SPDX-License-Identifier: ISC */
/*
 * compaction: reads a reply that stands for a conversation that has become too
 * long. common/agent/compact.c decides when, and how the task goes on.
 */
#ifndef COMMON_PROVIDER_COMPACTION_H
#define COMMON_PROVIDER_COMPACTION_H

#include "common/agent/agent.h"
#include "common/provider/claude.h"

/* Adds the members of the event "compacted" that say what stands for the
 * conversation about GOAL. False, and nothing is added, when the reply has
 * nothing like that. */
bool
compaction_read(const struct claude_reply *reply, enum agent_compaction way,
    const char *goal, struct buf *members);

#endif
