/* SPDX-License-Identifier: ISC */
/*
 * linear: the Linear tools. Every user has issues of their own; the teams are
 * those of the script. The caller holds the stand-in's lock.
 */
#ifndef CMD_STANDIN_TOOLS_LINEAR_H
#define CMD_STANDIN_TOOLS_LINEAR_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "cmd/standin/tools/records.h"
#include "common/base/fail.h"

struct linear;

/* The section "teams" of SCRIPT, which must live longer; one team
 * "Engineering" when it has none. */
int
linear_new(const cJSON *script, struct linear **ret_linear, struct fail *fail);

void
linear_free(struct linear *linear); /* NULL is fine */

/* As gmail_run. */
bool
linear_run(struct linear *linear, const char *slug, const char *user,
    const cJSON *arguments, cJSON **ret_data, char error[300]);

/* For the state file. */
struct records *
linear_issues(struct linear *linear);

#endif
