/* SPDX-License-Identifier: ISC */
/*
 * db_internal: shared by the parts of db. For db*.c only.
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
	size_t room;     /* of the transaction, to tell whether the disk is
	                    * full */
	uint64_t wanted; /* additional room, which the last one needed */
};

/* Fills FAIL with an error of LMDB or the system, as store.h describes. -1. */
int
db_fail(const struct db *db, int error, const char *doing, struct fail *fail);

/* The transaction was larger than announced: the next one gets a map of twice
 * the size. */
void
db_want_more(struct db *db);

#endif
