/* SPDX-License-Identifier: ISC */
/*
 * The store's numbers. They are counters that change with the rows that they
 * count, except that no counter changes when a task becomes due. Before a worker
 * has moved it to ready, it is looked up here, at the head of the table due.
 */
#include "common/store/numbers.h"

#include <stdio.h>
#include <string.h>

#include "common/store/gates.h"
#include "common/store/index.h"
#include "common/store/internal.h"

#define OVERDUE_MOST 1000 /* rows looked at: a fraction of a millisecond */

/* When the oldest of the first tasks of the queues was created, 0 for none. */
static int
oldest_ready(struct store *store, const char *queue, int64_t *ret_oldest,
    struct fail *fail)
{
	struct key from = { .length = 0 }, prefix;
	struct task_row task;
	struct table_row row;
	int found;

	if (queue)
		from = key_text(queue);
	prefix = from;
	*ret_oldest = 0;
	do {
		found = table_next(store, TABLE_READY, &from, &prefix, &row,
		    fail);
		if (found <= 0)
			return found;
		from = key_text(row.key.at);
		key_after(&from);
		if (table_task(store, key_id(row.key), &task, fail) < 0)
			return -1;
		if (*ret_oldest == 0 || task.created_at < *ret_oldest)
			*ret_oldest = task.created_at;
	} while (!queue);
	return 0;
}

/* Adds the tasks whose time has come to those that are ready; of them so many wait
 * for a key. */
static int
add_overdue(struct store *store, const char *queue, int64_t now,
    struct store_depth *depth, int64_t *ret_of_key, struct fail *fail)
{
	struct key from = { .length = 0 };
	int64_t found_here = 0;
	struct task_row task;
	struct table_row row;
	int count, found;

	for (count = 0; count < OVERDUE_MOST; count++) {
		found = table_next(store, TABLE_DUE, &from, NULL, &row, fail);
		if (found < 0)
			return -1;
		if (found == 0 || (int64_t)get64(row.key.at) > now)
			return 0;
		if (table_task(store, key_id(row.key), &task, fail) < 0)
			return -1;
		if (queue && strcmp(queue, task.queue) != 0)
			continue;
		found_here++;
		*ret_of_key += wait_of_key(task.wait);
		depth->ready++;
		depth->state[task.state]--;
		depth->state[TASK_QUEUED]++;
		if (!depth->oldest_ready ||
		    task.created_at < depth->oldest_ready)
			depth->oldest_ready = task.created_at;
	}
	if (found_here > 0)
		return 0;
	if (depth->state[TASK_QUEUED] == depth->ready) {
		if (depth->state[TASK_WAITING] == 0)
			return 0;
		depth->state[TASK_WAITING]--;
		depth->state[TASK_QUEUED]++;
	}
	depth->ready++;
	return 0;
}

/* While a key is refused, only one of the tasks that need it can do anything: see
 * whether it still is. Every task needs that of the model; of those of tools only
 * those OF_KEY that were refused are known. */
static int
hold_back(struct store *store, int64_t of_key, struct store_depth *depth,
    struct fail *fail)
{
	struct store_gate gate;
	int found;

	if (depth->ready <= 1)
		return 0;
	found = store_gate_newest(store, NULL, true, "", &gate, fail);
	if (found == 1 && wait_of_key(gate.kind)) {
		depth->ready = 1;
		return 0;
	}
	if (found >= 0 && of_key > 1)
		found = store_gate_newest(store, NULL, false, "", &gate, fail);
	if (found == 1 && of_key > 1 && wait_of_key(gate.kind))
		depth->ready -= of_key - 1;
	return found < 0 ? -1 : 0;
}

int
store_depth(struct store *store, const char *queue, int64_t now,
    struct store_depth *ret_depth, struct fail *fail)
{
	struct store_depth depth;
	struct counts counts;
	int64_t of_key = 0;

	if (queue && strlen(queue) > TASK_QUEUE_MAX)
		queue = "";
	if (table_counts(store, queue ? 'q' : 't', queue ? queue : "", &counts,
		fail) < 0 ||
	    store_workers_alive(store, &depth.workers, fail) < 0 ||
	    oldest_ready(store, queue, &depth.oldest_ready, fail) < 0)
		return -1;
	memcpy(depth.state, counts.state, sizeof(depth.state));
	depth.ready = counts.ready;
	if (add_overdue(store, queue, now, &depth, &of_key, fail) < 0 ||
	    hold_back(store, of_key, &depth, fail) < 0)
		return -1;
	*ret_depth = depth;
	return 0;
}

/* ---- all queues together ---- */

static int
read_waits(struct store *store, struct store_numbers *numbers,
    struct fail *fail)
{
	struct key prefix = key_counter('w', ""), next = prefix;
	struct store_waits *waits;
	struct table_row row;
	uint64_t number;
	int found;

	while (numbers->waits_count < STORE_WAITS_MOST) {
		found = table_next(store, TABLE_COUNTERS, &next, &prefix, &row,
		    fail);
		if (found <= 0)
			return found;
		if (unpack_number(row.value, &number, fail) < 0)
			return -1;
		waits = &numbers->waits[numbers->waits_count++];
		snprintf(waits->name, sizeof(waits->name), "%.*s",
		    (int)row.key.length - 1, row.key.at + 1);
		waits->count = (int64_t)number;
	}
	return 0;
}

static int
read_queues(struct store *store, struct store_numbers *numbers,
    struct fail *fail)
{
	struct key prefix = key_counter('q', ""), next = prefix;
	struct table_row row;
	char *name;
	int found;

	while (numbers->queue_count < STORE_QUEUES_MOST) {
		found = table_next(store, TABLE_COUNTERS, &next, &prefix, &row,
		    fail);
		if (found <= 0)
			return found;
		name = numbers->queues[numbers->queue_count++];
		snprintf(name, TASK_QUEUE_MAX + 1, "%.*s",
		    (int)row.key.length - 1, row.key.at + 1);
	}
	return 0;
}

int
store_numbers(struct store *store, struct store_numbers *ret_numbers,
    struct fail *fail)
{
	struct key key = key_counter('s', "");
	struct span value;
	int found;

	memset(ret_numbers, 0, sizeof(*ret_numbers));
	found = table_get(store, TABLE_COUNTERS, &key, &value, fail);
	ret_numbers->counted = store->version >= 2;
	if (found < 0 ||
	    (found && sums_unpack(value, ret_numbers->sums, fail) < 0))
		return -1;
	return read_waits(store, ret_numbers, fail) < 0 ||
		read_queues(store, ret_numbers, fail) < 0
	    ? -1
	    : 0;
}
