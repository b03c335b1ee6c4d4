/* SPDX-License-Identifier: ISC */
/*
 * decide: the decisions about calls that need no effect. Only for agent_next.
 */
#ifndef COMMON_AGENT_DECIDE_H
#define COMMON_AGENT_DECIDE_H

#include "common/agent/state.h"

/* The plan is to record an event of TYPE; its members are for the caller to
 * add. */
void
plan_record(struct plan *plan, enum event_type type);

/* Records one call that is in doubt, as is done before the task may end. False
 * when there is none. */
bool
decide_doubt(const struct agent *agent, struct plan *plan);

/* Whether the call is in doubt, and may still be under way at the service, or
 * the service's log is asked first. */
bool
decide_settling(const struct call *call, int64_t now);

/* Records what follows for the call, if that needs neither an effect nor a wait;
 * else returns false. */
bool
decide_call(const struct agent *agent, const struct call *call, int64_t now,
    struct plan *plan);

#endif
