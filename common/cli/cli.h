/* SPDX-License-Identifier: ISC */
/*
 * cli: shared by all programs: the common options, the settings, the output of
 * errors. The only module of common/ that prints; main() uses it.
 */
#ifndef COMMON_CLI_CLI_H
#define COMMON_CLI_CLI_H

#include <cjson/cJSON.h>
#include <getopt.h>
#include <stdbool.h>

#include "common/agent/config.h"
#include "common/base/buf.h"
#include "common/base/fail.h"

struct cli {
	const char *program; /* "agent-submit" */
	const char *usage;   /* the SYNOPSIS line(s), without "usage: " */
	const char *help;    /* text of --help after the usage */
	const char *store, *engine, *config_path; /* options, or NULL */
	struct config config;
	bool human;        /* stdout is a terminal and no --json */
	bool acknowledges; /* its output is an acknowledgement: a reader that
	                        * closes it early is a failure */
};

/* Values of getopt_long for options that every program takes:
 * --help, --version, --config FILE, --store DIR, --engine NAME, --json. */
enum {
	CLI_HELP = 1000,
	CLI_VERSION,
	CLI_CONFIG,
	CLI_STORE,
	CLI_ENGINE,
	CLI_JSON,
	CLI_OWN = 2000, /* a program's own long options start here */
};
#define CLI_OPTIONS \
	{ "help", no_argument, NULL, CLI_HELP }, \
	    { "version", no_argument, NULL, CLI_VERSION }, \
	    { "config", required_argument, NULL, CLI_CONFIG }, \
	    { "store", required_argument, NULL, CLI_STORE }, \
	    { "engine", required_argument, NULL, CLI_ENGINE }, \
	{ \
		"json", no_argument, NULL, CLI_JSON \
	}

/* The first call of a program: afterwards descriptors 0 to 2 exist, SIGPIPE is
 * ignored, and signals end process 1 of a container as they end others. */
void
cli_start(struct cli *cli, const char *program, const char *usage,
    const char *help);

/* getopt_long, with the shared options handled (--help and --version exit 0,
 * a bad option exits 100). Returns the next own option or -1. */
int
cli_option(struct cli *cli, int argc, char **argv, const char *letters,
    const struct option *options);

/* "usage: ..." and the reason on stderr; exits 100. */
void
cli_usage(const struct cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3), noreturn));

/* Reads the settings: --config, else AGENT_CONFIG, else the user's or the
 * system's agent.yaml; then the environment. Fills cli->config and the store
 * and engine names (options win). */
int
cli_settings(struct cli *cli, struct fail *fail);

/* The store's folder: --store, AGENT_STORE, the setting "store", else
 * agent-utils in XDG_STATE_HOME, or for root /var/lib/agent-utils, or in
 * HOME/.local/state. */
const char *
cli_store(struct cli *cli);

/* "prog: message" on stderr, {"error":{...}} on stdout unless human; returns
 * the exit status. DETAILS (may be NULL) are further members as raw JSON. */
int
cli_fail(const struct cli *cli, const struct fail *fail, const char *details);

/* When VALUE is an error object of an earlier program in the pipe: prints it
 * unchanged (not for a human, who has read it on stderr) and returns its exit
 * status; else returns 0. */
int
cli_passed_on(const struct cli *cli, const cJSON *value);

/* Whether the reader of stdout has closed it. */
bool
cli_reader_gone(void);

/* The whole number of an option, from LEAST to MOST, else cli_usage. */
long long
cli_number(const struct cli *cli, const char *option, const char *text,
    long long least, long long most);

/* Writes to stdout; a closed stdout ends the program with 111 (0 for EPIPE of
 * a reader that had enough, as head does, unless it acknowledges). */
void
cli_write(const struct cli *cli, const void *bytes, size_t size);

#endif
