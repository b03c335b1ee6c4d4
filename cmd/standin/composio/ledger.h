/* SPDX-License-Identifier: ISC */
/*
 * ledger: every tool call that was executed, one JSON object a line:
 * {"n","tool","user","account","arguments","read_only","times"}. "times" is
 * how often the same call (tool, user, arguments) had been executed by then:
 * more than 1 in a tool that is not read-only is a repeat.
 */
#ifndef CMD_STANDIN_COMPOSIO_LEDGER_H
#define CMD_STANDIN_COMPOSIO_LEDGER_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "common/base/buf.h"
#include "common/base/fail.h"

struct ledger;

/* Goes on where the file PATH ends; NULL: nothing is written. */
int
ledger_open(const char *path, struct ledger **ret_ledger, struct fail *fail);

void
ledger_close(struct ledger *ledger); /* NULL is fine */

/* One write(2) before it returns. Not for two threads at once. */
int
ledger_add(struct ledger *ledger, const char *tool, const char *user,
    const char *account, const cJSON *arguments, bool read_only,
    struct fail *fail);

/* A summary of the ledger at PATH, one line per tool, as text or as JSON.
 * A cut last line is ignored. */
int
ledger_summary(const char *path, bool human, struct buf *buf,
    struct fail *fail);

#endif
