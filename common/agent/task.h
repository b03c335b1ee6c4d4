/* SPDX-License-Identifier: ISC */
/*
 * task: checks a task that a user submits. Pure.
 *
 * A task file is JSON or YAML; agent-task(5) lists its members and limits,
 * man/agent-task.schema.json is the same as a JSON Schema, and a test compares
 * both with this module.
 */
#ifndef COMMON_AGENT_TASK_H
#define COMMON_AGENT_TASK_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/agent/config.h"
#include "common/base/fail.h"

enum task_state {
	TASK_QUEUED,  /* ready, or due later */
	TASK_RUNNING, /* a worker has it */
	TASK_WAITING, /* for a person, a connection, a timer, a rate limit */
	TASK_COMPLETED,
	TASK_BLOCKED, /* the model said that it cannot go on, and why */
	TASK_FAILED,
	TASK_CANCELLED,
	TASK_STATES, /* how many; a row keeps the number of its state */
};

const char *
task_state_name(enum task_state state); /* "queued", ... */

bool
task_state_parse(const char *name, enum task_state *ret_state);

bool
task_state_final(enum task_state state); /* completed and what follows it */

#define TASK_USER_MAX 128 /* bytes, and so on below */
#define TASK_KEY_MAX 200
#define TASK_QUEUE_MAX 64
#define TASK_GOAL_MAX 100000
#define TASK_SYSTEM_MAX 100000
#define TASK_MODEL_MAX 128
#define TASK_TIMEZONE_MAX 64
#define TASK_TOOLKITS_MAX 32 /* entries */
#define TASK_TOOLKIT_MAX 64
#define TASK_TOOLS_MAX 128 /* entries */
#define TASK_TOOL_MAX 128
#define TASK_ACCOUNT_MAX 128
#define TASK_LABELS_MAX 32     /* members */
#define TASK_REPLY_MAX 1000000 /* max_tokens */
#define TASK_PRIORITY_MAX 9
#define TASK_PRIORITY_DEFAULT 5
#define TASK_TURNS_DEFAULT \
	200 /* every task has one: a model that never stops
                                * comes to an end */
#define TASK_TURNS_MAX 100000
#define TASK_TOKENS_MAX 1000000000000
#define TASK_USD_MAX 1000000
#define TASK_SECONDS_MAX 315360000 /* ten years */

/* The strings belong to the doc and live as long as it. */
struct task {
	cJSON *doc;       /* the checked task with every default, its members
	                      * in the order of agent-task(5), without "preflight";
	                      * its text is the task's identity for --key */
	cJSON *preflight; /* what agent-preflight added, or NULL */
	const char *user, *goal, *model, *queue;
	const char *effort;    /* NULL: not set */
	const char *key;       /* NULL: none */
	const char *system;    /* NULL: none */
	const char *timezone;  /* of the user, its IANA name; NULL: not known */
	const cJSON *toolkits; /* array of strings, may be empty */
	const cJSON
	    *tools; /* array of strings, names or globs, or empty: all */
	const cJSON *accounts; /* {"gmail":id or alias}, or NULL: no choice */
	int64_t priority;      /* 0 (last) to 9 (first), default 5 */
	int64_t not_before;    /* wall milliseconds, 0: now */
	int64_t deadline;      /* wall milliseconds, 0: none */
	int64_t max_tokens;
	int64_t budget_turns;                  /* always set */
	int64_t budget_tokens, budget_seconds; /* 0: none */
	int64_t budget_nano_usd; /* billionths of a dollar, 0: none */
	bool fails_on_budget;    /* at a ceiling, instead of waiting */
};

/* Checks VALUE (taken over, even on failure) and fills TASK with it; CONFIG
 * gives the defaults. FAIL_NEVER, type "invalid_task", naming the member by
 * its path, what it must be and, for an unknown one, the nearest known. Only
 * the first fault is reported. */
int
task_check(cJSON *value, const struct config *config, struct task *task,
    struct fail *fail);

/* The same from the text of a doc made by task_check (from the journal). */
int
task_read(const cJSON *doc, struct task *task, struct fail *fail);

/* Makes TASK one that asks only whether TOOLKIT (NULL: each of its toolkits, or
 * without any, whatever the user has) is connected: its tools become NULL. */
void
task_connections(struct task *task, const char *toolkit);

void
task_release(struct task *task);

/* In tokens: no turn is begun when less is left of a budget. */
int64_t
task_shortest_reply(const struct task *task);

/* Whether TEXT can be a user's name, its length aside. */
bool
task_user_fine(const char *text);

#endif
