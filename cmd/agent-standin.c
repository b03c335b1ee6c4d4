/* SPDX-License-Identifier: ISC */
/*
 * agent-standin: a scripted stand-in for the Claude Messages API and the
 * Composio REST API, on one port of the loopback interface.
 */
#include <getopt.h>
#include <signal.h>

#include "cmd/standin/script/script.h"
#include "cmd/standin/server/server.h"
#include "cmd/standin/standin.h"
#include "common/base/file.h"
#include "common/cli/cli.h"
#include "common/json/log.h"

#define BODY_BYTES ((size_t)32 << 20)
#define SUMMARY_BYTES ((size_t)16 << 20)
#define THREADS_MOST 64

static const char usage[] =
    "agent-standin --script FILE "
    "[--address-file FILE] [--allow-remote]\n"
    "              [--ledger FILE] [--listen ADDRESS:PORT] "
    "[--mailbox FILE]\n"
    "              [--state FILE] [--threads N] [--verbose]\n"
    "       agent-standin --summary LEDGER [--json]";

static const char help[] =
    "A local stand-in for the Claude and Composio APIs, for rehearsals, demos\n"
    "and tests. Its address is the first line on stdout.\n";

struct settings {
	const char *script, *address_file, *mailbox, *ledger, *state, *summary;
	char address[64];
	uint16_t port;
	bool remote, verbose;
	long long threads;
};

/* "127.0.0.1:8080", "[::1]:0", "8080" */
static void
read_listen(const struct cli *cli, const char *text, struct settings *settings)
{
	const char *colon = strrchr(text, ':');
	const char *port = colon == NULL ? text : colon + 1;
	size_t size = colon == NULL ? 0 : (size_t)(colon - text);

	settings->port = (uint16_t)cli_number(cli, "--listen", port, 0, 65535);
	if (colon == NULL)
		return;
	if (size >= 2 && text[0] == '[' && text[size - 1] == ']') {
		text++;
		size -= 2;
	}
	if (size == 0 || size >= sizeof(settings->address))
		cli_usage(cli, "--listen: %s is not ADDRESS:PORT", text);
	snprintf(settings->address, sizeof(settings->address), "%.*s",
	    (int)size, text);
}

static void
read_options(struct cli *cli, int argc, char **argv, struct settings *settings)
{
	const char *listen = NULL;
	const struct cli_option options[] = {
		{ "script", "FILE",
		    "the script of its behaviour: agent-standin(5)",
		    .text = &settings->script },
		{ "listen", "ADDR:PORT",
		    "where to listen; 127.0.0.1:0 by default",
		    .text = &listen },
		{ "allow-remote", NULL, "allow an address that is not loopback",
		    .flag = &settings->remote },
		{ "address-file", "FILE",
		    "write the address to FILE when it is ready",
		    .text = &settings->address_file },
		{ "mailbox", "FILE", "the mail of its Gmail, an mbox file",
		    .text = &settings->mailbox },
		{ "ledger", "FILE", "append each executed tool call to FILE",
		    .text = &settings->ledger },
		{ "state", "FILE", "keep drafts and issues across restarts",
		    .text = &settings->state },
		{ "threads", "N", "threads that answer; 2 by default",
		    .number = &settings->threads, .least = 1,
		    .most = THREADS_MOST },
		{ "verbose", NULL, "log each request",
		    .flag = &settings->verbose },
		{ "summary", "LEDGER", "print what a ledger holds, and end",
		    .text = &settings->summary },
		{ "json", .flag = &cli->human },
		{ NULL },
	};

	cli_options(cli, options, 0, argc, argv);
	log_verbose(settings->verbose);
	if (listen != NULL)
		read_listen(cli, listen, settings);
	if (settings->script == NULL && settings->summary == NULL)
		cli_usage(cli, "--script or --summary is needed");
	if (!settings->remote && strncmp(settings->address, "127.", 4) != 0 &&
	    strcmp(settings->address, "::1") != 0)
		cli_usage(cli,
		    "--listen: %s is not a loopback address; "
		    "--allow-remote allows it",
		    settings->address);
}

static int
set_up(struct standin *standin, const struct settings *settings,
    struct fail *fail)
{
	pthread_mutex_init(&standin->lock, NULL);
	standin->cache = prompt_cache_new();
	standin->drafts = records_new();
	standin->issues = records_new();
	standin->script = script_read(settings->script, fail);
	if (standin->script == NULL)
		return -1;
	standin->log = cJSON_CreateArray();
	if (script_number(standin->script, "drip", 0, 86400000, 0,
		&standin->drip_ms, "drip", fail) < 0 ||
	    model_new(standin->script, &standin->model, fail) < 0 ||
	    faults_new(standin->script, &standin->faults, fail) < 0 ||
	    catalogue_new(standin->script, &standin->catalogue, fail) < 0 ||
	    accounts_new(standin->script, &standin->accounts, fail) < 0 ||
	    linear_new(standin->script, &standin->linear, fail) < 0)
		return fail_prefix(fail, "%s", settings->script);
	if (mailbox_open(settings->mailbox, &standin->mailbox, fail) < 0 ||
	    ledger_open(settings->ledger, &standin->ledger, fail) < 0)
		return -1;
	return standin_restore(standin, settings->state, fail);
}

static void
take_down(struct standin *standin)
{
	records_free(standin->drafts);
	records_free(standin->issues);
	mailbox_close(standin->mailbox);
	ledger_close(standin->ledger);
	linear_free(standin->linear);
	accounts_free(standin->accounts);
	cJSON_Delete(standin->log);
	catalogue_free(standin->catalogue);
	faults_free(standin->faults);
	model_free(standin->model);
	prompt_cache_free(standin->cache);
	cJSON_Delete(standin->script);
	pthread_mutex_destroy(&standin->lock);
}

/* Tells where it listens, and waits for the signal to end. */
static int
run(const struct cli *cli, const struct settings *settings,
    struct standin *standin, struct fail *fail)
{
	struct server_options server_options = {
		.address = settings->address,
		.port = settings->port,
		.threads = (unsigned)settings->threads,
		.body_maximum = BODY_BYTES,
		.arrive = dispatch_arrive,
		.answer = dispatch_answer,
		.context = standin,
	};
	struct server *server = NULL;
	char line[96];
	sigset_t ends;
	int signal, result = 0;

	/* Blocked in every thread, and taken here by sigwait. */
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &ends, NULL);
	if (server_start(&server_options, &server, fail) < 0)
		return -1;
	snprintf(standin->url, sizeof(standin->url),
	    strchr(settings->address, ':') ? "http://[%s]:%u" : "http://%s:%u",
	    settings->address, (unsigned)server_port(server));
	snprintf(line, sizeof(line), "%s\n", standin->url);
	if (settings->address_file != NULL)
		result = file_replace(settings->address_file, line,
		    strlen(line), fail);
	if (result == 0) {
		log_line("info", "ready", "address", standin->url, NULL);
		cli_write(cli, line, strlen(line));
		sigwait(&ends, &signal);
		log_line("info", "ending", NULL);
	}
	server_stop(server);
	return result;
}

static int
summarise(const struct cli *cli, const char *path, struct fail *fail)
{
	struct buf text = BUF_INIT(SUMMARY_BYTES);
	int result = ledger_summary(path, cli->human, &text, fail);

	if (result == 0 && text.length > 0)
		cli_write(cli, text.data, text.length);
	buf_release(&text);
	return result;
}

int
main(int argc, char **argv)
{
	struct settings settings = { .address = "127.0.0.1", .threads = 2 };
	struct standin standin = { .script = NULL };
	struct fail fail;
	struct cli cli;
	int result;

	cli_start(&cli, "agent-standin", usage, help);
	read_options(&cli, argc, argv, &settings);
	if (settings.summary != NULL) {
		result = summarise(&cli, settings.summary, &fail);
	} else {
		result = set_up(&standin, &settings, &fail);
		if (result == 0)
			result = run(&cli, &settings, &standin, &fail);
		take_down(&standin);
	}
	return result < 0 ? cli_fail(&cli, &fail, NULL) : 0;
}
