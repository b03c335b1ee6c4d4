/* SPDX-License-Identifier: ISC */
/*
 * worker_internal: a worker, one task that it has leased, and the gates of its
 * keys. For worker*.c only.
 */
#ifndef COMMON_STORE_WORKER_INTERNAL_H
#define COMMON_STORE_WORKER_INTERNAL_H

#include "common/base/clock.h"
#include "common/base/loop.h"
#include "common/provider/effect.h"
#include "common/store/gates.h"
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

#define WORKER_GATES 4

/* A gate of this process, and what the store has of it. */
struct shared_gate {
	struct gate *gate;
	char key[STORE_GATE_KEY + 1]; /* by which the store has it; "" */
	bool seen;                    /* its row was there */
	int64_t written;              /* the time that this process wrote */
	bool looked;                  /* for its row, once */
	bool told; /* this process has met something, which no row says yet */
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
	int64_t lease_end; /* boot time: from then on our tasks may be taken */
	struct clock_steps clock;
	int64_t held_until; /* wall time: until then the model's key is refused,
	                     * and no task is leased; 0: it is not */
	int64_t tools_held_until; /* likewise, of the tools */
	/* worker_gate.c: */
	struct shared_gate gates[WORKER_GATES];
	size_t gate_count;
	bool look_gates, wrote_gates;
	int wake_keys; /* so many tasks that wait for a key are to try again, */
	struct id wake_from; /* from this one on */
	size_t probes;       /* probes of dead workers' locks so far */
	bool renew_due, probe_due;
	bool took_one; /* for --once */
	bool leave;
	int *ret_state;
};

/* ---- worker_gate.c ---- */

/* Begins to share the gates with the other workers of the store. */
void
worker_gates_begin(struct worker *own);

/* A task that was just leased, ROW: whether it needs a tool whose key is refused.
 * Then it waits, but for one that probes. In the transaction. */
int
worker_hold(struct worker *own, struct task_row *row, int64_t now,
    bool *ret_held, struct fail *fail);

/* Takes over what the others have met, tells them what was met here, and tells
 * tasks that wait for a key which is accepted to go on. In the transaction. */
int
worker_gates_follow(struct worker *own, int64_t now, struct fail *fail);

/* ---- worker_run.c ---- */

/* The journal of the task cannot be read or gone on with, for the reason WHY: when
 * that is for ever, another program may be able to, and the task waits for it. */
int
worker_park(struct worker *own, struct task_row *row, int64_t now,
    const struct fail *why, struct fail *fail);

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
