/* SPDX-License-Identifier: ISC */
/*
 * config: the settings of agent.yaml. Pure: it turns bytes into a struct; cli.h
 * finds the file and reads it. Every member of the file is optional; unknown
 * members are refused with the nearest known name. agent-config(5) lists them;
 * the default values are there and in config.c, nowhere else.
 */
#ifndef COMMON_AGENT_CONFIG_H
#define COMMON_AGENT_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/fail.h"

struct price { /* nano-dollars for one token: 1 USD a million tokens = 1000 */
	char *model;   /* NULL: of a step */
	int64_t above; /* a step: for prompts of more tokens than this */
	int64_t input, output, cache_read, cache_write_5m, cache_write_1h;
	struct price *next; /* the next step, or NULL */
};

enum on_unknown {
	ON_UNKNOWN_TELL, /* the model is told that the call may have happened */
	ON_UNKNOWN_RETRY, /* run again: the user knows that this is harmless */
	ON_UNKNOWN_ASK,   /* wait for a person: agent-signal approve or deny */
};

/* The names of enum on_unknown, and those of efforts; end with NULL. */
extern const char *const config_on_unknown[], *const config_efforts[];

struct tool_rule { /* the first rule whose glob matches the tool counts */
	char *glob;
	bool has_on_unknown, has_repeatable;
	enum on_unknown on_unknown;
	bool repeatable; /* read-only or idempotent, whatever its tags say */
};

struct probe { /* a tool that shows whether an account works */
	char *toolkit, *tool;
};

struct config {
	char *store;  /* NULL: not set */
	char *engine; /* NULL: lmdb */
	char *anthropic_url, *composio_url;
	char *plain_http; /* the host, other than this one, that may be
	                        * called without TLS; NULL: none */

	char *model;        /* default for tasks that name none */
	char *effort;       /* NULL: the model's default */
	int64_t max_tokens; /* of one reply */
	char *system;       /* put before the task's own; NULL: none */
	char *timezone;     /* of users whose tasks name none; NULL: none */
	struct price *prices;
	size_t price_count;
	struct tool_rule *tools;
	size_t tool_count;
	struct probe *probes;
	size_t probe_count;

	int64_t context_tokens;   /* of a request; 0: what the model takes */
	int64_t result_bytes;     /* of a tool's result, shown to the model */
	int64_t result_bytes_max; /* of a tool's result, kept */
	int64_t turn_ms, idle_ms, call_ms; /* time limits */
	int64_t settle_ms; /* a call whose answer was lost may be under way for
	                    * so long after it was sent */
	int64_t attempts;  /* tries of one model turn, or of a call that is
	                        * known not to have happened */
	int64_t concurrency, grace_ms, lease_ms;
	int64_t running_per_user, running_per_queue; /* 0: no limit */
	int64_t open_per_user;                   /* not ended; 0: no limit */
	int64_t user_day_nano_usd, day_nano_usd; /* 0: no limit */
	int64_t run_events, run_bytes; /* of one run on Temporal; 0: only the
	                        * server's limit */
	int64_t store_bytes; /* the store's largest size; 0: no limit */
};

/* Fills CONFIG from YAML or JSON text (NULL text: all defaults). FAIL_NEVER,
 * type "invalid_config", naming the member. After a failure there is nothing to
 * release. */
int
config_parse(const char *text, size_t length, struct config *config,
    struct fail *fail);

void
config_release(struct config *config);

/* Replaces *RET_URL (freed) by the address TEXT, without a slash at its end.
 * FAIL_NEVER, type "invalid_config", naming NAME, when it is not an address. */
int
config_url(const char *name, const char *text, char **ret_url,
    struct fail *fail);

/* The price of a model: an exact name before a glob. NULL when unknown. */
const struct price *
config_price(const struct config *config, const char *model);

/* The step of PRICE (may be NULL) that is for prompts of TOKENS. */
const struct price *
config_price_step(const struct price *price, int64_t tokens);

/* How many tokens MODEL can take, when no setting says so. */
int64_t
config_context_tokens(const char *model);

/* The rule for a tool, or NULL. */
const struct tool_rule *
config_tool(const struct config *config, const char *slug);

/* The tool that shows whether an account of TOOLKIT works, or NULL. */
const char *
config_probe(const struct config *config, const char *toolkit);

/* Whether NAME matches the shell pattern GLOB (* ? and [...]), case counts.
 * Used for tools everywhere. */
bool
config_glob(const char *glob, const char *name);

#endif
