/* SPDX-License-Identifier: ISC */
/*
 * budget: a task's ceilings, and what a turn of the model may cost before it is
 * begun. Only for the files of the fold, which state.c lists.
 */
#ifndef COMMON_AGENT_BUDGET_H
#define COMMON_AGENT_BUDGET_H

#include "common/agent/state.h"

struct reservation {
	int64_t max_tokens;     /* of the reply; 0: as it is pinned */
	int64_t nano_usd;       /* at most, for the turn; 0: no price */
	int64_t input_nano_usd; /* of it, for what is sent */
	int64_t input_tokens;   /* that are sent; 0: they do not count */
	char *why;              /* the turn does not fit, and why; freed by
	                              * the caller; else NULL */
	int64_t until;          /* then it may; 0: not by itself */
};

/* Which ceiling of the task is reached ("turns", "tokens", "dollars"), or
 * NULL. */
const char *
budget_reached(const struct agent *agent);

/* Adds COUNT to a sum of what was used, unless it is negative. */
void
budget_add(int64_t *sum, int64_t count);

/* What the next turn, with so many BYTES of messages, may cost at most. */
struct reservation
budget_reserve(const struct agent *agent, size_t bytes);

/* The fold of what a turn with so many BYTES of messages reserves, and of its
 * end; LOST: no usage came, so that what was sent counts. */
void
budget_begin(struct agent *agent, const struct json_object *started,
    size_t bytes);

void
budget_end(struct agent *agent, bool lost);

/* After budget_end, with the prompt's size as the service counted it. */
void
budget_measure(struct agent *agent, int64_t prompt_tokens);

#endif
