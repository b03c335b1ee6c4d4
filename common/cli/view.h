/* SPDX-License-Identifier: ISC */
/*
 * view: tasks and events as text for a person at a terminal. Pure. Control
 * characters in the text of users and models become visible, because they
 * could move the cursor and falsify the output.
 */
#ifndef COMMON_CLI_VIEW_H
#define COMMON_CLI_VIEW_H

#include <cjson/cJSON.h>
#include <stdint.h>

#include "common/base/buf.h"

/* The header of a list of tasks, and one line of it: TASK is a task's object
 * as agent-status(1) describes it, NOW wall milliseconds. */
void
view_header(struct buf *buf);

void
view_row(struct buf *buf, const cJSON *task, int64_t now);

/* One task with all its details, on several lines. */
void
view_card(struct buf *buf, const cJSON *task, int64_t now);

/* One event of a journal, one line. */
void
view_event(struct buf *buf, const cJSON *event, int64_t now);

#endif
