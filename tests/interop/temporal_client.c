/* SPDX-License-Identifier: ISC */
/*
 * temporal_client: against a real server, whose HOST:PORT is AGENT_TEMPORAL.
 *
 *	temporal_client calls            every call of the client, and a worker's
 *	temporal_client steady SECONDS   calls and polls without an error, on
 *	                                 connections that get old very soon
 *	temporal_client once             one call; says what went wrong
 *	temporal_client patient FILE     one call after the other, through what
 *	                                 happens to the server, until FILE is
 *	                                 there; says how many
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/base/id.h"
#include "common/base/mem.h"
#include "common/temporal/client.h"

/* protobuf-c's macros for empty messages cast a constant's address. */
#pragma GCC diagnostic ignored "-Wcast-qual"

#define AWAIT_MS 20000

static struct temporal *temporal;
static char queue[ID_TEXT];
static struct fail fail;

static struct span
span(const char *text)
{
	return (struct span){ text, strlen(text) };
}

static struct temporal *
open_temporal(const char *namespace, int64_t age_ms, int64_t patience_ms)
{
	char *target = mem_print("temporal://%s/%s", getenv("AGENT_TEMPORAL"),
	    namespace);
	struct temporal_options options = { .target = target,
		.timeout_ms = 4000,
		.age_ms = age_ms,
		.patience_ms = patience_ms };
	struct temporal *opened = NULL;

	if (temporal_open(NULL, &options, &opened, &fail) < 0) {
		fprintf(stderr, "%s\n", fail.message);
		exit(fail.kind);
	}
	free(target);
	return opened;
}

/* Between two looks at what changes: thousands a second keep a server busy. */
static void
next_look(void)
{
	const struct timespec interval = { .tv_nsec = 20000000 };

	nanosleep(&interval, NULL);
}

/* Waits for what was sent; its message is the answer's. */
static void *
good(int sent, struct temporal_answer *answer)
{
	if (sent < 0 || temporal_wait(temporal, answer, &fail) < 0)
		print_message("# %s: %s\n", fail.type, fail.message);
	assert_int_equal(sent, 0);
	assert_int_equal(answer->status, GRPC_OK);
	return answer->message;
}

static void
bad(int sent, struct temporal_answer *answer, enum fail_kind kind,
    const char *type)
{
	assert_true(sent < 0 || temporal_wait(temporal, answer, &fail) < 0);
	print_message("# %s\n", fail.message);
	assert_string_equal(fail.type, type);
	assert_int_equal(fail.kind, kind);
	temporal_answer_release(answer);
}

/* ---- starts ---- */

/* The parts of a start, for which one at a time is needed. */
static Api__WorkflowType type;
static Api__TaskQueue start_queue;
static Api__Payloads *input;

static Api__StartWorkflowExecutionRequest
start_of(const char *id, const char *type_name, struct span json)
{
	Api__StartWorkflowExecutionRequest start;

	if (input != NULL)
		api__payloads__free_unpacked(input, NULL);
	api__workflow_type__init(&type);
	type.name = temporal_text(type_name);
	api__task_queue__init(&start_queue);
	start_queue.name = queue;
	input = heap_payloads(json);
	api__start_workflow_execution_request__init(&start);
	start.workflow_id = temporal_text(id);
	start.workflow_type = &type;
	start.task_queue = &start_queue;
	start.input = input;
	return start;
}

/* ---- the server ---- */

static void
test_server(void **state)
{
	struct temporal_answer answer = { 0 };
	struct temporal *other;
	Api__GetSystemInfoRequest request = API__GET_SYSTEM_INFO_REQUEST__INIT;
	Api__GetSystemInfoResponse *info;
	Api__DescribeNamespaceResponse *space;

	(void)state;
	info = good(temporal_send(temporal, &request.base, &answer, &fail),
	    &answer);
	assert_true(strlen(info->server_version) > 3);
	space = good(temporal_describe_namespace(temporal, &answer, &fail),
	    &answer);
	assert_string_equal(space->namespace_info->name, "default");
	if (space->namespace_info->limits != NULL)
		assert_true(
		    space->namespace_info->limits->blob_size_limit_error >=
		    (int64_t)TEMPORAL_BLOB_MAX);
	temporal_answer_release(&answer);

	other = open_temporal("no-such", 0, 0);
	assert_int_equal(temporal_describe_namespace(other, &answer, &fail),
	    -1);
	print_message("# %s\n", fail.message);
	assert_string_equal(fail.type, "no_namespace");
	temporal_answer_release(&answer);
	temporal_close(other);
}

/* ---- a task's life ---- */

static void
test_start(void **state)
{
	Api__RequestCancelWorkflowExecutionRequest cancel =
	    API__REQUEST_CANCEL_WORKFLOW_EXECUTION_REQUEST__INIT;
	Api__WorkflowExecution both = API__WORKFLOW_EXECUTION__INIT;
	Api__StartWorkflowExecutionRequest start = start_of("start-1",
	    "agent.task", span("{\"a\":1}"));
	Api__UserMetadata metadata = API__USER_METADATA__INIT;
	Api__Priority priority = API__PRIORITY__INIT;
	char first[] = "first";
	struct temporal_answer answer = { 0 };
	Api__StartWorkflowExecutionResponse *started;
	Api__DescribeWorkflowExecutionResponse *described;
	char run[64];
	struct span json;

	(void)state;
	start.memo = HEAP_NEW(memo);
	heap_set_memo(start.memo, "title", heap_string("one"));
	heap_set_memo(start.memo, "n", heap_json(span("7")));
	start.user_metadata = &metadata;
	metadata.summary = heap_string("a \"task\"");
	start.priority = &priority;
	priority.priority_key = 2;
	start.request_id = first;
	start.workflow_id_reuse_policy = TEMPORAL_ENUM(WORKFLOW_ID_REUSE_POLICY,
	    REJECT_DUPLICATE);
	start.workflow_id_conflict_policy = TEMPORAL_ENUM(
	    WORKFLOW_ID_CONFLICT_POLICY, FAIL);
	started = good(temporal_send(temporal, &start.base, &answer, &fail),
	    &answer);
	assert_true(started->started);
	snprintf(run, sizeof(run), "%s", started->run_id);
	/* a repetition is the same run */
	started = good(temporal_send(temporal, &start.base, &answer, &fail),
	    &answer);
	assert_string_equal(started->run_id, run);
	/* another one is refused, and says whose run is in the way */
	start.request_id = NULL;
	assert_int_equal(temporal_send(temporal, &start.base, &answer, &fail),
	    0);
	assert_int_equal(temporal_wait(temporal, &answer, &fail), -1);
	assert_int_equal(fail.kind, FAIL_NO);
	assert_string_equal(fail.type, "already_exists");
	/* or taken as it is */
	start.workflow_id_conflict_policy = TEMPORAL_ENUM(
	    WORKFLOW_ID_CONFLICT_POLICY, USE_EXISTING);
	started = good(temporal_send(temporal, &start.base, &answer, &fail),
	    &answer);
	assert_false(started->started);
	assert_string_equal(started->run_id, run);

	described = good(temporal_describe(temporal, "start-1", NULL, &answer,
			     &fail),
	    &answer);
	assert_int_equal(described->workflow_execution_info->status, 1);
	assert_true(temporal_memo(described->workflow_execution_info->memo,
	    "title", &json));
	assert_memory_equal(json.at, "\"one\"", 5);
	assert_false(temporal_memo(described->workflow_execution_info->memo,
	    "none", &json));
	assert_true(llabs(temporal_time(
			      described->workflow_execution_info->start_time) -
			clock_wall()) < 60000);
	both.workflow_id = start.workflow_id;
	cancel.workflow_execution = &both;
	good(temporal_send(temporal, &cancel.base, &answer, &fail), &answer);
	good(temporal_terminate(temporal, "start-1", run, "enough", &answer,
		 &fail),
	    &answer);
	bad(temporal_signal(temporal, "start-1", NULL, "s", span("1"), &answer,
		&fail),
	    &answer, FAIL_NO, "not_found");
	start.workflow_id_conflict_policy = TEMPORAL_ENUM(
	    WORKFLOW_ID_CONFLICT_POLICY, FAIL);
	bad(temporal_send(temporal, &start.base, &answer, &fail), &answer,
	    FAIL_NO, "already_exists");
	bad(temporal_describe(temporal, "no-such", NULL, &answer, &fail),
	    &answer, FAIL_NO, "not_found");
	api__memo__free_unpacked(start.memo, NULL);
	api__payload__free_unpacked(metadata.summary, NULL);
}

/* What is too large never leaves, or is not repeated. */
static void
test_too_large(void **state)
{
	char *text = mem_alloc(5u << 20);
	Api__StartWorkflowExecutionRequest start;
	struct temporal_answer answer = { 0 };

	(void)state;
	memset(text, '1', 5u << 20);
	bad(temporal_check_size(3u << 20, "input", &fail), &answer, FAIL_NEVER,
	    "too_large");
	start = start_of("large", "agent.task",
	    (struct span){ text, TEMPORAL_BLOB_MAX });
	good(temporal_send(temporal, &start.base, &answer, &fail), &answer);
	bad(temporal_signal(temporal, "large", NULL, "s",
		(struct span){ text, 5u << 20 }, &answer, &fail),
	    &answer, FAIL_NEVER, "too_large");
	good(temporal_signal(temporal, "large", NULL, "s",
		 (struct span){ text, TEMPORAL_BLOB_MAX }, &answer, &fail),
	    &answer);
	good(temporal_terminate(temporal, "large", NULL, "", &answer, &fail),
	    &answer);
	temporal_answer_release(&answer);
	free(text);
}

/* ---- a worker's side ---- */

static void
poll(bool activities, struct temporal_answer *answer)
{
	Api__PollWorkflowTaskQueueRequest workflow;
	Api__PollActivityTaskQueueRequest activity;
	Api__TaskQueue task_queue;

	api__task_queue__init(&task_queue);
	task_queue.name = queue;
	task_queue.kind = TEMPORAL_ENUM(TASK_QUEUE_KIND, NORMAL);
	api__poll_workflow_task_queue_request__init(&workflow);
	api__poll_activity_task_queue_request__init(&activity);
	workflow.task_queue = activity.task_queue = &task_queue;
	assert_int_equal(temporal_send(temporal,
			     activities ? &activity.base : &workflow.base,
			     answer, &fail),
	    0);
}

static void
complete(const ProtobufCBinaryData *token, Api__Command *command)
{
	Api__RespondWorkflowTaskCompletedRequest request;
	struct temporal_answer answer = { 0 };

	api__respond_workflow_task_completed_request__init(&request);
	request.task_token = *token;
	request.n_commands = command != NULL;
	request.commands = &command;
	good(temporal_send(temporal, &request.base, &answer, &fail), &answer);
	temporal_answer_release(&answer);
}

static void
schedule_activity(const ProtobufCBinaryData *token)
{
	Api__ScheduleActivityTaskCommandAttributes schedule;
	Api__Duration limit = API__DURATION__INIT;
	Api__TaskQueue task_queue;
	Api__ActivityType activity_type;
	Api__Command command;
	char id[] = "step-1", name[] = "tool.call";

	api__task_queue__init(&task_queue);
	task_queue.name = queue;
	limit.seconds = 30;
	api__activity_type__init(&activity_type);
	activity_type.name = name;
	api__schedule_activity_task_command_attributes__init(&schedule);
	schedule.activity_id = id;
	schedule.activity_type = &activity_type;
	schedule.task_queue = &task_queue;
	schedule.start_to_close_timeout = &limit;
	schedule.input = heap_payloads(span("[1]"));
	api__command__init(&command);
	command.command_type = TEMPORAL_ENUM(COMMAND_TYPE,
	    SCHEDULE_ACTIVITY_TASK);
	command.attributes_case =
	    API__COMMAND__ATTRIBUTES_SCHEDULE_ACTIVITY_TASK_COMMAND_ATTRIBUTES;
	command.schedule_activity_task_command_attributes = &schedule;
	complete(token, &command);
	api__payloads__free_unpacked(schedule.input, NULL);
}

static void
perform_activity(void)
{
	struct temporal_answer polled = { 0 }, answer = { 0 };
	Api__RecordActivityTaskHeartbeatRequest beat;
	Api__RespondActivityTaskCompletedRequest done;
	Api__PollActivityTaskQueueResponse *task;
	struct span json;

	poll(true, &polled);
	task = good(0, &polled);
	assert_string_equal(task->activity_id, "step-1");
	assert_true(temporal_value(task->input, 0, &json));
	assert_memory_equal(json.at, "[1]", 3);
	assert_false(temporal_value(task->input, 1, &json));
	api__record_activity_task_heartbeat_request__init(&beat);
	beat.task_token = task->task_token;
	beat.details = heap_payloads(span("{\"p\":1}"));
	good(temporal_send(temporal, &beat.base, &answer, &fail), &answer);
	api__respond_activity_task_completed_request__init(&done);
	done.task_token = task->task_token;
	done.result = heap_payloads(span("\"ok\""));
	good(temporal_send(temporal, &done.base, &answer, &fail), &answer);
	/* its answer may be lost: the second one tells that it is done */
	bad(temporal_send(temporal, &done.base, &answer, &fail), &answer,
	    FAIL_NO, "not_found");
	temporal_answer_release(&polled);
	api__payloads__free_unpacked(beat.details, NULL);
	api__payloads__free_unpacked(done.result, NULL);
}

static void
finish(const ProtobufCBinaryData *token)
{
	Api__CompleteWorkflowExecutionCommandAttributes attributes;
	Api__Command command;

	api__complete_workflow_execution_command_attributes__init(&attributes);
	attributes.result = heap_payloads(span("{\"done\":true}"));
	api__command__init(&command);
	command.command_type = TEMPORAL_ENUM(COMMAND_TYPE,
	    COMPLETE_WORKFLOW_EXECUTION);
	command.attributes_case =
	    API__COMMAND__ATTRIBUTES_COMPLETE_WORKFLOW_EXECUTION_COMMAND_ATTRIBUTES;
	command.complete_workflow_execution_command_attributes = &attributes;
	complete(token, &command);
	api__payloads__free_unpacked(attributes.result, NULL);
}

static void
read_history(const char *id)
{
	static const int wanted[] = { 1, 5, 6, 7, 10, 11, 12, 5, 6, 7, 2 };
	struct temporal_page page = { .id = id, .size = 4 };
	Api__GetWorkflowExecutionHistoryResponse *got;
	struct temporal_answer answers[8] = { { 0 } };
	size_t i, count = 0, pages = 0;

	do {
		got = good(temporal_history(temporal, &page, &answers[pages],
			       &fail),
		    &answers[pages]);
		for (i = 0; i < got->history->n_events; i++) {
			assert_int_equal(got->history->events[i]->event_id,
			    (int64_t)count + 1);
			assert_int_equal(got->history->events[i]->event_type,
			    wanted[count++]);
		}
		page.token = &got->next_page_token;
	} while (++pages < 8 && page.token->len > 0);
	assert_int_equal(count, 11);
	assert_true(pages >= 2);
	while (pages > 0)
		temporal_answer_release(&answers[--pages]);
	page.token = NULL;
	page.reverse = true;
	got = good(temporal_history(temporal, &page, &answers[0], &fail),
	    &answers[0]);
	assert_int_equal(got->history->events[0]->event_id, 11);
	temporal_answer_release(&answers[0]);
}

static void
test_steps(void **state)
{
	Api__StartWorkflowExecutionRequest start = start_of("steps",
	    "agent.task", span("{}"));
	Api__GetWorkflowExecutionHistoryRequest page =
	    API__GET_WORKFLOW_EXECUTION_HISTORY_REQUEST__INIT;
	Api__WorkflowExecution both = API__WORKFLOW_EXECUTION__INIT;
	struct temporal_answer answer = { 0 }, task = { 0 }, end = { 0 },
			       idle = { 0 }, previous;
	Api__PollWorkflowTaskQueueResponse *polled;
	Api__GetWorkflowExecutionHistoryResponse *closed;
	Api__DescribeTaskQueueResponse *described;
	struct span json;
	int i;

	(void)state;
	both.workflow_id = start.workflow_id;
	page.execution = &both;
	page.wait_new_event = true;
	page.history_event_filter_type = TEMPORAL_ENUM(
	    HISTORY_EVENT_FILTER_TYPE, CLOSE_EVENT);
	poll(false, &task);
	good(temporal_send(temporal, &start.base, &answer, &fail), &answer);
	polled = good(0, &task);
	assert_string_equal(polled->workflow_execution->workflow_id, "steps");
	schedule_activity(&polled->task_token);
	perform_activity();
	poll(false, &task);
	polled = good(0, &task);
	assert_int_equal(temporal_send(temporal, &page.base, &end, &fail), 0);
	finish(&polled->task_token);
	closed = good(0, &end);
	/* a wait that comes back empty is to be continued */
	for (i = 0; i < 3 && closed->history->n_events == 0; i++) {
		previous = end;
		end = (struct temporal_answer){ 0 };
		page.next_page_token = closed->next_page_token;
		closed = good(temporal_send(temporal, &page.base, &end, &fail),
		    &end);
		temporal_answer_release(&previous);
	}
	assert_int_equal(closed->history->n_events, 1);
	assert_true(temporal_value(
	    closed->history->events[0]
		->workflow_execution_completed_event_attributes->result,
	    0, &json));
	assert_memory_equal(json.at, "{\"done\":true}", 13);
	read_history("steps");
	/* a poll is called off by releasing its answer */
	poll(true, &idle);
	described = good(temporal_queue(temporal, queue, true, &answer, &fail),
	    &answer);
	assert_non_null(described->stats);
	assert_int_equal(described->stats->approximate_backlog_count, 0);
	temporal_answer_release(&idle);
	good(temporal_shutdown_worker(temporal, queue, "i", &answer, &fail),
	    &answer);
	temporal_answer_release(&answer);
	temporal_answer_release(&task);
	temporal_answer_release(&end);
}

/* ---- visibility, schedules ---- */

static void
test_list(void **state)
{
	Api__StartWorkflowExecutionRequest start = start_of("it's odd",
	    "agent.list", span("{}"));
	struct temporal_answer answer = { 0 };
	Api__CountWorkflowExecutionsResponse *counted = NULL;
	Api__ListWorkflowExecutionsResponse *listed;
	struct buf query = BUF_INIT(1000);
	int64_t limit = clock_boot() + AWAIT_MS;

	(void)state;
	good(temporal_send(temporal, &start.base, &answer, &fail), &answer);
	buf_add_string(&query, "WorkflowId = ");
	temporal_quote(&query, start.workflow_id);
	do {
		next_look();
		counted = good(temporal_count(temporal, query.data, &answer,
				   &fail),
		    &answer);
	} while (counted->count == 0 && clock_boot() < limit);
	assert_int_equal(counted->count, 1);
	listed = good(temporal_list(temporal, query.data, 10, NULL, &answer,
			  &fail),
	    &answer);
	assert_int_equal(listed->n_executions, 1);
	assert_string_equal(listed->executions[0]->execution->workflow_id,
	    start.workflow_id);
	bad(temporal_list(temporal, "no such = 1", 10, NULL, &answer, &fail),
	    &answer, FAIL_NEVER, "invalid_argument");
	good(temporal_terminate(temporal, start.workflow_id, NULL, "", &answer,
		 &fail),
	    &answer);
	temporal_answer_release(&answer);
	buf_release(&query);
}

/* Looks at the schedule until it goes on and has begun COUNT tasks: of two
 * patches that come together the server heeds the last one only. A busy server's
 * scheduler may not answer in time: then it is asked again. */
static Api__DescribeScheduleResponse *
await_schedule(int64_t count, struct temporal_answer *answer)
{
	Api__DescribeScheduleResponse *described;
	int64_t limit = clock_boot() + AWAIT_MS;

	do {
		next_look();
		described = NULL;
		if (temporal_schedule_describe(temporal, "nightly", answer,
			&fail) == 0)
			described = (void *)answer->message;
	} while ((!described || described->info->action_count < count ||
		     described->schedule->state->paused) &&
	    clock_boot() < limit);
	assert_non_null(described);
	return described;
}

static void
test_schedules(void **state)
{
	Api__NewWorkflowExecutionInfo what =
	    API__NEW_WORKFLOW_EXECUTION_INFO__INIT;
	Api__CreateScheduleRequest create = API__CREATE_SCHEDULE_REQUEST__INIT;
	Api__ScheduleAction action = API__SCHEDULE_ACTION__INIT;
	Api__ScheduleState paused = API__SCHEDULE_STATE__INIT;
	Api__ScheduleSpec spec = API__SCHEDULE_SPEC__INIT;
	Api__Schedule schedule = API__SCHEDULE__INIT;
	Api__StartWorkflowExecutionRequest start = start_of("night",
	    "agent.task", span("{}"));
	char *cron = temporal_text("0 3 * * *");
	struct temporal_answer answer = { 0 };
	Api__DescribeScheduleResponse *described;
	Api__ListSchedulesResponse *listed;
	int64_t limit;

	(void)state;
	what.workflow_id = start.workflow_id;
	what.workflow_type = start.workflow_type;
	what.task_queue = start.task_queue;
	what.input = start.input;
	action.action_case = API__SCHEDULE_ACTION__ACTION_START_WORKFLOW;
	action.start_workflow = &what;
	spec.n_cron_string = 1;
	spec.cron_string = &cron;
	spec.timezone_name = temporal_text("Europe/Berlin");
	paused.paused = true;
	schedule.action = &action;
	schedule.spec = &spec;
	schedule.state = &paused;
	create.schedule_id = temporal_text("nightly");
	create.schedule = &schedule;
	good(temporal_send(temporal, &create.base, &answer, &fail), &answer);
	bad(temporal_send(temporal, &create.base, &answer, &fail), &answer,
	    FAIL_NO, "already_exists");
	described = good(temporal_schedule_describe(temporal, "nightly",
			     &answer, &fail),
	    &answer);
	assert_true(described->schedule->state->paused);
	assert_true(described->info->n_future_action_times > 0);
	good(temporal_schedule_patch(temporal, "nightly", "resume", &answer,
		 &fail),
	    &answer);
	(void)await_schedule(0, &answer);
	good(temporal_schedule_patch(temporal, "nightly", "trigger", &answer,
		 &fail),
	    &answer);
	described = await_schedule(1, &answer);
	assert_int_equal(described->info->action_count, 1);
	assert_false(described->schedule->state->paused);
	good(temporal_schedule_patch(temporal, "nightly", "pause", &answer,
		 &fail),
	    &answer);
	/* The list is the server's visibility, which is behind. */
	limit = clock_boot() + AWAIT_MS;
	do {
		next_look();
		listed = good(temporal_schedule_list(temporal, 10, NULL,
				  &answer, &fail),
		    &answer);
	} while (listed->n_schedules == 0 && clock_boot() < limit);
	assert_string_equal(listed->schedules[0]->schedule_id, "nightly");
	good(temporal_schedule_delete(temporal, "nightly", &answer, &fail),
	    &answer);
	bad(temporal_schedule_describe(temporal, "nightly", &answer, &fail),
	    &answer, FAIL_NO, "not_found");
}

/* No worker: a query waits for its deadline, which is ours to set. */
static void
test_query_without_worker(void **state)
{
	Api__StartWorkflowExecutionRequest start = start_of("query",
	    "agent.task", span("{}"));
	Api__QueryWorkflowRequest request = API__QUERY_WORKFLOW_REQUEST__INIT;
	Api__WorkflowExecution both = API__WORKFLOW_EXECUTION__INIT;
	Api__WorkflowQuery query = API__WORKFLOW_QUERY__INIT;
	struct temporal_answer answer = { 0 };

	(void)state;
	start_queue.name = temporal_text("nobody");
	both.workflow_id = start.workflow_id;
	query.query_type = temporal_text("state");
	request.execution = &both;
	request.query = &query;
	good(temporal_send(temporal, &start.base, &answer, &fail), &answer);
	assert_int_equal(temporal_send(temporal, &request.base, &answer, &fail),
	    0);
	assert_int_equal(temporal_wait(temporal, &answer, &fail), -1);
	print_message("# %s: %s\n", fail.type, fail.message);
	assert_int_equal(fail.kind, FAIL_NOT_NOW);
	good(temporal_terminate(temporal, "query", NULL, "", &answer, &fail),
	    &answer);
	temporal_answer_release(&answer);
}

/* ---- long runs ---- */

/* Connections that are replaced twice a second, under calls and polls. */
static void
test_steady(void **state)
{
	int64_t until = clock_boot() + *(int64_t *)*state;
	struct temporal_answer polls[5] = { { 0 } }, answer = { 0 };
	Api__GetSystemInfoRequest request = API__GET_SYSTEM_INFO_REQUEST__INIT;
	int calls = 0;
	size_t i;

	do {
		for (i = 0; i < 5; i++) {
			if (polls[i].done)
				good(0, &polls[i]);
			if (polls[i].call == NULL)
				poll(true, &polls[i]);
		}
		good(temporal_send(temporal, &request.base, &answer, &fail),
		    &answer);
		calls++;
	} while (clock_boot() < until);
	for (i = 0; i < 5; i++)
		temporal_answer_release(&polls[i]);
	temporal_answer_release(&answer);
	print_message("# %d calls\n", calls);
	assert_true(calls > 100);
}

static void
test_patient(void **state)
{
	const char *file = *(const char **)*state;
	struct temporal_answer answer = { 0 };
	int calls = 0;

	do {
		good(temporal_describe_namespace(temporal, &answer, &fail),
		    &answer);
		if (calls++ == 0)
			print_message("# begun\n");
		fflush(stdout);
	} while (access(file, F_OK) != 0);
	temporal_answer_release(&answer);
	print_message("# %d calls\n", calls);
}

static int
call_once(void)
{
	struct temporal_answer answer = { 0 };
	int result = 0;

	temporal = open_temporal("default", 0, 1);
	if (temporal_describe_namespace(temporal, &answer, &fail) < 0) {
		fprintf(stderr, "%s: %s\n", fail.type, fail.message);
		result = fail.kind;
	}
	temporal_answer_release(&answer);
	temporal_close(temporal);
	return result;
}

int
main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	const char *word = argc > 2 ? argv[2] : "5";
	int64_t milliseconds = strtoll(word, NULL, 10) * 1000;
	const struct CMUnitTest calls[] = {
		cmocka_unit_test(test_server),
		cmocka_unit_test(test_start),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_schedules),
		cmocka_unit_test(test_query_without_worker),
	};
	const struct CMUnitTest steady[] = {
		cmocka_unit_test_prestate(test_steady, &milliseconds),
	};
	const struct CMUnitTest patient[] = {
		cmocka_unit_test_prestate(test_patient, &word),
	};
	struct id id = id_new();
	int failed;

	id_format(&id, queue);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	if (strcmp(what, "once") == 0)
		return call_once();
	temporal = open_temporal("default",
	    strcmp(what, "steady") == 0 ? 500 : 0,
	    strcmp(what, "patient") == 0 ? 60000 : 0);
	if (strcmp(what, "steady") == 0)
		failed = cmocka_run_group_tests(steady, NULL, NULL);
	else if (strcmp(what, "patient") == 0)
		failed = cmocka_run_group_tests(patient, NULL, NULL);
	else
		failed = cmocka_run_group_tests(calls, NULL, NULL);
	temporal_close(temporal);
	if (input != NULL)
		api__payloads__free_unpacked(input, NULL);
	return failed > 0;
}
