/* SPDX-License-Identifier: ISC */
/*
 * The facts are gathered in three rounds, each with all its requests at once:
 * the tools; then the accounts, for which the tools' toolkits must be known,
 * and the toolkits of which no tool came; then the auth configs of toolkits
 * without an active account, from which a link can be made. Every list is read
 * to its last page. The first request that fails ends all of it, because
 * incomplete facts are worse than none.
 */
#include <string.h>

#include "common/base/clock.h"
#include "common/base/loop.h"
#include "common/base/mem.h"
#include "common/json/json.h"
#include "common/provider/composio_internal.h"

#define PAGES_MAX 200
#define SLUGS_AT_ONCE 50 /* keeps the URL short */
#define TOOLS_QUERY "&toolkit_versions=latest&limit=1000"

enum subject {
	TOOLS,
	ACCOUNTS,
	TOOLKIT,
	AUTH_CONFIGS,
};

struct facts {
	struct composio_call call;
	struct list *lists; /* under way */
	struct timer next;  /* the next round, from the loop */
	int round;
	char *user;
	cJSON *want_toolkits, *want_tools;
	cJSON *tools, *missing, *toolkits, *accounts, *auth_configs;
	void (*done)(void *context, cJSON *facts, const struct fail *fail);
	void *context;
};

/* A list that is read page by page. */
struct list {
	struct facts *facts;
	struct list *next, *previous;
	struct query *query;
	enum subject subject;
	char *path;    /* of its first page */
	char *cursor;  /* of the page under way; NULL: the first */
	char *toolkit; /* NULL when it is not about one */
	unsigned pages;
};

static int
list_ask(struct list *list, struct fail *fail);

static void
list_free(struct list *list)
{
	query_cancel(list->query);
	free(list->path);
	free(list->cursor);
	free(list->toolkit);
	free(list);
}

static void
list_end(struct list *list)
{
	struct facts *facts = list->facts;

	if (list->previous != NULL)
		list->previous->next = list->next;
	else
		facts->lists = list->next;
	if (list->next != NULL)
		list->next->previous = list->previous;
	list_free(list);
}

static void
facts_free(struct composio_call *call)
{
	struct facts *facts = (struct facts *)(void *)call;
	struct list *list, *next;

	for (list = facts->lists; list != NULL; list = next) {
		next = list->next;
		list_free(list);
	}
	loop_cancel(http_loop(call->composio->http), &facts->next);
	free(facts->user);
	cJSON_Delete(facts->want_toolkits);
	cJSON_Delete(facts->want_tools);
	cJSON_Delete(facts->tools);
	cJSON_Delete(facts->missing);
	cJSON_Delete(facts->toolkits);
	cJSON_Delete(facts->accounts);
	cJSON_Delete(facts->auth_configs);
	free(facts);
}

static void
facts_fail(struct facts *facts, const struct fail *fail)
{
	void (*done)(void *, cJSON *, const struct fail *) = facts->done;
	void *context = facts->context;
	struct fail copy = *fail;

	facts_free(&facts->call);
	done(context, NULL, &copy);
}

static void
hand_over(cJSON *whole, const char *name, cJSON **part)
{
	cJSON_AddItemToObject(whole, name, *part);
	*part = NULL;
}

static void
facts_end(struct facts *facts)
{
	void (*done)(void *, cJSON *, const struct fail *) = facts->done;
	void *context = facts->context;
	cJSON *whole = cJSON_CreateObject();

	hand_over(whole, "tools", &facts->tools);
	hand_over(whole, "missing_tools", &facts->missing);
	hand_over(whole, "toolkits", &facts->toolkits);
	hand_over(whole, "accounts", &facts->accounts);
	hand_over(whole, "auth_configs", &facts->auth_configs);
	facts_free(&facts->call);
	done(context, whole, NULL);
}

/* When a round has nothing (more) to ask, the loop begins the next one. */
static void
look_on(struct facts *facts)
{
	if (facts->lists == NULL)
		loop_timer(http_loop(facts->call.composio->http), &facts->next,
		    clock_boot());
}

static const cJSON *
get(const cJSON *object, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(object, name);
}

static const char *
toolkit_of(const cJSON *item)
{
	return json_string(get(item, "toolkit"), "slug");
}

static bool
has_tool(const struct facts *facts, const char *slug)
{
	const cJSON *tool;
	const char *other;

	cJSON_ArrayForEach (tool, facts->tools) {
		other = json_string(tool, "slug");
		if (other != NULL && strcmp(other, slug) == 0)
			return true;
	}
	return false;
}

static void
take_auth_configs(struct facts *facts, const char *toolkit, const cJSON *items)
{
	cJSON *ids = cJSON_GetObjectItemCaseSensitive(facts->auth_configs,
	    toolkit);
	const char *id, *status;
	const cJSON *item;
	int managed;

	if (ids == NULL)
		ids = cJSON_AddArrayToObject(facts->auth_configs, toolkit);
	for (managed = 1; managed >= 0; managed--) {
		cJSON_ArrayForEach (item, items) {
			id = json_string(item, "id");
			status = json_string(item, "status");
			if (id == NULL || json_true(item, "is_disabled") ||
			    (status && strcmp(status, "ENABLED") != 0) ||
			    json_true(item, "is_composio_managed") != managed)
				continue;
			cJSON_AddItemToArray(ids, cJSON_CreateString(id));
		}
	}
}

static void
take_toolkit(struct facts *facts, const char *toolkit, bool found,
    const cJSON *answer)
{
	const cJSON *detail;
	const char *mode;
	cJSON *fact;
	bool no_auth = false;

	cJSON_ArrayForEach (detail, get(answer, "auth_config_details")) {
		mode = json_string(detail, "mode");
		if (mode != NULL && strcmp(mode, "NO_AUTH") == 0)
			no_auth = true;
	}
	fact = cJSON_CreateObject();
	cJSON_AddBoolToObject(fact, "found", found);
	cJSON_AddBoolToObject(fact, "no_auth",
	    no_auth || json_true(answer, "no_auth"));
	cJSON_ReplaceItemInObjectCaseSensitive(facts->toolkits, toolkit, fact);
}

static void
take_items(struct list *list, cJSON *items)
{
	struct facts *facts = list->facts;
	const char *slug;
	cJSON *item;

	if (list->subject == AUTH_CONFIGS) {
		take_auth_configs(facts, list->toolkit, items);
		return;
	}
	while ((item = items->child) != NULL) {
		cJSON_DetachItemViaPointer(items, item);
		slug = json_string(item, "slug");
		if (list->subject == TOOLS && slug != NULL &&
		    has_tool(facts, slug))
			cJSON_Delete(item);
		else
			cJSON_AddItemToArray(list->subject == TOOLS
				? facts->tools
				: facts->accounts,
			    item);
	}
}

/* Goes on with the page after ANSWER, if there is one. 1 when there is. */
static int
next_page(struct list *list, const cJSON *answer, struct fail *fail)
{
	const char *cursor = json_string(answer, "next_cursor");

	if (cursor == NULL || *cursor == '\0')
		return 0;
	if ((list->cursor != NULL && strcmp(cursor, list->cursor) == 0) ||
	    ++list->pages >= PAGES_MAX)
		return fail_set(fail, FAIL_NOT_NOW, "upstream",
		    "Composio: the pages of %s never end", list->path);
	free(list->cursor);
	list->cursor = mem_string(cursor);
	return list_ask(list, fail) < 0 ? -1 : 1;
}

static void
on_page(void *context, cJSON *answer, int status, const struct fail *why)
{
	struct list *list = context;
	struct facts *facts = list->facts;
	cJSON *items;
	struct fail fail;
	int more = 0;

	list->query = NULL;
	if (answer == NULL && (status != 404 || list->subject == ACCOUNTS)) {
		facts_fail(facts, why);
		return;
	}
	if (list->subject == TOOLKIT) {
		take_toolkit(facts, list->toolkit, answer != NULL, answer);
	} else if (answer != NULL) {
		items = cJSON_GetObjectItemCaseSensitive(answer, "items");
		if (cJSON_IsArray(items)) {
			take_items(list, items);
			more = next_page(list, answer, &fail);
		} else {
			more = fail_set(&fail, FAIL_NOT_NOW, "upstream",
			    "Composio: the answer to %s has no items",
			    list->path);
		}
	}
	cJSON_Delete(answer);
	if (more < 0) {
		facts_fail(facts, &fail);
	} else if (more == 0) {
		list_end(list);
		look_on(facts);
	}
}

static int
list_ask(struct list *list, struct fail *fail)
{
	struct buf path = BUF_INIT(65536);
	int result;

	buf_add_string(&path, list->path);
	if (list->cursor != NULL) {
		buf_add_string(&path, "&cursor=");
		http_escape(&path, list->cursor);
	}
	result = query_start(list->facts->call.composio, "GET", path.data, NULL,
	    on_page, list, &list->query, fail);
	buf_release(&path);
	return result;
}

/* Starts to read a list; PATH is taken over. */
static int
list_start(struct facts *facts, enum subject subject, struct buf *path,
    const char *toolkit, struct fail *fail)
{
	struct list *list = mem_alloc(sizeof(*list));

	list->facts = facts;
	list->subject = subject;
	list->path = buf_detach(path, NULL);
	list->toolkit = mem_string(toolkit);
	list->next = facts->lists;
	if (list->next != NULL)
		list->next->previous = list;
	facts->lists = list;
	return list_ask(list, fail);
}

static bool
is_glob(const char *name)
{
	return strpbrk(name, "*?[") != NULL;
}

/* One request for the SLUGS_AT_ONCE names from ITEM on; *ITEM moves. */
static int
ask_named(struct facts *facts, const cJSON **item, struct fail *fail)
{
	struct buf path = BUF_INIT(65536);
	unsigned count = 0;

	buf_add_string(&path, "tools?tool_slugs=");
	for (; *item != NULL && count < SLUGS_AT_ONCE; *item = (*item)->next) {
		if (is_glob((*item)->valuestring))
			continue;
		if (count++ > 0)
			buf_add_string(&path, "%2C");
		http_escape(&path, (*item)->valuestring);
	}
	if (count == 0) {
		buf_release(&path);
		return 0;
	}
	buf_add_string(&path, TOOLS_QUERY);
	return list_start(facts, TOOLS, &path, NULL, fail);
}

/* Round 1: the tools that are named, and all of each toolkit when the task
 * means more than the named ones. */
static int
ask_tools(struct facts *facts, struct fail *fail)
{
	struct buf path = BUF_INIT(4096);
	const cJSON *item;
	bool all;

	if (facts->want_tools == NULL)
		return 0;
	all = facts->want_tools->child == NULL;
	cJSON_ArrayForEach (item, facts->want_tools)
		if (is_glob(item->valuestring))
			all = true;
	for (item = facts->want_tools->child; item != NULL;)
		if (ask_named(facts, &item, fail) < 0)
			return -1;
	cJSON_ArrayForEach (item, facts->want_toolkits) {
		if (!all)
			break;
		buf_add_string(&path, "tools?toolkit_slug=");
		http_escape(&path, item->valuestring);
		buf_add_string(&path, TOOLS_QUERY);
		if (list_start(facts, TOOLS, &path, item->valuestring, fail) <
		    0)
			return -1;
	}
	return 0;
}

/* What is known of a toolkit from its tools: 0 when there are none, else 1, or
 * 2 when none of them needs an account. */
static int
toolkit_from_tools(const struct facts *facts, const char *toolkit)
{
	const cJSON *tool;
	const char *slug;
	int found = 0;

	cJSON_ArrayForEach (tool, facts->tools) {
		slug = toolkit_of(tool);
		if (slug == NULL || strcmp(slug, toolkit) != 0)
			continue;
		if (!json_true(tool, "no_auth"))
			return 1;
		found = 2;
	}
	return found;
}

struct entry {
	cJSON *tool;
};

static int
compare_slugs(const void *a, const void *b)
{
	const char *one = json_string(((const struct entry *)a)->tool, "slug");
	const char *other = json_string(((const struct entry *)b)->tool,
	    "slug");

	return strcmp(one ? one : "", other ? other : "");
}

/* The lists came in any order, and the model's prompt cache works only for tasks
 * that begin with the same tools. */
static void
sort_tools(struct facts *facts)
{
	int count = cJSON_GetArraySize(facts->tools), i;
	struct entry *entries = mem_alloc(
	    ((size_t)count + 1) * sizeof(*entries));

	for (i = 0; i < count; i++)
		entries[i].tool = cJSON_DetachItemFromArray(facts->tools, 0);
	qsort(entries, (size_t)count, sizeof(*entries), compare_slugs);
	for (i = 0; i < count; i++)
		cJSON_AddItemToArray(facts->tools, entries[i].tool);
	free(entries);
}

/* Adds a toolkit to the facts, to PATH when it may need an account, and asks
 * for it when none of its tools is known. */
static int
add_toolkit(struct facts *facts, const char *toolkit, cJSON *seen,
    struct buf *path, struct fail *fail)
{
	struct buf about = BUF_INIT(4096);
	cJSON *fact;
	int known;

	if (cJSON_HasObjectItem(seen, toolkit))
		return 0;
	cJSON_AddTrueToObject(seen, toolkit);
	known = toolkit_from_tools(facts, toolkit);
	fact = cJSON_AddObjectToObject(facts->toolkits, toolkit);
	cJSON_AddBoolToObject(fact, "found", known > 0);
	cJSON_AddBoolToObject(fact, "no_auth", known == 2);
	if (known != 2) {
		buf_add_string(path, path->length > 0 ? "%2C" : "");
		http_escape(path, toolkit);
	}
	if (known > 0)
		return 0;
	buf_add_string(&about, "toolkits/");
	http_escape(&about, toolkit);
	return list_start(facts, TOOLKIT, &about, toolkit, fail);
}

/* Round 2. */
static int
ask_accounts(struct facts *facts, struct fail *fail)
{
	struct buf toolkits = BUF_INIT(32768), path = BUF_INIT(65536);
	cJSON *seen = cJSON_CreateObject();
	const cJSON *item;
	int result = -1;

	sort_tools(facts);
	cJSON_ArrayForEach (item, facts->want_tools)
		if (!is_glob(item->valuestring) &&
		    !has_tool(facts, item->valuestring))
			cJSON_AddItemToArray(facts->missing,
			    cJSON_CreateString(item->valuestring));
	cJSON_ArrayForEach (item, facts->want_toolkits)
		if (add_toolkit(facts, item->valuestring, seen, &toolkits,
			fail) < 0)
			goto out;
	cJSON_ArrayForEach (item, facts->tools)
		if (toolkit_of(item) != NULL &&
		    add_toolkit(facts, toolkit_of(item), seen, &toolkits,
			fail) < 0)
			goto out;
	result = 0;
	if (toolkits.length > 0 ||
	    (facts->want_tools == NULL &&
		facts->want_toolkits->child == NULL)) {
		buf_add_string(&path, "connected_accounts?user_ids=");
		http_escape(&path, facts->user);
		if (toolkits.length > 0)
			buf_print(&path, "&toolkit_slugs=%s", toolkits.data);
		buf_add_string(&path, "&limit=100");
		result = list_start(facts, ACCOUNTS, &path, NULL, fail);
	}
out:
	buf_release(&toolkits);
	cJSON_Delete(seen);
	return result;
}

static bool
has_live_account(const struct facts *facts, const char *toolkit)
{
	const char *slug, *status;
	const cJSON *account;

	cJSON_ArrayForEach (account, facts->accounts) {
		slug = toolkit_of(account);
		status = json_string(account, "status");
		if (slug != NULL && strcmp(slug, toolkit) == 0 &&
		    status != NULL && strcmp(status, "ACTIVE") == 0 &&
		    !json_true(account, "is_disabled") &&
		    !json_true(get(account, "auth_config"), "is_disabled"))
			return true;
	}
	return false;
}

/* Round 3. */
static int
ask_auth_configs(struct facts *facts, struct fail *fail)
{
	struct buf path = BUF_INIT(4096);
	const cJSON *fact;

	cJSON_ArrayForEach (fact, facts->toolkits) {
		if (!json_true(fact, "found") || json_true(fact, "no_auth") ||
		    has_live_account(facts, fact->string))
			continue;
		buf_add_string(&path, "auth_configs?toolkit_slug=");
		http_escape(&path, fact->string);
		buf_add_string(&path, "&limit=50");
		if (list_start(facts, AUTH_CONFIGS, &path, fact->string, fail) <
		    0)
			return -1;
	}
	return 0;
}

static int
begin_round(struct facts *facts, struct fail *fail)
{
	switch (++facts->round) {
	case 1:
		return ask_tools(facts, fail);
	case 2:
		return ask_accounts(facts, fail);
	default:
		return ask_auth_configs(facts, fail);
	}
}

static void
next_fire(void *context)
{
	struct facts *facts = context;
	struct fail fail;

	if (facts->round == 3)
		facts_end(facts);
	else if (begin_round(facts, &fail) < 0)
		facts_fail(facts, &fail);
	else
		look_on(facts);
}

int
composio_facts(void *state, const struct task *task,
    void (*done)(void *context, cJSON *facts, const struct fail *fail),
    void *context, struct tool_call **ret_call, struct fail *fail)
{
	struct facts *facts = mem_alloc(sizeof(*facts));

	composio_call_init(&facts->call, state, facts_free);
	facts->next.fire = next_fire;
	facts->next.context = facts;
	facts->user = mem_string(task->user);
	facts->want_toolkits = cJSON_Duplicate(task->toolkits, 1);
	facts->want_tools = cJSON_Duplicate(task->tools, 1);
	facts->tools = cJSON_CreateArray();
	facts->missing = cJSON_CreateArray();
	facts->toolkits = cJSON_CreateObject();
	facts->accounts = cJSON_CreateArray();
	facts->auth_configs = cJSON_CreateObject();
	facts->done = done;
	facts->context = context;
	if (begin_round(facts, fail) < 0) {
		facts_free(&facts->call);
		return -1;
	}
	look_on(facts);
	*ret_call = &facts->call.call;
	return 0;
}
