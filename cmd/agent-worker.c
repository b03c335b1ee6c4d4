/* SPDX-License-Identifier: ISC */
/*
 * agent-worker: works tasks off. Everything it does is in worker.c; here are
 * its options.
 */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "common/agent/engine.h"
#include "common/agent/task.h"
#include "common/base/fail.h"
#include "common/base/mem.h"
#include "common/cli/cli.h"
#include "common/store/worker.h"

static const char usage_text[] =
    "agent-worker [--concurrency N] [--config FILE] [--engine NAME]\n"
    "                    [--exit-when-idle] [--grace SECONDS] [--json] [--once]\n"
    "                    [--queue NAME] [--store DIR] [--verbose]";
static const char help_text[] =
    "Leases tasks and runs the agent loop of each, many at once.\n"
    "On SIGTERM it begins nothing new and lets calls under way finish.\n";

struct numbers { /* -1: use the settings */
	long long concurrency, grace;
};

/* The queues' names point into argv; the array is the caller's to free. */
static const char **
parse_options(struct cli *cli, int argc, char **argv,
    struct worker_options *worker, struct numbers *numbers)
{
	const char **queues = mem_alloc((size_t)argc * sizeof(*queues));
	const struct cli_option options[] = {
		{ "concurrency", "N", "at most N tasks at once",
		    .number = &numbers->concurrency, .least = 1,
		    .most = 100000 },
		{ "queue", "NAME",
		    "take only tasks of this queue; can be repeated",
		    .text = queues, .count = &worker->queue_count },
		{ "once", NULL,
		    "run one task, then end: 0 if it completed, else 1",
		    .flag = &worker->once },
		{ "exit-when-idle", NULL, "end when no task is ready",
		    .flag = &worker->exit_when_idle },
		{ "grace", "SECONDS", "time for calls under way after SIGTERM",
		    .number = &numbers->grace, .most = 86400 },
		{ "verbose", NULL, "log more", .flag = &worker->verbose },
		CLI_SETTINGS(cli),
		{ NULL },
	};

	cli_options(cli, options, 0, argc, argv);
	worker->queues = queues;
	return queues;
}

static int
work(struct cli *cli, const struct worker_options *worker, int *ret_state,
    struct fail *fail)
{
	const char *name = cli->engine, *folder = cli_store(cli);
	struct engine *engine = NULL;
	int result = -1;

	if (engine_is_temporal(name))
		return engine_work_temporal(name, folder, &cli->config, worker,
		    ret_state, fail);
	if (engine_open(name, folder, ENGINE_CREATE, &cli->config, &engine,
		fail) == 0)
		result = worker_run(engine, &cli->config, worker, ret_state,
		    fail);
	engine_close(engine);
	return result;
}

int
main(int argc, char **argv)
{
	struct worker_options worker = { .once = false };
	struct numbers numbers = { -1, -1 };
	const char **queues;
	struct cli cli;
	struct fail fail;
	int state = -1, code = 0;

	cli_start(&cli, "agent-worker", usage_text, help_text);
	queues = parse_options(&cli, argc, argv, &worker, &numbers);
	if (cli_settings(&cli, &fail) < 0) {
		free(queues);
		return cli_fail(&cli, &fail, NULL);
	}
	if (numbers.concurrency >= 0)
		cli.config.concurrency = numbers.concurrency;
	if (numbers.grace >= 0)
		cli.config.grace_ms = numbers.grace * 1000;
	if (work(&cli, &worker, &state, &fail) < 0)
		code = cli_fail(&cli, &fail, NULL);
	else if (worker.once && state >= 0 && state != TASK_COMPLETED)
		code = 1;
	config_release(&cli.config);
	free(queues);
	return code;
}
