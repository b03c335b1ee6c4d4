/* SPDX-License-Identifier: ISC */
/*
 * pack: the values of the tables (table.h), packed and unpacked. What cannot be
 * unpacked is FAIL_NEVER, type "store_damaged". For the store only. Pure.
 */
#ifndef COMMON_STORE_PACK_H
#define COMMON_STORE_PACK_H

#include <stdint.h>

#include "common/agent/task_row.h"
#include "common/base/fail.h"
#include "common/json/json.h"

#define FORMAT 1     /* the first byte of every value but rows */
#define ROW_FORMAT 3 /* and of a row; those of 1 and 2 are read, too */

int
fail_damaged(struct fail *fail, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Big-endian, as numbers in keys are. */
void
put64(uint8_t *at, uint64_t number);

uint64_t
get64(const void *at);

#define ROW_MAX 2048 /* bytes of a packed row */

size_t
pack_row(const struct task_row *row, uint8_t bytes[ROW_MAX]);

int
unpack_row(struct span value, const struct id *id, struct task_row *ret_row,
    struct fail *fail);

struct worker_row {
	char boot[37], host[65];
	int64_t until; /* boot time; a worker that is silent longer hangs */
	int64_t pid;
};

#define WORKER_MAX 160

size_t
pack_worker(const struct worker_row *worker, uint8_t bytes[WORKER_MAX]);

int
unpack_worker(struct span value, struct worker_row *ret_worker,
    struct fail *fail);

struct counts {
	int64_t state[TASK_STATES];
	int64_t ready; /* the rows in the tables ready and parked */
};

#define COUNTS_SIZE (1 + 8 * (TASK_STATES + 1))

void
pack_counts(const struct counts *counts, uint8_t bytes[COUNTS_SIZE]);

int
unpack_counts(struct span value, struct counts *ret_counts, struct fail *fail);

/* A number behind a version byte. */
int
unpack_number(struct span value, uint64_t *ret_number, struct fail *fail);

#endif
