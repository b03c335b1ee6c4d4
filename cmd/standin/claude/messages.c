/* SPDX-License-Identifier: ISC */
/*
 * claude_messages: checks the messages of a request in one pass, which collects
 * the tool calls that wait for their results; the first block that is not a
 * result while some wait is an error, as in the API.
 */
#include <glib.h>

#include "cmd/standin/claude/claude.h"
#include "common/json/json.h"

#define MESSAGES_MOST 100000

struct pass {
	const struct claude_rules *rules;
	const struct claude_model *model;
	bool has_tools;
	struct claude_error *error;
	GHashTable *ids;     /* every tool_use id so far */
	GHashTable *waiting; /* of the newest assistant turn: id -> answered */
	size_t waits;        /* how many are not answered */
	size_t turn;         /* the message with the newest assistant turn */
	bool results_over;   /* this user message has had another block */
	const char *role;    /* of the message before */
	bool paused;         /* the newest block is a call of the server's */
	size_t message;
	char where[60]; /* "messages.1", "messages.1.content.0" */
};

/* The calls without an answer, in the API's words. */
static int
refuse_missing(struct pass *pass)
{
	GHashTableIter iter;
	gpointer id, answered;
	GString *names = g_string_new(NULL);

	g_hash_table_iter_init(&iter, pass->waiting);
	while (g_hash_table_iter_next(&iter, &id, &answered))
		if (answered == NULL && names->len < 400)
			g_string_append_printf(names, "%s%s",
			    names->len > 0 ? ", " : "", (const char *)id);
	claude_refuse(pass->error,
	    "messages.%zu: `tool_use` ids were found without `tool_result` "
	    "blocks immediately after: %s. Each `tool_use` block must have a "
	    "corresponding `tool_result` block in the next message.",
	    pass->turn, names->str);
	g_string_free(names, TRUE);
	return -1;
}

static int
check_tool_use(const cJSON *block, struct pass *pass)
{
	const char *id = json_string(block, "id");

	if (id == NULL || json_string(block, "name") == NULL)
		return claude_refuse(pass->error,
		    "%s.tool_use.%s: Field required", pass->where,
		    id == NULL ? "id" : "name");
	if (*id == '\0' ||
	    id[strspn(id,
		"abcdefghijklmnopqrstuvwxyz"
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")] != '\0')
		return claude_refuse(pass->error,
		    "%s.tool_use.id: String should match "
		    "pattern '^[a-zA-Z0-9_-]+$'",
		    pass->where);
	if (!cJSON_IsObject(json_item(block, "input")))
		return claude_refuse(pass->error, "%s.tool_use.input: %s",
		    pass->where,
		    json_item(block, "input") == NULL
			? "Field required"
			: "Input should be a valid dictionary");
	if (!pass->has_tools)
		return claude_refuse(pass->error,
		    "Requests which include "
		    "`tool_use` or `tool_result` blocks must define tools.");
	if (!g_hash_table_add(pass->ids, (char *)(uintptr_t)id))
		return claude_refuse(pass->error,
		    "%s: `tool_use` ids must be unique", pass->where);
	g_hash_table_insert(pass->waiting, (char *)(uintptr_t)id, NULL);
	pass->waits++;
	return 0;
}

static int
check_tool_result(const cJSON *block, struct pass *pass)
{
	const char *id = json_string(block, "tool_use_id");
	const cJSON *content = json_item(block, "content");
	gpointer answered;

	if (id == NULL)
		return claude_refuse(pass->error,
		    "%s.tool_result.tool_use_id: Field required", pass->where);
	if (content != NULL && !cJSON_IsString(content) &&
	    !cJSON_IsArray(content))
		return claude_refuse(pass->error,
		    "%s.tool_result.content: Input "
		    "should be a valid string or list",
		    pass->where);
	if (json_item(block, "is_error") != NULL &&
	    !cJSON_IsBool(json_item(block, "is_error")))
		return claude_refuse(pass->error,
		    "%s.tool_result.is_error: Input should be a valid boolean",
		    pass->where);
	if (!g_hash_table_lookup_extended(pass->waiting, id, NULL, &answered))
		return claude_refuse(pass->error,
		    "%s: unexpected `tool_use_id` found in `tool_result` "
		    "blocks: %.100s. Each `tool_result` block must have a "
		    "corresponding `tool_use` block in the previous message.",
		    pass->where, id);
	if (answered != NULL)
		return claude_refuse(pass->error,
		    "%s: each tool_use must have a single result. Found "
		    "multiple `tool_result` blocks with id: %.100s",
		    pass->where, id);
	if (pass->results_over)
		return claude_refuse(pass->error,
		    "%s: `tool_result` blocks must come first in the content",
		    pass->where);
	g_hash_table_insert(pass->waiting, (char *)(uintptr_t)id,
	    GINT_TO_POINTER(1));
	pass->waits--;
	return 0;
}

static int
check_text(const cJSON *block, bool user, struct pass *pass)
{
	const char *text = json_string(block, "text");
	const cJSON *citations = json_item(block, "citations");

	if (text == NULL)
		return claude_refuse(pass->error,
		    "%s.text.text: Field required", pass->where);
	if (*text == '\0')
		return claude_refuse(pass->error,
		    "messages: text content blocks must be non-empty");
	if (text[strspn(text, " \t\r\n")] == '\0')
		return claude_refuse(pass->error,
		    "messages: text content "
		    "blocks must contain non-whitespace text");
	if (user && pass->rules->strict && cJSON_GetArraySize(citations) > 0)
		return claude_refuse(pass->error,
		    "%s.text.citations: citations are "
		    "not permitted in user messages",
		    pass->where);
	return 0;
}

static int
check_user_block(const cJSON *block, const char *type, struct pass *pass)
{
	static const char *const known[] = { "container_upload", "document",
		"image", "search_result", NULL };
	size_t i;

	if (strcmp(type, "tool_result") == 0)
		return check_tool_result(block, pass);
	if (pass->waits > 0)
		return refuse_missing(pass);
	pass->results_over = true;
	if (strcmp(type, "text") == 0)
		return check_text(block, true, pass);
	for (i = 0; known[i] != NULL; i++)
		if (strcmp(known[i], type) == 0)
			return 0;
	return claude_refuse(pass->error,
	    "%s: Input tag '%.60s' found using 'type' "
	    "does not match any of the expected tags",
	    pass->where, type);
}

static int
check_assistant_block(const cJSON *block, const char *type, struct pass *pass)
{
	if (strcmp(type, "tool_use") == 0)
		return check_tool_use(block, pass);
	if (strcmp(type, "text") == 0)
		return check_text(block, false, pass);
	if (strcmp(type, "compaction") == 0 && pass->rules->compact)
		return 0;
	if (strcmp(type, "compaction") == 0)
		return claude_refuse(pass->error,
		    "%s: Input tag 'compaction' found using 'type' "
		    "does not match any of the expected tags",
		    pass->where);
	if (strcmp(type, "thinking") == 0 &&
	    (json_string(block, "thinking") == NULL ||
		json_string(block, "signature") == NULL))
		return claude_refuse(pass->error,
		    "%s.thinking.%s: Field required", pass->where,
		    json_string(block, "thinking") == NULL ? "thinking"
							   : "signature");
	if (strcmp(type, "redacted_thinking") == 0 &&
	    json_string(block, "data") == NULL)
		return claude_refuse(pass->error,
		    "%s.redacted_thinking.data: Field required", pass->where);
	if (strcmp(type, "tool_result") == 0 ||
	    (strcmp(type, "document") == 0 && pass->rules->strict))
		return claude_refuse(pass->error,
		    "%s: `%s` blocks are not permitted in assistant messages",
		    pass->where, type);
	return 0;
}

static int
check_blocks(const cJSON *content, bool user, struct pass *pass)
{
	const cJSON *block;
	const char *type;
	size_t index = 0;

	cJSON_ArrayForEach (block, content) {
		snprintf(pass->where, sizeof(pass->where),
		    "messages.%zu.content.%zu", pass->message, index++);
		type = json_string(block, "type");
		if (type == NULL)
			return claude_refuse(pass->error,
			    "%s.type: Field required", pass->where);
		pass->paused = strcmp(type, "server_tool_use") == 0 ||
		    strcmp(type, "compaction") == 0;
		if (claude_check_marker(block, pass->where, pass->error) < 0 ||
		    (user ? check_user_block(block, type, pass)
			  : check_assistant_block(block, type, pass)) < 0)
			return -1;
	}
	return 0;
}

/* A message of role system: never first, never between calls and results. */
static int
check_system_message(struct pass *pass)
{
	if (!pass->model->adaptive || strcmp(pass->role, "user") != 0)
		return claude_refuse(pass->error,
		    "%s: a system message must directly follow a "
		    "user message, on a model that supports it",
		    pass->where);
	return 0;
}

static bool
is_compaction(const cJSON *message)
{
	const char *type = json_string(json_item(message, "content")
		? json_item(message, "content")->child
		: NULL,
	    "type");

	return type != NULL && strcmp(type, "compaction") == 0;
}

static int
check_role(const char *role, const cJSON *message, struct pass *pass)
{
	bool same = strcmp(role, pass->role) == 0;

	if (strcmp(role, "user") == 0) {
		if (!same)
			pass->results_over = false;
		return 0;
	}
	if (pass->waits > 0 && !(same && strcmp(role, "assistant") == 0))
		return refuse_missing(pass);
	if (strcmp(role, "system") == 0)
		return check_system_message(pass);
	if (strcmp(role, "assistant") != 0)
		return claude_refuse(pass->error,
		    "%s.role: Input should be 'user', 'assistant' or 'system'",
		    pass->where);
	if (*pass->role == '\0' && !is_compaction(message))
		return claude_refuse(pass->error,
		    "messages: first message must use the \"user\" role");
	if (!same) {
		g_hash_table_remove_all(pass->waiting);
		pass->turn = pass->message;
	}
	return 0;
}

static int
check_message(const cJSON *message, bool last, struct pass *pass)
{
	const char *role = json_string(message, "role");
	const cJSON *content = json_item(message, "content"), *entry;
	bool user;

	snprintf(pass->where, sizeof(pass->where), "messages.%zu",
	    pass->message);
	cJSON_ArrayForEach (entry, message)
		if (strcmp(entry->string, "role") != 0 &&
		    strcmp(entry->string, "content") != 0)
			return claude_refuse(pass->error,
			    "%s.%s: Extra inputs are not permitted",
			    pass->where, entry->string);
	if (role == NULL)
		return claude_refuse(pass->error, "%s.role: Field required",
		    pass->where);
	if (check_role(role, message, pass) < 0)
		return -1;
	user = strcmp(role, "assistant") != 0;
	if (content == NULL)
		return claude_refuse(pass->error, "%s.content: Field required",
		    pass->where);
	if (!cJSON_IsString(content) && !cJSON_IsArray(content))
		return claude_refuse(pass->error,
		    "%s.content: Input should be a valid string or list",
		    pass->where);
	if (cJSON_IsString(content) ? *content->valuestring == '\0'
				    : content->child == NULL) {
		if (!(last && !user))
			return claude_refuse(pass->error,
			    "%s: all messages must have non-empty content "
			    "except for the optional final assistant message",
			    pass->where);
	}
	if (cJSON_IsString(content) && user && pass->waits > 0)
		return refuse_missing(pass);
	if (cJSON_IsString(content))
		pass->results_over = true;
	else if (check_blocks(content, user, pass) < 0)
		return -1;
	pass->role = role;
	return 0;
}

int
claude_check_compaction(const cJSON *request, const struct claude_rules *rules,
    struct claude_error *error)
{
	static const char *const not_with[] = { "context_management",
		"stop_sequences", "thread" };
	const cJSON *compaction = json_item(request, "compaction");
	const char *type = json_string(compaction, "type");
	size_t i;

	if (compaction == NULL)
		return 0;
	if (!rules->compact)
		return claude_refuse(error,
		    "compaction: Extra inputs are not permitted");
	if (type == NULL || strcmp(type, "summarize") != 0)
		return claude_refuse(error,
		    "compaction.type: Input should be 'summarize'");
	for (i = 0; i < sizeof(not_with) / sizeof(not_with[0]); i++)
		if (json_item(request, not_with[i]) != NULL)
			return claude_refuse(error,
			    "compaction: cannot be used together with %s",
			    not_with[i]);
	return 0;
}

int
claude_check_messages(const cJSON *request, const struct claude_rules *rules,
    const struct claude_model *model, struct claude_error *error)
{
	const cJSON *messages = json_item(request, "messages"), *message;
	struct pass pass = { .rules = rules,
		.model = model,
		.error = error,
		.role = "" };
	int result = -1;

	if (messages == NULL)
		return claude_refuse(error, "messages: Field required");
	if (!cJSON_IsArray(messages))
		return claude_refuse(error,
		    "messages: Input should be a valid list");
	if (messages->child == NULL)
		return claude_refuse(error,
		    "messages: at least one message is required");
	pass.has_tools = cJSON_GetArraySize(json_item(request, "tools")) > 0;
	pass.ids = g_hash_table_new(g_str_hash, g_str_equal);
	pass.waiting = g_hash_table_new(g_str_hash, g_str_equal);
	cJSON_ArrayForEach (message, messages) {
		if (pass.message >= MESSAGES_MOST) {
			claude_refuse(error,
			    "messages: at most %d messages are allowed",
			    MESSAGES_MOST);
			goto out;
		}
		if (!cJSON_IsObject(message)) {
			claude_refuse(error,
			    "messages.%zu: Input should be a valid dictionary",
			    pass.message);
			goto out;
		}
		if (check_message(message, message->next == NULL, &pass) < 0)
			goto out;
		pass.message++;
	}
	if (pass.waits > 0)
		refuse_missing(&pass);
	else if (strcmp(pass.role, "assistant") == 0 && !model->prefill &&
	    !pass.paused)
		claude_refuse(error,
		    "This model does not support assistant message prefill. "
		    "The conversation must end with a user message.");
	else
		result = 0;
out:
	g_hash_table_destroy(pass.waiting);
	g_hash_table_destroy(pass.ids);
	return result;
}

static int
check_block(const cJSON *block, size_t message, size_t index,
    const struct claude_rules *rules, const struct claude_model *model,
    const struct prefix *prefix, struct claude_error *error)
{
	const char *type = json_string(block, "type");
	enum prefix_verdict verdict;

	if (type == NULL || strcmp(type, "thinking") != 0)
		return 0;
	verdict = prefix_check(prefix, message, json_string(block, "signature"),
	    json_string(block, "thinking"));
	if (verdict == PREFIX_FOREIGN)
		return claude_refuse(error,
		    "messages.%zu.content.%zu: Invalid "
		    "`signature` in `thinking` block",
		    message, index);
	if (verdict == PREFIX_EDITED)
		return claude_refuse(error,
		    "messages.%zu.content.%zu: "
		    "`thinking` or `redacted_thinking` blocks in the latest "
		    "assistant message cannot be modified. These blocks must "
		    "remain as they were in the original response.",
		    message, index);
	if (verdict == PREFIX_MOVED && model->binds && !rules->drop_block)
		return claude_refuse(error,
		    "messages.%zu.content.%zu: this "
		    "`thinking` block is bound to a different conversation: "
		    "the system prompt, the tools or an earlier message is "
		    "not what it was when the block was issued",
		    message, index);
	return 0;
}

int
claude_check_thinking(const cJSON *request, const struct claude_rules *rules,
    const struct claude_model *model, const struct prefix *prefix,
    struct claude_error *error)
{
	const cJSON *message, *content, *block;
	size_t i = 0, j;

	cJSON_ArrayForEach (message, json_item(request, "messages")) {
		content = json_item(message, "content");
		j = 0;
		if (cJSON_IsArray(content))
			cJSON_ArrayForEach (block, content)
				if (check_block(block, i, j++, rules, model,
					prefix, error) < 0)
					return -1;
		i++;
	}
	return 0;
}
