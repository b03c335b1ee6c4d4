/* SPDX-License-Identifier: ISC */
/*
 * temporal_history: reads a workflow's history as the journal of a task. Pure.
 * The worker decides with it and programs that show a task read with it, so
 * both see the same.
 *
 *	history = temporal_history_new(NULL, NULL);
 *	for each event of the run, in order:
 *		temporal_history_take(history, event, &fail);
 *
 * The events of the journal come from these of the history:
 *
 *	WorkflowExecutionStarted   submitted, and pinned when there is a second
 *	                           payload
 *	WorkflowTaskCompleted      started, when the task was queued, or its wait
 *	                           was over, as its workflow task was started
 *	ActivityTaskScheduled      model.started, tool.started
 *	ActivityTaskCompleted      the event in its result
 *	ActivityTaskFailed, ...    model.failed, tool.unknown
 *	MarkerRecorded             the event in it, or those that an earlier
 *	                           run had
 *	WorkflowExecutionSignaled  signal, when it makes sense
 *	the closing events         completed, blocked, failed, cancelled
 *
 * A run that was continued as new may be followed by the next one, and the
 * journal goes on (temporal_history_next). The next run can as well be taken
 * alone.
 *
 * An event in a payload is an object that begins with its type, then its
 * members: {"type":"tool.finished","call":...}. Unknown events are refused
 * unless the server says that they may be ignored.
 */
#ifndef COMMON_TEMPORAL_HISTORY_H
#define COMMON_TEMPORAL_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/agent/agent.h"
#include "common/agent/journal.h"
#include "common/base/fail.h"
#include "common/temporal/message.h"

#define TEMPORAL_WORKFLOW "agent-task"
#define TEMPORAL_MODEL_TURN "model.turn"
#define TEMPORAL_TOOL_CALL "tool.call"
#define TEMPORAL_PIN "pin"
#define TEMPORAL_MARKER "agent.event"    /* details: "event" */
#define TEMPORAL_CARRIED "agent.carried" /* details: "events"; "last" */
#define TEMPORAL_USER "AgentUser"        /* a search attribute, like the next */
#define TEMPORAL_STATE "AgentState"      /* a search attribute */
#define TEMPORAL_STATE_MEMO "state"      /* the same where there is none */
#define TEMPORAL_WORKER_LOST \
	"worker_lost"           /* a failure that is reported, not
                                            * retried by the server: the fold
                                            * decides at once */
#define TEMPORAL_TIMER "until-" /* and wall milliseconds */

struct temporal_history;

/* EVENT (may be NULL) is called for every event of the journal. */
struct temporal_history *
temporal_history_new(void (*event)(void *context, const struct event *event),
    void *context);

void
temporal_history_free(struct temporal_history *history); /* NULL is fine */

/* Takes one event; one that was taken before is skipped. FAIL_NEVER, types
 * "unknown_event", "invalid_journal", "invalid_event"; "history_changed" when
 * the event differs from what was decided ahead (below). The history is then
 * unusable. */
int
temporal_history_take(struct temporal_history *history,
    const Api__HistoryEvent *event, struct fail *fail);

/* After the last event of a run that was continued as new: the first event of
 * the next one is taken next. */
void
temporal_history_next(struct temporal_history *history);

/* Its task is NULL until a submission was read. */
const struct agent *
temporal_history_agent(const struct temporal_history *history);

struct temporal_facts {
	int64_t last; /* id of the last event taken */
	int64_t now;  /* when the last workflow task was started */
	char *unread; /* a task that is not in the form that task_check
	                       * gives it, until a marker "submitted" has it
	                       * in that form; else NULL */
	bool closed;
	char *next_run;    /* of a run that was continued as new, else NULL */
	char *shown;       /* the state as the lists show it, else NULL */
	bool pinning;      /* an activity "pin" is under way */
	int64_t pins;      /* how many there were */
	size_t activities; /* under way */

	/* a run that goes on from another: see history_carry.c */
	bool carrying;    /* its beginning is incomplete: it cannot go on */
	uint64_t carried; /* events of it so far */
	int64_t steps;
	char *runs; /* those before it as a JSON array, oldest first;
	                       * NULL: it is the first */

	bool suggest_new; /* the server wants it to be continued as new */
	int64_t size;     /* bytes of the run's history */
	int64_t own_size, own_events; /* without the carried events */
	Api__Memo *memo; /* what the run was started with, or NULL */
	Api__SearchAttributes *attributes;
};

/* Borrowed until the next call. */
struct temporal_facts
temporal_history_facts(const struct temporal_history *history);

/* Folds the signals that are held back because the run begins with events that
 * are still to be carried into it. Afterwards the history cannot take more
 * events. */
int
temporal_history_settle(struct temporal_history *history, struct fail *fail);

/* Whether a timer for this time is running. */
bool
temporal_history_timer(const struct temporal_history *history, int64_t at);

/* Whether the activity of this id is under way. */
bool
temporal_history_activity(const struct temporal_history *history,
    const char *id);

/* The first argument of the run that continues RUN, which HISTORY was read
 * from: {"task":{...},"continued":{"events":N,"steps":S,"runs":[...]}}. The
 * caller frees. */
char *
temporal_history_input(const struct temporal_history *history, const char *run);

/* Whether EVENT begins a run that continues another one; its first argument. */
bool
temporal_history_continued(const Api__HistoryEvent *event,
    struct span *ret_continued);

/* Reads an event in a payload: its type and its members, in the form of
 * event_write; false when it is not an event. */
bool
temporal_history_event(struct span text, enum event_type *ret_type,
    struct span *ret_members);

/* ---- for the worker: folds decisions before they are in the history ---- */

/* Its agent, for what it is told and nothing records: agent_set_terms, and
 * agent_recall. */
struct agent *
temporal_history_tell(struct temporal_history *history);

/* After the last event, a WorkflowTaskStarted: adds "started" when it is due.
 * *RET_RUNNING: whether the task may go on (else it waits, and only decisions
 * count). */
int
temporal_history_step(struct temporal_history *history, bool *ret_running,
    struct fail *fail);

/* Folds a decision, or an intent, that is sent as a command whose event is of
 * KIND; ID is the id of the activity or timer, else NULL. MEMBERS.at is NULL
 * for kinds that have no event of the journal. */
int
temporal_history_ahead(struct temporal_history *history, Api__EventType kind,
    const char *id, enum event_type type, struct span members,
    struct fail *fail);

/* ---- history_cache.c: histories of runs that this worker has folded, so that
 * the next workflow task and the activities of a run need not fold them again.
 * ---- */

struct history_cache;

struct history_cache *
history_cache_new(void);

void
history_cache_free(struct history_cache *cache); /* NULL is fine */

/* Borrowed until the next call, or NULL. */
struct temporal_history *
history_cache_get(struct history_cache *cache, const char *run);

/* The same, handed over. */
struct temporal_history *
history_cache_take(struct history_cache *cache, const char *run);

/* Takes HISTORY over, and replaces the one that is cached for RUN; NULL removes
 * that one. */
void
history_cache_put(struct history_cache *cache, const char *run,
    struct temporal_history *history);

#endif
