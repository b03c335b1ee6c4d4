/* SPDX-License-Identifier: ISC */
/*
 * How it works: each call fills the request's struct on the stack, with
 * pointers to its arguments, and sends it.
 *
 * A request that a repetition could do twice has a request id, which the server
 * remembers.
 */
#include "common/temporal/client.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/id.h"
#include "common/base/mem.h"
#include "common/base/utf8.h"

#define FAIRNESS_MAX 64 /* bytes that the server takes */

static int
check_size(struct span json, const char *what, struct fail *fail)
{
	if (json.length <= TEMPORAL_BLOB_MAX)
		return 0;
	return fail_set(fail, FAIL_NEVER, "too_large",
	    "the %s has %zu bytes, and Temporal takes %zu", what, json.length,
	    TEMPORAL_BLOB_MAX);
}

static struct span
quoted(struct buf *buf, const char *string)
{
	json_quote(buf, string, strlen(string));
	return (struct span){ buf->data, buf->length };
}

/* ---- start ---- */

/* Everything that a start needs to point to. */
struct start_parts {
	Api__WorkflowType type;
	Api__TaskQueue queue;
	struct temporal_payload input, more, summary;
	Api__Payload *arguments[2];
	char fairness[FAIRNESS_MAX + 1];
	Api__Duration execution, task, delay;
	Api__Priority priority;
	Api__UserMetadata metadata;
	Api__Memo memo;
	Api__SearchAttributes attributes;
	struct temporal_payload *payloads; /* of memo and attributes */
	Api__Memo__FieldsEntry *memo_entries, **memo_list;
	Api__SearchAttributes__IndexedFieldsEntry *entries, **list;
	struct buf words;
};

static void
add_memo(struct start_parts *parts, const struct temporal_start *start)
{
	size_t i, count = start->memo_count;

	api__memo__init(&parts->memo);
	parts->memo_entries = mem_alloc(
	    count * sizeof(*parts->memo_entries) + 1);
	parts->memo_list = mem_alloc(count * sizeof(*parts->memo_list) + 1);
	for (i = 0; i < count; i++) {
		api__memo__fields_entry__init(&parts->memo_entries[i]);
		parts->memo_entries[i].key = temporal_text(start->memo[i].name);
		temporal_json(&parts->payloads[i], start->memo[i].json);
		parts->memo_entries[i].value = &parts->payloads[i].payload;
		parts->memo_list[i] = &parts->memo_entries[i];
	}
	parts->memo.n_fields = count;
	parts->memo.fields = parts->memo_list;
}

static void
add_attributes(struct start_parts *parts, const struct temporal_start *start)
{
	struct temporal_payload *room = parts->payloads + start->memo_count;
	size_t i, count = start->attribute_count;

	api__search_attributes__init(&parts->attributes);
	parts->entries = mem_alloc(count * sizeof(*parts->entries) + 1);
	parts->list = mem_alloc(count * sizeof(*parts->list) + 1);
	for (i = 0; i < count; i++) {
		api__search_attributes__indexed_fields_entry__init(
		    &parts->entries[i]);
		parts->entries[i].key = temporal_text(
		    start->attributes[i].name);
		temporal_json(&room[i], start->attributes[i].json);
		parts->entries[i].value = &room[i].payload;
		parts->list[i] = &parts->entries[i];
	}
	parts->attributes.n_indexed_fields = count;
	parts->attributes.indexed_fields = parts->list;
}

/* At most this many bytes, only whole characters. */
static void
cut(char target[FAIRNESS_MAX + 1], const char *string)
{
	size_t length = utf8_cut(string, strlen(string), FAIRNESS_MAX);

	memcpy(target, string, length);
	target[length] = '\0';
}

static void
parts_fill(struct start_parts *parts, const struct temporal_start *start)
{
	*parts = (struct start_parts){ .words = BUF_INIT(64u << 10) };
	api__workflow_type__init(&parts->type);
	parts->type.name = temporal_text(start->type);
	api__task_queue__init(&parts->queue);
	parts->queue.name = temporal_text(start->queue);
	parts->execution = temporal_duration(start->execution_ms);
	parts->task = temporal_duration(start->task_ms);
	parts->delay = temporal_duration(start->delay_ms);
	api__priority__init(&parts->priority);
	parts->priority.priority_key = start->priority;
	temporal_json(&parts->input, start->input);
	temporal_json(&parts->more, start->more);
	parts->arguments[0] = &parts->input.payload;
	parts->arguments[1] = &parts->more.payload;
	parts->input.payloads.payloads = parts->arguments;
	parts->input.payloads.n_payloads = start->more.length > 0 ? 2 : 1;
	if (start->fairness != NULL) {
		cut(parts->fairness, start->fairness);
		parts->priority.fairness_key = parts->fairness;
	}
	api__user_metadata__init(&parts->metadata);
	if (start->summary != NULL) {
		temporal_json(&parts->summary,
		    quoted(&parts->words, start->summary));
		parts->metadata.summary = &parts->summary.payload;
	}
	parts->payloads = mem_alloc(
	    (start->memo_count + start->attribute_count) *
		sizeof(*parts->payloads) +
	    1);
	add_memo(parts, start);
	add_attributes(parts, start);
}

static void
parts_release(struct start_parts *parts)
{
	free(parts->payloads);
	free(parts->memo_entries);
	free(parts->memo_list);
	free(parts->entries);
	free(parts->list);
	buf_release(&parts->words);
}

static int
check_start(const struct temporal_start *start, struct fail *fail)
{
	size_t i, memo = 0;

	for (i = 0; i < start->memo_count; i++)
		memo += start->memo[i].json.length;
	if (check_size((struct span){ NULL,
			   start->input.length + start->more.length },
		"input", fail) < 0)
		return -1;
	return check_size((struct span){ NULL, memo }, "memo", fail);
}

int
temporal_start(struct temporal *temporal, const struct temporal_start *start,
    struct temporal_answer *answer, struct fail *fail)
{
	Api__StartWorkflowExecutionRequest request;
	struct start_parts parts;
	char request_id[ID_TEXT];
	struct id id = id_new();
	int result;

	if (check_start(start, fail) < 0)
		return -1;
	parts_fill(&parts, start);
	id_format(&id, request_id);
	api__start_workflow_execution_request__init(&request);
	request.namespace_ = temporal_namespace(temporal);
	request.identity = temporal_identity(temporal);
	request.workflow_id = temporal_text(start->id);
	request.workflow_type = &parts.type;
	request.task_queue = &parts.queue;
	request.input = start->input.length > 0 ? &parts.input.payloads : NULL;
	request.workflow_execution_timeout = start->execution_ms > 0
	    ? &parts.execution
	    : NULL;
	request.workflow_task_timeout = start->task_ms > 0 ? &parts.task : NULL;
	request.workflow_start_delay = start->delay_ms > 0 ? &parts.delay
							   : NULL;
	request.request_id = start->request_id != NULL
	    ? temporal_text(start->request_id)
	    : request_id;
	request.workflow_id_reuse_policy = start->reuse;
	request.workflow_id_conflict_policy = start->conflict;
	request.memo = start->memo_count > 0 ? &parts.memo : NULL;
	request.search_attributes = start->attribute_count > 0
	    ? &parts.attributes
	    : NULL;
	request.user_metadata = start->summary != NULL ? &parts.metadata : NULL;
	request.priority = start->priority > 0 ? &parts.priority : NULL;
	result = temporal_send(temporal, TEMPORAL_START, &request.base, answer,
	    fail);
	parts_release(&parts);
	return result;
}

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
	struct id fresh = id_new();

	if (check_size(json, "signal", fail) < 0)
		return -1;
	id_format(&fresh, request_id);
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
	struct id fresh = id_new();

	id_format(&fresh, request_id);
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

	if (check_size(json, "query", fail) < 0)
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

/* ---- schedules ---- */

static Api__NewWorkflowExecutionInfo
schedule_action(const struct temporal_start *start, struct start_parts *parts)
{
	Api__NewWorkflowExecutionInfo info;

	api__new_workflow_execution_info__init(&info);
	info.workflow_id = temporal_text(start->id);
	info.workflow_type = &parts->type;
	info.task_queue = &parts->queue;
	info.input = start->input.length > 0 ? &parts->input.payloads : NULL;
	info.workflow_execution_timeout = start->execution_ms > 0
	    ? &parts->execution
	    : NULL;
	info.workflow_task_timeout = start->task_ms > 0 ? &parts->task : NULL;
	info.memo = start->memo_count > 0 ? &parts->memo : NULL;
	info.search_attributes = start->attribute_count > 0 ? &parts->attributes
							    : NULL;
	info.user_metadata = start->summary != NULL ? &parts->metadata : NULL;
	info.priority = start->priority > 0 ? &parts->priority : NULL;
	return info;
}

int
temporal_schedule_create(struct temporal *temporal,
    const struct temporal_schedule *schedule, struct temporal_answer *answer,
    struct fail *fail)
{
	char *cron = temporal_text(schedule->cron), request_id[ID_TEXT];
	Api__NewWorkflowExecutionInfo info;
	Api__CreateScheduleRequest request;
	struct start_parts parts;
	Api__ScheduleAction action;
	Api__SchedulePolicies policies;
	Api__ScheduleState state;
	Api__ScheduleSpec spec;
	Api__Schedule whole;
	struct id id = id_new();
	int result;

	if (check_start(&schedule->action, fail) < 0)
		return -1;
	parts_fill(&parts, &schedule->action);
	info = schedule_action(&schedule->action, &parts);
	id_format(&id, request_id);
	api__schedule_spec__init(&spec);
	spec.n_cron_string = 1;
	spec.cron_string = &cron;
	spec.timezone_name = temporal_text(schedule->zone);
	api__schedule_action__init(&action);
	action.action_case = API__SCHEDULE_ACTION__ACTION_START_WORKFLOW;
	action.start_workflow = &info;
	api__schedule_policies__init(&policies);
	policies.overlap_policy = schedule->overlap;
	api__schedule_state__init(&state);
	state.paused = schedule->paused;
	state.notes = temporal_text(schedule->notes);
	api__schedule__init(&whole);
	whole.spec = &spec;
	whole.action = &action;
	whole.policies = &policies;
	whole.state = &state;
	api__create_schedule_request__init(&request);
	request.namespace_ = temporal_namespace(temporal);
	request.identity = temporal_identity(temporal);
	request.schedule_id = temporal_text(schedule->id);
	request.schedule = &whole;
	request.memo = &parts.memo;
	request.request_id = request_id;
	result = temporal_send(temporal, TEMPORAL_SCHEDULE_CREATE,
	    &request.base, answer, fail);
	parts_release(&parts);
	return result;
}

int
temporal_schedule_describe(struct temporal *temporal, const char *id,
    struct temporal_answer *answer, struct fail *fail)
{
	Api__DescribeScheduleRequest request;

	api__describe_schedule_request__init(&request);
	request.namespace_ = temporal_namespace(temporal);
	request.schedule_id = temporal_text(id);
	return temporal_send(temporal, TEMPORAL_SCHEDULE_DESCRIBE,
	    &request.base, answer, fail);
}

int
temporal_schedule_patch(struct temporal *temporal, const char *id,
    enum temporal_patch what, const char *notes, struct temporal_answer *answer,
    struct fail *fail)
{
	Api__TriggerImmediatelyRequest trigger;
	Api__PatchScheduleRequest request;
	char request_id[ID_TEXT];
	Api__SchedulePatch patch;
	struct id fresh = id_new();

	/* with an empty note the server would not pause */
	if (notes == NULL || notes[0] == '\0')
		notes = "agent-utils";
	id_format(&fresh, request_id);
	api__trigger_immediately_request__init(&trigger);
	api__schedule_patch__init(&patch);
	if (what == TEMPORAL_PAUSE)
		patch.pause = temporal_text(notes);
	else if (what == TEMPORAL_RESUME)
		patch.unpause = temporal_text(notes);
	else
		patch.trigger_immediately = &trigger;
	api__patch_schedule_request__init(&request);
	request.namespace_ = temporal_namespace(temporal);
	request.identity = temporal_identity(temporal);
	request.schedule_id = temporal_text(id);
	request.patch = &patch;
	request.request_id = request_id;
	return temporal_send(temporal, TEMPORAL_SCHEDULE_PATCH, &request.base,
	    answer, fail);
}

int
temporal_schedule_delete(struct temporal *temporal, const char *id,
    struct temporal_answer *answer, struct fail *fail)
{
	Api__DeleteScheduleRequest request;

	api__delete_schedule_request__init(&request);
	request.namespace_ = temporal_namespace(temporal);
	request.identity = temporal_identity(temporal);
	request.schedule_id = temporal_text(id);
	return temporal_send(temporal, TEMPORAL_SCHEDULE_DELETE, &request.base,
	    answer, fail);
}

int
temporal_schedule_list(struct temporal *temporal, int32_t size,
    const ProtobufCBinaryData *token, struct temporal_answer *answer,
    struct fail *fail)
{
	Api__ListSchedulesRequest request;

	api__list_schedules_request__init(&request);
	request.namespace_ = temporal_namespace(temporal);
	request.maximum_page_size = size;
	if (token != NULL)
		request.next_page_token = *token;
	return temporal_send(temporal, TEMPORAL_SCHEDULE_LIST, &request.base,
	    answer, fail);
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
