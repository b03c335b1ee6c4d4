/* SPDX-License-Identifier: ISC */
/*
 * agent-signal: kill(1) for tasks. The signal is an event in the task's
 * journal; it is durable when the program ends with 0.
 */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/agent/engine.h"
#include "common/agent/journal.h"
#include "common/base/buf.h"
#include "common/base/fail.h"
#include "common/base/file.h"
#include "common/cli/cli.h"
#include "common/json/json.h"
#include "common/json/shape.h"

static const char usage_text[] =
    "agent-signal [--all] [--by WHO] [--call CALL] [--config FILE]\n"
    "                    [--engine NAME] [--json] [--message TEXT] [--request ID]\n"
    "                    [--seconds N] [--store DIR] [--tokens N] [--turns N]\n"
    "                    [--usd N] [--user USER] SIGNAL ID ...\n"
    "       agent-signal [--by WHO] [--config FILE] [--engine NAME] [--json]\n"
    "                    [--request ID] [--store DIR] [--user USER] -f FILE ID ...\n"
    "       agent-signal --schedule [--config FILE] [--engine NAME] [--json]\n"
    "                    [--store DIR] SIGNAL ID ...";
static const char help_text[] =
    "Sends a signal to tasks, or to schedules.\n"
    "\n"
    "  cancel          end the task\n"
    "  pause, resume   pause after the calls under way; go on\n"
    "  approve, deny   answer a task that asks about a tool call\n"
    "  budget          raise the ceilings of the task\n"
    "  retry           go on with a task that failed, was blocked or cancelled\n"
    "  continue        go on with an ended task after one more message\n";

#define CALL_MAX 200
#define MESSAGE_MAX 10000 /* bytes */

static const char *const of_tasks[] = { "cancel", "pause", "resume", "approve",
	"deny", "budget", "retry", "continue", NULL };
static const char *const of_schedules[] = { "pause", "resume", "trigger",
	"delete", NULL };

struct wish {
	const char *signal, *user, *file; /* user, file: or NULL */
	struct buf members;               /* of the event */
	bool schedule;
};

static int
read_member(struct buf *members, const cJSON *value, struct fail *fail)
{
	bool call = strcmp(value->string, "call") == 0;
	bool text = call || strcmp(value->string, "message") == 0;
	bool all = strcmp(value->string, "all") == 0;
	const char *words;
	char *raw;

	if (text &&
	    shape_string(value, value->string, call,
		call ? CALL_MAX : MESSAGE_MAX, NULL, NULL, &words, fail) < 0)
		return -1;
	if (!text && !(all ? cJSON_IsBool(value) : cJSON_IsNumber(value)))
		return shape_refuse(fail, value, value->string, "%s",
		    all ? "true or false" : "a number");
	raw = json_text(value);
	member_raw(members, value->string, raw, strlen(raw));
	free(raw);
	return 0;
}

/* Reads the signal as JSON, which is untrusted input. */
static int
read_signal(struct wish *wish, struct fail *fail)
{
	static const char *const known[] = { "signal", "call", "message", "all",
		"usd", "tokens", "turns", "seconds", NULL };
	struct buf text = BUF_INIT(json_limits_task.bytes);
	cJSON *value = NULL;
	const cJSON *member;
	size_t which;
	int done = -1;

	if (file_read(wish->file, &text, fail) < 0)
		goto out;
	value = json_parse(text.data ? text.data : "", text.length,
	    &json_limits_task, fail);
	if (!value)
		goto out;
	done = shape_object(value, "", known, fail) < 0 ||
		shape_choice(json_item(value, "signal"), "signal", of_tasks,
		    &which, fail) < 0
	    ? -1
	    : 0;
	cJSON_ArrayForEach (member, value)
		if (done == 0 && strcmp(member->string, "signal") != 0)
			done = read_member(&wish->members, member, fail);
	if (done < 0)
		snprintf(fail->type, sizeof(fail->type), "invalid_signal");
	else
		wish->signal = of_tasks[which];
out:
	cJSON_Delete(value);
	buf_release(&text);
	return done;
}

/* The owner of a task never changes, so it can be checked before. */
static int
check_user(struct engine *engine, const char *user, const char *id,
    struct fail *fail)
{
	struct engine_probe probe = { .id = id };

	if (engine->ops->probe(engine, &probe, 1, fail) < 0)
		return -1;
	return probe.found && strcmp(probe.user, user) != 0
	    ? fail_set(fail, FAIL_NO, "no_task", "there is no task %s", id)
	    : 0;
}

static int
send_one(const struct cli *cli, struct engine *engine, const char *signal,
    const char *id, struct span members, struct fail *fail)
{
	struct engine_probe probe = { .id = id };
	struct buf out = BUF_INIT(4096);

	if (engine->ops->signal(engine, id, signal, members, fail) < 0 ||
	    engine->ops->probe(engine, &probe, 1, fail) < 0)
		return -1;
	buf_print(&out,
	    cli->human ? "%s %s %s\n"
		       : "{\"id\":\"%s\",\"signal\":\"%s\","
			 "\"state\":\"%s\"}\n",
	    id, signal, task_state_name(probe.state));
	cli_write(cli, out.data, out.length);
	buf_release(&out);
	return 0;
}

static int
signal_schedule(const struct cli *cli, struct engine *engine,
    const char *signal, const char *id, struct fail *fail)
{
	struct buf out = BUF_INIT(4096);

	if (engine_check_schedules(engine, fail) < 0 ||
	    engine->ops->schedule_signal(engine, id, signal, fail) < 0)
		return -1;
	buf_print(&out,
	    cli->human ? "%s %s\n"
		       : "{\"schedule\":\"%s\",\"signal\":\"%s\"}\n",
	    id, signal);
	cli_write(cli, out.data, out.length);
	buf_release(&out);
	return 0;
}

/* The signal of NAMES that WORD is; WORD may be NULL. */
static const char *
signal_word(const struct cli *cli, const char *word, const char *const *names)
{
	const char *nearest;
	size_t i;

	if (!word)
		cli_usage(cli, "a signal and an id are needed");
	for (i = 0; names[i]; i++)
		if (strcmp(word, names[i]) == 0)
			return names[i];
	nearest = json_nearest(word, names);
	cli_usage(cli, "no such signal: %s%s%s", word,
	    nearest ? "; did you mean " : "", nearest ? nearest : "");
}

static void
add_member(const struct cli *cli, struct buf *members, const char *name,
    const char *text, bool is_number)
{
	char number[40], *end;
	double amount;

	if (!json_utf8(text, strlen(text)))
		cli_usage(cli, "the text is not UTF-8");
	if (!is_number) {
		member_string(members, name, text);
		return;
	}
	amount = strtod(text, &end);
	if (end == text || *end != '\0' || !(amount > 0 && amount < 1e15))
		cli_usage(cli, "--%s needs a number above 0", name);
	snprintf(number, sizeof(number), "%.15g", amount);
	member_raw(members, name, number, strlen(number));
}

static void
parse_options(struct cli *cli, int argc, char **argv, struct wish *wish)
{
	static const char *const members_of[] = { "by", "call", "message",
		"request_id", "usd", "tokens", "turns", "seconds" };
	const char *texts[8] = { NULL };
	bool all = false;
	struct buf *members = &wish->members;
	const struct cli_option options[] = {
		{ "call", "CALL", "the tool call that approve or deny is about",
		    .text = &texts[1] },
		{ "message", "TEXT", "a text for the model",
		    .text = &texts[2] },
		{ "all", NULL, "approve or deny every call that waits for it",
		    .flag = &all },
		{ "usd", "N", "add N dollars to the ceiling (budget, retry)",
		    .text = &texts[4] },
		{ "tokens", "N", "add N tokens", .text = &texts[5] },
		{ "turns", "N", "add N turns", .text = &texts[6] },
		{ "seconds", "N", "add N seconds", .text = &texts[7] },
		{ "by", "WHO", "who sends the signal", .text = &texts[0] },
		{ "request", "ID", "the id of the request that brought it",
		    .text = &texts[3] },
		{ "user", "USER", "signal only tasks of this user",
		    .text = &wish->user },
		{ "f", "FILE", "read the signal as JSON", .text = &wish->file },
		{ "" },
		{ "schedule", NULL,
		    "pause, resume, trigger or delete schedules",
		    .flag = &wish->schedule },
		CLI_SETTINGS(cli),
		{ NULL },
	};

	cli_options(cli, options, argc, argc, argv);
	if (wish->user && !json_utf8(wish->user, strlen(wish->user)))
		cli_usage(cli, "the text is not UTF-8");
	for (size_t i = 0; i < 8; i++)
		if (texts[i])
			add_member(cli, members, members_of[i], texts[i],
			    i >= 4);
	if (all)
		member_raw(members, "all", "true", 4);
	if (wish->schedule && (members->length || wish->user || wish->file))
		cli_usage(cli, "only the settings go with --schedule");
	if (members->overflow)
		cli_usage(cli, "the text is too long");
	if (!wish->file)
		wish->signal = signal_word(cli, argv[optind++],
		    wish->schedule ? of_schedules : of_tasks);
	if (optind >= argc)
		cli_usage(cli, "the id of a task is needed");
}

/* Sends it to the task or schedule ID. */
static int
send(const struct cli *cli, struct engine *engine, const struct wish *wish,
    const char *id, struct fail *fail)
{
	struct span text = { wish->members.data ? wish->members.data : "",
		wish->members.length };

	if (wish->schedule)
		return signal_schedule(cli, engine, wish->signal, id, fail);
	if (wish->user && check_user(engine, wish->user, id, fail) < 0)
		return -1;
	return send_one(cli, engine, wish->signal, id, text, fail);
}

int
main(int argc, char **argv)
{
	struct wish wish = { .members = BUF_INIT(128u << 10) };
	struct engine *engine = NULL;
	struct cli cli;
	struct fail fail;
	int worst = 0;

	cli_start(&cli, "agent-signal", usage_text, help_text);
	cli.acknowledges = true;
	parse_options(&cli, argc, argv, &wish);
	if (cli_settings(&cli, &fail) < 0)
		return cli_fail(&cli, &fail, NULL);
	if ((wish.file && read_signal(&wish, &fail) < 0) ||
	    engine_open(cli.engine, cli_store(&cli), ENGINE_WRITE, &cli.config,
		&engine, &fail) < 0) {
		worst = cli_fail(&cli, &fail, NULL);
		goto out;
	}
	for (int i = optind; i < argc; i++)
		if (send(&cli, engine, &wish, argv[i], &fail) < 0) {
			int code = cli_fail(&cli, &fail, NULL);

			worst = code > worst ? code : worst;
		}
out:
	engine_close(engine);
	config_release(&cli.config);
	buf_release(&wish.members);
	return worst;
}
