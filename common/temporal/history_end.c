/* SPDX-License-Identifier: ISC */
/*
 * How it works: the event that closes the workflow has the journal's last event
 * in it, when a worker of this program has closed it; else it is made here.
 */
#include "common/temporal/history_internal.h"

#include <stdlib.h>

#include "common/base/mem.h"

/* Calls under way whose result is needed become unknown. */
static int
lose_calls(struct temporal_history *history, int64_t at, struct fail *fail)
{
	const struct activity *activity = history->activities;
	const struct activity *end = activity + history->activity_count;
	struct agent_call call;

	for (; activity < end; activity++)
		if (activity->type == ACTION_TOOL &&
		    agent_call(history->agent, activity->call, &call) &&
		    !call.repeatable &&
		    history_lose(history, at, activity, "closed",
			"the workflow was ended while the call was under way",
			-1, fail) < 0)
			return -1;
	return 0;
}

/* What the end is when the event has none of the journal's: its type, its
 * MEMBERS; returns where the event would have it, or NULL. */
static const Api__Payloads *
read_end(const Api__HistoryEvent *event, enum event_type *ret_type,
    struct buf *members)
{
	const Api__Failure *failure;
	const char *reason;
	char *words;

	switch (event->event_type) {
	case TEMPORAL_EVENT(WORKFLOW_EXECUTION_COMPLETED):
		*ret_type = EVENT_COMPLETED;
		member_string(members, "result", "");
		return event->workflow_execution_completed_event_attributes
		    ->result;
	case TEMPORAL_EVENT(WORKFLOW_EXECUTION_FAILED):
		failure = event->workflow_execution_failed_event_attributes
			      ->failure;
		member_error(members, "workflow_failed",
		    failure != NULL ? failure->message : "", NULL);
		return failure != NULL &&
			failure->failure_info_case ==
			    API__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO
		    ? failure->application_failure_info->details
		    : NULL;
	case TEMPORAL_EVENT(WORKFLOW_EXECUTION_CANCELED):
		*ret_type = EVENT_CANCELLED;
		member_string(members, "reason", "asked for");
		return event->workflow_execution_canceled_event_attributes
		    ->details;
	case TEMPORAL_EVENT(WORKFLOW_EXECUTION_TERMINATED):
		*ret_type = EVENT_CANCELLED;
		reason = event->workflow_execution_terminated_event_attributes
			     ->reason;
		words = mem_print("terminated%s%s",
		    reason[0] != '\0' ? ": " : "", reason);
		member_string(members, "reason", words);
		free(words);
		return NULL;
	default:
		member_error(members, "timed_out", "the workflow's time is up",
		    NULL);
		return NULL;
	}
}

int
history_end(struct temporal_history *history, const Api__HistoryEvent *event,
    struct fail *fail)
{
	int64_t at = temporal_time(event->event_time);
	struct buf members = BUF_INIT(TEXT_MAX);
	enum event_type type = EVENT_FAILED, read;
	const Api__Payloads *payloads = read_end(event, &type, &members);
	struct span text, said = { members.data, members.length }, words;
	int result = lose_calls(history, at, fail);

	history->facts.closed = true;
	if (temporal_value(payloads, 0, &text) &&
	    temporal_history_event(text, &read, &words) &&
	    event_is_end(read, NULL)) {
		type = read;
		said = words;
	}
	if (result == 0)
		result = history_fold(history, at, type, said, fail);
	buf_release(&members);
	return result;
}
