/* SPDX-License-Identifier: ISC */
/*
 * How it works: a task is a workflow. A worker folds its history, and a program
 * that reads the task folds it too (task_reader.c), so that both engines give
 * the same answers from the same fold. Lists and numbers come from the server's
 * visibility (engine_list.c), which is at most a second old.
 */
#include "common/temporal/engine.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/temporal/engine_internal.h"
#include "common/temporal/worker_internal.h"

static void
close_engine(struct engine *engine)
{
	struct engine_temporal *own = engine_temporal_own(engine);

	engine_temporal_unfollow(own);
	while (own->probed_count > 0)
		free(own->probed[--own->probed_count].id);
	temporal_close(own->temporal);
	free(own);
}

static const struct engine_operations operations = {
	.close = close_engine,
	.submit = engine_temporal_submit,
	.get = engine_temporal_get,
	.events = engine_temporal_events,
	.list = engine_temporal_list,
	.signal = engine_temporal_signal,
	.depth = engine_temporal_depth,
	.wait = engine_temporal_wait,
	.probe = engine_temporal_probe,
	.schedule = engine_temporal_schedule,
	.schedules = engine_temporal_schedules,
	.schedule_signal = engine_temporal_schedule_signal,
};

static int
open_engine(const char *target, enum engine_mode mode,
    const struct config *config, struct engine **ret_engine, struct fail *fail)
{
	struct temporal_options options = { .target = target };
	struct engine_temporal *own = mem_alloc(sizeof(*own));

	(void)mode;
	(void)config;
	if (temporal_open(NULL, &options, &own->temporal, fail) < 0) {
		free(own);
		return -1;
	}
	own->engine.ops = &operations;
	*ret_engine = &own->engine;
	return 0;
}

const struct engine_module engine_temporal = {
	.abi = ENGINE_ABI,
	.open = open_engine,
	.work = worker_temporal_run,
};
