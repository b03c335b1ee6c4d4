/* SPDX-License-Identifier: ISC */
/*
 * agent-store: checks, backs up, prunes and exports the store of the engine
 * lmdb, for its administrator.
 */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "common/agent/engine.h"
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/fail.h"
#include "common/cli/cli.h"
#include "common/cli/export.h"
#include "common/json/json.h"
#include "common/store/admin.h"
#include "common/store/store.h"

static const char usage_text[] =
    "agent-store backup [--config FILE] [--json] [--store DIR] COPY\n"
    "       agent-store check [--config FILE] [--json] [--store DIR]\n"
    "       agent-store export [--config FILE] [--json] [--store DIR]\n"
    "       agent-store prune [--config FILE] [--json] [--store DIR]\n"
    "             --before AGE";
static const char help_text[] =
    "Checks, backs up, exports and prunes the folder with the tasks.\n"
    "\n"
    "  backup COPY   copy it to the new folder COPY, while it is in use\n"
    "  check         verify that all tables of the store agree\n"
    "  export        print each task with its journal as a line of JSON\n"
    "  prune         remove tasks that ended longer than AGE ago\n";

struct run {
	struct cli cli;
	const char *folder, *before, *copy;
	int64_t age;           /* milliseconds, of --before */
	int64_t tasks, events; /* seen by check */
};

static void
print(const struct run *run, struct buf *buf)
{
	cli_write(&run->cli, buf->data, buf->length);
	buf_release(buf);
}

/* ---- check ---- */

static void
say_fault(void *context, const char *sentence)
{
	struct run *run = context;
	struct buf line = BUF_INIT(64u << 10);

	if (run->cli.human) {
		buf_add_string(&line, sentence);
	} else {
		buf_add_string(&line, "{\"fault\":");
		json_quote(&line, sentence, strlen(sentence));
		buf_add_string(&line, "}");
	}
	buf_add_string(&line, "\n");
	print(run, &line);
}

static int
fold(void *context, const struct task_row *row, const struct span *texts,
    size_t count, struct fail *fail)
{
	struct run *run = context;

	run->tasks++;
	run->events += (int64_t)count;
	return audit_journal(row, texts, count, fail);
}

static int
check(struct run *run, struct fail *fail)
{
	struct buf line = BUF_INIT(4096);
	struct store *store = NULL;
	int faults;

	if (store_open(run->folder, STORE_READ, 0, &store, fail) < 0)
		return -1;
	faults = store_verify(store, fold, say_fault, run, fail);
	store_close(store);
	if (faults < 0)
		return -1;
	if (run->cli.human)
		buf_print(&line,
		    "%" PRId64 " tasks, %" PRId64 " events, %d faults\n",
		    run->tasks, run->events, faults);
	else
		buf_print(&line,
		    "{\"tasks\":%" PRId64 ",\"events\":%" PRId64
		    ",\"faults\":%d}\n",
		    run->tasks, run->events, faults);
	print(run, &line);
	return faults ? FAIL_NO : 0;
}

/* ---- backup, prune ---- */

static int
backup(struct run *run, struct fail *fail)
{
	struct buf line = BUF_INIT(64u << 10);
	struct store *store = NULL;
	int result;

	if (store_open(run->folder, STORE_READ, 0, &store, fail) < 0)
		return -1;
	result = store_backup(store, run->copy, fail);
	store_close(store);
	if (result < 0)
		return -1;
	if (run->cli.human) {
		buf_print(&line, "copied to %s", run->copy);
	} else {
		buf_add_string(&line, "{\"backup\":");
		json_quote(&line, run->copy, strlen(run->copy));
		buf_add_string(&line, "}");
	}
	buf_add_string(&line, "\n");
	print(run, &line);
	return 0;
}

static int
prune(struct run *run, struct fail *fail)
{
	int64_t count;
	struct buf line = BUF_INIT(4096);
	struct store *store = NULL;

	if (store_open(run->folder, STORE_WRITE, 0, &store, fail) < 0)
		return -1;
	count = store_prune(store, clock_wall() - run->age, fail);
	store_close(store);
	if (count < 0)
		return -1;
	buf_print(&line,
	    run->cli.human ? "%" PRId64 " tasks removed\n"
			   : "{\"pruned\":%" PRId64 "}\n",
	    count);
	print(run, &line);
	return 0;
}

/* ---- export ---- */

static void
write_line(void *context, struct span line)
{
	struct run *run = context;

	cli_write(&run->cli, line.at, line.length);
}

static int export(struct run *run, struct fail *fail)
{
	struct engine *engine = NULL;
	int result;

	if (engine_open("lmdb", run->folder, ENGINE_READ, &run->cli.config,
		&engine, fail) < 0)
		return -1;
	result = export_tasks(engine, write_line, run, fail);
	engine_close(engine);
	return result;
}

/* ---- the program ---- */

static const struct command {
	const char *name;
	int (*run)(struct run *run, struct fail *fail);
	int arguments;
	bool before;
} commands[] = {
	{ "backup", backup, 1, false },
	{ "check", check, 0, false },
	{ "export", export, 0, false },
	{ "prune", prune, 0, true },
};

static const struct command *
find_command(struct run *run, int argc, char **argv)
{
	const struct command *command = NULL;
	size_t i;

	if (optind == argc)
		cli_usage(&run->cli,
		    "one of backup, check, export, prune is needed");
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(argv[optind], commands[i].name) == 0)
			command = &commands[i];
	}
	if (!command)
		cli_usage(&run->cli,
		    "\"%s\" is none of backup, check, export, prune",
		    argv[optind]);
	if (argc - optind - 1 != command->arguments)
		cli_usage(&run->cli, "%s takes %s", command->name,
		    command->arguments ? "the folder of the copy"
				       : "no argument");
	if (command->before != (run->before != NULL))
		cli_usage(&run->cli,
		    command->before ? "prune needs --before AGE"
				    : "--before is for prune");
	if (run->before && !clock_duration(run->before, &run->age))
		cli_usage(&run->cli,
		    "--before needs a number and one of s, m, h, d, w, as in "
		    "90d, not \"%s\"",
		    run->before);
	run->copy = argv[optind + 1];
	return command;
}

int
main(int argc, char **argv)
{
	const struct command *command;
	struct run run = { .tasks = 0 };
	const struct cli_option options[] = {
		{ "before", "AGE", "a number and s, m, h, d or w: 90d",
		    .text = &run.before },
		CLI_SETTINGS(&run.cli),
		{ NULL },
	};
	struct fail fail;
	int code;

	cli_start(&run.cli, "agent-store", usage_text, help_text);
	cli_options(&run.cli, options, argc, argc, argv);
	command = find_command(&run, argc, argv);
	if (cli_settings(&run.cli, &fail) < 0)
		return cli_fail(&run.cli, &fail, NULL);
	run.folder = cli_store(&run.cli);
	if (run.cli.engine && strcmp(run.cli.engine, "lmdb") != 0)
		code = fail_set(&fail, FAIL_NEVER, "engine",
		    "agent-store works on the store of the engine lmdb, not %s",
		    run.cli.engine);
	else
		code = command->run(&run, &fail);
	if (code < 0)
		code = cli_fail(&run.cli, &fail, NULL);
	config_release(&run.cli.config);
	return code;
}
