/* SPDX-License-Identifier: ISC */
/*
 * intake: tasks as they come in: one document of JSON or YAML, or lines of
 * JSON, each an object. Which of them it is shows in the first line.
 *
 *	intake_open("-", &intake, &fail);
 *	while ((got = intake_next(intake, true, &value, &text, &fail)) !=
 *	    INTAKE_END)
 *		...
 *
 * Lines are given as soon as they are complete, and the end of the input is
 * never waited for while there is one. A task as a person writes it has the
 * limits json_limits_task; one that went through agent-preflight carries the
 * schemas of its tools and may have INTAKE_MAX bytes.
 */
#ifndef COMMON_CLI_TASK_INPUT_H
#define COMMON_CLI_TASK_INPUT_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "common/base/fail.h"
#include "common/json/json.h"

#define INTAKE_MAX (32u << 20) /* bytes of one line or document */

struct intake;

enum intake_result {
	INTAKE_FAILED = -1, /* cannot be read: fail says why */
	INTAKE_END,         /* nothing more; nothing at all is INTAKE_FAULT */
	INTAKE_VALUE,
	INTAKE_FAULT, /* this one is broken, fail says how; go on */
	INTAKE_NONE,  /* none complete yet, and WAIT is false */
};

/* The file PATH, or standard input for "-". */
int
intake_open(const char *path, struct intake **ret_intake, struct fail *fail);

void
intake_close(struct intake *intake); /* NULL is fine */

/* *ret_value is the caller's to free. *ret_text is the same as JSON text, for
 * lines and JSON documents the very bytes that came; borrowed until the next
 * call. */
enum intake_result
intake_next(struct intake *intake, bool wait, cJSON **ret_value,
    struct span *ret_text, struct fail *fail);

/* The number of the line that was given last, or 0 for a document. */
unsigned long long
intake_line(const struct intake *intake);

/* What agent-preflight pinned in a task's TEXT, byte for byte (the model's
 * prompt cache is bound to these bytes): the members of the event "pinned",
 * for the caller to free, with REQUEST (or NULL) as one more, "request_id".
 * FAIL_NEVER, type "not_checked", when there are none. */
int
intake_pins(struct span text, const char *request, char **ret_pins,
    struct fail *fail);

#endif
