/* SPDX-License-Identifier: ISC */
/*
 * What a user's tasks, and all tasks, cost today, with what is reserved for the
 * turns under way: it changes with the rows. A day is one of UTC; a row of an
 * earlier day counts as nothing.
 */
#include "common/store/index.h"

#include "common/store/internal.h"
#include "common/store/numbers.h"

#define SPENT_SIZE (1 + 8 + 8)

static int64_t
day_of(int64_t wall)
{
	return wall / STORE_DAY_MS;
}

static int
read_spent(struct store *store, const char *user, int64_t day,
    int64_t *ret_nano, struct fail *fail)
{
	struct key key = key_counter('d', user);
	struct span value;
	int found = table_get(store, TABLE_COUNTERS, &key, &value, fail);

	*ret_nano = 0;
	if (found <= 0)
		return found;
	if (value.length != SPENT_SIZE || value.at[0] != FORMAT)
		return fail_damaged(fail, "what a day cost cannot be read");
	if ((int64_t)get64(value.at + 1) == day)
		*ret_nano = (int64_t)get64(value.at + 9);
	return 0;
}

static int
add_spent(struct store *store, const char *user, int64_t day, int64_t more,
    struct fail *fail)
{
	struct key key = key_counter('d', user);
	uint8_t bytes[SPENT_SIZE] = { FORMAT };
	int64_t nano;

	if (read_spent(store, user, day, &nano, fail) < 0)
		return -1;
	nano = more < 0 ? nano + more : sums_plus(nano, more);
	put64(bytes + 1, (uint64_t)day);
	put64(bytes + 9, nano > 0 ? (uint64_t)nano : 0);
	return table_put(store, TABLE_COUNTERS, &key, bytes, sizeof(bytes),
	    fail);
}

int
spent_follow(struct store *store, const struct task_row *old,
    const struct task_row *row, struct fail *fail)
{
	int64_t day = day_of(row->updated_at);
	int64_t more = row->nano_usd - old->nano_usd + row->reserved_nano_usd -
	    old->reserved_nano_usd;

	if (more == 0)
		return 0;
	return add_spent(store, "", day, more, fail) < 0
	    ? -1
	    : add_spent(store, row->user, day, more, fail);
}

int
store_spent(struct store *store, const char *user, int64_t now,
    int64_t *ret_nano, struct fail *fail)
{
	return read_spent(store, user, day_of(now), ret_nano, fail);
}
