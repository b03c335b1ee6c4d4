/* SPDX-License-Identifier: ISC */
/*
 * drive: one task's agent and its rows in the store, kept together. All calls
 * need the store's open write transaction (drive_open and drive_catch_up are
 * content with a read).
 *
 *	drive_open -> drive_record (facts) -> drive_plan -> drive_save
 *
 * When the transaction then does not commit, the drive is ahead of the store:
 * it is to be closed, not used.
 */
#ifndef COMMON_STORE_TASK_SESSION_H
#define COMMON_STORE_TASK_SESSION_H

#include <stdint.h>

#include "common/agent/agent.h"
#include "common/base/fail.h"
#include "common/store/store.h"

struct drive {
	struct task_row row;
	struct agent *agent;
	/* Called for each event that drive_record appended; may be NULL. */
	void (*recorded)(void *context, const struct event *event);
	void *context;
};

/* Folds the journal of the task of ROW. Leaves recorded and context alone. */
int
drive_open(struct drive *drive, struct store *store, const struct task_row *row,
    struct fail *fail);

void
drive_close(struct drive *drive);

/* Reads the row anew and folds the events that others (a signal) appended. */
int
drive_catch_up(struct drive *drive, struct store *store, struct fail *fail);

/* Appends one event and folds it. */
int
drive_record(struct drive *drive, struct store *store, int64_t now,
    enum event_type type, const char *members, size_t length,
    struct fail *fail);

/* Records every decision that needs no effect, and returns what is left to be
 * done (plan_release). */
int
drive_plan(struct drive *drive, struct store *store, int64_t now,
    struct plan *ret_plan, struct fail *fail);

/* Writes what the agent now is into the row. */
int
drive_save(struct drive *drive, struct store *store, int64_t now,
    struct fail *fail);

#endif
