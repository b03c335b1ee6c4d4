/* SPDX-License-Identifier: ISC */
/*
 * claude_api: the Messages API: POST /v1/messages and .../count_tokens, GET
 * /v1/models and .../{id}.
 */
#include <stdatomic.h>

#include "cmd/standin/build.h"
#include "cmd/standin/claude/claude.h"
#include "cmd/standin/script/script.h"
#include "cmd/standin/standin.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/json/json.h"
#include "common/json/log.h"

#define TURN_TOKENS 4 /* around each message */

static const char *const beta_names[] = { "admin-user-sign-out-2026-10-08",
	"advanced-tool-use-2025-11-20", "advisor-tool-2026-03-01",
	"agent-memory-2026-07-22", "analytics-usage-cost-2026-08-24",
	"cache-diagnosis-2026-04-07",
	"ce-claude-code-managed-settings-2026-10-06", "ce-plugins-2026-09-01",
	"ce-user-management-2026-07-13", "code-execution-2025-05-22",
	"compact-2026-01-12", "compact-2026-09-04", "computer-use-2024-10-22",
	"computer-use-2025-01-24", "computer-use-2025-11-24",
	"context-1m-2025-08-07", "context-management-2025-06-27",
	"dev-full-thinking-2025-05-14", "dreaming-2026-04-21", "efs-2026-10-01",
	"experimental-claude-tag-2026-10-21", "extended-cache-ttl-2025-04-11",
	"fallback-credit-2026-06-01", "fallback-credit-2026-07-01",
	"fast-mode-2026-02-01", "files-api-2025-04-14",
	"fine-grained-tool-streaming-2025-05-14",
	"google-managed-data-controls-2026-09-01", "inline-tools-2026-09-15",
	"interleaved-thinking-2025-05-14", "managed-agents-2026-04-01",
	"mcp-client-2025-04-04", "mcp-client-2025-11-20",
	"mcp-client-2026-09-15", "mcp-tunnels-2026-06-22",
	"message-batches-2024-09-24", "message-threads-2026-08-12",
	"mid-conversation-output-config-2026-07-01",
	"mid-conversation-system-clear-at-2026-08-21",
	"mid-conversation-tool-changes-2026-07-01",
	"model-context-window-exceeded-2025-08-26", "output-128k-2025-02-19",
	"output-300k-2026-03-24", "pdfs-2024-09-25",
	"prompt-caching-2024-07-31", "server-side-fallback-2026-06-01",
	"server-side-fallback-2026-07-01", "skills-2025-10-02",
	"spend-limit-reads-2026-09-26", "structured-outputs-2025-11-13",
	"task-budgets-2026-03-13", "telemetry-destinations-2026-08-11",
	"thinking-binding-controls-2026-08-01",
	"thinking-display-updates-2026-08-18",
	"thinking-token-count-2026-05-13", "token-counting-2024-11-01",
	"token-efficient-tools-2025-02-19", "user-profiles-2026-03-24",
	"user-profiles-2026-08-18", "user-profiles-2026-09-04",
	"user-profiles-billing-2026-10-01", "webhooks-2026-10-07", NULL };

static const char *
error_type(int status)
{
	static const struct {
		int status;
		const char *type;
	} types[] = {
		{ 400, "invalid_request_error" },
		{ 401, "authentication_error" },
		{ 402, "billing_error" },
		{ 403, "permission_error" },
		{ 404, "not_found_error" },
		{ 409, "conflict_error" },
		{ 413, "request_too_large" },
		{ 429, "rate_limit_error" },
		{ 504, "timeout_error" },
		{ 529, "overloaded_error" },
	};
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i].status == status)
			return types[i].type;
	return status < 500 ? "invalid_request_error" : "api_error";
}

static void
put_error(struct request *request, struct reply *reply,
    const struct claude_error *error)
{
	cJSON *body = build("{'type':'error','error':{'type':%s,'message':%s},"
			    "'request_id':%s}",
	    error->type, error->message, request->id);

	if (error->code != NULL)
		cJSON_AddItemToObject(json_item(body, "error"), "details",
		    build("{'error_code':%s}", error->code));
	reply->status = error->status;
	reply_json(reply, body);
}

void
claude_fault(struct request *request, struct reply *reply, int status,
    const char *type, const char *code, const char *message)
{
	struct claude_error error = { .status = status, .code = code };

	error.type = type != NULL ? type : error_type(status);
	snprintf(error.message, sizeof(error.message), "%s", message);
	put_error(request, reply, &error);
}

static void
put_headers(struct request *request, struct reply *reply)
{
	static const char *const names[] = { "requests", "tokens",
		"input-tokens", "output-tokens" };
	static const char *const limits[] = { "4000", "4800000", "4000000",
		"800000" };
	char name[80], now[CLOCK_TEXT];
	size_t i;

	clock_format(clock_wall(), now);
	reply_header(reply, "request-id", request->id);
	reply_header(reply, "anthropic-organization-id",
	    "00000000-0000-4000-8000-000000000000");
	for (i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "anthropic-ratelimit-%s-limit",
		    names[i]);
		reply_header(reply, name, limits[i]);
		snprintf(name, sizeof(name), "anthropic-ratelimit-%s-remaining",
		    names[i]);
		reply_header(reply, name, limits[i]);
		snprintf(name, sizeof(name), "anthropic-ratelimit-%s-reset",
		    names[i]);
		reply_header(reply, name, now);
	}
}

static int
check_key(const struct standin *standin, struct request *request,
    struct claude_error *error)
{
	const char *key = request_header(request, "x-api-key");
	const char *bearer = request_header(request, "authorization");
	const char *why = NULL;

	if (key == NULL && bearer == NULL)
		why = "x-api-key or authorization header is required";
	else if (key != NULL && bearer != NULL)
		why = "x-api-key and authorization headers exclude each other";
	else if (bearer != NULL &&
	    (strncasecmp(bearer, "bearer ", 7) != 0 ||
		!standin_knows_key(standin, "anthropic", bearer + 7)))
		why = "invalid bearer token";
	else if (key != NULL && !standin_knows_key(standin, "anthropic", key))
		why = "invalid x-api-key";
	if (why == NULL)
		return 0;
	error->status = 401;
	error->type = "authentication_error";
	snprintf(error->message, sizeof(error->message), "%s", why);
	return -1;
}

static int
check_version(struct request *request, struct claude_rules *rules,
    struct claude_error *error)
{
	const char *version = request_header(request, "anthropic-version");

	if (version == NULL)
		return claude_refuse(error,
		    "anthropic-version: header is required");
	if (strcmp(version, "2026-10-21") == 0)
		rules->strict = true;
	else if (strcmp(version, "2023-06-01") != 0)
		return claude_refuse(error,
		    "anthropic-version: \"%.60s\" is not a valid version",
		    version);
	return 0;
}

static int
check_beta(const struct standin *standin, struct request *request,
    struct claude_rules *rules, struct claude_error *error)
{
	const char *beta = request_header(request, "anthropic-beta");
	const cJSON *extra = json_item(standin->script, "beta"), *entry;
	char name[80];
	size_t size, i;
	bool known;

	rules->beta = beta;
	for (; beta != NULL && *beta != '\0'; beta += size) {
		beta += strspn(beta, ", ");
		size = strcspn(beta, ", ");
		snprintf(name, sizeof(name), "%.*s", (int)size, beta);
		known = size == 0;
		if (strncmp(name, "compact-", 8) == 0 &&
		    cJSON_IsFalse(json_item(standin->script, "compaction")))
			return claude_refuse(error,
			    "Unexpected value(s) `%s` "
			    "for the `anthropic-beta` header.",
			    name);
		for (i = 0; beta_names[i] != NULL && !known; i++)
			known = strcmp(beta_names[i], name) == 0;
		cJSON_ArrayForEach (entry, extra)
			known = known ||
			    (cJSON_IsString(entry) &&
				strcmp(entry->valuestring, name) == 0);
		if (!known)
			return claude_refuse(error,
			    "Unexpected value(s) `%s` "
			    "for the `anthropic-beta` header.",
			    name);
		if (strcmp(name, "thinking-binding-controls-2026-08-01") == 0)
			rules->drop_block = true;
		if (strcmp(name, "compact-2026-09-04") == 0)
			rules->compact = true;
	}
	return 0;
}

static bool
thinks(const cJSON *request, const struct claude_model *model)
{
	const char *type = json_string(json_item(request, "thinking"), "type");

	if (type == NULL)
		return model->thinks;
	return strcmp(type, "adaptive") == 0 || strcmp(type, "enabled") == 0;
}

static cJSON *
thinking_block(const cJSON *request, const struct claude_model *model,
    const struct prefix *prefix, const char *text)
{
	const char *display = json_string(json_item(request, "thinking"),
	    "display");
	char *signature;
	cJSON *block;

	if (display == NULL ? model->omits : strcmp(display, "omitted") == 0)
		text = "";
	signature = prefix_sign(prefix, text);
	block = build("{'type':'thinking','thinking':%s,'signature':%s}", text,
	    signature);
	free(signature);
	return block;
}

/* Gives the calls their ids, and puts the thinking in front. */
static void
finish_content(const cJSON *request, const struct claude_model *model,
    const struct prefix *prefix, struct model_reply *answer)
{
	cJSON *block, *input;
	char id[PREFIX_CALL_ID], served_id[PREFIX_CALL_ID + 3];
	size_t index = 0;
	const char *type;
	bool served = false;

	cJSON_ArrayForEach (block, answer->content) {
		type = json_string(block, "type");
		if (type == NULL)
			cJSON_AddStringToObject(block, "type", "unknown");
		else if (strcmp(type, "server_tool_use") == 0)
			served = true;
		else if (strcmp(type, "tool_use") == 0 &&
		    json_item(block, "id") == NULL) {
			prefix_call_id(prefix, index++, id);
			cJSON_AddStringToObject(block, "id", id);
			/* The API's order of members. */
			input = cJSON_DetachItemFromObjectCaseSensitive(block,
			    "name");
			cJSON_AddItemToObject(block, "name", input);
			input = cJSON_DetachItemFromObjectCaseSensitive(block,
			    "input");
			cJSON_AddItemToObject(block, "input", input);
		}
	}
	/* A turn that is paused has a call of the server's under way. */
	if (strcmp(answer->stop, "pause_turn") == 0 && !served) {
		prefix_call_id(prefix, index, id);
		snprintf(served_id, sizeof(served_id), "srv%s", id);
		cJSON_AddItemToArray(answer->content,
		    build("{'type':'server_tool_use','id':%s,'name':"
			  "'web_search','input':{'query':'more'}}",
			served_id));
	}
	if (answer->thinking != NULL && thinks(request, model))
		cJSON_InsertItemInArray(answer->content, 0,
		    thinking_block(request, model, prefix, answer->thinking));
}

static int64_t
content_tokens(const cJSON *content, int64_t *ret_thinking)
{
	const cJSON *block;
	const char *text;
	int64_t tokens = 0, size;
	char *json;

	*ret_thinking = 0;
	cJSON_ArrayForEach (block, content) {
		text = json_string(block, "text");
		if (text == NULL)
			text = json_string(block, "thinking");
		if (text != NULL) {
			size = prefix_tokens((int64_t)strlen(text));
			if (json_item(block, "thinking") != NULL)
				*ret_thinking += size;
		} else {
			json = json_text(block);
			size = prefix_tokens((int64_t)strlen(json));
			free(json);
		}
		tokens += size + 1;
	}
	return tokens > 0 ? tokens : 1;
}

static cJSON *
usage_json(const struct prefix *prefix, const struct prompt_tokens *tokens,
    const struct model_reply *answer)
{
	int64_t output, thinking, written = tokens->written;
	const cJSON *entry;
	cJSON *usage;

	output = content_tokens(answer->content, &thinking);
	usage = build("{'input_tokens':%n,'cache_creation_input_tokens':%n,"
		      "'cache_read_input_tokens':%n,'cache_creation':{"
		      "'ephemeral_5m_input_tokens':%n,"
		      "'ephemeral_1h_input_tokens':%n},'output_tokens':%n,"
		      "'output_tokens_details':{'thinking_tokens':%n},"
		      "'server_tool_use':null,'service_tier':'standard',"
		      "'inference_geo':null}",
	    tokens->input + TURN_TOKENS * (int64_t)(prefix->count - 1), written,
	    tokens->read, prefix->hour ? (int64_t)0 : written,
	    prefix->hour ? written : (int64_t)0, output, thinking);
	cJSON_ArrayForEach (entry, answer->usage) {
		cJSON_DeleteItemFromObjectCaseSensitive(usage, entry->string);
		cJSON_AddItemToObject(usage, entry->string,
		    cJSON_Duplicate(entry, true));
	}
	return usage;
}

/* What a compaction costs is billed in an iteration of its own. */
static cJSON *
compaction_usage(cJSON *usage)
{
	cJSON *one = cJSON_Duplicate(usage, true), *number;
	static const char *const names[] = { "input_tokens", "output_tokens",
		"cache_creation_input_tokens", "cache_read_input_tokens" };
	size_t i;

	cJSON_AddStringToObject(one, "type", "compaction");
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		number = json_item(usage, names[i]);
		cJSON_SetNumberValue(number, 0);
	}
	cJSON_DeleteItemFromObjectCaseSensitive(usage, "cache_creation");
	cJSON_AddItemToArray(cJSON_AddArrayToObject(usage, "iterations"), one);
	return usage;
}

static cJSON *
message_json(const struct request *request, const struct claude_model *model,
    struct model_reply *answer, cJSON *usage)
{
	static atomic_ullong messages;
	cJSON *content = answer->content;
	char id[40];

	/* Every attempt is a message of its own. */
	snprintf(id, sizeof(id), "msg_%s%04llx", request->id + 4,
	    ++messages & 0xffff);
	answer->content = NULL;
	return build("{'id':%s,'type':'message','role':'assistant','model':%s,"
		     "'content':%j,'stop_reason':%s,'stop_sequence':null,"
		     "'stop_details':%j,'container':null,'usage':%j}",
	    id, model->id, content,
	    strcmp(answer->stop, "null") == 0 ? NULL : answer->stop,
	    cJSON_Duplicate(answer->details, true), usage);
}

static void
answer_turn(struct standin *standin, struct request *request, const cJSON *body,
    const struct claude_model *model, const struct prefix *prefix,
    struct reply *reply)
{
	struct prompt_tokens tokens;
	struct model_reply answer = { .stop = "max_tokens",
		.delay_ms = -1,
		.drip_ms = -1,
		.rule = "pre-warm" };
	int64_t most, before;
	cJSON *message, *usage;

	prompt_cache_use(standin->cache, prefix, model->cache_least, &tokens);
	if (json_integer(body, "max_tokens", &most) && most == 0)
		answer.content = cJSON_CreateArray();
	else if (json_item(body, "compaction") != NULL)
		model_compact(body, &answer);
	else
		model_answer(standin->model, body, &answer);
	finish_content(body, model, prefix, &answer);
	usage = usage_json(prefix, &tokens, &answer);
	if (strcmp(answer.stop, "compaction") == 0)
		usage = compaction_usage(usage);
	message = message_json(request, model, &answer, usage);
	if (json_true(body, "stream"))
		claude_stream(reply, message);
	else
		reply_json(reply, cJSON_Duplicate(message, true));
	cJSON_Delete(message);
	script_latency(standin->script, NULL, &before, &reply->delay_ms);
	if (answer.delay_ms >= 0)
		reply->delay_ms = answer.delay_ms;
	reply->drip_ms = answer.drip_ms >= 0 ? answer.drip_ms
					     : standin->drip_ms;
	log_line("debug", "claude.turn", "request", request->id, "rule",
	    answer.rule, "stop", answer.stop, NULL);
	model_reply_release(&answer);
}

static void
answer_messages(struct standin *standin, struct request *request,
    struct claude_rules *rules, struct reply *reply)
{
	const struct claude_model *model;
	struct prefix prefix = { .entries = NULL };
	struct claude_error error;
	struct fail fail;
	int64_t tokens, counted;
	cJSON *body;

	body = json_parse(request->body.data ? request->body.data : "",
	    request->body.length, &json_limits_upstream, &fail);
	if (body == NULL) {
		claude_refuse(&error,
		    "The request body is not valid JSON: %.600s", fail.message);
		put_error(request, reply, &error);
		return;
	}
	if (claude_check_request(body, rules, &model, &error) < 0 ||
	    claude_check_compaction(body, rules, &error) < 0 ||
	    claude_check_messages(body, rules, model, &error) < 0)
		goto refused;
	prefix_read(body, &prefix);
	tokens = prefix_tokens(prefix.entries[prefix.count - 1].bytes);
	if (tokens > model->context) {
		claude_refuse(&error,
		    "prompt is too long: %lld tokens > %lld maximum",
		    (long long)tokens, (long long)model->context);
		goto refused;
	}
	if (claude_check_thinking(body, rules, model, &prefix, &error) < 0)
		goto refused;
	counted = tokens + TURN_TOKENS * (int64_t)(prefix.count - 1);
	if (rules->counting)
		buf_print(&reply->body, "{\"input_tokens\":%lld}",
		    (long long)counted);
	else
		answer_turn(standin, request, body, model, &prefix, reply);
	goto out;
refused:
	put_error(request, reply, &error);
	log_line("info", "claude.refused", "request", request->id, "type",
	    error.type, "message", error.message, NULL);
out:
	prefix_release(&prefix);
	cJSON_Delete(body);
}

static void
answer_models(struct reply *reply)
{
	cJSON *data = cJSON_CreateArray();
	const struct claude_model *model;
	const char *last = "";
	size_t i;

	for (i = 0; (model = claude_model_at(i)) != NULL; i++) {
		cJSON_AddItemToArray(data, claude_model_json(model));
		last = model->id;
	}
	reply_json(reply,
	    build("{'data':%j,'has_more':false,'first_id':%s,'last_id':%s}",
		data, claude_model_at(0)->id, last));
}

static void
answer_model(struct request *request, const char *id, struct reply *reply)
{
	const struct claude_model *model = claude_model(id);
	char text[200];

	if (model != NULL) {
		reply_json(reply, claude_model_json(model));
		return;
	}
	snprintf(text, sizeof(text), "model: %.100s", id);
	claude_fault(request, reply, 404, NULL, NULL, text);
}

void
claude_answer(struct standin *standin, struct request *request,
    const char *path, struct reply *reply)
{
	struct claude_rules rules = { .strict = false };
	struct claude_error error = { .status = 0 };
	bool post = strcmp(request->method, "POST") == 0;
	bool get = strcmp(request->method, "GET") == 0;

	put_headers(request, reply);
	if (request->too_large) {
		claude_fault(request, reply, 413, NULL, NULL,
		    "Request exceeds the maximum size");
		return;
	}
	if (check_key(standin, request, &error) < 0 ||
	    check_version(request, &rules, &error) < 0 ||
	    check_beta(standin, request, &rules, &error) < 0) {
		put_error(request, reply, &error);
		return;
	}
	rules.counting = strcmp(path, "messages/count_tokens") == 0;
	if (post && (rules.counting || strcmp(path, "messages") == 0))
		answer_messages(standin, request, &rules, reply);
	else if (get && strcmp(path, "models") == 0)
		answer_models(reply);
	else if (get && strncmp(path, "models/", 7) == 0)
		answer_model(request, path + 7, reply);
	else if (strcmp(path, "messages") == 0)
		claude_fault(request, reply, 405, NULL, NULL,
		    "Method Not Allowed");
	else
		claude_fault(request, reply, 404, NULL, NULL, "Not Found");
}
