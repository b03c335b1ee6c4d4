/* SPDX-License-Identifier: ISC */
/*
 * The workers of the store. Each worker has a row (its boot, until when it is
 * alive) and a file of its own, which it keeps locked: the kernel releases the
 * lock at the moment when the process dies, so that nobody has to wait for the
 * time to pass. The time is for a process that lives but hangs, and holds only
 * between processes with the same boot clock.
 *
 * Any worker may remove a file whose lock is free, under its lock; so a worker
 * that has just locked its file checks whether it is still the one in the
 * folder.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/lock.h"
#include "common/base/mem.h"
#include "common/store/internal.h"

#define JOIN_TRIES 100
#define OWN_FILE_MS 1000

static char *
worker_path(const struct store *store, const struct id *worker)
{
	char name[ID_TEXT];

	id_format(worker, name);
	return mem_print("%s/workers/%s", store->folder, name);
}

static bool
is_in_place(const char *path, int fd)
{
	struct stat there, mine;

	return stat(path, &there) == 0 && fstat(fd, &mine) == 0 &&
	    there.st_dev == mine.st_dev && there.st_ino == mine.st_ino;
}

/* Whether the process that owns the file lives; UNKNOWN when the file is there
 * but cannot be opened. */
static bool
file_lives(const char *path, bool unknown)
{
	bool lives;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return errno != ENOENT && unknown;
	lives = !lock_is_free(fd);
	close(fd);
	return lives;
}

/* Removes the file when no process has it locked. */
static void
remove_free_file(const char *path)
{
	struct fail ignored;
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return;
	if (lock_is_free(fd) && lock_take(fd, true, 0, path, &ignored) == 0 &&
	    is_in_place(path, fd))
		(void)unlink(path);
	close(fd);
}

/* Removes the files of workers that died before they had a row, or whose row was
 * removed without the file. */
static void
remove_old_files(const struct store *store)
{
	char *folder = mem_print("%s/workers", store->folder), *path;
	struct dirent *entry;
	DIR *stream = opendir(folder);
	struct id id;

	while (stream && (entry = readdir(stream))) {
		if (!id_parse(entry->d_name, &id))
			continue;
		path = worker_path(store, &id);
		remove_free_file(path);
		free(path);
	}
	if (stream)
		closedir(stream);
	free(folder);
}

int
store_join(struct store *store, const struct id *worker, struct fail *fail)
{
	char *path = worker_path(store, worker);
	int fd = -1, result = -1, i;

	remove_old_files(store);
	for (i = 0; i < JOIN_TRIES; i++) {
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
		    0600);
		if (fd < 0) {
			fail_errno(fail, "unable to make %s", path);
			goto out;
		}
		if (lock_take(fd, true, OWN_FILE_MS, path, fail) < 0)
			goto out;
		if (is_in_place(path, fd))
			break;
		close(fd);
		fd = -1;
	}
	if (fd < 0) {
		fail_set(fail, FAIL_NOT_NOW, "system",
		    "unable to keep %s: it is removed again and again", path);
		goto out;
	}
	store->joined = mem_grow(store->joined, store->joined_count + 1,
	    sizeof(*store->joined));
	store->joined[store->joined_count].worker = *worker;
	store->joined[store->joined_count++].fd = fd;
	fd = -1;
	result = 0;
out:
	if (fd >= 0)
		close(fd);
	free(path);
	return result;
}

int
store_renew(struct store *store, const struct id *worker, int64_t until,
    struct fail *fail)
{
	struct key key = key_task(worker);
	uint8_t bytes[WORKER_MAX];
	struct worker_row row;

	memset(&row, 0, sizeof(row));
	row.until = until;
	row.pid = getpid();
	clock_boot_id(row.boot);
	if (gethostname(row.host, sizeof(row.host) - 1) < 0)
		row.host[0] = '\0';
	return table_put(store, TABLE_WORKERS, &key, bytes,
	    pack_worker(&row, bytes), fail);
}

int
store_leave(struct store *store, const struct id *worker, struct fail *fail)
{
	struct key key = key_task(worker);
	struct table_row row;
	char *path;
	size_t i;
	int held;

	held = table_first(store, TABLE_LEASES, &key, &row, fail);
	if (held < 0)
		return -1;
	if (held)
		return fail_set(fail, FAIL_NEVER, "internal",
		    "a worker left while it held a task");
	if (table_delete(store, TABLE_WORKERS, &key, fail) < 0)
		return -1;
	path = worker_path(store, worker);
	(void)unlink(path);
	free(path);
	for (i = 0; i < store->joined_count; i++) {
		if (memcmp(&store->joined[i].worker, worker, sizeof(*worker)) !=
		    0)
			continue;
		close(store->joined[i].fd);
		store->joined[i] = store->joined[--store->joined_count];
		break;
	}
	return 0;
}

/* A worker with another clock lives as long as its lock is held: another boot's
 * locks are free, but a sandbox or a time namespace of this boot looks alike. */
static bool
is_dead(const struct store *store, const struct id *worker,
    const struct worker_row *row, const char *boot, int64_t now)
{
	bool same_clock = strcmp(row->boot, boot) == 0, dead;
	char *path;

	if (same_clock && row->until < now)
		return true;
	path = worker_path(store, worker);
	dead = !file_lives(path, same_clock);
	free(path);
	return dead;
}

/* The first worker at or after *FROM, which is then moved behind it. Returns as
 * table_get. */
static int
next_worker(struct store *store, struct key *from, struct id *ret_worker,
    struct worker_row *ret_row, struct fail *fail)
{
	struct table_row row;
	int found;

	found = table_next(store, TABLE_WORKERS, from, NULL, &row, fail);
	if (found <= 0)
		return found;
	if (unpack_worker(row.value, ret_row, fail) < 0)
		return -1;
	*ret_worker = key_id(row.key);
	return 1;
}

/* Rows stay until another worker finds their owner dead. */
int
store_workers_alive(struct store *store, int64_t *ret_alive, struct fail *fail)
{
	struct key from = { .length = 0 };
	struct worker_row row;
	int64_t alive = 0, now = clock_boot();
	struct id worker;
	char boot[37];
	int found;

	clock_boot_id(boot);
	while ((found = next_worker(store, &from, &worker, &row, fail)) > 0)
		alive += !is_dead(store, &worker, &row, boot, now);
	if (found < 0)
		return -1;
	*ret_alive = alive;
	return 0;
}

/* Adds the tasks of WORKER to the rows. Returns how many there are now. */
static int
add_orphans(struct store *store, const struct id *worker,
    struct task_row *ret_rows, int have, int count, struct fail *fail)
{
	struct key prefix = key_task(worker), from = prefix;
	struct table_row row;
	int found;

	while (have < count) {
		found = table_next(store, TABLE_LEASES, &from, &prefix, &row,
		    fail);
		if (found == 0)
			break;
		if (found < 0 ||
		    table_task(store, key_id(row.key), &ret_rows[have], fail) <
			0)
			return -1;
		have++;
	}
	return have;
}

/* Removes a dead worker that has no tasks. The file of one that hangs stays: it
 * is still locked, and when the worker goes on, it makes its row again. */
static int
reap(struct store *store, const struct id *worker, struct fail *fail)
{
	struct key key = key_task(worker);
	struct table_row row;
	char *path;
	int held;

	held = table_first(store, TABLE_LEASES, &key, &row, fail);
	if (held)
		return held < 0 ? -1 : 0;
	if (table_drop(store, TABLE_WORKERS, &key, fail) < 0)
		return -1;
	path = worker_path(store, worker);
	remove_free_file(path);
	free(path);
	return 0;
}

int
store_orphans(struct store *store, const struct id *self, int64_t now,
    struct task_row *ret_rows, size_t count, struct fail *fail)
{
	struct key from = { .length = 0 };
	struct worker_row row;
	struct id worker;
	char boot[37];
	int found, have = 0;

	clock_boot_id(boot);
	while ((found = next_worker(store, &from, &worker, &row, fail)) > 0) {
		if (memcmp(&worker, self, sizeof(worker)) == 0 ||
		    !is_dead(store, &worker, &row, boot, now))
			continue;
		have = add_orphans(store, &worker, ret_rows, have, (int)count,
		    fail);
		if (have < 0 ||
		    (store->writing && reap(store, &worker, fail) < 0))
			return -1;
	}
	return found < 0 ? -1 : have;
}
