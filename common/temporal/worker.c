/* SPDX-License-Identifier: ISC */
/*
 * How it works: the parts of a worker, each in a file of its own, work from one
 * loop: poller.c brings workflow tasks and activities, workflow_task.c and
 * activity_task.c do them, and idle.c ends a worker that has nothing to do. Here
 * they are opened, and the worker ends, at a signal or at their word.
 */
#include "common/temporal/worker_internal.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "common/base/mem.h"
#include "common/json/log.h"
#include "common/provider/effect.h"
#include "common/temporal/history.h"
#include "common/temporal/key_waits.h"
#include "common/temporal/liveness.h"

#define POLL_MS 3000       /* the server sends an empty answer after 1 s */
#define POLL_SHORT_MS 2500 /* and after half a second; under 2 s it refuses */

static void
on_grace(void *context)
{
	struct worker_temporal *worker = context;

	worker->grace_over = true;
	activity_task_release_all(worker);
}

static void
on_signal(void *context, int signal)
{
	struct worker_temporal *worker = context;

	if (signal == SIGCHLD) { /* as PID 1 we have to reap orphans */
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		return;
	}
	/* A terminal that is closed may hang up twice. */
	if (signal == SIGHUP && worker->draining)
		return;
	log_line("info", "drain", "worker", worker->name, "reason",
	    strsignal(signal), NULL);
	if (worker->draining)
		on_grace(worker);
	poller_drain(worker);
}

/* Whether nothing is left to wait for. Polls that are still under way after the
 * grace are not waited for. */
static bool
is_done(const struct worker_temporal *worker)
{
	return worker->failed ||
	    (worker->draining && worker->activity_tasks == NULL &&
		worker->workflow_tasks == NULL &&
		(worker->grace_over || !poller_is_open(worker)));
}

static void
attributes_came(void *context, struct temporal_answer *answer)
{
	struct worker_temporal *worker = context;

	worker->attributes = answer->status == GRPC_OK ||
	    answer->status == GRPC_ALREADY_EXISTS;
	if (!worker->attributes)
		log_line("debug", "attributes", "reason", answer->fail.message,
		    NULL);
}

/* Lists by state need a search attribute; without it tasks run nevertheless. */
static int
add_attributes(struct worker_temporal *worker, struct fail *fail)
{
	Api__AddSearchAttributesRequest__SearchAttributesEntry entry, *list;
	Api__AddSearchAttributesRequest request;

	api__add_search_attributes_request__search_attributes_entry__init(
	    &entry);
	entry.key = temporal_text(TEMPORAL_STATE);
	entry.value = TEMPORAL_ENUM(INDEXED_VALUE_TYPE, KEYWORD);
	list = &entry;
	api__add_search_attributes_request__init(&request);
	request.n_search_attributes = 1;
	request.search_attributes = &list;
	worker->attributes_answer.then = attributes_came;
	worker->attributes_answer.context = worker;
	return temporal_send(worker->temporal, &request.base,
	    &worker->attributes_answer, fail);
}

/* Those of the options, else the queue of tasks that name none. */
static void
name_queues(struct worker_temporal *worker)
{
	static const char *const standard[] = { "default" };
	const struct worker_options *options = worker->options;
	const char *const *names = options->queue_count > 0 ? options->queues
							    : standard;
	size_t i;

	worker->queue_count = options->queue_count > 0 ? options->queue_count
						       : 1;
	worker->queues = mem_alloc(
	    worker->queue_count * sizeof(*worker->queues));
	for (i = 0; i < worker->queue_count; i++)
		worker->queues[i] = mem_print("agent-%s", names[i]);
}

/* Whether the server is available and has the namespace. */
static int
check_server(struct worker_temporal *worker, struct fail *fail)
{
	struct temporal_answer answer = { 0 };
	int result = temporal_describe_namespace(worker->temporal, &answer,
	    fail);

	temporal_answer_release(&answer);
	return result;
}

static void
on_gate(void *context, struct gate *gate, const struct gate_state *state)
{
	struct worker_temporal *worker = context;

	(void)gate;
	gate_log(state, worker->name);
	if (state->news)
		key_waits_wake(worker, !wait_of_key(state->kind));
}

static int
begin(struct worker_temporal *worker, const char *folder, struct fail *fail)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGCHLD, 0 };
	bool until_idle = worker->options->once ||
	    worker->options->exit_when_idle;
	struct temporal_options options = { .target = worker->target,
		.poll_ms = until_idle ? POLL_SHORT_MS : POLL_MS };
	const struct gate_watch watch = { .changed = on_gate,
		.context = worker };
	struct fail why;

	id_new_text(worker->name);
	worker->grace = (struct timer){ .fire = on_grace, .context = worker };
	name_queues(worker);
	poller_open(worker, workflow_task_begin, activity_task_begin);
	if (loop_open(&worker->loop, fail) < 0 ||
	    loop_signals(worker->loop, signals, on_signal, worker, fail) < 0 ||
	    effects_open(worker->loop, worker->config, &worker->effects, fail) <
		0 ||
	    temporal_open(worker->loop, &options, &worker->temporal, fail) <
		0 ||
	    add_attributes(worker, fail) < 0 || check_server(worker, fail) < 0)
		return -1;
	effects_watch(worker->effects, &watch);
	/* before a task has to be in lists; a refusal is not a failure */
	(void)temporal_wait(worker->temporal, &worker->attributes_answer, &why);
	if (liveness_open(worker, folder, &worker->liveness, &why) < 0)
		log_line("warning", "notes", "reason", why.message, NULL);
	poller_more(worker);
	if (until_idle)
		idle_begin(worker);
	log_line("info", "ready", "worker", worker->name, NULL);
	return 0;
}

static void
release(struct worker_temporal *worker)
{
	size_t i;

	activity_task_end_all(worker);
	workflow_task_end_all(worker);
	poller_close(worker->poller);
	idle_end(worker->idle);
	for (i = 0; i < worker->queue_count; i++)
		free(worker->queues[i]);
	free(worker->queues);
	temporal_answer_release(&worker->attributes_answer);
	key_waits_free(worker->key_waits);
	history_cache_free(worker->histories);
	permit_forget_all(worker);
	liveness_close(worker->liveness);
	temporal_close(worker->temporal);
	effects_close(worker->effects);
	loop_close(worker->loop);
}

int
worker_temporal_run(const char *target, const char *folder,
    const struct config *config, const struct worker_options *options,
    int *ret_state, struct fail *fail)
{
	struct worker_temporal *worker;
	int result = -1;

	if (config->user_day_nano_usd || config->day_nano_usd)
		return fail_set(fail, FAIL_NEVER, "invalid_config",
		    "usd_per_user_day and usd_per_day are not kept on "
		    "Temporal: leave them out, or use the engine lmdb");
	worker = mem_alloc(sizeof(*worker));
	*ret_state = -1;
	log_verbose(options->verbose);
	worker->target = target;
	worker->config = config;
	worker->options = options;
	worker->ret_state = ret_state;
	worker->histories = history_cache_new();
	if (begin(worker, folder, fail) < 0)
		goto out;
	while (!is_done(worker))
		if (loop_turn(worker->loop, -1, fail) < 0)
			goto out;
	if (worker->failed) {
		*fail = worker->why;
		goto out;
	}
	result = 0;
	log_line("info", "end", "worker", worker->name, NULL);
out:
	release(worker);
	free(worker);
	return result;
}
