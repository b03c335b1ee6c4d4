/* SPDX-License-Identifier: ISC */
/*
 * pins: what stays fixed for a task's whole life: the account and the version
 * of each tool, and the first bytes of every model request. Pure.
 *
 * Pins are made once, by agent-preflight or by a worker, and are recorded in
 * the journal as the event "pinned". They never change, because the model's
 * prompt cache and its preserved thinking are bound to exactly these bytes.
 *
 *	{"request":{"model":...,"max_tokens":...,"stream":true,"thinking":{...},
 *	  "output_config":{...},"cache_control":{...},"system":[...],
 *	  "tools":[...]},
 *	 "tools":[{"name":"GMAIL_FETCH_EMAILS","provider":"composio",
 *	   "slug":"GMAIL_FETCH_EMAILS","toolkit":"gmail",
 *	   "version":"20261101_00","account":"ca_1",
 *	   "aliases":{"dollar_top":"$top"},"repeatable":true,
 *	   "on_unknown":"tell"}, ...],
 *	 "read_tool":"read_result"}
 */
#ifndef COMMON_AGENT_PINS_H
#define COMMON_AGENT_PINS_H

#include <cjson/cJSON.h>

#include "common/agent/config.h"
#include "common/agent/task.h"
#include "common/base/buf.h"
#include "common/base/fail.h"

/* Our own tool, which every task has: the model calls it with {"reason"}
 * when it cannot go on, and the task becomes "blocked". */
#define PINS_BLOCKED_TOOL "cannot_proceed"

/* The model reads on with it in the result of a call that was shown cut, or that
 * a compaction has replaced: it is offered with other tools, as "read_tool" of the
 * pins names it, and gets so many bytes at most. */
#define PINS_READ_TOOL "read_result"
#define PINS_READ_MAX 100000

/* The provider of tools that the fold answers. */
#define PINS_BUILTIN "builtin"

/* The provider of a pin that names none: once there was no other. */
#define PINS_PROVIDER "composio"

/* One tool as pins_make wants it. */
struct pin_tool {
	const char *provider, *slug, *toolkit, *version;
	const char *account;      /* NULL: the tool needs none */
	const char *description;  /* may be NULL */
	const char *input_schema; /* raw JSON that schema.h has made fit */
	const char *aliases;      /* likewise; NULL: no property has one */
	bool repeatable; /* by its hints; a rule of config overrides it */
};

/* Whether TOOL's name can be that of one of Claude's tools
 * (^[a-zA-Z0-9_-]{1,128}$). FAIL_NO, type "refused", when not. */
int
pins_check_tool(const struct pin_tool *tool, struct fail *fail);

/* Whether PINS (the object with "request" and "tools", or an event that has
 * them) are valid. FAIL_NEVER, type "invalid_pins". */
int
pins_check(const cJSON *pins, struct fail *fail);

/* The policy of that name ("tell", "retry", "ask"); -1 when there is none. */
int
pins_policy(const char *name);

/* Adds the members of the event "pinned" to BUF ("request":...,"tools":...).
 * FAIL_NO, type "refused", when a tool fails pins_check_tool or is there
 * twice, the model cannot do what the task asks of it, or BUF is too small. */
int
pins_make(const struct task *task, const struct config *config,
    const struct pin_tool *tools, size_t count, struct buf *buf,
    struct fail *fail);

#endif
