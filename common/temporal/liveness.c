/* SPDX-License-Identifier: ISC */
/*
 * How it works: each worker has a file in a folder that the workers of this
 * machine share. The worker has it locked for as long as it lives; the kernel
 * releases the lock when it dies. The file has the server's address, and a line
 * for the beginning and the end of each activity. A worker that finds the lock
 * free reports the open activities as failed, so that the server need not wait
 * for missing heartbeats.
 *
 * A heartbeat touches the file. A file that was not touched for longer than the
 * server waits is only removed: the server has noticed the death, and may have
 * given the activity to another worker.
 */
#include "common/temporal/liveness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/lock.h"
#include "common/base/mem.h"
#include "common/json/log.h"
#include "common/temporal/history.h"

#define FILE_MAX ((size_t)16 << 20)
#define STALE_MS 3000

/* The server has to notice first that the dead worker's connection is gone, or it
 * would send the repeated activity to a poll of the dead worker. */
#define NOTICED_MS 50

struct report {
	struct liveness *liveness;
	struct temporal_answer answer;
	struct report *next;
};

struct liveness {
	struct worker_temporal *worker;
	char *folder, *path;
	int fd;
	size_t open; /* activities in the file */
	int64_t touched;
	struct watch watch;
	struct timer probe;
	size_t probes;
	struct report *reports;
};

/* LINE is freed. */
static void
put(struct liveness *liveness, char *line)
{
	struct fail fail;

	(void)file_write(liveness->fd, line, strlen(line), liveness->path,
	    &fail);
	free(line);
}

static void
put_head(struct liveness *liveness)
{
	if (ftruncate(liveness->fd, 0) == 0)
		put(liveness, mem_print("%s\n", liveness->worker->target));
}

void
liveness_add(struct liveness *liveness, const char *workflow, const char *run,
    const char *activity)
{
	if (liveness == NULL)
		return;
	liveness->open++;
	put(liveness, mem_print("+ %s\t%s\t%s\n", workflow, run, activity));
}

void
liveness_drop(struct liveness *liveness, const char *workflow, const char *run,
    const char *activity)
{
	if (liveness == NULL)
		return;
	if (--liveness->open == 0)
		put_head(liveness);
	else
		put(liveness,
		    mem_print("- %s\t%s\t%s\n", workflow, run, activity));
}

void
liveness_touch(struct liveness *liveness)
{
	int64_t now = clock_boot();

	if (liveness == NULL || now - liveness->touched < STALE_MS / 4)
		return;
	liveness->touched = now;
	(void)futimens(liveness->fd, NULL);
}

/* ---- the dead ---- */

static void
reported(void *context, struct temporal_answer *answer)
{
	struct report *report = context, **at;

	for (at = &report->liveness->reports; *at != report; at = &(*at)->next)
		;
	*at = report->next;
	temporal_answer_release(answer);
	free(report);
}

/* LINE is "WORKFLOW\tRUN\tACTIVITY" and is written to. */
static void
report_lost(struct liveness *liveness, char *line)
{
	static const char words[] = "the worker ended while it was under way";
	struct temporal *temporal = liveness->worker->temporal;
	Api__RespondActivityTaskFailedByIdRequest request;
	struct report *report;
	struct fail fail;
	char *run = strchr(line, '\t'), *activity;

	activity = run != NULL ? strchr(run + 1, '\t') : NULL;
	if (activity == NULL)
		return;
	*run++ = *activity++ = '\0';
	log_line("warning", "activity.lost", "task", line, "activity", activity,
	    "reason", words, NULL);
	api__respond_activity_task_failed_by_id_request__init(&request);
	request.workflow_id = line;
	request.run_id = run;
	request.activity_id = activity;
	request.failure = heap_failure(TEMPORAL_WORKER_LOST, words, NULL);
	request.failure->application_failure_info->non_retryable = true;
	report = mem_alloc(sizeof(*report));
	report->liveness = liveness;
	report->next = liveness->reports;
	liveness->reports = report;
	report->answer.then = reported;
	report->answer.context = report;
	if (temporal_send(temporal, &request.base, &report->answer, &fail) < 0)
		reported(report, &report->answer);
	api__failure__free_unpacked(request.failure, NULL);
}

/* Whether a line of "ended" for the one at LINE follows. */
static bool
has_ended(const char *line)
{
	size_t length = strcspn(line, "\n");
	const char *at = line + length;

	while (*at == '\n' && at[1] != '\0') {
		at++;
		if (at[0] == '-' && strcspn(at, "\n") == length &&
		    memcmp(at + 1, line + 1, length - 1) == 0)
			return true;
		at += strcspn(at, "\n");
	}
	return false;
}

static void
report_file(struct liveness *liveness, const char *text)
{
	const char *target = liveness->worker->target;
	size_t length = strcspn(text, "\n");
	const char *line = text + length;
	char *copy;

	if (length != strlen(target) || memcmp(text, target, length) != 0)
		return;
	while (*line == '\n' && line[1] != '\0') {
		line++;
		length = strcspn(line, "\n");
		if (length > 2 && line[0] == '+' && !has_ended(line)) {
			copy = mem_copy(line + 2, length - 2);
			report_lost(liveness, copy);
			free(copy);
		}
		line += length;
	}
}

static bool
is_fresh(int fd)
{
	struct stat status;
	int64_t then;

	if (fstat(fd, &status) < 0 || status.st_nlink == 0)
		return false;
	then = (int64_t)status.st_mtim.tv_sec * 1000 +
	    status.st_mtim.tv_nsec / 1000000;
	return clock_wall() - then <= STALE_MS;
}

/* Opens it for reading only, which is not an event for watchers. */
static bool
is_dead(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	bool result = fd >= 0 && lock_is_free(fd);

	if (fd >= 0)
		close(fd);
	return result;
}

static void
look_at(struct liveness *liveness, const char *name)
{
	char *path = mem_print("%s/%s", liveness->folder, name);
	struct buf text = BUF_INIT(FILE_MAX);
	struct fail fail;
	int fd = -1;

	if (strcmp(path, liveness->path) == 0 || !is_dead(path))
		goto out;
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || lock_take(fd, true, 0, path, &fail) < 0)
		goto out;
	/* The first of several finders gets the lock, and removes the file. */
	if (is_fresh(fd) && file_read(path, &text, &fail) == 0 &&
	    text.length > 0)
		report_file(liveness, text.data);
	(void)unlink(path);
out:
	if (fd >= 0)
		close(fd);
	buf_release(&text);
	free(path);
}

static void
look_around(void *context)
{
	struct liveness *liveness = context;
	DIR *folder = opendir(liveness->folder);
	struct dirent *entry;
	int64_t delay = lock_probe_delay(++liveness->probes);

	while (folder != NULL && (entry = readdir(folder)) != NULL)
		if (entry->d_name[0] != '.')
			look_at(liveness, entry->d_name);
	if (folder != NULL)
		closedir(folder);
	if (delay >= 0)
		loop_timer(liveness->worker->loop, &liveness->probe,
		    clock_boot() + delay);
}

static void
on_notify(void *context, uint32_t events)
{
	struct liveness *liveness = context;
	char room[8192];

	(void)events;
	while (read(liveness->watch.fd, room, sizeof(room)) > 0)
		;
	liveness->probes = 0;
	loop_timer(liveness->worker->loop, &liveness->probe,
	    clock_boot() + NOTICED_MS);
}

/* ---- beginning and end ---- */

static char *
find_folder(const char *folder)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");

	return runtime != NULL && runtime[0] == '/'
	    ? mem_print("%s/agent-utils/workers", runtime)
	    : mem_print("%s/temporal-workers", folder);
}

static int
watch(struct liveness *liveness, struct fail *fail)
{
	liveness->watch.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	liveness->watch.events = EPOLLIN;
	liveness->watch.ready = on_notify;
	liveness->watch.context = liveness;
	if (liveness->watch.fd < 0 ||
	    inotify_add_watch(liveness->watch.fd, liveness->folder,
		IN_CLOSE_WRITE | IN_DELETE) < 0)
		return fail_errno(fail, "unable to watch %s", liveness->folder);
	return loop_watch(liveness->worker->loop, &liveness->watch, fail);
}

int
liveness_open(struct worker_temporal *worker, const char *folder,
    struct liveness **ret_liveness, struct fail *fail)
{
	struct liveness *liveness = mem_alloc(sizeof(*liveness));
	char self[64];

	liveness->worker = worker;
	liveness->fd = liveness->watch.fd = -1;
	liveness->folder = find_folder(folder);
	liveness->path = mem_print("%s/%s", liveness->folder, worker->name);
	liveness->probe.fire = look_around;
	liveness->probe.context = liveness;
	if (file_make_folder(liveness->folder, fail) < 0)
		goto out;
	/* Made under a name that other workers ignore, until it is locked. */
	liveness->fd = open(liveness->folder,
	    O_TMPFILE | O_RDWR | O_CLOEXEC | O_APPEND, 0600);
	if (liveness->fd < 0)
		liveness->fd = open(liveness->path,
		    O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_APPEND, 0600);
	if (liveness->fd < 0) {
		fail_errno(fail, "unable to make %s", liveness->path);
		goto out;
	}
	if (lock_take(liveness->fd, true, 0, liveness->path, fail) < 0)
		goto out;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", liveness->fd);
	if (access(liveness->path, F_OK) < 0 &&
	    linkat(AT_FDCWD, self, AT_FDCWD, liveness->path,
		AT_SYMLINK_FOLLOW) < 0) {
		fail_errno(fail, "unable to make %s", liveness->path);
		goto out;
	}
	put_head(liveness);
	if (watch(liveness, fail) < 0)
		goto out;
	loop_timer(worker->loop, &liveness->probe, clock_boot());
	*ret_liveness = liveness;
	return 0;
out:
	liveness_close(liveness);
	return -1;
}

void
liveness_close(struct liveness *liveness)
{
	if (liveness == NULL)
		return;
	while (liveness->reports != NULL)
		reported(liveness->reports, &liveness->reports->answer);
	loop_cancel(liveness->worker->loop, &liveness->probe);
	if (liveness->watch.fd >= 0) {
		loop_unwatch(liveness->worker->loop, &liveness->watch);
		close(liveness->watch.fd);
	}
	if (liveness->fd >= 0) {
		(void)unlink(liveness->path);
		close(liveness->fd);
	}
	free(liveness->folder);
	free(liveness->path);
	free(liveness);
}
