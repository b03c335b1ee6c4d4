/* SPDX-License-Identifier: ISC */
/*
 * template: text with {{path}} in it, filled with the values of a scope.
 *
 * A path is names and array indices with dots between: it starts at the
 * scope's item ("item.subject"), its arguments, or its root ("goal",
 * "results.GMAIL_FETCH_EMAILS.messages.0"). The last name may be "length", of
 * an array or a string. After the path may come filters:
 * {{item.sender | address}}, {{item.messageText | cut 200}}, {{goal | line}}.
 *
 * Conditions on templates, and loops over the arrays that a path leads to, are
 * parts of a script's rules.
 */
#ifndef CMD_STANDIN_SCRIPT_TEMPLATE_H
#define CMD_STANDIN_SCRIPT_TEMPLATE_H

#include <cjson/cJSON.h>
#include <glib.h>
#include <regex.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/fail.h"

struct scope {
	cJSON *root;            /* borrowed */
	const cJSON *item;      /* of the for_each under way, or NULL */
	const cJSON *arguments; /* of a tool call, or NULL */
	cJSON *scratch;         /* numbers made on the way; owned */
	/* "select.NAME": NULL when there is no such selection. */
	const cJSON *(*select)(void *context, const char *name);
	void *context;
};

void
scope_release(struct scope *scope);

/* The value at PATH, or NULL. It lives as long as the scope. */
const cJSON *
scope_find(struct scope *scope, const char *path);

/* Adds the filled template. A path that leads nowhere gives nothing; an array
 * or object gives its JSON. */
void
template_text(struct scope *scope, const char *template, struct buf *buf);

/* The filled template as a string; the caller frees. */
char *
template_string(struct scope *scope, const char *template);

/* A copy of VALUE with every string in it filled. A string that is one
 * {{path}} and nothing else becomes the value itself, of its own type, and a
 * member is left out when that leads nowhere. The caller frees. */
cJSON *
template_value(struct scope *scope, const cJSON *value);

/* FAIL_NEVER when a "{{" has no end or a filter is unknown; for loading. */
int
template_check(const cJSON *value, struct fail *fail);

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
