/* SPDX-License-Identifier: ISC */
/*
 * How it works: the loop gathers what has come in (replies, results, timers,
 * signals, new tasks); then one tick makes one write transaction of all of
 * it: renew, take over from the dead, promote what is due, lease, record
 * facts, decisions and intents. Only after the commit are effects started. A
 * worker that cannot commit ends: its memory would be ahead of the store.
 *
 * It sleeps in epoll: inotify on the store's wake/ tells of new work and
 * signals, on workers/ of the death of another worker (the kernel closes its
 * lock file), and a slow poll stands behind both.
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
#include "common/base/mem.h"
#include "common/json/log.h"
#include "common/store/engine.h"
#include "common/store/worker_internal.h"

#define POLL_MS 5000
#define UNREADABLE_MS (5 * 60 * 1000)
#define ORPHANS 64
#define LEASES 256 /* taken in one transaction; the next tick takes more */
#define ROOM (1u << 20)

/* A dying process closes its files one after the other: the notice can come
 * before its lock is free, so it is looked for again a little later. */
static const int64_t probe_delays[] = { 0, 2, 10, 50, 200, 1000 };
#define PROBES (sizeof(probe_delays) / sizeof(*probe_delays))

struct body {
	struct worker worker; /* what worker_run.c knows of it */
	const struct worker_options *options;
	struct run **runs;
	size_t count;
	struct watch notify;
	int wake_folder, workers_folder; /* inotify's numbers for them */
	struct timer renew, poll, due, grace, probe;
	size_t probes; /* how many of probe_delays are done */
	bool renew_due, probe_due;
	bool took_one; /* for --once */
	bool leave;
	int *ret_state;
};

static void
tick_soon(struct body *body)
{
	body->worker.dirty = true;
}

static void
look_at_all(struct body *body)
{
	size_t i;

	for (i = 0; i < body->count; i++)
		body->runs[i]->dirty = true;
	tick_soon(body);
}

/* ---- what wakes it ---- */

static void
on_renew(void *context)
{
	struct body *body = context;

	/* After a stop the tasks may be another's, and what is under way for
	 * them here may never say anything. */
	body->renew_due = body->probe_due = true;
	look_at_all(body);
}

static void
on_poll(void *context)
{
	struct body *body = context;

	loop_timer(body->worker.loop, &body->poll, clock_boot() + POLL_MS);
	tick_soon(body);
}

static void
on_due(void *context)
{
	tick_soon(context);
}

static void
on_probe(void *context)
{
	struct body *body = context;

	body->probe_due = true;
	if (++body->probes < PROBES)
		loop_timer(body->worker.loop, &body->probe,
		    clock_boot() + probe_delays[body->probes]);
	tick_soon(body);
}

static void
on_grace(void *context)
{
	struct body *body = context;

	body->worker.grace_over = true;
	look_at_all(body);
}

static void
drain(struct body *body)
{
	if (body->worker.draining)
		return;
	body->worker.draining = true;
	loop_timer(body->worker.loop, &body->grace,
	    clock_boot() + body->worker.config->grace_ms);
	look_at_all(body);
}

static void
on_signal(void *context, int signal)
{
	struct body *body = context;

	if (signal == SIGCHLD) { /* as PID 1: orphans are ours to reap */
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		return;
	}
	log_line("info", "drain", "worker", body->worker.name, "reason",
	    strsignal(signal), NULL);
	if (body->worker.draining)
		on_grace(body);
	drain(body);
}

static void
on_notify(void *context, uint32_t events)
{
	struct body *body = context;
	union {
		struct inotify_event event;
		char bytes[8192];
	} room;
	const struct inotify_event *event;
	ssize_t size, at;

	(void)events;
	while (
	    (size = read(body->notify.fd, room.bytes, sizeof(room.bytes))) > 0)
		for (at = 0; at < size;
		     at += (ssize_t)(sizeof(*event) + event->len)) {
			event = (const void *)(room.bytes + at);
			if (event->wd == body->workers_folder) {
				body->probes = 0;
				loop_timer(body->worker.loop, &body->probe,
				    clock_boot());
				continue;
			}
			/* New work, or a signal to one of ours. */
			look_at_all(body);
		}
}

/* ---- the tick ---- */

/* A worker died: its tasks go back to the queue. */
static int
take_over(struct body *body, int64_t now, struct fail *fail)
{
	struct store *store = body->worker.store;
	struct task_row *rows;
	struct task_session session = { .agent = NULL };
	struct buf members = BUF_INIT(4096);
	char name[ID_TEXT];
	int count, i, result = 0;

	rows = mem_alloc(ORPHANS * sizeof(*rows));
	count = store_orphans(store, &body->worker.id, clock_boot(), rows,
	    ORPHANS, fail);
	if (count == ORPHANS)
		loop_timer(body->worker.loop, &body->probe, clock_boot());
	for (i = 0; i < count && result == 0; i++) {
		/* Whoever serves the queue sees it after our commit: the
		 * store is locked until then. */
		store_wake(store, rows[i].queue);
		if (session_open(&session, store, &rows[i], fail) < 0) {
			if (fail->kind != FAIL_NEVER) {
				result = -1;
				break;
			}
			rows[i].state = TASK_WAITING;
			rows[i].due = now + UNREADABLE_MS;
			result = store_put(store, &rows[i], fail);
			continue;
		}
		id_format(&rows[i].worker, name);
		buf_reset(&members);
		member_string(&members, "worker", name);
		member_string(&members, "reason", "worker lost");
		if (session_record(&session, store, now, EVENT_RELEASED,
			members.data, members.length, fail) < 0 ||
		    session_save(&session, store, now, fail) < 0)
			result = -1;
		log_line("warning", "worker.lost", "worker", name, NULL);
		session_close(&session);
	}
	buf_release(&members);
	free(rows);
	return count < 0 ? -1 : result;
}

/* This program cannot read the task's journal: another one may. */
static int
put_aside(struct body *body, struct task_row *row, int64_t now,
    const struct fail *why, struct fail *fail)
{
	char id[ID_TEXT];

	id_format(&row->id, id);
	log_line("error", "unreadable", "task", id, "reason", why->message,
	    NULL);
	row->state = TASK_WAITING;
	row->due = now + UNREADABLE_MS;
	row_cut(row->reason, sizeof(row->reason), why->message);
	return store_put(body->worker.store, row, fail);
}

static int
renew(struct body *body, struct fail *fail)
{
	return store_renew(body->worker.store, &body->worker.id,
	    clock_boot() + body->worker.config->lease_ms, fail);
}

static int
lease(struct body *body, int64_t now, struct fail *fail)
{
	const struct config *config = body->worker.config;
	const struct worker_options *options = body->options;
	const struct store_limits limits = { config->running_per_user,
		config->running_per_queue };
	size_t free_places = (size_t)config->concurrency - body->count;
	struct task_row *rows;
	struct run *run = NULL;
	struct fail why;
	int count, i, result = 0;

	if (options->once)
		free_places = body->took_one ? 0 : 1;
	if (!free_places || body->worker.draining)
		return 0;
	if (free_places > LEASES)
		free_places = LEASES;
	rows = mem_alloc(free_places * sizeof(*rows));
	count = store_lease(body->worker.store, &body->worker.id,
	    options->queues, options->queue_count, &limits, rows, free_places,
	    fail);
	if (count < 0 && strcmp(fail->type, "no_worker") == 0) {
		/* It hung and was taken for dead: it is alive again. */
		body->renew_due = true;
		count = 0;
		result = renew(body, fail);
		tick_soon(body);
	}
	if (count == LEASES)
		tick_soon(body);
	for (i = 0; i < count && result == 0; i++) {
		body->took_one = true;
		if (run_open(&body->worker, &rows[i], now, &run, &why) < 0) {
			if (why.kind != FAIL_NEVER) {
				*fail = why;
				result = -1;
			} else {
				result = put_aside(body, &rows[i], now, &why,
				    fail);
			}
			continue;
		}
		body->runs = mem_grow(body->runs, body->count + 1,
		    sizeof(struct run *));
		body->runs[body->count++] = run;
	}
	free(rows);
	return count < 0 ? -1 : result;
}

static int
transact(struct body *body, int64_t now, int64_t *next_due, struct fail *fail)
{
	struct worker *worker = &body->worker;
	struct store *store = worker->store;
	size_t i;

	if (body->renew_due && renew(body, fail) < 0)
		return -1;
	if (body->probe_due && take_over(body, now, fail) < 0)
		return -1;
	if (store_promote(store, now, next_due, fail) < 0 ||
	    lease(body, now, fail) < 0)
		return -1;
	for (i = 0; i < body->count; i++)
		if (body->runs[i]->dirty &&
		    run_advance(body->runs[i], now, fail) < 0)
			return -1;
	return 0;
}

/* After the commit: effects begin; what has left our hands is dropped. */
static int
settle(struct body *body, struct fail *fail)
{
	struct run *run;
	size_t i, kept = 0;
	int result = 0;

	for (i = 0; i < body->count; i++) {
		run = body->runs[i];
		if (run->lost || run->session.row.state != TASK_RUNNING) {
			if (task_state_final(run->session.row.state))
				*body->ret_state = (int)run->session.row.state;
			else if (run->session.row.state == TASK_QUEUED ||
			    run->session.row.due)
				store_wake(body->worker.store,
				    run->session.row.queue);
			run_close(run);
			continue;
		}
		body->runs[kept++] = run;
		if (!run->dirty)
			continue;
		run->dirty = false;
		if (result == 0)
			result = run_start_effects(run, fail);
	}
	if (kept < body->count)
		tick_soon(body); /* for whom there is a place now */
	body->count = kept;
	return result;
}

/* Whether nothing is left to do for a worker that is to end then. */
static int
check_idle(struct body *body, int64_t now, struct fail *fail)
{
	const struct worker_options *options = body->options;
	struct store *store = body->worker.store;
	struct store_depth depth;
	int64_t ready = 0, running = 0;
	size_t i = 0;
	int result = 0;

	if (body->worker.draining) {
		body->leave = body->count == 0;
		return 0;
	}
	if (body->count || (!options->once && !options->exit_when_idle))
		return 0;
	if (options->once && body->took_one) {
		body->leave = true;
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
	/* What runs may be in the hands of a worker that is just dying. */
	body->leave = result == 0 && ready == 0 &&
	    (running == 0 || body->probes >= PROBES);
	return result;
}

static int
tick(struct body *body, struct fail *fail)
{
	struct worker *worker = &body->worker;
	int64_t now = clock_wall(), next_due = 0;
	size_t i, room = ROOM;

	worker->dirty = false;
	for (i = 0; i < body->count; i++)
		if (body->runs[i]->dirty)
			room += run_room(body->runs[i]);
	if (store_begin(worker->store, true, room, fail) < 0)
		return -1;
	if (transact(body, now, &next_due, fail) < 0) {
		store_abort(worker->store);
		return -1;
	}
	if (store_commit(worker->store, fail) < 0)
		return -1;
	if (body->renew_due)
		loop_timer(worker->loop, &body->renew,
		    clock_boot() + worker->config->lease_ms / 3);
	body->renew_due = body->probe_due = false;
	if (next_due)
		loop_timer(worker->loop, &body->due,
		    clock_boot() + (next_due > now ? next_due - now : 0));
	if (settle(body, fail) < 0)
		return -1;
	return check_idle(body, now, fail);
}

/* ---- beginning and end ---- */

static int
watch_folders(struct body *body, struct fail *fail)
{
	const char *folder = store_folder(body->worker.store);
	char *wake = mem_print("%s/wake", folder);
	char *workers = mem_print("%s/workers", folder);
	int result = -1;

	body->notify.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	body->notify.events = EPOLLIN;
	body->notify.ready = on_notify;
	body->notify.context = body;
	if (body->notify.fd < 0) {
		fail_errno(fail,
		    "unable to watch %s (raise "
		    "fs.inotify.max_user_instances?)",
		    folder);
		goto out;
	}
	body->wake_folder = inotify_add_watch(body->notify.fd, wake,
	    IN_MODIFY | IN_CREATE);
	body->workers_folder = inotify_add_watch(body->notify.fd, workers,
	    IN_CLOSE_WRITE | IN_DELETE);
	if (body->wake_folder < 0 || body->workers_folder < 0) {
		fail_errno(fail, "unable to watch the folders of %s", folder);
		goto out;
	}
	result = loop_watch(body->worker.loop, &body->notify, fail);
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
begin(struct body *body, struct fail *fail)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGCHLD, 0 };
	struct worker *worker = &body->worker;

	raise_limits();
	worker->id = id_new();
	id_format(&worker->id, worker->name);
	if (loop_open(&worker->loop, fail) < 0 ||
	    loop_signals(worker->loop, signals, on_signal, body, fail) < 0 ||
	    effects_open(worker->loop, worker->config, &worker->effects, fail) <
		0 ||
	    store_join(worker->store, &worker->id, fail) < 0 ||
	    watch_folders(body, fail) < 0)
		return -1;
	body->renew = (struct timer){ .fire = on_renew, .context = body };
	body->poll = (struct timer){ .fire = on_poll, .context = body };
	body->due = (struct timer){ .fire = on_due, .context = body };
	body->grace = (struct timer){ .fire = on_grace, .context = body };
	body->probe = (struct timer){ .fire = on_probe, .context = body };
	body->renew_due = body->probe_due = true;
	loop_timer(worker->loop, &body->poll, clock_boot() + POLL_MS);
	loop_timer(worker->loop, &body->probe, clock_boot());
	tick_soon(body);
	log_line("info", "ready", "worker", worker->name, NULL);
	return 0;
}

static int
leave(struct body *body, struct fail *fail)
{
	struct store *store = body->worker.store;

	if (store_begin(store, true, 0, fail) < 0)
		return -1;
	if (store_leave(store, &body->worker.id, fail) < 0) {
		store_abort(store);
		return -1;
	}
	return store_commit(store, fail);
}

int
worker_run(struct engine *engine, const struct config *config,
    const struct worker_options *options, int *ret_state, struct fail *fail)
{
	struct body body = { .worker = { .config = config },
		.options = options,
		.notify.fd = -1,
		.ret_state = ret_state };
	int result = -1;
	size_t i;

	*ret_state = -1;
	log_verbose(options->verbose);
	body.worker.store = engine_lmdb_store(engine);
	if (begin(&body, fail) < 0)
		goto out;
	while (!body.leave) {
		if (body.worker.dirty && tick(&body, fail) < 0)
			goto out;
		if (!body.leave && !body.worker.dirty &&
		    loop_turn(body.worker.loop, -1, fail) < 0)
			goto out;
	}
	result = leave(&body, fail);
	log_line("info", "end", "worker", body.worker.name, NULL);
out:
	for (i = 0; i < body.count; i++)
		run_close(body.runs[i]);
	free(body.runs);
	if (body.notify.fd >= 0) {
		loop_unwatch(body.worker.loop, &body.notify);
		close(body.notify.fd);
	}
	effects_close(body.worker.effects);
	loop_close(body.worker.loop);
	return result;
}
