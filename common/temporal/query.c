/* SPDX-License-Identifier: ISC */
/*
 * How it works: the history is folded, and a query is answered with the fold's
 * summary.
 */
#include "common/temporal/decisions.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

/* The JSON text of the answer; the caller frees. */
static char *
state_of(const struct temporal_history *history)
{
	struct buf state = BUF_INIT(1u << 20);
	struct agent_summary summary;

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

Api__WorkflowQueryResult *
query_result(const struct temporal_history *history, const char *type)
{
	Api__WorkflowQueryResult *result = HEAP_NEW(workflow_query_result);
	char *json;

	result->result_type = TEMPORAL_ENUM(QUERY_RESULT_TYPE, FAILED);
	if (strcmp(type, "state") != 0) {
		result->error_message = mem_string(
		    "there is no such query: ask for \"state\"");
		return result;
	}
	json = state_of(history);
	result->result_type = TEMPORAL_ENUM(QUERY_RESULT_TYPE, ANSWERED);
	result->answer = heap_payloads((struct span){ json, strlen(json) });
	free(json);
	return result;
}

void
query_add_results(const Api__PollWorkflowTaskQueueResponse *task,
    const struct temporal_history *history,
    Api__RespondWorkflowTaskCompletedRequest *request)
{
	Api__RespondWorkflowTaskCompletedRequest__QueryResultsEntry *entry;
	size_t i;

	for (i = 0; i < task->n_queries; i++) {
		entry = HEAP_NEW(
		    respond_workflow_task_completed_request__query_results_entry);
		entry->key = mem_string(task->queries[i]->key);
		entry->value = query_result(history,
		    task->queries[i]->value->query_type);
		request->query_results = heap_append(request->query_results,
		    &request->n_query_results, entry);
	}
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
