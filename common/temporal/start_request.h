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
	char id[ID_TEXT], *doc, *queue;
	struct buf input, pins, memo[6], title;
	struct temporal_field fields[6], attributes[2];
	struct temporal_start start;
	struct temporal_answer answer;
};

/* CRON: of a schedule, or NULL. */
void
start_request_fill(struct start_request *start, struct submission *submission,
    const char *cron, bool attributes);

void
start_request_release(struct start_request *start);

/* Handles a key that was used before: INPUT is the input of that workflow. Sets
 * existing or refused. */
void
start_request_again(struct start_request *start, const Api__Payloads *input);

#endif
