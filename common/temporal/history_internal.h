/* SPDX-License-Identifier: ISC */
/*
 * history_internal: the state of a history, into which history_event.c folds
 * events. For the files history*.c only.
 */
#ifndef COMMON_TEMPORAL_HISTORY_INTERNAL_H
#define COMMON_TEMPORAL_HISTORY_INTERNAL_H

#include "common/temporal/history.h"

#define TEXT_MAX ((size_t)EVENT_MAX)

struct activity {
	int64_t scheduled; /* id of the event */
	enum action_type type;
	int64_t turn, attempt;
	char *id, *call;
};

struct running_timer {
	int64_t started; /* id of the event */
	int64_t at;
};

/* It came before all events that are carried into the run. */
struct late_signal {
	int64_t at;
	char *name;
	cJSON *input;
};

struct expected {
	Api__EventType kind;
	char *id;
};

struct temporal_history {
	struct agent *agent;
	void (*event)(void *context, const struct event *event);
	void *context;

	struct temporal_facts facts; /* those that are not computed */
	int64_t task_started;        /* id of the last WorkflowTaskStarted */
	char *worker;
	bool stepped; /* that task's step was folded ahead */

	struct activity *activities;
	size_t activity_count;
	struct running_timer *timers;
	size_t timer_count;
	struct expected *expected;
	size_t expected_count, expected_seen;
	bool passing; /* the event was folded ahead */

	bool cancel_early; /* a cancel came before the task was read */

	/* a run that goes on from another one */
	struct agent *fresh;      /* folded from the journal that is being
	                             * carried into it; NULL: it is complete */
	struct late_signal *late; /* signals that came before all of them */
	size_t late_count;
	int64_t base_size, base_last; /* size and last event before anything
	                               * new; size -1: set by the next event */
};

/* ---- history.c ---- */

/* Replaces *STRING by a copy. */
void
history_set(char **string, const char *value);

/* These free what they name. */
void
history_drop_activities(struct temporal_history *history);

void
history_drop_expected(struct temporal_history *history);

void
history_drop_start(struct temporal_history *history);

struct agent_summary
history_summary(const struct temporal_history *history);

/* Folds one event of the journal; ignored after the end of the task. */
int
history_fold(struct temporal_history *history, int64_t at, enum event_type type,
    struct span members, struct fail *fail);

/* The same; MEMBERS is released. */
int
history_fold_buf(struct temporal_history *history, int64_t at,
    enum event_type type, struct buf *members, struct fail *fail);

/* The text between the braces of an object. */
bool
history_inside(struct span text, struct span *ret);

/* The task's first event; and a cancel, when one came before it. */
int
history_submit(struct temporal_history *history, int64_t at,
    struct span members, struct fail *fail);

/* Submits a task that first had to be put into the form of task_check; the step
 * of its workflow task was counted already. */
int
history_submit_late(struct temporal_history *history, struct span members,
    struct fail *fail);

/* The worker of the last workflow task took the task at AT. */
int
history_bring_started(struct temporal_history *history, int64_t at,
    struct fail *fail);

/* Counts one step of the task, at the start of the last workflow task, and folds
 * "started" when the task's time has come. */
int
history_step(struct temporal_history *history, struct fail *fail);

/* Folds a signal if it fits the task's state; INPUT is changed. While events are
 * still to be carried into the run, it is held back. */
int
history_signal(struct temporal_history *history, int64_t at, const char *name,
    cJSON *input, struct fail *fail);

/* Folds those that were held back. */
int
history_take_late(struct temporal_history *history, struct fail *fail);

/* ---- history_activity.c ---- */

/* An event of an activity. */
int
history_activity(struct temporal_history *history,
    const Api__HistoryEvent *event, struct fail *fail);

/* Folds the end of an activity whose outcome is unknown. DELAY_MS: until it
 * may be tried again, -1 for never. */
int
history_lose(struct temporal_history *history, int64_t at,
    const struct activity *activity, const char *type, const char *message,
    int64_t delay_ms, struct fail *fail);

/* ---- history_carry.c ---- */

/* Copies what the next run has to be started with, too. */
void
history_keep_start(struct temporal_history *history,
    const Api__HistoryEvent *event);

/* The run is not the task's first one: CONTINUED says how it begins; behind it
 * in INPUT are the events of a task that goes on from another one. */
int
history_continue(struct temporal_history *history, struct span continued,
    const Api__Payloads *input, struct fail *fail);

/* The events in a marker TEMPORAL_CARRIED. */
int
history_carried(struct temporal_history *history,
    const Api__HistoryEvent *event, struct fail *fail);

/* ---- history_end.c ---- */

/* The event that closes the workflow. */
int
history_end(struct temporal_history *history, const Api__HistoryEvent *event,
    struct fail *fail);

#endif
