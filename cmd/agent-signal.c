/*
 * agent-signal: kill(1) for tasks. The signal is an event in the task's
 * journal; it is durable when the program ends with 0.
 */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/cli.h"
#include "common/engine.h"
#include "common/fail.h"
#include "common/journal.h"
#include "common/json.h"

static const char usage_text[] =
    "agent-signal [--by WHO] [--call CALL] [--config FILE] [--engine NAME]\n"
    "                    [--json] [--message TEXT] [--store DIR] SIGNAL ID ...\n"
    "       agent-signal --schedule [--config FILE] [--engine NAME] [--json]\n"
    "                    [--store DIR] SIGNAL ID ...";
static const char help_text[] =
    "Sends a signal to tasks, or to schedules.\n"
    "\n"
    "  cancel          end the task\n"
    "  pause, resume   stop the task after what is under way; go on\n"
    "  approve, deny   answer a task that waits for it\n"
    "\n"
    "  --call CALL     the tool call that approve or deny is about\n"
    "  --message TEXT  words for the model\n"
    "  --by WHO        who says so\n"
    "\n"
    "  --schedule      pause, resume, trigger or delete schedules\n";

enum { OPTION_BY = CLI_OWN, OPTION_CALL, OPTION_MESSAGE, OPTION_SCHEDULE };
static const struct option options[] = {
	CLI_OPTIONS,
	{ "by", required_argument, NULL, OPTION_BY },
	{ "call", required_argument, NULL, OPTION_CALL },
	{ "message", required_argument, NULL, OPTION_MESSAGE },
	{ "schedule", no_argument, NULL, OPTION_SCHEDULE },
	{ NULL, 0, NULL, 0 },
};

static int
send_one(const struct cli *cli, struct engine *engine, const char *signal,
    const char *id, struct span members, struct fail *fail)
{
	struct buf task = BUF_INIT(EVENT_MAX), out = BUF_INIT(4096);
	struct span text, state = { "null", 4 };
	int done = -1;

	if (engine_signal(engine, id, signal, members, fail) < 0 ||
	    engine_get(engine, id, &task, fail) < 0)
		goto out;
	text = (struct span){ task.data, task.length };
	json_member(text, "state", &state);
	if (cli->human)
		buf_print(&out, "%s %s %.*s\n", id, signal,
		    (int)state.length - 2, state.at + 1);
	else
		buf_print(&out, "{\"id\":\"%s\",\"signal\":\"%s\","
		    "\"state\":%.*s}\n", id, signal, (int)state.length,
		    state.at);
	cli_write(cli, out.data, out.length);
	done = 0;
out:
	buf_release(&task);
	buf_release(&out);
	return done;
}

static int
signal_schedule(const struct cli *cli, struct engine *engine,
    const char *signal, const char *id, struct fail *fail)
{
	struct buf out = BUF_INIT(4096);

	if (engine_schedule_signal(engine, id, signal, fail) < 0)
		return -1;
	buf_print(&out, cli->human ? "%s %s\n"
	    : "{\"schedule\":\"%s\",\"signal\":\"%s\"}\n", id, signal);
	cli_write(cli, out.data, out.length);
	buf_release(&out);
	return 0;
}

static const char *
parse_options(struct cli *cli, int argc, char **argv, struct buf *members,
    bool *ret_schedule)
{
	static const char *const of_tasks[] = { "cancel", "pause", "resume",
		"approve", "deny", NULL };
	static const char *const of_schedules[] = { "pause", "resume",
		"trigger", "delete", NULL };
	const char *const *names = of_tasks;
	const char *nearest;
	int option;

	while ((option = cli_option(cli, argc, argv, "", options)) != -1) {
		if (optarg && !json_utf8(optarg, strlen(optarg)))
			cli_usage(cli, "the text is not UTF-8");
		if (option == OPTION_SCHEDULE)
			names = of_schedules;
		else if (option == OPTION_BY)
			member_string(members, "by", optarg);
		else if (option == OPTION_CALL)
			member_string(members, "call", optarg);
		else if (option == OPTION_MESSAGE)
			member_string(members, "message", optarg);
	}
	*ret_schedule = names == of_schedules;
	if (*ret_schedule && members->length)
		cli_usage(cli, "a schedule takes no words");
	if (members->overflow)
		cli_usage(cli, "the text is too long");
	if (optind >= argc)
		cli_usage(cli, "a signal and an id are needed");
	for (size_t i = 0; names[i]; i++)
		if (strcmp(argv[optind], names[i]) == 0) {
			if (optind + 1 == argc)
				cli_usage(cli, "the id of a task is needed");
			return names[i];
		}
	nearest = json_nearest(argv[optind], names);
	cli_usage(cli, "no such signal: %s%s%s", argv[optind],
	    nearest ? "; did you mean " : "", nearest ? nearest : "");
}

int
main(int argc, char **argv)
{
	struct buf members = BUF_INIT(64u << 10);
	struct engine *engine = NULL;
	const char *signal;
	struct cli cli;
	struct fail fail;
	bool schedule;
	int worst = 0;

	cli_start(&cli, "agent-signal", usage_text, help_text);
	cli.acknowledges = true;
	signal = parse_options(&cli, argc, argv, &members, &schedule);
	if (cli_settings(&cli, &fail) < 0)
		return cli_fail(&cli, &fail, NULL);
	if (engine_open(cli.engine, cli_store(&cli), ENGINE_WRITE, &cli.config,
		&engine, &fail) < 0) {
		worst = cli_fail(&cli, &fail, NULL);
		goto out;
	}
	for (int i = optind + 1; i < argc; i++) {
		struct span text = { members.data ? members.data : "",
			members.length };

		if ((schedule ? signal_schedule(&cli, engine, signal, argv[i],
			&fail) : send_one(&cli, engine, signal, argv[i], text,
			&fail)) < 0) {
			int code = cli_fail(&cli, &fail, NULL);

			worst = code > worst ? code : worst;
		}
	}
out:
	engine_close(engine);
	config_release(&cli.config);
	buf_release(&members);
	return worst;
}
