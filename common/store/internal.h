/* SPDX-License-Identifier: ISC */
/*
 * store_internal: shared by the parts of the store. For them and the tests of
 * the store only.
 *
 * Tables. Numbers in keys are big-endian, so that keys sort as they should; a
 * text in a key that is not the last part ends with a NUL. Every value starts
 * with a version byte, but for journal, whose values are the events.
 *
 *	meta       "version" (db.h), "limits", "served"
 *	tasks      id                            the row
 *	journal    id seq                        the event
 *	ready      queue 0 rank order id         user
 *	parked     user 0 queue 0 rank order id  -
 *	due        time id                       -
 *	leases     worker id                     -
 *	workers    worker                        boot id, until, pid, host
 *	keys       user 0 key                    id
 *	by_user    user 0 state id               -
 *	by_state   state id                      -
 *	counters   't' | 'q' queue               tasks by state, ready
 *	           'u' user                      running tasks
 *	           'w' word                      waiting tasks, by their reason
 *	           's'                           sums (store.h), which only grow
 *	shares     queue 0 rank user             the user's last positions
 *	           queue 0 rank                  the clock
 *	           queue 0 255                   when the queue was last served
 *
 * rank is 9 - priority. "ready" in a counter means QUEUED and not due later:
 * it counts what is in the tables ready and parked.
 *
 * The lease that meets a ready row whose user runs as many tasks as the limit
 * allows moves it to parked. As long as a user has parked rows in a queue, the
 * user is at the limit or has a row of that queue in ready; so whenever one of
 * the user's tasks stops running or leaves ready, one row of each such queue
 * comes back.
 */
#ifndef COMMON_STORE_INTERNAL_H
#define COMMON_STORE_INTERNAL_H

#include "common/store/db.h"
#include "common/store/store.h"

enum table {
	TABLE_META,
	TABLE_TASKS,
	TABLE_JOURNAL,
	TABLE_READY,
	TABLE_PARKED,
	TABLE_DUE,
	TABLE_LEASES,
	TABLE_WORKERS,
	TABLE_KEYS,
	TABLE_BY_USER,
	TABLE_BY_STATE,
	TABLE_COUNTERS,
	TABLE_SHARES,
	TABLES,
};

extern const char *const store_tables[];

struct joined {
	struct id worker;
	int fd;
};

struct store {
	struct db *db;
	char *folder;
	struct joined *joined;
	size_t joined_count;
};

/* Options of store_open that only tests and the backup use. */
struct store_tuning {
	uint64_t initial; /* size of a new map; 0: the default */
	int64_t lock_ms;  /* longest wait for the lock; 0: the default */
	bool unsynced;    /* durable by db_sync only */
};

int
store_open_tuned(const char *folder, enum store_mode mode, uint64_t maximum,
    const struct store_tuning *tuning, struct store **ret_store,
    struct fail *fail);

/* ---- keys and rows (row.c) ---- */

struct key {
	size_t length;
	uint8_t bytes[DB_KEY_MAX];
};

struct key
key_task(const struct id *id);

struct key
key_event(const struct id *id, uint64_t seq);

struct key
key_ready(const struct task_row *row);

struct key
key_parked(const struct task_row *row);

struct key
key_due(int64_t due, const struct id *id);

struct key
key_lease(const struct id *worker, const struct id *task);

struct key
key_idempotency(const char *user, const char *key);

struct key
key_user(const char *user, int state, const struct id *id);

struct key
key_state(enum task_state state, const struct id *id);

/* KIND 't' or 's' with "", 'q' with a queue, 'u' with a user, 'w' with a
 * word. */
struct key
key_counter(char kind, const char *name);

/* A row of meta. */
struct key
key_name(const char *name);

struct key
key_share(const char *queue, uint8_t priority, const char *user);

struct key
key_served(const char *queue);

/* TEXT and a NUL: the prefix of all keys that belong to it. */
struct key
key_text(const char *text);

struct key
key_text2(const char *first, const char *second);

/* The key after every one that starts with KEY. */
void
key_after(struct key *key);

/* The key right after KEY itself. */
void
key_next(struct key *key);

bool
key_starts(struct span key, const struct key *prefix);

/* The last 16 bytes. */
struct id
key_id(struct span key);

void
put64(uint8_t *at, uint64_t number);

uint64_t
get64(const void *at);

#define ROW_MAX 1024 /* bytes of a packed row */

size_t
row_pack(const struct task_row *row, uint8_t bytes[ROW_MAX]);

/* FAIL_NEVER, type "store_damaged". */
int
row_unpack(struct span value, const struct id *id, struct task_row *ret_row,
    struct fail *fail);

struct worker_row {
	char boot[37], host[65];
	int64_t until, pid;
};

#define WORKER_MAX 160

size_t
worker_pack(const struct worker_row *worker, uint8_t bytes[WORKER_MAX]);

int
worker_unpack(struct span value, struct worker_row *ret_worker,
    struct fail *fail);

struct counts {
	int64_t state[TASK_STATES], ready;
};

#define COUNTS_SIZE (1 + 8 * (TASK_STATES + 1))

void
counts_pack(const struct counts *counts, uint8_t bytes[COUNTS_SIZE]);

int
counts_unpack(struct span value, struct counts *ret_counts, struct fail *fail);

/* A number behind a version byte. */
int
number_unpack(struct span value, uint64_t *ret_number, struct fail *fail);

int
fail_damaged(struct fail *fail, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- shorter calls of db.h ---- */

int
row_get(struct store *store, enum table table, const struct key *key,
    struct span *ret_value, struct fail *fail);

int
row_put(struct store *store, enum table table, const struct key *key,
    const void *value, size_t length, struct fail *fail);

/* Deletes a row that must be there. */
int
row_drop(struct store *store, enum table table, const struct key *key,
    struct fail *fail);

int
row_first(struct store *store, enum table table, const struct key *prefix,
    struct db_row *ret_row, struct fail *fail);

/* *number stays as it is when there is no row. Returns as row_get. */
int
number_read(struct store *store, enum table table, const struct key *key,
    uint64_t *number, struct fail *fail);

int
number_write(struct store *store, enum table table, const struct key *key,
    uint64_t number, struct fail *fail);

/* Zeros when there is no row. */
int
counts_read(struct store *store, char kind, const char *name,
    struct counts *ret_counts, struct fail *fail);

/* FAIL_NEVER, type "store_damaged", when there is none. */
int
task_load(struct store *store, const struct id *id, struct task_row *ret_row,
    struct fail *fail);

/* Packs and writes the row of a task, nothing else. */
int
task_write(struct store *store, const struct task_row *row, struct fail *fail);

/* ---- indexes (index.c) ---- */

/* Whether the row is ready: QUEUED and not due later. */
bool
row_ready(const struct task_row *row);

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

/* The path of a worker's lock file; the caller frees. */
char *
worker_path(const struct store *store, const struct id *worker);

/* The number of workers that are neither dead nor past their time. Opens a file
 * for each. */
int
workers_alive(struct store *store, int64_t *ret_alive, struct fail *fail);

/* ---- sums and reasons to wait (sums.c) ---- */

/* The key of the counter for the first word of a WAITING row's reason. */
struct key
key_waits(const struct task_row *row);

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

/* Whether the store has them: not when it is of version 1. */
int
sums_counted(struct store *store, bool *ret_counted, struct fail *fail);

/* Upgrades a store of version 1 to this version; outside of transactions. */
int
sums_upgrade(struct store *store, struct fail *fail);

#endif
