/* SPDX-License-Identifier: ISC */
/*
 * Leasing. Only the head of each queue that is asked for matters, its first
 * ready row: it is leased, or parked when its user runs as many tasks as the
 * limit allows; either way it leaves ready, and the next row is the head. Among
 * queues the higher priority comes first, then the queue that was served
 * longest ago.
 *
 * Limits come from the callers' configuration; the store only remembers the
 * last ones. When they change, users who were at their limit may no longer be,
 * so one parked row of each user and queue returns to ready, a bounded number
 * in each call. Its lease unparks the next one, or parks it again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/store/index.h"
#include "common/store/internal.h"
#include "common/store/table.h"

#define PARKED_MOST 2048  /* rows that one call parks */
#define RETURNED_MOST 256 /* parked rows that one call unparks */
#define PROMOTED_MOST 256
#define LIMITS_SIZE (1 + 8 + 8)
#define CLOCK_STEP (60 * 1000)

struct queue_head {
	char queue[TASK_QUEUE_MAX + 1];
	bool open; /* has a first row that may be leased */
	uint64_t served;
	uint8_t rank;
	struct id id; /* of the first row */
	char user[TASK_USER_MAX + 1];
};

struct heads {
	struct queue_head *head;
	size_t count;
};

static void
head_add(struct heads *heads, const char *queue)
{
	struct queue_head *head;

	heads->head = mem_grow(heads->head, heads->count + 1,
	    sizeof(*heads->head));
	head = &heads->head[heads->count++];
	memset(head, 0, sizeof(*head));
	snprintf(head->queue, sizeof(head->queue), "%s", queue);
}

/* Every queue that has a row in ready. */
static int
heads_of_all(struct store *store, struct heads *heads, struct fail *fail)
{
	struct key from = { .length = 0 };
	struct table_row row;
	int found;

	for (;;) {
		found = table_seek(store, TABLE_READY, &from, &row, fail);
		if (found <= 0)
			return found;
		head_add(heads, row.key.at);
		from = key_text(heads->head[heads->count - 1].queue);
		key_after(&from);
	}
}

/* Looks up the first row of the queue and whether the queue is at its limit. */
static int
head_read(struct store *store, struct queue_head *head,
    const struct store_limits *limits, struct fail *fail)
{
	struct key prefix = key_text(head->queue);
	struct key served = key_served(head->queue);
	struct counts counts;
	struct table_row row;
	int found;

	head->open = false;
	if (limits && limits->running_per_queue) {
		if (table_counts(store, 'q', head->queue, &counts, fail) < 0)
			return -1;
		if (counts.state[TASK_RUNNING] >= limits->running_per_queue)
			return 0;
	}
	if (table_number(store, TABLE_SHARES, &served, &head->served, fail) < 0)
		return -1;
	found = table_first(store, TABLE_READY, &prefix, &row, fail);
	if (found <= 0)
		return found;
	if (row.key.length != prefix.length + 1 + 8 + ID_SIZE ||
	    row.value.length < 2 || row.value.at[0] != FORMAT ||
	    row.value.length - 1 >= sizeof(head->user))
		return fail_damaged(fail,
		    "a row of the table ready cannot be read");
	head->rank = (uint8_t)row.key.at[prefix.length];
	head->id = key_id(row.key);
	memcpy(head->user, row.value.at + 1, row.value.length - 1);
	head->user[row.value.length - 1] = '\0';
	head->open = true;
	return 0;
}

static struct queue_head *
head_choose(struct heads *heads)
{
	struct queue_head *best = NULL, *head;
	size_t i;

	for (i = 0; i < heads->count; i++) {
		head = &heads->head[i];
		if (head->open &&
		    (!best || head->rank < best->rank ||
			(head->rank == best->rank &&
			    head->served < best->served)))
			best = head;
	}
	return best;
}

static int
user_full(struct store *store, const char *user,
    const struct store_limits *limits, bool *ret_full, struct fail *fail)
{
	struct key key = key_counter('u', user);
	uint64_t running = 0;

	if (limits && limits->running_per_user &&
	    table_number(store, TABLE_COUNTERS, &key, &running, fail) < 0)
		return -1;
	*ret_full = limits && limits->running_per_user &&
	    running >= (uint64_t)limits->running_per_user;
	return 0;
}

/* READY is the row in the queue; *ret_row becomes the running one. When it leaves
 * the queue, the user's next parked row is unparked, if there is one. */
static int
lease(struct store *store, const struct id *worker,
    const struct task_row *ready, struct task_row *ret_row, struct fail *fail)
{
	struct task_row row = *ready;

	row.state = TASK_RUNNING;
	row.worker = *worker;
	row.fence++;
	row.order = 0;
	if (index_remove(store, ready, fail) < 0 ||
	    index_add(store, &row, fail) < 0 ||
	    table_put_task(store, &row, fail) < 0 ||
	    index_served(store, ready, fail) < 0)
		return -1;
	*ret_row = row;
	return 0;
}

/* ---- limits that change ---- */

static int
limits_changed(struct store *store, const struct store_limits *limits,
    bool *ret_changed, struct fail *fail)
{
	struct key key = key_name("limits");
	uint8_t bytes[LIMITS_SIZE] = { FORMAT };
	struct span value;
	int found;

	put64(bytes + 1, limits ? (uint64_t)limits->running_per_user : 0);
	put64(bytes + 9, limits ? (uint64_t)limits->running_per_queue : 0);
	found = table_get(store, TABLE_META, &key, &value, fail);
	if (found < 0)
		return -1;
	if (found && value.length == sizeof(bytes) &&
	    memcmp(value.at, bytes, sizeof(bytes)) == 0) {
		*ret_changed = false;
		return 0;
	}
	*ret_changed = true;
	return table_put(store, TABLE_META, &key, bytes, sizeof(bytes), fail);
}

/* Unparks one row of each user and queue, from where the last call stopped: the
 * row "returning" in meta has the next key. */
static int
bring_back(struct store *store, bool again, struct fail *fail)
{
	struct key name = key_name("returning"), from = { .length = 0 };
	struct span value;
	int found, i;

	if (!again) {
		found = table_get(store, TABLE_META, &name, &value, fail);
		if (found <= 0)
			return found;
		if (value.length > KEY_MAX)
			return fail_damaged(fail, "meta cannot be read");
		from = key_of(value);
	}
	for (i = 0; i < RETURNED_MOST; i++) {
		found = index_unpark(store, &from, NULL, fail);
		if (found < 0)
			return -1;
		if (found == 0)
			return table_delete(store, TABLE_META, &name, fail) < 0
			    ? -1
			    : 0;
	}
	return table_put(store, TABLE_META, &name, from.bytes, from.length,
	    fail);
}

/* ---- the calls ---- */

static int
lease_all(struct store *store, const struct id *worker, struct heads *heads,
    const struct store_limits *limits, struct task_row *ret_rows, size_t count,
    struct fail *fail)
{
	struct task_row ready;
	struct queue_head *head;
	size_t leased = 0, parked = 0;
	bool full;

	while (leased < count && parked < PARKED_MOST) {
		head = head_choose(heads);
		if (!head)
			break;
		if (table_task(store, head->id, &ready, fail) < 0 ||
		    user_full(store, head->user, limits, &full, fail) < 0)
			return -1;
		if (full) {
			parked++;
			if (index_park(store, &ready, fail) < 0)
				return -1;
		} else if (lease(store, worker, &ready, &ret_rows[leased++],
			       fail) < 0) {
			return -1;
		}
		if (head_read(store, head, limits, fail) < 0)
			return -1;
	}
	return (int)leased;
}

int
store_lease(struct store *store, const struct id *worker,
    const char *const *queues, size_t queue_count,
    const struct store_limits *limits, struct task_row *ret_rows, size_t count,
    struct fail *fail)
{
	struct key key = key_task(worker);
	struct heads heads = { NULL, 0 };
	struct span value;
	bool changed;
	size_t i;
	int found, result = -1;

	found = table_get(store, TABLE_WORKERS, &key, &value, fail);
	if (found == 0)
		fail_set(fail, FAIL_NOT_NOW, "no_worker",
		    "the worker is not in the store (it was taken for dead); "
		    "it has to renew before it leases");
	if (found <= 0 || limits_changed(store, limits, &changed, fail) < 0 ||
	    bring_back(store, changed, fail) < 0)
		goto out;
	for (i = 0; i < queue_count; i++)
		head_add(&heads, queues[i]);
	if (queue_count == 0 && heads_of_all(store, &heads, fail) < 0)
		goto out;
	for (i = 0; i < heads.count; i++) {
		if (head_read(store, &heads.head[i], limits, fail) < 0)
			goto out;
	}
	result = lease_all(store, worker, &heads, limits, ret_rows, count,
	    fail);
out:
	free(heads.head);
	return result;
}

/* ---- a clock that is set back ---- */

/* The row "clock" in meta has the time of the last look, to within CLOCK_STEP.
 * When the clock was set back since, tasks that began to wait in what is the
 * future now are due at once: the fold knows how much of their wait is left. A
 * date that a task begins at stays. */
static int
follow_clock(struct store *store, int64_t now, struct fail *fail)
{
	struct key name = key_name("clock"), from = { .length = 0 };
	uint8_t bytes[9] = { FORMAT };
	struct table_row due;
	struct task_row row;
	struct span value;
	int64_t last = 0;
	int found, count = 0;

	found = table_get(store, TABLE_META, &name, &value, fail);
	if (found < 0)
		return -1;
	if (found && value.length == sizeof(bytes))
		last = (int64_t)get64(value.at + 1);
	if (now >= last && now - last < CLOCK_STEP)
		return 0;
	while (now + CLOCK_STEP < last && count < PROMOTED_MOST) {
		found = table_next(store, TABLE_DUE, &from, NULL, &due, fail);
		if (found == 0)
			break;
		if (found < 0 ||
		    table_task(store, key_id(due.key), &row, fail) < 0)
			return -1;
		if (row.state != TASK_WAITING || row.updated_at <= now)
			continue;
		count++;
		row.due = row.updated_at = now;
		if (store_put(store, &row, fail) < 0)
			return -1;
	}
	put64(bytes + 1, (uint64_t)now);
	return count == PROMOTED_MOST
	    ? 0
	    : table_put(store, TABLE_META, &name, bytes, sizeof(bytes), fail);
}

int
store_promote(struct store *store, int64_t now, int64_t *ret_next,
    struct fail *fail)
{
	struct key first = { .length = 0 };
	struct task_row row;
	struct table_row due;
	int count, found;
	int64_t next = 0;

	if (follow_clock(store, now, fail) < 0)
		return -1;
	for (count = 0;; count++) {
		found = table_seek(store, TABLE_DUE, &first, &due, fail);
		if (found < 0)
			return -1;
		if (found == 0)
			break;
		next = (int64_t)get64(due.key.at);
		if (next > now || count == PROMOTED_MOST)
			break;
		next = 0;
		if (table_task(store, key_id(due.key), &row, fail) < 0)
			return -1;
		row.state = TASK_QUEUED;
		row.due = 0;
		row_wait(&row, WAIT_NONE, 0, "");
		if (store_put(store, &row, fail) < 0)
			return -1;
	}
	*ret_next = next;
	return count;
}

int
store_wait_keys(struct store *store, struct id *from, struct task_row *ret_rows,
    int count, bool *ret_end, struct fail *fail)
{
	struct key prefix = key_state(TASK_WAITING, NULL);
	struct key next = key_state(TASK_WAITING, from);
	struct table_row row;
	int found, have = 0, looked;

	*ret_end = false;
	for (looked = 0; looked < PROMOTED_MOST && have < count; looked++) {
		found = table_next(store, TABLE_BY_STATE, &next, &prefix, &row,
		    fail);
		if (found < 0)
			return -1;
		*ret_end = found == 0;
		if (found == 0)
			break;
		*from = key_id(row.key);
		if (table_task(store, *from, &ret_rows[have], fail) < 0)
			return -1;
		have += wait_of_key(ret_rows[have].wait);
	}
	return have;
}
