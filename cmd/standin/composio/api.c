/* SPDX-License-Identifier: ISC */
/*
 * composio_api: the routes of Composio's REST API v3.1 that programs use to
 * look up accounts and tools, and to execute them.
 */
#include <glib.h>
#include <stdarg.h>

#include "cmd/standin/build.h"
#include "cmd/standin/claude/claude.h"
#include "cmd/standin/script/script.h"
#include "cmd/standin/standin.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/json/json.h"
#include "common/json/log.h"

#define PAGE_USUAL 20
#define PAGE_MOST 1000
#define LINK_LIFE 600000

bool
composio_fault(struct request *request, struct reply *reply, int status,
    int code, const char *slug, const char *format, ...)
{
	va_list arguments;
	gchar *message;

	va_start(arguments, format);
	message = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	if (*slug == '\0')
		slug = status == 401 ? "HTTP_Unauthorized"
		    : status == 403  ? "HTTP_Forbidden"
		    : status == 404  ? "HTTP_NotFound"
		    : status == 429  ? "HTTP_TooManyRequests"
		    : status < 500   ? "HTTP_BadRequest"
				     : "HTTP_InternalServerError";
	reply->status = status;
	reply_json(reply,
	    build("{'error':{'message':%s,'code':%n,'slug':%s,'status':%n,"
		  "'request_id':%s,'suggested_fix':%s,'errors':[]}}",
		message, (int64_t)(code ? code : 10000 + status), slug,
		(int64_t)status, request->id,
		status == 401 ? "Check the API key." : "Check the request."));
	g_free(message);
	return false;
}

bool
composio_members(struct request *request, const cJSON *body,
    const char *const *names, const char *const *texts, struct reply *reply)
{
	const cJSON *entry;

	cJSON_ArrayForEach (entry, body) {
		if (!claude_one_of(entry->string, names) &&
		    !claude_one_of(entry->string, texts))
			return composio_fault(request, reply, 400, 0, "",
			    "Validation error: Unrecognized key in object: "
			    "'%.80s'",
			    entry->string);
		if (claude_one_of(entry->string, texts) &&
		    !cJSON_IsString(entry))
			return composio_fault(request, reply, 400, 0, "",
			    "Validation error: Expected string at \"%.80s\"",
			    entry->string);
	}
	return true;
}

/* One page of a list. A cursor is the base64 of "PAGE:LIMIT". */
struct page {
	size_t from, limit, seen;
	cJSON *items; /* add those that page_takes says */
};

/* The page that REQUEST asks for, of USUAL items and at most MOST. False when
 * there is no such page; then REPLY is the error. */
static bool
page_init(struct page *page, struct request *request, size_t usual, size_t most,
    struct reply *reply)
{
	const char *limit = request_query(request, "limit");
	const char *cursor = request_query(request, "cursor");
	unsigned long number = 0, size = 0;
	guchar *text;
	gsize length;
	char *end;

	*page = (struct page){ .limit = usual };
	if (limit != NULL) {
		size = strtoul(limit, &end, 10);
		if (end == limit || *end != '\0' || size == 0)
			return composio_fault(request, reply, 400, 0, "",
			    "limit must be a positive number");
		page->limit = size > most ? most : size;
	}
	if (cursor != NULL && *cursor != '\0') {
		text = g_base64_decode(cursor, &length);
		text = g_realloc(text, length + 1);
		text[length] = '\0';
		number = strtoul((char *)text, &end, 10);
		if (number > 1 && *end == ':')
			size = strtoul(end + 1, &end, 10);
		if (number < 2 || *end != '\0' || size == 0 ||
		    number > 1000000 || size > PAGE_MOST) {
			g_free(text);
			return composio_fault(request, reply, 400, 0, "",
			    "cursor is not valid");
		}
		g_free(text);
		page->limit = size;
		page->from = (number - 1) * size;
	}
	page->items = cJSON_CreateArray();
	return true;
}

/* Whether the next item is to be on the page. */
static bool
page_takes(struct page *page)
{
	size_t at = page->seen++;

	return at >= page->from && at < page->from + page->limit;
}

static void
page_put(struct page *page, struct reply *reply)
{
	size_t number = page->from / page->limit + 1;
	size_t pages = (page->seen + page->limit - 1) / page->limit;
	gchar *cursor = NULL;
	char text[60];

	if (page->from + page->limit < page->seen) {
		snprintf(text, sizeof(text), "%zu:%zu", number + 1,
		    page->limit);
		cursor = g_base64_encode((guchar *)text, strlen(text));
	}
	reply_json(reply,
	    build("{'items':%j,'next_cursor':%s,'current_page':%n,"
		  "'total_pages':%n,'total_items':%n}",
		page->items, cursor, (int64_t)number,
		(int64_t)(pages > 0 ? pages : 1), (int64_t)page->seen));
	g_free(cursor);
}

static bool
check_key(const struct standin *standin, struct request *request,
    struct reply *reply)
{
	const char *key = request_header(request, "x-api-key");
	const char *user = request_header(request, "x-user-api-key");
	const char *org = request_header(request, "x-org-api-key");

	if ((key != NULL) + (user != NULL) + (org != NULL) == 1 &&
	    standin_knows_key(standin, "composio",
		key        ? key
		    : user ? user
			   : org))
		return true;
	return composio_fault(request, reply, 401, 0, "", "%s",
	    key == NULL && user == NULL && org == NULL
		? "No authentication provided"
		: "Invalid API key");
}

/* Whether WORD is in the comma list, or there is no list. */
static bool
in_list(const char *list, const char *word)
{
	size_t size, length = strlen(word);

	if (list == NULL || *list == '\0')
		return true;
	for (; *list != '\0'; list += size + (list[size] == ',')) {
		size = strcspn(list, ",");
		if (size == length && strncasecmp(list, word, size) == 0)
			return true;
	}
	return false;
}

static bool
version_exists(const struct tool *tool, const char *version)
{
	return version == NULL || *version == '\0' ||
	    strcmp(version, "latest") == 0 ||
	    strcmp(version, tool->version) == 0;
}

/* The version that the request asks for, of the tool's toolkit. */
static const char *
asked_version(struct request *request, const struct tool *tool)
{
	char name[120];
	const char *version;

	snprintf(name, sizeof(name), "toolkit_versions[%.80s]", tool->toolkit);
	version = request_query(request, name);
	if (version == NULL)
		version = request_query(request, "toolkit_versions");
	if (version == NULL)
		version = request_query(request, "version");
	return version;
}

static void
list_tools(struct standin *standin, struct request *request,
    struct reply *reply)
{
	const char *slugs = request_query(request, "tool_slugs");
	const char *toolkits = request_query(request, "toolkit_slug");
	const char *query = request_query(request, "query");
	const char *deprecated = request_query(request, "include_deprecated");
	bool hide = deprecated != NULL && strcmp(deprecated, "false") == 0;
	bool named = slugs != NULL && *slugs != '\0';
	const struct tool *tool;
	struct page page;
	size_t i;

	if (!page_init(&page, request, PAGE_USUAL, PAGE_MOST, reply))
		return;
	for (i = 0; (tool = catalogue_at(standin->catalogue, i)) != NULL; i++) {
		if (named ? !in_list(slugs, tool->slug)
			  : !in_list(toolkits, tool->toolkit))
			continue;
		if (!named && query != NULL &&
		    strcasestr(tool->slug, query) == NULL &&
		    strcasestr(tool->description, query) == NULL)
			continue;
		if ((hide && tool->deprecated) ||
		    !version_exists(tool, asked_version(request, tool)))
			continue;
		if (page_takes(&page))
			cJSON_AddItemToArray(page.items,
			    catalogue_json(standin->catalogue, tool));
	}
	page_put(&page, reply);
}

static void
get_tool(struct standin *standin, struct request *request, const char *slug,
    struct reply *reply)
{
	const struct tool *tool = catalogue_find(standin->catalogue, slug);

	if (tool == NULL || !version_exists(tool, asked_version(request, tool)))
		composio_fault(request, reply, 404, 2401, "Tool_ToolNotFound",
		    "Tool %.100s not found", slug);
	else
		reply_json(reply, catalogue_json(standin->catalogue, tool));
}

static void
get_toolkit(struct standin *standin, struct request *request, const char *slug,
    struct reply *reply)
{
	const char *name = catalogue_toolkit(standin->catalogue, slug);
	const struct tool *tool, *first = NULL;
	int64_t count = 0;
	bool open = true;
	size_t i;

	for (i = 0; (tool = catalogue_at(standin->catalogue, i)) != NULL; i++) {
		if (strcmp(tool->toolkit, slug) != 0)
			continue;
		open = open && tool->no_auth;
		if (count++ == 0)
			first = tool;
	}
	if (first == NULL) {
		composio_fault(request, reply, 404, 2301,
		    "Toolkit_ToolkitNotFound", "Toolkit not found");
		return;
	}
	reply_json(reply,
	    build("{'name':%s,'slug':%s,'type':'native','enabled':true,"
		  "'is_local_toolkit':false,"
		  "'composio_managed_auth_schemes':%j,"
		  "'composio_managed_auth':%j,'deprecated':{'toolkitId':%s,"
		  "'rawProxyInfoByAuthSchemes':[]},"
		  "'auth_config_details':[{'mode':%s,'name':%s,"
		  "'required_scopes':[],'fields':"
		  "{'auth_config_creation':{'required':[],'optional':[]},"
		  "'connected_account_initiation':{'required':[],"
		  "'optional':[]}}}],'meta':{'version':%s,"
		  "'available_versions':[%s],'description':%s,'logo':'',"
		  "'tools_count':%n,'triggers_count':0,'categories':[],"
		  "'created_at':'2026-01-01T00:00:00Z',"
		  "'updated_at':'2026-11-01T00:00:00Z'}}",
		name, slug, build(open ? "[]" : "['OAUTH2']"),
		build(open ? "[]"
			   : "[{'mode':'OAUTH2','scopes':{'available':[]}}]"),
		slug, open ? "NO_AUTH" : "OAUTH2", open ? "no auth" : "OAuth 2",
		first->version, first->version, name, count));
}

/* Whether the account belongs to one of the users in the list. */
static bool
of_users(const struct account *account, const char *users)
{
	return strcmp(account->user, "*") == 0 || in_list(users, account->user);
}

static void
list_accounts(struct standin *standin, struct request *request,
    struct reply *reply)
{
	const char *users = request_query(request, "user_ids");
	const char *toolkits = request_query(request, "toolkit_slugs");
	const char *statuses = request_query(request, "statuses");
	const char *configs = request_query(request, "auth_config_ids");
	const char *ids = request_query(request, "connected_account_ids");
	const char *direction = request_query(request, "order_direction");
	bool oldest = direction != NULL && strcmp(direction, "asc") == 0;
	const struct account *account;
	struct page page;
	cJSON *item;
	size_t i, count = 0;

	if (!page_init(&page, request, PAGE_USUAL, PAGE_MOST, reply))
		return;
	while (accounts_at(standin->accounts, count) != NULL)
		count++;
	for (i = 0; i < count; i++) {
		account = accounts_at(standin->accounts,
		    oldest ? i : count - 1 - i);
		if (of_users(account, users) &&
		    in_list(toolkits, account->toolkit) &&
		    in_list(statuses, account->status) &&
		    in_list(configs, account->auth_config) &&
		    in_list(ids, account->id) && page_takes(&page)) {
			item = account_json(account, false);
			/* everybody's is the one's who is asked about */
			if (strcmp(account->user, "*") == 0 && users != NULL)
				cJSON_ReplaceItemInObject(item, "user_id",
				    cJSON_CreateString(users));
			cJSON_AddItemToArray(page.items, item);
		}
	}
	page_put(&page, reply);
}

static void
get_account(struct standin *standin, struct request *request, const char *id,
    struct reply *reply)
{
	const struct account *account = accounts_find(standin->accounts, id);

	if (account == NULL)
		composio_fault(request, reply, 404, 1803,
		    "ConnectedAccount_ResourceNotFound",
		    "Connected account not found");
	else
		reply_json(reply, account_json(account, true));
}

/* The toolkit of "ac_TOOLKIT" or of an account's auth config, or NULL. */
static const char *
config_toolkit(struct standin *standin, const char *config)
{
	const struct account *account;
	const char *name;
	size_t i;

	for (i = 0; (account = accounts_at(standin->accounts, i)) != NULL; i++)
		if (strcmp(account->auth_config, config) == 0)
			return account->toolkit;
	if (strncmp(config, "ac_", 3) != 0)
		return NULL;
	name = config + 3;
	return catalogue_toolkit(standin->catalogue, name) != NULL ? name
								   : NULL;
}

static void
make_link(struct standin *standin, struct request *request, const cJSON *body,
    struct reply *reply)
{
	static const char *const names[] = { "connection_data", "experimental",
		NULL };
	static const char *const texts[] = { "alias", "auth_config_id",
		"callback_url", "user_id", NULL };
	const char *config = json_string(body, "auth_config_id");
	const char *user = json_string(body, "user_id");
	const char *toolkit;
	const struct account *account;
	char until[CLOCK_TEXT];

	if (!composio_members(request, body, names, texts, reply))
		return;
	if (config == NULL || user == NULL || *user == '\0') {
		composio_fault(request, reply, 400, 0,
		    "ConnectedAccount_BadRequest",
		    "auth_config_id and user_id are required");
		return;
	}
	toolkit = config_toolkit(standin, config);
	if (toolkit == NULL) {
		composio_fault(request, reply, 404, 607, "AuthConfig_NotFound",
		    "Auth config not found");
		return;
	}
	account = accounts_link(standin->accounts, user, toolkit, config,
	    standin->url, json_string(body, "alias"));
	clock_format(clock_wall() + LINK_LIFE, until);
	reply->status = 201;
	reply_json(reply,
	    build("{'link_token':%s,'redirect_url':%s,'expires_at':%s,"
		  "'connected_account_id':%s}",
		account->token, account->url, until, account->id));
}

static cJSON *
config_json(const struct standin *standin, const char *toolkit)
{
	char *id = mem_print("ac_%s", toolkit);
	cJSON *json;

	json = build("{'id':%s,'uuid':%s,'name':%s,'type':'default','toolkit':"
		     "{'slug':%s,'logo':'','name':%s},'auth_scheme':'OAUTH2',"
		     "'status':'ENABLED','is_composio_managed':true,"
		     "'credentials':{},'tool_access_config':{},"
		     "'no_of_connections':1,"
		     "'created_at':'2026-11-01T00:00:00Z',"
		     "'last_updated_at':'2026-11-01T00:00:00Z'}",
	    id, id, toolkit, toolkit,
	    catalogue_toolkit(standin->catalogue, toolkit));
	free(id);
	return json;
}

static void
list_configs(struct standin *standin, struct request *request,
    struct reply *reply)
{
	const char *wanted = request_query(request, "toolkit_slug");
	const char *last = "";
	const struct tool *tool;
	struct page page;
	size_t i;

	if (!page_init(&page, request, PAGE_USUAL, 50, reply))
		return;
	/* The tools are sorted, and their slugs start with their toolkit's in
	 * most cases; one toolkit twice does no harm. */
	for (i = 0; (tool = catalogue_at(standin->catalogue, i)) != NULL; i++) {
		if (strcmp(tool->toolkit, last) == 0 ||
		    !in_list(wanted, tool->toolkit) || tool->no_auth)
			continue;
		last = tool->toolkit;
		if (page_takes(&page))
			cJSON_AddItemToArray(page.items,
			    config_json(standin, last));
	}
	page_put(&page, reply);
}

static void
make_config(struct standin *standin, struct request *request, const cJSON *body,
    struct reply *reply)
{
	static const char *const names[] = { "auth_config", "toolkit", NULL };
	static const char *const texts[] = { NULL };
	const char *slug = json_string(json_item(body, "toolkit"), "slug");

	if (!composio_members(request, body, names, texts, reply))
		return;
	if (slug == NULL ||
	    catalogue_toolkit(standin->catalogue, slug) == NULL) {
		composio_fault(request, reply, 400, 0, "AuthConfig_BadRequest",
		    "toolkit.slug is not a toolkit");
		return;
	}
	reply->status = 201;
	reply_json(reply,
	    build("{'toolkit':{'slug':%s},'auth_config':%j}", slug,
		config_json(standin, slug)));
}

static cJSON *
read_body(struct request *request, struct reply *reply)
{
	struct fail fail;
	cJSON *body;

	body = json_parse(request->body.data ? request->body.data : "",
	    request->body.length, &json_limits_upstream, &fail);
	if (!cJSON_IsObject(body)) {
		cJSON_Delete(body);
		composio_fault(request, reply, 400, 0, "",
		    "the body is not a JSON object");
		return NULL;
	}
	return body;
}

static void
route_post(struct standin *standin, struct request *request, const char *path,
    struct reply *reply)
{
	cJSON *body = read_body(request, reply);

	if (body == NULL)
		return;
	if (composio_tool(path) != NULL) {
		composio_execute(standin, request, composio_tool(path), body,
		    reply);
	} else {
		pthread_mutex_lock(&standin->lock);
		if (strcmp(path, "connected_accounts/link") == 0)
			make_link(standin, request, body, reply);
		else if (strcmp(path, "logs/tool_execution") == 0)
			composio_log_list(standin, request, body, reply);
		else if (strcmp(path, "auth_configs") == 0)
			make_config(standin, request, body, reply);
		else if (strcmp(path, "connected_accounts") == 0)
			composio_fault(request, reply, 400, 600,
			    "ConnectedAccount_BadRequest",
			    "This endpoint no longer makes connections; use "
			    "connected_accounts/link");
		else
			composio_fault(request, reply, 404, 0, "", "Not found");
		pthread_mutex_unlock(&standin->lock);
	}
	cJSON_Delete(body);
}

static void
route_get(struct standin *standin, struct request *request, const char *path,
    struct reply *reply)
{
	if (strcmp(path, "tools") == 0) {
		list_tools(standin, request, reply);
	} else if (strncmp(path, "tools/", 6) == 0) {
		get_tool(standin, request, path + 6, reply);
	} else if (strncmp(path, "toolkits/", 9) == 0) {
		get_toolkit(standin, request, path + 9, reply);
	} else if (strcmp(path, "auth_configs") == 0) {
		list_configs(standin, request, reply);
	} else {
		pthread_mutex_lock(&standin->lock);
		if (strcmp(path, "connected_accounts") == 0)
			list_accounts(standin, request, reply);
		else if (strncmp(path, "connected_accounts/", 19) == 0)
			get_account(standin, request, path + 19, reply);
		else if (strncmp(path, "logs/tool_execution/", 20) == 0)
			composio_log_get(standin, request, path + 20, reply);
		else
			composio_fault(request, reply, 404, 0, "", "Not found");
		pthread_mutex_unlock(&standin->lock);
	}
}

void
composio_answer(struct standin *standin, struct request *request,
    const char *path, struct reply *reply)
{
	reply_header(reply, "x-request-id", request->id);
	reply_header(reply, "X-RateLimit", "10000");
	reply_header(reply, "X-RateLimit-Remaining", "9999");
	reply_header(reply, "X-RateLimit-Window-Size", "60s");
	if (!check_key(standin, request, reply))
		return;
	if (request->too_large)
		composio_fault(request, reply, 413, 0, "",
		    "Request entity too large");
	else if (strcmp(request->method, "POST") == 0)
		route_post(standin, request, path, reply);
	else if (strcmp(request->method, "GET") == 0)
		route_get(standin, request, path, reply);
	else
		composio_fault(request, reply, 404, 0, "", "Not found");
}
