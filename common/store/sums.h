/* SPDX-License-Identifier: ISC */
/*
 * sums: the counters of reasons to wait, and the sums over all tasks. For the
 * store only.
 */
#ifndef COMMON_STORE_SUMS_H
#define COMMON_STORE_SUMS_H

#include "common/store/key.h"
#include "common/store/numbers.h"

/* The key of the counter for the first word of a WAITING row's reason. */
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

/* Update the sums for a new, a changed and a removed row. */
int
sums_begin(struct store *store, const struct task_row *row, struct fail *fail);

int
sums_follow(struct store *store, const struct task_row *old,
    const struct task_row *row, struct fail *fail);

int
sums_end(struct store *store, const struct task_row *row, struct fail *fail);

/* Replaces the sums of the store TO by those of FROM. */
int
sums_copy(struct store *from, struct store *to, struct fail *fail);

/* Upgrades a store of version 1 to this version; outside of transactions. */
int
sums_upgrade(struct store *store, struct fail *fail);

#endif
