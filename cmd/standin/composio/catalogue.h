/* SPDX-License-Identifier: ISC */
/*
 * catalogue: the tools that can be executed, built in or from the script.
 */
#ifndef CMD_STANDIN_COMPOSIO_CATALOGUE_H
#define CMD_STANDIN_COMPOSIO_CATALOGUE_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "cmd/standin/tools/tools.h"
#include "common/base/fail.h"

struct tool {
	const char *slug, *name, *description, *toolkit, *version;
	bool read_only, idempotent, destructive, no_auth, deprecated;
	tool_run *run;               /* of a built-in tool, or NULL */
	cJSON *input, *output;       /* JSON Schemas */
	const cJSON *result, *error; /* templates of the script's */
};

struct catalogue;

/* The built-in tools and the section "tools" of SCRIPT, which must live
 * longer. A tool of the script's hides a built-in one of the same slug. */
int
catalogue_new(const cJSON *script, struct catalogue **ret_catalogue,
    struct fail *fail);

void
catalogue_free(struct catalogue *catalogue); /* NULL is fine */

const struct tool *
catalogue_find(const struct catalogue *catalogue, const char *slug);

const struct tool *
catalogue_at(const struct catalogue *catalogue, size_t index);

/* The name of a toolkit for people; borrowed. NULL when no tool is of it. */
const char *
catalogue_toolkit(const struct catalogue *catalogue, const char *slug);

/* Whether the arguments fit the tool's schema: what is required is there, and
 * types and enums are right. False and an ERROR in a provider's words. */
bool
catalogue_check(const struct tool *tool, const cJSON *arguments,
    char error[300]);

/* As GET /tools gives it; the caller frees. */
cJSON *
catalogue_json(const struct catalogue *catalogue, const struct tool *tool);

struct catalogue_builtin {
	const char *slug, *name, *toolkit, *version, *description;
	const char *input;    /* JSON of the schema's "properties" */
	const char *required; /* JSON */
	bool read_only, idempotent;
	tool_run *run;
};

/* Ends with a NULL slug. In catalogue_builtin.c. */
extern const struct catalogue_builtin catalogue_builtins[];

#endif
