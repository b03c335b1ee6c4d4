/* SPDX-License-Identifier: ISC */
/*
 * view: tasks and events as a person at a terminal reads them. Pure. Control
 * characters in what users and models wrote are not passed on: they could
 * move the cursor and show what is not so.
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

/* One task with all that is known of it, some lines. */
void
view_card(struct buf *buf, const cJSON *task, int64_t now);

/* One event of a journal, one line. */
void
view_event(struct buf *buf, const cJSON *event, int64_t now);

#endif
