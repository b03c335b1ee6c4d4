/* SPDX-License-Identifier: ISC */
/*
 * read: the tool with which the model reads on in the result of an earlier call.
 * A call of it is answered by the fold, out of the event that recorded the result.
 * Before it asks agent_next, a driver hands that event over:
 *
 *	while ((seq = agent_wants(agent)) != 0)
 *		agent_recall(agent, event SEQ of the journal);
 */
#ifndef COMMON_AGENT_READ_H
#define COMMON_AGENT_READ_H

#include <stdbool.h>
#include <stdint.h>

#include "common/agent/agent.h"

/* How many bytes the pieces for one reply have at most, together, and as they are
 * recorded. */
#define READ_MAX 500000
#define READ_RECORDED_MAX (6 * READ_MAX)

/* The name of that tool; NULL: the model has none. Borrowed from the agent. */
const char *
agent_read_tool(const struct agent *agent);

/* The number of the event that a call is to be answered from; 0: none is. */
uint64_t
agent_wants(const struct agent *agent);

/* Without it, the model is told that the result could not be read. */
void
agent_recall(struct agent *agent, const struct event *event);

/* ---- for the files of the fold ---- */

struct call;

/* Whether CALL is one that the fold answers. */
bool
agent_reads(const struct call *call);

/* What such a call is answered with; the caller frees. *RET_IS_ERROR: whether
 * that says why nothing could be read. */
char *
agent_read_answer(const struct agent *agent, const struct call *call,
    bool *ret_is_error);

/* Keeps where the result of CALL, one of the last reply's, was recorded. */
void
agent_keep_result(struct agent *agent, const struct call *call, uint64_t seq);

#endif
