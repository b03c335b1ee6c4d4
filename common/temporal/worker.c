/* SPDX-License-Identifier: ISC */
/*
 * How it works: a few long polls wait for workflow tasks and for activities of
 * each queue; when one returns, the loop handles the task and sends the poll
 * again. Activities are polled only while there is room for another one.
 *
 * A worker that drains sends no more polls, but does not cancel those under way:
 * a server gives a task to a poll before it knows whether the answer arrives,
 * and a lost task waits for its time limit. A server that can ends the polls
 * when the worker shuts down; for other servers the polls are short, so that an
 * idle worker ends within a second. Short polls cost no more than long ones,
 * because one of each kind is enough while nothing comes; more are sent as soon
 * as one returns a task. A worker that ends when idle polls no more once it
 * seems idle.
 */
#include "common/temporal/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/json/log.h"
#include "common/temporal/worker_internal.h"

#define POLLS 5            /* of each kind, for each queue, under load */
#define POLL_MS 3000       /* the server sends an empty answer after 1 s */
#define POLL_SHORT_MS 2500 /* and after half a second; under 2 s it refuses */
#define NEVER_MS 5000      /* between polls that the server always refuses */
#define IDLE_MS 300
#define IDLE_LOOKS 3 /* lists may be a moment old */
#define LIST_SIZE 100

/* The polls of one kind for one queue. */
struct poller_group {
	char *queue;
	bool activity;
	size_t open, wanted;
};

struct poll {
	struct worker_temporal *worker;
	struct poller_group *group;
	bool open;
	struct temporal_answer answer;
	unsigned failures;
	int64_t not_before; /* clock_boot() */
};

static const char *const default_queue[] = { "default" };

void
worker_give_up(struct worker_temporal *worker, const struct fail *why)
{
	if (!worker->failed)
		worker->why = *why;
	worker->failed = true;
}

/* ---- the cache of histories ---- */

static struct cached_history *
find_kept(struct worker_temporal *worker, const char *run)
{
	size_t i;

	for (i = 0; i < worker->cached_count; i++)
		if (strcmp(worker->cached[i].run, run) == 0)
			return &worker->cached[i];
	return NULL;
}

static void
drop_kept(struct worker_temporal *worker, struct cached_history *cached)
{
	free(cached->run);
	temporal_history_free(cached->history);
	*cached = worker->cached[--worker->cached_count];
}

struct temporal_history *
history_cache_get(struct worker_temporal *worker, const char *run)
{
	struct cached_history *cached = find_kept(worker, run);

	if (cached == NULL)
		return NULL;
	cached->used = ++worker->clock;
	return cached->history;
}

struct temporal_history *
history_cache_take(struct worker_temporal *worker, const char *run)
{
	struct cached_history *cached = find_kept(worker, run);
	struct temporal_history *history;

	if (cached == NULL)
		return NULL;
	history = cached->history;
	cached->history = NULL;
	drop_kept(worker, cached);
	return history;
}

void
history_cache_put(struct worker_temporal *worker, const char *run,
    struct temporal_history *history)
{
	struct cached_history *cached = find_kept(worker, run);
	size_t i, oldest = 0;

	if (cached != NULL)
		drop_kept(worker, cached);
	if (history == NULL)
		return;
	if (worker->cached_count == HISTORY_CACHE_MAX) {
		for (i = 1; i < HISTORY_CACHE_MAX; i++)
			if (worker->cached[i].used <
			    worker->cached[oldest].used)
				oldest = i;
		drop_kept(worker, &worker->cached[oldest]);
	}
	worker->cached[worker->cached_count++] = (struct cached_history){
		.run = mem_string(run),
		.history = history,
		.used = ++worker->clock
	};
}

/* ---- polls ---- */

/* Takes the task from the answer; false when there is none. */
static bool
take_task(struct poll *poll)
{
	struct worker_temporal *worker = poll->worker;
	Api__PollActivityTaskQueueResponse *activity;
	Api__PollWorkflowTaskQueueResponse *workflow;
	ProtobufCMessage *message = poll->answer.message;

	if (poll->group->activity) {
		activity = (Api__PollActivityTaskQueueResponse *)message;
		if (activity->task_token.len == 0 ||
		    activity->workflow_execution == NULL)
			return false;
		poll->answer.message = NULL;
		activity_task_begin(worker, activity);
	} else {
		workflow = (Api__PollWorkflowTaskQueueResponse *)message;
		if (workflow->task_token.len == 0 ||
		    workflow->workflow_execution == NULL)
			return false;
		poll->answer.message = NULL;
		workflow_task_begin(worker, workflow);
	}
	worker->idle_looks = 0;
	return true;
}

static void
note_failure(struct poll *poll)
{
	const struct temporal_answer *answer = &poll->answer;
	int64_t delay = 0;

	if (answer->status == GRPC_DEADLINE_EXCEEDED ||
	    answer->status == GRPC_CANCELLED)
		return;
	delay = grpc_delay(answer->status, ++poll->failures);
	if (poll->failures == 1 || delay < 0)
		log_line("warning", "poll", "queue", poll->group->queue,
		    "reason", answer->fail.message, NULL);
	if (delay < 0 &&
	    (answer->status == GRPC_PERMISSION_DENIED ||
		answer->status == GRPC_UNAUTHENTICATED))
		worker_give_up(poll->worker, &answer->fail);
	poll->not_before = clock_boot() + (delay < 0 ? NEVER_MS : delay);
}

static void
poll_came(void *context, struct temporal_answer *answer)
{
	struct poll *poll = context;
	struct worker_temporal *worker = poll->worker;

	poll->open = false;
	worker->open_polls--;
	poll->group->open--;
	poll->not_before = 0;
	if (answer->status == GRPC_OK) {
		poll->failures = 0;
		poll->group->wanted = take_task(poll) ? POLLS : 1;
	} else {
		note_failure(poll);
	}
	worker_poll_more(worker);
}

static int
send_poll(struct poll *poll, struct fail *fail)
{
	struct temporal *temporal = poll->worker->temporal;
	Api__PollWorkflowTaskQueueRequest workflow;
	Api__PollActivityTaskQueueRequest activity;
	Api__TaskQueue queue;

	api__task_queue__init(&queue);
	queue.name = poll->group->queue;
	queue.kind = TEMPORAL_ENUM(TASK_QUEUE_KIND, NORMAL);
	poll->answer.then = poll_came;
	poll->answer.context = poll;
	if (poll->group->activity) {
		api__poll_activity_task_queue_request__init(&activity);
		activity.namespace_ = temporal_namespace(temporal);
		activity.identity = temporal_identity(temporal);
		activity.task_queue = &queue;
		activity.worker_instance_key = poll->worker->name;
		return temporal_send(temporal, TEMPORAL_POLL_ACTIVITY,
		    &activity.base, &poll->answer, fail);
	}
	api__poll_workflow_task_queue_request__init(&workflow);
	workflow.namespace_ = temporal_namespace(temporal);
	workflow.identity = temporal_identity(temporal);
	workflow.task_queue = &queue;
	workflow.worker_instance_key = poll->worker->name;
	return temporal_send(temporal, TEMPORAL_POLL_WORKFLOW, &workflow.base,
	    &poll->answer, fail);
}

/* Whether a poll may be sent; RET_NEXT is when to check that again. */
static bool
may_poll(const struct poll *poll, size_t busy, int64_t now, int64_t *ret_next)
{
	const struct poller_group *group = poll->group;

	if (poll->open || group->open >= group->wanted ||
	    (group->activity &&
		busy >= (size_t)poll->worker->config->concurrency))
		return false;
	if (poll->not_before <= now)
		return true;
	if (*ret_next == 0 || poll->not_before < *ret_next)
		*ret_next = poll->not_before;
	return false;
}

/* Begins with another queue each time, since there may be room for only one. */
void
worker_poll_more(struct worker_temporal *worker)
{
	size_t i, busy = worker->activity_task_count;
	int64_t now = clock_boot(), next = 0;
	struct poll *poll;
	struct fail fail;

	if (worker->draining || worker->idle_looks > 0)
		return;
	for (i = 0; i < worker->group_count; i++)
		busy += worker->groups[i].activity ? worker->groups[i].open : 0;
	worker->next_group += POLLS;
	for (i = 0; i < worker->poll_count; i++) {
		poll = &worker->polls[(worker->next_group + i) %
		    worker->poll_count];
		if (!may_poll(poll, busy, now, &next))
			continue;
		if (send_poll(poll, &fail) < 0) {
			worker_give_up(worker, &fail);
			return;
		}
		poll->open = true;
		worker->open_polls++;
		poll->group->open++;
		busy += poll->group->activity;
	}
	if (next != 0)
		loop_timer(worker->loop, &worker->again, next);
}

static void
on_again(void *context)
{
	worker_poll_more(context);
}

/* ---- draining ---- */

static void
on_grace(void *context)
{
	struct worker_temporal *worker = context;

	worker->grace_over = true;
	activity_task_release_all(worker);
}

/* Tells the server that this worker ends; if it can, it ends the polls at once. */
static void
say_goodbye(struct worker_temporal *worker)
{
	size_t i, count = worker->group_count / 2;
	struct fail fail;

	worker->goodbyes = mem_alloc(count * sizeof(*worker->goodbyes));
	for (i = 0; i < count; i++)
		(void)temporal_shutdown_worker(worker->temporal,
		    worker->groups[i * 2].queue, "", worker->name,
		    &worker->goodbyes[i], &fail);
}

static void
drain(struct worker_temporal *worker)
{
	if (worker->draining)
		return;
	worker->draining = true;
	loop_timer(worker->loop, &worker->grace,
	    clock_boot() + worker->config->grace_ms);
	say_goodbye(worker);
}

static void
on_signal(void *context, int signal)
{
	struct worker_temporal *worker = context;

	if (signal == SIGCHLD) { /* as PID 1 we have to reap orphans */
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		return;
	}
	log_line("info", "drain", "worker", worker->name, "reason",
	    strsignal(signal), NULL);
	if (worker->draining)
		on_grace(worker);
	drain(worker);
}

/* Whether nothing is left to wait for. Polls that are still under way after the
 * grace are not waited for. */
static bool
is_done(const struct worker_temporal *worker)
{
	return worker->failed ||
	    (worker->draining && worker->activity_tasks == NULL &&
		worker->workflow_tasks == NULL &&
		(worker->open_polls == 0 || worker->grace_over));
}

/* ---- ending when idle ---- */

static bool
says_waiting(bool known, struct span json)
{
	return known && json.length == 9 &&
	    memcmp(json.at, "\"waiting\"", 9) == 0;
}

/* Whether the task waits for something other than a worker. The memo shows it
 * when the attribute cannot be used, which may change while the worker runs. */
static bool
is_waiting(const Api__WorkflowExecutionInfo *info)
{
	struct span json = { "", 0 };
	bool known = temporal_attribute(info->search_attributes, TEMPORAL_STATE,
	    &json);

	if (temporal_time(info->execution_time) > clock_wall() ||
	    says_waiting(known, json))
		return true;
	known = temporal_memo(info->memo, TEMPORAL_STATE_MEMO, &json);
	return says_waiting(known, json);
}

static void
look_again(struct worker_temporal *worker)
{
	loop_timer(worker->loop, &worker->idle, clock_boot() + IDLE_MS);
}

static void
is_busy(struct worker_temporal *worker)
{
	worker->idle_looks = 0;
	look_again(worker);
	worker_poll_more(worker);
}

/* Asks one queue after the other whether it has a step of a task that seems to
 * wait: for a signal, for example, that no poll has returned yet. */
static void
ask_queues(struct worker_temporal *worker);

static void
queue_came(void *context, struct temporal_answer *answer)
{
	struct worker_temporal *worker = context;
	const Api__DescribeTaskQueueResponse *queue;

	queue = (const Api__DescribeTaskQueueResponse *)answer->message;
	if (answer->status == GRPC_OK && queue->stats != NULL &&
	    queue->stats->approximate_backlog_count > 0) {
		is_busy(worker);
		return;
	}
	worker->queues_asked++;
	ask_queues(worker);
}

static void
ask_queues(struct worker_temporal *worker)
{
	struct fail fail;

	if (worker->queues_asked == worker->group_count / 2) {
		if (++worker->idle_looks >= IDLE_LOOKS)
			drain(worker);
		else
			look_again(worker);
		return;
	}
	worker->listing.then = queue_came;
	if (temporal_queue(worker->temporal,
		worker->groups[worker->queues_asked * 2].queue, false,
		&worker->listing, &fail) < 0)
		worker_give_up(worker, &fail);
}

static void
listing_came(void *context, struct temporal_answer *answer)
{
	struct worker_temporal *worker = context;
	const Api__ListWorkflowExecutionsResponse *list;
	size_t i;

	if (answer->status != GRPC_OK) {
		look_again(worker);
		return;
	}
	list = (const Api__ListWorkflowExecutionsResponse *)answer->message;
	for (i = 0; i < list->n_executions; i++)
		if (!is_waiting(list->executions[i]))
			break;
	if (i < list->n_executions || list->next_page_token.len > 0) {
		is_busy(worker);
		return;
	}
	worker->queues_asked = 0;
	ask_queues(worker);
}

static void
on_idle(void *context)
{
	struct worker_temporal *worker = context;
	struct buf query = BUF_INIT(1u << 20);
	struct fail fail;
	size_t i;

	if (worker->draining)
		return;
	if (worker->options->once && worker->took_one) {
		drain(worker);
		return;
	}
	if (worker->activity_tasks != NULL || worker->workflow_tasks != NULL) {
		worker->idle_looks = 0;
		loop_timer(worker->loop, &worker->idle, clock_boot() + IDLE_MS);
		return;
	}
	buf_add_string(&query,
	    "WorkflowType = '" TEMPORAL_WORKFLOW
	    "' AND ExecutionStatus = 'Running' AND TaskQueue IN (");
	for (i = 0; i < worker->group_count; i += 2) {
		if (i > 0)
			buf_add_string(&query, ", ");
		temporal_quote(&query, worker->groups[i].queue);
	}
	buf_add_string(&query, ")");
	worker->listing.then = listing_came;
	worker->listing.context = worker;
	if (temporal_list(worker->temporal, query.data, LIST_SIZE, NULL,
		&worker->listing, &fail) < 0)
		worker_give_up(worker, &fail);
	buf_release(&query);
}

/* ---- beginning and end ---- */

static void
attributes_came(void *context, struct temporal_answer *answer)
{
	struct worker_temporal *worker = context;

	worker->attributes = answer->status == GRPC_OK ||
	    answer->status == GRPC_ALREADY_EXISTS;
	if (!worker->attributes)
		log_line("debug", "attributes", "reason", answer->fail.message,
		    NULL);
}

/* Lists by state need a search attribute; without it tasks run nevertheless. */
static int
add_attributes(struct worker_temporal *worker, struct fail *fail)
{
	Api__AddSearchAttributesRequest__SearchAttributesEntry entry, *list;
	Api__AddSearchAttributesRequest request;

	api__add_search_attributes_request__search_attributes_entry__init(
	    &entry);
	entry.key = temporal_text(TEMPORAL_STATE);
	entry.value = TEMPORAL_ENUM(INDEXED_VALUE_TYPE, KEYWORD);
	list = &entry;
	api__add_search_attributes_request__init(&request);
	request.namespace_ = temporal_namespace(worker->temporal);
	request.n_search_attributes = 1;
	request.search_attributes = &list;
	worker->attributes_answer.then = attributes_came;
	worker->attributes_answer.context = worker;
	return temporal_send(worker->temporal, TEMPORAL_ATTRIBUTES_ADD,
	    &request.base, &worker->attributes_answer, fail);
}

static void
make_polls(struct worker_temporal *worker)
{
	const struct worker_options *options = worker->options;
	size_t count = options->queue_count > 0 ? options->queue_count : 1;
	const char *const *names = options->queue_count > 0 ? options->queues
							    : default_queue;
	size_t i;

	worker->group_count = count * 2;
	worker->groups = mem_alloc(
	    worker->group_count * sizeof(*worker->groups));
	for (i = 0; i < worker->group_count; i++)
		worker->groups[i] = (struct poller_group){ .activity = i % 2 ==
			    1,
			.queue = mem_print("agent-%s", names[i / 2]),
			.wanted = 1 };
	worker->poll_count = worker->group_count * POLLS;
	worker->polls = mem_alloc(worker->poll_count * sizeof(*worker->polls));
	for (i = 0; i < worker->poll_count; i++)
		worker->polls[i] = (struct poll){ .worker = worker,
			.group = &worker->groups[i / POLLS] };
}

/* Whether the server is available and has the namespace. */
static int
check_server(struct worker_temporal *worker, struct fail *fail)
{
	struct temporal_answer answer = { 0 };
	int result = -1;

	if (temporal_describe_namespace(worker->temporal, &answer, fail) == 0)
		result = temporal_wait(worker->temporal, &answer, fail);
	temporal_answer_release(&answer);
	return result;
}

static int
begin(struct worker_temporal *worker, const char *folder, struct fail *fail)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGCHLD, 0 };
	bool until_idle = worker->options->once ||
	    worker->options->exit_when_idle;
	struct temporal_options options = { .target = worker->target,
		.poll_ms = until_idle ? POLL_SHORT_MS : POLL_MS };
	struct id id = id_new();
	struct fail why;

	id_format(&id, worker->name);
	if (loop_open(&worker->loop, fail) < 0 ||
	    loop_signals(worker->loop, signals, on_signal, worker, fail) < 0 ||
	    effects_open(worker->loop, worker->config, &worker->effects, fail) <
		0 ||
	    temporal_open(worker->loop, &options, &worker->temporal, fail) <
		0 ||
	    add_attributes(worker, fail) < 0 || check_server(worker, fail) < 0)
		return -1;
	/* before a task has to be in lists; a refusal is not a failure */
	(void)temporal_wait(worker->temporal, &worker->attributes_answer, &why);
	if (liveness_open(worker, folder, &worker->liveness, &why) < 0)
		log_line("warning", "notes", "reason", why.message, NULL);
	worker->again = (struct timer){ .fire = on_again, .context = worker };
	worker->grace = (struct timer){ .fire = on_grace, .context = worker };
	worker->idle = (struct timer){ .fire = on_idle, .context = worker };
	make_polls(worker);
	worker_poll_more(worker);
	if (until_idle)
		loop_timer(worker->loop, &worker->idle, clock_boot() + IDLE_MS);
	log_line("info", "ready", "worker", worker->name, NULL);
	return 0;
}

static void
release(struct worker_temporal *worker)
{
	size_t i;

	activity_task_end_all(worker);
	workflow_task_end_all(worker);
	for (i = 0; i < worker->poll_count; i++)
		temporal_answer_release(&worker->polls[i].answer);
	for (i = 0; worker->goodbyes != NULL && i < worker->group_count / 2;
	     i++)
		temporal_answer_release(&worker->goodbyes[i]);
	for (i = 0; i < worker->group_count; i++)
		free(worker->groups[i].queue);
	free(worker->goodbyes);
	free(worker->polls);
	free(worker->groups);
	temporal_answer_release(&worker->listing);
	temporal_answer_release(&worker->attributes_answer);
	while (worker->cached_count > 0)
		drop_kept(worker, &worker->cached[0]);
	permit_forget_all(worker);
	liveness_close(worker->liveness);
	temporal_close(worker->temporal);
	effects_close(worker->effects);
	loop_close(worker->loop);
}

int
worker_temporal_run(const char *target, const char *folder,
    const struct config *config, const struct worker_options *options,
    int *ret_state, struct fail *fail)
{
	struct worker_temporal *worker = mem_alloc(sizeof(*worker));
	int result = -1;

	*ret_state = -1;
	log_verbose(options->verbose);
	worker->target = target;
	worker->config = config;
	worker->options = options;
	worker->ret_state = ret_state;
	if (begin(worker, folder, fail) < 0)
		goto out;
	while (!is_done(worker))
		if (loop_turn(worker->loop, -1, fail) < 0)
			goto out;
	if (worker->failed) {
		*fail = worker->why;
		goto out;
	}
	result = 0;
	log_line("info", "end", "worker", worker->name, NULL);
out:
	release(worker);
	free(worker);
	return result;
}
