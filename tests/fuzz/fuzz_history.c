/* SPDX-License-Identifier: ISC */
/*
 * A page of a workflow's history, as a server sends it: what is taken from it
 * is a journal, and events that were taken before change nothing.
 */
#include "common/temporal/history.h"
#include "tests/fuzz/fuzz.h"

static void
check_event(void *context, const struct event *event)
{
	uint64_t *seq = context;
	struct event again;
	struct fail fail;

	assert(event->seq == ++*seq);
	assert(event_parse(event->text, &again, &fail) == 0);
	assert(again.type == event->type && again.at == event->at);
}

static size_t
take(struct temporal_history *history,
    const Api__GetWorkflowExecutionHistoryResponse *page)
{
	struct fail fail;
	size_t i;

	for (i = 0; page->history && i < page->history->n_events; i++)
		if (temporal_history_take(history, page->history->events[i],
			&fail) < 0) {
			assert(fail.kind == FAIL_NEVER && *fail.message);
			return i;
		}
	return i;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Api__GetWorkflowExecutionHistoryResponse
	    *page = api__get_workflow_execution_history_response__unpack(NULL,
		size, data);
	struct temporal_history *history;
	uint64_t seq = 0;
	char *once, *twice;

	if (!page)
		return 0;
	history = temporal_history_new(check_event, &seq);
	if (page->history && take(history, page) == page->history->n_events &&
	    agent_task(temporal_history_agent(history))) {
		once = agent_dump(temporal_history_agent(history));
		(void)take(history, page);
		twice = agent_dump(temporal_history_agent(history));
		assert(strcmp(once, twice) == 0);
		free(once);
		free(twice);
	}
	temporal_history_free(history);
	api__get_workflow_execution_history_response__free_unpacked(page, NULL);
	return 0;
}
