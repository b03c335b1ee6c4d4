/* SPDX-License-Identifier: ISC */
/*
 * agent-scale-probe: prints the numbers of the queue, read from counters in
 * constant time. When they cannot be read, that is an error and never a zero:
 * a zero would remove the workers.
 */
#include <cjson/cJSON.h>
#include <inttypes.h>

#include "common/agent/engine.h"
#include "common/agent/journal.h"
#include "common/base/buf.h"
#include "common/base/fail.h"
#include "common/cli/cli.h"
#include "common/cli/metrics.h"
#include "common/json/json.h"

static const char usage_text[] =
    "agent-scale-probe [--config FILE] [--engine NAME] [--json] [--openmetrics]\n"
    "                         [--plain] [--queue NAME] [--store DIR]";
static const char help_text[] =
    "Counts the tasks that there are to do, for an autoscaler.\n";

static const char *const ended[] = { "completed", "blocked", "failed",
	"cancelled", NULL };

static int
print(const struct cli *cli, const char *queue, const struct buf *text,
    bool plain, struct fail *fail)
{
	struct buf out = BUF_INIT(64u << 10), numbers = BUF_INIT(64u << 10);
	int64_t ready, queued, running, waiting, workers, oldest, number;
	cJSON *depth;
	int done = -1;

	depth = json_parse(text->data, text->length, &json_limits_task, fail);
	if (!depth || metrics_get(depth, "ready", &ready, fail) < 0 ||
	    metrics_get(depth, "queued", &queued, fail) < 0 ||
	    metrics_get(depth, "running", &running, fail) < 0 ||
	    metrics_get(depth, "waiting", &waiting, fail) < 0 ||
	    metrics_get(depth, "workers", &workers, fail) < 0 ||
	    metrics_get(depth, "oldest_ready_ms", &oldest, fail) < 0)
		goto out;
	if (queue)
		member_string(&numbers, "queue", queue);
	else
		member_raw(&numbers, "queue", "null", 4);
	member_integer(&numbers, "value", ready + running);
	member_integer(&numbers, "pending", ready);
	member_integer(&numbers, "scheduled", queued - ready);
	member_integer(&numbers, "running", running);
	member_integer(&numbers, "waiting", waiting);
	for (size_t i = 0; ended[i]; i++) {
		if (metrics_get(depth, ended[i], &number, fail) < 0)
			goto out;
		member_integer(&numbers, ended[i], number);
	}
	member_integer(&numbers, "workers", workers);
	member_integer(&numbers, "oldest_age_seconds", oldest / 1000);
	if (plain)
		buf_print(&out, "%" PRId64 "\n", ready + running);
	else
		buf_print(&out, "{%s}\n", numbers.data);
	cli_write(cli, out.data, out.length);
	done = 0;
out:
	cJSON_Delete(depth);
	buf_release(&numbers);
	buf_release(&out);
	return done;
}

static int
print_metrics(const struct cli *cli, struct engine *engine,
    const struct buf *all, struct fail *fail)
{
	struct buf out = BUF_INIT(1u << 20);
	int done = metrics_write(&out, engine, all, fail);

	if (done == 0)
		cli_write(cli, out.data, out.length);
	buf_release(&out);
	return done;
}

int
main(int argc, char **argv)
{
	struct buf depth = BUF_INIT(64u << 10);
	struct engine *engine = NULL;
	const char *queue = NULL;
	struct cli cli;
	struct fail fail;
	bool plain = false, metrics = false;
	const struct cli_option options[] = {
		{ "queue", "NAME", "count only tasks of this queue",
		    .text = &queue },
		{ "openmetrics", NULL, "print all numbers, for Prometheus",
		    .flag = &metrics },
		{ "plain", NULL,
		    "print only the number of tasks pending and running",
		    .flag = &plain },
		CLI_SETTINGS(&cli),
		{ NULL },
	};
	int code = 0;

	cli_start(&cli, "agent-scale-probe", usage_text, help_text);
	cli_options(&cli, options, 0, argc, argv);
	if (metrics && (queue || plain))
		cli_usage(&cli,
		    "--openmetrics prints all queues and takes no "
		    "--queue or --plain");
	if (cli_settings(&cli, &fail) < 0)
		return cli_fail(&cli, &fail, NULL);
	if (engine_open(cli.engine, cli_store(&cli), ENGINE_READ, &cli.config,
		&engine, &fail) < 0 ||
	    engine->ops->depth(engine, queue, &depth, &fail) < 0 ||
	    (metrics ? print_metrics(&cli, engine, &depth, &fail)
		     : print(&cli, queue, &depth, plain, &fail)) < 0)
		code = cli_fail(&cli, &fail, NULL);
	engine_close(engine);
	config_release(&cli.config);
	buf_release(&depth);
	return code;
}
