/* SPDX-License-Identifier: ISC */
/*
 * The service's own objects are translated into the facts of preflight.h: what
 * a tag means, which account is taken, what is wrong with one that cannot be.
 */
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/json/json.h"
#include "common/provider/composio_internal.h"

/* What is gathered, and for whom. */
struct translation {
	const struct task *task;
	int64_t now;
	cJSON *raw, *facts;
};

#define LINK_LIFE_MS 600000  /* of a link, from when its account was made */
#define LINK_YOUNG_MS 300000 /* it can still be shown to a person */

const char *
composio_toolkit(const cJSON *object)
{
	return json_string(json_item(object, "toolkit"), "slug");
}

static int
bad_answer(struct fail *fail, const char *what)
{
	return fail_set(fail, FAIL_NOT_NOW, "upstream",
	    "unable to check the task: Composio's answer has %s; "
	    "try again later",
	    what);
}

static int
check_shape(const cJSON *raw, struct fail *fail)
{
	const cJSON *item;

	cJSON_ArrayForEach (item, json_item(raw, "tools"))
		if (json_string(item, "slug") == NULL ||
		    composio_toolkit(item) == NULL ||
		    json_string(item, "version") == NULL)
			return bad_answer(fail,
			    "a tool without slug, toolkit or version");
	cJSON_ArrayForEach (item, json_item(raw, "accounts"))
		if (json_string(item, "id") == NULL ||
		    json_string(item, "status") == NULL ||
		    composio_toolkit(item) == NULL)
			return bad_answer(fail,
			    "a connected account without id, status or "
			    "toolkit");
	cJSON_ArrayForEach (item, json_item(raw, "toolkits"))
		if (!cJSON_IsBool(json_item(item, "found")))
			return bad_answer(fail,
			    "a toolkit of which nothing is known");
	return 0;
}

/* ---- tools ---- */

static bool
has_tag(const cJSON *tool, const char *tag)
{
	const cJSON *item;

	cJSON_ArrayForEach (item, json_item(tool, "tags"))
		if (cJSON_IsString(item) && strcmp(item->valuestring, tag) == 0)
			return true;
	return false;
}

/* What the tool's account has to grant, of each list one. What holds only under
 * a condition is passed over. */
static void
add_scopes(cJSON *fact, const cJSON *tool)
{
	const cJSON *all = json_item(json_item(tool, "scope_requirements"),
			"all_of"),
		    *item;
	cJSON *scopes = cJSON_CreateArray(), *one;

	cJSON_ArrayForEach (item, all) {
		if (cJSON_IsString(item)) {
			one = cJSON_CreateArray();
			cJSON_AddItemToArray(one, cJSON_Duplicate(item, true));
			cJSON_AddItemToArray(scopes, one);
		} else if (cJSON_IsArray(json_item(item, "any_of")) &&
		    json_item(item, "when") == NULL) {
			cJSON_AddItemToArray(scopes,
			    cJSON_Duplicate(json_item(item, "any_of"), true));
		}
	}
	if (scopes->child != NULL)
		cJSON_AddItemToObject(fact, "scopes", scopes);
	else
		cJSON_Delete(scopes);
}

/* TOOL's schema is moved. */
static void
add_tool(cJSON *tools, cJSON *tool)
{
	static const char *const hints[][2] = {
		{ "read_only", "readOnlyHint" },
		{ "idempotent", "idempotentHint" },
		{ "destructive", "destructiveHint" },
	};
	const char *description = json_string(tool, "description");
	cJSON *schema = cJSON_DetachItemFromObjectCaseSensitive(tool,
	    "input_parameters");
	cJSON *fact = cJSON_CreateObject(), *hint;
	size_t i;

	cJSON_AddStringToObject(fact, "provider", COMPOSIO_NAME);
	cJSON_AddStringToObject(fact, "name", json_string(tool, "slug"));
	cJSON_AddStringToObject(fact, "toolkit", composio_toolkit(tool));
	cJSON_AddStringToObject(fact, "version", json_string(tool, "version"));
	if (description != NULL)
		cJSON_AddStringToObject(fact, "description", description);
	if (schema == NULL || cJSON_IsNull(schema)) { /* it takes nothing */
		cJSON_Delete(schema);
		schema = cJSON_CreateObject();
		cJSON_AddStringToObject(schema, "type", "object");
		cJSON_AddObjectToObject(schema, "properties");
	}
	cJSON_AddItemToObject(fact, "input_schema", schema);
	hint = cJSON_AddObjectToObject(fact, "hints");
	for (i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
		if (has_tag(tool, hints[i][1]))
			cJSON_AddTrueToObject(hint, hints[i][0]);
	if (!json_true(tool, "no_auth"))
		cJSON_AddTrueToObject(fact, "needs_connection");
	if (has_tag(tool, "important"))
		cJSON_AddTrueToObject(fact, "important");
	if (json_true(tool, "is_deprecated"))
		cJSON_AddTrueToObject(fact, "deprecated");
	add_scopes(fact, tool);
	cJSON_AddItemToArray(tools, fact);
}

/* ---- accounts ---- */

/* When the account was connected; one that does not say is the oldest. */
static int64_t
connected_at(const cJSON *account)
{
	const char *text = json_string(account, "created_at");
	struct fail ignored;
	int64_t wall;

	if (text == NULL || clock_parse(text, &wall, &ignored) < 0)
		return 0;
	return wall;
}

static enum account_state
state_of(const cJSON *account)
{
	const char *status = json_string(account, "status");

	if (status != NULL &&
	    (strcmp(status, "INITIALIZING") == 0 ||
		strcmp(status, "INITIATED") == 0))
		return ACCOUNT_BEGUN;
	if (status == NULL || strcmp(status, "ACTIVE") != 0)
		return ACCOUNT_NOT_ACTIVE;
	return json_true(account, "is_disabled") ||
		json_true(json_item(account, "auth_config"), "is_disabled")
	    ? ACCOUNT_DISABLED
	    : ACCOUNT_ACTIVE;
}

/* Whether the account is one of TOOLKIT and of the task's user. The service is
 * asked for no others, but what it answers counts. */
static bool
belongs(const cJSON *account, const struct task *task, const char *toolkit)
{
	const char *slug = composio_toolkit(account);
	const char *user = json_string(account, "user_id");

	return slug != NULL && strcmp(slug, toolkit) == 0 &&
	    json_string(account, "id") != NULL &&
	    (user == NULL || strcmp(user, task->user) == 0);
}

/* Whether the task allows this account of the toolkit. */
static bool
chosen(const cJSON *account, const struct task *task, const char *toolkit)
{
	static const char *const names[] = { "id", "alias", "word_id" };
	const char *choice = json_string(task->accounts, toolkit), *name;
	size_t i;

	for (i = 0; choice != NULL && i < 3; i++) {
		name = json_string(account, names[i]);
		if (name != NULL && strcmp(name, choice) == 0)
			return true;
	}
	return choice == NULL;
}

const cJSON *
composio_account(const cJSON *accounts, const struct task *task,
    const char *toolkit, enum account_state *ret_state)
{
	enum account_state state, best_state = ACCOUNT_MISSING;
	const cJSON *account, *best = NULL;
	const char *id, *best_id = "";
	int64_t at, best_at = 0;

	cJSON_ArrayForEach (account, accounts) {
		if (!belongs(account, task, toolkit) ||
		    !chosen(account, task, toolkit))
			continue;
		id = json_string(account, "id");
		state = state_of(account);
		at = connected_at(account);
		if (state < best_state ||
		    (state == best_state &&
			(at < best_at ||
			    (at == best_at && strcmp(id, best_id) <= 0))))
			continue;
		best = account;
		best_state = state;
		best_at = at;
		best_id = id;
	}
	*ret_state = best_state;
	return best;
}

static const char *
status_meaning(const char *status)
{
	static const char *const meanings[][2] = {
		{ "INITIALIZING", "was begun but never opened" },
		{ "INITIATED", "was begun but not finished" },
		{ "EXPIRED", "has expired" },
		{ "FAILED", "failed when it was made" },
		{ "INACTIVE", "is switched off" },
		{ "REVOKED", "was revoked" },
	};
	size_t i;

	for (i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (strcmp(meanings[i][0], status) == 0)
			return meanings[i][1];
	return "has a status that is not known here";
}

/* The auth config that a new connection can be made with: the failing
 * account's own, else any of the toolkit's, else "". */
static const char *
auth_config_for(const struct translation *translation, const char *toolkit,
    const cJSON *account)
{
	const cJSON *own = json_item(account, "auth_config"), *first;

	if (json_string(own, "id") != NULL && !json_true(own, "is_disabled"))
		return json_string(own, "id");
	first = cJSON_GetArrayItem(
	    json_item(json_item(translation->raw, "auth_configs"), toolkit), 0);
	return cJSON_IsString(first) ? first->valuestring : "";
}

static void
add_message(cJSON *connection, char *message)
{
	cJSON_AddStringToObject(connection, "message", message);
	free(message);
}

static void
tell_disabled(cJSON *connection, const char *toolkit, const cJSON *account)
{
	bool own = json_true(account, "is_disabled");

	add_message(connection,
	    mem_print("%s: the connection %s is active but %s disabled: "
		      "enable it at Composio%s",
		toolkit, json_string(account, "id"),
		own ? "is" : "its auth config is",
		own ? "" : ", or connect again with another one"));
}

static void
tell_not_active(cJSON *connection, const char *toolkit, const cJSON *account)
{
	const char *status = json_string(account, "status");
	const char *why = json_string(account, "status_reason");

	add_message(connection,
	    mem_print("%s: the connection %s %s (%s%s%s): %s", toolkit,
		json_string(account, "id"), status_meaning(status), status,
		why != NULL ? ", " : "", why != NULL ? why : "",
		strcmp(status, "INACTIVE") == 0
		    ? "switch it on at Composio, or connect again"
		    : "connect again"));
	cJSON_AddStringToObject(connection, "status", status);
	if (state_of(account) == ACCOUNT_BEGUN)
		cJSON_AddTrueToObject(connection, "pending");
	if (why != NULL)
		cJSON_AddStringToObject(connection, "status_reason", why);
}

/* Several accounts are live, and nothing chooses among them. */
static void
add_choices(const struct translation *translation, cJSON *connection,
    const char *toolkit)
{
	static const char *const names[][2] = { { "account", "id" },
		{ "alias", "alias" }, { "word_id", "word_id" } };
	cJSON *choices = cJSON_CreateArray(), *choice;
	const cJSON *account;
	const char *name;
	size_t i;

	cJSON_ArrayForEach (account, json_item(translation->raw, "accounts")) {
		if (!belongs(account, translation->task, toolkit) ||
		    !chosen(account, translation->task, toolkit) ||
		    state_of(account) != ACCOUNT_ACTIVE)
			continue;
		choice = cJSON_CreateObject();
		for (i = 0; i < 3; i++) {
			name = json_string(account, names[i][1]);
			if (name != NULL)
				cJSON_AddStringToObject(choice, names[i][0],
				    name);
		}
		cJSON_AddItemToArray(choices, choice);
	}
	if (cJSON_GetArraySize(choices) > 1)
		cJSON_AddItemToObject(connection, "choices", choices);
	else
		cJSON_Delete(choices);
}

/* What the account grants, when the service knows it. */
static void
add_granted(cJSON *connection, const cJSON *account)
{
	const char *at = json_string(json_item(json_item(account, "state"),
					 "val"),
	    "scope");
	cJSON *scopes;
	char *scope;
	size_t size;

	if (at == NULL || at[strspn(at, " ,")] == '\0')
		return;
	scopes = cJSON_AddArrayToObject(connection, "scopes");
	for (at += strspn(at, " ,"); *at != '\0';
	     at += size, at += strspn(at, " ,")) {
		size = strcspn(at, " ,");
		scope = mem_copy(at, size);
		cJSON_AddItemToArray(scopes, cJSON_CreateString(scope));
		free(scope);
	}
}

/* A link that was made a moment ago, and can be used instead of another. */
static void
add_open_link(const struct translation *translation, cJSON *connection,
    const char *toolkit)
{
	const cJSON *account;
	const char *url;
	char expires[CLOCK_TEXT];
	cJSON *link;

	cJSON_ArrayForEach (account, json_item(translation->raw, "accounts")) {
		url = json_string(json_item(json_item(account, "state"), "val"),
		    "redirectUrl");
		if (url == NULL || state_of(account) != ACCOUNT_BEGUN ||
		    !belongs(account, translation->task, toolkit) ||
		    connected_at(account) + LINK_YOUNG_MS < translation->now)
			continue;
		clock_format(connected_at(account) + LINK_LIFE_MS, expires);
		cJSON_DeleteItemFromObjectCaseSensitive(connection, "open");
		link = cJSON_AddObjectToObject(connection, "open");
		cJSON_AddStringToObject(link, "url", url);
		cJSON_AddStringToObject(link, "expires_at", expires);
		cJSON_AddStringToObject(link, "account",
		    json_string(account, "id"));
	}
}

static void
tell_missing(const struct translation *translation, cJSON *connection,
    const char *toolkit)
{
	const struct task *task = translation->task;
	const char *choice = json_string(task->accounts, toolkit);

	add_message(connection,
	    choice == NULL
		? mem_print("%s: the user %s has not connected it", toolkit,
		      task->user)
		: mem_print("%s: the user %s has no account %s, which accounts "
			    "names",
		      toolkit, task->user, choice));
}

static void
add_connection(const struct translation *translation, cJSON *toolkit)
{
	static const char *const states[] = {
		[ACCOUNT_MISSING] = "missing",
		[ACCOUNT_BEGUN] = "not_active",
		[ACCOUNT_NOT_ACTIVE] = "not_active",
		[ACCOUNT_DISABLED] = "disabled",
		[ACCOUNT_ACTIVE] = "active",
	};
	cJSON *connection = cJSON_AddObjectToObject(toolkit, "connection");
	const char *slug = toolkit->string, *link;
	enum account_state state;
	const cJSON *account;

	account = composio_account(json_item(translation->raw, "accounts"),
	    translation->task, slug, &state);
	cJSON_AddStringToObject(connection, "state", states[state]);
	if (account != NULL)
		cJSON_AddStringToObject(connection, "account",
		    json_string(account, "id"));
	link = auth_config_for(translation, slug, account);
	switch (state) {
	case ACCOUNT_MISSING:
		tell_missing(translation, connection, slug);
		break;
	case ACCOUNT_BEGUN:
	case ACCOUNT_NOT_ACTIVE:
		tell_not_active(connection, slug, account);
		break;
	case ACCOUNT_DISABLED:
		tell_disabled(connection, slug, account);
		if (json_true(account, "is_disabled") || *link == '\0')
			return;
		break;
	case ACCOUNT_ACTIVE:
		add_choices(translation, connection, slug);
		add_granted(connection, account);
		if (*link == '\0')
			return;
		break;
	}
	cJSON_AddStringToObject(connection, "link", link);
	if (state == ACCOUNT_ACTIVE)
		return;
	add_open_link(translation, connection, slug);
}

/* FACT is what was gathered about the toolkit, or NULL. */
static void
add_toolkit(const struct translation *translation, const char *slug,
    const cJSON *fact)
{
	cJSON *toolkits = json_item(translation->facts, "toolkits");
	cJSON *toolkit;
	bool found = fact == NULL || json_true(fact, "found");

	if (json_item(toolkits, slug) != NULL)
		return;
	toolkit = cJSON_AddObjectToObject(toolkits, slug);
	cJSON_AddStringToObject(toolkit, "provider", COMPOSIO_NAME);
	cJSON_AddBoolToObject(toolkit, "found", found);
	if (!found)
		cJSON_AddStringToObject(toolkit, "advice",
		    "see the list at Composio for its name");
	else if (!json_true(fact, "no_auth"))
		add_connection(translation, toolkit);
}

int
composio_translate(cJSON *raw, const struct task *task, int64_t now,
    cJSON *facts, struct fail *fail)
{
	struct translation translation = { task, now, raw, facts };
	cJSON *tools = json_item(facts, "tools");
	cJSON *missing = json_item(facts, "missing_tools");
	cJSON *item;

	if (check_shape(raw, fail) < 0)
		return -1;
	cJSON_ArrayForEach (item, json_item(raw, "toolkits"))
		add_toolkit(&translation, item->string, item);
	cJSON_ArrayForEach (item, json_item(raw, "tools"))
		add_toolkit(&translation, composio_toolkit(item), NULL);
	cJSON_ArrayForEach (item, json_item(raw, "accounts"))
		if (belongs(item, task, composio_toolkit(item)))
			add_toolkit(&translation, composio_toolkit(item), NULL);
	cJSON_ArrayForEach (item, json_item(raw, "tools"))
		add_tool(tools, item);
	cJSON_ArrayForEach (item, json_item(raw, "missing_tools"))
		cJSON_AddStringToObject(missing, item->valuestring,
		    "tools are renamed at times, look it up at Composio");
	return 0;
}
