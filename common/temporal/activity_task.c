/* SPDX-License-Identifier: ISC */
/*
 * How it works: an activity's input names its action; the conversation comes
 * from the run's history, which this worker mostly has in its cache, or else
 * from the server. The activity's result is the event for the journal. So
 * every answer of the service, even a failure, completes the activity, and the
 * server repeats one only when its worker is lost: retries are counted once, by
 * the fold.
 */
#include "common/temporal/worker_internal.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/utf8.h"
#include "common/json/log.h"
#include "common/provider/effect.h"
#include "common/temporal/activity_result.h"
#include "common/temporal/history.h"
#include "common/temporal/history_reader.h"
#include "common/temporal/liveness.h"

#define BEAT_MS 1000
#define AGAIN_MS 1000
#define ANSWER_TRIES 60
#define TEXT_SHOWN 4096 /* of a reply under way */

struct activity_task {
	struct worker_temporal *worker;
	Api__PollActivityTaskQueueResponse *task;
	struct activity_result result;
	struct temporal_history *history; /* being read */
	struct effect *effect;
	bool cuttable; /* it may be cut off */
	bool noted;
	bool unwanted; /* its result is not needed any more */
	struct history_reader reader;
	struct temporal_answer beat, answer;
	struct timer timer; /* the next heartbeat, or try to answer */
	int64_t beat_at;    /* boot time of the heartbeat under way */
	int64_t lost_at;    /* boot time: from then on it may have timed out */
	unsigned tries;
	struct buf text;    /* the end of the reply so far */
	size_t text_before; /* bytes before it */
	struct activity_task *next;
};

static const char *
run_id(const struct activity_task *activity)
{
	return activity->task->workflow_execution->run_id;
}

static const char *
workflow_id(const struct activity_task *activity)
{
	return activity->task->workflow_execution->workflow_id;
}

static void
activity_task_free(struct activity_task *activity)
{
	struct worker_temporal *worker = activity->worker;
	struct activity_task **at;

	for (at = &worker->activity_tasks; *at != activity; at = &(*at)->next)
		;
	*at = activity->next;
	worker->activity_task_count--;
	if (activity->noted)
		liveness_drop(worker->liveness, workflow_id(activity),
		    run_id(activity), activity->task->activity_id);
	loop_cancel(worker->loop, &activity->timer);
	effect_cancel(activity->effect);
	history_reader_release(&activity->reader);
	temporal_answer_release(&activity->beat);
	temporal_answer_release(&activity->answer);
	temporal_history_free(activity->history);
	activity_result_release(&activity->result);
	buf_release(&activity->text);
	api__poll_activity_task_queue_response__free_unpacked(activity->task,
	    NULL);
	free(activity);
}

static void
activity_task_end(struct activity_task *activity)
{
	struct worker_temporal *worker = activity->worker;

	activity_task_free(activity);
	poller_more(worker);
}

void
activity_task_end_all(struct worker_temporal *worker)
{
	while (worker->activity_tasks != NULL)
		activity_task_free(worker->activity_tasks);
}

/* ---- the answer ---- */

static void
answered(void *context, struct temporal_answer *answer)
{
	struct activity_task *activity = context;

	if (answer->status != GRPC_OK && answer->fail.kind == FAIL_NOT_NOW &&
	    ++activity->tries < ANSWER_TRIES) {
		loop_timer(activity->worker->loop, &activity->timer,
		    clock_boot() + AGAIN_MS);
		return;
	}
	if (answer->status != GRPC_OK)
		log_line("warning", "activity.refused", "task",
		    workflow_id(activity), "activity",
		    activity->task->activity_id, "reason", answer->fail.message,
		    NULL);
	activity_task_end(activity);
}

static void
send_answer(struct activity_task *activity, ProtobufCMessage *request)
{
	struct fail fail;

	activity->answer.then = answered;
	activity->answer.context = activity;
	if (temporal_send(activity->worker->temporal, request,
		&activity->answer, &fail) == 0)
		return;
	log_line("error", "activity.refused", "task", workflow_id(activity),
	    "reason", fail.message, NULL);
	activity_task_end(activity);
}

static void
send_result(void *context)
{
	struct activity_task *activity = context;
	Api__RespondActivityTaskCompletedRequest request;
	Api__Payloads *result = heap_payloads((struct span){
	    activity->result.text.data, activity->result.text.length });

	api__respond_activity_task_completed_request__init(&request);
	request.task_token = activity->task->task_token;
	request.resource_id = temporal_text(workflow_id(activity));
	request.result = result;
	send_answer(activity, &request.base);
	api__payloads__free_unpacked(result, NULL);
}

/* Its attempt did not end: the server decides whether it is repeated. */
static void
send_failure(void *context)
{
	struct activity_task *activity = context;
	Api__RespondActivityTaskFailedRequest request;
	Api__Failure *failure = heap_failure("handed_back",
	    activity->result.text.data, NULL);

	api__respond_activity_task_failed_request__init(&request);
	request.task_token = activity->task->task_token;
	request.resource_id = temporal_text(workflow_id(activity));
	request.failure = failure;
	send_answer(activity, &request.base);
	api__failure__free_unpacked(failure, NULL);
}

static void
begin_answer(struct activity_task *activity, void (*send)(void *context))
{
	temporal_answer_release(&activity->beat);
	buf_release(&activity->text);
	activity->timer.fire = send;
	activity->timer.context = activity;
	loop_cancel(activity->worker->loop, &activity->timer);
	send(activity);
}

static void
release(struct activity_task *activity, const char *why)
{
	log_line("warning", "activity.released", "task", workflow_id(activity),
	    "activity", activity->task->activity_id, "reason", why, NULL);
	effect_cancel(activity->effect);
	activity->effect = NULL;
	buf_reset(&activity->result.text);
	buf_add_string(&activity->result.text, why);
	begin_answer(activity, send_failure);
}

void
activity_task_release_all(struct worker_temporal *worker)
{
	struct activity_task *activity, *next;

	for (activity = worker->activity_tasks; activity != NULL;
	     activity = next) {
		next = activity->next;
		if (activity->effect != NULL && !activity->unwanted)
			release(activity, "the worker was told to end");
		else if (activity->effect != NULL)
			activity_task_free(activity);
	}
}

void
activity_task_cut_run(struct worker_temporal *worker, const char *run)
{
	struct activity_task *activity, *next;

	for (activity = worker->activity_tasks; activity != NULL;
	     activity = next) {
		next = activity->next;
		if (activity->effect != NULL && activity->cuttable &&
		    strcmp(run_id(activity), run) == 0)
			activity_task_free(activity);
	}
}

/* ---- results ---- */

static void
activity_task_done(void *context, enum event_type type, struct buf *members)
{
	struct activity_task *activity = context;

	activity->effect = NULL;
	activity_result_put(&activity->result, type,
	    (struct span){ members->data, members->length });
	log_line("info", event_type_name(type), "task", workflow_id(activity),
	    "worker", activity->worker->name, "activity",
	    activity->task->activity_id, NULL);
	if (activity->unwanted) {
		log_line("warning", "activity.refused", "task",
		    workflow_id(activity), "activity",
		    activity->task->activity_id, "reason",
		    "nobody waits for its result any more", NULL);
		activity_task_end(activity);
		return;
	}
	activity_result_fit(&activity->result);
	begin_answer(activity, send_result);
}

/* ---- heartbeats ---- */

static void
activity_task_text(void *context, const char *bytes, size_t length)
{
	struct activity_task *activity = context;
	size_t drop;

	buf_add(&activity->text, bytes, length);
	if (activity->text.length < 2 * TEXT_SHOWN)
		return;
	drop = utf8_cut(activity->text.data, activity->text.length,
	    activity->text.length - TEXT_SHOWN);
	buf_consume(&activity->text, drop);
	activity->text_before += drop;
}

/* The server has heard of us at the boot time AT. */
static void
live_from(struct activity_task *activity, int64_t at)
{
	const Api__Duration *heartbeat = activity->task->heartbeat_timeout;

	activity->lost_at = heartbeat != NULL && heartbeat->seconds > 0
	    ? at + heartbeat->seconds * 1000 + heartbeat->nanos / 1000000
	    : INT64_MAX;
}

static void
send_cancelled(struct activity_task *activity)
{
	Api__RespondActivityTaskCanceledRequest request;

	effect_cancel(activity->effect);
	activity->effect = NULL;
	loop_cancel(activity->worker->loop, &activity->timer);
	api__respond_activity_task_canceled_request__init(&request);
	request.task_token = activity->task->task_token;
	request.resource_id = temporal_text(workflow_id(activity));
	activity->tries = ANSWER_TRIES;
	send_answer(activity, &request.base);
}

static void
beat_came(void *context, struct temporal_answer *answer)
{
	struct activity_task *activity = context;
	const Api__RecordActivityTaskHeartbeatResponse *beat;

	if (activity->effect == NULL)
		return;
	if (answer->status == GRPC_OK) {
		live_from(activity, activity->beat_at);
		beat = (const Api__RecordActivityTaskHeartbeatResponse *)
			   answer->message;
		if (beat->cancel_requested && activity->cuttable)
			send_cancelled(activity);
	} else if (answer->status == GRPC_NOT_FOUND) {
		/* It timed out, or the task has ended. */
		log_line("info", "activity.lost", "task", workflow_id(activity),
		    "activity", activity->task->activity_id, NULL);
		activity->unwanted = true;
		activity->lost_at = 0;
		loop_cancel(activity->worker->loop, &activity->timer);
		if (activity->cuttable)
			activity_task_end(activity);
	}
}

static void
send_beat(void *context)
{
	struct activity_task *activity = context;
	Api__RecordActivityTaskHeartbeatRequest request;
	struct buf details = BUF_INIT(1u << 20);
	struct fail fail;

	loop_timer(activity->worker->loop, &activity->timer,
	    clock_boot() + BEAT_MS);
	liveness_touch(activity->worker->liveness);
	if (activity->beat.call != NULL)
		return;
	api__record_activity_task_heartbeat_request__init(&request);
	request.task_token = activity->task->task_token;
	request.resource_id = temporal_text(workflow_id(activity));
	if (activity->text.length > 0) {
		buf_print(&details,
		    "{\"from\":%zu,\"text\":", activity->text_before);
		json_quote(&details, activity->text.data,
		    activity->text.length);
		buf_add_string(&details, "}");
		request.details = heap_payloads(
		    (struct span){ details.data, details.length });
	}
	activity->beat_at = clock_boot();
	activity->beat.then = beat_came;
	activity->beat.context = activity;
	(void)temporal_send(activity->worker->temporal, &request.base,
	    &activity->beat, &fail);
	if (request.details != NULL)
		api__payloads__free_unpacked(request.details, NULL);
	buf_release(&details);
}

/* ---- the beginning ---- */

static void
start_effect(struct activity_task *activity, const struct agent *agent)
{
	struct worker_temporal *worker = activity->worker;
	struct effect_request request = { .id = workflow_id(activity),
		.agent = agent,
		.action = &activity->result.action,
		.not_after = &activity->lost_at,
		.text = activity_task_text,
		.done = activity_task_done,
		.context = activity };
	struct agent_call call;
	struct fail fail;

	activity->cuttable = activity->result.action.type != ACTION_TOOL ||
	    (agent_call(agent, activity->result.action.call, &call) &&
		call.repeatable);
	liveness_add(worker->liveness, workflow_id(activity), run_id(activity),
	    activity->task->activity_id);
	activity->noted = true;
	if (effect_start(worker->effects, &request, &activity->effect, &fail) <
	    0) {
		worker_give_up(worker, &fail);
		activity_task_end(activity);
		return;
	}
	log_line("info", "activity.started", "task", workflow_id(activity),
	    "worker", worker->name, "activity", activity->task->activity_id,
	    NULL);
	activity->timer.fire = send_beat;
	activity->timer.context = activity;
	loop_timer(worker->loop, &activity->timer, clock_boot() + BEAT_MS);
}

/* The history has been read, unless WHY says why not: it must have the
 * activity. */
static void
history_came(void *context, const struct fail *why)
{
	struct activity_task *activity = context;
	struct temporal_history *history = activity->history;

	if (why != NULL) {
		activity_result_not_done(&activity->result, why->message);
		begin_answer(activity, send_result);
		return;
	}
	activity->history = NULL;
	if (!temporal_history_activity(history, activity->task->activity_id)) {
		temporal_history_free(history);
		activity_result_not_done(&activity->result,
		    "the task's history does not know of it");
		begin_answer(activity, send_result);
		return;
	}
	history_cache_put(activity->worker->histories, run_id(activity),
	    history);
	start_effect(activity, temporal_history_agent(history));
}

void
activity_task_begin(struct worker_temporal *worker,
    Api__PollActivityTaskQueueResponse *response)
{
	struct activity_task *activity = mem_alloc(sizeof(*activity));
	const struct temporal_history *cached;

	activity->worker = worker;
	activity->task = response;
	activity->text = BUF_INIT((size_t)EVENT_MAX);
	live_from(activity, clock_boot());
	activity->next = worker->activity_tasks;
	worker->activity_tasks = activity;
	worker->activity_task_count++;
	if (!activity_result_begin(&activity->result, response)) {
		release(activity, "it is not an activity of this program");
		return;
	}
	cached = history_cache_get(worker->histories, run_id(activity));
	if (cached != NULL &&
	    temporal_history_activity(cached, response->activity_id)) {
		start_effect(activity, temporal_history_agent(cached));
		return;
	}
	activity->history = temporal_history_new(NULL, NULL);
	activity->reader = (struct history_reader){
		.temporal = worker->temporal,
		.id = workflow_id(activity),
		.run = run_id(activity),
		.history = activity->history,
		.done = history_came,
		.context = activity
	};
	history_reader_read(&activity->reader, NULL);
}
