/* SPDX-License-Identifier: ISC */
/*
 * template: text with {{path}} in it, filled with the values of a scope.
 *
 * A path is names and array indices with dots between: it starts at the
 * scope's item ("item.subject"), its arguments, or its root ("goal",
 * "results.GMAIL_FETCH_EMAILS.messages.0"). The last name may be "length", of
 * an array or a string. After the path may come filters:
 * {{item.sender | address}}, {{item.messageText | cut 200}}, {{goal | line}}.
 */
#ifndef CMD_STANDIN_SCRIPT_TEMPLATE_H
#define CMD_STANDIN_SCRIPT_TEMPLATE_H

#include <cjson/cJSON.h>

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

#endif
