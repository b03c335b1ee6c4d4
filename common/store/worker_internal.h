/* SPDX-License-Identifier: ISC */
/*
 * worker_internal: a worker, and one task that it has leased. For worker.c and
 * worker_run.c only.
 */
#ifndef COMMON_STORE_WORKER_INTERNAL_H
#define COMMON_STORE_WORKER_INTERNAL_H

#include "common/base/loop.h"
#include "common/provider/effect.h"
#include "common/store/task_session.h"
#include "common/store/worker.h"

/* The outcome of an effect that is not recorded yet. */
struct fact {
	enum event_type type;
	struct buf members;
};

struct run;

/* An effect under way. */
struct effect_slot {
	struct run *run;
	struct effect *effect;
	enum action_type type;
	struct effect_slot *next;
};

struct run {
	struct worker *worker;
	struct task_session session;
	char id[ID_TEXT];
	uint64_t fence; /* of our lease */
	bool dirty;     /* has to be advanced in this tick */
	bool lost;      /* another worker has the lease now */
	struct fact *facts;
	size_t fact_count;
	struct effect_slot *slots;
	struct plan plan;   /* of this tick; its actions start after the
	                         * commit */
	struct timer timer; /* plan.wake_at */
	int progress;       /* the progress file, -1: not open */
	bool has_progress;  /* the file is there */
	struct buf text;    /* of the reply, not in the file yet */
	struct timer look;  /* when it is to be written */
};

struct worker {
	struct store *store;
	const struct config *config;
	const struct worker_options *options;
	struct loop *loop;
	struct effects *effects;
	struct id id;
	char name[ID_TEXT];
	bool dirty; /* a tick is due */
	bool draining;
	bool grace_over;
	/* The rest is for worker.c only. */
	struct run **runs;
	size_t count;
	struct watch notify;
	int wake_folder, workers_folder; /* inotify's numbers for them */
	struct timer renew, poll, due, grace, probe;
	int64_t held_until; /* wall time: until then the model's key is refused,
	                     * and no task is leased; 0: it is not */
	bool wake_keys;     /* what waits for a key is to try again */
	size_t probes;      /* probes of dead workers' locks so far */
	bool renew_due, probe_due;
	bool took_one; /* for --once */
	bool leave;
	int *ret_state;
};

/* Opens a task that was just leased; records "started". In the transaction. */
int
run_open(struct worker *worker, const struct task_row *row, int64_t now,
    struct run **ret_run, struct fail *fail);

void
run_close(struct run *run); /* cuts off its effects */

/* Records outcomes that came in, and decisions. In the transaction. */
int
run_advance(struct run *run, int64_t now, struct fail *fail);

/* Starts the effects whose intents run_advance recorded. After the commit. */
int
run_start_effects(struct run *run, struct fail *fail);

/* An upper bound for what run_advance will write. */
size_t
run_room(const struct run *run);

#endif
