/* SPDX-License-Identifier: ISC */
/*
 * agent_driver: drives an agent in memory, for tests: a journal that is kept
 * as text, and a scripted world in place of the model and the tools.
 *
 * Every event that passes is checked on its way: the conversation only grows
 * at its end, and a call that must not be repeated is not started again while
 * it may have taken effect.
 */
#ifndef TESTS_UNIT_AGENT_AGENT_DRIVER_H
#define TESTS_UNIT_AGENT_AGENT_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/agent/agent.h"

/* The simulated answer to one attempt at a turn or a call. */
struct world_answer {
	const char *call; /* NULL: the model, TURN */
	unsigned turn;
	unsigned attempt; /* 0: any */
	enum event_type type;
	const char *members; /* without turn, call and attempt */
};

struct world {
	const struct world_answer *answers;
	size_t count;
	const char *decision; /* signal when a call is asked about, or NULL */
	size_t steps;         /* at most */
};

struct driver_call {
	char *id, *policy;
	bool maybe; /* it may have taken effect */
	unsigned started;
};

struct driver {
	struct agent *agent;
	char **lines; /* the journal */
	size_t count;
	int64_t now;
	struct driver_call *calls;
	size_t call_count;
	cJSON *pins;
	char *body; /* the last request's */
	struct fail fail;
	const char *fault; /* what was found wrong on the way, or NULL */
};

struct driver *
driver_open(void);

void
driver_close(struct driver *driver);

/* Folds one line of a journal. */
int
driver_apply(struct driver *driver, const char *line, size_t length);

/* Writes and folds an event of now. */
int
driver_record(struct driver *driver, enum event_type type, const char *members);

/* Records every decision, as a worker does, and returns the plan that is
 * left. */
int
driver_settle(struct driver *driver, struct plan *ret_plan);

/* Records the intents of a plan. */
int
driver_begin(struct driver *driver, const struct plan *plan);

/* Works until the task has ended, or waits for something that the world does
 * not give. */
int
driver_run(struct driver *driver, const struct world *world);

#endif
