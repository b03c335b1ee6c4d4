/* SPDX-License-Identifier: ISC */
/*
 * How it works: while this worker has no task, the server is asked whether any
 * task of the worker's queues wants a worker. Lists may be a moment old, so the
 * answer must be no several times, during which nothing is polled.
 */
#include "common/temporal/worker_internal.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/temporal/history.h"

#define IDLE_MS 300
#define IDLE_LOOKS 3
#define LIST_SIZE 100

struct idle {
	struct worker_temporal *worker;
	struct timer timer;
	struct temporal_answer listing;
	size_t queues_asked;
};

/* Whether the task waits for something other than a worker. The memo shows it
 * when the attribute cannot be used, which may change while the worker runs. */
static bool
is_waiting(const Api__WorkflowExecutionInfo *info)
{
	struct span json;

	return temporal_time(info->execution_time) > clock_wall() ||
	    (temporal_attribute(info->search_attributes, TEMPORAL_STATE,
		 &json) &&
		json_is(json, "waiting")) ||
	    (temporal_memo(info->memo, TEMPORAL_STATE_MEMO, &json) &&
		json_is(json, "waiting"));
}

static void
look_again(struct worker_temporal *worker)
{
	loop_timer(worker->loop, &worker->idle->timer, clock_boot() + IDLE_MS);
}

static void
is_busy(struct worker_temporal *worker)
{
	worker->idle_looks = 0;
	look_again(worker);
	poller_more(worker);
}

/* Asks one queue after the other whether it has a step of a task that seems to
 * wait: for a signal, for example, that no poll has returned yet. */
static void
ask_queues(struct worker_temporal *worker);

static void
queue_came(void *context, struct temporal_answer *answer)
{
	struct worker_temporal *worker = context;
	struct idle *idle = worker->idle;
	const Api__DescribeTaskQueueResponse *queue;

	queue = (const Api__DescribeTaskQueueResponse *)answer->message;
	if (answer->status == GRPC_OK && queue->stats != NULL &&
	    queue->stats->approximate_backlog_count > 0) {
		is_busy(worker);
		return;
	}
	idle->queues_asked++;
	ask_queues(worker);
}

static void
ask_queues(struct worker_temporal *worker)
{
	struct idle *idle = worker->idle;
	struct fail fail;

	if (idle->queues_asked == worker->queue_count) {
		if (++worker->idle_looks >= IDLE_LOOKS)
			poller_drain(worker);
		else
			look_again(worker);
		return;
	}
	idle->listing.then = queue_came;
	if (temporal_queue(worker->temporal, worker->queues[idle->queues_asked],
		false, &idle->listing, &fail) < 0)
		worker_give_up(worker, &fail);
}

static void
listing_came(void *context, struct temporal_answer *answer)
{
	struct worker_temporal *worker = context;
	struct idle *idle = worker->idle;
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
	idle->queues_asked = 0;
	ask_queues(worker);
}

static void
on_idle(void *context)
{
	struct worker_temporal *worker = context;
	struct idle *idle = worker->idle;
	struct buf query = BUF_INIT(1u << 20);
	struct fail fail;
	size_t i;

	if (worker->draining)
		return;
	if (worker->options->once && worker->took_one) {
		poller_drain(worker);
		return;
	}
	if (worker->activity_tasks != NULL || worker->workflow_tasks != NULL) {
		worker->idle_looks = 0;
		look_again(worker);
		return;
	}
	buf_add_string(&query,
	    "WorkflowType = '" TEMPORAL_WORKFLOW
	    "' AND ExecutionStatus = 'Running' AND TaskQueue IN (");
	for (i = 0; i < worker->queue_count; i++) {
		if (i > 0)
			buf_add_string(&query, ", ");
		temporal_quote(&query, worker->queues[i]);
	}
	buf_add_string(&query, ")");
	idle->listing.then = listing_came;
	idle->listing.context = worker;
	if (temporal_list(worker->temporal, query.data, LIST_SIZE, NULL,
		&idle->listing, &fail) < 0)
		worker_give_up(worker, &fail);
	buf_release(&query);
}

void
idle_begin(struct worker_temporal *worker)
{
	worker->idle = mem_alloc(sizeof(*worker->idle));
	worker->idle->worker = worker;
	worker->idle->timer = (struct timer){ .fire = on_idle,
		.context = worker };
	look_again(worker);
}

void
idle_end(struct idle *idle)
{
	if (idle == NULL)
		return;
	loop_cancel(idle->worker->loop, &idle->timer);
	temporal_answer_release(&idle->listing);
	free(idle);
}
