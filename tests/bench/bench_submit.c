/* SPDX-License-Identifier: ISC */
/*
 * bench submit TASK STORE FLOOR: agent-submit against the cost of a process
 * that does nothing and of a commit of the same bytes, and lines on its
 * standard input against a process each.
 *
 * The floor's commit writes what a task is in the store, its journal and its
 * row, into one table of an LMDB environment of its own that stays open.
 */
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/bench/measure.h"

#define ROUNDS 201
#define RATE_ROUNDS 7
#define SINGLES 25
#define LINES 4000
#define ROW 120 /* bytes of a task's row, about */

struct floor {
	MDB_env *env;
	MDB_dbi table;
	unsigned long number;
};

static void
floor_open(struct floor *floor, const char *folder)
{
	MDB_txn *txn;

	if (mkdir(folder, 0700) < 0 || mdb_env_create(&floor->env) ||
	    mdb_env_set_mapsize(floor->env, 1u << 28) ||
	    mdb_env_open(floor->env, folder, 0, 0600) ||
	    mdb_txn_begin(floor->env, NULL, 0, &txn) ||
	    mdb_dbi_open(txn, NULL, 0, &floor->table) || mdb_txn_commit(txn))
		die("cannot open the floor's LMDB in %s", folder);
}

static double
floor_commit(struct floor *floor, char *text, size_t length)
{
	char name[32], row[ROW] = "";
	MDB_val key, value;
	double start;
	MDB_txn *txn;

	start = seconds();
	if (mdb_txn_begin(floor->env, NULL, 0, &txn))
		die("cannot begin the floor's transaction");
	key.mv_data = name;
	key.mv_size = (size_t)snprintf(name, sizeof(name), "%020lu",
	    floor->number++);
	value.mv_data = text;
	value.mv_size = length;
	if (mdb_put(txn, floor->table, &key, &value, 0))
		die("cannot write the floor's row");
	name[0] = 't';
	value.mv_data = row;
	value.mv_size = sizeof(row);
	if (mdb_put(txn, floor->table, &key, &value, 0) || mdb_txn_commit(txn))
		die("cannot commit to the floor");
	return seconds() - start;
}

static void
single(const char *const *submit, char *task, size_t length,
    struct floor *floor)
{
	static const char *const nothing[] = { "/bin/true", NULL };
	struct samples submits = { .count = 0 }, floors = { .count = 0 },
		       ratios = { .count = 0 }, trues = { .count = 0 },
		       commits = { .count = 0 };
	double one, process, commit;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		process = run(nothing, "", 0);
		commit = floor_commit(floor, task, length);
		one = run(submit, task, length);
		if (i == 0)
			continue; /* makes the store */
		add(&submits, one);
		add(&trues, process);
		add(&commits, commit);
		add(&floors, process + commit);
		add(&ratios, one / (process + commit));
	}
	report(&(struct figure){ "a process that does nothing", " ms", 1e3, 2,
	    &trues, NULL, NULL, 0, false });
	report(&(struct figure){ "a synced commit of the task's bytes", " ms",
	    1e3, 2, &commits, NULL, NULL, 0, false });
	report(&(struct figure){ "agent-submit, a process each", " ms", 1e3, 2,
	    &submits, &floors, &ratios, 3, false });
}

static void
rate(const char *const *submit, const char *task, size_t length)
{
	struct samples lines = { .count = 0 }, singles = { .count = 0 },
		       ratios = { .count = 0 };
	char *many = malloc(length * LINES);
	double rate_single, rate_lines, time;
	int i, j;

	if (!many)
		die("out of memory");
	for (i = 0; i < LINES; i++)
		memcpy(many + (size_t)i * length, task, length);
	for (i = 0; i < RATE_ROUNDS; i++) {
		for (time = 0, j = 0; j < SINGLES; j++)
			time += run(submit, task, length);
		rate_single = SINGLES / time;
		rate_lines = LINES / run(submit, many, length * LINES);
		add(&singles, rate_single);
		add(&lines, rate_lines);
		add(&ratios, rate_lines / rate_single);
	}
	free(many);
	report(&(struct figure){ "agent-submit, lines, over a process each",
	    "/s", 1, 0, &lines, &singles, &ratios, 20, true });
}

int
main(int argc, char **argv)
{
	struct floor floor = { .number = 0 };
	const char *submit[] = { "agent-submit", "--store", NULL, NULL };
	size_t length;
	char *task;

	if (argc != 4)
		die("usage: submit TASK STORE FLOOR");
	task = read_text(argv[1], &length);
	submit[2] = argv[2];
	floor_open(&floor, argv[3]);
	single(submit, task, length, &floor);
	rate(submit, task, length);
	mdb_env_close(floor.env);
	free(task);
	return 0;
}
