/* SPDX-License-Identifier: ISC */
/*
 * How it works: each call fills the request's struct on the stack, with
 * pointers to its arguments, and sends it.
 */
#include "common/temporal/client.h"

#include <string.h>

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
	request.execution = &both;
	return temporal_call(temporal, &request.base, answer, fail);
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
		reverse.execution = &both;
		reverse.maximum_page_size = page->size;
		if (page->token != NULL)
			reverse.next_page_token = *page->token;
		return temporal_send(temporal, &reverse.base, answer, fail);
	}
	api__get_workflow_execution_history_request__init(&request);
	request.execution = &both;
	request.maximum_page_size = page->size;
	request.wait_new_event = page->wait;
	request.history_event_filter_type = TEMPORAL_ENUM(
	    HISTORY_EVENT_FILTER_TYPE, ALL_EVENT);
	request.skip_archival = true;
	if (page->token != NULL)
		request.next_page_token = *page->token;
	return temporal_send(temporal, &request.base, answer, fail);
}

int
temporal_signal(struct temporal *temporal, const char *id, const char *run,
    const char *name, struct span json, struct temporal_answer *answer,
    struct fail *fail)
{
	Api__WorkflowExecution both = execution(id, run);
	Api__SignalWorkflowExecutionRequest request;
	int result;

	if (temporal_check_size(json.length, "signal", fail) < 0)
		return -1;
	api__signal_workflow_execution_request__init(&request);
	request.workflow_execution = &both;
	request.signal_name = temporal_text(name);
	request.input = heap_payloads(json);
	result = answer->then != NULL
	    ? temporal_send(temporal, &request.base, answer, fail)
	    : temporal_call(temporal, &request.base, answer, fail);
	api__payloads__free_unpacked(request.input, NULL);
	return result;
}

int
temporal_terminate(struct temporal *temporal, const char *id, const char *run,
    const char *reason, struct temporal_answer *answer, struct fail *fail)
{
	Api__WorkflowExecution both = execution(id, run);
	Api__TerminateWorkflowExecutionRequest request;

	api__terminate_workflow_execution_request__init(&request);
	request.workflow_execution = &both;
	request.reason = temporal_text(reason);
	return temporal_call(temporal, &request.base, answer, fail);
}

/* ---- many runs ---- */

int
temporal_list(struct temporal *temporal, const char *query, int32_t size,
    const ProtobufCBinaryData *token, struct temporal_answer *answer,
    struct fail *fail)
{
	Api__ListWorkflowExecutionsRequest request;

	api__list_workflow_executions_request__init(&request);
	request.page_size = size;
	request.query = temporal_text(query);
	if (token != NULL)
		request.next_page_token = *token;
	return temporal_send(temporal, &request.base, answer, fail);
}

int
temporal_count(struct temporal *temporal, const char *query,
    struct temporal_answer *answer, struct fail *fail)
{
	Api__CountWorkflowExecutionsRequest request;

	api__count_workflow_executions_request__init(&request);
	request.query = temporal_text(query);
	return temporal_send(temporal, &request.base, answer, fail);
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
	request.task_queue = &task_queue;
	request.task_queue_type = activities
	    ? TEMPORAL_ENUM(TASK_QUEUE_TYPE, ACTIVITY)
	    : TEMPORAL_ENUM(TASK_QUEUE_TYPE, WORKFLOW);
	request.report_stats = true;
	return temporal_send(temporal, &request.base, answer, fail);
}

int
temporal_describe_namespace(struct temporal *temporal,
    struct temporal_answer *answer, struct fail *fail)
{
	Api__DescribeNamespaceRequest request;

	api__describe_namespace_request__init(&request);
	return temporal_call(temporal, &request.base, answer, fail);
}

int
temporal_shutdown_worker(struct temporal *temporal, const char *queue,
    const char *instance, struct temporal_answer *answer, struct fail *fail)
{
	Api__TaskQueueType types[] = { TEMPORAL_ENUM(TASK_QUEUE_TYPE, WORKFLOW),
		TEMPORAL_ENUM(TASK_QUEUE_TYPE, ACTIVITY) };
	Api__ShutdownWorkerRequest request;

	api__shutdown_worker_request__init(&request);
	request.worker_instance_key = temporal_text(instance);
	request.task_queue = temporal_text(queue);
	request.reason = temporal_text("drained");
	request.n_task_queue_types = 2;
	request.task_queue_types = types;
	return temporal_send(temporal, &request.base, answer, fail);
}

/* ---- schedules ---- */

int
temporal_schedule_describe(struct temporal *temporal, const char *id,
    struct temporal_answer *answer, struct fail *fail)
{
	Api__DescribeScheduleRequest request;

	api__describe_schedule_request__init(&request);
	request.schedule_id = temporal_text(id);
	return temporal_call(temporal, &request.base, answer, fail);
}

int
temporal_schedule_patch(struct temporal *temporal, const char *id,
    const char *what, struct temporal_answer *answer, struct fail *fail)
{
	/* with an empty note the server would not pause */
	char *note = temporal_text("agent-signal");
	Api__TriggerImmediatelyRequest trigger;
	Api__PatchScheduleRequest request;
	Api__SchedulePatch patch;

	api__trigger_immediately_request__init(&trigger);
	api__schedule_patch__init(&patch);
	if (strcmp(what, "pause") == 0)
		patch.pause = note;
	else if (strcmp(what, "resume") == 0)
		patch.unpause = note;
	else
		patch.trigger_immediately = &trigger;
	api__patch_schedule_request__init(&request);
	request.schedule_id = temporal_text(id);
	request.patch = &patch;
	return temporal_call(temporal, &request.base, answer, fail);
}

int
temporal_schedule_delete(struct temporal *temporal, const char *id,
    struct temporal_answer *answer, struct fail *fail)
{
	Api__DeleteScheduleRequest request;

	api__delete_schedule_request__init(&request);
	request.schedule_id = temporal_text(id);
	return temporal_call(temporal, &request.base, answer, fail);
}

int
temporal_schedule_list(struct temporal *temporal, int32_t size,
    const ProtobufCBinaryData *token, struct temporal_answer *answer,
    struct fail *fail)
{
	Api__ListSchedulesRequest request;

	api__list_schedules_request__init(&request);
	request.maximum_page_size = size;
	if (token != NULL)
		request.next_page_token = *token;
	return temporal_call(temporal, &request.base, answer, fail);
}
