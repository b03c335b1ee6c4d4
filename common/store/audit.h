/* SPDX-License-Identifier: ISC */
/*
 * audit: checks whether a task's row and its journal agree. Pure.
 */
#ifndef COMMON_STORE_AUDIT_H
#define COMMON_STORE_AUDIT_H

#include <stddef.h>

#include "common/base/fail.h"
#include "common/json/json.h"
#include "common/store/store.h"

/* Folds the COUNT events of TEXTS and compares the result with ROW. On -1 the
 * message says what is wrong, as the end of a sentence that begins with the
 * task. */
int
audit_journal(const struct task_row *row, const struct span *texts,
    size_t count, struct fail *fail);

#endif
