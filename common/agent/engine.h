/* SPDX-License-Identifier: ISC */
/*
 * engine: one interface to all that can store tasks. store/engine.c uses one
 * directory on one machine, engine_temporal a Temporal cluster.
 *
 * Results are JSON, the same from every engine; agent-status(1) describes a
 * task's object, agent-journal(5) the events.
 */
#ifndef COMMON_AGENT_ENGINE_H
#define COMMON_AGENT_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/agent/config.h"
#include "common/agent/journal.h"
#include "common/agent/task.h"
#include "common/base/buf.h"
#include "common/base/fail.h"

/* What an engine does: engine->ops->get(engine, ...). Each engine's own
 * struct begins with this one. */
struct engine {
	const struct engine_operations *ops;
};

enum engine_mode { ENGINE_READ, ENGINE_WRITE, ENGINE_CREATE };

/* The options of agent-worker, the same for every engine. */
struct worker_options {
	const char *const *queues; /* count 0: all */
	size_t queue_count;
	bool verbose;        /* log each event of a task */
	bool once;           /* one task, then end */
	bool exit_when_idle; /* end when nothing is ready and nothing runs */
};

struct submission {
	const struct task *task;
	struct span pins; /* members of "pinned"; length 0: not checked yet */
	struct span journal;       /* a line for each event of a task that goes
	                            * on from another one; else length 0 */
	const struct agent *agent; /* which has folded it */
	/* filled in: */
	char id[37];
	bool existing; /* the key was used before, for the same task */
	bool refused;  /* fail says why: the key was used for another
	                          * task, or this task cannot be taken */
	struct fail fail;
};

struct engine_filter {
	const char *user, *queue, *before; /* NULL: any */
	int state;                         /* -1: any */
	size_t limit;
};

/* The owners of tasks, and a number that shows whether they have changed:
 * VERSION differs when the results of get or events may differ. One probe of
 * many tasks is cheap. */
struct engine_probe {
	const char *id;
	/* filled in: */
	bool found; /* false for a bad id, too */
	char user[TASK_USER_MAX + 1];
	enum task_state state;
	uint64_t version;
};

struct engine_operations {
	void (*close)(struct engine *engine);

	/* SUBMIT refuses a task beyond its user's limit of open tasks itself,
	 * in its commit; then engine_admit has nothing to do. */
	bool admits;

	/* Adds all of them durably, in one commit if the engine has commits;
	 * then wakes the workers. */
	int (*submit)(struct engine *engine, struct submission *submissions,
	    size_t count, struct fail *fail);

	/* Adds one task's object to BUF. FAIL_NO, type "no_task". */
	int (*get)(struct engine *engine, const char *id, struct buf *buf,
	    struct fail *fail);

	/* Calls EVENT with each event after AFTER, in order, until it returns
	 * non-zero, which is returned. */
	int (*events)(struct engine *engine, const char *id, uint64_t after,
	    int (*event)(void *context, struct span text), void *context,
	    struct fail *fail);

	/* Calls TASK with each task's object, newest first. */
	int (*list)(struct engine *engine, const struct engine_filter *filter,
	    int (*task)(void *context, struct span text), void *context,
	    struct fail *fail);

	/* SIGNAL: "cancel", "pause", "resume", "approve", "deny"; MEMBERS:
	 * further members of the event ("call", "message", "by") as raw JSON,
	 * or "". FAIL_NO when the task has ended ("task_ended") or the signal
	 * does not fit its state ("wrong_state"). */
	int (*signal)(struct engine *engine, const char *id, const char *signal,
	    struct span members, struct fail *fail);

	/* Adds the numbers of a queue (NULL: all) to BUF as one object. For all
	 * queues it has, if the engine knows them: "queues" (the known names),
	 * "waits" (tasks by what they wait for), "sums" (of all tasks ever,
	 * pruned ones too). */
	int (*depth)(struct engine *engine, const char *queue, struct buf *buf,
	    struct fail *fail);

	/* Sleeps until something may have changed, or for MILLISECONDS. */
	int (*wait)(struct engine *engine, int64_t milliseconds,
	    struct fail *fail);

	int (*probe)(struct engine *engine, struct engine_probe *probes,
	    size_t count, struct fail *fail);

	/* A descriptor of the engine that becomes readable when something may
	 * have changed; wait with 0 makes it unreadable again. WATCH is NULL
	 * when the engine has none: then poll from time to time. */
	int (*watch)(struct engine *engine, int *ret_fd, struct fail *fail);

	/* Runs the tasks at each time of CRON; the ids are the schedules'. NULL,
	 * as the next two, when there are no schedules. */
	int (*schedule)(struct engine *engine, struct submission *submissions,
	    size_t count, const char *cron, struct fail *fail);

	/* Calls SCHEDULE with each schedule's object. */
	int (*schedules)(struct engine *engine,
	    int (*schedule)(void *context, struct span text), void *context,
	    struct fail *fail);

	/* SIGNAL: "pause", "resume", "trigger", "delete". FAIL_NO, type
	 * "no_schedule". */
	int (*schedule_signal)(struct engine *engine, const char *id,
	    const char *signal, struct fail *fail);
};

/* ---- in cli/engine_open.c, which alone knows every engine ---- */

/* NAME: NULL or "lmdb", whose store is FOLDER, or
 * "temporal://HOST:PORT/NAMESPACE"; others are FAIL_NEVER. */
int
engine_open(const char *name, const char *folder, enum engine_mode mode,
    const struct config *config, struct engine **ret_engine, struct fail *fail);

/* Whether NAME (may be NULL) begins as the targets of Temporal do. */
bool
engine_is_temporal(const char *name);

/* Runs Temporal's worker, as worker_run of store/worker.h does the store's.
 * FAIL_NEVER, type "unknown_engine", where the programs were built or installed
 * without Temporal. */
int
engine_work_temporal(const char *target, const char *folder,
    const struct config *config, const struct worker_options *options,
    int *ret_state, struct fail *fail);

/* ---- for every engine ---- */

void
engine_close(struct engine *engine); /* NULL is fine */

/* Checks whether the user of TASK may have one more open task. FAIL_NOT_NOW,
 * type "too_many_tasks", when the user's open tasks and the user's tasks among
 * the COUNT SUBMISSIONS of this batch are MOST (0: no limit) already. */
int
engine_admit(struct engine *engine, const struct task *task,
    const struct submission *submissions, size_t count, int64_t most,
    struct fail *fail);

/* Says that the user has MOST open tasks. -1. */
int
engine_fail_open(const char *user, int64_t most, struct fail *fail);

/* Submits, or with CRON, which may be NULL, schedules. */
int
engine_submit(struct engine *engine, struct submission *submissions,
    size_t count, const char *cron, struct fail *fail);

/* Whether the engine has schedules: FAIL_NEVER, type "no_schedules", if not. */
int
engine_check_schedules(const struct engine *engine, struct fail *fail);

#endif
