/* SPDX-License-Identifier: ISC */
/*
 * How it works: a workflow task has the history; its new events are folded, and
 * the next steps of the fold are answered as commands. Decisions are folded
 * ahead, so that the cached history has at once the conversation that an
 * activity needs, and the state from which the next workflow task goes on.
 *
 * The server sends the beginning of the history with each task. When that is
 * known and does not reach the end, the new events are read from the end
 * backwards.
 *
 * A task that cannot be folded is failed once; a repeated one is left to its
 * time limit, since the server would send a failed one again at once.
 */
#include "common/temporal/worker_internal.h"

#include <stdlib.h>
#include <string.h>

#include "common/agent/read.h"
#include "common/base/mem.h"
#include "common/json/log.h"
#include "common/temporal/decisions.h"
#include "common/temporal/history_reader.h"
#include "common/temporal/key_waits.h"

#define BACK_SIZE 16 /* a step has some three batches of events */

struct workflow_task {
	struct worker_temporal *worker;
	Api__PollWorkflowTaskQueueResponse *task;
	struct temporal_history *history; /* not in the cache while it is
	                                   * being read */
	bool anew;                        /* it is folded from its start */
	struct temporal_history *again;   /* read once more, for its results */
	bool recalled;
	struct history_reader reader;
	struct temporal_answer answer;
	Api__HistoryEvent **back; /* read backwards, newest first */
	size_t back_count;
	struct carry *carry; /* reads the run before */
	struct commands carried;
	struct permit *permit; /* whether the limits let it begin */
	bool asked, full, waits_for_key;
	int state; /* of the task after this workflow task */
	struct workflow_task *next;
};

static const char *
workflow_id(const struct workflow_task *workflow)
{
	return workflow->task->workflow_execution->workflow_id;
}

static const char *
run_id(const struct workflow_task *workflow)
{
	return workflow->task->workflow_execution->run_id;
}

static void
drop_back(struct workflow_task *workflow)
{
	while (workflow->back_count > 0)
		api__history_event__free_unpacked(
		    workflow->back[--workflow->back_count], NULL);
	free(workflow->back);
	workflow->back = NULL;
}

static void
workflow_task_end(struct workflow_task *workflow)
{
	struct worker_temporal *worker = workflow->worker;
	struct workflow_task **at;

	for (at = &worker->workflow_tasks; *at != workflow; at = &(*at)->next)
		;
	*at = workflow->next;
	drop_back(workflow);
	carry_end(workflow->carry);
	permit_free(workflow->permit);
	commands_release(&workflow->carried);
	history_reader_release(&workflow->reader);
	temporal_answer_release(&workflow->answer);
	temporal_history_free(workflow->history);
	temporal_history_free(workflow->again);
	api__poll_workflow_task_queue_response__free_unpacked(workflow->task,
	    NULL);
	free(workflow);
}

void
workflow_task_end_all(struct worker_temporal *worker)
{
	while (worker->workflow_tasks != NULL)
		workflow_task_end(worker->workflow_tasks);
}

static void
ended(void *context, struct temporal_answer *answer)
{
	struct workflow_task *workflow = context;
	struct worker_temporal *worker = workflow->worker;

	if (answer->status != GRPC_OK) {
		/* Events came meanwhile, or it took too long: the next
		 * workflow task shows which. */
		log_line(answer->status == GRPC_NOT_FOUND ? "info" : "warning",
		    "task.refused", "task", workflow_id(workflow), "reason",
		    answer->fail.message, NULL);
		history_cache_put(worker->histories, run_id(workflow), NULL);
		if (strstr(answer->fail.message, "earch attribute") != NULL)
			worker->no_attributes = true;
	} else if (workflow->state >= 0) {
		key_waits_note(worker, workflow_id(workflow),
		    workflow->waits_for_key);
		if (task_state_final((enum task_state)workflow->state)) {
			history_cache_put(worker->histories, run_id(workflow),
			    NULL);
			activity_task_cut_run(worker, run_id(workflow));
			*worker->ret_state = workflow->state;
		}
		if (workflow->state != TASK_RUNNING)
			worker->took_one = true;
	}
	workflow_task_end(workflow);
	poller_more(worker);
}

/* Answers the workflow task; the server's reply goes to ended. */
static void
send_answer(struct workflow_task *workflow, ProtobufCMessage *request)
{
	struct worker_temporal *worker = workflow->worker;
	struct fail fail;

	workflow->answer.then = ended;
	workflow->answer.context = workflow;
	if (temporal_send(worker->temporal, request, &workflow->answer,
		&fail) == 0)
		return;
	history_cache_put(worker->histories, run_id(workflow), NULL);
	log_line("error", "task.refused", "task", workflow_id(workflow),
	    "reason", fail.message, NULL);
	workflow_task_end(workflow);
}

/* ---- failures ---- */

/* The history cannot be read now: the task comes again after its time limit. */
static void
let_be(struct workflow_task *workflow, const struct fail *why)
{
	struct worker_temporal *worker = workflow->worker;

	log_line("warning", "history", "task", workflow_id(workflow), "reason",
	    why->message, NULL);
	workflow_task_end(workflow);
	poller_more(worker);
}

static void
refuse(struct workflow_task *workflow, const struct fail *why)
{
	Api__RespondWorkflowTaskFailedRequest request;
	Api__Failure failure;

	log_line("error", "unreadable", "task", workflow_id(workflow), "reason",
	    why->message, NULL);
	if (workflow->task->attempt > 1) {
		workflow_task_end(workflow);
		return;
	}
	api__failure__init(&failure);
	failure.message = temporal_text(why->message);
	failure.source = temporal_text("agent-utils");
	api__respond_workflow_task_failed_request__init(&request);
	request.task_token = workflow->task->task_token;
	request.cause = TEMPORAL_ENUM(WORKFLOW_TASK_FAILED_CAUSE,
	    NON_DETERMINISTIC_ERROR);
	request.failure = &failure;
	workflow->state = -1;
	send_answer(workflow, &request.base);
}

/* ---- queries ---- */

static void
send_query_answer(struct workflow_task *workflow)
{
	struct worker_temporal *worker = workflow->worker;
	Api__WorkflowQueryResult *result = query_result(workflow->history,
	    workflow->task->query->query_type);
	Api__RespondQueryTaskCompletedRequest request;

	api__respond_query_task_completed_request__init(&request);
	request.task_token = workflow->task->task_token;
	request.completed_type = result->result_type;
	request.query_result = result->answer;
	request.error_message = result->error_message;
	workflow->state = -1;
	if (!temporal_history_facts(workflow->history).closed) {
		history_cache_put(worker->histories, run_id(workflow),
		    workflow->history);
		workflow->history = NULL;
	}
	send_answer(workflow, &request.base);
	api__workflow_query_result__free_unpacked(result, NULL);
}

/* ---- the answer ---- */

/* Answers the workflow task; with KEEP the history goes into the cache. */
static void
respond(struct workflow_task *workflow, const struct commands *commands,
    bool keep)
{
	struct worker_temporal *worker = workflow->worker;
	Api__RespondWorkflowTaskCompletedRequest request;

	api__respond_workflow_task_completed_request__init(&request);
	request.task_token = workflow->task->task_token;
	request.resource_id = temporal_text(workflow_id(workflow));
	request.n_commands = commands->count;
	request.commands = commands->list;
	request.force_create_new_workflow_task = commands == &workflow->carried;
	query_add_results(workflow->task, workflow->history, &request);
	if (keep) {
		history_cache_put(worker->histories, run_id(workflow),
		    workflow->history);
		workflow->history = NULL;
	}
	send_answer(workflow, &request.base);
	query_free_results(&request);
}

static struct decisions
begin_decisions(const struct workflow_task *workflow)
{
	return (struct decisions){ .worker = workflow->worker,
		.workflow = workflow_id(workflow),
		.run = run_id(workflow),
		.history = workflow->history,
		.full = workflow->full };
}

/* The run before is gone: the server forgot it before a worker came. */
static void
end_forgotten(struct workflow_task *workflow)
{
	struct decisions decisions = begin_decisions(workflow);
	struct fail fail;

	workflow->state = TASK_FAILED;
	if (decisions_fail(&decisions, "history_lost",
		"the server has "
		"forgotten the run that the task was to go on from: its "
		"namespace's retention was over before a worker came",
		&fail) == 0)
		respond(workflow, &decisions.commands, false);
	else
		refuse(workflow, &fail);
	commands_release(&decisions.commands);
}

/* The journal of the run before has been read. */
static void
carry_came(void *context, const struct fail *fail)
{
	struct workflow_task *workflow = context;
	struct worker_temporal *worker = workflow->worker;

	if (fail == NULL) {
		log_line("info", "carried", "task", workflow_id(workflow),
		    "worker", worker->name, NULL);
		respond(workflow, &workflow->carried, false);
	} else if (strcmp(fail->type, "not_found") == 0) {
		end_forgotten(workflow);
	} else if (fail->kind == FAIL_NOT_NOW) {
		let_be(workflow, fail);
	} else {
		refuse(workflow, fail);
	}
}

static void
complete(struct workflow_task *workflow);

static void
permit_came(void *context, bool free)
{
	struct workflow_task *workflow = context;

	permit_free(workflow->permit);
	workflow->permit = NULL;
	workflow->full = !free;
	complete(workflow);
}

/* Whether the limits have to be checked first; complete() goes on afterwards. A
 * task that has begun is not shown as queued. */
static bool
asks_first(struct workflow_task *workflow, const struct temporal_facts *facts)
{
	const struct task *task = agent_task(
	    temporal_history_agent(workflow->history));

	if (workflow->asked || task == NULL ||
	    (facts->shown != NULL && strcmp(facts->shown, "queued") != 0))
		return false;
	workflow->asked = true;
	workflow->permit = permit_ask(workflow->worker, task, permit_came,
	    workflow);
	return workflow->permit != NULL;
}

/* The history has been read again, unless WHY says why not. */
static void
recall_came(void *context, const struct fail *why)
{
	struct workflow_task *workflow = context;

	temporal_history_free(workflow->again);
	workflow->again = NULL;
	workflow->recalled = true;
	if (why == NULL)
		complete(workflow);
	else if (workflow->reader.refused)
		refuse(workflow, why);
	else
		let_be(workflow, why);
}

static void
recall_event(void *context, const struct event *event)
{
	struct workflow_task *workflow = context;

	agent_recall(temporal_history_tell(workflow->history), event);
}

/* Whether calls are answered from earlier events, which are then read first;
 * complete() goes on afterwards. */
static bool
recalls_first(struct workflow_task *workflow)
{
	if (workflow->recalled ||
	    agent_wants(temporal_history_agent(workflow->history)) == 0)
		return false;
	workflow->again = temporal_history_new(recall_event, workflow);
	workflow->reader = (struct history_reader){
		.temporal = workflow->worker->temporal,
		.id = workflow_id(workflow),
		.run = run_id(workflow),
		.history = workflow->again,
		.done = recall_came,
		.context = workflow
	};
	history_reader_read(&workflow->reader, NULL);
	return true;
}

static void
complete(struct workflow_task *workflow)
{
	struct temporal_facts facts = temporal_history_facts(workflow->history);
	struct agent_summary summary;
	struct decisions decisions;
	struct fail fail;

	if (workflow->task->query != NULL) {
		send_query_answer(workflow);
		return;
	}
	if (facts.carrying) {
		workflow->carry = carry_begin(workflow->worker,
		    workflow_id(workflow), run_id(workflow), workflow->history,
		    &workflow->carried, carry_came, workflow);
		return;
	}
	if (asks_first(workflow, &facts) || recalls_first(workflow))
		return;
	decisions = begin_decisions(workflow);
	if (decisions_make(&decisions, &fail) < 0) {
		refuse(workflow, &fail);
	} else {
		workflow->state = decisions.state;
		agent_summary(temporal_history_agent(workflow->history),
		    &summary);
		workflow->waits_for_key = summary.state == TASK_WAITING &&
		    wait_of_key(summary.wait);
		respond(workflow, &decisions.commands, !decisions.continues);
	}
	commands_release(&decisions.commands);
}

/* ---- reading the history ---- */

static void
read_forwards(struct workflow_task *workflow);

static void
start_anew(struct workflow_task *workflow)
{
	drop_back(workflow);
	temporal_history_free(workflow->history);
	workflow->history = temporal_history_new(NULL, NULL);
	workflow->anew = true;
	read_forwards(workflow);
}

static void
history_came(void *context, const struct fail *why)
{
	struct workflow_task *workflow = context;

	if (why == NULL)
		complete(workflow);
	else if (!workflow->reader.refused)
		let_be(workflow, why);
	else if (!workflow->anew)
		start_anew(workflow);
	else
		refuse(workflow, why);
}

/* From its start, of which the first page is in the task. */
static void
read_forwards(struct workflow_task *workflow)
{
	workflow->reader = (struct history_reader){
		.temporal = workflow->worker->temporal,
		.id = workflow_id(workflow),
		.run = run_id(workflow),
		.history = workflow->history,
		.done = history_came,
		.context = workflow
	};
	history_reader_take(&workflow->reader, workflow->task->history,
	    &workflow->task->next_page_token);
}

/* Keeps what is new, until an event is known. */
static int
take_back(void *context, Api__History *page, struct fail *fail)
{
	struct workflow_task *workflow = context;
	int64_t last = temporal_history_facts(workflow->history).last;
	size_t i;

	(void)fail;
	workflow->back = mem_grow(workflow->back,
	    workflow->back_count + page->n_events + 1, sizeof(*workflow->back));
	for (i = 0; i < page->n_events; i++) {
		if (page->events[i]->event_id <= last)
			return 1;
		workflow->back[workflow->back_count++] = page->events[i];
		page->events[i] = NULL;
	}
	return 0;
}

/* All new events were read backwards: takes them in order, if they begin with this
 * workflow task. */
static void
back_came(void *context, const struct fail *why)
{
	struct workflow_task *workflow = context;
	struct fail fail;
	size_t i;

	if (why != NULL) {
		let_be(workflow, why);
		return;
	}
	if (workflow->back_count == 0 ||
	    workflow->back[0]->event_id != workflow->task->started_event_id) {
		start_anew(workflow);
		return;
	}
	for (i = workflow->back_count; i > 0; i--)
		if (temporal_history_take(workflow->history,
			workflow->back[i - 1], &fail) < 0) {
			start_anew(workflow);
			return;
		}
	complete(workflow);
}

static void
read_backwards(struct workflow_task *workflow)
{
	workflow->reader = (struct history_reader){
		.temporal = workflow->worker->temporal,
		.id = workflow_id(workflow),
		.run = run_id(workflow),
		.page = take_back,
		.done = back_came,
		.context = workflow,
		.size = BACK_SIZE,
		.reverse = true
	};
	history_reader_read(&workflow->reader, NULL);
}

/* Whether the cached history reaches beyond the events that came with the task,
 * of which there are more. A repeated task is not stored in the history. */
static bool
is_known(const struct workflow_task *workflow)
{
	const Api__History *history = workflow->task->history;

	return !workflow->anew && workflow->task->next_page_token.len > 0 &&
	    workflow->task->attempt <= 1 && workflow->task->query == NULL &&
	    history != NULL && history->n_events > 0 &&
	    history->events[history->n_events - 1]->event_id <=
	    temporal_history_facts(workflow->history).last;
}

void
workflow_task_begin(struct worker_temporal *worker,
    Api__PollWorkflowTaskQueueResponse *response)
{
	struct workflow_task *workflow = mem_alloc(sizeof(*workflow));
	struct temporal_history *cached;

	workflow->worker = worker;
	workflow->task = response;
	workflow->state = -1;
	workflow->next = worker->workflow_tasks;
	worker->workflow_tasks = workflow;
	cached = history_cache_take(worker->histories, run_id(workflow));
	workflow->anew = cached == NULL;
	workflow->history = cached != NULL ? cached
					   : temporal_history_new(NULL, NULL);
	if (is_known(workflow))
		read_backwards(workflow);
	else
		read_forwards(workflow);
}
