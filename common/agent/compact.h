/* SPDX-License-Identifier: ISC */
/*
 * compact: a conversation that has become too long becomes a shorter one. For the
 * files of the fold; compact.c says when and how.
 */
#ifndef COMMON_AGENT_COMPACT_H
#define COMMON_AGENT_COMPACT_H

#include "common/agent/state.h"

/* Whether the last reply was cut at a limit of tokens. */
bool
agent_reply_cut(const struct agent *agent);

/* What has to be done before the next turn. */
enum compact
agent_compact_due(const struct agent *agent);

/* How long a result may be when results are cut. */
int64_t
agent_compact_cut(const struct agent *agent);

/* How many bytes of messages a turn sends that compacts in the way COMPACT. */
size_t
agent_compact_sends(const struct agent *agent, enum compact compact);

void
agent_compact_started(struct agent *agent, const struct event *event);

/* CONTEXT: tokens of the request and the reply. */
void
agent_compact_replied(struct agent *agent, int64_t context);

/* A turn failed and is not tried again: whether the task goes on nevertheless. */
bool
agent_compact_failed(struct agent *agent, const struct event *event);

/* Adds the messages, the end of their list and what asks for a compaction. */
void
agent_compact_request(const struct agent *agent, struct buf *body);

#endif
