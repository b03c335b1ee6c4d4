/* SPDX-License-Identifier: ISC */
/*
 * How the engine notices changes: inotify reports that something has changed,
 * versions tell which tasks have.
 */
#include "common/store/engine_internal.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"

/* The text of a turn under way is not in data.mdb. */
static int
watch_store(struct engine_lmdb *lmdb, struct fail *fail)
{
	static const struct {
		const char *name;
		uint32_t events;
	} watched[] = {
		{ "data.mdb", IN_MODIFY },
		{ "progress", IN_MODIFY | IN_CREATE | IN_DELETE },
	};
	char *path;
	int result = 0;

	lmdb->notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (lmdb->notify < 0)
		return fail_errno(fail, "unable to watch the store");
	for (size_t i = 0; result == 0 && i < 2; i++) {
		path = mem_print("%s/%s", store_folder(lmdb->store),
		    watched[i].name);
		if (inotify_add_watch(lmdb->notify, path, watched[i].events) <
		    0)
			result = fail_errno(fail, "unable to watch %s", path);
		free(path);
	}
	return result;
}

int
engine_lmdb_watch(struct engine *engine, int *ret_fd, struct fail *fail)
{
	struct engine_lmdb *lmdb = engine_lmdb(engine);

	if (lmdb->notify < 0 && watch_store(lmdb, fail) < 0)
		return -1;
	*ret_fd = lmdb->notify;
	return 0;
}

/* FNV-1a, which is enough to tell one version from another. */
static uint64_t
mix(uint64_t sum, int64_t number)
{
	for (int i = 0; i < 8; i++)
		sum = (sum ^ (uint8_t)(number >> 8 * i)) * 1099511628211u;
	return sum;
}

static void
fill_probe(struct engine_lmdb *lmdb, struct engine_probe *probe,
    const struct task_row *row)
{
	struct stat progress;
	char *path;

	probe->found = true;
	probe->state = row->state;
	memcpy(probe->user, row->user, sizeof(probe->user));
	probe->version = mix(
	    mix(mix(mix(14695981039346656037u, (int64_t)row->seq), row->state),
		row->due),
	    row->updated_at);
	if (row->state != TASK_RUNNING)
		return;
	path = store_progress_path(lmdb->store, &row->id);
	if (stat(path, &progress) == 0)
		probe->version = mix(mix(probe->version, progress.st_size),
		    (int64_t)progress.st_ino);
	free(path);
}

int
engine_lmdb_probe(struct engine *engine, struct engine_probe *probes,
    size_t count, struct fail *fail)
{
	struct engine_lmdb *lmdb = engine_lmdb(engine);
	struct task_row row;
	int result = 0;
	struct id id;

	if (store_begin(lmdb->store, false, 0, fail) < 0)
		return -1;
	for (size_t i = 0; result == 0 && i < count; i++) {
		probes[i].found = false;
		if (!id_parse(probes[i].id, &id))
			continue;
		if (store_get(lmdb->store, &id, &row, fail) == 0)
			fill_probe(lmdb, &probes[i], &row);
		else if (strcmp(fail->type, "no_task") != 0)
			result = -1;
	}
	store_abort(lmdb->store);
	return result;
}

/* The first call returns at once: changes before it were not watched. */
int
engine_lmdb_wait(struct engine *engine, int64_t milliseconds, struct fail *fail)
{
	struct engine_lmdb *lmdb = engine_lmdb(engine);
	struct pollfd poll_on;
	char events[4096];

	if (lmdb->notify < 0)
		return watch_store(lmdb, fail);
	poll_on = (struct pollfd){ .fd = lmdb->notify, .events = POLLIN };
	if (poll(&poll_on, 1, (int)milliseconds) < 0 && errno != EINTR)
		return fail_errno(fail, "unable to wait for the store");
	while (read(lmdb->notify, events, sizeof(events)) > 0)
		;
	return 0;
}
