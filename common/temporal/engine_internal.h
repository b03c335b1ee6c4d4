/* SPDX-License-Identifier: ISC */
/*
 * engine_internal: shared by the parts of the engine. engine.c is the table of
 * the operations, which stand in the files above engine_base.c.
 */
#ifndef COMMON_TEMPORAL_ENGINE_INTERNAL_H
#define COMMON_TEMPORAL_ENGINE_INTERNAL_H

#include "common/agent/engine.h"
#include "common/temporal/client.h"
#include "common/temporal/history.h"

#define TEMPORAL_QUEUE_PREFIX "agent-"
#define PROBED_MAX 256

struct follower;

/* What the last probe of a task found. */
struct probed_task {
	char *id;
	bool known; /* it has a user and a state */
	uint64_t version;
	char user[TASK_USER_MAX + 1];
	enum task_state state;
};

struct engine_temporal {
	struct engine engine;
	struct temporal *temporal;
	bool plain;                /* the server lacks our search attributes */
	struct follower *follower; /* of the task whose events were asked for */
	struct probed_task probed[PROBED_MAX];
	size_t probed_count, next_probed;
};

/* ---- engine_base.c ---- */

struct engine_temporal *
engine_temporal_own(struct engine *engine);

/* FAIL_NEVER, "invalid_id". */
int
engine_temporal_check_id(const char *id, struct fail *fail);

/* Whether the server refused because it does not know a search attribute. */
bool
engine_temporal_no_attribute(const struct fail *fail);

/* Makes the search attributes known to the server. */
int
engine_temporal_add_attributes(struct engine_temporal *own, struct fail *fail);

/* Begins a query for our tasks, those of QUEUE unless it is NULL. */
void
engine_temporal_query(struct buf *query, const char *queue);

/* ---- the operations ---- */

int
engine_temporal_get(struct engine *engine, const char *id, struct buf *buf,
    struct fail *fail);

int
engine_temporal_events(struct engine *engine, const char *id, uint64_t after,
    int (*event)(void *context, struct span text), void *context,
    struct fail *fail);

int
engine_temporal_wait(struct engine *engine, int64_t milliseconds,
    struct fail *fail);

int
engine_temporal_probe(struct engine *engine, struct engine_probe *probes,
    size_t count, struct fail *fail);

/* The follower, if there is one, is gone. */
void
engine_temporal_unfollow(struct engine_temporal *own);

int
engine_temporal_signal(struct engine *engine, const char *id,
    const char *signal, struct span members, struct fail *fail);

int
engine_temporal_list(struct engine *engine, const struct engine_filter *filter,
    int (*task)(void *context, struct span text), void *context,
    struct fail *fail);

int
engine_temporal_depth(struct engine *engine, const char *queue, struct buf *buf,
    struct fail *fail);

/* Whether a worker has polled the queue recently. */
int
engine_temporal_polled(struct engine_temporal *own, const char *queue,
    bool *ret_polled, struct fail *fail);

int
engine_temporal_submit(struct engine *engine, struct submission *submissions,
    size_t count, struct fail *fail);

int
engine_temporal_schedule(struct engine *engine, struct submission *submissions,
    size_t count, const char *cron, struct fail *fail);

int
engine_temporal_schedules(struct engine *engine,
    int (*schedule)(void *context, struct span text), void *context,
    struct fail *fail);

int
engine_temporal_schedule_signal(struct engine *engine, const char *id,
    const char *signal, struct fail *fail);

#endif
