/* SPDX-License-Identifier: ISC */
/*
 * Checks every invariant between the tables, in one read transaction, in both
 * directions: from each task to the rows that must be there, and from each row
 * of every other table back to the task that it must belong to. The rows are
 * counted meanwhile and compared with the counters.
 */
#include <inttypes.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/store/admin.h"
#include "common/store/check.h"
#include "common/store/gates.h"
#include "common/store/index.h"
#include "common/store/internal.h"

static const char *
name_of(struct check *check, const struct id *id)
{
	id_format(id, check->name);
	return check->name;
}

/* ---- indexes ---- */

static const struct index_table {
	enum table table;
	const char *because; /* why a task has a row there */
} indexes[] = {
	/* A task is in one of the first two. */
	{ TABLE_READY, "is queued and due" },
	{ TABLE_PARKED, "is queued and due" },
	{ TABLE_DUE, "is due later" },
	{ TABLE_LEASES, "is running" },
	{ TABLE_KEYS, "has a key" },
	{ TABLE_BY_USER, "is there" },
	{ TABLE_BY_STATE, "is there" },
};
#define INDEXES (sizeof(indexes) / sizeof(indexes[0]))

/* One row of an index must be exactly the row that its task requires. */
static int
check_index_row(struct check *check, const struct table_row *row,
    struct fail *fail)
{
	const char *table = store_tables[check->table];
	struct span from = check->table == TABLE_KEYS ? row->value : row->key;
	struct key key;
	struct task_row task;
	struct span value;
	struct fail broken;
	struct id id;
	int found;

	if (from.length < ID_SIZE) {
		check_fault(check, "the table %s has a row that cannot be read",
		    table);
		return 0;
	}
	id = key_id(from);
	key = key_task(&id);
	found = table_get(check->store, TABLE_TASKS, &key, &value, fail);
	if (found < 0)
		return -1;
	if (found == 0) {
		check_fault(check,
		    "the table %s has a row for the task %s, which "
		    "is not there",
		    table, name_of(check, &id));
		return 0;
	}
	if (unpack_row(value, &id, &task, &broken) < 0)
		return 0; /* reported with the tasks */
	if (!index_key(&task, check->table, &key) ||
	    row->key.length != key.length ||
	    memcmp(row->key.at, key.bytes, key.length) != 0)
		check_fault(check,
		    "the table %s has a row for the task %s (%s) that "
		    "does not fit it",
		    table, name_of(check, &id), task_state_name(task.state));
	return 0;
}

/* Checks the row that TASK requires in an index, and its value. Returns 1 when
 * it is there. */
static int
find_in_index(struct check *check, enum table table,
    const struct task_row *task, struct fail *fail)
{
	struct key key;
	struct span value;
	struct id id;
	int found;

	(void)index_key(task, table, &key);
	found = table_get(check->store, table, &key, &value, fail);
	if (found <= 0)
		return found;
	if (table == TABLE_KEYS) {
		id = key_id(value);
		if (memcmp(&id, &task->id, sizeof(id)) != 0)
			return 0;
	}
	if (table == TABLE_READY &&
	    (value.length < 1 || value.length - 1 != strlen(task->user) ||
		memcmp(value.at + 1, task->user, value.length - 1) != 0))
		check_fault(check,
		    "the row of the task %s in the table ready names "
		    "another user",
		    name_of(check, &task->id));
	return 1;
}

static int
check_indexed(struct check *check, const struct task_row *task,
    struct fail *fail)
{
	struct key key;
	int ready, found;
	size_t i;

	ready = find_in_index(check, TABLE_READY, task, fail);
	found = ready < 0 ? -1 : find_in_index(check, TABLE_PARKED, task, fail);
	if (found < 0)
		return -1;
	if (index_ready(task) && !ready && !found)
		check_fault(check,
		    "the task %s is queued and due, but is neither in "
		    "the table ready nor in parked",
		    name_of(check, &task->id));
	if (ready && found)
		check_fault(check,
		    "the task %s is both in the table ready and in parked",
		    name_of(check, &task->id));
	for (i = 2; i < INDEXES; i++) {
		if (!index_key(task, indexes[i].table, &key))
			continue;
		found = find_in_index(check, indexes[i].table, task, fail);
		if (found < 0)
			return -1;
		if (!found)
			check_fault(check,
			    "the task %s %s, but has no row in the table %s",
			    name_of(check, &task->id), indexes[i].because,
			    store_tables[indexes[i].table]);
	}
	return 0;
}

static int
check_indexes(struct check *check, struct fail *fail)
{
	size_t i;

	for (i = 0; i < INDEXES; i++) {
		if (check_each(check, indexes[i].table, check_index_row, fail) <
		    0)
			return -1;
	}
	return 0;
}

/* ---- tasks ---- */

static int
check_members(struct check *check, const struct task_row *task,
    struct fail *fail)
{
	struct key worker = key_task(&task->worker);
	struct span value;
	int found;

	if (!task->user[0] || !task->queue[0])
		check_fault(check, "the task %s has no user or no queue",
		    name_of(check, &task->id));
	if (task->due && task->state != TASK_QUEUED &&
	    task->state != TASK_WAITING)
		check_fault(check, "the task %s is %s and has a due time",
		    name_of(check, &task->id), task_state_name(task->state));
	if (task->state != TASK_RUNNING)
		return 0;
	if (task->fence == 0)
		check_fault(check,
		    "the task %s is running without a fencing number",
		    name_of(check, &task->id));
	found = table_get(check->store, TABLE_WORKERS, &worker, &value, fail);
	if (found == 0)
		check_fault(check,
		    "the task %s is running, but its worker has no "
		    "row in the table workers",
		    name_of(check, &task->id));
	return found < 0 ? -1 : 0;
}

struct journal_walk {
	struct check *check;
	uint64_t last;
	bool whole;
};

static int
see_event(void *context, uint64_t seq, struct span text, struct fail *fail)
{
	struct journal_walk *walk = context;
	struct check *check = walk->check;

	(void)fail;
	if (seq != walk->last + 1)
		walk->whole = false;
	walk->last = seq;
	if (!check->events)
		return 0;
	check->texts = mem_grow(check->texts, check->text_count + 1,
	    sizeof(*check->texts));
	check->texts[check->text_count++] = text;
	return 0;
}

static int
check_journal(struct check *check, const struct task_row *task,
    struct fail *fail)
{
	struct journal_walk walk = { check, 0, true };
	struct fail wrong;

	check->text_count = 0;
	if (store_read(check->store, &task->id, 0, see_event, &walk, fail) < 0)
		return -1;
	if (!walk.whole)
		check_fault(check, "the journal of the task %s has a gap",
		    name_of(check, &task->id));
	else if (walk.last != task->seq)
		check_fault(check,
		    "the journal of the task %s ends with event %" PRIu64
		    ", but its row says %" PRIu64,
		    name_of(check, &task->id), walk.last, task->seq);
	else if (check->events &&
	    check->events(check->context, task, check->texts, check->text_count,
		&wrong) < 0)
		check_fault(check, "the task %s: %s", name_of(check, &task->id),
		    wrong.message);
	return 0;
}

static int
check_task(struct check *check, const struct table_row *row, struct fail *fail)
{
	struct id id = key_id(row->key);
	struct task_row task;
	struct fail broken;

	if (row->key.length != ID_SIZE ||
	    unpack_row(row->value, &id, &task, &broken) < 0) {
		check_fault(check, "the row of the task %s cannot be read",
		    name_of(check, &id));
		return 0;
	}
	check_count(check, &task);
	if (check_members(check, &task, fail) < 0 ||
	    check_indexed(check, &task, fail) < 0)
		return -1;
	return check_journal(check, &task, fail);
}

/* ---- the other tables ---- */

/* Each task that has a journal must exist: one search per task. */
static int
check_journal_tasks(struct check *check, struct fail *fail)
{
	struct key from = { .length = 0 }, key;
	struct table_row row;
	struct span value;
	struct id id;
	int found;

	for (;;) {
		found = table_seek(check->store, TABLE_JOURNAL, &from, &row,
		    fail);
		if (found <= 0)
			return found;
		memset(&id, 0, sizeof(id));
		memcpy(id.bytes, row.key.at,
		    row.key.length < ID_SIZE ? row.key.length : ID_SIZE);
		if (row.key.length != ID_SIZE + 8)
			check_fault(check,
			    "the table journal has a row that cannot "
			    "be read, at the task %s",
			    name_of(check, &id));
		key = key_task(&id);
		found = table_get(check->store, TABLE_TASKS, &key, &value,
		    fail);
		if (found < 0)
			return -1;
		if (found == 0)
			check_fault(check,
			    "the table journal has events of the task "
			    "%s, which is not there",
			    name_of(check, &id));
		from = key;
		key_after(&from);
	}
}

static int
check_worker(struct check *check, const struct table_row *row,
    struct fail *fail)
{
	struct worker_row worker;
	struct id id = key_id(row->key);

	(void)fail;
	if (row->key.length != ID_SIZE ||
	    unpack_worker(row->value, &worker, &(struct fail){ 0 }) < 0)
		check_fault(check, "the row of the worker %s cannot be read",
		    name_of(check, &id));
	return 0;
}

static int
check_share(struct check *check, const struct table_row *row, struct fail *fail)
{
	const char *end = memchr(row->key.at, 0, row->key.length);
	size_t after;

	(void)fail;
	after = end ? row->key.length - (size_t)(end - row->key.at) - 1 : 0;
	if (after < 1 || row->value.length != (after == 1 ? 9 : 17))
		check_fault(check,
		    "the table shares has a row that cannot be read");
	return 0;
}

static int
check_meta(struct check *check, const struct table_row *row, struct fail *fail)
{
	static const struct {
		const char *name;
		size_t least, most;
	} known[] = {
		{ "version", 4, 4 },
		{ "limits", 17, 17 },
		{ "served", 9, 9 },
		{ "returning", 1, KEY_MAX },
		{ "clock", 9, 9 },
	};
	struct store_gate gate;
	size_t i;

	if (store_gate_read(row, &gate))
		return 0;
	(void)fail;
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (row->key.length == strlen(known[i].name) &&
		    memcmp(row->key.at, known[i].name, row->key.length) == 0 &&
		    row->value.length >= known[i].least &&
		    row->value.length <= known[i].most)
			return 0;
	}
	check_fault(check,
	    "the table meta has a row \"%.*s\" that cannot be read",
	    (int)row->key.length, row->key.at);
	return 0;
}

static int
check_tables(struct check *check, struct fail *fail)
{
	if (check_each(check, TABLE_TASKS, check_task, fail) < 0 ||
	    check_indexes(check, fail) < 0 ||
	    check_journal_tasks(check, fail) < 0 ||
	    check_each(check, TABLE_WORKERS, check_worker, fail) < 0 ||
	    check_each(check, TABLE_SHARES, check_share, fail) < 0 ||
	    check_each(check, TABLE_META, check_meta, fail) < 0)
		return -1;
	return check_counters(check, fail);
}

int
store_verify(struct store *store,
    int (*events)(void *context, const struct task_row *row,
	const struct span *texts, size_t count, struct fail *fail),
    void (*say)(void *context, const char *sentence), void *context,
    struct fail *fail)
{
	struct check check;
	int result;

	memset(&check, 0, sizeof(check));
	check.store = store;
	check.events = events;
	check.fault = say;
	check.context = context;
	if (store_begin(store, false, 0, fail) < 0)
		return -1;
	check.counted = store->version >= 2;
	check.waits_counted = store->version == STORE_VERSION;
	result = check_tables(&check, fail);
	store_abort(store);
	check_release(&check);
	return result < 0 ? -1 : check.faults;
}
