/* SPDX-License-Identifier: ISC */
/*
 * task_reader: reads a task from its history, all of its runs as one.
 *
 *	reader = task_reader_new(temporal, id);
 *	if (task_reader_read(reader, &fail) == 0 &&
 *	    task_reader_row(reader, &row))
 *		...
 *	task_reader_free(reader);
 */
#ifndef COMMON_TEMPORAL_TASK_READER_H
#define COMMON_TEMPORAL_TASK_READER_H

#include "common/agent/task_row.h"
#include "common/temporal/history_reader.h"

struct task_reader {
	char *id;
	struct temporal_history *history;
	/* Is called for each event of the journal, where it is not NULL. */
	void (*event)(void *context, const struct event *event);
	void *context;

	/* members of the task's object that are not in the agent: texts of
	 * JSON, or NULL */
	char *task, *last;

	bool ended, failed; /* all is read; failed: WHY it is not */
	struct fail why;

	/* its own: */
	struct history_reader pages;
	char *run;    /* the run that is read; NULL or "": the latest */
	char *runs;   /* JSON: the runs before it, oldest first, or NULL */
	int next_run; /* of them: to be tried when this one is gone */
	bool alone;   /* all of them are gone */
	bool ahead;   /* what came is of the latest run: others are first */
	Api__HistoryEvent **held; /* at the end; may still be replaced */
	size_t held_count;
	char *worker;
	int64_t created_at, updated_at;
	enum event_type last_type;
};

struct task_reader *
task_reader_new(struct temporal *temporal, const char *id);

void
task_reader_free(struct task_reader *reader); /* NULL is fine */

/* Asks for the history, which is then read in the loop. */
void
task_reader_begin(struct task_reader *reader);

/* Turns the loop until all is read. FAIL_NO "no_task". */
int
task_reader_finish(struct task_reader *reader, struct fail *fail);

/* Folds the decisions that any worker must make on a signal that no worker has
 * seen yet. Afterwards the reader cannot read on. */
int
task_reader_settle(struct task_reader *reader, struct fail *fail);

/* All three. */
int
task_reader_read(struct task_reader *reader, struct fail *fail);

/* After all has been read: reads on in the loop, what comes from now on, until
 * the task has ended. */
void
task_reader_follow(struct task_reader *reader);

/* False for a task that no worker has checked yet. */
bool
task_reader_row(const struct task_reader *reader, struct task_row *ret_row);

/* Adds the members of the task's object that the row gives. */
void
task_reader_members(const struct task_reader *reader, struct buf *buf);

#endif
