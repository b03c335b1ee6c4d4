/* SPDX-License-Identifier: ISC */
/*
 * How it works: each call fills the request's struct on the stack, with
 * pointers to its arguments, and sends it.
 *
 * A request that a repetition could do twice has a request id, which the server
 * remembers.
 */
#include "common/temporal/client.h"

#include "common/base/id.h"

/* ---- one run ---- */

static Api__WorkflowExecution
execution(const char *id, const char *run)
{
	Api__WorkflowExecution both;

	api__workflow_execution__init(&both);
	both.workflow_id = temporal_text(id);
	both.run_id = temporal_text(run);
	return both;
}

int
temporal_describe(struct temporal *temporal, const char *id, const char *run,
    struct temporal_answer *answer, struct fail *fail)
{
	Api__WorkflowExecution both = execution(id, run);
	Api__DescribeWorkflowExecutionRequest request;

	api__describe_workflow_execution_request__init(&request);
	request.namespace_ = temporal_namespace(temporal);
	request.execution = &both;
	return temporal_send(temporal, TEMPORAL_DESCRIBE, &request.base, answer,
	    fail);
}

int
temporal_history(struct temporal *temporal, const struct temporal_page *page,
    struct temporal_answer *answer, struct fail *fail)
{
	Api__WorkflowExecution both = execution(page->id, page->run);
	Api__GetWorkflowExecutionHistoryReverseRequest reverse;
	Api__GetWorkflowExecutionHistoryRequest request;

	if (page->reverse) {
		api__get_workflow_execution_history_reverse_request__init(
		    &reverse);
		reverse.namespace_ = temporal_namespace(temporal);
		reverse.execution = &both;
		reverse.maximum_page_size = page->size;
		if (page->token != NULL)
			reverse.next_page_token = *page->token;
		return temporal_send(temporal, TEMPORAL_HISTORY_REVERSE,
		    &reverse.base, answer, fail);
	}
	api__get_workflow_execution_history_request__init(&request);
	request.namespace_ = temporal_namespace(temporal);
	request.execution = &both;
	request.maximum_page_size = page->size;
	request.wait_new_event = page->wait;
	request.history_event_filter_type = page->close_only
	    ? TEMPORAL_ENUM(HISTORY_EVENT_FILTER_TYPE, CLOSE_EVENT)
	    : TEMPORAL_ENUM(HISTORY_EVENT_FILTER_TYPE, ALL_EVENT);
	request.skip_archival = true;
	if (page->token != NULL)
		request.next_page_token = *page->token;
	return temporal_send(temporal,
	    page->wait ? TEMPORAL_HISTORY_WAIT : TEMPORAL_HISTORY,
	    &request.base, answer, fail);
}

int
temporal_signal(struct temporal *temporal, const char *id, const char *run,
    const char *name, struct span json, struct temporal_answer *answer,
    struct fail *fail)
{
	Api__WorkflowExecution both = execution(id, run);
	Api__SignalWorkflowExecutionRequest request;
	struct temporal_payload room;
	char request_id[ID_TEXT];

	if (temporal_check_size(json, "signal", fail) < 0)
		return -1;
	id_new_text(request_id);
	api__signal_workflow_execution_request__init(&request);
	request.namespace_ = temporal_namespace(temporal);
	request.identity = temporal_identity(temporal);
	request.workflow_execution = &both;
	request.signal_name = temporal_text(name);
	request.request_id = request_id;
	request.input = json.length > 0 ? temporal_json(&room, json) : NULL;
	return temporal_send(temporal, TEMPORAL_SIGNAL, &request.base, answer,
	    fail);
}

int
temporal_cancel(struct temporal *temporal, const char *id, const char *run,
    const char *reason, struct temporal_answer *answer, struct fail *fail)
{
	Api__WorkflowExecution both = execution(id, run);
	Api__RequestCancelWorkflowExecutionRequest request;
	char request_id[ID_TEXT];

	id_new_text(request_id);
	api__request_cancel_workflow_execution_request__init(&request);
	request.namespace_ = temporal_namespace(temporal);
	request.identity = temporal_identity(temporal);
	request.workflow_execution = &both;
	request.request_id = request_id;
	request.reason = temporal_text(reason);
	return temporal_send(temporal, TEMPORAL_CANCEL, &request.base, answer,
	    fail);
}

int
temporal_terminate(struct temporal *temporal, const char *id, const char *run,
    const char *reason, struct temporal_answer *answer, struct fail *fail)
{
	Api__WorkflowExecution both = execution(id, run);
	Api__TerminateWorkflowExecutionRequest request;

	api__terminate_workflow_execution_request__init(&request);
	request.namespace_ = temporal_namespace(temporal);
	request.identity = temporal_identity(temporal);
	request.workflow_execution = &both;
	request.reason = temporal_text(reason);
	return temporal_send(temporal, TEMPORAL_TERMINATE, &request.base,
	    answer, fail);
}

int
temporal_query(struct temporal *temporal, const char *id, const char *run,
    const char *type, struct span json, struct temporal_answer *answer,
    struct fail *fail)
{
	Api__WorkflowExecution both = execution(id, run);
	Api__QueryWorkflowRequest request;
	struct temporal_payload room;
	Api__WorkflowQuery query;

	if (temporal_check_size(json, "query", fail) < 0)
		return -1;
	api__workflow_query__init(&query);
	query.query_type = temporal_text(type);
	query.query_args = json.length > 0 ? temporal_json(&room, json) : NULL;
	api__query_workflow_request__init(&request);
	request.namespace_ = temporal_namespace(temporal);
	request.execution = &both;
	request.query = &query;
	return temporal_send(temporal, TEMPORAL_QUERY, &request.base, answer,
	    fail);
}

/* ---- many runs ---- */

int
temporal_list(struct temporal *temporal, const char *query, int32_t size,
    const ProtobufCBinaryData *token, struct temporal_answer *answer,
    struct fail *fail)
{
	Api__ListWorkflowExecutionsRequest request;

	api__list_workflow_executions_request__init(&request);
	request.namespace_ = temporal_namespace(temporal);
	request.page_size = size;
	request.query = temporal_text(query);
	if (token != NULL)
		request.next_page_token = *token;
	return temporal_send(temporal, TEMPORAL_LIST, &request.base, answer,
	    fail);
}

int
temporal_count(struct temporal *temporal, const char *query,
    struct temporal_answer *answer, struct fail *fail)
{
	Api__CountWorkflowExecutionsRequest request;

	api__count_workflow_executions_request__init(&request);
	request.namespace_ = temporal_namespace(temporal);
	request.query = temporal_text(query);
	return temporal_send(temporal, TEMPORAL_COUNT, &request.base, answer,
	    fail);
}

/* ---- the server ---- */

int
temporal_queue(struct temporal *temporal, const char *queue, bool activities,
    struct temporal_answer *answer, struct fail *fail)
{
	Api__DescribeTaskQueueRequest request;
	Api__TaskQueue task_queue;

	api__task_queue__init(&task_queue);
	task_queue.name = temporal_text(queue);
	task_queue.kind = TEMPORAL_ENUM(TASK_QUEUE_KIND, NORMAL);
	api__describe_task_queue_request__init(&request);
	request.namespace_ = temporal_namespace(temporal);
	request.task_queue = &task_queue;
	request.task_queue_type = activities
	    ? TEMPORAL_ENUM(TASK_QUEUE_TYPE, ACTIVITY)
	    : TEMPORAL_ENUM(TASK_QUEUE_TYPE, WORKFLOW);
	request.report_stats = true;
	return temporal_send(temporal, TEMPORAL_QUEUE, &request.base, answer,
	    fail);
}

int
temporal_system_info(struct temporal *temporal, struct temporal_answer *answer,
    struct fail *fail)
{
	Api__GetSystemInfoRequest request;

	api__get_system_info_request__init(&request);
	return temporal_send(temporal, TEMPORAL_SYSTEM_INFO, &request.base,
	    answer, fail);
}

int
temporal_describe_namespace(struct temporal *temporal,
    struct temporal_answer *answer, struct fail *fail)
{
	Api__DescribeNamespaceRequest request;

	api__describe_namespace_request__init(&request);
	request.namespace_ = temporal_namespace(temporal);
	return temporal_send(temporal, TEMPORAL_NAMESPACE, &request.base,
	    answer, fail);
}

int
temporal_health(struct temporal *temporal, struct temporal_answer *answer,
    struct fail *fail)
{
	Api__HealthCheckRequest request;

	api__health_check_request__init(&request);
	request.service = temporal_text(
	    "temporal.api.workflowservice.v1.WorkflowService");
	return temporal_send(temporal, TEMPORAL_HEALTH, &request.base, answer,
	    fail);
}

int
temporal_shutdown_worker(struct temporal *temporal, const char *queue,
    const char *sticky_queue, const char *instance,
    struct temporal_answer *answer, struct fail *fail)
{
	Api__TaskQueueType types[] = { TEMPORAL_ENUM(TASK_QUEUE_TYPE, WORKFLOW),
		TEMPORAL_ENUM(TASK_QUEUE_TYPE, ACTIVITY) };
	Api__ShutdownWorkerRequest request;

	api__shutdown_worker_request__init(&request);
	request.namespace_ = temporal_namespace(temporal);
	request.identity = temporal_identity(temporal);
	request.sticky_task_queue = temporal_text(sticky_queue);
	request.worker_instance_key = temporal_text(instance);
	request.task_queue = temporal_text(queue);
	request.reason = temporal_text("drained");
	request.n_task_queue_types = 2;
	request.task_queue_types = types;
	return temporal_send(temporal, TEMPORAL_SHUTDOWN_WORKER, &request.base,
	    answer, fail);
}
