/* SPDX-License-Identifier: ISC */
/*
 * query: answers what a client asks of a running workflow.
 */
#ifndef COMMON_TEMPORAL_QUERY_H
#define COMMON_TEMPORAL_QUERY_H

#include "common/temporal/history.h"

/* The words for a query of another type. */
extern const char query_unknown[];

/* The JSON text of the answer; NULL when there is no such query. The caller
 * frees. */
char *
query_answer(const struct temporal_history *history, const char *type);

/* Answers to the queries that came with the task. */
void
query_add_results(const Api__PollWorkflowTaskQueueResponse *task,
    const struct temporal_history *history,
    Api__RespondWorkflowTaskCompletedRequest *request);

void
query_free_results(Api__RespondWorkflowTaskCompletedRequest *request);

#endif
