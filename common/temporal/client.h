/* SPDX-License-Identifier: ISC */
/*
 * temporal_client: builds and sends the calls of Temporal's client side from
 * plain values. Each sends (temporal_send) into an answer, which temporal_wait
 * waits for or whose then is called; the comment at each call has the reply's
 * type. All arguments are copied.
 */
#ifndef COMMON_TEMPORAL_CLIENT_H
#define COMMON_TEMPORAL_CLIENT_H

#include "common/temporal/api.h"

struct temporal_field { /* of a memo or of search attributes */
	const char *name;
	struct span json;
};

/* For members that are NULL, empty or 0 the server chooses. */
struct temporal_start {
	const char *id, *type, *queue; /* needed */
	struct span input;             /* JSON, the first argument */
	struct span more;              /* the second */
	const struct temporal_field *memo, *attributes;
	size_t memo_count, attribute_count;
	const char *summary;  /* a text for Temporal's web page */
	int priority;         /* 1 high to 5 low */
	const char *fairness; /* its key: the keys share the queue fairly */
	int64_t execution_ms, task_ms; /* time limits */

	/* not for schedules: */
	const char *request_id; /* the same id starts only one run; NULL: a
	                                * new id, for this call only */
	Api__WorkflowIdReusePolicy reuse; /* of an id whose run is closed */
	Api__WorkflowIdConflictPolicy conflict; /* of one whose run is open */
	int64_t delay_ms;
};

/* StartWorkflowExecutionResponse. "already_exists": answer.run_id is set.
 * FAIL_NEVER, type "too_large", for an input over TEMPORAL_BLOB_MAX. */
int
temporal_start(struct temporal *temporal, const struct temporal_start *start,
    struct temporal_answer *answer, struct fail *fail);

/* RUN is NULL for the latest one, in all calls. DescribeWorkflow-
 * ExecutionResponse. */
int
temporal_describe(struct temporal *temporal, const char *id, const char *run,
    struct temporal_answer *answer, struct fail *fail);

/* One page. TOKEN: the last page's, or NULL. */
struct temporal_page {
	const char *id, *run;
	const ProtobufCBinaryData *token;
	int32_t size;    /* 0: the server's */
	bool wait;       /* until there is a new event; about 20 seconds, then
	                    * a page without events but with a token */
	bool close_only; /* only the event that closes the run */
	bool reverse;    /* newest first; neither wait nor close_only */
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

/* JSON: the argument, length 0 for none. Closed: "not_found". "too_large" as
 * for a start. */
int
temporal_signal(struct temporal *temporal, const char *id, const char *run,
    const char *name, struct span json, struct temporal_answer *answer,
    struct fail *fail);

int
temporal_cancel(struct temporal *temporal, const char *id, const char *run,
    const char *reason, struct temporal_answer *answer, struct fail *fail);

int
temporal_terminate(struct temporal *temporal, const char *id, const char *run,
    const char *reason, struct temporal_answer *answer, struct fail *fail);

/* QueryWorkflowResponse; needs a worker. */
int
temporal_query(struct temporal *temporal, const char *id, const char *run,
    const char *type, struct span json, struct temporal_answer *answer,
    struct fail *fail);

struct temporal_schedule {
	const char *id;
	const char *cron;             /* five fields, or such as "@every 1h" */
	const char *zone;             /* "Europe/Berlin"; NULL: UTC */
	struct temporal_start action; /* the time is added to its id */
	Api__ScheduleOverlapPolicy overlap;
	bool paused;
	const char *notes;
};

/* Its memo is the action's. */
int
temporal_schedule_create(struct temporal *temporal,
    const struct temporal_schedule *schedule, struct temporal_answer *answer,
    struct fail *fail);

/* DescribeScheduleResponse. */
int
temporal_schedule_describe(struct temporal *temporal, const char *id,
    struct temporal_answer *answer, struct fail *fail);

enum temporal_patch { TEMPORAL_PAUSE, TEMPORAL_RESUME, TEMPORAL_TRIGGER };

int
temporal_schedule_patch(struct temporal *temporal, const char *id,
    enum temporal_patch what, const char *notes, struct temporal_answer *answer,
    struct fail *fail);

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

/* GetSystemInfoResponse, DescribeNamespaceResponse, HealthCheckResponse. */
int
temporal_system_info(struct temporal *temporal, struct temporal_answer *answer,
    struct fail *fail);

int
temporal_describe_namespace(struct temporal *temporal,
    struct temporal_answer *answer, struct fail *fail);

int
temporal_health(struct temporal *temporal, struct temporal_answer *answer,
    struct fail *fail);

/* Tells the server that a worker ends; the server ends its polls, if it can. */
int
temporal_shutdown_worker(struct temporal *temporal, const char *queue,
    const char *sticky_queue, const char *instance,
    struct temporal_answer *answer, struct fail *fail);

#endif
