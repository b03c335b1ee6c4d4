/* SPDX-License-Identifier: ISC */
/*
 * Whether the accounts grant what the chosen tools need. Services write one scope
 * in several ways, and some scopes include others: only what certainly lacks is
 * told, because a tool that is refused for nothing is worse than one that fails.
 */
#include <stdlib.h>
#include <string.h>

#include "common/agent/preflight_internal.h"
#include "common/base/mem.h"
#include "common/json/json.h"

#define READS ".readonly"

/* The end of a scope that is an address: "gmail.send". */
static struct span
short_name(const char *scope)
{
	size_t length = strlen(scope), from;

	while (length > 0 && scope[length - 1] == '/')
		length--;
	for (from = length; from > 0 && scope[from - 1] != '/';)
		from--;
	return (struct span){ scope + from, length - from };
}

static bool
same(struct span a, struct span b)
{
	return a.length == b.length && memcmp(a.at, b.at, a.length) == 0;
}

/* Whether one of the scopes in GRANTED includes NEEDED. To read is included in
 * whatever has its beginning, and all of Google's mail in one of another name. */
static bool
grants(const cJSON *granted, const char *needed)
{
	struct span wanted = short_name(needed), has;
	size_t reads = strlen(READS), stem = wanted.length;
	const cJSON *item;

	if (stem > reads && memcmp(wanted.at + stem - reads, READS, reads) == 0)
		stem -= reads;
	cJSON_ArrayForEach (item, granted) {
		has = short_name(item->valuestring);
		if (same(has, wanted) ||
		    (stem < wanted.length && has.length >= stem &&
			memcmp(has.at, wanted.at, stem) == 0) ||
		    (strstr(item->valuestring, "//mail.google.com") != NULL &&
			strncmp(wanted.at, "gmail.", 6) == 0))
			return true;
	}
	return false;
}

/* Adds what GRANTED lacks for the tool: "NAME needs A or B". */
static void
add_lacking(struct buf *text, const cJSON *fact, const cJSON *granted)
{
	const cJSON *any, *scope;
	bool lacks;

	cJSON_ArrayForEach (any, json_item(fact, "scopes")) {
		lacks = any->child != NULL;
		cJSON_ArrayForEach (scope, any)
			if (!cJSON_IsString(scope) ||
			    grants(granted, scope->valuestring))
				lacks = false;
		if (!lacks)
			continue;
		buf_print(text, "%s%.128s needs", text->length > 0 ? ", " : "",
		    json_string(fact, "name"));
		cJSON_ArrayForEach (scope, any)
			buf_print(text, "%s %.200s",
			    scope == any->child ? "" : " or",
			    scope->valuestring);
	}
}

/* Of one toolkit, whose account is ACCOUNT. */
static void
check_scopes(struct check *check, const char *toolkit, const char *account,
    const cJSON *granted)
{
	struct buf named = BUF_INIT(1u << 20), all = BUF_INIT(1u << 20);
	struct chosen_tool *chosen = check->chosen;
	size_t i, kept = 0, left = 0;

	for (i = 0; i < check->count; i++) {
		struct buf one = BUF_INIT(65536);

		if (strcmp(chosen[i].toolkit, toolkit) == 0)
			add_lacking(&one, chosen[i].fact, granted);
		if (one.length == 0) {
			left += strcmp(chosen[i].toolkit, toolkit) == 0;
			chosen[kept++] = chosen[i];
			continue;
		}
		buf_print(&all, "%s%s", all.length > 0 ? ", " : "", one.data);
		if (preflight_in_list(check->task->tools, chosen[i].name))
			buf_print(&named, "%s%s", named.length > 0 ? ", " : "",
			    one.data);
		else
			preflight_left_out(check, chosen[i].name,
			    "its account does not grant enough");
		buf_release(&one);
	}
	check->count = kept;
	if (named.length > 0 || (all.length > 0 && left == 0))
		preflight_refuse(check, toolkit, "scope",
		    mem_print("%s: the connection %s does not grant enough: "
			      "%s: connect again and allow it, or do without "
			      "these tools",
			toolkit, account,
			named.length > 0 ? named.data : all.data));
	buf_release(&named);
	buf_release(&all);
}

void
preflight_scopes(struct check *check)
{
	const cJSON *account, *granted;

	cJSON_ArrayForEach (account, check->out->accounts) {
		granted = json_item(json_item(json_item(check->toolkits,
						  account->string),
					"connection"),
		    "scopes");
		if (granted != NULL)
			check_scopes(check, account->string,
			    account->valuestring, granted);
	}
}
