/* SPDX-License-Identifier: ISC */
/*
 * fold: what reply.c and call.c fold for agent.c.
 */
#ifndef COMMON_AGENT_FOLD_H
#define COMMON_AGENT_FOLD_H

#include "common/agent/state.h"

/* One event each, as agent_apply. */
int
agent_model_started(struct agent *agent, const struct event *event,
    struct fail *fail);

int
agent_model_replied(struct agent *agent, const struct event *event,
    struct fail *fail);

int
agent_model_failed(struct agent *agent, const struct event *event,
    struct fail *fail);

int
agent_tool_started(struct agent *agent, const struct event *event,
    struct fail *fail);

int
agent_tool_finished(struct agent *agent, const struct event *event,
    struct fail *fail);

int
agent_tool_failed(struct agent *agent, const struct event *event,
    struct fail *fail);

int
agent_tool_unknown(struct agent *agent, const struct event *event,
    struct fail *fail);

/* The worker that had them is gone, so what it had under way is too. */
void
agent_lose_calls(struct agent *agent);

void
agent_free_calls(struct agent *agent);

#endif
