/* SPDX-License-Identifier: ISC */
/*
 * composio_execute: POST /tools/execute/{slug}. It checks whether the call may
 * be made (if not: an HTTP error, nothing is executed), then runs the tool,
 * whose failures are HTTP 200 with successful false.
 */
#include <stdarg.h>

#include "cmd/standin/build.h"
#include "cmd/standin/script/script.h"
#include "cmd/standin/script/template.h"
#include "cmd/standin/standin.h"
#include "common/base/mem.h"
#include "common/json/json.h"
#include "common/json/log.h"

const char *
composio_tool(const char *path)
{
	if (strncmp(path, "tools/execute/", 14) != 0 || path[14] == '\0')
		return NULL;
	return path + 14;
}

/* A tool of the script's: its result is a template. */
static cJSON *
run_scripted(const struct tool *tool, const char *user, const cJSON *arguments,
    char error[300])
{
	struct scope scope = { .arguments = arguments };
	cJSON *data = NULL;
	char *text;

	scope.root = build("{'user':%s,'tool':%s}", user, tool->slug);
	if (cJSON_IsString(tool->error)) {
		text = template_string(&scope, tool->error->valuestring);
		snprintf(error, 300, "%s", text);
		free(text);
	} else if (tool->result == NULL) {
		data = cJSON_CreateObject();
	} else {
		data = template_value(&scope, tool->result);
		if (!cJSON_IsObject(data))
			data = build("{'result':%j}", data);
	}
	scope_release(&scope);
	cJSON_Delete(scope.root);
	return data;
}

cJSON *
tool_refuse(struct tool_call *call, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(call->error, sizeof(call->error), format, arguments);
	va_end(arguments);
	return NULL;
}

static cJSON *
run(const struct tool *tool, struct tool_call *call)
{
	if (!catalogue_check(tool, call->arguments, call->error))
		return NULL;
	if (tool->run != NULL && tool->result == NULL && tool->error == NULL)
		return tool->run(call);
	return run_scripted(tool, call->user, call->arguments, call->error);
}

/* The account that the call uses. False when it may not be made, and the
 * reply says why. */
static bool
find_account(struct standin *standin, struct request *request,
    const struct tool *tool, const cJSON *body, struct account **ret_account,
    struct reply *reply)
{
	const char *user = json_string(body, "user_id");
	const char *id = json_string(body, "connected_account_id");
	struct account *account;

	if (user == NULL)
		user = json_string(body, "entity_id");
	if (id != NULL && user == NULL)
		return composio_fault(request, reply, 400, 0, "",
		    "User ID is required with connected account");
	*ret_account = NULL;
	if (id == NULL && tool->no_auth)
		return true;
	account = id != NULL ? accounts_find(standin->accounts, id)
	    : user != NULL
	    ? accounts_active(standin->accounts, user, tool->toolkit)
	    : NULL;
	if (account == NULL || strcmp(account->toolkit, tool->toolkit) != 0)
		return composio_fault(request, reply, 400, 1810,
		    "ActionExecute_ConnectedAccountNotFound",
		    "No connected account found for "
		    "user ID %.80s for toolkit %.60s",
		    user ? user : "default", tool->toolkit);
	if (!account_of(account, user))
		return composio_fault(request, reply, 400, 1812,
		    "ActionExecute_ConnectedAccountEntityIdMismatch",
		    "The connected account %.80s does "
		    "not belong to the user ID %.80s",
		    id, user);
	if (strcmp(account->status, "ACTIVE") != 0 || account->disabled)
		return composio_fault(request, reply, 422, 1820,
		    "ActionExecute_ConnectedAccountInvalidState",
		    "Connected account %.80s is in %.40s state%s%.100s",
		    account->id,
		    account->disabled ? "DISABLED" : account->status,
		    account->reason ? ": " : "",
		    account->reason ? account->reason : "");
	*ret_account = account;
	return true;
}

static void
put_result(const char *log, cJSON *data, const char *error, struct reply *reply)
{
	reply_json(reply,
	    build("{'successful':%b,'data':%j,'error':%s,'log_id':%s,"
		  "'session_info':null}",
		data != NULL, data != NULL ? data : cJSON_CreateObject(),
		data != NULL ? NULL : error, log));
}

static void
execute(struct standin *standin, struct request *request,
    const struct tool *tool, const cJSON *body, struct reply *reply)
{
	const char *user = json_string(body, "user_id");
	const cJSON *arguments = json_item(body, "arguments");
	cJSON *none = cJSON_CreateObject(), *data;
	struct account *account;
	struct fail fail;
	struct tool_call call = { .standin = standin };
	struct log_entry entry = { .tool = tool };
	char log[48];

	if (user == NULL)
		user = json_string(body, "entity_id");
	if (user == NULL)
		user = "default";
	if (arguments == NULL)
		arguments = none;
	call.user = user;
	call.arguments = arguments;
	pthread_mutex_lock(&standin->lock);
	if (!find_account(standin, request, tool, body, &account, reply)) {
		pthread_mutex_unlock(&standin->lock);
		cJSON_Delete(none);
		log_line("info", "composio.refused", "request", request->id,
		    "tool", tool->slug, NULL);
		return;
	}
	data = run(tool, &call);
	if (account != NULL)
		account_called(account);
	if (data != NULL &&
	    ledger_add(standin->ledger, tool->slug, user,
		account ? account->id : NULL, arguments, tool->read_only,
		&fail) < 0)
		log_line("error", "ledger", "message", fail.message, NULL);
	if (data != NULL && !tool->read_only)
		standin_save(standin);
	snprintf(log, sizeof(log), "log_%s", request->id + 4);
	entry.id = log;
	entry.user = user;
	entry.error = data == NULL ? call.error : NULL;
	entry.account = account;
	entry.arguments = arguments;
	entry.data = data;
	composio_log_add(standin, request, &entry);
	pthread_mutex_unlock(&standin->lock);
	put_result(log, data, call.error, reply);
	cJSON_Delete(none);
	log_line("debug", "composio.executed", "request", request->id, "tool",
	    tool->slug, "error", *call.error != '\0' ? call.error : NULL, NULL);
}

void
composio_execute(struct standin *standin, struct request *request,
    const char *slug, const cJSON *body, struct reply *reply)
{
	const struct tool *tool = catalogue_find(standin->catalogue, slug);
	const char *version = json_string(body, "version");
	static const char *const names[] = { "allow_tracing", "arguments",
		"custom_auth_params", "custom_connection_data", NULL };
	static const char *const texts[] = { "connected_account_id",
		"entity_id", "text", "user_id", "version",
		"x-llm-gateway-headers", NULL };
	const cJSON *arguments = json_item(body, "arguments");
	int64_t before;

	if (!composio_members(request, body, names, texts, reply))
		return;

	if (tool == NULL ||
	    (version != NULL && *version != '\0' &&
		strcmp(version, "latest") != 0 &&
		strcmp(version, tool->version) != 0)) {
		composio_fault(request, reply, 404, 2401, "Tool_ToolNotFound",
		    "Tool %.100s not found%s%.40s", slug,
		    tool != NULL ? " in version " : "",
		    tool != NULL ? version : "");
		return;
	}
	if (tool->deprecated) {
		composio_fault(request, reply, 410, 2410, "Tool_ToolDeprecated",
		    "The tool is no longer available");
		return;
	}
	if (arguments != NULL && !cJSON_IsObject(arguments)) {
		composio_fault(request, reply, 400, 0, "",
		    "arguments must be an object");
		return;
	}
	if (json_item(body, "text") != NULL) {
		composio_fault(request, reply, 400, 0, "",
		    arguments != NULL
			? "arguments and text are mutually exclusive"
			: "text is not taken by this stand-in");
		return;
	}
	script_latency(standin->script, tool->slug, &before, &reply->delay_ms);
	execute(standin, request, tool, body, reply);
}
