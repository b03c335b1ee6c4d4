/* SPDX-License-Identifier: ISC */
/* The tables, and what is written in them, as table.h says. */
#include "common/store/table.h"

#include <string.h>

const char *const store_tables[] = {
	[TABLE_META] = "meta",
	[TABLE_TASKS] = "tasks",
	[TABLE_JOURNAL] = "journal",
	[TABLE_READY] = "ready",
	[TABLE_PARKED] = "parked",
	[TABLE_DUE] = "due",
	[TABLE_LEASES] = "leases",
	[TABLE_WORKERS] = "workers",
	[TABLE_KEYS] = "keys",
	[TABLE_BY_USER] = "by_user",
	[TABLE_BY_STATE] = "by_state",
	[TABLE_COUNTERS] = "counters",
	[TABLE_SHARES] = "shares",
};
_Static_assert(sizeof(store_tables) / sizeof(*store_tables) == TABLES,
    "each table has a name");

int
table_get(struct store *store, enum table table, const struct key *key,
    struct span *ret_value, struct fail *fail)
{
	return db_get(store->db, table, key->bytes, key->length, ret_value,
	    fail);
}

int
table_put(struct store *store, enum table table, const struct key *key,
    const void *value, size_t length, struct fail *fail)
{
	return db_put(store->db, table, key->bytes, key->length, value, length,
	    fail);
}

int
table_delete(struct store *store, enum table table, const struct key *key,
    struct fail *fail)
{
	return db_delete(store->db, table, key->bytes, key->length, fail);
}

int
table_drop(struct store *store, enum table table, const struct key *key,
    struct fail *fail)
{
	int result = table_delete(store, table, key, fail);

	if (result == 0)
		return fail_damaged(fail,
		    "the table %s has no row where there "
		    "must be one",
		    store_tables[table]);
	return result < 0 ? -1 : 0;
}

int
table_seek(struct store *store, enum table table, const struct key *from,
    struct db_row *ret_row, struct fail *fail)
{
	return db_seek(store->db, table, from->bytes, from->length, ret_row,
	    fail);
}

int
table_first(struct store *store, enum table table, const struct key *prefix,
    struct db_row *ret_row, struct fail *fail)
{
	struct db_row row;
	int result = table_seek(store, table, prefix, &row, fail);

	if (result <= 0)
		return result;
	if (!key_starts(row.key, prefix))
		return 0;
	*ret_row = row;
	return 1;
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
table_task(struct store *store, const struct id *id, struct task_row *ret_row,
    struct fail *fail)
{
	struct key key = key_task(id);
	char name[ID_TEXT];
	struct span value;
	int found = table_get(store, TABLE_TASKS, &key, &value, fail);

	if (found < 0)
		return -1;
	if (found)
		return unpack_row(value, id, ret_row, fail);
	id_format(id, name);
	return fail_damaged(fail,
	    "an index names the task %s, which is not "
	    "there",
	    name);
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
