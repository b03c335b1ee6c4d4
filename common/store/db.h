/* SPDX-License-Identifier: ISC */
/*
 * db: one LMDB environment under one lock file, private to the store. The
 * only module that sees LMDB.
 *
 *	db_open(folder, &options, &db, &fail);
 *	db_begin(db, true, room, &fail);
 *	... db_get, db_put, db_delete, db_seek ...
 *	db_commit(db, &fail);              or db_abort(db)
 *	db_close(db);
 *
 * A process opens a folder once, does not carry it over fork, and has one
 * transaction at a time. A transaction holds the lock, so it is short. Bytes
 * that a call returns live until the next change in the transaction or its
 * end. Errors are those of store.h. After a failed change the transaction can
 * only be aborted.
 */
#ifndef COMMON_STORE_DB_H
#define COMMON_STORE_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/fail.h"
#include "common/json/json.h"

#define DB_KEY_MAX 511 /* LMDB's limit */
#define DB_TABLES_MAX 16

struct db;

struct db_options {
	const char *const *tables; /* names; db stores the version in the first
	                            * one */
	size_t table_count;
	uint32_t version; /* of what the tables hold */
	uint32_t oldest;  /* older version that is accepted, too; 0: none */
	bool write, create;
	uint64_t maximum; /* bytes; 0: no limit */
	uint64_t initial; /* first size of the map; 0: 16 MiB */
	int64_t lock_ms;  /* longest wait for the lock; 0: 10 s */
	bool unsynced;    /* db_sync makes it durable, not db_commit */
};

int
db_open(const char *folder, const struct db_options *options,
    struct db **ret_db, struct fail *fail);

void
db_close(struct db *db); /* aborts what is open; NULL is fine */

/* Waits for the lock: shared for reading, exclusive for writing. ROOM: bytes
 * about to be written; the map grows before the transaction begins. */
int
db_begin(struct db *db, bool write, size_t room, struct fail *fail);

/* Durable when it returns 0; on -1 the store is unchanged. */
int
db_commit(struct db *db, struct fail *fail);

void
db_abort(struct db *db);

bool
db_writing(const struct db *db); /* in a write transaction */

int
db_sync(struct db *db, struct fail *fail);

/* Returns 1 when there is such a row, 0 when not, -1. */
int
db_get(struct db *db, unsigned table, const void *key, size_t key_length,
    struct span *ret_value, struct fail *fail);

int
db_put(struct db *db, unsigned table, const void *key, size_t key_length,
    const void *value, size_t value_length, struct fail *fail);

/* Returns 1 when the row was there and is gone, 0 when it was not, -1. */
int
db_delete(struct db *db, unsigned table, const void *key, size_t key_length,
    struct fail *fail);

struct db_row {
	struct span key, value;
};

/* The first row whose key is not less than KEY (of the table when KEY is
 * empty); returns as db_get. */
int
db_seek(struct db *db, unsigned table, const void *key, size_t key_length,
    struct db_row *ret_row, struct fail *fail);

/* The last row whose key is less than KEY (of the table when KEY is empty);
 * returns as db_get. */
int
db_seek_before(struct db *db, unsigned table, const void *key,
    size_t key_length, struct db_row *ret_row, struct fail *fail);

/* A cursor walks over rows without a search for each. The table must not change
 * while it is open, and it must be closed before the transaction ends. */
struct db_cursor;

int
db_cursor_open(struct db *db, unsigned table, struct db_cursor **ret_cursor,
    struct fail *fail);

void
db_cursor_close(struct db_cursor *cursor); /* NULL is fine */

enum db_move {
	DB_AT,     /* the first row with at least this key */
	DB_BEFORE, /* the last row with less than this key */
	DB_NEXT,   /* no key for these two */
	DB_PREVIOUS,
};

/* Returns as db_get. */
int
db_cursor_move(struct db_cursor *cursor, enum db_move move, const void *key,
    size_t key_length, struct db_row *ret_row, struct fail *fail);

#endif
