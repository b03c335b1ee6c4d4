/* SPDX-License-Identifier: ISC */
/*
 * check: what the parts of store_verify share. For them only. Those that return
 * int return -1 when the store cannot be read; a fault in it is none of theirs.
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
	void *tallies;                   /* a tree of struct tally (tsearch) */
	int64_t sums[STORE_SUMS];        /* of the tasks that are there */
	bool summed;                     /* the counter of the sums was seen */
	bool counted;                    /* it has sums, and reasons to wait */
	const struct index_table *index; /* current one (check_index.c) */
	struct span *texts;              /* the journal of the current task */
	size_t text_count;
};

/* One more fault: the sentence goes to whoever asked. */
void
check_fault(struct check *check, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* ROW for each row of the table. */
int
check_each(struct check *check, enum table table,
    int (
	*row)(struct check *check, const struct db_row *row, struct fail *fail),
    struct fail *fail);

/* From every row of the indexes back to the task that it must belong to. */
int
check_indexes(struct check *check, struct fail *fail);

/* From a task to its rows in the indexes. */
int
check_indexed(struct check *check, const struct task_row *task,
    struct fail *fail);

/* Counts a task. */
void
check_count(struct check *check, const struct task_row *task);

/* Compares the counters with what was counted, when all tasks are. */
int
check_counters(struct check *check, struct fail *fail);

void
check_release(struct check *check);

#endif
