/*
 * row: a task at a glance, as every engine keeps and shows it. Pure.
 */
#ifndef COMMON_ROW_H
#define COMMON_ROW_H

#include "common/agent.h"
#include "common/buf.h"
#include "common/json.h"
#include "common/store.h"
#include "common/task.h"

/* Copies the first line of TEXT, cut to SIZE with its NUL between characters. */
void
row_cut(char *target, size_t size, const char *text);

/* What a task is at first, but for its id. */
void
row_begin(struct task_row *row, const struct task *task, int64_t now);

/* Writes what the agent now is into the row. */
void
row_follow(struct task_row *row, const struct agent *agent, int64_t now);

/* Adds the members of a task's object that a row gives, without braces. ID and
 * WORKER (may be NULL) are the engine's names. */
void
row_members(struct buf *buf, const struct task_row *row, const char *id,
    const char *worker);

/* Adds what the ends of the journal give: the task (length 0: none), and of
 * the LAST event how it ended. */
void
row_ends(struct buf *buf, const struct task_row *row, struct span task,
    struct span last);

/* "call" among the MEMBERS of a signal, or NULL; the caller frees. */
char *
row_call(struct span members);

#endif
