/* SPDX-License-Identifier: ISC */
/*
 * The parts of engine_temporal among themselves.
 */
#ifndef COMMON_TEMPORAL_ENGINE_INTERNAL_H
#define COMMON_TEMPORAL_ENGINE_INTERNAL_H

#include "common/agent/engine.h"
#include "common/agent/task_row.h"
#include "common/temporal/api.h"
#include "common/temporal/client.h"
#include "common/temporal/history.h"

#define TEMPORAL_QUEUE_PREFIX "agent-"

struct tale;

struct engine_temporal {
	struct engine engine;
	struct temporal *temporal;
	bool plain;            /* the server has not our search attributes */
	struct tale *followed; /* whose events were asked for last */
};

struct engine_temporal *
engine_temporal_own(struct engine *engine);

/* Sends nothing, for a while. */
int
engine_temporal_pause(struct engine_temporal *own, int64_t milliseconds,
    struct fail *fail);

/* Whether the server refused because it does not know a search attribute. */
bool
engine_temporal_no_attribute(const struct fail *fail);

/* Whether a worker polled the queue lately. */
int
engine_temporal_polled(struct engine_temporal *own, const char *queue,
    bool *ret_polled, struct fail *fail);

/* ---- one task, read from its history ---- */

struct tale {
	struct engine_temporal *own;
	char *id;
	char *run;    /* that is read; NULL or "": the latest */
	char *runs;   /* JSON: those before it, when it is not the
	                        * first, oldest first */
	int next_run; /* of them: to be tried when this one is gone */
	bool alone;   /* all of them are gone */
	struct temporal_history *history;
	struct temporal_answer answer;

	/* what the row has beside the agent */
	char *task, *last, *worker;
	int64_t created_at, updated_at;
	enum event_type last_type;

	/* events for whoever follows: given to EVENT, kept while there is none */
	int (*event)(void *context, struct span text);
	void *context;
	int stopped;   /* what EVENT returned */
	uint64_t seen; /* of events given out */
	bool following, waiting, ended;
	struct buf kept; /* texts, each with a NUL behind it */
	ProtobufCBinaryData token;
	Api__HistoryEvent **held; /* at the end; may still be replaced */
	size_t held_count;
};

struct tale *
tale_new(struct engine_temporal *own, const char *id);

void
tale_free(struct tale *tale); /* NULL is fine */

/* Reads all that there is: begin sends, finish waits. FAIL_NO "no_task". */
int
tale_begin(struct tale *tale, struct fail *fail);

int
tale_finish(struct tale *tale, struct fail *fail);

/* Decides what any worker must decide on a signal that none has seen yet. The
 * tale cannot be read on. */
int
tale_settle(struct tale *tale, struct fail *fail);

/* False for a task that no worker has checked yet. */
bool
tale_row(const struct tale *tale, struct task_row *ret_row);

/* Adds the members of the task's object that the row gives. */
void
tale_members(const struct tale *tale, struct buf *buf);

/* Waits for new events, at most until UNTIL (boot time). */
int
tale_wait(struct tale *tale, int64_t until, struct fail *fail);

/* ---- the operations in the other files ---- */

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
engine_temporal_list(struct engine *engine, const struct engine_filter *filter,
    int (*task)(void *context, struct span text), void *context,
    struct fail *fail);

int
engine_temporal_depth(struct engine *engine, const char *queue, struct buf *buf,
    struct fail *fail);

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

/* FAIL_NEVER, "invalid_id". */
int
engine_temporal_check_id(const char *id, struct fail *fail);

/* ---- a task as a workflow is started with it ---- */

struct opening {
	struct submission *submission;
	char id[ID_TEXT], *doc, *queue;
	struct buf input, pins, memo[6], title;
	struct temporal_field fields[6], attributes[2];
	struct temporal_start start;
	struct temporal_answer answer;
};

/* CRON: of a schedule, or NULL. */
void
opening_fill(struct opening *opening, struct submission *submission,
    const char *cron, bool attributes);

void
opening_release(struct opening *opening);

/* What became of a key that was used before: INPUT is what it was used with.
 * Sets existing or refused. */
void
opening_again(struct opening *opening, const Api__Payloads *input);

/* Makes the search attributes known to the server. */
int
engine_temporal_add_attributes(struct engine_temporal *own, struct fail *fail);

#endif
