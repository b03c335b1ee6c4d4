/* SPDX-License-Identifier: ISC */
/* preflight_internal: shared by the files of preflight. */
#ifndef COMMON_AGENT_PREFLIGHT_INTERNAL_H
#define COMMON_AGENT_PREFLIGHT_INTERNAL_H

#include "common/agent/preflight.h"

struct chosen_tool {
	const cJSON *fact;
	const char *name, *toolkit;
};

struct check {
	const struct task *task;
	const struct config *config;
	const cJSON *tools, *missing, *toolkits, *model;
	struct chosen_tool *chosen;
	size_t count;
	struct preflight *out;
	struct fail *fail;
};

/* Begins a check of FACTS, whose result will be OUT. */
struct check
preflight_begin(const struct task *task, const cJSON *facts,
    struct preflight *out, struct fail *fail);

/* Whether the facts have the shape of preflight.h; -1 when not. */
int
preflight_shape(const struct check *check);

/* FAIL_NOT_NOW: the facts have WHAT; returns -1. */
int
preflight_bad_facts(struct fail *fail, const char *what);

/* Adds a reason; ABOUT names the member that SUBJECT is put in ("tool",
 * "toolkit", "member"). MESSAGE is taken over. */
cJSON *
preflight_add_reason(struct check *check, const char *type, const char *about,
    const char *subject, char *message);

/* A connection of TOOLKIT that the facts have in another STATE is not to be used
 * as it is; MESSAGE is taken over. */
void
preflight_refuse(struct check *check, const char *toolkit, const char *state,
    char *message);

/* A warning: the tool NAME is left out because of WHY. */
void
preflight_left_out(struct check *check, const char *name, const char *why);

/* Leaves out the chosen tools for which the account does not grant enough; it is
 * a reason when the task names such a tool, or has no other of its toolkit. */
void
preflight_scopes(struct check *check);

bool
preflight_in_list(const cJSON *list, const char *word);

/* Whether each toolkit that the task names, or that its chosen tools have, is
 * connected. */
int
preflight_toolkits(struct check *check);

#endif
