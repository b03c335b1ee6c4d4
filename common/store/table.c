/* SPDX-License-Identifier: ISC */
/*
 * The tables, and what is written in them, as table.h says: a thin layer over
 * LMDB that reports errors as store.h says.
 */
#include "common/store/table.h"

#include <lmdb.h>
#include <string.h>

#include "common/store/internal.h"

/* LMDB takes non-const pointers and does not write through them. */
static MDB_val
value_of(const void *bytes, size_t length)
{
	union {
		const void *from;
		void *to;
	} pointer = { .from = bytes };

	return (MDB_val){ length, pointer.to };
}

static struct span
span_of(const MDB_val *value)
{
	return (struct span){ value->mv_data, value->mv_size };
}

static int
changed(struct store *store, int error, struct fail *fail)
{
	if (error == 0)
		return 0;
	if (error == MDB_MAP_FULL)
		db_want_more(store);
	return db_fail(store, error, "write to", fail);
}

int
table_get(struct store *store, enum table table, const struct key *key,
    struct span *ret_value, struct fail *fail)
{
	MDB_val name = value_of(key->bytes, key->length), value;
	int error = mdb_get(store->txn, store->tables[table], &name, &value);

	if (error == MDB_NOTFOUND)
		return 0;
	if (error) {
		db_fail(store, error, "read", fail);
		return -1;
	}
	*ret_value = span_of(&value);
	return 1;
}

int
table_put(struct store *store, enum table table, const struct key *key,
    const void *bytes, size_t length, struct fail *fail)
{
	MDB_val name = value_of(key->bytes, key->length);
	MDB_val value = value_of(bytes, length);

	return changed(store,
	    mdb_put(store->txn, store->tables[table], &name, &value, 0), fail);
}

int
table_delete(struct store *store, enum table table, const struct key *key,
    struct fail *fail)
{
	MDB_val name = value_of(key->bytes, key->length);
	int error = mdb_del(store->txn, store->tables[table], &name, NULL);

	if (error == MDB_NOTFOUND)
		return 0;
	return changed(store, error, fail) < 0 ? -1 : 1;
}

int
table_drop(struct store *store, enum table table, const struct key *key,
    struct fail *fail)
{
	int result = table_delete(store, table, key, fail);

	if (result == 0)
		return fail_damaged(fail,
		    "the table %s has no row where there must be one",
		    store_tables[table]);
	return result < 0 ? -1 : 0;
}

int
cursor_open(struct store *store, enum table table,
    struct MDB_cursor **ret_cursor, struct fail *fail)
{
	int error = mdb_cursor_open(store->txn, store->tables[table],
	    ret_cursor);

	return error ? db_fail(store, error, "read", fail) : 0;
}

void
cursor_close(struct MDB_cursor *cursor)
{
	if (cursor)
		mdb_cursor_close(cursor);
}

static int
move(MDB_cursor *cursor, enum cursor_move how, MDB_val *key, MDB_val *value)
{
	int error;

	switch (how) {
	case CURSOR_AT:
		return mdb_cursor_get(cursor, key, value,
		    key->mv_size ? MDB_SET_RANGE : MDB_FIRST);
	case CURSOR_BEFORE:
		error = key->mv_size
		    ? mdb_cursor_get(cursor, key, value, MDB_SET_RANGE)
		    : MDB_NOTFOUND;
		if (error && error != MDB_NOTFOUND)
			return error;
		return mdb_cursor_get(cursor, key, value,
		    error ? MDB_LAST : MDB_PREV);
	case CURSOR_NEXT:
		return mdb_cursor_get(cursor, key, value, MDB_NEXT);
	case CURSOR_PREVIOUS:
		return mdb_cursor_get(cursor, key, value, MDB_PREV);
	}
	return MDB_NOTFOUND;
}

int
cursor_move(struct store *store, struct MDB_cursor *cursor,
    enum cursor_move how, const struct key *key, struct table_row *ret_row,
    struct fail *fail)
{
	MDB_val found = value_of(key ? key->bytes : NULL,
	    key ? key->length : 0);
	MDB_val value;
	int error = move(cursor, how, &found, &value);

	if (error == MDB_NOTFOUND)
		return 0;
	if (error) {
		db_fail(store, error, "read", fail);
		return -1;
	}
	ret_row->key = span_of(&found);
	ret_row->value = span_of(&value);
	return 1;
}

static int
seek(struct store *store, enum table table, enum cursor_move how,
    const struct key *key, struct table_row *ret_row, struct fail *fail)
{
	MDB_cursor *cursor;
	int found;

	if (cursor_open(store, table, &cursor, fail) < 0)
		return -1;
	found = cursor_move(store, cursor, how, key, ret_row, fail);
	mdb_cursor_close(cursor);
	return found;
}

int
table_seek(struct store *store, enum table table, const struct key *from,
    struct table_row *ret_row, struct fail *fail)
{
	return seek(store, table, CURSOR_AT, from, ret_row, fail);
}

int
table_last(struct store *store, enum table table, const struct key *prefix,
    struct table_row *ret_row, struct fail *fail)
{
	struct key end = *prefix;
	struct table_row row;
	int found;

	key_after(&end);
	found = seek(store, table, CURSOR_BEFORE, &end, &row, fail);
	if (found <= 0 || !key_starts(row.key, prefix))
		return found < 0 ? -1 : 0;
	*ret_row = row;
	return 1;
}

int
table_next(struct store *store, enum table table, struct key *from,
    const struct key *prefix, struct table_row *ret_row, struct fail *fail)
{
	int found = table_seek(store, table, from, ret_row, fail);

	if (found <= 0 || (prefix && !key_starts(ret_row->key, prefix)))
		return found < 0 ? -1 : 0;
	*from = key_of(ret_row->key);
	key_next(from);
	return 1;
}

int
table_first(struct store *store, enum table table, const struct key *prefix,
    struct table_row *ret_row, struct fail *fail)
{
	int found = table_seek(store, table, prefix, ret_row, fail);

	return found == 1 && !key_starts(ret_row->key, prefix) ? 0 : found;
}

int
table_number(struct store *store, enum table table, const struct key *key,
    uint64_t *number, struct fail *fail)
{
	struct span value;
	int found = table_get(store, table, key, &value, fail);

	if (found <= 0)
		return found;
	return unpack_number(value, number, fail) < 0 ? -1 : 1;
}

int
table_put_number(struct store *store, enum table table, const struct key *key,
    uint64_t number, struct fail *fail)
{
	uint8_t bytes[9] = { FORMAT };

	put64(bytes + 1, number);
	return table_put(store, table, key, bytes, sizeof(bytes), fail);
}

int
table_step(struct store *store, const struct key *key, int step,
    struct fail *fail)
{
	uint64_t number = 0;

	if (table_number(store, TABLE_COUNTERS, key, &number, fail) < 0)
		return -1;
	number += (uint64_t)step;
	if (number == 0)
		return table_drop(store, TABLE_COUNTERS, key, fail);
	return table_put_number(store, TABLE_COUNTERS, key, number, fail);
}

int
table_counts(struct store *store, char kind, const char *name,
    struct counts *ret_counts, struct fail *fail)
{
	struct key key = key_counter(kind, name);
	struct counts none;
	struct span value;
	int found = table_get(store, TABLE_COUNTERS, &key, &value, fail);

	if (found < 0)
		return -1;
	if (found)
		return unpack_counts(value, ret_counts, fail);
	memset(&none, 0, sizeof(none));
	*ret_counts = none;
	return 0;
}

int
table_put_counts(struct store *store, char kind, const char *name,
    const struct counts *counts, struct fail *fail)
{
	struct key key = key_counter(kind, name);
	uint8_t bytes[COUNTS_SIZE];

	pack_counts(counts, bytes);
	return table_put(store, TABLE_COUNTERS, &key, bytes, sizeof(bytes),
	    fail);
}

int
table_find_task(struct store *store, const struct id *id,
    struct task_row *ret_row, struct fail *fail)
{
	struct key key = key_task(id);
	struct span value;
	int found = table_get(store, TABLE_TASKS, &key, &value, fail);

	if (found <= 0)
		return found;
	return unpack_row(value, id, ret_row, fail) < 0 ? -1 : 1;
}

int
table_task(struct store *store, struct id id, struct task_row *ret_row,
    struct fail *fail)
{
	int found = table_find_task(store, &id, ret_row, fail);
	char name[ID_TEXT];

	if (found)
		return found < 0 ? -1 : 0;
	id_format(&id, name);
	return fail_damaged(fail,
	    "an index names the task %s, which is not there", name);
}

int
table_put_task(struct store *store, const struct task_row *row,
    struct fail *fail)
{
	uint8_t bytes[ROW_MAX];
	struct key key = key_task(&row->id);
	size_t length = pack_row(row, bytes);

	return table_put(store, TABLE_TASKS, &key, bytes, length, fail);
}

int
table_put_key(struct store *store, const struct task_row *row,
    struct fail *fail)
{
	struct key key = key_idempotency(row->user, row->key);
	uint8_t value[1 + ID_SIZE] = { FORMAT };

	memcpy(value + 1, row->id.bytes, ID_SIZE);
	return table_put(store, TABLE_KEYS, &key, value, sizeof(value), fail);
}
