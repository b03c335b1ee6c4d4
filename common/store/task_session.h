/* SPDX-License-Identifier: ISC */
/*
 * task_session: one task's agent together with its row in the store. All calls
 * need the store's open write transaction (for session_open and
 * session_catch_up a read transaction is enough).
 *
 *	session_open -> session_record (facts) -> session_plan -> session_save
 *
 * When the transaction then does not commit, the session is ahead of the store:
 * the caller closes it and does not use it.
 */
#ifndef COMMON_STORE_TASK_SESSION_H
#define COMMON_STORE_TASK_SESSION_H

#include <stdint.h>

#include "common/agent/agent.h"
#include "common/base/fail.h"
#include "common/store/store.h"

struct task_session {
	struct task_row row;
	struct agent *agent;
	/* Called for each event that session_record appended; may be NULL. */
	void (*recorded)(void *context, const struct event *event);
	void *context;
};

/* Folds the journal of the task of ROW. Leaves recorded and context alone. */
int
session_open(struct task_session *session, struct store *store,
    const struct task_row *row, struct fail *fail);

void
session_close(struct task_session *session);

/* Reads the row anew and folds the events that others (a signal) appended. */
int
session_catch_up(struct task_session *session, struct store *store,
    struct fail *fail);

/* Appends one event and folds it. */
int
session_record(struct task_session *session, struct store *store, int64_t now,
    enum event_type type, const char *members, size_t length,
    struct fail *fail);

/* Appends that WORKER has the task no longer. */
int
session_release(struct task_session *session, struct store *store, int64_t now,
    const char *worker, const char *reason, struct fail *fail);

/* Records every decision that needs no effect, and returns the remaining plan,
 * which the caller releases. */
int
session_plan(struct task_session *session, struct store *store, int64_t now,
    struct plan *ret_plan, struct fail *fail);

/* Writes the agent's state into the row. */
int
session_save(struct task_session *session, struct store *store, int64_t now,
    struct fail *fail);

#endif
