/* SPDX-License-Identifier: ISC */
/*
 * composio_api: the routes of Composio's REST API v3.1 that programs use to
 * look up accounts and tools, and to execute them.
 */
#include <string.h>

#include "cmd/standin/composio/page.h"
#include "cmd/standin/script/script.h"
#include "cmd/standin/standin.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/json/json.h"
#include "common/json/log.h"

#define PAGE_USUAL 20
#define LINK_LIFE 600000

void
composio_fault(struct request *request, struct reply *reply, int status,
    int code, const char *slug, const char *message)
{
	cJSON *body = cJSON_CreateObject(), *error;

	if (*slug == '\0')
		slug = status == 401 ? "HTTP_Unauthorized"
		    : status == 403  ? "HTTP_Forbidden"
		    : status == 404  ? "HTTP_NotFound"
		    : status == 429  ? "HTTP_TooManyRequests"
		    : status < 500   ? "HTTP_BadRequest"
				     : "HTTP_InternalServerError";
	error = cJSON_AddObjectToObject(body, "error");
	cJSON_AddStringToObject(error, "message", message);
	cJSON_AddNumberToObject(error, "code", code ? code : 10000 + status);
	cJSON_AddStringToObject(error, "slug", slug);
	cJSON_AddNumberToObject(error, "status", status);
	cJSON_AddStringToObject(error, "request_id", request->id);
	cJSON_AddStringToObject(error, "suggested_fix",
	    status == 401 ? "Check the API key." : "Check the request.");
	cJSON_AddArrayToObject(error, "errors");
	reply->status = status;
	reply_json(reply, body);
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
	composio_fault(request, reply, 401, 0, "",
	    key == NULL && user == NULL && org == NULL
		? "No authentication provided"
		: "Invalid API key");
	return false;
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
tool_missing(struct request *request, struct reply *reply, const char *slug)
{
	char text[200];

	snprintf(text, sizeof(text), "Tool %.100s not found", slug);
	composio_fault(request, reply, 404, 2401, "Tool_ToolNotFound", text);
}

static void
get_tool(struct standin *standin, struct request *request, const char *slug,
    struct reply *reply)
{
	const struct tool *tool = catalogue_find(standin->catalogue, slug);

	if (tool == NULL || !version_exists(tool, asked_version(request, tool)))
		tool_missing(request, reply, slug);
	else
		reply_json(reply, catalogue_json(standin->catalogue, tool));
}

static bool
toolkit_needs_no_auth(const struct standin *standin, const char *slug)
{
	const struct tool *tool;
	size_t i;

	for (i = 0; (tool = catalogue_at(standin->catalogue, i)) != NULL; i++)
		if (strcmp(tool->toolkit, slug) == 0 && !tool->no_auth)
			return false;
	return true;
}

static void
get_toolkit(struct standin *standin, struct request *request, const char *slug,
    struct reply *reply)
{
	const char *name = catalogue_toolkit(standin->catalogue, slug);
	const struct tool *tool;
	cJSON *body, *part, *one;
	bool open;
	size_t i, count = 0;

	if (name == NULL) {
		composio_fault(request, reply, 404, 2301,
		    "Toolkit_ToolkitNotFound", "Toolkit not found");
		return;
	}
	open = toolkit_needs_no_auth(standin, slug);
	body = cJSON_CreateObject();
	cJSON_AddStringToObject(body, "name", name);
	cJSON_AddStringToObject(body, "slug", slug);
	cJSON_AddTrueToObject(body, "enabled");
	cJSON_AddFalseToObject(body, "is_local_toolkit");
	part = cJSON_AddArrayToObject(body, "composio_managed_auth_schemes");
	if (!open)
		cJSON_AddItemToArray(part, cJSON_CreateString("OAUTH2"));
	part = cJSON_AddArrayToObject(body, "auth_config_details");
	one = cJSON_CreateObject();
	cJSON_AddStringToObject(one, "mode", open ? "NO_AUTH" : "OAUTH2");
	cJSON_AddStringToObject(one, "name", open ? "no auth" : "OAuth 2");
	cJSON_AddItemToObject(one, "fields",
	    cJSON_Parse("{\"auth_config_creation\":{\"required\":[],"
			"\"optional\":[]},\"connected_account_initiation\":"
			"{\"required\":[],\"optional\":[]}}"));
	cJSON_AddItemToArray(part, one);
	part = cJSON_AddObjectToObject(body, "meta");
	for (i = 0; (tool = catalogue_at(standin->catalogue, i)) != NULL; i++) {
		if (strcmp(tool->toolkit, slug) != 0)
			continue;
		if (count++ > 0)
			continue;
		cJSON_AddStringToObject(part, "version", tool->version);
		one = cJSON_AddArrayToObject(part, "available_versions");
		cJSON_AddItemToArray(one, cJSON_CreateString(tool->version));
	}
	cJSON_AddStringToObject(part, "description", name);
	cJSON_AddStringToObject(part, "logo", "");
	cJSON_AddNumberToObject(part, "tools_count", (double)count);
	cJSON_AddNumberToObject(part, "triggers_count", 0);
	cJSON_AddArrayToObject(part, "categories");
	cJSON_AddStringToObject(part, "created_at", "2026-01-01T00:00:00Z");
	cJSON_AddStringToObject(part, "updated_at", "2026-11-01T00:00:00Z");
	reply_json(reply, body);
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
		    in_list(ids, account->id) && page_takes(&page))
			cJSON_AddItemToArray(page.items,
			    account_json(account, false));
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
	const char *config = json_string(body, "auth_config_id");
	const char *user = json_string(body, "user_id");
	const char *toolkit;
	const struct account *account;
	char until[CLOCK_TEXT], *url;
	cJSON *json;

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
	account = accounts_link(standin->accounts, user, toolkit, config);
	clock_format(clock_wall() + LINK_LIFE, until);
	url = mem_print("%s/link/%s", standin->url, account->token);
	json = cJSON_CreateObject();
	cJSON_AddStringToObject(json, "link_token", account->token);
	cJSON_AddStringToObject(json, "redirect_url", url);
	cJSON_AddStringToObject(json, "expires_at", until);
	cJSON_AddStringToObject(json, "connected_account_id", account->id);
	free(url);
	reply->status = 201;
	reply_json(reply, json);
}

static cJSON *
config_json(const struct standin *standin, const char *toolkit)
{
	cJSON *json = cJSON_CreateObject(), *part;
	char *id = mem_print("ac_%s", toolkit);

	cJSON_AddStringToObject(json, "id", id);
	cJSON_AddStringToObject(json, "uuid", id);
	cJSON_AddStringToObject(json, "name", toolkit);
	cJSON_AddStringToObject(json, "type", "default");
	part = cJSON_AddObjectToObject(json, "toolkit");
	cJSON_AddStringToObject(part, "slug", toolkit);
	cJSON_AddStringToObject(part, "logo", "");
	cJSON_AddStringToObject(part, "name",
	    catalogue_toolkit(standin->catalogue, toolkit));
	cJSON_AddStringToObject(json, "auth_scheme", "OAUTH2");
	cJSON_AddStringToObject(json, "status", "ENABLED");
	cJSON_AddTrueToObject(json, "is_composio_managed");
	cJSON_AddItemToObject(json, "credentials", cJSON_CreateObject());
	cJSON_AddItemToObject(json, "tool_access_config", cJSON_CreateObject());
	cJSON_AddNumberToObject(json, "no_of_connections", 1);
	cJSON_AddStringToObject(json, "created_at", "2026-11-01T00:00:00Z");
	cJSON_AddStringToObject(json, "last_updated_at",
	    "2026-11-01T00:00:00Z");
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
	const char *slug = json_string(json_item(body, "toolkit"), "slug");
	cJSON *json, *part;

	if (slug == NULL ||
	    catalogue_toolkit(standin->catalogue, slug) == NULL) {
		composio_fault(request, reply, 400, 0, "AuthConfig_BadRequest",
		    "toolkit.slug is not a toolkit");
		return;
	}
	json = cJSON_CreateObject();
	part = cJSON_AddObjectToObject(json, "toolkit");
	cJSON_AddStringToObject(part, "slug", slug);
	cJSON_AddItemToObject(json, "auth_config", config_json(standin, slug));
	reply->status = 201;
	reply_json(reply, json);
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
