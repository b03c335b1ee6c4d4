/* SPDX-License-Identifier: ISC */
/*
 * How it works: the event that closes the workflow has the journal's last event
 * in it, when a worker of this program has closed it; else it is made here.
 */
#include "common/temporal/history_internal.h"

/* Folds the end: the event in PAYLOADS, or else TYPE with MEMBERS (released).
 * Calls under way whose result is needed become unknown. */
static int
fold_end(struct temporal_history *history, const Api__HistoryEvent *event,
    const Api__Payloads *payloads, enum event_type type, struct buf *members,
    struct fail *fail)
{
	int64_t at = temporal_time(event->event_time);
	struct span text, said = { members->data, members->length };
	struct agent_call call;
	enum event_type read;
	struct span words;
	int result = 0;
	size_t i;

	history->closed = true;
	for (i = 0; i < history->activity_count && result == 0; i++)
		if (history->activities[i].type == ACTION_TOOL &&
		    agent_call(history->agent, history->activities[i].call,
			&call) &&
		    !call.repeatable)
			result = history_lose(history, at,
			    &history->activities[i], "closed",
			    "the workflow was ended while the call "
			    "was under way",
			    -1, fail);
	if (temporal_value(payloads, 0, &text) &&
	    temporal_history_event(text, &read, &words) &&
	    event_is_end(read, NULL)) {
		type = read;
		said = words;
	}
	if (result == 0)
		result = history_fold(history, at, type, said, fail);
	buf_release(members);
	return result;
}

static int
take_workflow_completed(struct temporal_history *history,
    const Api__HistoryEvent *event, struct fail *fail)
{
	struct buf members = BUF_INIT(TEXT_MAX);

	member_string(&members, "result", "");
	return fold_end(history, event,
	    event->workflow_execution_completed_event_attributes->result,
	    EVENT_COMPLETED, &members, fail);
}

static int
take_workflow_failed(struct temporal_history *history,
    const Api__HistoryEvent *event, struct fail *fail)
{
	const Api__Failure *failure =
	    event->workflow_execution_failed_event_attributes->failure;
	const Api__Payloads *details = NULL;
	struct buf members = BUF_INIT(TEXT_MAX);

	if (failure != NULL &&
	    failure->failure_info_case ==
		API__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO)
		details = failure->application_failure_info->details;
	member_error(&members, "workflow_failed",
	    failure != NULL ? failure->message : "", NULL);
	return fold_end(history, event, details, EVENT_FAILED, &members, fail);
}

static int
take_workflow_timed_out(struct temporal_history *history,
    const Api__HistoryEvent *event, struct fail *fail)
{
	struct buf members = BUF_INIT(TEXT_MAX);

	member_error(&members, "timed_out", "the workflow's time is up", NULL);
	return fold_end(history, event, NULL, EVENT_FAILED, &members, fail);
}

static int
take_workflow_canceled(struct temporal_history *history,
    const Api__HistoryEvent *event, struct fail *fail)
{
	struct buf members = BUF_INIT(TEXT_MAX);

	member_string(&members, "reason", "asked for");
	return fold_end(history, event,
	    event->workflow_execution_canceled_event_attributes->details,
	    EVENT_CANCELLED, &members, fail);
}

static int
take_terminated(struct temporal_history *history,
    const Api__HistoryEvent *event, struct fail *fail)
{
	const char *reason =
	    event->workflow_execution_terminated_event_attributes->reason;
	struct buf members = BUF_INIT(TEXT_MAX), text = BUF_INIT(TEXT_MAX);

	buf_print(&text, "terminated%s%s", reason[0] != '\0' ? ": " : "",
	    reason);
	member_string(&members, "reason", text.data);
	buf_release(&text);
	return fold_end(history, event, NULL, EVENT_CANCELLED, &members, fail);
}

int
history_end(struct temporal_history *history, const Api__HistoryEvent *event,
    struct fail *fail)
{
	switch (event->event_type) {
	case TEMPORAL_EVENT(WORKFLOW_EXECUTION_COMPLETED):
		return take_workflow_completed(history, event, fail);
	case TEMPORAL_EVENT(WORKFLOW_EXECUTION_FAILED):
		return take_workflow_failed(history, event, fail);
	case TEMPORAL_EVENT(WORKFLOW_EXECUTION_CANCELED):
		return take_workflow_canceled(history, event, fail);
	case TEMPORAL_EVENT(WORKFLOW_EXECUTION_TERMINATED):
		return take_terminated(history, event, fail);
	default:
		return take_workflow_timed_out(history, event, fail);
	}
}
