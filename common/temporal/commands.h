/* SPDX-License-Identifier: ISC */
/*
 * commands: the commands that answer a workflow task, on the heap.
 */
#ifndef COMMON_TEMPORAL_COMMANDS_H
#define COMMON_TEMPORAL_COMMANDS_H

#include "common/agent/agent.h"
#include "common/temporal/history.h"
#include "common/temporal/worker_internal.h"

struct commands {
	Api__Command **list;
	size_t count;
};

void
commands_release(struct commands *commands);

/* A marker with EVENT, which has its type and its members. */
void
commands_marker(struct commands *commands, struct span event);

/* A marker for events of earlier runs; returns the marker's details. */
Api__Payloads *
commands_carried(struct commands *commands);

void
commands_carry(Api__Payloads *carried, struct span event);

/* A marker that says that all events are carried. */
void
commands_carried_all(struct commands *commands);

/* Schedules what ACTION says; PIN numbers the activities ACTION_PIN. RET_ID is
 * borrowed from the command. */
void
commands_activity(struct commands *commands,
    const struct worker_temporal *worker, const struct agent *agent,
    const struct action *action, int64_t pin, const char **ret_id);

/* Starts a timer that ends at AT, NOW being the workflow task's time. */
void
commands_timer(struct commands *commands, int64_t at, int64_t now,
    const char **ret_id);

/* Lists are to show STATE, in our search attribute or else in the memo. */
void
commands_show(struct commands *commands, bool attribute, const char *state);

/* The EVENT that ends the task: completed, blocked, failed, cancelled. Returns
 * the type of the history's event that it becomes. */
Api__EventType
commands_end(struct commands *commands, enum event_type type, struct span event,
    const char *message);

/* The run ends, and goes on in a new one. */
void
commands_continue(struct commands *commands,
    const struct temporal_history *history, const char *run);

#endif
