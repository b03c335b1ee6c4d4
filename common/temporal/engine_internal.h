/* SPDX-License-Identifier: ISC */
/*
 * engine_internal: shared by the parts of engine_temporal.
 */
#ifndef COMMON_TEMPORAL_ENGINE_INTERNAL_H
#define COMMON_TEMPORAL_ENGINE_INTERNAL_H

#include "common/agent/engine.h"
#include "common/agent/task_row.h"
#include "common/temporal/api.h"
#include "common/temporal/client.h"
#include "common/temporal/history.h"

#define TEMPORAL_QUEUE_PREFIX "agent-"

struct task_reader;

struct engine_temporal {
	struct engine engine;
	struct temporal *temporal;
	bool plain; /* the server lacks our search attributes */
	struct task_reader *followed; /* whose events were asked for last */
};

struct engine_temporal *
engine_temporal_own(struct engine *engine);

/* Waits for MILLISECONDS and sends nothing meanwhile. */
int
engine_temporal_pause(struct engine_temporal *own, int64_t milliseconds,
    struct fail *fail);

/* Whether the server refused because it does not know a search attribute. */
bool
engine_temporal_no_attribute(const struct fail *fail);

/* Whether a worker has polled the queue recently. */
int
engine_temporal_polled(struct engine_temporal *own, const char *queue,
    bool *ret_polled, struct fail *fail);

/* ---- one task, read from its history ---- */

struct task_reader {
	struct engine_temporal *own;
	char *id;
	char *run;    /* the run that is read; NULL or "": the latest */
	char *runs;   /* JSON: those before it, when it is not the
	                        * first, oldest first */
	int next_run; /* of them: to be tried when this one is gone */
	bool alone;   /* all of them are gone */
	struct temporal_history *history;
	struct temporal_answer answer;

	/* members of the row that are not in the agent */
	char *task, *last, *worker;
	int64_t created_at, updated_at;
	enum event_type last_type;

	/* events for a follower: given to EVENT, pending while EVENT is NULL */
	int (*event)(void *context, struct span text);
	void *context;
	int stopped;   /* what EVENT returned */
	uint64_t seen; /* of events given out */
	bool following, waiting, ended;
	struct buf pending; /* texts, each with a NUL behind it */
	ProtobufCBinaryData token;
	Api__HistoryEvent **held; /* at the end; may still be replaced */
	size_t held_count;
};

struct task_reader *
task_reader_new(struct engine_temporal *own, const char *id);

void
task_reader_free(struct task_reader *reader); /* NULL is fine */

/* Reads all that there is: begin sends, finish waits. FAIL_NO "no_task". */
int
task_reader_begin(struct task_reader *reader, struct fail *fail);

int
task_reader_finish(struct task_reader *reader, struct fail *fail);

/* Folds the decisions that any worker must make on a signal that no worker has
 * seen yet. Afterwards the reader cannot read on. */
int
task_reader_settle(struct task_reader *reader, struct fail *fail);

/* False for a task that no worker has checked yet. */
bool
task_reader_row(const struct task_reader *reader, struct task_row *ret_row);

/* Adds the members of the task's object that the row gives. */
void
task_reader_members(const struct task_reader *reader, struct buf *buf);

/* Waits for new events, at most until UNTIL (boot time). */
int
task_reader_wait(struct task_reader *reader, int64_t until, struct fail *fail);

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

/* ---- the request that starts a task's workflow ---- */

struct start_request {
	struct submission *submission;
	char id[ID_TEXT], *doc, *queue;
	struct buf input, pins, memo[6], title;
	struct temporal_field fields[6], attributes[2];
	struct temporal_start start;
	struct temporal_answer answer;
};

/* CRON: of a schedule, or NULL. */
void
start_request_fill(struct start_request *start, struct submission *submission,
    const char *cron, bool attributes);

void
start_request_release(struct start_request *start);

/* Handles a key that was used before: INPUT is the input of that workflow. Sets
 * existing or refused. */
void
start_request_again(struct start_request *start, const Api__Payloads *input);

/* Makes the search attributes known to the server. */
int
engine_temporal_add_attributes(struct engine_temporal *own, struct fail *fail);

#endif
