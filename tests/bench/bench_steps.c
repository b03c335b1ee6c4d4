/* SPDX-License-Identifier: ISC */
/*
 * bench steps TASK FOLDER COUNTER NAME ROUNDS: what a step costs, a model turn
 * and its calls. The services are those of the environment; NAME says in the
 * table which; TASK takes exactly STEPS turns there.
 *
 * A worker that is running already and has nothing to do gets one task, then
 * MANY at once. Time goes from its first line about them to the last task's
 * "completed".
 */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/measure.h"

#define STEPS 20
#define MANY 256

struct steps {
	const char *count_file, *name;
	char *task, *many;
	size_t length;
	char store[512], label[80];
	pid_t worker;
	int lines; /* what the worker logs */
};

static void
launch_worker(struct steps *steps, const char *counter)
{
	const char *const worker[] = { "agent-worker", "--store", steps->store,
		"--concurrency", "256", NULL };
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		die("cannot make a pipe");
	if (counter) {
		setenv("LD_PRELOAD", counter, 1);
		setenv("COUNT_FILE", steps->count_file, 1);
	}
	steps->worker = launch(worker, -1, -1, ends[1]);
	unsetenv("LD_PRELOAD");
	close(ends[1]);
	steps->lines = ends[0];
	(void)fcntl(steps->lines, F_SETPIPE_SZ, 1 << 20);
	await_probe(steps->store, "workers", 1);
}

/* Drains the worker. Returns the processor time that it used. */
static double
end_worker(struct steps *steps)
{
	struct rusage usage;
	int status;

	kill(steps->worker, SIGTERM);
	if (wait4(steps->worker, &status, 0, &usage) < 0 || status != 0)
		die("agent-worker ended with status %d", status);
	close(steps->lines);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	    (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static double
work(struct steps *steps, size_t tasks)
{
	const char *const submit[] = { "agent-submit", "--store", steps->store,
		NULL };
	double first;

	run(submit, tasks == 1 ? steps->task : steps->many,
	    steps->length * tasks);
	await_lines(steps->lines, "\"event\":\"started\"", 1, &first);
	await_lines(steps->lines, "\"event\":\"completed\"", tasks, NULL);
	return seconds() - first;
}

/* The lines come before the commit; what is counted is on the disk. */
static double
commits_so_far(const struct steps *steps)
{
	int fd;
	uint64_t count;

	await_probe(steps->store, "running", 0);
	fd = open(steps->count_file, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, &count, sizeof(count)) != sizeof(count))
		die("cannot read %s: was the counter loaded?",
		    steps->count_file);
	close(fd);
	return (double)count;
}

static void
commits(struct steps *steps, const char *counter, int rounds)
{
	struct samples one = { .count = 0 }, many = { .count = 0 };
	double before;
	int i;

	launch_worker(steps, counter);
	for (i = 0; i < rounds; i++) {
		before = commits_so_far(steps);
		work(steps, 1);
		add(&one, (commits_so_far(steps) - before) / STEPS);
		before = commits_so_far(steps);
		work(steps, MANY);
		add(&many, (commits_so_far(steps) - before) / STEPS / MANY);
	}
	end_worker(steps);
	snprintf(steps->label, sizeof(steps->label),
	    "synced commits a step, one task, %s", steps->name);
	report(&(struct figure){ steps->label, "", 1, 2, &one, NULL, NULL, 2,
	    false });
	snprintf(steps->label, sizeof(steps->label), "  256 tasks, %s",
	    steps->name);
	report(&(struct figure){ steps->label, "", 1, 3, &many, NULL, NULL, 0,
	    false });
}

static void
rates(struct steps *steps, int rounds)
{
	struct samples one = { .count = 0 }, many = { .count = 0 },
		       ratios = { .count = 0 }, cost = { .count = 0 };
	double rate_one, rate_many;
	int i;

	launch_worker(steps, NULL);
	work(steps, 1);
	for (i = 0; i < rounds; i++) {
		rate_one = STEPS / work(steps, 1);
		rate_many = STEPS * MANY / work(steps, MANY);
		add(&one, rate_one);
		add(&many, rate_many);
		add(&ratios, rate_many / rate_one);
	}
	add(&cost, end_worker(steps) / STEPS / (1 + rounds * (1.0 + MANY)));
	snprintf(steps->label, sizeof(steps->label),
	    "steps, 256 tasks over one, %s", steps->name);
	report(&(struct figure){ steps->label, "/s", 1, 0, &many, &one, &ratios,
	    10, true });
	report(&(struct figure){ "  worker's processor time a step", " us", 1e6,
	    0, &cost, NULL, NULL, 0, false });
}

int
main(int argc, char **argv)
{
	static struct steps steps;
	char count_file[512];
	int rounds, i;

	if (argc != 6)
		die("usage: steps TASK FOLDER COUNTER NAME ROUNDS");
	steps.task = read_text(argv[1], &steps.length);
	steps.many = malloc(steps.length * MANY);
	if (!steps.many)
		die("out of memory");
	for (i = 0; i < MANY; i++)
		memcpy(steps.many + (size_t)i * steps.length, steps.task,
		    steps.length);
	snprintf(steps.store, sizeof(steps.store), "%s/steps-store", argv[2]);
	snprintf(count_file, sizeof(count_file), "%s/commits", argv[2]);
	steps.count_file = count_file;
	steps.name = argv[4];
	make_empty(steps.store);
	rounds = (int)strtol(argv[5], NULL, 10);
	commits(&steps, argv[3], 3);
	rates(&steps, rounds);
	free(steps.task);
	free(steps.many);
	return 0;
}
