/* SPDX-License-Identifier: ISC */
/*
 * How it works: a few polls for each queue and kind; when one returns, the loop
 * handles the task and sends the poll again. Activities are polled only while
 * there is room for another one.
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
#include "common/temporal/worker_internal.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/json/log.h"

#define POLLS 5       /* of each kind, for each queue, under load */
#define NEVER_MS 5000 /* between polls that the server always refuses */

/* The polls of one kind for one queue. */
struct poller_group {
	char *queue; /* the worker's */
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

struct poller {
	struct worker_temporal *worker;
	void (*workflow)(struct worker_temporal *worker,
	    Api__PollWorkflowTaskQueueResponse *response);
	void (*activity)(struct worker_temporal *worker,
	    Api__PollActivityTaskQueueResponse *response);
	struct poller_group *groups; /* two for each queue */
	struct poll *polls;
	size_t group_count, poll_count, open, next_group;
	struct timer again;
	struct temporal_answer *goodbyes; /* one for each queue, or NULL */
};

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
		worker->poller->activity(worker, activity);
	} else {
		workflow = (Api__PollWorkflowTaskQueueResponse *)message;
		if (workflow->task_token.len == 0 ||
		    workflow->workflow_execution == NULL)
			return false;
		poll->answer.message = NULL;
		worker->poller->workflow(worker, workflow);
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
	worker->poller->open--;
	poll->group->open--;
	poll->not_before = 0;
	if (answer->status == GRPC_OK) {
		poll->failures = 0;
		poll->group->wanted = take_task(poll) ? POLLS : 1;
	} else {
		note_failure(poll);
	}
	poller_more(worker);
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
		activity.task_queue = &queue;
		activity.worker_instance_key = poll->worker->name;
		return temporal_send(temporal, &activity.base, &poll->answer,
		    fail);
	}
	api__poll_workflow_task_queue_request__init(&workflow);
	workflow.task_queue = &queue;
	workflow.worker_instance_key = poll->worker->name;
	return temporal_send(temporal, &workflow.base, &poll->answer, fail);
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
poller_more(struct worker_temporal *worker)
{
	struct poller *poller = worker->poller;
	size_t i, busy = worker->activity_task_count;
	int64_t now = clock_boot(), next = 0;
	struct poll *poll;
	struct fail fail;

	if (worker->draining || worker->idle_looks > 0)
		return;
	for (i = 0; i < poller->group_count; i++)
		busy += poller->groups[i].activity ? poller->groups[i].open : 0;
	poller->next_group += POLLS;
	for (i = 0; i < poller->poll_count; i++) {
		poll = &poller->polls[(poller->next_group + i) %
		    poller->poll_count];
		if (!may_poll(poll, busy, now, &next))
			continue;
		if (send_poll(poll, &fail) < 0) {
			worker_give_up(worker, &fail);
			return;
		}
		poll->open = true;
		poller->open++;
		poll->group->open++;
		busy += poll->group->activity;
	}
	if (next != 0)
		loop_timer(worker->loop, &poller->again, next);
}

static void
on_again(void *context)
{
	poller_more(context);
}

void
poller_open(struct worker_temporal *worker,
    void (*workflow)(struct worker_temporal *worker,
	Api__PollWorkflowTaskQueueResponse *response),
    void (*activity)(struct worker_temporal *worker,
	Api__PollActivityTaskQueueResponse *response))
{
	struct poller *poller = mem_alloc(sizeof(*poller));
	size_t i;

	poller->worker = worker;
	poller->workflow = workflow;
	poller->activity = activity;
	poller->again = (struct timer){ .fire = on_again, .context = worker };
	poller->group_count = worker->queue_count * 2;
	poller->groups = mem_alloc(
	    poller->group_count * sizeof(*poller->groups));
	for (i = 0; i < poller->group_count; i++)
		poller->groups[i] = (struct poller_group){ .activity = i % 2 ==
			    1,
			.queue = worker->queues[i / 2],
			.wanted = 1 };
	poller->poll_count = poller->group_count * POLLS;
	poller->polls = mem_alloc(poller->poll_count * sizeof(*poller->polls));
	for (i = 0; i < poller->poll_count; i++)
		poller->polls[i] = (struct poll){ .worker = worker,
			.group = &poller->groups[i / POLLS] };
	worker->poller = poller;
}

void
poller_close(struct poller *poller)
{
	size_t i;

	if (poller == NULL)
		return;
	for (i = 0; i < poller->poll_count; i++)
		temporal_answer_release(&poller->polls[i].answer);
	for (i = 0; poller->goodbyes != NULL && i < poller->worker->queue_count;
	     i++)
		temporal_answer_release(&poller->goodbyes[i]);
	loop_cancel(poller->worker->loop, &poller->again);
	free(poller->goodbyes);
	free(poller->polls);
	free(poller->groups);
	free(poller);
}

/* Tells the server that this worker ends; if it can, it ends the polls at once. */
static void
say_goodbye(struct worker_temporal *worker)
{
	struct poller *poller = worker->poller;
	struct fail fail;
	size_t i;

	poller->goodbyes = mem_alloc(
	    worker->queue_count * sizeof(*poller->goodbyes));
	for (i = 0; i < worker->queue_count; i++)
		(void)temporal_shutdown_worker(worker->temporal,
		    worker->queues[i], worker->name, &poller->goodbyes[i],
		    &fail);
}

void
poller_drain(struct worker_temporal *worker)
{
	if (worker->draining)
		return;
	worker->draining = true;
	loop_timer(worker->loop, &worker->grace,
	    clock_boot() + worker->config->grace_ms);
	say_goodbye(worker);
}

bool
poller_is_open(const struct worker_temporal *worker)
{
	return worker->poller->open > 0;
}
