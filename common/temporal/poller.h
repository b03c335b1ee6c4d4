/* SPDX-License-Identifier: ISC */
/*
 * poller: a worker's long polls for workflow tasks and activities.
 */
#ifndef COMMON_TEMPORAL_POLLER_H
#define COMMON_TEMPORAL_POLLER_H

#include "common/temporal/worker_internal.h"

/* Makes worker->poller. What its polls bring is handed over to WORKFLOW and to
 * ACTIVITY. */
void
poller_open(struct worker_temporal *worker,
    void (*workflow)(struct worker_temporal *worker,
	Api__PollWorkflowTaskQueueResponse *response),
    void (*activity)(struct worker_temporal *worker,
	Api__PollActivityTaskQueueResponse *response));

void
poller_close(struct poller *poller); /* NULL is fine */

/* Starts as many polls as the limits allow. */
void
poller_more(struct worker_temporal *worker);

/* Starts no more polls, and sets the grace timer; those that are open are not
 * cancelled. */
void
poller_drain(struct worker_temporal *worker);

/* Whether a poll is open. */
bool
poller_is_open(const struct worker_temporal *worker);

#endif
