/* SPDX-License-Identifier: ISC */
/*
 * internal: the struct of a store. For the parts of the store and their tests
 * only.
 */
#ifndef COMMON_STORE_INTERNAL_H
#define COMMON_STORE_INTERNAL_H

#include "common/store/db.h"
#include "common/store/store.h"

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

/* Removes a task with its journal, key and index entries. Returns how many
 * events it had, or -1. */
int64_t
store_remove(struct store *store, const struct task_row *row,
    struct fail *fail);

/* The number of workers that are neither dead nor past their time. Opens a file
 * for each. */
int
store_workers_alive(struct store *store, int64_t *ret_alive, struct fail *fail);

#endif
