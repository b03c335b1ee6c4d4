/* SPDX-License-Identifier: ISC */
/*
 * fold: the events that reply.c and call.c fold for agent.c.
 */
#ifndef COMMON_AGENT_FOLD_H
#define COMMON_AGENT_FOLD_H

#include "common/agent/state.h"

/* Each folds one type of event, as agent_apply. */
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

/* The worker died: the calls and the turn that it had under way are lost. */
void
agent_lose_calls(struct agent *agent);

void
agent_free_calls(struct agent *agent);

#endif
