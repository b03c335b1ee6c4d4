/* SPDX-License-Identifier: ISC */
/*
 * How it works: the first start of a batch is sent alone, to find out whether
 * the server is available and knows our search attributes. The others are sent
 * WINDOW at a time.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/temporal/start_request.h"

#define WINDOW 32
#define ATTRIBUTES_MS 15000 /* until every part of the server knows them */

/* The key was used before: reads the input of that workflow. */
static int
compare(struct engine_temporal *own, struct start_request *start,
    struct fail *fail)
{
	struct temporal_page page = { .id = start->id, .size = 1 };
	Api__GetWorkflowExecutionHistoryResponse *response;
	const Api__HistoryEvent *first;

	if (temporal_history(own->temporal, &page, &start->answer, fail) < 0 ||
	    temporal_wait(own->temporal, &start->answer, fail) < 0)
		return -1;
	response = (Api__GetWorkflowExecutionHistoryResponse *)(void *)
		       start->answer.message;
	first = response->history != NULL && response->history->n_events > 0
	    ? response->history->events[0]
	    : NULL;
	start_request_again(start,
	    first != NULL &&
		    first->event_type ==
			TEMPORAL_EVENT(WORKFLOW_EXECUTION_STARTED)
		? first->workflow_execution_started_event_attributes->input
		: NULL);
	return 0;
}

/* Handles the answer to one start. It is a failure only when the server cannot
 * be asked, which concerns all others, too. */
static int
finish(struct engine_temporal *own, struct start_request *start,
    struct fail *fail)
{
	struct submission *submission = start->submission;
	struct fail why;

	memcpy(submission->id, start->id, ID_TEXT);
	if (temporal_wait(own->temporal, &start->answer, &why) == 0)
		return 0;
	if (strcmp(why.type, "already_exists") == 0 &&
	    submission->task->key != NULL && compare(own, start, &why) == 0)
		return 0;
	if (why.kind == FAIL_NOT_NOW || strcmp(why.type, "no_namespace") == 0 ||
	    engine_temporal_no_attribute(&why)) {
		*fail = why;
		return -1;
	}
	submission->refused = true;
	submission->fail = why;
	return 0;
}

static int
begin(struct engine_temporal *own, struct start_request *start,
    struct fail *fail)
{
	struct submission *submission = start->submission;
	struct fail why;

	if (start->size <= TEMPORAL_BLOB_MAX)
		return start_request_send(own, start, fail);
	fail_set(&why, FAIL_NEVER, "too_large",
	    "the task and its tools have %zu bytes, and Temporal takes %zu: "
	    "name fewer tools in it",
	    start->size, TEMPORAL_BLOB_MAX);
	submission->refused = true;
	submission->fail = why;
	return 0;
}

/* Sends the first one; adds the search attributes if the server lacks them. */
static int
submit_first(struct engine_temporal *own, struct start_request *start,
    struct fail *fail)
{
	int64_t until = 0;
	int result;

	for (;;) {
		result = begin(own, start, fail);
		if (result == 0 && !start->submission->refused)
			result = finish(own, start, fail);
		if (result == 0 || own->plain ||
		    !engine_temporal_no_attribute(fail))
			return result;
		if (until == 0) {
			until = clock_boot() + ATTRIBUTES_MS;
			own->plain = engine_temporal_add_attributes(own, fail) <
			    0;
		}
		own->plain = own->plain || clock_boot() > until;
		if (!own->plain && temporal_pause(own->temporal, 100, fail) < 0)
			return -1;
	}
}

/* After a failure the other starts were not sent, or their outcome is unknown. */
static void
fail_rest(struct submission *submissions, size_t from, size_t count,
    const struct fail *fail)
{
	size_t i;

	for (i = from; i < count; i++) {
		submissions[i].refused = true;
		submissions[i].fail = *fail;
	}
}

static int
submit_rest(struct engine_temporal *own, struct start_request *starts,
    struct submission *submissions, size_t count, struct fail *fail)
{
	size_t sent = 1, finished = 1;
	int result = 0;

	while (finished < count) {
		while (sent < count && sent - finished < WINDOW) {
			start_request_fill(&starts[sent], &submissions[sent],
			    NULL);
			result = begin(own, &starts[sent++], fail);
			if (result < 0)
				goto out;
		}
		if (!submissions[finished].refused)
			result = finish(own, &starts[finished], fail);
		if (result < 0)
			goto out;
		start_request_release(&starts[finished++]);
	}
out:
	if (result < 0)
		fail_rest(submissions, finished, count, fail);
	while (finished < sent)
		start_request_release(&starts[finished++]);
	return 0;
}

int
engine_temporal_submit(struct engine *engine, struct submission *submissions,
    size_t count, struct fail *fail)
{
	struct engine_temporal *own = engine_temporal_own(engine);
	struct start_request *starts;
	int result;

	if (count == 0)
		return 0;
	starts = mem_alloc(count * sizeof(*starts));
	start_request_fill(&starts[0], &submissions[0], NULL);
	result = submit_first(own, &starts[0], fail);
	start_request_release(&starts[0]);
	if (result == 0)
		result = submit_rest(own, starts, submissions, count, fail);
	free(starts);
	return result;
}
