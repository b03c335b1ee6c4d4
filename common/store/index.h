/* SPDX-License-Identifier: ISC */
/*
 * index: the tables and counters that follow from a task's row. For the store
 * only.
 */
#ifndef COMMON_STORE_INDEX_H
#define COMMON_STORE_INDEX_H

#include "common/store/store.h"

/* Whether the row is ready: QUEUED and not due later. */
bool
index_ready(const struct task_row *row);

/* Adds all index entries for the row's state and due, but not the row itself; a
 * ready row needs its order first. */
int
index_add(struct store *store, const struct task_row *row, struct fail *fail);

/* Removes all of the row's index entries. */
int
index_remove(struct store *store, const struct task_row *row,
    struct fail *fail);

/* Gives the row its fair-share position. */
int
index_order(struct store *store, struct task_row *row, struct fail *fail);

/* Sets the queue's clock to this position, which was leased; removes a share
 * that no longer matters. */
int
index_served(struct store *store, const struct task_row *row,
    struct fail *fail);

/* Moves a row in ready to parked. */
int
index_park(struct store *store, const struct task_row *row, struct fail *fail);

/* Moves the first parked row of the user in the queue to ready. Returns 1, or
 * 0 when there is none. */
int
index_unpark(struct store *store, const char *user, const char *queue,
    struct fail *fail);

#endif
