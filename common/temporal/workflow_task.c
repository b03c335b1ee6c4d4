/* SPDX-License-Identifier: ISC */
/*
 * How it works: a workflow task brings the history; it is folded, as far as it
 * is not known yet, and what the fold wants next goes back as commands. What
 * was decided is folded ahead, so that the history that is kept is at once what
 * an activity needs and where the next workflow task goes on.
 *
 * The server sends the beginning of the history with each task. When that is
 * known and does not reach to the end, the end is read backwards, as far as it
 * is new.
 *
 * A task that cannot be folded is failed once; a repeated one is left to its
 * time limit, since the server would hand out a failed one again at once.
 */
#include "common/temporal/worker_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/json/log.h"

#define CAUSE_NON_DETERMINISTIC 24
#define LIMIT_MS 500
#define LIMIT_MAX_MS 60000
#define BACK_SIZE 16 /* a step has some three batches of events */

struct turn {
	struct worker_temporal *worker;
	Api__PollWorkflowTaskQueueResponse *task;
	struct temporal_history *history; /* not in the worker's while it is
	                                   * being read */
	bool anew;                        /* it is folded from its start */
	struct temporal_answer page, answer;
	Api__HistoryEvent **back; /* read backwards, newest first */
	size_t back_count;
	struct carry *carry; /* reads the run before */
	struct commands carried;
	bool continues;        /* in a new run */
	struct permit *permit; /* whether the limits let it begin */
	bool asked, full;
	int state; /* of the task, after this */
	struct turn *next;
};

static const char *
workflow_id(const struct turn *turn)
{
	return turn->task->workflow_execution->workflow_id;
}

static const char *
run_id(const struct turn *turn)
{
	return turn->task->workflow_execution->run_id;
}

static void
drop_back(struct turn *turn)
{
	while (turn->back_count > 0)
		api__history_event__free_unpacked(
		    turn->back[--turn->back_count], NULL);
	free(turn->back);
	turn->back = NULL;
}

static void
turn_end(struct turn *turn)
{
	struct worker_temporal *worker = turn->worker;
	struct turn **at;

	for (at = &worker->turns; *at != turn; at = &(*at)->next)
		;
	*at = turn->next;
	drop_back(turn);
	carry_end(turn->carry);
	permit_free(turn->permit);
	commands_release(&turn->carried);
	temporal_answer_release(&turn->page);
	temporal_answer_release(&turn->answer);
	temporal_history_free(turn->history);
	api__poll_workflow_task_queue_response__free_unpacked(turn->task, NULL);
	free(turn);
}

void
turn_end_all(struct worker_temporal *worker)
{
	while (worker->turns != NULL)
		turn_end(worker->turns);
}

static void
ended(void *context, struct temporal_answer *answer)
{
	struct turn *turn = context;
	struct worker_temporal *worker = turn->worker;

	if (answer->status != GRPC_OK) {
		/* Events came meanwhile, or it took too long: the next task
		 * tells. */
		log_line(answer->status == GRPC_NOT_FOUND ? "info" : "warning",
		    "task.refused", "task", workflow_id(turn), "reason",
		    answer->fail.message, NULL);
		worker_keep(worker, run_id(turn), NULL);
		if (strstr(answer->fail.message, "earch attribute") != NULL)
			worker->no_attributes = true;
	} else if (turn->state >= 0) {
		if (task_state_final((enum task_state)turn->state)) {
			worker_keep(worker, run_id(turn), NULL);
			job_cut_run(worker, run_id(turn));
			*worker->ret_state = turn->state;
		}
		if (turn->state != TASK_RUNNING)
			worker->took_one = true;
	}
	turn_end(turn);
	worker_poll_more(worker);
}

/* ---- what cannot be answered ---- */

static void
refuse(struct turn *turn, const struct fail *why)
{
	struct worker_temporal *worker = turn->worker;
	Api__RespondWorkflowTaskFailedRequest request;
	Api__Failure failure;
	struct fail fail;

	log_line("error", "unreadable", "task", workflow_id(turn), "reason",
	    why->message, NULL);
	if (turn->task->attempt > 1) {
		turn_end(turn);
		return;
	}
	api__failure__init(&failure);
	failure.message = temporal_text(why->message);
	failure.source = temporal_text("agent-utils");
	api__respond_workflow_task_failed_request__init(&request);
	request.namespace_ = temporal_text(
	    temporal_namespace(worker->temporal));
	request.identity = temporal_text(temporal_identity(worker->temporal));
	request.task_token = turn->task->task_token;
	request.cause = CAUSE_NON_DETERMINISTIC;
	request.failure = &failure;
	turn->state = -1;
	turn->answer.then = ended;
	turn->answer.context = turn;
	if (temporal_send(worker->temporal, TEMPORAL_WORKFLOW_FAILED,
		&request.base, &turn->answer, &fail) < 0)
		turn_end(turn);
}

/* ---- queries ---- */

static void
send_query_answer(struct turn *turn)
{
	struct worker_temporal *worker = turn->worker;
	char *json = query_answer(turn->history, turn->task->query->query_type);
	Api__RespondQueryTaskCompletedRequest request;
	struct temporal_payload room;
	struct fail fail;

	api__respond_query_task_completed_request__init(&request);
	request.namespace_ = temporal_text(
	    temporal_namespace(worker->temporal));
	request.task_token = turn->task->task_token;
	request.completed_type = json != NULL ? QUERY_ANSWERED : QUERY_FAILED;
	if (json != NULL)
		request.query_result = temporal_json(&room,
		    (struct span){ json, strlen(json) });
	else
		request.error_message = temporal_text(query_unknown);
	turn->state = -1;
	turn->answer.then = ended;
	turn->answer.context = turn;
	if (!temporal_history_facts(turn->history).closed) {
		worker_keep(worker, run_id(turn), turn->history);
		turn->history = NULL;
	}
	if (temporal_send(worker->temporal, TEMPORAL_QUERY_COMPLETED,
		&request.base, &turn->answer, &fail) < 0)
		turn_end(turn);
	free(json);
}

/* ---- decisions ---- */

static void
log_record(const struct turn *turn, enum event_type type, struct span event)
{
	cJSON *data = cJSON_ParseWithLength(event.at, event.length);
	const char *reason = json_string(data, "reason");

	log_line("info", event_type_name(type), "task", workflow_id(turn),
	    "worker", turn->worker->name, "call", json_string(data, "call"),
	    "reason",
	    reason != NULL
		? reason
		: json_string(cJSON_GetObjectItemCaseSensitive(data, "error"),
		      "message"),
	    NULL);
	cJSON_Delete(data);
}

/* Puts one decision among the commands and folds it. */
static int
decide(struct turn *turn, struct commands *commands, enum event_type type,
    struct span members, struct fail *fail)
{
	struct buf event = BUF_INIT((size_t)EVENT_MAX + 100);
	struct span span;
	cJSON *data;
	const char *message;
	char *fitted = NULL;
	int kind = TEMPORAL_EVENT_MARKER, result;

	if (type == EVENT_COMPLETED && members.length > RESULT_MAX) {
		fitted = commands_fit_result(members);
		members = (struct span){ fitted, strlen(fitted) };
	}
	buf_print(&event, "{\"type\":\"%s\"%s", event_type_name(type),
	    members.length > 0 ? "," : "");
	buf_add(&event, members.at, members.length);
	buf_add(&event, "}", 1);
	span = (struct span){ event.data, event.length };
	log_record(turn, type, span);
	if (type < EVENT_COMPLETED) {
		commands_marker(commands, span);
	} else {
		data = cJSON_ParseWithLength(span.at, span.length);
		message = json_string(data, "reason");
		if (message == NULL)
			message = json_string(
			    cJSON_GetObjectItemCaseSensitive(data, "error"),
			    "message");
		if (type == EVENT_BLOCKED && turn->worker->attributes)
			commands_show(commands, true, "blocked");
		kind = commands_end(commands, type, span,
		    message != NULL ? message : event_type_name(type));
		cJSON_Delete(data);
	}
	result = temporal_history_ahead(turn->history, kind, NULL, type,
	    members, fail);
	buf_release(&event);
	free(fitted);
	return result;
}

static int
decide_error(struct turn *turn, struct commands *commands, const char *type,
    const char *message, struct fail *fail)
{
	struct buf error = BUF_INIT(1u << 20), members = BUF_INIT(1u << 20);
	int result;

	member_string(&error, "type", type);
	member_string(&error, "message", message);
	buf_print(&members, "\"error\":{%s}", error.data);
	result = decide(turn, commands, EVENT_FAILED,
	    (struct span){ members.data, members.length }, fail);
	buf_release(&error);
	buf_release(&members);
	return result;
}

/* A task that was started by somebody else's program: it is put in form, or
 * refused. */
static int
check_task(struct turn *turn, struct commands *commands, struct fail *fail)
{
	const char *unread = temporal_history_facts(turn->history).unread;
	cJSON *value;
	struct task task;
	struct fail why;
	char *doc, *members;
	int result;

	value = json_parse(unread, strlen(unread), &json_limits_task, &why);
	if (value == NULL ||
	    task_check(value, turn->worker->config, &task, &why) < 0)
		return decide_error(turn, commands, why.type, why.message,
		    fail);
	doc = json_text(task.doc);
	members = mem_print("\"task\":%s", doc);
	result = decide(turn, commands, EVENT_SUBMITTED,
	    (struct span){ members, strlen(members) }, fail);
	free(members);
	free(doc);
	task_release(&task);
	return result;
}

static int
schedule(struct turn *turn, struct commands *commands, const struct plan *plan,
    struct fail *fail)
{
	const struct agent *agent = temporal_history_agent(turn->history);
	struct temporal_facts facts = temporal_history_facts(turn->history);
	const struct action *action;
	struct span members;
	const char *id;
	size_t i;

	for (i = 0; i < plan->count; i++) {
		action = &plan->actions[i];
		if (action->type == ACTION_PIN && facts.pinning)
			continue;
		commands_activity(commands, turn->worker, agent, action,
		    facts.pins + 1, &id);
		members = (struct span){ action->members.data,
			action->members.length };
		if (action->type == ACTION_PIN)
			members = (struct span){ NULL, 0 };
		if (temporal_history_ahead(turn->history,
			TEMPORAL_EVENT_SCHEDULED, id, action->intent, members,
			fail) < 0)
			return -1;
	}
	return 0;
}

static bool
is_to_continue(const struct turn *turn)
{
	struct temporal_facts facts = temporal_history_facts(turn->history);
	struct agent_summary summary;

	agent_summary(temporal_history_agent(turn->history), &summary);
	return !task_state_final(summary.state) &&
	    carry_due(turn->worker, &facts);
}

/* Records every decision and schedules every action; WAKE_AT is when the task
 * has to be looked at again. */
static int
plan(struct turn *turn, struct commands *commands, bool running,
    int64_t *ret_wake_at, struct fail *fail)
{
	const struct agent *agent = temporal_history_agent(turn->history);
	int64_t now = temporal_history_facts(turn->history).now;
	struct plan next;
	int result;

	for (;;) {
		agent_next(agent, now, &next);
		if (!next.has_record)
			break;
		result = decide(turn, commands, next.record,
		    (struct span){ next.record_members.data,
			next.record_members.length },
		    fail);
		plan_release(&next);
		if (result < 0)
			return -1;
	}
	*ret_wake_at = next.wake_at;
	turn->continues = is_to_continue(turn);
	result = running && !turn->continues
	    ? schedule(turn, commands, &next, fail)
	    : 0;
	plan_release(&next);
	return result;
}

static int
set_timer(struct turn *turn, struct commands *commands, int64_t at,
    struct fail *fail)
{
	int64_t now = temporal_history_facts(turn->history).now;
	const char *id;

	if (at <= now || temporal_history_timer(turn->history, at))
		return 0;
	commands_timer(commands, at, now, &id);
	return temporal_history_ahead(turn->history, TEMPORAL_EVENT_TIMER, id,
	    EVENT_WAITING, (struct span){ NULL, 0 }, fail);
}

/* What lists show is brought up to date where it would be wrong. */
static int
show_state(struct turn *turn, struct commands *commands, enum task_state state,
    struct fail *fail)
{
	const struct temporal_facts facts = temporal_history_facts(
	    turn->history);
	const char *shown = facts.shown, *wanted = task_state_name(state);
	struct span begun;
	/* What it was begun with is known to the server, even if we may not
	 * ask for that. */
	bool attribute = !turn->worker->no_attributes &&
	    (turn->worker->attributes ||
		temporal_attribute(facts.attributes, TEMPORAL_STATE, &begun));

	if (strcmp(shown != NULL ? shown : "queued", wanted) == 0)
		return 0;
	commands_show(commands, attribute, wanted);
	return temporal_history_ahead(turn->history,
	    attribute ? TEMPORAL_EVENT_ATTRIBUTES : TEMPORAL_EVENT_MEMO, NULL,
	    EVENT_WAITING, (struct span){ NULL, 0 }, fail);
}

/* The limits do not let it begin yet. It is seldom asked about that has stood
 * in line for long: each time makes five events. */
static int
ask_later(struct turn *turn, struct commands *commands, struct fail *fail)
{
	struct temporal_facts facts = temporal_history_facts(turn->history);
	int64_t delay = LIMIT_MS + facts.last * LIMIT_MS / 10;

	if (delay > LIMIT_MAX_MS)
		delay = LIMIT_MAX_MS;
	turn->state = TASK_QUEUED;
	return set_timer(turn, commands, facts.now + delay, fail);
}

static int
fill_commands(struct turn *turn, struct commands *commands, struct fail *fail)
{
	const struct agent *agent = temporal_history_agent(turn->history);
	struct agent_summary summary;
	struct temporal_facts facts;
	int64_t wake_at = 0;
	bool running;

	if (temporal_history_step(turn->history, &running, fail) < 0)
		return -1;
	if (temporal_history_facts(turn->history).unread != NULL) {
		if (check_task(turn, commands, fail) < 0)
			return -1;
		if (agent_task(agent) == NULL) {
			turn->state = TASK_FAILED;
			return 0;
		}
		agent_summary(agent, &summary);
		running = summary.state == TASK_RUNNING;
	}
	agent_summary(agent, &summary);
	if (task_state_final(summary.state)) {
		turn->state = (int)summary.state;
		return decide_error(turn, commands, "refused",
		    summary.reason != NULL ? summary.reason : "refused", fail);
	}
	if (plan(turn, commands, running && !turn->full, &wake_at, fail) < 0)
		return -1;
	agent_summary(agent, &summary);
	turn->state = (int)summary.state;
	if (task_state_final(summary.state))
		return 0;
	if (turn->continues) {
		turn->state = -1;
		commands_continue(commands, turn->history, run_id(turn));
		return 0;
	}
	if (turn->full && summary.state == TASK_RUNNING)
		return ask_later(turn, commands, fail);
	facts = temporal_history_facts(turn->history);
	if (carry_too_late(&facts))
		return decide_error(turn, commands, "history_full",
		    "the task has more events, or bytes, than Temporal keeps "
		    "of one workflow",
		    fail);
	if (summary.state == TASK_WAITING)
		wake_at = summary.due;
	else if (summary.state == TASK_QUEUED)
		wake_at = agent_task(agent)->not_before;
	if (set_timer(turn, commands, wake_at, fail) < 0)
		return -1;
	return show_state(turn, commands, summary.state, fail);
}

/* Answers the workflow task; the history is kept unless there is more to carry
 * or nothing to go on with. */
static void
respond(struct turn *turn, const struct commands *commands, bool keep)
{
	struct worker_temporal *worker = turn->worker;
	Api__RespondWorkflowTaskCompletedRequest request;
	struct fail fail;

	api__respond_workflow_task_completed_request__init(&request);
	request.namespace_ = temporal_text(
	    temporal_namespace(worker->temporal));
	request.identity = temporal_text(temporal_identity(worker->temporal));
	request.task_token = turn->task->task_token;
	request.resource_id = temporal_text(workflow_id(turn));
	request.n_commands = commands->count;
	request.commands = commands->list;
	request.force_create_new_workflow_task = commands == &turn->carried;
	query_add_results(turn->task, turn->history, &request);
	turn->answer.then = ended;
	turn->answer.context = turn;
	if (keep) {
		worker_keep(worker, run_id(turn), turn->history);
		turn->history = NULL;
	}
	if (temporal_send(worker->temporal, TEMPORAL_WORKFLOW_COMPLETED,
		&request.base, &turn->answer, &fail) < 0) {
		worker_keep(worker, run_id(turn), NULL);
		log_line("error", "task.refused", "task", workflow_id(turn),
		    "reason", fail.message, NULL);
		query_free_results(&request);
		turn_end(turn);
		return;
	}
	query_free_results(&request);
}

/* The run before is gone: the server forgot it before anybody came. */
static void
end_forgotten(struct turn *turn)
{
	struct commands commands = { 0 };
	struct fail fail;

	turn->state = TASK_FAILED;
	if (decide_error(turn, &commands, "history_lost",
		"the server has "
		"forgotten the run that the task was to go on from: its "
		"namespace's retention was over before a worker came",
		&fail) == 0)
		respond(turn, &commands, false);
	else
		refuse(turn, &fail);
	commands_release(&commands);
}

/* The journal of the run before is read. */
static void
carry_came(void *context, const struct fail *fail)
{
	struct turn *turn = context;
	struct worker_temporal *worker = turn->worker;

	if (fail == NULL) {
		log_line("info", "carried", "task", workflow_id(turn), "worker",
		    worker->name, NULL);
		respond(turn, &turn->carried, false);
	} else if (strcmp(fail->type, "not_found") == 0) {
		end_forgotten(turn);
	} else if (fail->kind == FAIL_NOT_NOW) {
		log_line("warning", "history", "task", workflow_id(turn),
		    "reason", fail->message, NULL);
		turn_end(turn);
		worker_poll_more(worker);
	} else {
		refuse(turn, fail);
	}
}

static void
complete(struct turn *turn);

static void
permit_came(void *context, bool free)
{
	struct turn *turn = context;

	permit_free(turn->permit);
	turn->permit = NULL;
	turn->full = !free;
	complete(turn);
}

/* Whether the limits have to be asked first, which goes on with complete().
 * What has begun is shown as something else than queued. */
static bool
asks_first(struct turn *turn, const struct temporal_facts *facts)
{
	const struct task *task = agent_task(
	    temporal_history_agent(turn->history));

	if (turn->asked || task == NULL ||
	    (facts->shown != NULL && strcmp(facts->shown, "queued") != 0))
		return false;
	turn->asked = true;
	turn->permit = permit_ask(turn->worker, task, permit_came, turn);
	return turn->permit != NULL;
}

static void
complete(struct turn *turn)
{
	struct temporal_facts facts = temporal_history_facts(turn->history);
	struct commands commands = { 0 };
	struct fail fail;

	if (turn->task->query != NULL) {
		send_query_answer(turn);
		return;
	}
	if (facts.carrying) {
		turn->carry = carry_begin(turn->worker, workflow_id(turn),
		    run_id(turn), turn->history, &turn->carried, carry_came,
		    turn);
		return;
	}
	if (asks_first(turn, &facts))
		return;
	if (fill_commands(turn, &commands, &fail) < 0)
		refuse(turn, &fail);
	else
		respond(turn, &commands, !turn->continues);
	commands_release(&commands);
}

/* ---- reading the history ---- */

static void
take_events(struct turn *turn, const Api__History *history,
    const ProtobufCBinaryData *token);

static void
page_failed(struct turn *turn, const struct temporal_answer *answer)
{
	log_line("warning", "history", "task", workflow_id(turn), "reason",
	    answer->fail.message, NULL);
	turn_end(turn);
	worker_poll_more(turn->worker);
}

static void
page_came(void *context, struct temporal_answer *answer)
{
	struct turn *turn = context;
	Api__GetWorkflowExecutionHistoryResponse *page;

	if (answer->status != GRPC_OK) {
		page_failed(turn, answer);
		return;
	}
	page = (Api__GetWorkflowExecutionHistoryResponse *)answer->message;
	answer->message = NULL;
	take_events(turn, page->history, &page->next_page_token);
	api__get_workflow_execution_history_response__free_unpacked(page, NULL);
}

static void
start_anew(struct turn *turn)
{
	drop_back(turn);
	temporal_history_free(turn->history);
	turn->history = temporal_history_new(NULL, NULL);
	turn->anew = true;
	take_events(turn, turn->task->history, &turn->task->next_page_token);
}

/* All that is new was read, from the workflow task that has begun. */
static void
take_back(struct turn *turn)
{
	struct fail fail;
	size_t i;

	if (turn->back_count == 0 ||
	    turn->back[0]->event_id != turn->task->started_event_id) {
		start_anew(turn);
		return;
	}
	for (i = turn->back_count; i > 0; i--)
		if (temporal_history_take(turn->history, turn->back[i - 1],
			&fail) < 0) {
			start_anew(turn);
			return;
		}
	complete(turn);
}

static void
read_back(struct turn *turn, const ProtobufCBinaryData *token);

static void
back_came(void *context, struct temporal_answer *answer)
{
	struct turn *turn = context;
	int64_t last = temporal_history_facts(turn->history).last;
	Api__GetWorkflowExecutionHistoryReverseResponse *page;
	Api__HistoryEvent **event;
	size_t i = 0, count;

	if (answer->status != GRPC_OK) {
		page_failed(turn, answer);
		return;
	}
	page = (Api__GetWorkflowExecutionHistoryReverseResponse *)
		   answer->message;
	answer->message = NULL;
	count = page->history != NULL ? page->history->n_events : 0;
	turn->back = mem_grow(turn->back, turn->back_count + count + 1,
	    sizeof(*turn->back));
	for (; i < count; i++) {
		event = &page->history->events[i];
		if ((*event)->event_id <= last)
			break;
		turn->back[turn->back_count++] = *event;
		*event = NULL;
	}
	if (i == count && page->next_page_token.len > 0)
		read_back(turn, &page->next_page_token);
	else
		take_back(turn);
	api__get_workflow_execution_history_reverse_response__free_unpacked(
	    page, NULL);
}

static void
read_back(struct turn *turn, const ProtobufCBinaryData *token)
{
	struct temporal_page page = { .id = workflow_id(turn),
		.run = run_id(turn),
		.token = token,
		.size = BACK_SIZE,
		.reverse = true };
	struct fail fail;

	turn->page.then = back_came;
	turn->page.context = turn;
	if (temporal_history(turn->worker->temporal, &page, &turn->page,
		&fail) < 0)
		turn_end(turn);
}

/* Whether the history is known beyond what came with the task, of which there
 * is more. A task that is repeated is not stored in the history. */
static bool
is_known(const struct turn *turn)
{
	const Api__History *history = turn->task->history;

	return !turn->anew && turn->task->next_page_token.len > 0 &&
	    turn->task->attempt <= 1 && turn->task->query == NULL &&
	    history != NULL && history->n_events > 0 &&
	    history->events[history->n_events - 1]->event_id <=
	    temporal_history_facts(turn->history).last;
}

static void
take_events(struct turn *turn, const Api__History *history,
    const ProtobufCBinaryData *token)
{
	struct temporal_page page = { .id = workflow_id(turn),
		.run = run_id(turn),
		.token = token };
	struct fail fail;
	size_t i;

	for (i = 0; history != NULL && i < history->n_events; i++) {
		if (temporal_history_take(turn->history, history->events[i],
			&fail) == 0)
			continue;
		if (!turn->anew)
			start_anew(turn);
		else
			refuse(turn, &fail);
		return;
	}
	if (token->len == 0) {
		complete(turn);
		return;
	}
	turn->page.then = page_came;
	turn->page.context = turn;
	if (temporal_history(turn->worker->temporal, &page, &turn->page,
		&fail) < 0)
		turn_end(turn);
}

void
turn_begin(struct worker_temporal *worker,
    Api__PollWorkflowTaskQueueResponse *response)
{
	struct turn *turn = mem_alloc(sizeof(*turn));
	struct temporal_history *kept;

	turn->worker = worker;
	turn->task = response;
	turn->state = -1;
	turn->next = worker->turns;
	worker->turns = turn;
	kept = worker_take(worker, run_id(turn));
	turn->anew = kept == NULL;
	turn->history = kept != NULL ? kept : temporal_history_new(NULL, NULL);
	if (is_known(turn))
		read_back(turn, NULL);
	else
		take_events(turn, response->history,
		    &response->next_page_token);
}
