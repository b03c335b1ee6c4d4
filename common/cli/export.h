/* SPDX-License-Identifier: ISC */
/*
 * export: every task of an engine with its whole journal, as lines of JSON.
 */
#ifndef COMMON_CLI_EXPORT_H
#define COMMON_CLI_EXPORT_H

#include "common/agent/engine.h"
#include "common/base/fail.h"
#include "common/json/json.h"

/* Calls LINE for each task, newest first: its object as the engine gives it,
 * with its events as the member "events", and a newline. No lock of the engine
 * is held during LINE. A task that is removed meanwhile is left out. */
int
export_tasks(struct engine *engine,
    void (*line)(void *context, struct span line), void *context,
    struct fail *fail);

#endif
