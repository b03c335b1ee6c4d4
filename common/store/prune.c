/* SPDX-License-Identifier: ISC */
/*
 * Prune, in transactions that are so short that nobody notices them.
 */
#include "common/store/admin.h"

#include "common/store/internal.h"

#define PRUNED_ROWS 256
#define PRUNED_EVENTS 2000
#define PRUNE_ROOM ((size_t)8 << 20) /* pages that this may change */

struct prune {
	struct store *store;
	int64_t before, removed;
	struct key from; /* in by_state */
	bool done;       /* with the state at hand */
};

/* One short transaction. */
static int
prune_some(struct prune *prune, const struct key *state, struct fail *fail)
{
	struct task_row task;
	struct table_row row;
	int64_t events = 0, had, removed = 0;
	int found, i;

	for (i = 0; i < PRUNED_ROWS && events < PRUNED_EVENTS; i++) {
		found = table_next(prune->store, TABLE_BY_STATE, &prune->from,
		    state, &row, fail);
		if (found < 0)
			return -1;
		if (found == 0) {
			prune->done = true;
			break;
		}
		if (table_task(prune->store, key_id(row.key), &task, fail) < 0)
			return -1;
		if (task.updated_at >= prune->before)
			continue;
		had = store_remove(prune->store, &task, fail);
		if (had < 0)
			return -1;
		store_progress_remove(prune->store, &task.id);
		events += had;
		removed++;
	}
	if (removed == 0)
		store_abort(prune->store);
	else if (store_commit(prune->store, fail) < 0)
		return -1;
	prune->removed += removed;
	return 0;
}

/* LMDB reuses pages that a commit freed only in the commit after the next:
 * without one more commit, a store at its maximum would still have no room. */
static int
free_pages(struct store *store, struct fail *fail)
{
	struct key key = key_name("served");
	uint64_t number = 0;

	if (store_begin(store, true, 0, fail) < 0)
		return -1;
	if (table_number(store, TABLE_META, &key, &number, fail) < 0 ||
	    table_put_number(store, TABLE_META, &key, number, fail) < 0) {
		store_abort(store);
		return -1;
	}
	return store_commit(store, fail);
}

int64_t
store_prune(struct store *store, int64_t wall, struct fail *fail)
{
	struct prune prune = { .store = store, .before = wall };
	struct key prefix;
	int state;

	for (state = 0; state < TASK_STATES; state++) {
		if (!task_state_final((enum task_state)state))
			continue;
		prefix = key_state((enum task_state)state, NULL);
		prune.from = prefix;
		prune.done = false;
		while (!prune.done) {
			if (store_begin(store, true, PRUNE_ROOM, fail) < 0)
				return -1;
			if (prune_some(&prune, &prefix, fail) < 0) {
				store_abort(store);
				return -1;
			}
		}
	}
	if (prune.removed && free_pages(store, fail) < 0)
		return -1;
	return prune.removed;
}
