/* SPDX-License-Identifier: ISC */
/*
 * The tables and counters that follow from a task's row.
 *
 * Fair share. Each queue and priority has a clock: the position of the task
 * that was served last. A user's next task gets the position max(clock, the
 * user's last position + 1), so a user with one task is at the clock, however
 * many tasks another user has queued. Tasks that were begun before and return
 * (after a wait, or from a dead worker) have a lane of their own, so that they
 * are not behind tasks that their user has not begun yet. A share of which both
 * lanes are behind the clock has no effect and is removed.
 */
#include "common/store/index.h"

#include <string.h>

#include "common/store/table.h"

#define SHARE_SIZE (1 + 8 + 8)

bool
index_ready(const struct task_row *row)
{
	return row->state == TASK_QUEUED && row->due == 0;
}

/* ---- counters ---- */

static int
count_tasks(struct store *store, char kind, const char *name,
    const struct task_row *row, int step, struct fail *fail)
{
	struct key key = key_counter(kind, name);
	struct counts counts;
	int i;

	if (table_counts(store, kind, name, &counts, fail) < 0)
		return -1;
	counts.state[row->state] += step;
	if (index_ready(row))
		counts.ready += step;
	for (i = 0; i < TASK_STATES; i++) {
		if (counts.state[i])
			return table_put_counts(store, kind, name, &counts,
			    fail);
	}
	return table_drop(store, TABLE_COUNTERS, &key, fail);
}

static int
count(struct store *store, const struct task_row *row, int step,
    struct fail *fail)
{
	struct key running = key_counter('u', row->user);

	if (count_tasks(store, 't', "", row, step, fail) < 0 ||
	    count_tasks(store, 'q', row->queue, row, step, fail) < 0)
		return -1;
	if (row->state == TASK_RUNNING)
		return table_step(store, &running, step, fail);
	return 0;
}

/* ---- ready and parked ---- */

static int
put_ready(struct store *store, const struct key *key, const char *user,
    size_t length, struct fail *fail)
{
	uint8_t value[1 + TASK_USER_MAX];

	if (length > TASK_USER_MAX)
		return fail_damaged(fail,
		    "a user's name in the table ready is too long");
	value[0] = FORMAT;
	memcpy(value + 1, user, length);
	return table_put(store, TABLE_READY, key, value, 1 + length, fail);
}

int
index_park(struct store *store, const struct task_row *row, struct fail *fail)
{
	struct key ready = key_ready(row), parked = key_parked(row);

	if (table_drop(store, TABLE_READY, &ready, fail) < 0)
		return -1;
	return table_put(store, TABLE_PARKED, &parked, "", 0, fail);
}

int
index_unpark(struct store *store, struct key *from, const struct key *prefix,
    struct fail *fail)
{
	struct key parked, ready;
	struct table_row row;
	const char *user = (const char *)parked.bytes;
	size_t skip;
	int found;

	found = table_next(store, TABLE_PARKED, from, prefix, &row, fail);
	if (found <= 0)
		return found;
	parked = key_of(row.key);
	/* The key of a parked row is the user before the ready row's. */
	skip = strlen(user) + 1;
	ready = key_of(
	    (struct span){ row.key.at + skip, row.key.length - skip });
	*from = key_text2(user, (const char *)ready.bytes);
	key_after(from);
	if (table_drop(store, TABLE_PARKED, &parked, fail) < 0 ||
	    put_ready(store, &ready, user, skip - 1, fail) < 0)
		return -1;
	return 1;
}

/* Unparks one row in each queue in which the user has parked rows. */
static int
unpark_user(struct store *store, const char *user, struct fail *fail)
{
	struct key prefix = key_text(user), from = prefix;
	int found;

	do
		found = index_unpark(store, &from, &prefix, fail);
	while (found > 0);
	return found;
}

static int
leave_queue(struct store *store, const struct task_row *row, struct fail *fail)
{
	struct key key = key_ready(row), prefix;
	int found;

	found = table_delete(store, TABLE_READY, &key, fail);
	if (found < 0)
		return -1;
	if (found == 0) {
		key = key_parked(row);
		return table_drop(store, TABLE_PARKED, &key, fail);
	}
	key = prefix = key_text2(row->user, row->queue);
	return index_unpark(store, &key, &prefix, fail) < 0 ? -1 : 0;
}

/* ---- fair share ---- */

struct share {
	uint64_t begun, fresh; /* last positions in the two lanes */
};

static int
read_share(struct store *store, const struct key *key, struct share *ret_share,
    struct fail *fail)
{
	struct span value;
	int found = table_get(store, TABLE_SHARES, key, &value, fail);

	if (found <= 0)
		return found;
	if (value.length != SHARE_SIZE || value.at[0] != FORMAT)
		return fail_damaged(fail, "a user's share cannot be read");
	ret_share->fresh = get64(value.at + 1);
	ret_share->begun = get64(value.at + 9);
	return 1;
}

int
index_order(struct store *store, struct task_row *row, struct fail *fail)
{
	struct key clock_key = key_share(row->queue, row->priority, "");
	struct key key = key_share(row->queue, row->priority, row->user);
	struct share share = { 0, 0 };
	uint8_t bytes[SHARE_SIZE] = { FORMAT };
	uint64_t clock = 1, *lane;
	int found;

	found = read_share(store, &key, &share, fail);
	if (found < 0 ||
	    table_number(store, TABLE_SHARES, &clock_key, &clock, fail) < 0)
		return -1;
	lane = row->fence ? &share.begun : &share.fresh;
	*lane = found && *lane >= clock ? *lane + 1 : clock;
	put64(bytes + 1, share.fresh);
	put64(bytes + 9, share.begun);
	if (table_put(store, TABLE_SHARES, &key, bytes, sizeof(bytes), fail) <
	    0)
		return -1;
	row->order = *lane;
	return 0;
}

/* Removes the share after KEY (in a ring of those with the same clock) when it
 * no longer has an effect: checking one for each task served keeps the table as
 * small as the number of active users. */
static int
sweep_share(struct store *store, struct key key, const struct key *first,
    uint64_t clock, struct fail *fail)
{
	struct table_row row;
	struct key next;
	struct share share = { 0, 0 };
	int found;

	key_next(&key);
	found = table_seek(store, TABLE_SHARES, &key, &row, fail);
	if (found == 1 && !key_starts(row.key, first))
		found = 0;
	if (found == 0) {
		key = *first;
		key_next(&key);
		found = table_seek(store, TABLE_SHARES, &key, &row, fail);
	}
	if (found <= 0)
		return found;
	if (!key_starts(row.key, first))
		return 0;
	next = key_of(row.key);
	found = read_share(store, &next, &share, fail);
	if (found < 0)
		return -1;
	if (share.fresh < clock && share.begun < clock)
		return table_drop(store, TABLE_SHARES, &next, fail);
	return 0;
}

int
index_served(struct store *store, const struct task_row *row, struct fail *fail)
{
	struct key clock_key = key_share(row->queue, row->priority, "");
	struct key key = key_share(row->queue, row->priority, row->user);
	struct key served_key = key_served(row->queue);
	struct key total_key = key_name("served");
	uint64_t clock = 1, served = 0;

	if (table_number(store, TABLE_SHARES, &clock_key, &clock, fail) < 0 ||
	    table_number(store, TABLE_META, &total_key, &served, fail) < 0)
		return -1;
	if (row->order > clock)
		clock = row->order;
	served++;
	if (table_put_number(store, TABLE_SHARES, &clock_key, clock, fail) <
		0 ||
	    table_put_number(store, TABLE_META, &total_key, served, fail) < 0 ||
	    table_put_number(store, TABLE_SHARES, &served_key, served, fail) <
		0)
		return -1;
	return sweep_share(store, key, &clock_key, clock, fail);
}

/* ---- all index entries of a row ---- */

bool
index_key(const struct task_row *row, enum table table, struct key *ret_key)
{
	switch (table) {
	case TABLE_READY:
		*ret_key = key_ready(row);
		return index_ready(row);
	case TABLE_PARKED:
		*ret_key = key_parked(row);
		return index_ready(row);
	case TABLE_DUE:
		*ret_key = key_due(row->due, &row->id);
		return row->due != 0;
	case TABLE_LEASES:
		*ret_key = key_lease(&row->worker, &row->id);
		return row->state == TASK_RUNNING;
	case TABLE_KEYS:
		*ret_key = key_idempotency(row->user, row->key);
		return row->key[0] != '\0';
	case TABLE_BY_USER:
		*ret_key = key_user(row->user, row->state, &row->id);
		return true;
	case TABLE_BY_STATE:
		*ret_key = key_state(row->state, &row->id);
		return true;
	default:
		return false;
	}
}

/* Those whose rows say nothing but that they are there. */
static const enum table plain[] = { TABLE_BY_STATE, TABLE_BY_USER, TABLE_DUE,
	TABLE_LEASES };
#define PLAIN (sizeof(plain) / sizeof(*plain))

int
index_add(struct store *store, const struct task_row *row, struct fail *fail)
{
	struct key key;
	size_t i;

	for (i = 0; i < PLAIN; i++)
		if (index_key(row, plain[i], &key) &&
		    table_put(store, plain[i], &key, "", 0, fail) < 0)
			return -1;
	if (index_key(row, TABLE_READY, &key) &&
	    put_ready(store, &key, row->user, strlen(row->user), fail) < 0)
		return -1;
	return count(store, row, 1, fail);
}

int
index_remove(struct store *store, const struct task_row *row, struct fail *fail)
{
	struct key key;
	size_t i;

	for (i = 0; i < PLAIN; i++)
		if (index_key(row, plain[i], &key) &&
		    table_drop(store, plain[i], &key, fail) < 0)
			return -1;
	if ((index_ready(row) && leave_queue(store, row, fail) < 0) ||
	    count(store, row, -1, fail) < 0)
		return -1;
	return row->state == TASK_RUNNING ? unpark_user(store, row->user, fail)
					  : 0;
}
