/* SPDX-License-Identifier: ISC */
/*
 * The store's calls on tasks and their journals. table.h has the tables, key.c
 * and pack.c the formats in them, index.c what follows from a row's state,
 * lease.c the queue, worker_rows.c the workers, db.c the lock and transactions.
 */
#include "common/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/store/index.h"
#include "common/store/internal.h"

/* ---- opening ---- */

static int
make_folders(const char *folder, struct fail *fail)
{
	static const char *const names[] = { "workers", "wake", "progress" };
	char *path;
	size_t i;
	int result = 0;

	if (file_make_folder(folder, fail) < 0)
		return -1;
	for (i = 0; i < 3 && result == 0; i++) {
		path = mem_print("%s/%s", folder, names[i]);
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			result = fail_errno(fail,
			    "unable to make the folder %s", path);
		free(path);
	}
	return result;
}

int
store_open_tuned(const char *folder, enum store_mode mode, uint64_t maximum,
    const struct store_tuning *tuning, struct store **ret_store,
    struct fail *fail)
{
	struct store *store;

	if (mode == STORE_CREATE && make_folders(folder, fail) < 0)
		return -1;
	store = mem_alloc(sizeof(*store));
	store->folder = mem_string(folder);
	store->mode = mode;
	store->maximum = maximum;
	store->tuning = *tuning;
	if (db_open(store, fail) < 0 ||
	    (mode != STORE_READ && sums_upgrade(store, fail) < 0)) {
		store_close(store);
		return -1;
	}
	*ret_store = store;
	return 0;
}

int
store_open(const char *folder, enum store_mode mode, uint64_t maximum,
    struct store **ret_store, struct fail *fail)
{
	static const struct store_tuning none;

	return store_open_tuned(folder, mode, maximum, &none, ret_store, fail);
}

void
store_close(struct store *store)
{
	size_t i;

	if (!store)
		return;
	db_close(store);
	for (i = 0; i < store->joined_count; i++)
		close(store->joined[i].fd);
	free(store->joined);
	free(store->folder);
	free(store);
}

const char *
store_folder(const struct store *store)
{
	return store->folder;
}

char *
store_progress_path(const struct store *store, const struct id *id)
{
	char name[ID_TEXT];

	id_format(id, name);
	return mem_print("%s/progress/%s", store->folder, name);
}

void
store_progress_remove(const struct store *store, const struct id *id)
{
	char *path = store_progress_path(store, id);

	(void)unlink(path);
	free(path);
}

/* ---- tasks ---- */

static int
fail_misuse(struct fail *fail, const struct id *id, const char *what)
{
	char name[ID_TEXT];

	id_format(id, name);
	return fail_set(fail, FAIL_NEVER, "internal", "task %s: %s", name,
	    what);
}

/* Members that only one state has. */
static void
tidy(struct task_row *row)
{
	if (row->state != TASK_QUEUED && row->state != TASK_WAITING)
		row->due = 0;
	if (row->due < 0)
		row->due = 0;
	if (row->state != TASK_RUNNING)
		memset(&row->worker, 0, sizeof(row->worker));
	if (!index_ready(row))
		row->order = 0;
	if (row->state != TASK_WAITING)
		row->wait = WAIT_NONE;
	else if (row->wait == WAIT_NONE)
		row_wait_older(row);
}

int
store_find_key(struct store *store, const struct task_row *row,
    struct task_row *ret_existing, struct fail *fail)
{
	struct key key = key_idempotency(row->user, row->key);
	struct span value;
	int found;

	if (!row->key[0])
		return 0;
	found = table_get(store, TABLE_KEYS, &key, &value, fail);
	if (found <= 0)
		return found;
	return table_task(store, key_id(value), ret_existing, fail) < 0 ? -1
									: 1;
}

int
store_create(struct store *store, struct task_row *row,
    struct task_row *ret_existing, struct fail *fail)
{
	struct key key = key_task(&row->id);
	struct task_row new_row = *row;
	struct span value;
	int found;

	if (!row->user[0] || !row->queue[0] || row->priority > 9)
		return fail_misuse(fail, &row->id,
		    "it has no user, no queue or a wrong priority");
	found = store_find_key(store, row, ret_existing, fail);
	if (found)
		return found;
	found = table_get(store, TABLE_TASKS, &key, &value, fail);
	if (found)
		return found < 0
		    ? -1
		    : fail_misuse(fail, &row->id, "it is there already");
	new_row.state = TASK_QUEUED;
	new_row.fence = 0;
	tidy(&new_row);
	if (index_ready(&new_row) && index_order(store, &new_row, fail) < 0)
		return -1;
	if ((row->key[0] && table_put_key(store, &new_row, fail) < 0) ||
	    index_add(store, &new_row, fail) < 0 ||
	    sums_follow(store, NULL, &new_row, fail) < 0 ||
	    table_put_task(store, &new_row, fail) < 0)
		return -1;
	*row = new_row;
	return 0;
}

int
store_get(struct store *store, const struct id *id, struct task_row *ret_row,
    struct fail *fail)
{
	int found = table_find_task(store, id, ret_row, fail);
	char name[ID_TEXT];

	if (found)
		return found < 0 ? -1 : 0;
	id_format(id, name);
	return fail_set(fail, FAIL_NO, "no_task",
	    "there is no task %s in the store %s", name, store->folder);
}

static bool
same_lease(const struct task_row *a, const struct task_row *b)
{
	return a->fence == b->fence &&
	    memcmp(&a->worker, &b->worker, sizeof(a->worker)) == 0;
}

static const char *
why_not(const struct task_row *old, const struct task_row *row)
{
	if (strcmp(old->user, row->user) != 0 ||
	    strcmp(old->queue, row->queue) != 0 ||
	    strcmp(old->key, row->key) != 0 || old->priority != row->priority)
		return "its user, queue, key or priority cannot change";
	if (row->seq < old->seq)
		return "its last event cannot go back";
	if (row->state == TASK_RUNNING &&
	    (old->state != TASK_RUNNING || !same_lease(old, row)))
		return "it can become running by a lease only";
	return NULL;
}

int
store_put(struct store *store, struct task_row *row, struct fail *fail)
{
	struct task_row old = { .seq = 0 }, new_row = *row;
	const char *reason;

	if (store_get(store, &row->id, &old, fail) < 0)
		return -1;
	reason = why_not(&old, row);
	if (reason)
		return fail_misuse(fail, &row->id, reason);
	new_row.created_at = old.created_at;
	new_row.fence = old.fence;
	new_row.order = old.order;
	tidy(&new_row);
	if (new_row.state != old.state || new_row.due != old.due) {
		if (index_remove(store, &old, fail) < 0 ||
		    (index_ready(&new_row) &&
			index_order(store, &new_row, fail) < 0) ||
		    index_add(store, &new_row, fail) < 0)
			return -1;
	}
	if (sums_follow(store, &old, &new_row, fail) < 0 ||
	    spent_follow(store, &old, &new_row, fail) < 0 ||
	    table_put_task(store, &new_row, fail) < 0)
		return -1;
	*row = new_row;
	return 0;
}

/* ---- journals ---- */

int
store_append(struct store *store, const struct id *id, uint64_t seq,
    const void *text, size_t length, struct fail *fail)
{
	struct key key = key_event(id, seq), prefix = key_task(id);
	struct table_row last;
	struct task_row row;
	int found;

	if (seq == 1 && store_get(store, id, &row, fail) < 0)
		return -1;
	found = table_last(store, TABLE_JOURNAL, &prefix, &last, fail);
	if (found < 0)
		return -1;
	if (seq != (found ? get64(last.key.at + ID_SIZE) : 0) + 1)
		return fail_misuse(fail, id,
		    "the event is not the next one of its journal");
	return table_put(store, TABLE_JOURNAL, &key, text, length, fail);
}

int
store_read(struct store *store, const struct id *id, uint64_t after,
    int (*event)(void *context, uint64_t seq, struct span text,
	struct fail *fail),
    void *context, struct fail *fail)
{
	struct key prefix = key_task(id), from = key_event(id, after + 1);
	struct MDB_cursor *cursor = NULL;
	enum cursor_move how = CURSOR_AT;
	struct table_row row;
	int result;

	if (after == UINT64_MAX)
		return 0;
	if (cursor_open(store, TABLE_JOURNAL, &cursor, fail) < 0)
		return -1;
	for (;;) {
		result = cursor_move(store, cursor, how, &from, &row, fail);
		if (result <= 0)
			break;
		result = 0;
		if (!key_starts(row.key, &prefix))
			break;
		result = event(context, get64(row.key.at + ID_SIZE), row.value,
		    fail);
		if (result)
			break;
		how = CURSOR_NEXT;
	}
	cursor_close(cursor);
	return result;
}

int
store_fail_event(const struct id *id, uint64_t seq, struct fail *fail)
{
	char name[ID_TEXT];

	id_format(id, name);
	return fail_damaged(fail,
	    "event %" PRIu64 " of the task %s is missing in its journal", seq,
	    name);
}

/* Returns how many events it had, or -1. */
static int64_t
remove_journal(struct store *store, const struct id *id, struct fail *fail)
{
	struct key prefix = key_task(id), key;
	struct table_row row;
	int64_t count = 0;
	int found;

	for (;;) {
		found = table_first(store, TABLE_JOURNAL, &prefix, &row, fail);
		if (found <= 0)
			return found < 0 ? -1 : count;
		key = key_of(row.key);
		if (table_drop(store, TABLE_JOURNAL, &key, fail) < 0)
			return -1;
		count++;
	}
}

int64_t
store_remove(struct store *store, const struct task_row *row, struct fail *fail)
{
	struct key task = key_task(&row->id);
	struct key key = key_idempotency(row->user, row->key);

	if (index_remove(store, row, fail) < 0 ||
	    sums_follow(store, row, NULL, fail) < 0 ||
	    (row->key[0] && table_drop(store, TABLE_KEYS, &key, fail) < 0) ||
	    table_drop(store, TABLE_TASKS, &task, fail) < 0)
		return -1;
	return remove_journal(store, &row->id, fail);
}

/* ---- waking ---- */

void
store_wake(struct store *store, const char *queue)
{
	char name[3 * TASK_QUEUE_MAX + 1], *path;
	size_t i, length = 0;
	int fd;

	for (i = 0; queue[i] && length + 4 <= sizeof(name); i++) {
		if (strchr("/.%", queue[i]))
			length += (size_t)snprintf(name + length, 4, "%%%02X",
			    (unsigned)queue[i]);
		else
			name[length++] = queue[i];
	}
	name[length] = '\0';
	path = mem_print("%s/wake/%s", store->folder, name);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600);
	free(path);
	if (fd < 0)
		return;
	/* The write is the event; when it fails, the slow poll sees the work. */
	if (pwrite(fd, "", 1, 0) < 0) {
		close(fd);
		return;
	}
	close(fd);
}
