/* SPDX-License-Identifier: ISC */
/*
 * internal: the struct of a store, one LMDB environment under one lock file. For
 * the parts of the store and their tests only.
 *
 * A process opens a folder once, does not carry it over fork, and has one
 * transaction at a time. db.c and table.c are the only ones that see LMDB.
 */
#ifndef COMMON_STORE_INTERNAL_H
#define COMMON_STORE_INTERNAL_H

#include "common/store/table.h"

struct joined {
	struct id worker;
	int fd;
};

/* Options of store_open that only tests and the backup use. */
struct store_tuning {
	uint64_t initial; /* size of a new map; 0: the default */
	int64_t lock_ms;  /* longest wait for the lock; 0: the default */
	bool unsynced;    /* durable by db_sync only */
};

struct store {
	enum store_mode mode;
	uint64_t maximum; /* bytes; 0: no limit */
	struct store_tuning tuning;
	char *folder, *data_path, *lock_path;
	int lock;            /* -1: a read-only disk that has no lock file */
	struct MDB_env *env; /* NULL: to be opened by the next transaction */
	struct MDB_txn *txn;
	unsigned tables[TABLES];
	uint32_t version; /* of the tables, when it was last read */
	bool writing;
	size_t room;     /* of the transaction, to tell whether the disk is
	                  * full */
	uint64_t wanted; /* additional room, which the last one needed */
	struct joined *joined;
	size_t joined_count;
};

int
store_open_tuned(const char *folder, enum store_mode mode, uint64_t maximum,
    const struct store_tuning *tuning, struct store **ret_store,
    struct fail *fail);

void
store_progress_remove(const struct store *store, const struct id *id);

/* Returns 1 and the row of the user's task that has ROW's key, or 0, or -1. */
int
store_find_key(struct store *store, const struct task_row *row,
    struct task_row *ret_existing, struct fail *fail);

/* How many tasks of USER have not ended; counts no further than to MOST. */
int
store_count_open(struct store *store, const char *user, int64_t most,
    int64_t *ret_count, struct fail *fail);

/* Removes a task with its journal, key and index entries. Returns how many
 * events it had, or -1. */
int64_t
store_remove(struct store *store, const struct task_row *row,
    struct fail *fail);

/* FAIL_NEVER, type "store_damaged": event SEQ of the task is not there. -1. */
int
store_fail_event(const struct id *id, uint64_t seq, struct fail *fail);

/* The number of workers that are neither dead nor past their time. Opens a file
 * for each. */
int
store_workers_alive(struct store *store, int64_t *ret_alive, struct fail *fail);

/* Opens the environment of a store that has its folder, mode, maximum and
 * tuning. */
int
db_open(struct store *store, struct fail *fail);

void
db_close(struct store *store); /* aborts what is open */

int
db_sync(struct store *store, struct fail *fail);

/* Fills FAIL with an error of LMDB or the system, as store.h describes. -1. */
int
db_fail(const struct store *store, int error, const char *doing,
    struct fail *fail);

/* The transaction was larger than announced: the next one gets a map of twice
 * the size. */
void
db_want_more(struct store *store);

/* Finds up to COUNT tasks that wait for a key or for credit, among some hundreds
 * at and after *FROM, which becomes the last one that was looked at. Returns how
 * many, or -1. */
int
store_wait_keys(struct store *store, struct id *from, struct task_row *ret_rows,
    int count, bool *ret_end, struct fail *fail);

#endif
