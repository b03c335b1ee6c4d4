/* SPDX-License-Identifier: ISC */
/*
 * start_request: the request that starts a task's workflow, at once or by a
 * schedule.
 */
#ifndef COMMON_TEMPORAL_START_REQUEST_H
#define COMMON_TEMPORAL_START_REQUEST_H

#include "common/base/id.h"
#include "common/temporal/engine_internal.h"

struct start_request {
	struct submission *submission;
	char id[ID_TEXT], *doc;
	size_t size; /* bytes of the input */
	Api__NewWorkflowExecutionInfo *what;
	Api__Duration *delay; /* or NULL */
	struct temporal_answer answer;
};

/* CRON: of a schedule, or NULL. */
void
start_request_fill(struct start_request *start, struct submission *submission,
    const char *cron);

void
start_request_release(struct start_request *start);

/* Sends it, at once; with our search attributes unless the server lacks them. */
int
start_request_send(struct engine_temporal *own, struct start_request *start,
    struct fail *fail);

/* Starts a new run of the workflow of an ended task, whose HISTORY ends with
 * RUN, and adds the signal NAME with JSON to it, in one step. Fails with FAIL_NO
 * when another client has done so meanwhile; the worker passes over the signal
 * then. */
int
start_request_reopen(struct engine_temporal *own,
    const struct temporal_history *history, const char *id, const char *run,
    const char *name, struct span json, struct fail *fail);

/* Handles a key that was used before: INPUT is the input of that workflow. Sets
 * existing or refused. */
void
start_request_again(struct start_request *start, const Api__Payloads *input);

#endif
