/* SPDX-License-Identifier: ISC */
/*
 * How it works: the loop collects what has come in (replies, results, timers,
 * signals, new tasks); then one tick records all of it in one write
 * transaction: renews the lease, recovers the tasks of dead workers, makes due
 * tasks ready, leases tasks, records facts, decisions and intents. Effects are
 * started only after the commit. A worker that cannot commit ends: its memory
 * would be ahead of the store.
 *
 * It sleeps in epoll: inotify on the store's wake/ reports new work and
 * signals, on workers/ the death of another worker (the kernel closes its lock
 * file), and a slow poll is a safety net for both.
 */
#include "common/store/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/agent/task_row.h"
#include "common/base/clock.h"
#include "common/base/lock.h"
#include "common/base/mem.h"
#include "common/json/log.h"
#include "common/store/engine.h"
#include "common/store/internal.h"
#include "common/store/numbers.h"
#include "common/store/worker_internal.h"

#define POLL_MS 5000
#define ORPHANS 64
#define LEASES 256 /* taken in one transaction; the next tick takes more */
#define ROOM (1u << 20)

static void
tick_soon(void *context)
{
	struct worker *own = context;

	own->dirty = true;
}

static void
look_at_all(struct worker *own)
{
	size_t i;

	for (i = 0; i < own->count; i++)
		own->runs[i]->dirty = true;
	tick_soon(own);
}

/* ---- what wakes it ---- */

static void
on_renew(void *context)
{
	struct worker *own = context;

	/* After a stop another worker may have the tasks, and effects that are
	 * under way for them here may never end. */
	own->renew_due = own->probe_due = true;
	look_at_all(own);
}

static void
on_poll(void *context)
{
	struct worker *own = context;

	loop_timer(own->loop, &own->poll, clock_boot() + POLL_MS);
	own->look_gates = true;
	tick_soon(own);
}

static void
on_probe(void *context)
{
	struct worker *own = context;
	int64_t delay = lock_probe_delay(++own->probes);

	own->probe_due = true;
	if (delay >= 0)
		loop_timer(own->loop, &own->probe, clock_boot() + delay);
	tick_soon(own);
}

static void
on_grace(void *context)
{
	struct worker *own = context;

	own->grace_over = true;
	look_at_all(own);
}

static void
drain(struct worker *own)
{
	if (own->draining)
		return;
	own->draining = true;
	loop_timer(own->loop, &own->grace,
	    clock_boot() + own->config->grace_ms);
	look_at_all(own);
}

static void
on_signal(void *context, int signal)
{
	struct worker *own = context;

	if (signal == SIGCHLD) { /* as PID 1 we have to reap orphans */
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		return;
	}
	/* A terminal that is closed may hang up twice. */
	if (signal == SIGHUP && own->draining)
		return;
	log_line("info", "drain", "worker", own->name, "reason",
	    strsignal(signal), NULL);
	if (own->draining)
		on_grace(own);
	drain(own);
}

static void
on_notify(void *context, uint32_t events)
{
	struct worker *own = context;
	union {
		struct inotify_event event;
		char bytes[8192];
	} room;
	const struct inotify_event *event;
	ssize_t size, at;

	(void)events;
	while (
	    (size = read(own->notify.fd, room.bytes, sizeof(room.bytes))) > 0)
		for (at = 0; at < size;
		     at += (ssize_t)(sizeof(*event) + event->len)) {
			event = (const void *)(room.bytes + at);
			if (event->wd == own->workers_folder) {
				own->probes = 0;
				loop_timer(own->loop, &own->probe,
				    clock_boot());
				continue;
			}
			own->look_gates = own->look_gates ||
			    strcmp(event->name, STORE_GATES_WAKE) == 0;
			/* New work, or a signal to one of ours. */
			look_at_all(own);
		}
}

/* ---- the tick ---- */

/* A worker died: its tasks go back to the queue. */
static int
recover(struct worker *own, int64_t now, struct fail *fail)
{
	struct store *store = own->store;
	struct task_row *rows;
	struct task_session session = { .agent = NULL };
	char name[ID_TEXT];
	struct fail why;
	int count, i, result = 0;

	rows = mem_alloc(ORPHANS * sizeof(*rows));
	count = store_orphans(store, &own->id, clock_boot(), rows, ORPHANS,
	    fail);
	if (count == ORPHANS)
		loop_timer(own->loop, &own->probe, clock_boot());
	for (i = 0; i < count && result == 0; i++) {
		/* The queue's workers see it after our commit: the store is
		 * locked until then. */
		store_wake(store, rows[i].queue);
		if (session_open(&session, store, &rows[i], &why) < 0) {
			result = worker_park(own, &rows[i], now, &why, fail);
			continue;
		}
		id_format(&rows[i].worker, name);
		if (session_release(&session, store, now, name, "worker lost",
			fail) < 0 ||
		    session_save(&session, store, now, fail) < 0)
			result = -1;
		log_line("warning", "worker.lost", "worker", name, NULL);
		session_close(&session);
	}
	free(rows);
	return count < 0 ? -1 : result;
}

static int
renew(struct worker *own, struct fail *fail)
{
	/* No effect reads it before the commit, nor before the runs that were
	 * lost meanwhile have been closed. */
	own->lease_end = clock_boot() + own->config->lease_ms;
	return store_renew(own->store, &own->id, own->lease_end, fail);
}

static int
lease(struct worker *own, int64_t now, struct fail *fail)
{
	const struct config *config = own->config;
	const struct worker_options *options = own->options;
	const struct store_limits limits = { config->running_per_user,
		config->running_per_queue };
	size_t free_places = (size_t)config->concurrency - own->count;
	struct task_row *rows;
	struct run *run = NULL;
	struct fail why;
	int count, i, result = 0;
	bool held;

	if (options->once)
		free_places = own->took_one ? 0 : 1;
	if (!free_places || own->draining || now < own->held_until)
		return 0;
	if (own->held_until) { /* one to probe, and time for its answer */
		free_places = 1;
		own->held_until = now + GATE_HOLD_MS;
	}
	if (free_places > LEASES)
		free_places = LEASES;
	rows = mem_alloc(free_places * sizeof(*rows));
	count = store_lease(own->store, &own->id, options->queues,
	    options->queue_count, &limits, rows, free_places, fail);
	if (count < 0 && strcmp(fail->type, "no_worker") == 0) {
		/* It hung and was found dead: it is alive again. */
		own->renew_due = true;
		count = 0;
		result = renew(own, fail);
		look_at_all(own); /* its runs are lost */
	}
	if (count == LEASES || own->tools_held_until)
		own->dirty = own->dirty || count > 0;
	for (i = 0; i < count && result == 0; i++) {
		result = worker_hold(own, &rows[i], now, &held, fail);
		if (result < 0 || held)
			continue;
		own->took_one = true;
		if (run_open(own, &rows[i], now, &run, &why) < 0) {
			result = worker_park(own, &rows[i], now, &why, fail);
			continue;
		}
		own->runs = mem_grow(own->runs, own->count + 1,
		    sizeof(struct run *));
		own->runs[own->count++] = run;
	}
	free(rows);
	return count < 0 ? -1 : result;
}

static int
transact(struct worker *own, int64_t now, int64_t *next_due, struct fail *fail)
{
	struct store *store = own->store;
	struct fail why;
	size_t i;

	if (own->renew_due && renew(own, fail) < 0)
		return -1;
	if (own->probe_due && recover(own, now, fail) < 0)
		return -1;
	if (worker_gates_follow(own, now, fail) < 0 ||
	    store_promote(store, now, next_due, fail) < 0 ||
	    lease(own, now, fail) < 0)
		return -1;
	for (i = 0; i < own->count; i++)
		if (own->runs[i]->dirty &&
		    run_advance(own->runs[i], now, &why) < 0 &&
		    worker_park(own, &own->runs[i]->session.row, now, &why,
			fail) < 0)
			return -1;
	return 0;
}

/* After the commit: starts effects; closes runs that have ended here. */
static int
settle(struct worker *own, struct fail *fail)
{
	struct run *run;
	size_t i, kept = 0;
	int result = 0;

	for (i = 0; i < own->count; i++) {
		run = own->runs[i];
		if (run->lost || run->session.row.state != TASK_RUNNING) {
			if (task_state_final(run->session.row.state))
				*own->ret_state = (int)run->session.row.state;
			else if (run->session.row.state == TASK_QUEUED ||
			    run->session.row.due)
				store_wake(own->store, run->session.row.queue);
			run_close(run);
			continue;
		}
		own->runs[kept++] = run;
		if (!run->dirty)
			continue;
		run->dirty = false;
		if (result == 0)
			result = run_start_effects(run, fail);
	}
	if (kept < own->count)
		tick_soon(own); /* there is room for other tasks now */
	own->count = kept;
	return result;
}

/* Whether nothing is left to do, for a worker that ends when idle. */
static int
check_idle(struct worker *own, int64_t now, struct fail *fail)
{
	const struct worker_options *options = own->options;
	struct store *store = own->store;
	struct store_depth depth;
	int64_t ready = 0, running = 0;
	size_t i = 0;
	int result = 0;

	if (own->draining) {
		own->leave = own->count == 0;
		return 0;
	}
	if (own->count || (!options->once && !options->exit_when_idle))
		return 0;
	if ((options->once && own->took_one) || now < own->held_until) {
		own->leave = true;
		return 0;
	}
	if (store_begin(store, false, 0, fail) < 0)
		return -1;
	do {
		result = store_depth(store,
		    options->queue_count ? options->queues[i] : NULL, now,
		    &depth, fail);
		ready += result == 0 ? depth.ready : 0;
		running += result == 0 ? depth.state[TASK_RUNNING] : 0;
	} while (result == 0 && ++i < options->queue_count);
	store_abort(store);
	/* A running task may belong to a worker that is just dying. */
	own->leave = result == 0 && ready == 0 &&
	    (running == 0 || lock_probe_delay(own->probes) < 0);
	return result;
}

static int
tick(struct worker *own, struct fail *fail)
{
	int64_t now = clock_wall(), next_due = 0;
	size_t i, room = ROOM;

	own->dirty = false;
	clock_watch(&own->clock, now, clock_boot());
	for (i = 0; i < own->count; i++)
		if (own->runs[i]->dirty)
			room += run_room(own->runs[i]);
	if (store_begin(own->store, true, room, fail) < 0)
		return -1;
	if (transact(own, now, &next_due, fail) < 0) {
		store_abort(own->store);
		return -1;
	}
	if (store_commit(own->store, fail) < 0)
		return -1;
	if (own->renew_due)
		loop_timer(own->loop, &own->renew,
		    clock_boot() + own->config->lease_ms / 3);
	own->renew_due = own->probe_due = false;
	if (own->wrote_gates)
		store_wake(own->store, STORE_GATES_WAKE);
	own->wrote_gates = false;
	if (next_due)
		loop_timer(own->loop, &own->due,
		    clock_boot() + (next_due > now ? next_due - now : 0));
	if (settle(own, fail) < 0)
		return -1;
	return check_idle(own, now, fail);
}

/* ---- beginning and end ---- */

static int
watch_folders(struct worker *own, struct fail *fail)
{
	const char *folder = store_folder(own->store);
	char *wake = mem_print("%s/wake", folder);
	char *workers = mem_print("%s/workers", folder);
	int result = -1;

	own->notify.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	own->notify.events = EPOLLIN;
	own->notify.ready = on_notify;
	own->notify.context = own;
	if (own->notify.fd < 0) {
		fail_errno(fail,
		    "unable to watch %s (raise fs.inotify.max_user_instances?)",
		    folder);
		goto out;
	}
	own->wake_folder = inotify_add_watch(own->notify.fd, wake,
	    IN_MODIFY | IN_CREATE);
	own->workers_folder = inotify_add_watch(own->notify.fd, workers,
	    IN_CLOSE_WRITE | IN_DELETE);
	if (own->wake_folder < 0 || own->workers_folder < 0) {
		fail_errno(fail, "unable to watch the folders of %s", folder);
		goto out;
	}
	result = loop_watch(own->loop, &own->notify, fail);
out:
	free(wake);
	free(workers);
	return result;
}

static void
raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int
begin(struct worker *own, struct fail *fail)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGCHLD, 0 };

	raise_limits();
	own->id = id_new();
	id_format(&own->id, own->name);
	if (loop_open(&own->loop, fail) < 0 ||
	    loop_signals(own->loop, signals, on_signal, own, fail) < 0 ||
	    effects_open(own->loop, own->config, &own->effects, fail) < 0 ||
	    store_join(own->store, &own->id, fail) < 0 ||
	    watch_folders(own, fail) < 0)
		return -1;
	own->renew = (struct timer){ .fire = on_renew, .context = own };
	own->poll = (struct timer){ .fire = on_poll, .context = own };
	own->due = (struct timer){ .fire = tick_soon, .context = own };
	own->grace = (struct timer){ .fire = on_grace, .context = own };
	own->probe = (struct timer){ .fire = on_probe, .context = own };
	own->renew_due = own->probe_due = true;
	loop_timer(own->loop, &own->poll, clock_boot() + POLL_MS);
	loop_timer(own->loop, &own->probe, clock_boot());
	tick_soon(own);
	worker_gates_begin(own);
	log_line("info", "ready", "worker", own->name, NULL);
	return 0;
}

static int
leave(struct worker *own, struct fail *fail)
{
	struct store *store = own->store;

	if (store_begin(store, true, 0, fail) < 0)
		return -1;
	if (store_leave(store, &own->id, fail) < 0) {
		store_abort(store);
		return -1;
	}
	return store_commit(store, fail);
}

int
worker_run(struct engine *engine, const struct config *config,
    const struct worker_options *options, int *ret_state, struct fail *fail)
{
	struct worker own = { .store = engine_lmdb_store(engine),
		.config = config,
		.options = options,
		.notify.fd = -1,
		.ret_state = ret_state };
	int result = -1;
	size_t i;

	*ret_state = -1;
	log_verbose(options->verbose);
	if (begin(&own, fail) < 0)
		goto out;
	while (!own.leave) {
		if (own.dirty && tick(&own, fail) < 0)
			goto out;
		if (!own.leave && !own.dirty &&
		    loop_turn(own.loop, -1, fail) < 0)
			goto out;
	}
	result = leave(&own, fail);
	log_line("info", "end", "worker", own.name, NULL);
out:
	for (i = 0; i < own.count; i++)
		run_close(own.runs[i]);
	free(own.runs);
	if (own.notify.fd >= 0) {
		loop_unwatch(own.loop, &own.notify);
		close(own.notify.fd);
	}
	effects_close(own.effects);
	loop_close(own.loop);
	return result;
}
