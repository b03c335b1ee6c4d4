/* SPDX-License-Identifier: ISC */
/*
 * task_input: reads tasks from the input: one document of JSON or YAML, or
 * lines of JSON, each an object. The first line shows which of them it is.
 *
 *	task_input_open("-", &input, &fail);
 *	while ((got = task_input_next(input, true, &value, &text, &fail)) !=
 *	    INTAKE_END)
 *		...
 *
 * A line is returned as soon as it is complete, without waiting for the end of
 * the input. A task as a person writes it has the limits json_limits_task; one
 * that agent-preflight has passed has the schemas of its tools and may have
 * INTAKE_MAX bytes.
 */
#ifndef COMMON_CLI_TASK_INPUT_H
#define COMMON_CLI_TASK_INPUT_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "common/base/fail.h"
#include "common/json/json.h"

#define INTAKE_MAX (32u << 20) /* bytes of one line or document */

struct task_input;

enum task_input_result {
	INTAKE_FAILED = -1, /* cannot be read: fail says why */
	INTAKE_END,         /* nothing more; nothing at all is INTAKE_FAULT */
	INTAKE_VALUE,
	INTAKE_FAULT, /* this one is not valid, fail says why; go on */
	INTAKE_NONE,  /* none is complete yet, and WAIT is false */
};

/* The file PATH, or standard input for "-". */
int
task_input_open(const char *path, struct task_input **ret_intake,
    struct fail *fail);

void
task_input_close(struct task_input *input); /* NULL is fine */

/* The caller frees *ret_value. *ret_text is the same as JSON text, for lines
 * and JSON documents exactly the bytes that came; borrowed until the next
 * call. */
enum task_input_result
task_input_next(struct task_input *input, bool wait, cJSON **ret_value,
    struct span *ret_text, struct fail *fail);

/* The number of the line that was given last, or 0 for a document. */
unsigned long long
task_input_line(const struct task_input *input);

/* The pins that agent-preflight put into a task's TEXT, byte for byte (the
 * model's prompt cache is bound to these bytes): the members of the event
 * "pinned", and "request_id" if REQUEST is not NULL. The caller frees them.
 * FAIL_NEVER, type "not_checked", when there are none. */
int
task_input_pins(struct span text, const char *request, char **ret_pins,
    struct fail *fail);

#endif
