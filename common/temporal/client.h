/* SPDX-License-Identifier: ISC */
/*
 * temporal_client: builds and sends the calls of Temporal's client side from
 * plain values. The comment at each call has the reply's type; all
 * arguments are copied. History, list, count, queue and shutdown_worker send
 * (temporal_send), the others wait for the answer, too (temporal_call).
 */
#ifndef COMMON_TEMPORAL_CLIENT_H
#define COMMON_TEMPORAL_CLIENT_H

#include "common/temporal/message.h"

/* RUN is NULL for the latest one, in all calls. DescribeWorkflow-
 * ExecutionResponse. */
int
temporal_describe(struct temporal *temporal, const char *id, const char *run,
    struct temporal_answer *answer, struct fail *fail);

/* One page. TOKEN: the last page's, or NULL. */
struct temporal_page {
	const char *id, *run;
	const ProtobufCBinaryData *token;
	int32_t size; /* 0: the server's */
	bool wait;    /* until there is a new event; about 20 seconds, then
	                    * a page without events but with a token */
	bool reverse; /* newest first; it does not wait */
};

/* GetWorkflowExecutionHistoryResponse or ...ReverseResponse, which are alike. */
int
temporal_history(struct temporal *temporal, const struct temporal_page *page,
    struct temporal_answer *answer, struct fail *fail);

/* QUERY is SQL-like (temporal_quote for the values). What is listed may be a
 * second old. ListWorkflowExecutionsResponse, CountWorkflowExecutionsResponse. */
int
temporal_list(struct temporal *temporal, const char *query, int32_t size,
    const ProtobufCBinaryData *token, struct temporal_answer *answer,
    struct fail *fail);

int
temporal_count(struct temporal *temporal, const char *query,
    struct temporal_answer *answer, struct fail *fail);

/* JSON: the argument. Closed: "not_found". FAIL_NEVER, type "too_large", when it
 * is over TEMPORAL_BLOB_MAX. With answer.then it is only sent. */
int
temporal_signal(struct temporal *temporal, const char *id, const char *run,
    const char *name, struct span json, struct temporal_answer *answer,
    struct fail *fail);

int
temporal_terminate(struct temporal *temporal, const char *id, const char *run,
    const char *reason, struct temporal_answer *answer, struct fail *fail);

/* DescribeScheduleResponse. */
int
temporal_schedule_describe(struct temporal *temporal, const char *id,
    struct temporal_answer *answer, struct fail *fail);

/* WHAT: "pause", "resume", else the schedule is triggered. */
int
temporal_schedule_patch(struct temporal *temporal, const char *id,
    const char *what, struct temporal_answer *answer, struct fail *fail);

int
temporal_schedule_delete(struct temporal *temporal, const char *id,
    struct temporal_answer *answer, struct fail *fail);

/* ListSchedulesResponse; what is listed may be a second old. */
int
temporal_schedule_list(struct temporal *temporal, int32_t size,
    const ProtobufCBinaryData *token, struct temporal_answer *answer,
    struct fail *fail);

/* The backlog of a queue and its pollers: DescribeTaskQueueResponse. */
int
temporal_queue(struct temporal *temporal, const char *queue, bool activities,
    struct temporal_answer *answer, struct fail *fail);

/* DescribeNamespaceResponse. */
int
temporal_describe_namespace(struct temporal *temporal,
    struct temporal_answer *answer, struct fail *fail);

/* Tells the server that a worker ends; the server ends its polls, if it can. */
int
temporal_shutdown_worker(struct temporal *temporal, const char *queue,
    const char *instance, struct temporal_answer *answer, struct fail *fail);

#endif
