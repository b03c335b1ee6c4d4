/* SPDX-License-Identifier: ISC */
/*
 * conversation: one pass over the messages collects the calls and pairs them
 * with their results by id; a second pass over the calls makes the tree that
 * templates see. The tree refers to the request's own values where it can.
 */
#include "cmd/standin/script/model.h"

#include <glib.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/json/json.h"

#define TEXT_BYTES ((size_t)32 << 20)

/* The text of a content: a string, or the text blocks of an array. */
static char *
content_text(const cJSON *content)
{
	struct buf buf = BUF_INIT(TEXT_BYTES);
	const cJSON *block;
	const char *text;

	if (cJSON_IsString(content))
		return mem_string(content->valuestring);
	cJSON_ArrayForEach (block, content) {
		text = json_string(block, "text");
		if (text == NULL)
			continue;
		if (buf.length > 0)
			buf_add_string(&buf, "\n");
		buf_add_string(&buf, text);
	}
	return buf_detach(&buf, NULL);
}

static void
add_call(struct conversation *conversation, GHashTable *ids, const cJSON *block)
{
	struct conversation_call *call;

	conversation->calls = mem_grow(conversation->calls,
	    conversation->call_count + 1, sizeof(*conversation->calls));
	call = &conversation->calls[conversation->call_count++];
	*call = (struct conversation_call){
		.id = json_string(block, "id"),
		.tool = json_string(block, "name"),
		.input = json_item(block, "input"),
	};
	g_hash_table_insert(ids, (char *)(uintptr_t)call->id,
	    GSIZE_TO_POINTER(conversation->call_count));
}

static void
add_result(struct conversation *conversation, GHashTable *ids,
    const cJSON *block)
{
	const char *id = json_string(block, "tool_use_id");
	struct conversation_call *call;
	struct fail fail;
	size_t at;

	at = id == NULL ? 0 : GPOINTER_TO_SIZE(g_hash_table_lookup(ids, id));
	if (at == 0)
		return;
	call = &conversation->calls[at - 1];
	free(call->text);
	call->text = content_text(json_item(block, "content"));
	if (call->parsed == NULL)
		call->parsed = json_parse(call->text, strlen(call->text),
		    &json_limits_upstream, &fail);
	call->ok = !json_true(block, "is_error");
}

/* A summary, or a block of the service's, stands for the turns before this one:
 * "[[turn N]] GOAL". */
static void
read_mark(struct conversation *conversation, const char *text, bool with_goal)
{
	const char *mark = text != NULL ? strstr(text, "[[turn ") : NULL;
	char *end;

	if (mark == NULL)
		return;
	conversation->turn = strtoll(mark + 7, &end, 10) - 1;
	if (with_goal)
		conversation->goal = mem_string(end + strspn(end, "] "));
}

static void
read_start(struct conversation *conversation, const cJSON *message)
{
	const cJSON *content = json_item(message, "content"), *block;

	if (cJSON_IsArray(content))
		cJSON_ArrayForEach (block, content) {
			read_mark(conversation, json_string(block, "text"),
			    false);
			read_mark(conversation, json_string(block, "content"),
			    true);
		}
}

static void
read_messages(struct conversation *conversation, const cJSON *messages)
{
	GHashTable *ids = g_hash_table_new(g_str_hash, g_str_equal);
	const cJSON *message, *block;
	const char *role, *type, *before = "";

	conversation->turn = 0;
	cJSON_ArrayForEach (message, messages) {
		role = json_string(message, "role");
		/* Neighbours of one role are one message. */
		if (*before == '\0')
			read_start(conversation, message);
		if (strcmp(role, "assistant") == 0 && *before != '\0' &&
		    strcmp(before, "assistant") != 0) {
			conversation->turn++;
			conversation->last = conversation->call_count;
		}
		before = *before == '\0' && *role == 'a' ? "summary" : role;
		if (conversation->goal == NULL && strcmp(role, "user") == 0)
			conversation->goal = content_text(
			    json_item(message, "content"));
		if (!cJSON_IsArray(json_item(message, "content")))
			continue;
		cJSON_ArrayForEach (block, json_item(message, "content")) {
			type = json_string(block, "type");
			if (type == NULL)
				continue;
			if (strcmp(type, "tool_use") == 0)
				add_call(conversation, ids, block);
			else if (strcmp(type, "tool_result") == 0)
				add_result(conversation, ids, block);
		}
	}
	conversation->turn++;
	g_hash_table_destroy(ids);
}

static cJSON *
child_object(cJSON *object, const char *name)
{
	cJSON *child = json_item(object, name);

	return child != NULL ? child : cJSON_AddObjectToObject(object, name);
}

static void
add_one(cJSON *object, const char *name)
{
	cJSON *number = json_item(object, name);

	if (number == NULL)
		cJSON_AddNumberToObject(object, name, 1);
	else
		cJSON_SetNumberValue(number, number->valuedouble + 1);
}

static void
replace(cJSON *object, const char *name, cJSON *value)
{
	cJSON_DeleteItemFromObjectCaseSensitive(object, name);
	cJSON_AddItemReferenceToObject(object, name, value);
}

/* Joins RESULT with the tool's earlier results. */
static void
join(cJSON *joined, cJSON *result)
{
	cJSON *part, *element, *array;

	cJSON_ArrayForEach (part, result) {
		if (!cJSON_IsArray(part)) {
			replace(joined, part->string, part);
			continue;
		}
		array = json_item(joined, part->string);
		if (!cJSON_IsArray(array)) {
			cJSON_DeleteItemFromObjectCaseSensitive(joined,
			    part->string);
			array = cJSON_AddArrayToObject(joined, part->string);
		}
		cJSON_ArrayForEach (element, part)
			cJSON_AddItemReferenceToArray(array, element);
	}
}

static void
add_to_tree(cJSON *root, struct conversation_call *call)
{
	cJSON *calls = child_object(root, "calls"), *list, *entry;

	add_one(child_object(root, "count"), call->tool);
	if (call->ok)
		add_one(child_object(root, "ok"), call->tool);
	list = json_item(calls, call->tool);
	if (list == NULL)
		list = cJSON_AddArrayToObject(calls, call->tool);
	entry = cJSON_CreateObject();
	cJSON_AddStringToObject(entry, "id", call->id);
	cJSON_AddBoolToObject(entry, "ok", call->ok);
	cJSON_AddItemReferenceToObject(entry, "input",
	    (cJSON *)(uintptr_t)call->input);
	if (call->parsed != NULL)
		cJSON_AddItemReferenceToObject(entry, "result", call->parsed);
	cJSON_AddItemToObject(entry, "text",
	    cJSON_CreateStringReference(call->text == NULL ? "" : call->text));
	cJSON_AddItemToArray(list, entry);
	if (!call->ok || !cJSON_IsObject(call->parsed))
		return;
	join(child_object(child_object(root, "results"), call->tool),
	    call->parsed);
	replace(child_object(root, "last"), call->tool, call->parsed);
}

static const cJSON *
last_of(const cJSON *messages)
{
	const cJSON *message = messages->child;

	while (message->next != NULL)
		message = message->next;
	return message;
}

struct conversation *
conversation_read(const cJSON *request)
{
	struct conversation *conversation = mem_alloc(sizeof(*conversation));
	const char *user;
	char *said;
	size_t i;

	read_messages(conversation, json_item(request, "messages"));
	if (conversation->goal == NULL)
		conversation->goal = mem_string("");
	user = json_string(json_item(request, "metadata"), "user_id");
	conversation->root = cJSON_CreateObject();
	cJSON_AddItemToObject(conversation->root, "goal",
	    cJSON_CreateStringReference(conversation->goal));
	cJSON_AddStringToObject(conversation->root, "user", user ? user : "");
	said = content_text(
	    json_item(last_of(json_item(request, "messages")), "content"));
	cJSON_AddStringToObject(conversation->root, "said", said);
	free(said);
	cJSON_AddNumberToObject(conversation->root, "turn",
	    (double)conversation->turn);
	for (i = 0; i < conversation->call_count; i++)
		add_to_tree(conversation->root, &conversation->calls[i]);
	return conversation;
}

void
conversation_free(struct conversation *conversation)
{
	size_t i;

	if (conversation == NULL)
		return;
	cJSON_Delete(conversation->root);
	for (i = 0; i < conversation->call_count; i++) {
		free(conversation->calls[i].text);
		cJSON_Delete(conversation->calls[i].parsed);
	}
	free(conversation->calls);
	free(conversation->goal);
	free(conversation);
}
