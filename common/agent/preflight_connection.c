/* SPDX-License-Identifier: ISC */
/*
 * Whether the task's toolkits are connected. What both files of preflight need
 * is here, too.
 */
#include "common/agent/preflight_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/agent/journal.h"
#include "common/agent/wait.h"
#include "common/base/mem.h"
#include "common/json/json.h"

#define LOOKUP_RETRY_MS 60000

struct check
preflight_begin(const struct task *task, const cJSON *facts,
    struct preflight *out, struct fail *fail)
{
	*out = (struct preflight){
		.reasons = cJSON_CreateArray(),
		.warnings = cJSON_CreateArray(),
		.accounts = cJSON_CreateObject(),
		.owners = cJSON_CreateObject(),
		.choices = cJSON_CreateObject(),
		.tools = cJSON_CreateArray(),
	};
	return (struct check){
		.task = task,
		.tools = json_item(facts, "tools"),
		.missing = json_item(facts, "missing_tools"),
		.toolkits = json_item(facts, "toolkits"),
		.model = json_item(facts, "model"),
		.out = out,
		.fail = fail,
	};
}

int
preflight_bad_facts(struct fail *fail, const char *what)
{
	return fail_set(fail, FAIL_NOT_NOW, "upstream",
	    "unable to check the task: the facts have %s; try again later",
	    what);
}

cJSON *
preflight_add_reason(struct check *check, const char *type, const char *about,
    const char *subject, char *message)
{
	cJSON *reason = cJSON_CreateObject();

	cJSON_AddStringToObject(reason, "type", type);
	cJSON_AddStringToObject(reason, "message", message);
	cJSON_AddStringToObject(reason, about, subject);
	cJSON_AddItemToArray(check->out->reasons, reason);
	free(message);
	return reason;
}

void
preflight_warning(struct preflight *ret, const char *type, const char *about,
    const char *message)
{
	cJSON *warning = cJSON_CreateObject();

	cJSON_AddStringToObject(warning, "type", type);
	cJSON_AddStringToObject(warning, "message", message);
	cJSON_AddStringToObject(warning, "about", about);
	cJSON_AddItemToArray(ret->warnings, warning);
}

void
preflight_left_out(struct check *check, const char *name, const char *why)
{
	char *message = mem_print("the tool %s is left out, because it cannot "
				  "be offered to the model: %s",
	    name, why);

	preflight_warning(check->out, "tool_left_out", name, message);
	free(message);
}

static bool
fits_connection(const cJSON *connection)
{
	const char *state = json_string(connection, "state");

	return connection == NULL ||
	    (state != NULL &&
		json_string(connection,
		    strcmp(state, "active") == 0 ? "account" : "message"));
}

int
preflight_shape(const struct check *check)
{
	const cJSON *item;

	if (!cJSON_IsArray(check->tools) || !cJSON_IsObject(check->missing) ||
	    !cJSON_IsObject(check->toolkits))
		return preflight_bad_facts(check->fail,
		    "not all of what was asked");
	cJSON_ArrayForEach (item, check->tools)
		if (json_string(item, "provider") == NULL ||
		    json_string(item, "name") == NULL ||
		    json_string(item, "toolkit") == NULL ||
		    json_string(item, "version") == NULL ||
		    json_item(item, "input_schema") == NULL)
			return preflight_bad_facts(check->fail,
			    "a tool without provider, name, toolkit, version "
			    "or schema");
	cJSON_ArrayForEach (item, check->toolkits)
		if (json_string(item, "provider") == NULL ||
		    !cJSON_IsBool(json_item(item, "found")) ||
		    !fits_connection(json_item(item, "connection")))
			return preflight_bad_facts(check->fail,
			    "a toolkit of which nothing is known");
	return 0;
}

bool
preflight_in_list(const cJSON *list, const char *word)
{
	const cJSON *item;

	cJSON_ArrayForEach (item, list)
		if (cJSON_IsString(item) &&
		    strcmp(item->valuestring, word) == 0)
			return true;
	return false;
}

/* The one thing that keeps the task from using TOOLKIT. */
static void
tell_connection(struct check *check, const cJSON *toolkit,
    const cJSON *connection)
{
	struct preflight *out = check->out;
	const char *from = json_string(connection, "link");
	const char *choice = json_string(check->task->accounts,
	    toolkit->string);
	struct preflight_link *link;
	const cJSON *member;
	cJSON *reason;
	char *type;

	type = mem_print("connection_%s", json_string(connection, "state"));
	reason = preflight_add_reason(check, type, "toolkit", toolkit->string,
	    mem_string(json_string(connection, "message")));
	free(type);
	cJSON_ArrayForEach (member, connection)
		if (strcmp(member->string, "state") != 0 &&
		    strcmp(member->string, "message") != 0 &&
		    strcmp(member->string, "open") != 0 &&
		    strcmp(member->string, "link") != 0)
			cJSON_AddItemToObject(reason, member->string,
			    cJSON_Duplicate(member, true));
	if (from == NULL)
		return;
	out->links = mem_grow(out->links, out->link_count + 1,
	    sizeof(*out->links));
	link = &out->links[out->link_count++];
	*link = (struct preflight_link){
		.open = cJSON_Duplicate(json_item(connection, "open"), true),
	};
	snprintf(link->provider, sizeof(link->provider), "%s",
	    json_string(toolkit, "provider"));
	snprintf(link->toolkit, sizeof(link->toolkit), "%s", toolkit->string);
	snprintf(link->from, sizeof(link->from), "%s", from);
	if (choice != NULL && strncmp(choice, "ca_", 3) != 0)
		snprintf(link->alias, sizeof(link->alias), "%s", choice);
	link->reason = (size_t)cJSON_GetArraySize(out->reasons) - 1;
}

/* Whether the task's tools of this toolkit need its connection; a toolkit that
 * was asked for without any of its tools does. */
static bool
needs_connection(const struct check *check, const char *toolkit)
{
	bool any = false;
	size_t i;

	for (i = 0; i < check->count; i++) {
		if (strcmp(check->chosen[i].toolkit, toolkit) != 0)
			continue;
		if (json_true(check->chosen[i].fact, "needs_connection"))
			return true;
		any = true;
	}
	return !any;
}

void
preflight_refuse(struct check *check, const char *toolkit, const char *state,
    char *message)
{
	const cJSON *known = json_item(check->toolkits, toolkit);
	cJSON *connection = cJSON_Duplicate(json_item(known, "connection"),
	    true);

	cJSON_DeleteItemFromObjectCaseSensitive(connection, "state");
	cJSON_DeleteItemFromObjectCaseSensitive(connection, "scopes");
	cJSON_AddStringToObject(connection, "state", state);
	cJSON_AddStringToObject(connection, "message", message);
	tell_connection(check, known, connection);
	cJSON_Delete(connection);
	free(message);
}

void
preflight_refused(const struct task *task, const cJSON *facts,
    const char *toolkit, const char *message, struct preflight *ret)
{
	struct check check = { .task = task,
		.out = ret,
		.toolkits = json_item(facts, "toolkits") };

	preflight_refuse(&check, toolkit, "refused", mem_string(message));
}

/* Several accounts are live, and the task has to say which is meant. */
static void
tell_choices(struct check *check, const cJSON *toolkit, const cJSON *choices)
{
	struct buf text = BUF_INIT(1u << 20);
	const char *alias, *word;
	const cJSON *choice;
	cJSON *reason;

	buf_print(&text,
	    "%s: the user %s has %d live accounts, and accounts "
	    "has to name one by its id, alias or word id:",
	    toolkit->string, check->task->user, cJSON_GetArraySize(choices));
	cJSON_ArrayForEach (choice, choices) {
		alias = json_string(choice, "alias");
		word = json_string(choice, "word_id");
		buf_print(&text, "%s %s", choice->prev->next ? "," : "",
		    json_string(choice, "account"));
		if (alias != NULL || word != NULL)
			buf_print(&text, " (%s)", alias != NULL ? alias : word);
	}
	reason = preflight_add_reason(check, "connection_several", "toolkit",
	    toolkit->string, buf_detach(&text, NULL));
	cJSON_AddItemToObject(reason, "choices",
	    cJSON_Duplicate(choices, true));
}

static void
check_connection(struct check *check, const cJSON *toolkit)
{
	const cJSON *connection = json_item(toolkit, "connection");
	const cJSON *choices = json_item(connection, "choices");

	if (connection == NULL || !needs_connection(check, toolkit->string))
		return;
	if (choices != NULL)
		cJSON_AddItemToObject(check->out->choices, toolkit->string,
		    cJSON_Duplicate(choices, true));
	if (strcmp(json_string(connection, "state"), "active") != 0)
		tell_connection(check, toolkit, connection);
	else if (choices != NULL && check->task->tools != NULL)
		tell_choices(check, toolkit, choices);
	else
		cJSON_AddStringToObject(check->out->accounts, toolkit->string,
		    json_string(connection, "account"));
}

static int
check_toolkit(struct check *check, const char *name)
{
	const cJSON *toolkit = json_item(check->toolkits, name);
	const char *advice = json_string(toolkit, "advice");

	if (toolkit == NULL)
		return preflight_bad_facts(check->fail,
		    "nothing about a toolkit");
	if (json_true(toolkit, "found"))
		check_connection(check, toolkit);
	else
		preflight_add_reason(check, "unknown_toolkit", "toolkit", name,
		    mem_print("there is no toolkit %s%s%s", name,
			advice != NULL ? ": " : "",
			advice != NULL ? advice : ""));
	return 0;
}

/* Those that the task names, then those of its other tools. */
int
preflight_toolkits(struct check *check)
{
	const char *toolkit;
	const cJSON *item;
	size_t i, j;

	cJSON_ArrayForEach (item, check->task->toolkits)
		if (check_toolkit(check, item->valuestring) < 0)
			return -1;
	for (i = 0; i < check->count; i++) {
		toolkit = check->chosen[i].toolkit;
		for (j = 0; j < i; j++)
			if (strcmp(check->chosen[j].toolkit, toolkit) == 0)
				break;
		if (j == i &&
		    !preflight_in_list(check->task->toolkits, toolkit) &&
		    check_toolkit(check, toolkit) < 0)
			return -1;
	}
	return 0;
}

int
preflight_connections(const struct task *task, const cJSON *facts,
    struct preflight *ret, struct fail *fail)
{
	struct preflight out;
	struct check check = preflight_begin(task, facts, &out, fail);
	const cJSON *item;

	if (preflight_shape(&check) < 0 || preflight_toolkits(&check) < 0) {
		preflight_release(&out);
		return -1;
	}
	if (task->toolkits->child == NULL)
		cJSON_ArrayForEach (item, check.toolkits)
			check_connection(&check, item);
	*ret = out;
	return 0;
}

const cJSON *
preflight_reason(const struct preflight *preflight, const char *toolkit)
{
	const cJSON *reason;
	const char *about;

	cJSON_ArrayForEach (reason, preflight->reasons) {
		about = json_string(reason, "toolkit");
		if (about != NULL && strcmp(about, toolkit) == 0)
			return reason;
	}
	return NULL;
}

void
preflight_account(const struct task *task, const cJSON *facts,
    const struct fail *why, const char *account, struct buf *buf)
{
	const char *toolkit = task->toolkits->child->valuestring, *found;
	const char *message = "the toolkit needs no account any more";
	struct preflight preflight = { .reasons = NULL };
	const cJSON *choices, *choice;
	size_t length = strlen(toolkit);
	struct fail fail;

	member_string(buf, "toolkit", toolkit);
	if (facts != NULL &&
	    preflight_connections(task, facts, &preflight, &fail) < 0)
		why = &fail;
	if (why != NULL) {
		member_string(buf, "message", why->message);
		member_integer(buf, "delay_ms", LOOKUP_RETRY_MS);
		member_string(buf, "wait",
		    wait_name(
			why->kind == FAIL_NEVER ? WAIT_KEY : WAIT_OUTAGE));
		return;
	}
	found = json_string(preflight.accounts, toolkit);
	choices = json_item(preflight.choices, toolkit);
	cJSON_ArrayForEach (choice, choices)
		if (strcmp(json_string(choice, "account"), account) == 0)
			break;
	if (choices != NULL && choice == NULL)
		message = "several accounts are live, and none of them is the "
			  "one that was used: switch all but one off";
	else if (found == NULL && preflight.reasons->child != NULL)
		message = json_string(preflight.reasons->child, "message");
	if (strncmp(message, toolkit, length) == 0 &&
	    strncmp(message + length, ": ", 2) == 0)
		message += length + 2; /* the event names it */
	if (found != NULL && (choices == NULL || choice != NULL))
		member_string(buf, "account", choices ? account : found);
	else
		member_string(buf, "message", message);
	preflight_release(&preflight);
}

void
preflight_release(struct preflight *preflight)
{
	size_t i;

	for (i = 0; i < preflight->link_count; i++)
		cJSON_Delete(preflight->links[i].open);
	cJSON_Delete(preflight->reasons);
	cJSON_Delete(preflight->accounts);
	cJSON_Delete(preflight->owners);
	cJSON_Delete(preflight->choices);
	cJSON_Delete(preflight->warnings);
	cJSON_Delete(preflight->tools);
	free(preflight->links);
	buf_release(&preflight->pins);
	*preflight = (struct preflight){ .reasons = NULL };
}
