/* SPDX-License-Identifier: ISC */
/*
 * task_row: the summary of a task that every engine stores and shows besides
 * its journal. Pure.
 */
#ifndef COMMON_AGENT_TASK_ROW_H
#define COMMON_AGENT_TASK_ROW_H

#include "common/agent/agent.h"
#include "common/agent/task.h"
#include "common/base/buf.h"
#include "common/base/id.h"
#include "common/json/json.h"

/* The summary of a task. Strings are at most as long as task.h says; they are
 * in the struct itself so that rows outlive transactions. */
struct task_row {
	struct id id;
	char user[TASK_USER_MAX + 1], queue[TASK_QUEUE_MAX + 1];
	char key[TASK_KEY_MAX + 1]; /* "" for none */
	char reason[448];           /* cut; why it waits or ended */
	char title[81];             /* the goal's first line, cut */
	enum task_state state;
	enum wait_kind wait; /* WAITING: for what; else WAIT_NONE */
	int64_t since;       /* WAITING: since when it does for that */
	char toolkit[TASK_TOOLKIT_MAX + 1]; /* WAITING: of what; "" for none, */
	char call[129], link[512];          /* or when it is longer */
	uint8_t priority;
	int64_t created_at, updated_at;
	int64_t due;      /* QUEUED or WAITING: becomes ready then; 0: QUEUED is
	                    * ready now, WAITING never by itself */
	uint64_t seq;     /* of the last event */
	uint64_t fence;   /* of the last lease */
	struct id worker; /* RUNNING: who has it */
	uint64_t order;   /* the store's: fair-share position while ready */
	int64_t turns, calls, calls_unknown, input_tokens, output_tokens,
	    cache_read_tokens, cache_write_tokens, nano_usd;
	int64_t reserved_nano_usd; /* for a turn under way */
};

/* Copies the first line of TEXT, cut to SIZE with its NUL between characters. */
void
row_cut(char *target, size_t size, const char *text);

/* Fills ROW for a new task, except for its id. */
void
row_begin(struct task_row *row, const struct task *task, int64_t now);

/* Copies the agent's state into the row. */
void
row_follow(struct task_row *row, const struct agent *agent, int64_t now);

/* Says in ROW that the task waits for KIND since SINCE. */
void
row_wait(struct task_row *row, enum wait_kind kind, int64_t since,
    const char *reason);

/* The same from the reason of a WAITING row, where no more was kept. */
void
row_wait_older(struct task_row *row);

/* Adds the members of a task's object that are in a row, without braces. ID and
 * WORKER (may be NULL) are the engine's names; DECISIONS (length 0: not known)
 * is the array of agent_decisions. */
void
row_members(struct buf *buf, const struct task_row *row, const char *id,
    const char *worker, struct span decisions);

/* Adds the members that come from the first and the last event: the task
 * (length 0: none), and from LAST how it ended. */
void
row_ends(struct buf *buf, const struct task_row *row, struct span task,
    struct span last);

#endif
