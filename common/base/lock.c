/* SPDX-License-Identifier: ISC */
/*
 * Taking a free lock is one fcntl. When it is not free, F_OFD_SETLKW waits in
 * the kernel's queue, and a repeating timer interrupts it to check the time.
 * The timer repeats because a single one could fire just before the
 * wait begins and be lost. Its signal goes to this thread only, is a real-time
 * one that nothing else here uses, and both the handler and the mask are put
 * back afterwards, so a program that reads its signals from a signalfd does
 * not notice.
 *
 * The holder of a lock is found in /proc: it has a descriptor of the same file
 * whose fdinfo shows an OFD lock.
 */
#include "common/base/lock.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

#define TICK_MS 100

struct holder {
	char pid[16];
	char command[32];
	char state; /* as in /proc/PID/stat */
};

static struct flock
whole_file(short type)
{
	struct flock lock;

	memset(&lock, 0, sizeof(lock));
	lock.l_type = type;
	lock.l_whence = SEEK_SET;
	return lock;
}

static void
ignore_tick(int number)
{
	(void)number;
}

/* F_OFD_SETLKW until END (boot time). Returns 0, or an errno; EAGAIN when the
 * time is over. */
static int
wait_in_line(int fd, struct flock *lock, int64_t end)
{
	struct sigevent event;
	struct itimerspec every;
	struct sigaction action, old_action;
	sigset_t tick, old_mask;
	timer_t timer;
	int error = 0, number = SIGRTMAX - 1;

	memset(&event, 0, sizeof(event));
	event.sigev_notify = SIGEV_THREAD_ID;
	event.sigev_signo = number;
	event.sigev_notify_thread_id = gettid();
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) < 0)
		return errno;
	memset(&action, 0, sizeof(action));
	action.sa_handler = ignore_tick;
	sigemptyset(&action.sa_mask);
	sigaction(number, &action, &old_action);
	sigemptyset(&tick);
	sigaddset(&tick, number);
	pthread_sigmask(SIG_UNBLOCK, &tick, &old_mask);
	memset(&every, 0, sizeof(every));
	every.it_value.tv_nsec = TICK_MS * 1000000;
	every.it_interval = every.it_value;
	timer_settime(timer, 0, &every, NULL);

	while (fcntl(fd, F_OFD_SETLKW, lock) < 0) {
		error = errno;
		if (error != EINTR)
			break;
		error = EAGAIN;
		if (clock_boot() >= end)
			break;
		error = 0;
	}

	/* A tick that is pending arrives before timer_delete returns, while
	 * its handler is still there. */
	timer_delete(timer);
	pthread_sigmask(SIG_SETMASK, &old_mask, NULL);
	sigaction(number, &old_action, NULL);
	return error;
}

static bool
holds_lock(const char *pid, const char *number)
{
	char path[64], line[256];
	FILE *file;
	bool found = false;

	snprintf(path, sizeof(path), "/proc/%.15s/fdinfo/%.15s", pid, number);
	file = fopen(path, "re");
	if (!file)
		return false;
	while (!found && fgets(line, sizeof(line), file))
		found = strncmp(line, "lock:", 5) == 0 &&
		    strstr(line, "OFDLCK") != NULL;
	fclose(file);
	return found;
}

static void
read_holder(const char *pid, struct holder *holder)
{
	char path[64], line[512];
	char *start, *end;
	FILE *file;

	snprintf(holder->pid, sizeof(holder->pid), "%.15s", pid);
	snprintf(holder->command, sizeof(holder->command), "unknown");
	holder->state = '?';
	snprintf(path, sizeof(path), "/proc/%.15s/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return;
	if (fgets(line, sizeof(line), file)) {
		start = strchr(line, '(');
		end = strrchr(line, ')');
		if (start && end && end > start && end[1] == ' ') {
			holder->state = end[2];
			*end = '\0';
			snprintf(holder->command, sizeof(holder->command),
			    "%.31s", start + 1);
		}
	}
	fclose(file);
}

/* Checks the descriptors of process PID. OWN is the waiting descriptor. */
static bool
process_holds(const char *pid, const struct stat *file, int own)
{
	char path[300];
	struct dirent *entry;
	struct stat other;
	bool found = false, self;
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%.15s/fd", pid);
	folder = opendir(path);
	if (!folder)
		return false;
	self = strtol(pid, NULL, 10) == getpid();
	while (!found && (entry = readdir(folder))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		if (self && strtol(entry->d_name, NULL, 10) == own)
			continue;
		snprintf(path, sizeof(path), "/proc/%.15s/fd/%.15s", pid,
		    entry->d_name);
		found = stat(path, &other) == 0 &&
		    other.st_dev == file->st_dev &&
		    other.st_ino == file->st_ino &&
		    holds_lock(pid, entry->d_name);
	}
	closedir(folder);
	return found;
}

static bool
find_holder(int fd, struct holder *holder)
{
	struct dirent *entry;
	struct stat file;
	bool found = false;
	DIR *folder;

	if (fstat(fd, &file) < 0)
		return false;
	folder = opendir("/proc");
	if (!folder)
		return false;
	while (!found && (entry = readdir(folder))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		found = process_holds(entry->d_name, &file, fd);
		if (found)
			read_holder(entry->d_name, holder);
	}
	closedir(folder);
	return found;
}

static int
fail_locked(int fd, int64_t milliseconds, const char *path, struct fail *fail)
{
	struct holder holder = { .state = '?' };
	long long seconds = (long long)(milliseconds + 999) / 1000;

	if (!find_holder(fd, &holder))
		return fail_set(fail, FAIL_NOT_NOW, "store_locked",
		    "unable to lock %s within %lld s: it is held by a process "
		    "that cannot be seen from here (another user's, or in "
		    "another container)",
		    path, seconds);
	if (holder.state == 'T' || holder.state == 't')
		return fail_set(fail, FAIL_NOT_NOW, "store_locked",
		    "unable to lock %s within %lld s: process %s (%s) holds it "
		    "and is stopped; continue it with `kill -CONT %s` or end it",
		    path, seconds, holder.pid, holder.command, holder.pid);
	return fail_set(fail, FAIL_NOT_NOW, "store_locked",
	    "unable to lock %s within %lld s: process %s (%s) holds it; try "
	    "again, and end that process if it hangs",
	    path, seconds, holder.pid, holder.command);
}

int
lock_take(int fd, bool exclusive, int64_t milliseconds, const char *path,
    struct fail *fail)
{
	struct flock lock = whole_file(exclusive ? F_WRLCK : F_RDLCK);
	int error;

	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	error = errno;
	if (error == EAGAIN || error == EACCES)
		error = wait_in_line(fd, &lock, clock_boot() + milliseconds);
	if (error == 0)
		return 0;
	if (error == EAGAIN)
		return fail_locked(fd, milliseconds, path, fail);
	errno = error;
	return fail_errno(fail, "unable to lock %s", path);
}

void
lock_drop(int fd)
{
	struct flock lock = whole_file(F_UNLCK);

	(void)fcntl(fd, F_OFD_SETLK, &lock);
}

bool
lock_is_free(int fd)
{
	struct flock lock = whole_file(F_WRLCK);

	return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_UNLCK;
}

int64_t
lock_probe_delay(size_t probe)
{
	static const int64_t delays[] = { 0, 2, 10, 50, 200, 1000 };

	return probe < sizeof(delays) / sizeof(*delays) ? delays[probe] : -1;
}
