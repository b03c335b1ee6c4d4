/* SPDX-License-Identifier: ISC */
/*
 * select: conditions on templates, and loops over the arrays that a template
 * path leads to; both are parts of a script's rules.
 */
#ifndef CMD_STANDIN_SCRIPT_SELECT_H
#define CMD_STANDIN_SCRIPT_SELECT_H

#include <cjson/cJSON.h>
#include <glib.h>
#include <regex.h>
#include <stdbool.h>
#include <stdint.h>

#include "cmd/standin/script/template.h"
#include "common/base/fail.h"

struct condition;

struct conditions {
	struct condition *list;
	size_t count;
};

/* One request's evaluation: lists that conditions looked into are indexed
 * once, so that a loop over n items against m entries costs n + m. */
struct evaluation {
	struct scope scope;
	GHashTable *indexes; /* struct condition -> key -> how many */
};

void
evaluation_init(struct evaluation *evaluation, cJSON *root);

void
evaluation_release(struct evaluation *evaluation);

/* VALUE is a list of conditions, or NULL for none. */
int
conditions_parse(const cJSON *value, const char *where,
    struct conditions *ret_conditions, struct fail *fail);

void
conditions_release(struct conditions *conditions);

/* Whether all of them hold, for the scope's item. */
bool
conditions_hold(const struct conditions *conditions,
    struct evaluation *evaluation);

struct loop_over {
	const char *path;   /* NULL: once, without an item */
	const char *unique; /* a template: the first item of each value */
	int64_t limit;
	struct conditions where;
};

/* For tables of script_members: loop_over_parse reads them. */
#define LOOP_MEMBERS \
	{ "for_each" }, { "limit" }, { "unique" }, \
	{ \
		"where" \
	}

/* Reads the members LOOP_MEMBERS of OBJECT, which must live longer. */
int
loop_over_parse(const cJSON *object, const char *where,
    struct loop_over *ret_loop, struct fail *fail);

/* Calls EACH with the scope's item set to each item that is selected. */
void
loop_over_run(const struct loop_over *loop, struct evaluation *evaluation,
    void (*each)(void *context, struct evaluation *evaluation), void *context);

/* Compiles an extended regular expression that ignores case; NULL gives NULL. */
int
select_regex(const char *pattern, const char *where, regex_t **ret_regex,
    struct fail *fail);

void
select_regex_free(regex_t *regex); /* NULL is fine */

#endif
