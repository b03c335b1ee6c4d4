/* SPDX-License-Identifier: ISC */
/*
 * numbers: the store in numbers, in constant time.
 *
 * A task whose time has come counts as ready even before a worker has made it
 * ready (store_promote), because a worker may have to be started for it. Up to
 * 1,000 of them are counted one by one; when there are more, the count is too
 * low, but never 0 while one of the queue may be among them.
 */
#ifndef COMMON_STORE_NUMBERS_H
#define COMMON_STORE_NUMBERS_H

#include "common/store/store.h"

struct store_depth {
	int64_t state[TASK_STATES]; /* tasks by state */
	int64_t ready;        /* QUEUED and due; at most 1 while a key that
	                             * every task needs is refused (gates.h) */
	int64_t workers;      /* neither dead nor past their time */
	int64_t oldest_ready; /* wall time of creation of the first task
	                              * in the queue, 0 for none */
};

enum store_sum { /* of all tasks that ever were, pruned ones too */
	SUM_TURNS,
	SUM_CALLS,
	SUM_CALLS_UNKNOWN,
	SUM_INPUT,
	SUM_OUTPUT,
	SUM_CACHE_READ,
	SUM_CACHE_WRITE,
	SUM_NANO_USD,
	SUM_SUBMITTED,
	SUM_COMPLETED,
	SUM_BLOCKED,
	SUM_FAILED,
	SUM_CANCELLED,
	STORE_SUMS,
};

#define STORE_WAITS_MOST 16
#define STORE_WAITS_NAME 32
#define STORE_QUEUES_MOST 64

struct store_numbers {
	bool counted; /* sums and waits are known: false for a
	                              * store of version 1 before a write */
	int64_t sums[STORE_SUMS];
	struct store_waits { /* tasks that wait, by what for */
		char name[STORE_WAITS_NAME];
		int64_t count;
	} waits[STORE_WAITS_MOST];
	size_t waits_count;
	char queues[STORE_QUEUES_MOST][TASK_QUEUE_MAX + 1]; /* with tasks */
	size_t queue_count;
};

int
store_numbers(struct store *store, struct store_numbers *ret_numbers,
    struct fail *fail);

#define STORE_DAY_MS ((int64_t)24 * 3600 * 1000)

/* What the tasks of USER ("": of all) cost on the day (UTC) of NOW, with what is
 * reserved. */
int
store_spent(struct store *store, const char *user, int64_t now,
    int64_t *ret_nano, struct fail *fail);

/* QUEUE NULL: all queues together. */
int
store_depth(struct store *store, const char *queue, int64_t now,
    struct store_depth *ret_depth, struct fail *fail);

#endif
