/* SPDX-License-Identifier: ISC */
/*
 * The indexes: from each task to the rows that must be there, and from each row
 * back to the task that it must belong to.
 */
#include <string.h>

#include "common/store/check.h"
#include "common/store/index.h"

static bool
has_due(const struct task_row *row)
{
	return row->due != 0;
}

static bool
has_lease(const struct task_row *row)
{
	return row->state == TASK_RUNNING;
}

static bool
has_key(const struct task_row *row)
{
	return row->key[0] != '\0';
}

static bool
has_always(const struct task_row *row)
{
	(void)row;
	return true;
}

static struct key
due_of(const struct task_row *row)
{
	return key_due(row->due, &row->id);
}

static struct key
lease_of(const struct task_row *row)
{
	return key_lease(&row->worker, &row->id);
}

static struct key
idempotency_of(const struct task_row *row)
{
	return key_idempotency(row->user, row->key);
}

static struct key
user_of(const struct task_row *row)
{
	return key_user(row->user, (int)row->state, &row->id);
}

static struct key
state_of(const struct task_row *row)
{
	return key_state(row->state, &row->id);
}

static const struct index_table {
	enum table table;
	bool (*has)(const struct task_row *row);
	struct key (*key)(const struct task_row *row);
	const char *because; /* why a task has a row there */
} indexes[] = {
	/* A task is in one of the first two. */
	{ TABLE_READY, index_ready, key_ready, "is queued and due" },
	{ TABLE_PARKED, index_ready, key_parked, "is queued and due" },
	{ TABLE_DUE, has_due, due_of, "is due later" },
	{ TABLE_LEASES, has_lease, lease_of, "is running" },
	{ TABLE_KEYS, has_key, idempotency_of, "has a key" },
	{ TABLE_BY_USER, has_always, user_of, "is there" },
	{ TABLE_BY_STATE, has_always, state_of, "is there" },
};
#define INDEXES (sizeof(indexes) / sizeof(indexes[0]))

/* The task that a row of an index belongs to. */
static bool
index_task(const struct index_table *index, const struct table_row *row,
    struct id *ret_id)
{
	struct span from = index->table == TABLE_KEYS ? row->value : row->key;

	if (from.length < ID_SIZE)
		return false;
	*ret_id = key_id(from);
	return true;
}

/* One row of an index must be exactly the row that its task requires. */
static int
check_index_row(struct check *check, const struct table_row *row,
    struct fail *fail)
{
	const struct index_table *index = check->index;
	const char *table = store_tables[index->table];
	struct key key;
	struct task_row task;
	struct span value;
	struct fail broken;
	char name[ID_TEXT];
	struct id id;
	int found;

	if (!index_task(index, row, &id)) {
		check_fault(check, "the table %s has a row that cannot be read",
		    table);
		return 0;
	}
	id_format(&id, name);
	key = key_task(&id);
	found = table_get(check->store, TABLE_TASKS, &key, &value, fail);
	if (found < 0)
		return -1;
	if (found == 0) {
		check_fault(check,
		    "the table %s has a row for the task %s, which "
		    "is not there",
		    table, name);
		return 0;
	}
	if (unpack_row(value, &id, &task, &broken) < 0)
		return 0; /* reported with the tasks */
	key = index->key(&task);
	if (!index->has(&task) || row->key.length != key.length ||
	    memcmp(row->key.at, key.bytes, key.length) != 0)
		check_fault(check,
		    "the table %s has a row for the task %s (%s) that "
		    "does not fit it",
		    table, name, task_state_name(task.state));
	return 0;
}

/* Checks the row that TASK requires in an index, and its value. Returns 1 when
 * it is there. */
static int
find_in_index(struct check *check, const struct index_table *index,
    const struct task_row *task, struct fail *fail)
{
	struct key key = index->key(task);
	struct span value;
	char name[ID_TEXT];
	struct id id;
	int found;

	found = table_get(check->store, index->table, &key, &value, fail);
	if (found <= 0)
		return found;
	id_format(&task->id, name);
	if (index->table == TABLE_KEYS) {
		id = key_id(value);
		if (memcmp(&id, &task->id, sizeof(id)) != 0)
			return 0;
	}
	if (index->table == TABLE_READY &&
	    (value.length < 1 || value.length - 1 != strlen(task->user) ||
		memcmp(value.at + 1, task->user, value.length - 1) != 0))
		check_fault(check,
		    "the row of the task %s in the table ready names "
		    "another user",
		    name);
	return 1;
}

int
check_indexed(struct check *check, const struct task_row *task,
    struct fail *fail)
{
	char name[ID_TEXT];
	int ready, found;
	size_t i;

	id_format(&task->id, name);
	ready = find_in_index(check, &indexes[0], task, fail);
	found = ready < 0 ? -1 : find_in_index(check, &indexes[1], task, fail);
	if (found < 0)
		return -1;
	if (index_ready(task) && !ready && !found)
		check_fault(check,
		    "the task %s is queued and due, but is neither in "
		    "the table ready nor in parked",
		    name);
	if (ready && found)
		check_fault(check,
		    "the task %s is both in the table ready and in "
		    "parked",
		    name);
	for (i = 2; i < INDEXES; i++) {
		if (!indexes[i].has(task))
			continue;
		found = find_in_index(check, &indexes[i], task, fail);
		if (found < 0)
			return -1;
		if (!found)
			check_fault(check,
			    "the task %s %s, but has no row in the "
			    "table %s",
			    name, indexes[i].because,
			    store_tables[indexes[i].table]);
	}
	return 0;
}

int
check_indexes(struct check *check, struct fail *fail)
{
	size_t i;

	for (i = 0; i < INDEXES; i++) {
		check->index = &indexes[i];
		if (check_each(check, indexes[i].table, check_index_row, fail) <
		    0)
			return -1;
	}
	return 0;
}
