/* SPDX-License-Identifier: ISC */
/*
 * bench start TASK FOLDER FLOOR: how soon a worker works.
 *
 * The model is a socket of this program's that never answers: it takes the
 * time when the first bytes of a request come.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/measure.h"

#define START_ROUNDS 41
#define TAKEOVER_ROUNDS 21
#define MANY 1000
#define IDLE_SECONDS 11

struct start {
	int listener;
	char url[64];
	const char *folder, *floor;
	char *task;
	size_t length;
	char store[512];
};

/* Waits for a request; its connection stays open. Returns its socket. */
static int
await_request(const struct start *start, double *ret_time)
{
	char bytes[65536];
	struct pollfd waiting = { .fd = start->listener, .events = POLLIN };
	int fd;

	if (poll(&waiting, 1, 10000) != 1)
		die("no request within ten seconds");
	fd = accept4(start->listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0 || recv(fd, bytes, sizeof(bytes), 0) <= 0)
		die("a connection without a request");
	*ret_time = seconds();
	return fd;
}

/* A store of its own for each round, with COUNT tasks in it. */
static void
make_store(struct start *start, int number, int count)
{
	const char *submit[] = { "agent-submit", "--store", start->store,
		NULL };
	char *many = malloc(start->length * (size_t)(count > 0 ? count : 1));
	int i;

	if (!many)
		die("out of memory");
	snprintf(start->store, sizeof(start->store), "%s/start-%d",
	    start->folder, number);
	for (i = 0; i < count; i++)
		memcpy(many + (size_t)i * start->length, start->task,
		    start->length);
	run(submit, many, start->length * (size_t)count);
	free(many);
}

static pid_t
launch_worker(const struct start *start, const char *concurrency)
{
	const char *const worker[] = { "agent-worker", "--store", start->store,
		"--concurrency", concurrency, NULL };

	return launch(worker, -1, -1, -1);
}

static void
first_request(struct start *start)
{
	const char *const floor[] = { start->floor, start->url, NULL };
	struct samples workers = { .count = 0 }, floors = { .count = 0 },
		       ratios = { .count = 0 };
	double begin, end, time;
	pid_t pid;
	int i, fd;

	for (i = 0; i < START_ROUNDS; i++) {
		begin = seconds();
		pid = launch(floor, -1, -1, -1);
		fd = await_request(start, &end);
		finish(pid);
		close(fd);
		time = end - begin;
		make_store(start, i, 1);
		begin = seconds();
		pid = launch_worker(start, "64");
		fd = await_request(start, &end);
		finish(pid);
		close(fd);
		if (i == 0)
			continue; /* reads the programs from the disk */
		add(&floors, time);
		add(&workers, end - begin);
		add(&ratios, (end - begin) / time);
	}
	report(&(struct figure){ "worker, exec to first request", " ms", 1e3, 1,
	    &workers, NULL, NULL, 15, false });
	report(&(struct figure){ "  against a bare program with libcurl", " ms",
	    1e3, 1, &workers, &floors, &ratios, 0, false });
}

/* From kill -9 until inotify tells that the dead one's file is closed. */
static double
floor_notice(const struct start *start)
{
	char path[600], bytes[4096];
	int notify = inotify_init1(IN_CLOEXEC), fd, ready[2];
	double begin, end;
	pid_t pid;

	snprintf(path, sizeof(path), "%s/held", start->folder);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	close(fd);
	if (inotify_add_watch(notify, path, IN_CLOSE_WRITE) < 0 ||
	    pipe2(ready, O_CLOEXEC) < 0)
		die("cannot watch %s", path);
	pid = fork();
	if (pid == 0) {
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(ready[1], "", 1) != 1)
			_exit(111);
		for (;;)
			pause();
	}
	if (pid < 0 || read(ready[0], bytes, 1) != 1)
		die("the floor's process did not start");
	begin = seconds();
	kill(pid, SIGKILL);
	if (read(notify, bytes, sizeof(bytes)) <= 0)
		die("inotify told nothing");
	end = seconds();
	finish(pid);
	close(ready[0]);
	close(ready[1]);
	close(notify);
	return end - begin;
}

static void
takeover(struct start *start)
{
	struct samples times = { .count = 0 }, floors = { .count = 0 };
	double begin, end;
	pid_t first, second;
	int i, held, fd;

	for (i = 0; i < TAKEOVER_ROUNDS; i++) {
		add(&floors, floor_notice(start));
		make_store(start, 1000 + i, 1);
		first = launch_worker(start, "64");
		held = await_request(start, &end);
		second = launch_worker(start, "64");
		await_probe(start->store, "workers", 2);
		begin = seconds();
		kill(first, SIGKILL);
		fd = await_request(start, &end);
		finish(first);
		finish(second);
		close(held);
		close(fd);
		add(&times, end - begin);
	}
	report(&(struct figure){ "kill -9 to the next worker's request", " ms",
	    1e3, 1, &times, &floors, NULL, 300, false });
}

/* A number of /proc/PID/status. */
static double
status_number(pid_t pid, const char *name)
{
	char path[64], line[256];
	double number = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	if (!file)
		die("cannot open %s", path);
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, name, strlen(name)) == 0)
			number = strtod(line + strlen(name), NULL);
	fclose(file);
	return number;
}

/* Seconds of processor time so far, to the nanosecond. */
static double
processor_time(pid_t pid)
{
	struct timespec time;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) != 0 ||
	    clock_gettime(clock, &time) < 0)
		die("cannot read the processor time of a worker");
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void
memory(struct start *start)
{
	struct samples idle = { .count = 0 }, loaded = { .count = 0 },
		       each = { .count = 0 };
	static int fds[MANY];
	double end;
	pid_t pid;
	int i;

	make_store(start, 5000, 1);
	pid = launch_worker(start, "1");
	fds[0] = await_request(start, &end);
	add(&idle, status_number(pid, "VmRSS:"));
	finish(pid);
	close(fds[0]);
	make_store(start, 5001, MANY);
	pid = launch_worker(start, "1000");
	for (i = 0; i < MANY; i++)
		fds[i] = await_request(start, &end);
	add(&loaded, status_number(pid, "VmRSS:"));
	finish(pid);
	for (i = 0; i < MANY; i++)
		close(fds[i]);
	add(&each, (loaded.at[0] - idle.at[0]) / (MANY - 1));
	report(&(struct figure){ "worker's memory, 1000 tasks wait (one task)",
	    " MB", 1 / 1024.0, 1, &loaded, &idle, NULL, 0, false });
	report(&(struct figure){ "  a task more", " KB", 1, 1, &each, NULL,
	    NULL, 0, false });
}

static void
idle(struct start *start)
{
	const struct timespec pause = { IDLE_SECONDS, 0 };
	struct samples used = { .count = 0 };
	double before;
	pid_t pid;

	snprintf(start->store, sizeof(start->store), "%s/start-idle",
	    start->folder);
	make_empty(start->store);
	pid = launch_worker(start, "64");
	await_probe(start->store, "workers", 1);
	before = processor_time(pid);
	nanosleep(&pause, NULL);
	add(&used, (processor_time(pid) - before) / IDLE_SECONDS);
	finish(pid);
	report(&(struct figure){ "idle worker, processor time a second", " us",
	    1e6, 0, &used, NULL, NULL, 1000, false });
}

int
main(int argc, char **argv)
{
	static struct start start;
	struct rlimit limit;

	if (argc != 4)
		die("usage: start TASK FOLDER FLOOR");
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	start.task = read_text(argv[1], &start.length);
	start.folder = argv[2];
	start.floor = argv[3];
	start.listener = listen_here(start.url, sizeof(start.url));
	setenv("ANTHROPIC_BASE_URL", start.url, 1);
	setenv("COMPOSIO_BASE_URL", start.url, 1);
	first_request(&start);
	takeover(&start);
	memory(&start);
	idle(&start);
	free(start.task);
	return 0;
}
