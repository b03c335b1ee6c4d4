/* SPDX-License-Identifier: ISC */
/*
 * How it works: the first argument shows that a run continues another one:
 * {"task":{...},"continued":{"events":N,"steps":S,"runs":[...]}}. The run begins
 * with markers that have the journal so far, of which the last one says that it
 * is the last. So an open run is enough by itself: the server forgets the closed
 * runs before it when their retention is over.
 *
 * The carried events are folded separately and then replace what was folded from
 * the earlier runs, if anything was. So a program that began with an earlier run
 * sees the same from here on, even if it would read other events from the old run
 * than the program that carried them. Until all are there nothing else is folded:
 * a signal that comes in between is folded after them.
 */
#include "common/temporal/history_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

#define ATTRIBUTES(name) \
	API__HISTORY_EVENT__ATTRIBUTES_##name##_EVENT_ATTRIBUTES

void
history_keep_start(struct temporal_history *history,
    const Api__HistoryEvent *event)
{
	const Api__WorkflowExecutionStartedEventAttributes
	    *started = event->workflow_execution_started_event_attributes;

	history_drop_start(history);
	if (started->memo != NULL)
		history->facts.memo = heap_copy(&started->memo->base);
	if (started->search_attributes != NULL)
		history->facts.attributes = heap_copy(
		    &started->search_attributes->base);
}

bool
temporal_history_continued(const Api__HistoryEvent *event,
    struct span *ret_continued)
{
	const Api__WorkflowExecutionStartedEventAttributes
	    *started = event->workflow_execution_started_event_attributes;
	struct span text;

	return event->event_type ==
	    TEMPORAL_EVENT(WORKFLOW_EXECUTION_STARTED) &&
	    event->attributes_case == ATTRIBUTES(WORKFLOW_EXECUTION_STARTED) &&
	    temporal_value(started->input, 0, &text) &&
	    json_member(text, "continued", ret_continued);
}

char *
temporal_history_input(const struct temporal_history *history, const char *run)
{
	const struct agent *agent = temporal_history_agent(history);
	struct temporal_facts facts = temporal_history_facts(history);
	bool first = facts.runs == NULL || strlen(facts.runs) <= 2;
	struct agent_summary summary;
	char *doc, *input;

	agent_summary(agent, &summary);
	doc = json_text(agent_task(agent)->doc);
	input = mem_print("{\"task\":%s,\"continued\":{\"events\":%" PRIu64
			  ",\"steps\":%" PRId64 ",\"runs\":%.*s%s\"%s\"]}}",
	    doc, summary.seq, facts.steps,
	    first ? 1 : (int)strlen(facts.runs) - 1, first ? "[" : facts.runs,
	    first ? "" : ",", run);
	free(doc);
	return input;
}

void
temporal_history_next(struct temporal_history *history)
{
	history_drop_activities(history);
	history->timer_count = 0;
	history->facts.last = 0;
	history->task_started = 0;
	history->facts.closed = false;
	history_set(&history->facts.next_run, NULL);
	history->facts.suggest_new = false;
	history->facts.pins = 0;
	history->facts.size = history->base_size = history->base_last = 0;
}

/* Folds one event of the journal, copied from the run before. */
static int
carry_event(struct temporal_history *history, struct span text,
    struct fail *fail)
{
	struct event event;
	int result;

	if (event_parse(text, &event, fail) < 0)
		return -1;
	result = agent_apply(history->fresh, &event, fail);
	if (result == 0 && event.seq > history_summary(history).seq &&
	    history->event != NULL)
		history->event(history->context, &event);
	history->facts.carried = event.seq;
	return result;
}

/* All events are there. */
static int
carried_all(struct temporal_history *history, struct fail *fail)
{
	agent_free(history->agent);
	history->agent = history->fresh;
	history->fresh = NULL;
	history->base_size = -1;
	return history_take_late(history, fail);
}

int
history_continue(struct temporal_history *history, struct span continued,
    const Api__Payloads *input, struct fail *fail)
{
	struct json_object object;
	struct span runs, text;
	int64_t steps;
	size_t i;

	if (json_check(continued, &json_limits_upstream, &object, fail) < 0 ||
	    !json_whole(json_get(&object, "steps"), &steps) ||
	    (runs = json_get(&object, "runs")).length == 0 || runs.at[0] != '[')
		return fail_set(fail, FAIL_NEVER, "invalid_event",
		    "the workflow's first argument does not say from what "
		    "it is continued");
	agent_free(history->fresh);
	history->fresh = agent_new();
	history->facts.carried = 0;
	history->facts.steps = steps;
	free(history->facts.runs);
	history->facts.runs = mem_copy(runs.at, runs.length);
	for (i = 1; temporal_value(input, i, &text); i++)
		if (carry_event(history, text, fail) < 0)
			return -1;
	return i > 1 ? carried_all(history, fail) : 0;
}

int
temporal_history_settle(struct temporal_history *history, struct fail *fail)
{
	if (agent_task(history->agent) == NULL)
		return 0;
	agent_free(history->fresh);
	history->fresh = NULL;
	return history_take_late(history, fail);
}

int
history_carried(struct temporal_history *history,
    const Api__HistoryEvent *event, struct fail *fail)
{
	const Api__MarkerRecordedEventAttributes
	    *marker = event->marker_recorded_event_attributes;
	const Api__Payloads *events = NULL;
	struct span text;
	bool last = false;
	size_t i;

	if (history->fresh == NULL)
		return fail_set(fail, FAIL_NEVER, "invalid_journal",
		    "event %" PRId64 " carries a journal into a run that has "
		    "one",
		    event->event_id);
	for (i = 0; i < marker->n_details; i++)
		if (strcmp(marker->details[i]->key, "events") == 0)
			events = marker->details[i]->value;
		else if (strcmp(marker->details[i]->key, "last") == 0)
			last = true;
	for (i = 0; temporal_value(events, i, &text); i++)
		if (carry_event(history, text, fail) < 0)
			return -1;
	return last ? carried_all(history, fail) : 0;
}
