/* SPDX-License-Identifier: ISC */
/*
 * check: shared by the parts of store_verify. For them only. Functions that
 * return int return -1 when the store cannot be read; a fault is not a failure.
 */
#ifndef COMMON_STORE_CHECK_H
#define COMMON_STORE_CHECK_H

#include "common/store/numbers.h"
#include "common/store/table.h"

struct check {
	struct store *store;
	int (*events)(void *context, const struct task_row *row,
	    const struct span *texts, size_t count, struct fail *fail);
	void (*fault)(void *context, const char *sentence);
	void *context;
	int faults;
	char name[ID_TEXT];       /* for a sentence */
	void *tallies;            /* a tree of struct tally (tsearch) */
	int64_t sums[STORE_SUMS]; /* of the tasks that are there */
	bool summed;              /* the counter of the sums was seen */
	bool counted;             /* it has sums */
	bool waits_counted;       /* and the kinds that tasks wait for */
	enum table table;         /* the current one of check_each */
	struct span *texts;       /* the journal of the current task */
	size_t text_count;
};

/* Counts a fault and passes its sentence to the caller of store_verify. */
void
check_fault(struct check *check, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Calls ROW for each row of the table. */
int
check_each(struct check *check, enum table table,
    int (*row)(struct check *check, const struct table_row *row,
	struct fail *fail),
    struct fail *fail);

/* Counts a task. */
void
check_count(struct check *check, const struct task_row *task);

/* Compares the counters with the counts, after all tasks are counted. */
int
check_counters(struct check *check, struct fail *fail);

void
check_release(struct check *check);

#endif
