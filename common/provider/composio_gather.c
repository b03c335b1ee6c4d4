/* SPDX-License-Identifier: ISC */
/*
 * What facts are made of is gathered in three rounds, each with all its
 * requests at once:
 * the tools; then the accounts, for which the tools' toolkits must be known,
 * and the toolkits of which no tool came; then the auth configs of toolkits
 * without an account whose own one will do, from which a link can be made. Every list is read
 * to its last page; each page but that one names the cursor that the next one
 * begins at. A list that never ends is an error, because nothing else would end
 * it. The first request that fails ends all of it, because incomplete facts are
 * worse than none.
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

struct gather {
	struct composio_call call;
	struct list *lists; /* under way */
	struct timer next;  /* the next round, from the loop */
	int round;
	const struct task *task;
	cJSON *raw; /* what is gathered; the others are members of it */
	cJSON *tools, *missing, *toolkits, *accounts, *auth_configs;
	void (*done)(void *context, cJSON *gather, const struct fail *fail);
	void *context;
};

struct list {
	struct gather *gather;
	struct list *next;
	struct query *query;
	enum subject subject;
	char *path;    /* of the first page */
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
gather_free(struct composio_call *call)
{
	struct gather *gather = (struct gather *)(void *)call;
	struct list *list;

	while ((list = gather->lists) != NULL) {
		gather->lists = list->next;
		list_free(list);
	}
	loop_cancel(http_loop(call->composio->http), &gather->next);
	cJSON_Delete(gather->raw);
	free(gather);
}

static void
gather_end(struct gather *gather, const struct fail *fail)
{
	void (*done)(void *, cJSON *, const struct fail *) = gather->done;
	void *context = gather->context;
	cJSON *raw = NULL;

	if (fail == NULL) {
		raw = gather->raw;
		gather->raw = NULL;
	}
	gather_free(&gather->call);
	done(context, raw, fail);
}

/* When a round has nothing (more) to ask, the loop begins the next one. */
static void
look_on(struct gather *gather)
{
	if (gather->lists == NULL)
		loop_timer(http_loop(gather->call.composio->http),
		    &gather->next, clock_boot());
}

static bool
has_tool(const struct gather *gather, const char *slug)
{
	const cJSON *tool;
	const char *other;

	cJSON_ArrayForEach (tool, gather->tools) {
		other = json_string(tool, "slug");
		if (other != NULL && strcmp(other, slug) == 0)
			return true;
	}
	return false;
}

static void
take_auth_configs(struct gather *gather, const char *toolkit,
    const cJSON *items)
{
	cJSON *ids = json_item(gather->auth_configs, toolkit);
	const char *id, *status;
	const cJSON *item;
	int managed;

	if (ids == NULL)
		ids = cJSON_AddArrayToObject(gather->auth_configs, toolkit);
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
take_toolkit(struct gather *gather, const char *toolkit, bool found,
    const cJSON *answer)
{
	const cJSON *detail;
	const char *mode;
	cJSON *fact;
	bool no_auth = false;

	cJSON_ArrayForEach (detail, json_item(answer, "auth_config_details")) {
		mode = json_string(detail, "mode");
		if (mode != NULL && strcmp(mode, "NO_AUTH") == 0)
			no_auth = true;
	}
	fact = cJSON_CreateObject();
	cJSON_AddBoolToObject(fact, "found", found);
	cJSON_AddBoolToObject(fact, "no_auth",
	    no_auth || json_true(answer, "no_auth"));
	cJSON_ReplaceItemInObjectCaseSensitive(gather->toolkits, toolkit, fact);
}

static void
take_items(struct list *list, cJSON *items)
{
	struct gather *gather = list->gather;
	const char *slug;
	cJSON *item;

	if (list->subject == AUTH_CONFIGS) {
		take_auth_configs(gather, list->toolkit, items);
		return;
	}
	while ((item = items->child) != NULL) {
		cJSON_DetachItemViaPointer(items, item);
		slug = json_string(item, "slug");
		if (list->subject == TOOLS && slug != NULL &&
		    has_tool(gather, slug))
			cJSON_Delete(item);
		else
			cJSON_AddItemToArray(list->subject == TOOLS
				? gather->tools
				: gather->accounts,
			    item);
	}
}

/* Goes on with the page after ANSWER. 1 when there is one. */
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

/* ANSWER is NULL when there is no such thing. 1 when more will come. */
static int
take_page(struct list *list, cJSON *answer, struct fail *fail)
{
	cJSON *items;

	if (list->subject == TOOLKIT)
		take_toolkit(list->gather, list->toolkit, answer != NULL,
		    answer);
	if (list->subject == TOOLKIT || answer == NULL)
		return 0;
	items = json_item(answer, "items");
	if (!cJSON_IsArray(items))
		return fail_set(fail, FAIL_NOT_NOW, "upstream",
		    "Composio: the answer to %s has no items", list->path);
	take_items(list, items);
	return next_page(list, answer, fail);
}

static void
list_end(struct list *list)
{
	struct gather *gather = list->gather;
	struct list **at = &gather->lists;

	while (*at != list)
		at = &(*at)->next;
	*at = list->next;
	list_free(list);
	look_on(gather);
}

static void
on_page(void *context, cJSON *answer, int status, const struct fail *why)
{
	struct list *list = context;
	struct fail fail;
	int more = -1;

	list->query = NULL;
	if (answer != NULL || (status == 404 && list->subject != ACCOUNTS))
		more = take_page(list, answer, &fail);
	else
		fail = *why;
	cJSON_Delete(answer);
	if (more < 0)
		gather_end(list->gather, &fail);
	else if (more == 0)
		list_end(list);
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
	result = query_start(list->gather->call.composio, path.data, NULL,
	    on_page, list, &list->query, fail);
	buf_release(&path);
	return result;
}

/* Starts to read a list; PATH is taken over. */
static int
list_start(struct gather *gather, enum subject subject, struct buf *path,
    const char *toolkit, struct fail *fail)
{
	struct list *list = mem_alloc(sizeof(*list));

	list->gather = gather;
	list->subject = subject;
	list->path = buf_detach(path, NULL);
	list->toolkit = mem_string(toolkit);
	list->next = gather->lists;
	gather->lists = list;
	return list_ask(list, fail);
}

static bool
is_glob(const char *name)
{
	return strpbrk(name, "*?[") != NULL;
}

/* One request for the SLUGS_AT_ONCE names from ITEM on; *ITEM moves. */
static int
ask_named(struct gather *gather, const cJSON **item, struct fail *fail)
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
	return list_start(gather, TOOLS, &path, NULL, fail);
}

/* Round 1: the tools that are named, and all of each toolkit when the task
 * means more than the named ones. */
static int
ask_tools(struct gather *gather, struct fail *fail)
{
	struct buf path = BUF_INIT(4096);
	const cJSON *item;
	bool all;

	if (gather->task->tools == NULL)
		return 0;
	all = gather->task->tools->child == NULL;
	cJSON_ArrayForEach (item, gather->task->tools)
		if (is_glob(item->valuestring))
			all = true;
	for (item = gather->task->tools->child; item != NULL;)
		if (ask_named(gather, &item, fail) < 0)
			return -1;
	cJSON_ArrayForEach (item, gather->task->toolkits) {
		if (!all)
			break;
		buf_add_string(&path, "tools?toolkit_slug=");
		http_escape(&path, item->valuestring);
		buf_add_string(&path, TOOLS_QUERY);
		if (list_start(gather, TOOLS, &path, item->valuestring, fail) <
		    0)
			return -1;
	}
	return 0;
}

/* What is known of a toolkit from its tools: 0 when there are none, else 1, or
 * 2 when none of them needs an account. */
static int
toolkit_from_tools(const struct gather *gather, const char *toolkit)
{
	const cJSON *tool;
	const char *slug;
	int found = 0;

	cJSON_ArrayForEach (tool, gather->tools) {
		slug = composio_toolkit(tool);
		if (slug == NULL || strcmp(slug, toolkit) != 0)
			continue;
		if (!json_true(tool, "no_auth"))
			return 1;
		found = 2;
	}
	return found;
}

static int
compare_slugs(const void *a, const void *b)
{
	const char *one = json_string(*(cJSON *const *)a, "slug");
	const char *other = json_string(*(cJSON *const *)b, "slug");

	return strcmp(one ? one : "", other ? other : "");
}

/* The lists came in any order, and the model's prompt cache works only for tasks
 * that begin with the same tools. */
static void
sort_tools(struct gather *gather)
{
	int count = cJSON_GetArraySize(gather->tools), i;
	cJSON **tools = mem_grow(NULL, (size_t)count + 1, sizeof(*tools));

	for (i = 0; i < count; i++)
		tools[i] = cJSON_DetachItemFromArray(gather->tools, 0);
	qsort(tools, (size_t)count, sizeof(*tools), compare_slugs);
	for (i = 0; i < count; i++)
		cJSON_AddItemToArray(gather->tools, tools[i]);
	free(tools);
}

/* Adds a toolkit to the gather, to PATH when it may need an account, and asks
 * for it when none of its tools is known. */
static int
add_toolkit(struct gather *gather, const char *toolkit, cJSON *seen,
    struct buf *path, struct fail *fail)
{
	struct buf about = BUF_INIT(4096);
	cJSON *fact;
	int known;

	if (cJSON_HasObjectItem(seen, toolkit))
		return 0;
	cJSON_AddTrueToObject(seen, toolkit);
	known = toolkit_from_tools(gather, toolkit);
	fact = cJSON_AddObjectToObject(gather->toolkits, toolkit);
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
	return list_start(gather, TOOLKIT, &about, toolkit, fail);
}

/* Round 2. */
static int
ask_accounts(struct gather *gather, struct fail *fail)
{
	struct buf toolkits = BUF_INIT(32768), path = BUF_INIT(65536);
	cJSON *seen = cJSON_CreateObject();
	const cJSON *item;
	int result = -1;

	sort_tools(gather);
	cJSON_ArrayForEach (item, gather->task->tools)
		if (!is_glob(item->valuestring) &&
		    !has_tool(gather, item->valuestring))
			cJSON_AddItemToArray(gather->missing,
			    cJSON_CreateString(item->valuestring));
	cJSON_ArrayForEach (item, gather->task->toolkits)
		if (add_toolkit(gather, item->valuestring, seen, &toolkits,
			fail) < 0)
			goto out;
	cJSON_ArrayForEach (item, gather->tools)
		if (composio_toolkit(item) != NULL &&
		    add_toolkit(gather, composio_toolkit(item), seen, &toolkits,
			fail) < 0)
			goto out;
	result = 0;
	if (toolkits.length > 0 ||
	    (gather->task->tools == NULL &&
		gather->task->toolkits->child == NULL)) {
		buf_add_string(&path, "connected_accounts?user_ids=");
		http_escape(&path, gather->task->user);
		if (toolkits.length > 0)
			buf_print(&path, "&toolkit_slugs=%s", toolkits.data);
		buf_add_string(&path, "&limit=100");
		result = list_start(gather, ACCOUNTS, &path, NULL, fail);
	}
out:
	buf_release(&toolkits);
	cJSON_Delete(seen);
	return result;
}

/* Round 3. */
static int
ask_auth_configs(struct gather *gather, struct fail *fail)
{
	struct buf path = BUF_INIT(4096);
	enum account_state state;
	const cJSON *fact, *own;

	cJSON_ArrayForEach (fact, gather->toolkits) {
		own = json_item(composio_account(gather->accounts, gather->task,
				    fact->string, &state),
		    "auth_config");
		if (!json_true(fact, "found") || json_true(fact, "no_auth") ||
		    state == ACCOUNT_ACTIVE ||
		    (json_string(own, "id") != NULL &&
			!json_true(own, "is_disabled")))
			continue;
		buf_add_string(&path, "auth_configs?toolkit_slug=");
		http_escape(&path, fact->string);
		buf_add_string(&path, "&limit=50");
		if (list_start(gather, AUTH_CONFIGS, &path, fact->string,
			fail) < 0)
			return -1;
	}
	return 0;
}

static int
begin_round(struct gather *gather, struct fail *fail)
{
	switch (++gather->round) {
	case 1:
		return ask_tools(gather, fail);
	case 2:
		return ask_accounts(gather, fail);
	default:
		return ask_auth_configs(gather, fail);
	}
}

static void
next_fire(void *context)
{
	struct gather *gather = context;
	struct fail fail;

	if (gather->round == 3)
		gather_end(gather, NULL);
	else if (begin_round(gather, &fail) < 0)
		gather_end(gather, &fail);
	else
		look_on(gather);
}

int
composio_gather(struct composio *composio, const struct task *task,
    void (*done)(void *context, cJSON *raw, const struct fail *fail),
    void *context, struct composio_call **ret_call, struct fail *fail)
{
	struct gather *gather = mem_alloc(sizeof(*gather));

	composio_call_init(&gather->call, composio, gather_free);
	gather->next.fire = next_fire;
	gather->next.context = gather;
	gather->task = task;
	gather->raw = cJSON_CreateObject();
	gather->tools = cJSON_AddArrayToObject(gather->raw, "tools");
	gather->missing = cJSON_AddArrayToObject(gather->raw, "missing_tools");
	gather->toolkits = cJSON_AddObjectToObject(gather->raw, "toolkits");
	gather->accounts = cJSON_AddArrayToObject(gather->raw, "accounts");
	gather->auth_configs = cJSON_AddObjectToObject(gather->raw,
	    "auth_configs");
	gather->done = done;
	gather->context = context;
	if (begin_round(gather, fail) < 0) {
		gather_free(&gather->call);
		return -1;
	}
	look_on(gather);
	*ret_call = &gather->call;
	return 0;
}
