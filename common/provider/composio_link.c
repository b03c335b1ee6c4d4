/* SPDX-License-Identifier: ISC */
/*
 * A link is made by one POST with an existing auth config, or after another
 * POST that makes a Composio-managed one for the toolkit. Neither is repeated,
 * because each creates something at the service.
 */
#include "common/agent/journal.h"
#include "common/base/mem.h"
#include "common/json/json.h"
#include "common/provider/composio_internal.h"

struct link {
	struct composio_call call;
	struct query *query;
	char *user, *toolkit, *alias;
	void (*done)(void *context, cJSON *link, const struct fail *fail);
	void *context;
};

static void
link_free(struct composio_call *call)
{
	struct link *link = (struct link *)(void *)call;

	query_cancel(link->query);
	free(link->user);
	free(link->toolkit);
	free(link->alias);
	free(link);
}

static void
link_end(struct link *link, cJSON *made, const struct fail *fail)
{
	void (*done)(void *, cJSON *, const struct fail *) = link->done;
	void *context = link->context;

	link_free(&link->call);
	done(context, made, fail);
}

static void
on_link(void *context, cJSON *answer, int status, const struct fail *why)
{
	struct link *link = context;
	const char *url = json_string(answer, "redirect_url");
	const char *expires = json_string(answer, "expires_at");
	const char *account = json_string(answer, "connected_account_id");
	struct fail fail;
	cJSON *made = NULL;

	(void)status;
	link->query = NULL;
	if (url != NULL && account != NULL) {
		made = cJSON_CreateObject();
		cJSON_AddStringToObject(made, "url", url);
		cJSON_AddStringToObject(made, "expires_at",
		    expires ? expires : "");
		cJSON_AddStringToObject(made, "account", account);
	} else if (answer != NULL) {
		fail_set(&fail, FAIL_NOT_NOW, "upstream",
		    "Composio made no link for %s", link->toolkit);
		why = &fail;
	}
	cJSON_Delete(answer);
	link_end(link, made, why);
}

static int
ask_link(struct link *link, const char *auth_config, struct fail *fail)
{
	struct buf body = BUF_INIT(8192);

	buf_add_string(&body, "{");
	member_string(&body, "auth_config_id", auth_config);
	member_string(&body, "user_id", link->user);
	if (link->alias[0] != '\0')
		member_string(&body, "alias", link->alias);
	buf_add_string(&body, "}");
	return query_start(link->call.composio, "connected_accounts/link",
	    buf_detach(&body, NULL), on_link, link, &link->query, fail);
}

static void
on_auth_config(void *context, cJSON *answer, int status, const struct fail *why)
{
	struct link *link = context;
	const char *id = json_string(json_item(answer, "auth_config"), "id");
	struct fail fail;

	(void)status;
	link->query = NULL;
	if (answer != NULL && id == NULL)
		fail_set(&fail, FAIL_NOT_NOW, "upstream",
		    "Composio made no auth config for %s", link->toolkit);
	if (answer != NULL && (id == NULL || ask_link(link, id, &fail) < 0))
		why = &fail;
	cJSON_Delete(answer);
	if (why != NULL)
		link_end(link, NULL, why);
}

static int
ask_auth_config(struct link *link, struct fail *fail)
{
	struct buf body = BUF_INIT(8192);

	buf_add_string(&body, "{\"toolkit\":{");
	member_string(&body, "slug", link->toolkit);
	buf_add_string(&body,
	    "},\"auth_config\":"
	    "{\"type\":\"use_composio_managed_auth\"}}");
	return query_start(link->call.composio, "auth_configs",
	    buf_detach(&body, NULL), on_auth_config, link, &link->query, fail);
}

int
composio_link(void *state, const char *user,
    const struct preflight_link *wanted,
    void (*done)(void *context, cJSON *link, const struct fail *fail),
    void *context, struct tool_call **ret_call, struct fail *fail)
{
	struct link *link = mem_alloc(sizeof(*link));
	int result;

	composio_call_init(&link->call, state, link_free);
	link->user = mem_string(user);
	link->toolkit = mem_string(wanted->toolkit);
	link->alias = mem_string(wanted->alias);
	link->done = done;
	link->context = context;
	result = wanted->from[0] != '\0' ? ask_link(link, wanted->from, fail)
					 : ask_auth_config(link, fail);
	if (result < 0)
		link_free(&link->call);
	else
		*ret_call = &link->call.call;
	return result;
}
