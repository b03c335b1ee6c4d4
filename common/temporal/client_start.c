/* SPDX-License-Identifier: ISC */
/*
 * How it works: what starts a workflow, now or at the times of a schedule: both
 * requests point to the same parts, which are filled from plain values.
 */
#include "common/temporal/client.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/id.h"
#include "common/base/mem.h"
#include "common/base/utf8.h"

#define FAIRNESS_MAX 64 /* bytes that the server takes */

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
	if (temporal_check_size((struct span){ NULL,
				    start->input.length + start->more.length },
		"input", fail) < 0)
		return -1;
	return temporal_check_size((struct span){ NULL, memo }, "memo", fail);
}

int
temporal_start(struct temporal *temporal, const struct temporal_start *start,
    struct temporal_answer *answer, struct fail *fail)
{
	Api__StartWorkflowExecutionRequest request;
	struct start_parts parts;
	char request_id[ID_TEXT];
	int result;

	if (check_start(start, fail) < 0)
		return -1;
	parts_fill(&parts, start);
	id_new_text(request_id);
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
	int result;

	if (check_start(&schedule->action, fail) < 0)
		return -1;
	parts_fill(&parts, &schedule->action);
	info = schedule_action(&schedule->action, &parts);
	id_new_text(request_id);
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

	/* with an empty note the server would not pause */
	if (notes == NULL || notes[0] == '\0')
		notes = "agent-utils";
	id_new_text(request_id);
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
