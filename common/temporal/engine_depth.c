/* SPDX-License-Identifier: ISC */
/*
 * How it works: every number is a count of the server's visibility; all are
 * asked for at once. The workers are those that polled the queue recently. Tasks
 * that are open, due and do not wait want a worker: they are pending when one of
 * their steps is in the server's queue, else running.
 *
 * A waiting task is shown as waiting until a worker has handled the timer or
 * signal that woke it, so without a worker it is shown so for ever. But a step
 * for what woke it is in the queue: steps beyond those of the tasks that do not
 * wait belong to such tasks, which are pending. When the server lacks our search
 * attributes, no task is shown as waiting.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/temporal/engine_internal.h"

#define QUERY_MAX (64u << 10)
#define PAGE 256
#define POLL_MS 75000 /* a worker polls again after a minute */
#define DEFAULT_QUEUE TEMPORAL_QUEUE_PREFIX "default"

enum number {
	OPEN,
	WAITING,
	SCHEDULED,
	COMPLETED,
	CANCELLED,
	NOT_DONE,
	BLOCKED
};
#define NUMBERS 7

static const struct {
	const char *condition;
	bool attribute; /* asks for a search attribute */
} counts[NUMBERS] = {
	[OPEN] = { "ExecutionStatus = 'Running'", false },
	[WAITING] = { "ExecutionStatus = 'Running' AND " TEMPORAL_STATE
		      " = 'waiting'",
	    true },
	[SCHEDULED] = { "ExecutionStatus = 'Running' AND ExecutionTime > ",
	    false },
	[COMPLETED] = { "ExecutionStatus = 'Completed'", false },
	[CANCELLED] = { "ExecutionStatus IN ('Canceled','Terminated')", false },
	[NOT_DONE] = { "ExecutionStatus IN ('Failed','TimedOut')", false },
	[BLOCKED] = { "ExecutionStatus = 'Failed' AND " TEMPORAL_STATE
		      " = 'blocked'",
	    true },
};

struct depth {
	struct engine_temporal *own;
	const char *queue; /* NULL: all */
	int64_t now, numbers[NUMBERS];
	char **queues; /* the server's names */
	size_t queue_count;
	int64_t oldest, workers;
	int64_t backlog[2]; /* of workflow tasks, of activities */
};

static void
add_query(const struct depth *depth, const char *condition, struct buf *query)
{
	char now[CLOCK_TEXT];

	engine_temporal_query(query, depth->queue);
	buf_print(query, " AND %s", condition);
	if (condition == counts[SCHEDULED].condition) {
		clock_format(depth->now, now);
		temporal_quote(query, now);
	}
}

static int
count_all(struct depth *depth, struct fail *fail)
{
	struct temporal *temporal = depth->own->temporal;
	struct temporal_answer answers[NUMBERS] = { { .done = false } };
	struct buf query = BUF_INIT(QUERY_MAX);
	bool plain = depth->own->plain;
	int result = 0;
	size_t i;

	for (i = 0; i < NUMBERS && result == 0; i++) {
		buf_reset(&query);
		add_query(depth, counts[i].condition, &query);
		if (!plain || !counts[i].attribute)
			result = temporal_count(temporal, query.data,
			    &answers[i], fail);
	}
	for (i = 0; i < NUMBERS && result == 0; i++) {
		if (plain && counts[i].attribute)
			continue;
		result = temporal_wait(temporal, &answers[i], fail);
		if (result == 0)
			depth->numbers[i] =
			    ((Api__CountWorkflowExecutionsResponse *)(void *)
				    answers[i]
					.message)
				->count;
	}
	for (i = 0; i < NUMBERS; i++)
		temporal_answer_release(&answers[i]);
	buf_release(&query);
	return result;
}

static void
add_queue(struct depth *depth, const char *name)
{
	size_t i;

	for (i = 0; i < depth->queue_count; i++)
		if (strcmp(depth->queues[i], name) == 0)
			return;
	depth->queues = mem_grow(depth->queues, depth->queue_count + 1,
	    sizeof(*depth->queues));
	depth->queues[depth->queue_count++] = mem_string(name);
}

/* Asks for the oldest open tasks that are due, and the names of their queues. */
static int
look_at_open(struct depth *depth, struct fail *fail)
{
	struct temporal_answer answer = { .done = false };
	const Api__ListWorkflowExecutionsResponse *page;
	struct buf query = BUF_INIT(QUERY_MAX);
	struct span state;
	int64_t at;
	int result;
	size_t i;

	add_query(depth, counts[OPEN].condition, &query);
	result = temporal_list(depth->own->temporal, query.data, PAGE, NULL,
	    &answer, fail);
	if (result == 0)
		result = temporal_wait(depth->own->temporal, &answer, fail);
	page = (Api__ListWorkflowExecutionsResponse *)(void *)answer.message;
	for (i = 0; result == 0 && i < page->n_executions; i++) {
		const Api__WorkflowExecutionInfo *info = page->executions[i];

		add_queue(depth, info->task_queue);
		at = temporal_time(info->start_time);
		if (temporal_attribute(info->search_attributes, TEMPORAL_STATE,
			&state) &&
		    !json_is(state, "queued"))
			continue;
		if (temporal_time(info->execution_time) <= depth->now &&
		    (depth->oldest == 0 || at < depth->oldest))
			depth->oldest = at;
	}
	temporal_answer_release(&answer);
	buf_release(&query);
	return result;
}

/* Asks for the queue's pollers of workflow tasks, and for both backlogs. */
static int
look_at_queue(struct depth *depth, const char *name, bool activities,
    struct fail *fail)
{
	struct temporal_answer answer = { .done = false };
	const Api__DescribeTaskQueueResponse *queue;
	int result;
	size_t i;

	result = temporal_queue(depth->own->temporal, name, activities, &answer,
	    fail);
	if (result == 0)
		result = temporal_wait(depth->own->temporal, &answer, fail);
	queue = (Api__DescribeTaskQueueResponse *)(void *)answer.message;
	for (i = 0; result == 0 && !activities && i < queue->n_pollers; i++)
		if (depth->now -
			temporal_time(queue->pollers[i]->last_access_time) <
		    POLL_MS)
			depth->workers++;
	if (result == 0 && queue->stats != NULL)
		depth->backlog[activities] += queue->stats
						  ->approximate_backlog_count;
	temporal_answer_release(&answer);
	return result;
}

/* The queues of the oldest open tasks that were read. */
static void
add_queues(const struct depth *depth, struct buf *members)
{
	const size_t prefix = strlen(TEMPORAL_QUEUE_PREFIX);
	struct buf list = BUF_INIT(QUERY_MAX);
	const char *name;
	size_t i;

	for (i = 0; i < depth->queue_count; i++) {
		name = depth->queues[i];
		if (strncmp(name, TEMPORAL_QUEUE_PREFIX, prefix) != 0)
			continue;
		buf_add_string(&list, list.length > 0 ? "," : "");
		json_quote(&list, name + prefix, strlen(name + prefix));
	}
	buf_print(members, "\"queues\":[%s]", list.length > 0 ? list.data : "");
	buf_release(&list);
}

static int64_t
between(int64_t least, int64_t number, int64_t most)
{
	return number < least ? least : number > most ? most : number;
}

static void
print_depth(const struct depth *depth, struct buf *buf)
{
	const int64_t *number = depth->numbers;
	int64_t waiting = number[WAITING], scheduled = number[SCHEDULED];
	int64_t wanted = between(0, number[OPEN] - waiting - scheduled,
	    number[OPEN]);
	int64_t woken = between(0, depth->backlog[0] - wanted, waiting);
	int64_t ready = between(0, depth->backlog[0] + depth->backlog[1],
	    wanted + woken);

	buf_add_string(buf, "{");
	if (depth->queue != NULL)
		member_string(buf, "queue", depth->queue);
	else
		add_queues(depth, buf);
	member_integer(buf, "ready", ready);
	member_integer(buf, "queued", ready + scheduled);
	member_integer(buf, "running", wanted + woken - ready);
	member_integer(buf, "waiting", waiting - woken);
	member_integer(buf, "completed", number[COMPLETED]);
	member_integer(buf, "blocked", number[BLOCKED]);
	member_integer(buf, "failed", number[NOT_DONE] - number[BLOCKED]);
	member_integer(buf, "cancelled", number[CANCELLED]);
	member_integer(buf, "workers", depth->workers);
	member_integer(buf, "oldest_ready_ms",
	    ready > 0 && depth->oldest > 0 && depth->oldest < depth->now
		? depth->now - depth->oldest
		: 0);
	buf_add_string(buf, "}");
}

int
engine_temporal_polled(struct engine_temporal *own, const char *queue,
    bool *ret_polled, struct fail *fail)
{
	struct depth depth = { .own = own, .now = clock_wall() };

	if (look_at_queue(&depth, queue, false, fail) < 0)
		return -1;
	*ret_polled = depth.workers > 0;
	return 0;
}

int
engine_temporal_depth(struct engine *engine, const char *queue, struct buf *buf,
    struct fail *fail)
{
	struct depth depth = { .own = engine_temporal_own(engine),
		.queue = queue,
		.now = clock_wall() };
	char *name = queue != NULL
	    ? mem_print(TEMPORAL_QUEUE_PREFIX "%s", queue)
	    : mem_string(DEFAULT_QUEUE);
	int result;
	size_t i;

	add_queue(&depth, name);
	result = count_all(&depth, fail);
	if (result < 0 && !depth.own->plain &&
	    engine_temporal_no_attribute(fail)) {
		depth.own->plain = true;
		result = count_all(&depth, fail);
	}
	if (result == 0)
		result = look_at_open(&depth, fail);
	for (i = 0; i < 2 * depth.queue_count && result == 0; i++)
		result = look_at_queue(&depth, depth.queues[i / 2], i % 2 == 1,
		    fail);
	if (result == 0)
		print_depth(&depth, buf);
	for (i = 0; i < depth.queue_count; i++)
		free(depth.queues[i]);
	free(depth.queues);
	free(name);
	return result;
}
