/* SPDX-License-Identifier: ISC */
/*
 * How it works: the history is folded, and a query is answered with the fold's
 * summary.
 */
#include "common/temporal/decisions.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

const char query_unknown[] = "there is no such query: ask for \"state\"";

char *
query_answer(const struct temporal_history *history, const char *type)
{
	struct buf state = BUF_INIT(1u << 20);
	struct agent_summary summary;

	if (strcmp(type, "state") != 0)
		return NULL;
	agent_summary(temporal_history_agent(history), &summary);
	buf_add_string(&state, "{");
	member_string(&state, "state", task_state_name(summary.state));
	if (summary.reason != NULL)
		member_string(&state, "reason", summary.reason);
	member_integer(&state, "turns", summary.turns);
	member_integer(&state, "calls", summary.calls);
	member_integer(&state, "calls_unknown", summary.calls_unknown);
	member_integer(&state, "events", (int64_t)summary.seq);
	buf_add_string(&state, "}");
	return buf_detach(&state, NULL);
}

void
query_add_results(const Api__PollWorkflowTaskQueueResponse *task,
    const struct temporal_history *history,
    Api__RespondWorkflowTaskCompletedRequest *request)
{
	Api__RespondWorkflowTaskCompletedRequest__QueryResultsEntry *entry;
	size_t i, count = task->n_queries;
	char *json;

	if (count == 0)
		return;
	request->query_results = mem_alloc(
	    count * sizeof(*request->query_results));
	for (i = 0; i < count; i++) {
		entry = HEAP_NEW(
		    respond_workflow_task_completed_request__query_results_entry);
		entry->key = mem_string(task->queries[i]->key);
		entry->value = HEAP_NEW(workflow_query_result);
		json = query_answer(history,
		    task->queries[i]->value->query_type);
		entry->value->result_type = json != NULL
		    ? TEMPORAL_ENUM(QUERY_RESULT_TYPE, ANSWERED)
		    : TEMPORAL_ENUM(QUERY_RESULT_TYPE, FAILED);
		if (json != NULL)
			entry->value->answer = heap_payloads(
			    (struct span){ json, strlen(json) });
		else
			entry->value->error_message = mem_string(query_unknown);
		free(json);
		request->query_results[i] = entry;
	}
	request->n_query_results = count;
}

void
query_free_results(Api__RespondWorkflowTaskCompletedRequest *request)
{
	size_t i;

	for (i = 0; i < request->n_query_results; i++)
		protobuf_c_message_free_unpacked(
		    &request->query_results[i]->base, NULL);
	free(request->query_results);
}
