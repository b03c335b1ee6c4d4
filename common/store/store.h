/* SPDX-License-Identifier: ISC */
/*
 * store: tasks, their journals, the queue and the leases in one LMDB
 * environment. It knows rows and bytes of events, not what an event means.
 *
 * A store is a directory:
 *	data.mdb   the environment (MDB_NOLOCK)
 *	lock       one OFD lock: shared for a read, exclusive for a write
 *	workers/   a file per living worker, locked by it as long as it lives
 *	wake/      a file per queue, touched after a commit that made work ready
 *	progress/  a file per running task: the text so far, not durable
 *
 * Everything below "transactions" needs an open transaction, and each is short:
 * the caller never waits inside. Pointers that a call returns into the store
 * live until the transaction ends. After a call that failed inside a write
 * transaction the caller aborts it. Indexes and counters change in the same
 * transaction as the rows that they count.
 *
 * Errors, all FAIL_NOT_NOW but where said: "disk_full"; "store_full" (the
 * configured maximum); "store_locked" (a holder is stopped or hung: the
 * message names it); FAIL_NEVER: "no_store", "not_a_store", "store_version",
 * "permission", "store_damaged".
 */
#ifndef COMMON_STORE_STORE_H
#define COMMON_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/agent/journal.h"
#include "common/agent/task_row.h"
#include "common/base/buf.h"
#include "common/base/fail.h"
#include "common/base/id.h"

#define STORE_VERSION \
	3 /* 1 and 2 can be read; opening them for writing upgrades them */

struct store;

enum store_mode {
	STORE_READ,   /* must exist; may be on a read-only disk */
	STORE_WRITE,  /* must exist */
	STORE_CREATE, /* made when missing, together with its folders */
};

/* MAXIMUM: bytes the environment may grow to, 0 for no limit. */
int
store_open(const char *folder, enum store_mode mode, uint64_t maximum,
    struct store **ret_store, struct fail *fail);

void
store_close(struct store *store); /* aborts what is open; NULL is fine */

const char *
store_folder(const struct store *store);

/* The file with the text of a turn under way; the caller frees. */
char *
store_progress_path(const struct store *store, const struct id *id);

/* ---- transactions ---- */

/* ROOM: bytes about to be written, so that the map can grow first; 0 in a
 * read. Waits for the lock; after some seconds FAIL_NOT_NOW. */
int
store_begin(struct store *store, bool write, size_t room, struct fail *fail);

/* On disk when it returns 0. On -1 the store is unchanged. */
int
store_commit(struct store *store, struct fail *fail);

void
store_abort(struct store *store);

/* ---- tasks ---- */

/* Adds the row in state QUEUED; its seq is that of the last event that the
 * caller appends in the same transaction. When row->key is not "" and the user
 * has a task of that key, nothing is added, *ret_existing is its row and the
 * call returns 1. */
int
store_create(struct store *store, struct task_row *row,
    struct task_row *ret_existing, struct fail *fail);

/* FAIL_NO, type "no_task", when there is none. */
int
store_get(struct store *store, const struct id *id, struct task_row *ret_row,
    struct fail *fail);

/* Writes the row back. Moves it between ready, due, leases and indexes as its
 * state and due say; a ready task gets its fair-share position here. RUNNING is
 * entered by store_lease only. */
int
store_put(struct store *store, struct task_row *row, struct fail *fail);

/* Appends event number SEQ, which must follow the last one. */
int
store_append(struct store *store, const struct id *id, uint64_t seq,
    const void *text, size_t length, struct fail *fail);

/* Calls EVENT for each event after AFTER, in order, until it returns
 * non-zero, which is then returned (else 0, or -1 with fail). */
int
store_read(struct store *store, const struct id *id, uint64_t after,
    int (*event)(void *context, uint64_t seq, struct span text,
	struct fail *fail),
    void *context, struct fail *fail);

struct store_filter {
	const char *user, *queue; /* NULL: any */
	int state;                /* an enum task_state, or -1: any */
	struct id before;         /* older than this one; all zero: from the
	                            * newest */
	size_t limit;
};

/* Rows, newest first, until ROW returns non-zero. Of a damaged one it gets only the
 * id, and WHY, which else is NULL; it passes any filter of queues. */
int
store_list(struct store *store, const struct store_filter *filter,
    int (*row)(void *context, const struct task_row *row,
	const struct fail *why),
    void *context, struct fail *fail);

/* ---- the queue and its workers ---- */

struct store_limits {
	int64_t running_per_user, running_per_queue; /* 0: none */
};

/* Makes WORKER's lock file, locks it and keeps it open until store_close
 * (outside of transactions). */
int
store_join(struct store *store, const struct id *worker, struct fail *fail);

/* Says that WORKER is alive until UNTIL (boot time); the row is made when
 * missing. */
int
store_renew(struct store *store, const struct id *worker, int64_t until,
    struct fail *fail);

/* Removes WORKER's row and lock file; it must hold no lease. */
int
store_leave(struct store *store, const struct id *worker, struct fail *fail);

/* Finds tasks whose worker is dead (its lock file is free or gone) or past its
 * time at NOW (boot time), up to COUNT rows; they are still RUNNING: the caller
 * puts them back. Returns how many, or -1. Dead workers without tasks are
 * removed. The time is not asked of a worker with another boot clock. */
int
store_orphans(struct store *store, const struct id *self, int64_t now,
    struct task_row *ret_rows, size_t count, struct fail *fail);

/* Moves tasks whose due time is not after NOW (wall) to ready, as QUEUED.
 * Returns how many, or -1; *ret_next is the next due time, 0 for none. */
int
store_promote(struct store *store, int64_t now, int64_t *ret_next,
    struct fail *fail);

/* Leases up to COUNT ready tasks of QUEUES (names; count 0: of all) to
 * WORKER: highest priority first, then users in fair turns, then oldest. Each
 * row is RUNNING with a new fence. Returns how many, or -1. */
int
store_lease(struct store *store, const struct id *worker,
    const char *const *queues, size_t queue_count,
    const struct store_limits *limits, struct task_row *ret_rows, size_t count,
    struct fail *fail);

/* Touches wake/QUEUE, after the commit; a failure is ignored. */
void
store_wake(struct store *store, const char *queue);

#endif
