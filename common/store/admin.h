/* SPDX-License-Identifier: ISC */
/*
 * store_admin: the commands of agent-store. Each call makes its own
 * transactions.
 */
#ifndef COMMON_STORE_ADMIN_H
#define COMMON_STORE_ADMIN_H

#include "common/store/store.h"

/* Verifies every invariant between the tables and calls FAULT with a sentence
 * for each fault. EVENTS, when not NULL, is called with each whole journal (an
 * array of spans) and its row, because the store itself does not know events;
 * when it returns -1, its message is one more fault. All in one read
 * transaction. Returns the number of faults, or -1. */
int
store_verify(struct store *store,
    int (*events)(void *context, const struct task_row *row,
	const struct span *texts, size_t count, struct fail *fail),
    void (*fault)(void *context, const char *sentence), void *context,
    struct fail *fail);

/* Makes a synced copy, a new store in FOLDER (which must not exist), in short
 * steps while others work. Each task in it is as it was at one moment
 * during the backup; those created meanwhile may be missing. A task that was
 * running has a dead worker in the copy and goes on as after a crash. */
int
store_backup(struct store *store, const char *folder, struct fail *fail);

/* Removes tasks in a final state whose last change is before WALL, with
 * journal, key and indexes, in short transactions. Returns how many or -1. */
int64_t
store_prune(struct store *store, int64_t wall, struct fail *fail);

/* Pure. Folds the COUNT events of TEXTS and compares the result with ROW. On -1 the
 * message says what is wrong, as the end of a sentence that begins with the
 * task. */
int
audit_journal(const struct task_row *row, const struct span *texts,
    size_t count, struct fail *fail);

#endif
