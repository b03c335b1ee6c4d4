/* SPDX-License-Identifier: ISC */
/*
 * activity_result: what an activity is to do, and the event of the journal that
 * comes of it.
 */
#ifndef COMMON_TEMPORAL_ACTIVITY_RESULT_H
#define COMMON_TEMPORAL_ACTIVITY_RESULT_H

#include "common/agent/agent.h"
#include "common/temporal/api.h"

struct activity_result {
	struct action action;
	int64_t turn; /* of ACTION_MODEL */
	enum event_type type;
	struct buf text; /* of the event: its type and its members */
};

/* Reads the action from the activity's type and input; false when it is none of
 * this program's. To be released in any case. */
bool
activity_result_begin(struct activity_result *result,
    const Api__PollActivityTaskQueueResponse *task);

void
activity_result_release(struct activity_result *result);

void
activity_result_put(struct activity_result *result, enum event_type type,
    struct span members);

/* The action certainly did not happen and may be retried. */
void
activity_result_not_done(struct activity_result *result, const char *message);

/* Shrinks a result that the server would accept at first and refuse later. */
void
activity_result_fit(struct activity_result *result);

#endif
