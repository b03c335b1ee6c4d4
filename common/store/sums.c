/* SPDX-License-Identifier: ISC */
/*
 * Numbers that the counters by state do not give: how many tasks wait for what,
 * and the total usage and outcomes of all tasks. The sums only grow: they
 * include pruned tasks.
 *
 * Version 1 of the store had neither, and version 2 knew waits by the words of
 * reasons; the first program that opens such a store for writing makes them from
 * the existing rows, in one transaction.
 */
#include "common/store/index.h"

#include <string.h>

#include "common/store/internal.h"

#define SUMS_SIZE (1 + 8 * STORE_SUMS)
#define UPGRADE_ROOM ((size_t)1 << 20)

struct key
sums_waits_key(const struct task_row *row)
{
	return key_counter('w', wait_name(row->wait));
}

static int
count_waits(struct store *store, const struct task_row *row, int step,
    struct fail *fail)
{
	struct key key;

	if (!row || row->state != TASK_WAITING)
		return 0;
	key = sums_waits_key(row);
	return table_step(store, &key, step, fail);
}

int
sums_unpack(struct span value, int64_t ret_sums[STORE_SUMS], struct fail *fail)
{
	size_t i;

	if (value.length != SUMS_SIZE || value.at[0] != FORMAT)
		return fail_damaged(fail, "the sums cannot be read");
	for (i = 0; i < STORE_SUMS; i++)
		ret_sums[i] = (int64_t)get64(value.at + 1 + 8 * i);
	return 0;
}

void
sums_of(const struct task_row *row, int64_t ret_sums[STORE_SUMS])
{
	const int64_t sums[STORE_SUMS] = {
		[SUM_TURNS] = row->turns,
		[SUM_CALLS] = row->calls,
		[SUM_CALLS_UNKNOWN] = row->calls_unknown,
		[SUM_INPUT] = row->input_tokens,
		[SUM_OUTPUT] = row->output_tokens,
		[SUM_CACHE_READ] = row->cache_read_tokens,
		[SUM_CACHE_WRITE] = row->cache_write_tokens,
		[SUM_NANO_USD] = row->nano_usd,
		[SUM_SUBMITTED] = 1,
		[SUM_COMPLETED] = row->state == TASK_COMPLETED,
		[SUM_BLOCKED] = row->state == TASK_BLOCKED,
		[SUM_FAILED] = row->state == TASK_FAILED,
		[SUM_CANCELLED] = row->state == TASK_CANCELLED,
	};

	memcpy(ret_sums, sums, sizeof(sums));
}

int64_t
sums_plus(int64_t sum, int64_t more)
{
	return more > INT64_MAX - sum ? INT64_MAX : sum + more;
}

/* Adds what is in NEW and not in OLD. */
static int
add_sums(struct store *store, const int64_t old[STORE_SUMS],
    const int64_t new[STORE_SUMS], struct fail *fail)
{
	struct key key = key_counter('s', "");
	int64_t sums[STORE_SUMS] = { 0 };
	uint8_t bytes[SUMS_SIZE] = { FORMAT };
	struct span value;
	bool changed = false;
	size_t i;
	int found;

	for (i = 0; i < STORE_SUMS; i++)
		changed = changed || new[i] > old[i];
	if (!changed)
		return 0;
	found = table_get(store, TABLE_COUNTERS, &key, &value, fail);
	if (found < 0 || (found && sums_unpack(value, sums, fail) < 0))
		return -1;
	for (i = 0; i < STORE_SUMS; i++) {
		if (new[i] > old[i])
			sums[i] = sums_plus(sums[i], new[i] - old[i]);
		put64(bytes + 1 + 8 * i, (uint64_t)sums[i]);
	}
	return table_put(store, TABLE_COUNTERS, &key, bytes, sizeof(bytes),
	    fail);
}

int
sums_follow(struct store *store, const struct task_row *old,
    const struct task_row *row, struct fail *fail)
{
	int64_t before[STORE_SUMS] = { 0 }, after[STORE_SUMS] = { 0 };

	if (old)
		sums_of(old, before);
	if (row)
		sums_of(row, after);
	if (add_sums(store, before, after, fail) < 0)
		return -1;
	if (old && row && old->state == row->state && old->wait == row->wait)
		return 0;
	if (count_waits(store, old, -1, fail) < 0)
		return -1;
	return count_waits(store, row, 1, fail);
}

/* ---- the version ---- */

/* Version 2 counted the words that reasons began with. */
static int
forget_waits(struct store *store, struct fail *fail)
{
	const struct key prefix = key_counter('w', "");
	struct table_row row;
	struct key key;
	int found;

	for (;;) {
		found = table_first(store, TABLE_COUNTERS, &prefix, &row, fail);
		if (found <= 0)
			return found;
		key = key_of(row.key);
		if (table_drop(store, TABLE_COUNTERS, &key, fail) < 0)
			return -1;
	}
}

static int
count_all(struct store *store, struct fail *fail)
{
	const bool only_waits = store->version >= 2;
	const uint8_t version[4] = { 0, 0, 0, STORE_VERSION };
	struct key next = { .length = 0 }, name = key_name("version");
	struct task_row task;
	struct table_row row;
	struct id id;
	int found;

	if (forget_waits(store, fail) < 0)
		return -1;
	for (;;) {
		found = table_next(store, TABLE_TASKS, &next, NULL, &row, fail);
		if (found < 0)
			return -1;
		if (found == 0)
			return table_put(store, TABLE_META, &name, version,
			    sizeof(version), fail);
		id = key_id(row.key);
		if (unpack_row(row.value, &id, &task, fail) < 0 ||
		    (only_waits ? count_waits(store, &task, 1, fail) < 0
				: sums_follow(store, NULL, &task, fail) < 0))
			return -1;
	}
}

int
sums_upgrade(struct store *store, struct fail *fail)
{
	if (store->version == STORE_VERSION)
		return 0;
	if (store_begin(store, true, UPGRADE_ROOM, fail) < 0)
		return -1;
	/* another program may have upgraded it meanwhile */
	if (store->version != STORE_VERSION && count_all(store, fail) < 0) {
		store_abort(store);
		return -1;
	}
	return store_commit(store, fail);
}
