/* SPDX-License-Identifier: ISC */
/*
 * table: the tables of the store, and their rows by key. For the store and its
 * tests only.
 *
 * Keys and values are written "key: value"; parts of a key stand one behind the
 * other (key.h), 0 is the NUL behind a text. rank is 9 - priority. Every value
 * starts with a version byte (pack.h), except in the journal, whose values are
 * the events, and where the key says it all (-).
 */
#ifndef COMMON_STORE_TABLE_H
#define COMMON_STORE_TABLE_H

#include "common/store/key.h"
#include "common/store/pack.h"
#include "common/store/store.h"

enum table {
	/* "version" (db.c), "limits" and "returning" (lease.c), "served": how
	 * many tasks were leased so far */
	TABLE_META,
	/* id: the row. The indexes (ready, parked, due, leases, keys, by_user,
	 * by_state) and the counters follow from it and change in the same
	 * transaction. */
	TABLE_TASKS,
	/* id seq: the event, from 1 to the row's seq without a gap */
	TABLE_JOURNAL,
	/* queue 0 rank order id: user. Each task that is QUEUED and not due
	 * later is either here or in parked. */
	TABLE_READY,
	/* user 0 queue 0 rank order id: -. A lease moves a row of ready to here
	 * when the user runs as many tasks as the limit allows. As long as a
	 * user has rows of a queue here, the user is at the limit or has a row
	 * of that queue in ready; so whenever one of the user's tasks stops
	 * running or leaves ready, one row of each such queue comes back. */
	TABLE_PARKED,
	/* time id: -. When a QUEUED or WAITING task becomes ready. */
	TABLE_DUE,
	/* worker id: -. The RUNNING tasks. */
	TABLE_LEASES,
	/* worker: boot id, until, pid, host. A worker that has leases is here. */
	TABLE_WORKERS,
	/* user 0 key: id */
	TABLE_KEYS,
	/* user 0 state id: - */
	TABLE_BY_USER,
	/* state id: - */
	TABLE_BY_STATE,
	/* 't' | 'q' queue: struct counts, of all tasks and of a queue's
	 * 'u' user: running tasks
	 * 'w' kind: waiting tasks, by what they wait for
	 * 'd' user ("": all): a day, and what it has cost
	 * 's': sums (numbers.h), which only grow
	 * What would be 0 has no row. */
	TABLE_COUNTERS,
	/* queue 0 rank user: the user's last positions
	 * queue 0 rank: the clock
	 * queue 0 255: when the queue was served last */
	TABLE_SHARES,
	TABLES,
};

extern const char *const store_tables[];

struct table_row {
	struct span key, value;
};

/* Returns 1 when there is such a row, 0 when not, -1. */
int
table_get(struct store *store, enum table table, const struct key *key,
    struct span *ret_value, struct fail *fail);

int
table_put(struct store *store, enum table table, const struct key *key,
    const void *value, size_t length, struct fail *fail);

/* Returns 1 when the row was there and is gone, 0 when it was not, -1. */
int
table_delete(struct store *store, enum table table, const struct key *key,
    struct fail *fail);

/* Deletes a row that must be there. */
int
table_drop(struct store *store, enum table table, const struct key *key,
    struct fail *fail);

/* The first row at or after FROM, the first that starts with PREFIX, and the
 * last one. They return as table_get. */
int
table_seek(struct store *store, enum table table, const struct key *from,
    struct table_row *ret_row, struct fail *fail);

int
table_first(struct store *store, enum table table, const struct key *prefix,
    struct table_row *ret_row, struct fail *fail);

int
table_last(struct store *store, enum table table, const struct key *prefix,
    struct table_row *ret_row, struct fail *fail);

/* The first row at or after *FROM, which is then the key right behind it, if it
 * starts with PREFIX (NULL: any). Returns as table_get. */
int
table_next(struct store *store, enum table table, struct key *from,
    const struct key *prefix, struct table_row *ret_row, struct fail *fail);

/* A cursor walks over rows without a search for each. The table must not change
 * while it is open, and it must be closed before the transaction ends. */
struct MDB_cursor;

int
cursor_open(struct store *store, enum table table,
    struct MDB_cursor **ret_cursor, struct fail *fail);

void
cursor_close(struct MDB_cursor *cursor); /* NULL is fine */

enum cursor_move {
	CURSOR_AT,     /* the first row with at least this key */
	CURSOR_BEFORE, /* the last row with less than this key */
	CURSOR_NEXT,   /* no key for these two */
	CURSOR_PREVIOUS,
};

/* KEY NULL or empty: the first or last row of the table. Returns as
 * table_get. */
int
cursor_move(struct store *store, struct MDB_cursor *cursor,
    enum cursor_move how, const struct key *key, struct table_row *ret_row,
    struct fail *fail);

/* *number stays as it is when there is no row. Returns as table_get. */
int
table_number(struct store *store, enum table table, const struct key *key,
    uint64_t *number, struct fail *fail);

int
table_put_number(struct store *store, enum table table, const struct key *key,
    uint64_t number, struct fail *fail);

/* Adds STEP to a number in counters. */
int
table_step(struct store *store, const struct key *key, int step,
    struct fail *fail);

/* Zeros when there is no row. */
int
table_counts(struct store *store, char kind, const char *name,
    struct counts *ret_counts, struct fail *fail);

int
table_put_counts(struct store *store, char kind, const char *name,
    const struct counts *counts, struct fail *fail);

/* Returns as table_get. */
int
table_find_task(struct store *store, const struct id *id,
    struct task_row *ret_row, struct fail *fail);

/* The task that an index names; FAIL_NEVER, type "store_damaged", when there is
 * none. */
int
table_task(struct store *store, struct id id, struct task_row *ret_row,
    struct fail *fail);

/* Writes the row of a task, but no index. */
int
table_put_task(struct store *store, const struct task_row *row,
    struct fail *fail);

/* Says that the row's task has the row's key. */
int
table_put_key(struct store *store, const struct task_row *row,
    struct fail *fail);

#endif
