/* SPDX-License-Identifier: ISC */
/*
 * Lists, newest first: an id begins with its time, so an index is walked
 * backwards. The tasks of a user are in one part of the index for each state,
 * which are walked side by side.
 */
#include "common/store/store.h"

#include <string.h>

#include "common/store/internal.h"

/* An index, or a part of one, walked from the newest id to the oldest. */
struct walk {
	struct MDB_cursor *cursor;
	struct key prefix;
	struct id id;
	bool more;
};

static int
walk_step(struct store *store, struct walk *walk, enum cursor_move how,
    const struct key *from, struct fail *fail)
{
	struct table_row row;
	int found;

	found = cursor_move(store, walk->cursor, how, from, &row, fail);
	if (found < 0)
		return -1;
	walk->more = found && key_starts(row.key, &walk->prefix);
	if (walk->more)
		walk->id = key_id(row.key);
	return 0;
}

static int
walk_start(struct store *store, struct walk *walk, enum table table,
    const struct key *prefix, const struct id *before, struct fail *fail)
{
	static const struct id newest;
	struct key from = *prefix;

	walk->prefix = *prefix;
	if (cursor_open(store, table, &walk->cursor, fail) < 0)
		return -1;
	if (memcmp(before, &newest, sizeof(newest)) == 0) {
		key_after(&from);
	} else {
		memcpy(from.bytes + from.length, before->bytes, ID_SIZE);
		from.length += ID_SIZE;
	}
	return walk_step(store, walk, CURSOR_BEFORE, &from, fail);
}

/* The walks that together find every task of the filter's user and state. */
static int
walks_start(struct store *store, const struct store_filter *filter,
    struct walk walks[TASK_STATES], size_t *ret_count, struct fail *fail)
{
	struct key prefix = { .length = 0 };
	enum table table = TABLE_TASKS;
	int state;

	*ret_count = 1;
	if (!filter->user) {
		if (filter->state >= 0) {
			table = TABLE_BY_STATE;
			prefix = key_state((enum task_state)filter->state,
			    NULL);
		}
		return walk_start(store, &walks[0], table, &prefix,
		    &filter->before, fail);
	}
	*ret_count = 0;
	for (state = 0; state < TASK_STATES; state++) {
		if (filter->state >= 0 && filter->state != state)
			continue;
		prefix = key_user(filter->user, state, NULL);
		if (walk_start(store, &walks[(*ret_count)++], TABLE_BY_USER,
			&prefix, &filter->before, fail) < 0)
			return -1;
	}
	return 0;
}

static struct walk *
newest_walk(struct walk *walks, size_t count)
{
	struct walk *best = NULL;
	size_t i;

	for (i = 0; i < count; i++) {
		if (walks[i].more &&
		    (!best ||
			memcmp(walks[i].id.bytes, best->id.bytes, ID_SIZE) > 0))
			best = &walks[i];
	}
	return best;
}

int
store_list(struct store *store, const struct store_filter *filter,
    int (*row)(void *context, const struct task_row *row,
	const struct fail *why),
    void *context, struct fail *fail)
{
	struct walk walks[TASK_STATES], *walk;
	struct task_row task;
	size_t count = 0, given = 0, i;
	int result = -1;
	bool damaged;

	memset(walks, 0, sizeof(walks));
	if (filter->user && strlen(filter->user) > TASK_USER_MAX)
		return 0;
	if (walks_start(store, filter, walks, &count, fail) < 0)
		goto out;
	while (given < filter->limit && (walk = newest_walk(walks, count))) {
		damaged = table_task(store, walk->id, &task, fail) < 0;
		if (damaged && fail->kind != FAIL_NEVER)
			goto out;
		if (damaged)
			task = (struct task_row){ .id = walk->id };
		if ((damaged || !filter->queue ||
			strcmp(filter->queue, task.queue) == 0) &&
		    ++given && row(context, &task, damaged ? fail : NULL))
			break;
		if (walk_step(store, walk, CURSOR_PREVIOUS, NULL, fail) < 0)
			goto out;
	}
	result = 0;
out:
	for (i = 0; i < count; i++)
		cursor_close(walks[i].cursor);
	return result;
}

int
store_count_open(struct store *store, const char *user, int64_t most,
    int64_t *ret_count, struct fail *fail)
{
	static const struct id newest;
	int state, result = 0;

	*ret_count = 0;
	for (state = 0; state < TASK_STATES && result == 0; state++) {
		struct key prefix = key_user(user, state, NULL);
		struct walk walk = { .cursor = NULL };

		if (task_state_final((enum task_state)state))
			continue;
		result = walk_start(store, &walk, TABLE_BY_USER, &prefix,
		    &newest, fail);
		while (result == 0 && walk.more && *ret_count < most) {
			++*ret_count;
			result = walk_step(store, &walk, CURSOR_PREVIOUS, NULL,
			    fail);
		}
		cursor_close(walk.cursor);
	}
	return result;
}
