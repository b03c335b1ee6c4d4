/* SPDX-License-Identifier: ISC */
/*
 * A backup cannot copy pages: without a table of readers a page that is in use
 * at the beginning may be overwritten before the end, and holding the lock all
 * the time would make every worker wait. So it copies tasks. All rows of a task
 * change in one transaction, and a journal only ever grows; so a task's row,
 * read at one moment, and the events up to the row's last one, read then or
 * later, are the task as it was at that moment. Tasks do not depend on each
 * other; indexes and counters are made anew from the rows in the copy.
 *
 * A task that was running stays so in the copy. Its worker has no lock file
 * there, so the first worker that opens the copy finds it dead and goes on as
 * after any crash.
 *
 * The copy is made under another name beside it, with the file "unfinished" in
 * it, which is locked while the program lives. What a killed backup has left is
 * known by it, and removed by the next backup to the same place.
 */
#include "common/store/admin.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/file.h"
#include "common/base/lock.h"
#include "common/base/mem.h"
#include "common/store/index.h"
#include "common/store/internal.h"

#define BATCH_ROWS 256
#define BATCH_BYTES ((size_t)1 << 20)
#define ROOM_PER_ROW 8192 /* pages that a row's index entries may need */

struct copied_event {
	struct id id;
	uint64_t seq;
	size_t at, length; /* in the batch's bytes */
};

struct copy {
	struct store *from, *to;
	struct key next; /* in tasks */
	bool at_end;

	/* The batch at hand. */
	struct task_row *rows;
	size_t row_count;
	struct copied_event *events;
	size_t event_count;
	struct buf bytes;

	/* A journal that did not fit into the batch is continued in the next. */
	struct task_row partial;
	uint64_t copied; /* its events so far */
	bool is_partial;
};

static int
copy_event(void *context, uint64_t seq, struct span text, struct fail *fail)
{
	struct copy *copy = context;
	struct copied_event *event;

	if (seq > copy->partial.seq ||
	    (copy->bytes.length >= BATCH_BYTES && copy->event_count))
		return 1;
	if (seq != copy->copied + 1)
		return store_fail_event(&copy->partial.id, copy->copied + 1,
		    fail);
	copy->events = mem_grow(copy->events, copy->event_count + 1,
	    sizeof(*copy->events));
	event = &copy->events[copy->event_count++];
	event->id = copy->partial.id;
	event->seq = seq;
	event->at = copy->bytes.length;
	event->length = text.length;
	buf_add(&copy->bytes, text.at, text.length);
	copy->copied = seq;
	return 0;
}

/* Continues to read the journal of the partial task. Returns 1 when that was
 * pruned meanwhile: what was copied is removed from the copy. */
static int
read_journal(struct copy *copy, struct fail *fail)
{
	const struct id *id = &copy->partial.id;
	struct task_row row;
	int found = store_read(copy->from, id, copy->copied, copy_event, copy,
	    fail);

	copy->is_partial = copy->copied < copy->partial.seq;
	if (found < 0 || found == 1 || !copy->is_partial)
		return found < 0 ? -1 : 0;
	found = table_find_task(copy->from, id, &row, fail);
	if (found <= 0)
		return found < 0 ? -1 : 1;
	return store_fail_event(id, copy->copied + 1, fail);
}

static int
read_task(struct copy *copy, struct fail *fail)
{
	struct table_row row;
	struct id id;
	int found;

	found = table_next(copy->from, TABLE_TASKS, &copy->next, NULL, &row,
	    fail);
	if (found < 0)
		return -1;
	if (found == 0) {
		copy->at_end = true;
		return 0;
	}
	id = key_id(row.key);
	if (unpack_row(row.value, &id, &copy->partial, fail) < 0)
		return -1;
	copy->rows[copy->row_count++] = copy->partial;
	copy->copied = 0;
	return read_journal(copy, fail);
}

/* One short read transaction. Returns 1 when the partial task is gone. */
static int
read_batch(struct copy *copy, struct fail *fail)
{
	int result = 0;

	copy->row_count = 0;
	copy->event_count = 0;
	buf_reset(&copy->bytes);
	if (store_begin(copy->from, false, 0, fail) < 0)
		return -1;
	if (copy->is_partial)
		result = read_journal(copy, fail);
	while (result == 0 && !copy->is_partial && !copy->at_end &&
	    copy->row_count < BATCH_ROWS && copy->bytes.length < BATCH_BYTES)
		result = read_task(copy, fail);
	store_abort(copy->from);
	return result;
}

/* A key that exists in the copy belongs to a task that was copied and then
 * pruned, after which this task got the key. */
static int
copy_key(struct copy *copy, const struct task_row *row, struct fail *fail)
{
	struct key key = key_idempotency(row->user, row->key);
	struct task_row other;
	struct span old;
	int found;

	found = table_get(copy->to, TABLE_KEYS, &key, &old, fail);
	if (found < 0)
		return -1;
	if (found) {
		if (table_task(copy->to, key_id(old), &other, fail) < 0 ||
		    store_remove(copy->to, &other, fail) < 0)
			return -1;
	}
	return table_put_key(copy->to, row, fail);
}

static int
copy_row(struct copy *copy, const struct task_row *row, struct fail *fail)
{
	struct key worker = key_task(&row->worker);
	struct worker_row nobody;
	uint8_t bytes[WORKER_MAX];

	memset(&nobody, 0, sizeof(nobody));
	if (row->state == TASK_RUNNING &&
	    table_put(copy->to, TABLE_WORKERS, &worker, bytes,
		pack_worker(&nobody, bytes), fail) < 0)
		return -1;
	if (row->key[0] && copy_key(copy, row, fail) < 0)
		return -1;
	if (index_add(copy->to, row, fail) < 0 ||
	    sums_follow(copy->to, NULL, row, fail) < 0)
		return -1;
	return table_put_task(copy->to, row, fail);
}

static int
write_batch(struct copy *copy, struct fail *fail)
{
	struct copied_event *event;
	struct key key;
	size_t i;

	if (store_begin(copy->to, true,
		copy->bytes.length + copy->row_count * ROOM_PER_ROW, fail) < 0)
		return -1;
	for (i = 0; i < copy->row_count; i++) {
		if (copy_row(copy, &copy->rows[i], fail) < 0)
			return -1;
	}
	for (i = 0; i < copy->event_count; i++) {
		event = &copy->events[i];
		key = key_event(&event->id, event->seq);
		if (table_put(copy->to, TABLE_JOURNAL, &key,
			copy->bytes.data ? copy->bytes.data + event->at : "",
			event->length, fail) < 0)
			return -1;
	}
	return store_commit(copy->to, fail);
}

static int
remove_partial(struct copy *copy, struct fail *fail)
{
	copy->is_partial = false;
	if (store_begin(copy->to, true, 0, fail) < 0 ||
	    store_remove(copy->to, &copy->partial, fail) < 0)
		return -1;
	return store_commit(copy->to, fail);
}

static int
copy_value(struct copy *copy, enum table table, struct key key,
    struct fail *fail)
{
	struct span value;
	int found = table_get(copy->from, table, &key, &value, fail);

	if (found <= 0)
		return found;
	return table_put(copy->to, table, &key, value.at, value.length, fail);
}

/* Copies the positions of users in the queues, when queues were served, and the
 * sums, which include pruned tasks. */
static int
copy_shares(struct copy *copy, struct fail *fail)
{
	struct key next = { .length = 0 };
	struct table_row row;
	struct key key;
	int found = 1, i;

	while (found) {
		if (store_begin(copy->from, false, 0, fail) < 0 ||
		    store_begin(copy->to, true, BATCH_BYTES, fail) < 0)
			return -1;
		for (i = 0; i < BATCH_ROWS && found; i++) {
			found = table_next(copy->from, TABLE_SHARES, &next,
			    NULL, &row, fail);
			if (found <= 0)
				break;
			key = key_of(row.key);
			if (table_put(copy->to, TABLE_SHARES, &key,
				row.value.at, row.value.length, fail) < 0)
				return -1;
		}
		if (found < 0 ||
		    copy_value(copy, TABLE_META, key_name("served"), fail) <
			0 ||
		    copy_value(copy, TABLE_COUNTERS, key_counter('s', ""),
			fail) < 0)
			return -1;
		store_abort(copy->from);
		if (store_commit(copy->to, fail) < 0)
			return -1;
	}
	return 0;
}

/* What today has cost. */
static int
copy_spent(struct copy *copy, struct fail *fail)
{
	const struct key prefix = key_counter('d', "");
	struct key next = prefix, key;
	struct table_row row;
	int found;

	if (store_begin(copy->from, false, 0, fail) < 0 ||
	    store_begin(copy->to, true, BATCH_BYTES, fail) < 0)
		return -1;
	while ((found = table_next(copy->from, TABLE_COUNTERS, &next, &prefix,
		    &row, fail)) > 0) {
		key = key_of(row.key);
		if (table_put(copy->to, TABLE_COUNTERS, &key, row.value.at,
			row.value.length, fail) < 0)
			return -1;
	}
	store_abort(copy->from);
	return found < 0 ? -1 : store_commit(copy->to, fail);
}

static int
copy_all(struct copy *copy, struct fail *fail)
{
	int result;

	while (!copy->at_end || copy->is_partial) {
		result = read_batch(copy, fail);
		if (result < 0 || write_batch(copy, fail) < 0 ||
		    (result == 1 && remove_partial(copy, fail) < 0))
			return -1;
	}
	if (copy_shares(copy, fail) < 0 || copy_spent(copy, fail) < 0)
		return -1;
	return db_sync(copy->to, fail);
}

static char *
unfinished_path(const char *folder)
{
	return mem_print("%s/unfinished", folder);
}

static void
remove_copy(const char *folder)
{
	static const char *const names[] = { "data.mdb", "lock", "workers",
		"wake", "progress", "unfinished" };
	char *path;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		path = mem_print("%s/%s", folder, names[i]);
		(void)remove(path);
		free(path);
	}
	(void)rmdir(folder);
}

/* Removes FOLDER if it is a copy that nobody finishes any more. */
static void
remove_dead_copy(const char *folder)
{
	char *path = unfinished_path(folder);
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	struct fail ignored;

	if (fd >= 0 && lock_is_free(fd) &&
	    lock_take(fd, true, 0, path, &ignored) == 0)
		remove_copy(folder);
	if (fd >= 0)
		close(fd);
	free(path);
}

/* Removes what killed backups to NAME have left: NAME.XXXXXX. */
static void
remove_dead_copies(const char *name)
{
	const char *slash = strrchr(name, '/');
	const char *base = slash ? slash + 1 : name;
	size_t length = strlen(base);
	char *parent = mem_print("%.*s.", (int)(base - name), name), *path;
	DIR *stream = opendir(parent);
	struct dirent *entry;

	while (stream && (entry = readdir(stream))) {
		if (strncmp(entry->d_name, base, length) != 0 ||
		    entry->d_name[length] != '.' ||
		    strlen(entry->d_name) != length + 7)
			continue;
		path = mem_print("%.*s%s", (int)(base - name), name,
		    entry->d_name);
		remove_dead_copy(path);
		free(path);
	}
	if (stream)
		closedir(stream);
	free(parent);
}

/* Makes the folder PATH (a template of mkdtemp) for a copy, and locks its file
 * "unfinished", until *RET_FD is closed. */
static int
make_copy(char *path, int *ret_fd, struct fail *fail)
{
	char *unfinished;
	int fd, result = -1;

	if (!mkdtemp(path)) {
		fail_errno(fail, "unable to make the folder %s", path);
		path[0] = '\0';
		return -1;
	}
	unfinished = unfinished_path(path);
	fd = open(unfinished, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		fail_errno(fail, "unable to make %s", unfinished);
	else
		result = lock_take(fd, true, 0, unfinished, fail);
	*ret_fd = fd;
	free(unfinished);
	return result;
}

/* Durably gives the complete copy its name. */
static int
publish(const char *copy, const char *folder, struct fail *fail)
{
	char *unfinished = unfinished_path(copy);
	int result = -1;

	if (unlink(unfinished) < 0)
		fail_errno(fail, "unable to remove %s", unfinished);
	else if (file_sync_parent(unfinished, fail) == 0)
		result = renameat2(AT_FDCWD, copy, AT_FDCWD, folder,
			     RENAME_NOREPLACE) == 0
		    ? file_sync_parent(folder, fail)
		    : fail_errno(fail, "unable to name the backup %s", folder);
	free(unfinished);
	return result;
}

int
store_backup(struct store *store, const char *folder, struct fail *fail)
{
	static const struct store_tuning tuning = { .unsynced = true };
	struct copy copy;
	struct stat there;
	char *name = mem_string(folder), *path;
	size_t length = strlen(name);
	int result = -1, fd = -1;

	while (length > 1 && name[length - 1] == '/')
		name[--length] = '\0';
	path = mem_print("%s.XXXXXX", name);
	memset(&copy, 0, sizeof(copy));
	copy.from = store;
	copy.bytes = BUF_INIT(SIZE_MAX / 2);
	copy.rows = mem_grow(NULL, BATCH_ROWS, sizeof(*copy.rows));
	if (lstat(name, &there) == 0) {
		fail_set(fail, FAIL_NEVER, "exists",
		    "unable to back up to %s:"
		    " it is there already; name a folder that is not",
		    name);
		path[0] = '\0';
		goto out;
	}
	remove_dead_copies(name);
	if (make_copy(path, &fd, fail) < 0 ||
	    store_open_tuned(path, STORE_CREATE, 0, &tuning, &copy.to, fail) <
		0 ||
	    copy_all(&copy, fail) < 0)
		goto out;
	store_close(copy.to);
	copy.to = NULL;
	result = publish(path, name, fail);
out:
	store_abort(store);
	store_close(copy.to);
	if (result < 0 && path[0])
		remove_copy(path);
	if (fd >= 0)
		close(fd);
	buf_release(&copy.bytes);
	free(copy.rows);
	free(copy.events);
	free(path);
	free(name);
	return result;
}
