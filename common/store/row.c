/* SPDX-License-Identifier: ISC */
/*
 * The formats of the store: keys and values, packed field by field. Nothing
 * here depends on how a compiler lays out a struct.
 *
 * To change the format of a value, raise its version byte here; the reader keeps
 * reading the older ones, and a row gets the new format when it is next written.
 * A change of keys or of tables raises STORE_VERSION.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/store/internal.h"

#define FORMAT 1 /* the version byte of every value so far */

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
fail_damaged(struct fail *fail, const char *format, ...)
{
	char what[512];
	va_list list;

	va_start(list, format);
	vsnprintf(what, sizeof(what), format, list);
	va_end(list);
	return fail_set(fail, FAIL_NEVER, "store_damaged",
	    "the store is damaged: %s; run agent-store check, and restore a "
	    "backup",
	    what);
}

/* ---- numbers ---- */

void
put64(uint8_t *at, uint64_t number)
{
	int i;

	for (i = 7; i >= 0; i--) {
		at[i] = (uint8_t)number;
		number >>= 8;
	}
}

uint64_t
get64(const void *at)
{
	const uint8_t *bytes = at;
	uint64_t number = 0;
	int i;

	for (i = 0; i < 8; i++)
		number = number << 8 | bytes[i];
	return number;
}

/* ---- keys ---- */

static void
key_add(struct key *key, const void *bytes, size_t length)
{
	/* Assumes that lengths were checked when the row was made. */
	if (length > sizeof(key->bytes) - key->length)
		length = sizeof(key->bytes) - key->length;
	memcpy(key->bytes + key->length, bytes, length);
	key->length += length;
}

static void
key_add_byte(struct key *key, uint8_t byte)
{
	key_add(key, &byte, 1);
}

static void
key_add_text(struct key *key, const char *text)
{
	key_add(key, text, strlen(text) + 1);
}

static void
key_add_number(struct key *key, uint64_t number)
{
	uint8_t bytes[8];

	put64(bytes, number);
	key_add(key, bytes, sizeof(bytes));
}

static void
key_add_id(struct key *key, const struct id *id)
{
	key_add(key, id->bytes, ID_SIZE);
}

struct key
key_task(const struct id *id)
{
	struct key key = { .length = 0 };

	key_add_id(&key, id);
	return key;
}

struct key
key_event(const struct id *id, uint64_t seq)
{
	struct key key = { .length = 0 };

	key_add_id(&key, id);
	key_add_number(&key, seq);
	return key;
}

static void
key_add_place(struct key *key, const struct task_row *row)
{
	key_add_byte(key, (uint8_t)(9 - row->priority));
	key_add_number(key, row->order);
	key_add_id(key, &row->id);
}

struct key
key_ready(const struct task_row *row)
{
	struct key key = { .length = 0 };

	key_add_text(&key, row->queue);
	key_add_place(&key, row);
	return key;
}

struct key
key_parked(const struct task_row *row)
{
	struct key key = { .length = 0 };

	key_add_text(&key, row->user);
	key_add_text(&key, row->queue);
	key_add_place(&key, row);
	return key;
}

struct key
key_due(int64_t due, const struct id *id)
{
	struct key key = { .length = 0 };

	key_add_number(&key, (uint64_t)due);
	key_add_id(&key, id);
	return key;
}

struct key
key_lease(const struct id *worker, const struct id *task)
{
	struct key key = { .length = 0 };

	key_add_id(&key, worker);
	key_add_id(&key, task);
	return key;
}

struct key
key_idempotency(const char *user, const char *name)
{
	struct key key = { .length = 0 };

	key_add_text(&key, user);
	key_add(&key, name, strlen(name));
	return key;
}

struct key
key_user(const char *user, int state, const struct id *id)
{
	struct key key = { .length = 0 };

	key_add_text(&key, user);
	key_add_byte(&key, (uint8_t)state);
	key_add_id(&key, id);
	return key;
}

struct key
key_state(enum task_state state, const struct id *id)
{
	struct key key = { .length = 0 };

	key_add_byte(&key, (uint8_t)state);
	key_add_id(&key, id);
	return key;
}

struct key
key_name(const char *name)
{
	struct key key = { .length = 0 };

	key_add(&key, name, strlen(name));
	return key;
}

struct key
key_counter(char kind, const char *name)
{
	struct key key = { .length = 0 };

	key_add(&key, &kind, 1);
	key_add(&key, name, strlen(name));
	return key;
}

struct key
key_share(const char *queue, uint8_t priority, const char *user)
{
	struct key key = { .length = 0 };

	key_add_text(&key, queue);
	key_add_byte(&key, (uint8_t)(9 - priority));
	key_add(&key, user, strlen(user));
	return key;
}

struct key
key_served(const char *queue)
{
	struct key key = { .length = 0 };

	key_add_text(&key, queue);
	key_add_byte(&key, 255);
	return key;
}

struct key
key_text(const char *text)
{
	struct key key = { .length = 0 };

	key_add_text(&key, text);
	return key;
}

struct key
key_text2(const char *first, const char *second)
{
	struct key key = { .length = 0 };

	key_add_text(&key, first);
	key_add_text(&key, second);
	return key;
}

void
key_after(struct key *key)
{
	while (key->length && key->bytes[key->length - 1] == 255)
		key->length--;
	if (key->length)
		key->bytes[key->length - 1]++;
}

void
key_next(struct key *key)
{
	key_add_byte(key, 0);
}

bool
key_starts(struct span key, const struct key *prefix)
{
	return key.length >= prefix->length &&
	    memcmp(key.at, prefix->bytes, prefix->length) == 0;
}

struct id
key_id(struct span key)
{
	struct id id;

	memset(&id, 0, sizeof(id));
	if (key.length >= ID_SIZE)
		memcpy(id.bytes, key.at + key.length - ID_SIZE, ID_SIZE);
	return id;
}

/* ---- values ---- */

struct packer {
	uint8_t *at;
};

static void
pack_byte(struct packer *packer, uint8_t byte)
{
	*packer->at++ = byte;
}

static void
pack_number(struct packer *packer, uint64_t number)
{
	put64(packer->at, number);
	packer->at += 8;
}

static void
pack_text(struct packer *packer, const char *text, size_t size)
{
	size_t length = strnlen(text, size - 1);

	pack_byte(packer, (uint8_t)length);
	memcpy(packer->at, text, length);
	packer->at += length;
}

/* Reading beyond the end gives zeros and sets bad. */
struct unpacker {
	const uint8_t *at, *end;
	bool bad;
};

static struct unpacker
unpack_start(struct span value)
{
	struct unpacker unpacker;

	unpacker.at = (const uint8_t *)value.at;
	unpacker.end = unpacker.at + value.length;
	unpacker.bad = false;
	return unpacker;
}

static uint8_t
unpack_byte(struct unpacker *unpacker)
{
	if (unpacker->at == unpacker->end) {
		unpacker->bad = true;
		return 0;
	}
	return *unpacker->at++;
}

static uint64_t
unpack_number(struct unpacker *unpacker)
{
	uint64_t number;

	if (unpacker->end - unpacker->at < 8) {
		unpacker->bad = true;
		return 0;
	}
	number = get64(unpacker->at);
	unpacker->at += 8;
	return number;
}

static void
unpack_text(struct unpacker *unpacker, char *text, size_t size)
{
	size_t length = unpack_byte(unpacker);

	text[0] = '\0';
	if ((size_t)(unpacker->end - unpacker->at) < length || length >= size) {
		unpacker->bad = true;
		return;
	}
	memcpy(text, unpacker->at, length);
	text[length] = '\0';
	unpacker->at += length;
}

static bool
unpack_whole(const struct unpacker *unpacker)
{
	return !unpacker->bad && unpacker->at == unpacker->end;
}

size_t
row_pack(const struct task_row *row, uint8_t bytes[ROW_MAX])
{
	struct packer packer = { bytes };

	pack_byte(&packer, FORMAT);
	pack_byte(&packer, (uint8_t)row->state);
	pack_byte(&packer, row->priority);
	pack_number(&packer, (uint64_t)row->created_at);
	pack_number(&packer, (uint64_t)row->updated_at);
	pack_number(&packer, (uint64_t)row->due);
	pack_number(&packer, row->seq);
	pack_number(&packer, row->fence);
	memcpy(packer.at, row->worker.bytes, ID_SIZE);
	packer.at += ID_SIZE;
	pack_number(&packer, row->order);
	pack_number(&packer, (uint64_t)row->turns);
	pack_number(&packer, (uint64_t)row->calls);
	pack_number(&packer, (uint64_t)row->calls_unknown);
	pack_number(&packer, (uint64_t)row->input_tokens);
	pack_number(&packer, (uint64_t)row->output_tokens);
	pack_number(&packer, (uint64_t)row->cache_read_tokens);
	pack_number(&packer, (uint64_t)row->cache_write_tokens);
	pack_number(&packer, (uint64_t)row->nano_usd);
	pack_text(&packer, row->user, sizeof(row->user));
	pack_text(&packer, row->queue, sizeof(row->queue));
	pack_text(&packer, row->key, sizeof(row->key));
	pack_text(&packer, row->reason, sizeof(row->reason));
	pack_text(&packer, row->title, sizeof(row->title));
	return (size_t)(packer.at - bytes);
}

int
row_unpack(struct span value, const struct id *id, struct task_row *ret_row,
    struct fail *fail)
{
	struct unpacker unpacker = unpack_start(value);
	struct task_row row;
	char name[ID_TEXT];
	size_t i;

	memset(&row, 0, sizeof(row));
	row.id = *id;
	id_format(id, name);
	if (unpack_byte(&unpacker) != FORMAT)
		return fail_damaged(fail,
		    "task %s has a row of an unknown "
		    "format",
		    name);
	row.state = unpack_byte(&unpacker);
	row.priority = unpack_byte(&unpacker);
	row.created_at = (int64_t)unpack_number(&unpacker);
	row.updated_at = (int64_t)unpack_number(&unpacker);
	row.due = (int64_t)unpack_number(&unpacker);
	row.seq = unpack_number(&unpacker);
	row.fence = unpack_number(&unpacker);
	for (i = 0; i < ID_SIZE; i++)
		row.worker.bytes[i] = unpack_byte(&unpacker);
	row.order = unpack_number(&unpacker);
	row.turns = (int64_t)unpack_number(&unpacker);
	row.calls = (int64_t)unpack_number(&unpacker);
	row.calls_unknown = (int64_t)unpack_number(&unpacker);
	row.input_tokens = (int64_t)unpack_number(&unpacker);
	row.output_tokens = (int64_t)unpack_number(&unpacker);
	row.cache_read_tokens = (int64_t)unpack_number(&unpacker);
	row.cache_write_tokens = (int64_t)unpack_number(&unpacker);
	row.nano_usd = (int64_t)unpack_number(&unpacker);
	unpack_text(&unpacker, row.user, sizeof(row.user));
	unpack_text(&unpacker, row.queue, sizeof(row.queue));
	unpack_text(&unpacker, row.key, sizeof(row.key));
	unpack_text(&unpacker, row.reason, sizeof(row.reason));
	unpack_text(&unpacker, row.title, sizeof(row.title));
	if (!unpack_whole(&unpacker) || row.state >= TASK_STATES ||
	    row.priority > 9)
		return fail_damaged(fail,
		    "task %s has a row that cannot be "
		    "read",
		    name);
	*ret_row = row;
	return 0;
}

size_t
worker_pack(const struct worker_row *worker, uint8_t bytes[WORKER_MAX])
{
	struct packer packer = { bytes };

	pack_byte(&packer, FORMAT);
	pack_number(&packer, (uint64_t)worker->until);
	pack_number(&packer, (uint64_t)worker->pid);
	pack_text(&packer, worker->boot, sizeof(worker->boot));
	pack_text(&packer, worker->host, sizeof(worker->host));
	return (size_t)(packer.at - bytes);
}

int
worker_unpack(struct span value, struct worker_row *ret_worker,
    struct fail *fail)
{
	struct unpacker unpacker = unpack_start(value);
	struct worker_row worker;

	memset(&worker, 0, sizeof(worker));
	if (unpack_byte(&unpacker) != FORMAT)
		unpacker.bad = true;
	worker.until = (int64_t)unpack_number(&unpacker);
	worker.pid = (int64_t)unpack_number(&unpacker);
	unpack_text(&unpacker, worker.boot, sizeof(worker.boot));
	unpack_text(&unpacker, worker.host, sizeof(worker.host));
	if (!unpack_whole(&unpacker))
		return fail_damaged(fail, "a worker's row cannot be read");
	*ret_worker = worker;
	return 0;
}

void
counts_pack(const struct counts *counts, uint8_t bytes[COUNTS_SIZE])
{
	struct packer packer;
	int i;

	packer.at = bytes;
	pack_byte(&packer, FORMAT);
	for (i = 0; i < TASK_STATES; i++)
		pack_number(&packer, (uint64_t)counts->state[i]);
	pack_number(&packer, (uint64_t)counts->ready);
}

int
counts_unpack(struct span value, struct counts *ret_counts, struct fail *fail)
{
	struct unpacker unpacker = unpack_start(value);
	struct counts counts;
	int i;

	memset(&counts, 0, sizeof(counts));
	if (unpack_byte(&unpacker) != FORMAT)
		unpacker.bad = true;
	for (i = 0; i < TASK_STATES; i++)
		counts.state[i] = (int64_t)unpack_number(&unpacker);
	counts.ready = (int64_t)unpack_number(&unpacker);
	if (!unpack_whole(&unpacker))
		return fail_damaged(fail, "a counter cannot be read");
	*ret_counts = counts;
	return 0;
}

int
number_unpack(struct span value, uint64_t *ret_number, struct fail *fail)
{
	struct unpacker unpacker = unpack_start(value);
	uint8_t format = unpack_byte(&unpacker);
	uint64_t number = unpack_number(&unpacker);

	if (format != FORMAT || !unpack_whole(&unpacker))
		return fail_damaged(fail, "a number cannot be read");
	*ret_number = number;
	return 0;
}

/* ---- shorter calls of db.h ---- */

int
row_get(struct store *store, enum table table, const struct key *key,
    struct span *ret_value, struct fail *fail)
{
	return db_get(store->db, table, key->bytes, key->length, ret_value,
	    fail);
}

int
row_put(struct store *store, enum table table, const struct key *key,
    const void *value, size_t length, struct fail *fail)
{
	return db_put(store->db, table, key->bytes, key->length, value, length,
	    fail);
}

int
row_drop(struct store *store, enum table table, const struct key *key,
    struct fail *fail)
{
	int result = db_delete(store->db, table, key->bytes, key->length, fail);

	if (result == 0)
		return fail_damaged(fail,
		    "the table %s has no row where there "
		    "must be one",
		    store_tables[table]);
	return result < 0 ? -1 : 0;
}

int
row_first(struct store *store, enum table table, const struct key *prefix,
    struct db_row *ret_row, struct fail *fail)
{
	struct db_row row;
	int result = db_seek(store->db, table, prefix->bytes, prefix->length,
	    &row, fail);

	if (result <= 0)
		return result;
	if (!key_starts(row.key, prefix))
		return 0;
	*ret_row = row;
	return 1;
}

int
number_read(struct store *store, enum table table, const struct key *key,
    uint64_t *number, struct fail *fail)
{
	struct span value;
	int found = row_get(store, table, key, &value, fail);

	if (found <= 0)
		return found;
	return number_unpack(value, number, fail) < 0 ? -1 : 1;
}

int
number_write(struct store *store, enum table table, const struct key *key,
    uint64_t number, struct fail *fail)
{
	uint8_t bytes[9] = { FORMAT };

	put64(bytes + 1, number);
	return row_put(store, table, key, bytes, sizeof(bytes), fail);
}

int
counts_read(struct store *store, char kind, const char *name,
    struct counts *ret_counts, struct fail *fail)
{
	struct key key = key_counter(kind, name);
	struct counts none;
	struct span value;
	int found = row_get(store, TABLE_COUNTERS, &key, &value, fail);

	if (found < 0)
		return -1;
	if (found)
		return counts_unpack(value, ret_counts, fail);
	memset(&none, 0, sizeof(none));
	*ret_counts = none;
	return 0;
}

int
task_load(struct store *store, const struct id *id, struct task_row *ret_row,
    struct fail *fail)
{
	struct key key = key_task(id);
	char name[ID_TEXT];
	struct span value;
	int found = row_get(store, TABLE_TASKS, &key, &value, fail);

	if (found < 0)
		return -1;
	if (found)
		return row_unpack(value, id, ret_row, fail);
	id_format(id, name);
	return fail_damaged(fail,
	    "an index names the task %s, which is not "
	    "there",
	    name);
}

int
task_write(struct store *store, const struct task_row *row, struct fail *fail)
{
	uint8_t bytes[ROW_MAX];
	struct key key = key_task(&row->id);
	size_t length = row_pack(row, bytes);

	return row_put(store, TABLE_TASKS, &key, bytes, length, fail);
}
