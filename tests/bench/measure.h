/* SPDX-License-Identifier: ISC */
/*
 * measure: what the programs of scripts/bench share: a clock, samples,
 * processes, and the lines of the table. They are measuring tools and no part
 * of the product: what goes wrong ends them with 111.
 */
#ifndef TESTS_BENCH_MEASURE_H
#define TESTS_BENCH_MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Seconds, CLOCK_MONOTONIC. */
double
seconds(void);

void
die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

struct samples {
	double at[512];
	size_t count;
};

void
add(struct samples *samples, double value);

double
median(const struct samples *samples);

/* Starts ARGV, found in PATH, with these descriptors; -1 is /dev/null. */
pid_t
launch(const char *const *argv, int in, int out, int err);

/* Starts ARGV with TEXT on its standard input and waits for its end, which
 * must be 0. Returns the seconds from before the fork. */
double
run(const char *const *argv, const char *text, size_t length);

/* As run, and keeps up to SIZE - 1 bytes of what it prints. */
double
run_and_read(const char *const *argv, const char *text, size_t length,
    char *ret_output, size_t size);

/* Ends the process with SIGKILL and waits for it. */
void
finish(pid_t pid);

/* Reads FD until COUNT further lines have had WORD in them; returns the time
 * of the first of them in *ret_first when that is not NULL. */
void
await_lines(int fd, const char *word, size_t count, double *ret_first);

/* Makes an empty store. */
void
make_empty(const char *store);

/* Waits until agent-scale-probe tells NUMBER for the member NAME. */
void
await_probe(const char *store, const char *name, int number);

/* The file's bytes, with a NUL behind them; the caller frees. */
char *
read_text(const char *path, size_t *ret_length);

/* A listening socket on a free port of 127.0.0.1; URL gets its address. */
int
listen_here(char *ret_url, size_t size);

/* The bytes of the file PATH. */
double
file_bytes(const char *path);

struct figure {
	const char *name, *unit;                /* of measured and floor */
	double scale;                           /* from a sample to the unit */
	int decimals;                           /* of measured and floor */
	const struct samples *measured, *floor; /* floor: NULL for none */
	const struct samples
	    *ratio;    /* judged when there is one, else measured */
	double target; /* in the unit; 0: told and not judged */
	bool at_least; /* the target is the least, not the most */
};

/* Prints the line of a figure. */
void
report(const struct figure *figure);

#endif
