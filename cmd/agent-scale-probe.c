/*
 * agent-scale-probe: the queue in numbers, read from counters in constant
 * time. What cannot be read is an error and never a zero: a zero would scale
 * the workers away.
 */
#include <cjson/cJSON.h>

#include "common/buf.h"
#include "common/cli.h"
#include "common/engine.h"
#include "common/fail.h"
#include "common/json.h"

static const char usage_text[] =
    "agent-scale-probe [--config FILE] [--engine NAME] [--json] [--plain]\n"
    "                  [--queue NAME] [--store DIR]";
static const char help_text[] =
    "Prints how much there is to do, for an autoscaler.\n"
    "\n"
    "  --queue NAME   of this queue only\n"
    "  --plain        print only the number: tasks pending and running\n";

enum { OPTION_PLAIN = CLI_OWN, OPTION_QUEUE };
static const struct option options[] = {
	CLI_OPTIONS,
	{ "plain", no_argument, NULL, OPTION_PLAIN },
	{ "queue", required_argument, NULL, OPTION_QUEUE },
	{ NULL, 0, NULL, 0 },
};

static int
print(const struct cli *cli, struct buf *depth, bool plain, struct fail *fail)
{
	struct span text = { depth->data, depth->length }, value;

	if (plain) {
		if (!json_member(text, "value", &value))
			return fail_set(fail, FAIL_NOT_NOW, "system",
			    "the engine gave no number");
		cli_write(cli, value.at, value.length);
		cli_write(cli, "\n", 1);
		return 0;
	}
	buf_add(depth, "\n", 1);
	cli_write(cli, depth->data, depth->length);
	return 0;
}

int
main(int argc, char **argv)
{
	struct buf depth = BUF_INIT(64u << 10);
	struct engine *engine = NULL;
	const char *queue = NULL;
	struct cli cli;
	struct fail fail;
	bool plain = false;
	int option, code = 0;

	cli_start(&cli, "agent-scale-probe", usage_text, help_text);
	while ((option = cli_option(&cli, argc, argv, "", options)) != -1) {
		if (option == OPTION_PLAIN)
			plain = true;
		else if (option == OPTION_QUEUE)
			queue = optarg;
	}
	if (optind < argc)
		cli_usage(&cli, "unexpected argument: %s", argv[optind]);
	if (cli_settings(&cli, &fail) < 0)
		return cli_fail(&cli, &fail, NULL);
	if (engine_open(cli.engine, cli_store(&cli), ENGINE_READ, &cli.config,
		&engine, &fail) < 0 ||
	    engine_depth(engine, queue, &depth, &fail) < 0 ||
	    print(&cli, &depth, plain, &fail) < 0)
		code = cli_fail(&cli, &fail, NULL);
	engine_close(engine);
	config_release(&cli.config);
	buf_release(&depth);
	return code;
}
