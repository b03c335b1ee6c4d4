/* SPDX-License-Identifier: ISC */
/*
 * Settings come from the built-in values, the file, the environment and the
 * options; each overrides those before it. No variable is required: without any,
 * as in cron and in containers, the system's file and root's folder are used.
 */
#include "common/cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/agent/journal.h"
#include "common/agent/preflight.h"
#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/base/utf8.h"
#include "common/base/zone.h"
#include "common/json/json.h"

#define CONFIG_BYTES (1u << 20)
#define SYSTEM_CONFIG "/etc/agent-utils/agent.yaml"

/* The value of an environment variable; an empty one counts as none. */
static const char *
environment(const char *name)
{
	const char *value = getenv(name);

	return value != NULL && value[0] != '\0' ? value : NULL;
}

/* Writes bytes as they are, or to a terminal visibly: they may come from mails,
 * models and services. Returns 0 or errno. */
static int
put(int fd, const char *bytes, size_t size)
{
	struct buf shown = BUF_INIT(SIZE_MAX / 2);
	ssize_t written;
	int error = 0;

	if (isatty(fd) == 1) {
		utf8_visible(&shown, bytes, size);
		bytes = shown.data;
		size = shown.length;
	}
	while (size > 0 && error == 0) {
		written = write(fd, bytes, size);
		if (written < 0 && errno != EINTR)
			error = errno;
		if (written > 0) {
			bytes += written;
			size -= (size_t)written;
		}
	}
	buf_release(&shown);
	return error;
}

void
cli_say(const struct cli *cli, const char *format, ...)
{
	struct buf line = BUF_INIT(1u << 20);
	va_list arguments;
	char *text;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		_exit(FAIL_NOT_NOW);
	va_end(arguments);
	buf_print(&line, "%s: %s\n", cli->program, text);
	/* Nothing can be said about a stderr that is closed or full. */
	(void)put(STDERR_FILENO, line.data, line.length);
	buf_release(&line);
	free(text);
}

static void
end_first(int number)
{
	_exit(128 + number);
}

/* The kernel has no default actions for process 1: without a handler no signal
 * but SIGKILL would end it, and stopping a container would take long. */
static void
end_as_others_do(void)
{
	static const int numbers[] = { SIGHUP, SIGINT, SIGTERM };
	struct sigaction action = { .sa_handler = end_first };
	size_t i;

	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sigaction(numbers[i], &action, NULL);
}

static const char *own_name;

/* SIGBUS: the map of a store reaches beyond the end of a file that was cut off. */
static void
on_cut_off(int number)
{
	static const char text[] = ": data.mdb is cut off or its disk cannot "
				   "be read; restore a backup\n";

	(void)number;
	if (write(STDERR_FILENO, own_name, strlen(own_name)) < 0 ||
	    write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(FAIL_NOT_NOW);
	_exit(FAIL_NEVER);
}

void
cli_start(struct cli *cli, const char *program, const char *usage,
    const char *help)
{
	/* Out of memory ends the process in cJSON, too. */
	cJSON_Hooks hooks = { .malloc_fn = mem_alloc, .free_fn = free };
	int fd;

	/* The first file opened would get the number of a missing descriptor,
	 * and messages would be written to it. /dev/null is opened in the wrong
	 * direction, so that using it is an error and loses nothing silently. */
	for (fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
		    open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
			_exit(FAIL_NOT_NOW);
	signal(SIGPIPE, SIG_IGN);
	own_name = program;
	signal(SIGBUS, on_cut_off);
	if (getpid() == 1)
		end_as_others_do();
	cJSON_InitHooks(&hooks);
	*cli = (struct cli){
		.program = program,
		.usage = usage,
		.help = help,
		.human = isatty(STDOUT_FILENO) == 1,
	};
}

void
cli_usage(const struct cli *cli, const char *format, ...)
{
	struct fail fail;
	va_list arguments;
	char reason[600];

	va_start(arguments, format);
	vsnprintf(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	fail_set(&fail, FAIL_NEVER, "usage", "%s", reason);
	cli_fail(cli, &fail, NULL);
	fprintf(stderr, "usage: %s\n", cli->usage);
	exit(FAIL_NEVER);
}

/* The first of the default paths at which there is a file, or NULL. */
static char *
usual_config(void)
{
	const char *folder;
	char *path = NULL;

	folder = environment("XDG_CONFIG_HOME");
	if (folder != NULL)
		path = mem_print("%s/agent-utils/agent.yaml", folder);
	else if ((folder = environment("HOME")) != NULL)
		path = mem_print("%s/.config/agent-utils/agent.yaml", folder);
	if (path != NULL && access(path, F_OK) == 0)
		return path;
	free(path);
	return access(SYSTEM_CONFIG, F_OK) == 0 ? mem_string(SYSTEM_CONFIG)
						: NULL;
}

static int
read_config(struct cli *cli, struct fail *fail)
{
	struct buf text = BUF_INIT(CONFIG_BYTES);
	int result = -1;
	char *path;

	path = mem_string(cli->config_path != NULL
		? cli->config_path
		: environment("AGENT_CONFIG"));
	if (path == NULL)
		path = usual_config();
	if (path == NULL)
		return config_parse(NULL, 0, &cli->config, fail);
	if (file_read(path, &text, fail) < 0) {
		fail_prefix(fail, "configuration");
		if (fail->kind == FAIL_NOT_NOW && access(path, F_OK) < 0)
			fail->kind = FAIL_NEVER; /* the given name is wrong */
	} else {
		result = config_parse(text.data != NULL ? text.data : "",
		    text.length, &cli->config, fail);
		if (result < 0)
			fail_prefix(fail, "%s", path);
	}
	buf_release(&text);
	free(path);
	return result;
}

/* Replaces a setting of the file by the environment's or the option's. */
static void
override(char **setting, const char *option, const char *variable)
{
	const char *value = option != NULL ? option : environment(variable);

	if (value == NULL)
		return;
	free(*setting);
	*setting = mem_string(value);
}

static int
override_url(char **setting, const char *variable, struct fail *fail)
{
	const char *url = environment(variable);

	return url != NULL ? config_url(variable, url, setting, fail) : 0;
}

static int
check_zone(const char *name, const char *type, struct fail *fail)
{
	int64_t ignored;

	if (!name || zone_offset(name, 0, &ignored, fail) == 0)
		return 0;
	(void)snprintf(fail->type, sizeof(fail->type), "%s", type);
	return fail_prefix(fail, "timezone");
}

int
cli_settings(struct cli *cli, struct fail *fail)
{
	struct config *config = &cli->config;

	if (read_config(cli, fail) < 0)
		return -1;
	override(&config->store, cli->store, "AGENT_STORE");
	override(&config->engine, cli->engine, "AGENT_ENGINE");
	cli->engine = config->engine;
	if (check_zone(config->timezone, "invalid_config", fail) == 0 &&
	    override_url(&config->anthropic_url, "ANTHROPIC_BASE_URL", fail) ==
		0 &&
	    override_url(&config->composio_url, "COMPOSIO_BASE_URL", fail) == 0)
		return 0;
	config_release(config);
	return -1;
}

int
cli_task(const struct cli *cli, cJSON *value, struct task *task,
    struct fail *fail)
{
	if (task_check(value, &cli->config, task, fail) < 0)
		return -1;
	if (check_zone(task->timezone, "invalid_task", fail) == 0)
		return 0;
	task_release(task);
	return -1;
}

/* Root has one folder whether HOME is set or not, so a root shell and root's
 * cron jobs use the same store. */
const char *
cli_store(struct cli *cli)
{
	const struct passwd *user;
	const char *folder;
	char **store = &cli->config.store;

	if (*store != NULL)
		return *store;
	folder = environment("XDG_STATE_HOME");
	if (folder != NULL)
		return *store = mem_print("%s/agent-utils", folder);
	if (geteuid() == 0)
		return *store = mem_string("/var/lib/agent-utils");
	folder = environment("HOME");
	if (folder == NULL) {
		user = getpwuid(geteuid());
		folder = user != NULL ? user->pw_dir : NULL;
	}
	if (folder == NULL || folder[0] == '\0')
		cli_usage(cli,
		    "no folder for the store is known: give --store "
		    "DIR or set AGENT_STORE");
	return *store = mem_print("%s/.local/state/agent-utils", folder);
}

int
cli_fail(const struct cli *cli, const struct fail *fail, const char *details)
{
	struct buf text = BUF_INIT(64u << 20), more = BUF_INIT(63u << 20);

	cli_say(cli, "%s", fail->message);
	if (cli->human)
		return (int)fail->kind;
	buf_print(&more, "\"retryable\":%s,\"exit\":%d%s%s",
	    fail->kind == FAIL_NOT_NOW ? "true" : "false", (int)fail->kind,
	    details != NULL && details[0] != '\0' ? "," : "",
	    details != NULL ? details : "");
	buf_add(&text, "{", 1);
	member_error(&text, fail->type, fail->message, more.data);
	buf_add(&text, "}\n", 2);
	/* A closed stdout does not change the exit status here. */
	(void)put(STDOUT_FILENO, text.data, text.length);
	buf_release(&text);
	buf_release(&more);
	return (int)fail->kind;
}

int
cli_passed_on(const struct cli *cli, const cJSON *value)
{
	const cJSON *error;
	char *text;
	int64_t status;

	error = json_item(value, "error");
	if (!cJSON_IsObject(error) || json_string(error, "type") == NULL)
		return 0;
	if (!json_integer(error, "exit", &status) ||
	    (status != FAIL_NO && status != FAIL_NEVER &&
		status != FAIL_NOT_NOW))
		status = json_true(error, "retryable") ? FAIL_NOT_NOW : FAIL_NO;
	if (cli->human) /* the earlier program has printed it on stderr */
		return (int)status;
	text = json_text(value);
	cli_write(cli, text, strlen(text));
	cli_write(cli, "\n", 1);
	free(text);
	return (int)status;
}

long long
cli_number(const struct cli *cli, const char *option, const char *text,
    long long least, long long most)
{
	long long number;
	char *end;

	errno = 0;
	number = strtoll(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || text[0] == ' ' ||
	    text[0] == '+' || number < least || number > most)
		cli_usage(cli,
		    "%s must be a whole number from %lld to %lld, "
		    "not \"%.60s\"",
		    option, least, most, text);
	return number;
}

void
cli_write(const struct cli *cli, const void *bytes, size_t size)
{
	int number;

	number = put(STDOUT_FILENO, bytes, size);
	if (number == EPIPE && !cli->acknowledges)
		exit(0);
	if (number == 0)
		return;
	cli_say(cli, "unable to write standard output: %s", strerror(number));
	exit(FAIL_NOT_NOW);
}

bool
cli_reader_gone(void)
{
	struct pollfd poller = { .fd = STDOUT_FILENO };

	return poll(&poller, 1, 0) > 0 && (poller.revents & POLLERR);
}

void
cli_tell(const struct cli *cli, const struct preflight *preflight)
{
	const char *error, *message;
	const cJSON *reason, *link;

	cJSON_ArrayForEach (reason, preflight->owners)
		cli_say(cli, "%s: the account is that of %s", reason->string,
		    reason->valuestring);
	cJSON_ArrayForEach (reason, preflight->warnings)
		cli_say(cli, "%s", json_string(reason, "message"));
	cJSON_ArrayForEach (reason, preflight->reasons) {
		link = json_item(reason, "link");
		error = json_string(reason, "link_error");
		message = json_string(reason, "message");
		if (link != NULL)
			cli_say(cli, "%s: %s (until %s)", message,
			    json_string(link, "url"),
			    json_string(link, "expires_at"));
		else
			cli_say(cli, "%s%s%s", message,
			    error != NULL ? ": no link: " : "",
			    error != NULL ? error : "");
	}
}
