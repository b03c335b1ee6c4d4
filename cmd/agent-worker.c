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
#include "common/cli/engine_open.h"
#include "common/store/worker.h"

static const char usage_text[] =
    "agent-worker [--concurrency N] [--config FILE] [--engine NAME]\n"
    "                    [--exit-when-idle] [--grace SECONDS] [--json] [--once]\n"
    "                    [--queue NAME] [--store DIR] [--verbose]";
static const char help_text[] =
    "Leases tasks and runs the agent loop of each, many at once.\n"
    "On SIGTERM it begins nothing new and lets calls under way finish.\n"
    "\n"
    "  --concurrency N   at most N tasks at once\n"
    "  --queue NAME      take only tasks of this queue; can be repeated\n"
    "  --once            run one task, then end: 0 if it completed, else 1\n"
    "  --exit-when-idle  end when no task is ready\n"
    "  --grace SECONDS   time for calls under way after SIGTERM\n"
    "  --verbose         log more\n";

enum {
	OPTION_CONCURRENCY = CLI_OWN,
	OPTION_EXIT_WHEN_IDLE,
	OPTION_GRACE,
	OPTION_ONCE,
	OPTION_QUEUE,
	OPTION_VERBOSE
};
static const struct option options[] = {
	CLI_OPTIONS,
	{ "concurrency", required_argument, NULL, OPTION_CONCURRENCY },
	{ "exit-when-idle", no_argument, NULL, OPTION_EXIT_WHEN_IDLE },
	{ "grace", required_argument, NULL, OPTION_GRACE },
	{ "once", no_argument, NULL, OPTION_ONCE },
	{ "queue", required_argument, NULL, OPTION_QUEUE },
	{ "verbose", no_argument, NULL, OPTION_VERBOSE },
	{ NULL, 0, NULL, 0 },
};

struct numbers { /* -1: use the settings */
	long long concurrency, grace;
};

/* The queues' names point into argv; the array is the caller's to free. */
static const char **
parse_options(struct cli *cli, int argc, char **argv,
    struct worker_options *worker, struct numbers *numbers)
{
	const char **queues = mem_alloc((size_t)argc * sizeof(*queues));
	int option;

	while ((option = cli_option(cli, argc, argv, "", options)) != -1) {
		switch (option) {
		case OPTION_CONCURRENCY:
			numbers->concurrency = cli_number(cli, "--concurrency",
			    optarg, 1, 100000);
			break;
		case OPTION_EXIT_WHEN_IDLE:
			worker->exit_when_idle = true;
			break;
		case OPTION_GRACE:
			numbers->grace = cli_number(cli, "--grace", optarg, 0,
			    86400);
			break;
		case OPTION_ONCE:
			worker->once = true;
			break;
		case OPTION_QUEUE:
			queues[worker->queue_count++] = optarg;
			break;
		case OPTION_VERBOSE:
			worker->verbose = true;
			break;
		}
	}
	if (optind < argc)
		cli_usage(cli, "unexpected argument: %s", argv[optind]);
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
