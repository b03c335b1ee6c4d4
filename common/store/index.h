/* SPDX-License-Identifier: ISC */
/*
 * index: the tables, counters and sums that follow from a task's row. For the
 * store only.
 */
#ifndef COMMON_STORE_INDEX_H
#define COMMON_STORE_INDEX_H

#include "common/store/numbers.h"
#include "common/store/table.h"

/* Whether the row is ready: QUEUED and not due later. */
bool
index_ready(const struct task_row *row);

/* Whether the row has an entry in TABLE, an index, and its key. A ready row has
 * one in ready or in parked. */
bool
index_key(const struct task_row *row, enum table table, struct key *ret_key);

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

/* Moves the first parked row at or after *FROM to ready, if it starts with PREFIX
 * (NULL: any). *FROM is then behind all rows of the same user and queue. Returns
 * 1, or 0 when there is none. */
int
index_unpark(struct store *store, struct key *from, const struct key *prefix,
    struct fail *fail);

/* ---- sums.c: waits by kind, and sums over all tasks ---- */

/* The key of the counter for what a WAITING row waits for. */
struct key
sums_waits_key(const struct task_row *row);

/* The sums of a single row. */
void
sums_of(const struct task_row *row, int64_t ret_sums[STORE_SUMS]);

/* Adds two numbers that are not negative; stops at the largest number. */
int64_t
sums_plus(int64_t sum, int64_t more);

int
sums_unpack(struct span value, int64_t ret_sums[STORE_SUMS], struct fail *fail);

/* Updates the counters of waits and the sums for a changed row, for a new one
 * (OLD NULL) and for a removed one (ROW NULL). */
int
sums_follow(struct store *store, const struct task_row *old,
    const struct task_row *row, struct fail *fail);

/* Updates what today has cost for a changed row (spent.c). */
int
spent_follow(struct store *store, const struct task_row *old,
    const struct task_row *row, struct fail *fail);

/* Upgrades a store of an older version to this one; outside of transactions. */
int
sums_upgrade(struct store *store, struct fail *fail);

#endif
