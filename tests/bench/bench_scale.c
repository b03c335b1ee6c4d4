/* SPDX-License-Identifier: ISC */
/*
 * bench scale FOLDER TASKS: whether anything grows with the queue. Three
 * stores stand side by side, an empty one, one of a thousand tasks and one of
 * TASKS, all filled through agent-submit; what is compared is measured in
 * turns.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/measure.h"

#define SMALL 1000
#define USERS 1000
#define PROBES 101
#define SINGLES 61
#define BATCHES 9
#define LINES 500

struct scale {
	char empty[512], small[512], large[512];
};

/* Adds COUNT tasks of USERS users, in turns, by lines on a pipe. Returns the
 * seconds it took. */
static double
fill(const char *store, int count, int users)
{
	const char *const submit[] = { "agent-submit", "--no-preflight",
		"--store", store, NULL };
	static int number;
	int ends[2], status, i;
	double start = seconds();
	FILE *lines;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		die("cannot make a pipe");
	(void)fcntl(ends[0], F_SETPIPE_SZ, 1 << 20);
	pid = launch(submit, ends[0], -1, 2);
	close(ends[0]);
	lines = fdopen(ends[1], "w");
	if (!lines)
		die("cannot write to a pipe");
	for (i = 0; i < count; i++, number++)
		fprintf(lines,
		    "{\"user\":\"user-%d\",\"goal\":\"Write the "
		    "report number %07d and file it where it belongs.\"}\n",
		    number % users, number);
	if (fclose(lines) != 0 || waitpid(pid, &status, 0) < 0 || status != 0)
		die("agent-submit ended with status %d", status);
	return seconds() - start;
}

static double
store_bytes(const char *store)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/data.mdb", store);
	return file_bytes(path);
}

static void
probe(const struct scale *scale)
{
	const char *const empty[] = { "agent-scale-probe", "--store",
		scale->empty, NULL };
	const char *const large[] = { "agent-scale-probe", "--store",
		scale->large, NULL };
	struct samples larges = { .count = 0 }, empties = { .count = 0 },
		       ratios = { .count = 0 };
	double first, second;
	int i;

	for (i = 0; i < PROBES; i++) {
		first = run(empty, "", 0);
		second = run(large, "", 0);
		if (i == 0)
			continue;
		add(&empties, first);
		add(&larges, second);
		add(&ratios, second / first);
	}
	report(&(struct figure){ "agent-scale-probe, full over empty", " ms",
	    1e3, 2, &larges, &empties, &ratios, 1.5, false });
}

static void
submit(const struct scale *scale)
{
	static const char task[] = "{\"user\":\"user-1\",\"goal\":\"Write the "
				   "report and file it where it belongs.\"}";
	const char *const small[] = { "agent-submit", "--no-preflight",
		"--store", scale->small, NULL };
	const char *const large[] = { "agent-submit", "--no-preflight",
		"--store", scale->large, NULL };
	struct samples larges = { .count = 0 }, smalls = { .count = 0 },
		       ratios = { .count = 0 };
	double first, second;
	int i;

	for (i = 0; i < SINGLES; i++) {
		first = run(small, task, sizeof(task) - 1);
		second = run(large, task, sizeof(task) - 1);
		if (i == 0)
			continue;
		add(&smalls, first);
		add(&larges, second);
		add(&ratios, second / first);
	}
	report(&(struct figure){ "agent-submit, full over a thousand", " ms",
	    1e3, 2, &larges, &smalls, &ratios, 1.5, false });
}

static void
submit_lines(const struct scale *scale, int users, const char *name)
{
	struct samples larges = { .count = 0 }, smalls = { .count = 0 },
		       ratios = { .count = 0 };
	double first, second;
	int i;

	for (i = 0; i < BATCHES; i++) {
		first = fill(scale->small, LINES, users) / LINES;
		second = fill(scale->large, LINES, users) / LINES;
		add(&smalls, first);
		add(&larges, second);
		add(&ratios, second / first);
	}
	report(&(struct figure){ name, " us", 1e6, 1, &larges, &smalls, &ratios,
	    1.5, false });
}

int
main(int argc, char **argv)
{
	static struct scale scale;
	const char *check[] = { "agent-store", "check", "--store", scale.large,
		NULL };
	struct samples small = { .count = 0 }, large = { .count = 0 },
		       ratio = { .count = 0 }, filled = { .count = 0 },
		       checked = { .count = 0 };
	double before;
	int tasks;

	if (argc != 3)
		die("usage: scale FOLDER TASKS");
	tasks = (int)strtol(argv[2], NULL, 10);
	snprintf(scale.empty, sizeof(scale.empty), "%s/empty", argv[1]);
	snprintf(scale.small, sizeof(scale.small), "%s/small", argv[1]);
	snprintf(scale.large, sizeof(scale.large), "%s/large", argv[1]);
	make_empty(scale.empty);
	fill(scale.small, SMALL, USERS);
	add(&small,
	    (store_bytes(scale.small) - store_bytes(scale.empty)) / SMALL);
	fill(scale.large, tasks / 2, USERS);
	before = store_bytes(scale.large);
	add(&filled,
	    (tasks - tasks / 2) / fill(scale.large, tasks - tasks / 2, USERS));
	add(&large, (store_bytes(scale.large) - before) / (tasks - tasks / 2));
	add(&ratio, large.at[0] / small.at[0]);
	probe(&scale);
	submit(&scale);
	submit_lines(&scale, 1, "  by lines, a task, all of one user");
	submit_lines(&scale, USERS,
	    "  by lines, a task, of 1000 users in turns");
	report(&(struct figure){ "bytes a task, the last half over the first "
				 "1000",
	    "", 1, 0, &large, &small, &ratio, 1.1, false });
	report(&(struct figure){ "  filling the last half", " tasks/s", 1, 0,
	    &filled, NULL, NULL, 0, false });
	add(&checked, run(check, "", 0));
	report(&(struct figure){ "  agent-store check of all of them", " s", 1,
	    1, &checked, NULL, NULL, 0, false });
	return 0;
}
