/* SPDX-License-Identifier: ISC */
/*
 * Rows and cursors: a thin layer over LMDB that reports errors as store.h says.
 */
#include <lmdb.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/store/db_internal.h"

struct db_cursor {
	struct db *db;
	MDB_cursor *cursor;
};

/* LMDB takes non-const pointers and does not write through them. */
static MDB_val
value_of(const void *bytes, size_t length)
{
	union {
		const void *from;
		void *to;
	} pointer;
	MDB_val value;

	pointer.from = bytes;
	value.mv_data = pointer.to;
	value.mv_size = length;
	return value;
}

static struct span
span_of(const MDB_val *value)
{
	return (struct span){ value->mv_data, value->mv_size };
}

static int
changed(struct db *db, int error, struct fail *fail)
{
	if (error == 0)
		return 0;
	if (error == MDB_MAP_FULL)
		db_want_more(db);
	return db_fail(db, error, "write to", fail);
}

int
db_get(struct db *db, unsigned table, const void *key, size_t key_length,
    struct span *ret_value, struct fail *fail)
{
	MDB_val name = value_of(key, key_length), value;
	int error = mdb_get(db->txn, db->tables[table], &name, &value);

	if (error == MDB_NOTFOUND)
		return 0;
	if (error)
		return db_fail(db, error, "read", fail);
	*ret_value = span_of(&value);
	return 1;
}

int
db_put(struct db *db, unsigned table, const void *key, size_t key_length,
    const void *bytes, size_t value_length, struct fail *fail)
{
	MDB_val name = value_of(key, key_length);
	MDB_val value = value_of(bytes, value_length);

	return changed(db,
	    mdb_put(db->txn, db->tables[table], &name, &value, 0), fail);
}

int
db_delete(struct db *db, unsigned table, const void *key, size_t key_length,
    struct fail *fail)
{
	MDB_val name = value_of(key, key_length);
	int error = mdb_del(db->txn, db->tables[table], &name, NULL);

	if (error == MDB_NOTFOUND)
		return 0;
	return changed(db, error, fail) < 0 ? -1 : 1;
}

int
db_cursor_open(struct db *db, unsigned table, struct db_cursor **ret_cursor,
    struct fail *fail)
{
	struct db_cursor *cursor = mem_alloc(sizeof(*cursor));
	int error;

	cursor->db = db;
	error = mdb_cursor_open(db->txn, db->tables[table], &cursor->cursor);
	if (error) {
		free(cursor);
		return db_fail(db, error, "read", fail);
	}
	*ret_cursor = cursor;
	return 0;
}

void
db_cursor_close(struct db_cursor *cursor)
{
	if (!cursor)
		return;
	mdb_cursor_close(cursor->cursor);
	free(cursor);
}

static int
move(MDB_cursor *cursor, enum db_move how, const void *key, size_t key_length,
    MDB_val *found, MDB_val *value)
{
	int error;

	*found = value_of(key, key_length);
	switch (how) {
	case DB_AT:
		if (key_length == 0)
			return mdb_cursor_get(cursor, found, value, MDB_FIRST);
		return mdb_cursor_get(cursor, found, value, MDB_SET_RANGE);
	case DB_BEFORE:
		if (key_length == 0)
			return mdb_cursor_get(cursor, found, value, MDB_LAST);
		error = mdb_cursor_get(cursor, found, value, MDB_SET_RANGE);
		if (error == MDB_NOTFOUND)
			return mdb_cursor_get(cursor, found, value, MDB_LAST);
		if (error)
			return error;
		return mdb_cursor_get(cursor, found, value, MDB_PREV);
	case DB_NEXT:
		return mdb_cursor_get(cursor, found, value, MDB_NEXT);
	case DB_PREVIOUS:
		return mdb_cursor_get(cursor, found, value, MDB_PREV);
	}
	return MDB_NOTFOUND;
}

static int
found_row(struct db *db, int error, const MDB_val *key, const MDB_val *value,
    struct db_row *ret_row, struct fail *fail)
{
	if (error == MDB_NOTFOUND)
		return 0;
	if (error)
		return db_fail(db, error, "read", fail);
	ret_row->key = span_of(key);
	ret_row->value = span_of(value);
	return 1;
}

int
db_cursor_move(struct db_cursor *cursor, enum db_move how, const void *key,
    size_t key_length, struct db_row *ret_row, struct fail *fail)
{
	MDB_val found, value;
	int error = move(cursor->cursor, how, key, key_length, &found, &value);

	return found_row(cursor->db, error, &found, &value, ret_row, fail);
}

static int
seek(struct db *db, unsigned table, enum db_move how, const void *key,
    size_t key_length, struct db_row *ret_row, struct fail *fail)
{
	MDB_cursor *cursor;
	MDB_val found, value;
	int error;

	error = mdb_cursor_open(db->txn, db->tables[table], &cursor);
	if (error)
		return db_fail(db, error, "read", fail);
	error = move(cursor, how, key, key_length, &found, &value);
	mdb_cursor_close(cursor);
	return found_row(db, error, &found, &value, ret_row, fail);
}

int
db_seek(struct db *db, unsigned table, const void *key, size_t key_length,
    struct db_row *ret_row, struct fail *fail)
{
	return seek(db, table, DB_AT, key, key_length, ret_row, fail);
}

int
db_seek_before(struct db *db, unsigned table, const void *key,
    size_t key_length, struct db_row *ret_row, struct fail *fail)
{
	return seek(db, table, DB_BEFORE, key, key_length, ret_row, fail);
}
