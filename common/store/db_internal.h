/* SPDX-License-Identifier: ISC */
/*
 * db_internal: what the parts of db share. For db*.c only.
 */
#ifndef COMMON_STORE_DB_INTERNAL_H
#define COMMON_STORE_DB_INTERNAL_H

#include <lmdb.h>

#include "common/store/db.h"

struct db {
	struct db_options options;
	char *folder, *data_path, *lock_path;
	int lock;     /* -1: a read-only disk that has no lock file */
	MDB_env *env; /* NULL: to be opened by the next transaction */
	MDB_txn *txn;
	MDB_dbi tables[DB_TABLES_MAX];
	bool writing;
	size_t room;     /* of the transaction, for the disk's fullness */
	uint64_t wanted; /* more room, because the last one needed it */
};

/* Errors of LMDB and of the system in the words of store.h. Returns -1. */
int
db_fail(const struct db *db, int error, const char *doing, struct fail *fail);

/* The transaction was larger than announced: the next one gets a map of twice
 * the size. */
void
db_want_more(struct db *db);

#endif
