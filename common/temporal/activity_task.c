/* SPDX-License-Identifier: ISC */
/*
 * How it works: an activity names what it is to do and finds the conversation
 * in the run's history, which this worker has mostly kept; else it is read from
 * the server. What comes of it is the event that the journal gets, as the
 * activity's result. So whatever the service answers, its failures too, is a
 * completed activity, and only a lost worker makes the server repeat one:
 * retries are counted once, by the fold.
 */
#include "common/temporal/worker_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/json/log.h"

#define BEAT_MS 1000
#define AGAIN_MS 1000
#define ANSWER_TRIES 60
#define TEXT_SHOWN 4096 /* of a reply under way */

struct job {
	struct worker_temporal *worker;
	Api__PollActivityTaskQueueResponse *task;
	struct action action;
	int64_t turn;
	struct temporal_history *history; /* being read */
	struct effect *effect;
	bool cuttable; /* it may be cut off */
	bool noted;
	bool unwanted; /* nobody waits for its result any more */
	struct temporal_answer page, beat, answer;
	struct timer timer; /* the next heartbeat, or try to answer */
	unsigned tries;
	enum event_type type; /* the result */
	struct buf result;
	struct buf text;    /* the end of the reply so far */
	size_t text_before; /* bytes before it */
	struct job *next;
};

static const char *
run_id(const struct job *job)
{
	return job->task->workflow_execution->run_id;
}

static const char *
workflow_id(const struct job *job)
{
	return job->task->workflow_execution->workflow_id;
}

static void
job_free(struct job *job)
{
	struct worker_temporal *worker = job->worker;
	struct job **at;

	for (at = &worker->jobs; *at != job; at = &(*at)->next)
		;
	*at = job->next;
	worker->job_count--;
	if (job->noted)
		notes_drop(worker->notes, workflow_id(job), run_id(job),
		    job->task->activity_id);
	loop_cancel(worker->loop, &job->timer);
	effect_cancel(job->effect);
	temporal_answer_release(&job->page);
	temporal_answer_release(&job->beat);
	temporal_answer_release(&job->answer);
	temporal_history_free(job->history);
	buf_release(&job->action.members);
	free(job->action.call);
	buf_release(&job->result);
	buf_release(&job->text);
	api__poll_activity_task_queue_response__free_unpacked(job->task, NULL);
	free(job);
}

static void
job_end(struct job *job)
{
	struct worker_temporal *worker = job->worker;

	job_free(job);
	worker_poll_more(worker);
}

void
job_end_all(struct worker_temporal *worker)
{
	while (worker->jobs != NULL)
		job_free(worker->jobs);
}

/* ---- the answer ---- */

static void
answered(void *context, struct temporal_answer *answer)
{
	struct job *job = context;

	if (answer->status != GRPC_OK && answer->fail.kind == FAIL_NOT_NOW &&
	    ++job->tries < ANSWER_TRIES) {
		loop_timer(job->worker->loop, &job->timer,
		    clock_boot() + AGAIN_MS);
		return;
	}
	if (answer->status != GRPC_OK)
		log_line("warning", "activity.refused", "task",
		    workflow_id(job), "activity", job->task->activity_id,
		    "reason", answer->fail.message, NULL);
	job_end(job);
}

static void
send_result(void *context)
{
	struct job *job = context;
	struct temporal *temporal = job->worker->temporal;
	Api__RespondActivityTaskCompletedRequest request;
	struct temporal_payload room;
	struct fail fail;

	api__respond_activity_task_completed_request__init(&request);
	request.namespace_ = temporal_text(temporal_namespace(temporal));
	request.identity = temporal_text(temporal_identity(temporal));
	request.task_token = job->task->task_token;
	request.resource_id = temporal_text(workflow_id(job));
	request.result = temporal_json(&room,
	    (struct span){ job->result.data, job->result.length });
	job->answer.then = answered;
	job->answer.context = job;
	if (temporal_send(temporal, TEMPORAL_ACTIVITY_COMPLETED, &request.base,
		&job->answer, &fail) < 0) {
		log_line("error", "activity.refused", "task", workflow_id(job),
		    "reason", fail.message, NULL);
		job_end(job);
	}
}

/* Its attempt did not come to an end: the server has it repeated, or not. */
static void
send_failure(void *context)
{
	struct job *job = context;
	struct temporal *temporal = job->worker->temporal;
	Api__RespondActivityTaskFailedRequest request;
	Api__Failure failure;
	Api__ApplicationFailureInfo info;
	struct fail fail;

	api__application_failure_info__init(&info);
	info.type = temporal_text("handed_back");
	api__failure__init(&failure);
	failure.message = job->result.data;
	failure.source = temporal_text("agent-utils");
	failure.failure_info_case =
	    API__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO;
	failure.application_failure_info = &info;
	api__respond_activity_task_failed_request__init(&request);
	request.namespace_ = temporal_text(temporal_namespace(temporal));
	request.identity = temporal_text(temporal_identity(temporal));
	request.task_token = job->task->task_token;
	request.resource_id = temporal_text(workflow_id(job));
	request.failure = &failure;
	job->answer.then = answered;
	job->answer.context = job;
	if (temporal_send(temporal, TEMPORAL_ACTIVITY_FAILED, &request.base,
		&job->answer, &fail) < 0)
		job_end(job);
}

static void
begin_answer(struct job *job, void (*send)(void *context))
{
	temporal_answer_release(&job->beat);
	buf_release(&job->text);
	job->timer.fire = send;
	job->timer.context = job;
	loop_cancel(job->worker->loop, &job->timer);
	send(job);
}

static void
hand_back(struct job *job, const char *why)
{
	log_line("warning", "activity.released", "task", workflow_id(job),
	    "activity", job->task->activity_id, "reason", why, NULL);
	effect_cancel(job->effect);
	job->effect = NULL;
	buf_reset(&job->result);
	buf_add_string(&job->result, why);
	begin_answer(job, send_failure);
}

void
job_hand_back_all(struct worker_temporal *worker)
{
	struct job *job, *next;

	for (job = worker->jobs; job != NULL; job = next) {
		next = job->next;
		if (job->effect != NULL && !job->unwanted)
			hand_back(job, "the worker was told to end");
		else if (job->effect != NULL)
			job_free(job);
	}
}

void
job_cut_run(struct worker_temporal *worker, const char *run)
{
	struct job *job, *next;

	for (job = worker->jobs; job != NULL; job = next) {
		next = job->next;
		if (job->effect != NULL && job->cuttable &&
		    strcmp(run_id(job), run) == 0)
			job_free(job);
	}
}

/* ---- results ---- */

static void
put_result(struct job *job, enum event_type type, const char *members,
    size_t length)
{
	buf_reset(&job->result);
	buf_print(&job->result, "{\"type\":\"%s\"%s", event_type_name(type),
	    length > 0 ? "," : "");
	buf_add(&job->result, members, length);
	buf_add(&job->result, "}", 1);
	job->type = type;
}

/* The members that name what it is about, and an error. */
static void
add_error(struct job *job, struct buf *members, const char *type,
    const char *message)
{
	struct buf error = BUF_INIT(1u << 20), object = BUF_INIT(1u << 20);

	if (job->action.type == ACTION_MODEL)
		member_integer(members, "turn", job->turn);
	else if (job->action.type == ACTION_TOOL)
		member_string(members, "call", job->action.call);
	if (job->action.type != ACTION_PIN)
		member_integer(members, "attempt", job->action.attempt);
	member_string(&error, "type", type);
	member_string(&error, "message", message);
	buf_print(&object, "{%s}", error.data);
	member_raw(members, "error", object.data, object.length);
	buf_release(&error);
	buf_release(&object);
}

/* It certainly did not happen and may be tried again. */
static void
put_not_done(struct job *job, const char *message)
{
	struct buf members = BUF_INIT(1u << 20);
	char until[CLOCK_TEXT];

	if (job->action.type == ACTION_PIN) {
		clock_format(clock_wall() + AGAIN_MS, until);
		member_string(&members, "reason", message);
		member_string(&members, "until", until);
	} else {
		add_error(job, &members, "not_run", message);
		member_integer(&members, "delay_ms", AGAIN_MS);
	}
	put_result(job,
	    job->action.type == ACTION_PIN         ? EVENT_WAITING
		: job->action.type == ACTION_MODEL ? EVENT_MODEL_FAILED
						   : EVENT_TOOL_FAILED,
	    members.data, members.length);
	buf_release(&members);
}

/* Without the member "whole", or with a result that only says how large it
 * was: the call was made, and the model has to know. */
static void
shrink_tool_result(struct job *job, size_t size)
{
	struct buf members = BUF_INIT((size_t)EVENT_MAX),
		   block = BUF_INIT(1u << 20);
	struct span all = { job->result.data, job->result.length }, value;
	char *words;

	member_string(&members, "call", job->action.call);
	member_integer(&members, "attempt", job->action.attempt);
	if (json_member(all, "block", &value) &&
	    value.length + 4096 < TEMPORAL_BLOB_MAX) {
		member_raw(&members, "block", value.at, value.length);
		if (json_member(all, "is_error", &value))
			member_raw(&members, "is_error", value.at,
			    value.length);
	} else {
		words = mem_print(
		    "The call was made, but its result has %zu "
		    "bytes, which is too much to keep. Ask for less at a "
		    "time.",
		    size);
		(void)agent_result_block(&block, job->action.call, words,
		    strlen(words), 0, true);
		member_raw(&members, "block", block.data, block.length);
		member_raw(&members, "is_error", "true", 4);
		free(words);
	}
	member_integer(&members, "whole_bytes", (int64_t)size);
	put_result(job, job->type, members.data, members.length);
	buf_release(&members);
	buf_release(&block);
}

/* What a server would refuse only after it said that it took it. */
static void
fit_result(struct job *job)
{
	size_t size = job->result.length;
	struct buf members = BUF_INIT(1u << 20);
	char *words;

	if (size <= TEMPORAL_BLOB_MAX)
		return;
	if (job->type == EVENT_TOOL_FINISHED) {
		shrink_tool_result(job, size);
		return;
	}
	words = mem_print("the %s has %zu bytes, and Temporal takes %zu",
	    job->action.type == ACTION_PIN ? "task's tools" : "answer", size,
	    TEMPORAL_BLOB_MAX);
	add_error(job, &members, "too_large", words);
	put_result(job,
	    job->action.type == ACTION_PIN         ? EVENT_FAILED
		: job->action.type == ACTION_MODEL ? EVENT_MODEL_FAILED
						   : EVENT_TOOL_UNKNOWN,
	    members.data, members.length);
	free(words);
	buf_release(&members);
}

static void
job_done(void *context, enum event_type type, struct buf *members)
{
	struct job *job = context;

	job->effect = NULL;
	put_result(job, type, members->data, members->length);
	log_line("info", event_type_name(type), "task", workflow_id(job),
	    "worker", job->worker->name, "activity", job->task->activity_id,
	    NULL);
	if (job->unwanted) {
		log_line("warning", "activity.refused", "task",
		    workflow_id(job), "activity", job->task->activity_id,
		    "reason", "nobody waits for its result any more", NULL);
		job_end(job);
		return;
	}
	fit_result(job);
	begin_answer(job, send_result);
}

/* ---- heartbeats ---- */

static void
job_text(void *context, const char *bytes, size_t length)
{
	struct job *job = context;
	size_t drop;

	buf_add(&job->text, bytes, length);
	if (job->text.length < 2 * TEXT_SHOWN)
		return;
	for (drop = job->text.length - TEXT_SHOWN; drop < job->text.length &&
	     ((unsigned char)job->text.data[drop] & 0xc0) == 0x80;
	     drop++)
		;
	buf_consume(&job->text, drop);
	job->text_before += drop;
}

static void
send_cancelled(struct job *job)
{
	struct temporal *temporal = job->worker->temporal;
	Api__RespondActivityTaskCanceledRequest request;
	struct fail fail;

	effect_cancel(job->effect);
	job->effect = NULL;
	loop_cancel(job->worker->loop, &job->timer);
	api__respond_activity_task_canceled_request__init(&request);
	request.namespace_ = temporal_text(temporal_namespace(temporal));
	request.identity = temporal_text(temporal_identity(temporal));
	request.task_token = job->task->task_token;
	request.resource_id = temporal_text(workflow_id(job));
	job->tries = ANSWER_TRIES;
	job->answer.then = answered;
	job->answer.context = job;
	if (temporal_send(temporal, TEMPORAL_ACTIVITY_CANCELED, &request.base,
		&job->answer, &fail) < 0)
		job_end(job);
}

static void
beat_came(void *context, struct temporal_answer *answer)
{
	struct job *job = context;
	const Api__RecordActivityTaskHeartbeatResponse *beat;

	if (job->effect == NULL)
		return;
	if (answer->status == GRPC_OK) {
		beat = (const Api__RecordActivityTaskHeartbeatResponse *)
			   answer->message;
		if (beat->cancel_requested && job->cuttable)
			send_cancelled(job);
	} else if (answer->status == GRPC_NOT_FOUND) {
		/* It timed out, or the task is over. */
		log_line("info", "activity.lost", "task", workflow_id(job),
		    "activity", job->task->activity_id, NULL);
		job->unwanted = true;
		loop_cancel(job->worker->loop, &job->timer);
		if (job->cuttable)
			job_end(job);
	}
}

static void
send_beat(void *context)
{
	struct job *job = context;
	struct temporal *temporal = job->worker->temporal;
	Api__RecordActivityTaskHeartbeatRequest request;
	struct buf members = BUF_INIT(1u << 20), details = BUF_INIT(1u << 20);
	struct temporal_payload room;
	struct fail fail;

	loop_timer(job->worker->loop, &job->timer, clock_boot() + BEAT_MS);
	notes_touch(job->worker->notes);
	if (job->beat.call != NULL)
		return;
	api__record_activity_task_heartbeat_request__init(&request);
	request.namespace_ = temporal_text(temporal_namespace(temporal));
	request.identity = temporal_text(temporal_identity(temporal));
	request.task_token = job->task->task_token;
	request.resource_id = temporal_text(workflow_id(job));
	if (job->text.length > 0) {
		member_integer(&members, "from", (int64_t)job->text_before);
		buf_add_string(&members, ",\"text\":");
		json_quote(&members, job->text.data, job->text.length);
		buf_print(&details, "{%s}", members.data);
		request.details = temporal_json(&room,
		    (struct span){ details.data, details.length });
	}
	job->beat.then = beat_came;
	job->beat.context = job;
	(void)temporal_send(temporal, TEMPORAL_HEARTBEAT, &request.base,
	    &job->beat, &fail);
	buf_release(&members);
	buf_release(&details);
}

/* ---- the beginning ---- */

static void
start_effect(struct job *job, const struct agent *agent)
{
	struct worker_temporal *worker = job->worker;
	struct effect_request request = { .agent = agent,
		.action = &job->action,
		.text = job_text,
		.done = job_done,
		.context = job };
	struct agent_call call;
	struct fail fail;

	job->cuttable = job->action.type != ACTION_TOOL ||
	    (agent_call(agent, job->action.call, &call) && call.repeatable);
	notes_add(worker->notes, workflow_id(job), run_id(job),
	    job->task->activity_id);
	job->noted = true;
	if (effect_start(worker->effects, &request, &job->effect, &fail) < 0) {
		worker_give_up(worker, &fail);
		job_end(job);
		return;
	}
	log_line("info", "activity.started", "task", workflow_id(job), "worker",
	    worker->name, "activity", job->task->activity_id, NULL);
	job->timer.fire = send_beat;
	job->timer.context = job;
	loop_timer(worker->loop, &job->timer, clock_boot() + BEAT_MS);
}

/* The history is read: it must know the activity. */
static void
history_read(struct job *job)
{
	struct temporal_history *history = job->history;

	job->history = NULL;
	if (!temporal_history_activity(history, job->task->activity_id)) {
		temporal_history_free(history);
		put_not_done(job, "the task's history does not know of it");
		begin_answer(job, send_result);
		return;
	}
	worker_keep(job->worker, run_id(job), history);
	start_effect(job, temporal_history_agent(history));
}

static void
read_page(struct job *job, const ProtobufCBinaryData *token);

static void
page_came(void *context, struct temporal_answer *answer)
{
	struct job *job = context;
	Api__GetWorkflowExecutionHistoryResponse *page;
	struct fail fail;
	size_t i;

	if (answer->status != GRPC_OK) {
		put_not_done(job, answer->fail.message);
		begin_answer(job, send_result);
		return;
	}
	page = (Api__GetWorkflowExecutionHistoryResponse *)answer->message;
	answer->message = NULL;
	for (i = 0; page->history != NULL && i < page->history->n_events; i++)
		if (temporal_history_take(job->history,
			page->history->events[i], &fail) < 0)
			break;
	if (page->history != NULL && i < page->history->n_events) {
		put_not_done(job, fail.message);
		begin_answer(job, send_result);
	} else if (page->next_page_token.len > 0) {
		read_page(job, &page->next_page_token);
	} else {
		history_read(job);
	}
	api__get_workflow_execution_history_response__free_unpacked(page, NULL);
}

static void
read_page(struct job *job, const ProtobufCBinaryData *token)
{
	struct temporal_page page = { .id = workflow_id(job),
		.run = run_id(job),
		.token = token };
	struct fail fail;

	job->page.then = page_came;
	job->page.context = job;
	if (temporal_history(job->worker->temporal, &page, &job->page, &fail) <
	    0) {
		put_not_done(job, fail.message);
		begin_answer(job, send_result);
	}
}

/* What it is to do, from its type and input. */
static bool
read_action(struct job *job)
{
	const char *type = job->task->activity_type != NULL
	    ? job->task->activity_type->name
	    : "";
	struct span json = { "", 0 };
	int64_t attempt = 0, tries = 0;
	struct fail why;
	cJSON *input;
	bool result = true;

	(void)temporal_value(job->task->input, 0, &json);
	input = json_parse(json.at, json.length, &json_limits_upstream, &why);
	(void)json_integer(input, "attempt", &attempt);
	(void)json_integer(input, "tries", &tries);
	job->action.attempt = (unsigned)attempt;
	job->action.tries = (unsigned)tries;
	job->action.members = BUF_INIT(64);
	if (strcmp(type, TEMPORAL_PIN) == 0) {
		job->action.type = ACTION_PIN;
	} else if (strcmp(type, TEMPORAL_MODEL_TURN) == 0) {
		job->action.type = ACTION_MODEL;
		result = json_integer(input, "turn", &job->turn);
	} else if (strcmp(type, TEMPORAL_TOOL_CALL) == 0) {
		job->action.type = ACTION_TOOL;
		job->action.call = mem_string(json_string(input, "call"));
		result = job->action.call != NULL;
	} else {
		result = false;
	}
	cJSON_Delete(input);
	return result;
}

void
job_begin(struct worker_temporal *worker,
    Api__PollActivityTaskQueueResponse *response)
{
	struct job *job = mem_alloc(sizeof(*job));
	const struct temporal_history *kept;

	job->worker = worker;
	job->task = response;
	job->result = BUF_INIT((size_t)EVENT_MAX + 100);
	job->text = BUF_INIT((size_t)EVENT_MAX);
	job->next = worker->jobs;
	worker->jobs = job;
	worker->job_count++;
	if (!read_action(job)) {
		hand_back(job, "it is not an activity of this program");
		return;
	}
	kept = worker_kept(worker, run_id(job));
	if (kept != NULL &&
	    temporal_history_activity(kept, response->activity_id)) {
		start_effect(job, temporal_history_agent(kept));
		return;
	}
	job->history = temporal_history_new(NULL, NULL);
	read_page(job, NULL);
}
