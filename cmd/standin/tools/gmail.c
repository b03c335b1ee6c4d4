/* SPDX-License-Identifier: ISC */
/*
 * gmail: lists are filtered on each call. A page token is the position in the
 * list where the page starts, as "p25".
 */
#include <glib.h>

#include "cmd/standin/build.h"
#include "cmd/standin/standin.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/utf8.h"
#include "common/json/json.h"

#define PREVIEW_BYTES 280
#define LISTED_BYTES 2500 /* of a text in a list without payloads */

/* The text cut to SIZE bytes, not within a character. */
static void
add_cut(cJSON *json, const char *name, const char *text, size_t size)
{
	char *copy = mem_copy(text, utf8_cut(text, strlen(text), size));

	cJSON_AddStringToObject(json, name, copy);
	free(copy);
}

static cJSON *
labels(const struct mail *mail)
{
	return cJSON_CreateStringArray((const char *const *)mail->labels,
	    (int)mail->label_count);
}

/* The payload as Gmail's API has it: headers, and the body in URL-safe base64. */
static cJSON *
payload_json(const struct mail *mail)
{
	cJSON *list = cJSON_CreateArray(), *payload;
	gchar *text = g_base64_encode((const guchar *)mail->text,
		  strlen(mail->text)),
	      **lines, *colon;
	size_t i;

	g_strdelimit(text, "+", '-');
	g_strdelimit(text, "/", '_');
	lines = g_strsplit(mail->headers, "\n", -1);
	for (i = 0; lines[i] != NULL; i++) {
		colon = strchr(lines[i], ':');
		if (colon == NULL || g_ascii_isspace(*lines[i]))
			continue;
		*colon = '\0';
		cJSON_AddItemToArray(list,
		    build("{'name':%s,'value':%s}", lines[i],
			g_strstrip(colon + 1)));
	}
	g_strfreev(lines);
	payload = build("{'headers':%j,'mimeType':'text/plain','body':{"
			"'size':%n,'data':%s}}",
	    list, (int64_t)strlen(mail->text), text);
	g_free(text);
	return payload;
}

static cJSON *
mail_json(const struct mail *mail, bool verbose, bool payload)
{
	cJSON *json, *files = cJSON_CreateArray();
	char date[CLOCK_TEXT];
	size_t i;

	clock_format(mail->date, date);
	json = build("{'messageId':%s,'threadId':%s,'messageTimestamp':%s,"
		     "'sender':%s,'to':%s,'subject':%s,'preview':{"
		     "'subject':%s}}",
	    mail->id, mail->thread, date, mail->sender, mail->to, mail->subject,
	    mail->subject);
	add_cut(json_item(json, "preview"), "body", mail->text, PREVIEW_BYTES);
	if (verbose)
		add_cut(json, "messageText", mail->text,
		    payload ? SIZE_MAX : LISTED_BYTES);
	cJSON_AddItemToObject(json, "labelIds", labels(mail));
	for (i = 0; i < mail->file_count; i++)
		cJSON_AddItemToArray(files,
		    build("{'filename':%s}", mail->files[i]));
	cJSON_AddItemToObject(json, "attachmentList", files);
	if (payload)
		cJSON_AddItemToObject(json, "payload", payload_json(mail));
	return json;
}

static bool
wanted(const struct mail *mail, const cJSON *arguments, int64_t now)
{
	const char *query = json_string(arguments, "query");
	const cJSON *label;

	if (!json_true(arguments, "include_spam_trash") &&
	    (mail_has_label(mail, "SPAM") || mail_has_label(mail, "TRASH")))
		return false;
	cJSON_ArrayForEach (label, json_item(arguments, "label_ids"))
		if (!cJSON_IsString(label) ||
		    !mail_has_label(mail, label->valuestring))
			return false;
	return query == NULL || gmail_query_matches(query, mail, now);
}

/* Where the page starts; false when the token is not one of ours. */
static bool
page_start(struct tool_call *call, size_t *ret_start)
{
	const char *token = json_string(call->arguments, "page_token");
	unsigned long start = 0;
	char *end;

	if (token != NULL && *token != '\0') {
		start = *token == 'p' ? strtoul(token + 1, &end, 10) : 0;
		if (start == 0 || *end != '\0') {
			tool_refuse(call, "400 Invalid pageToken: %.60s",
			    token);
			return false;
		}
	}
	*ret_start = start;
	return true;
}

/* The page LIST, a member NAME, that ends at END of TOTAL. */
static cJSON *
page_json(const char *name, cJSON *list, size_t end, size_t total)
{
	cJSON *data = cJSON_CreateObject();
	char token[32];

	snprintf(token, sizeof(token), "p%zu", end);
	cJSON_AddItemToObject(data, name, list);
	cJSON_AddItemToObject(data, "nextPageToken",
	    build("%s", end < total ? token : NULL));
	cJSON_AddNumberToObject(data, "resultSizeEstimate", (double)total);
	return data;
}

cJSON *
gmail_fetch(struct tool_call *call)
{
	const struct mailbox *mailbox = call->standin->mailbox;
	const cJSON *arguments = call->arguments;
	bool verbose = !cJSON_IsFalse(json_item(arguments, "verbose"));
	bool payload = json_true(arguments, "include_payload");
	bool ids = json_true(arguments, "ids_only");
	const struct mail *mail;
	size_t i, start, found = 0;
	int64_t most = 1;
	cJSON *list;

	if (!page_start(call, &start))
		return NULL;
	json_integer(arguments, "max_results", &most);
	list = cJSON_CreateArray();
	for (i = 0; (mail = mailbox_at(mailbox, i)) != NULL; i++) {
		if (!wanted(mail, arguments, mailbox_now(mailbox)))
			continue;
		found++;
		if (found <= start || found > start + (size_t)most)
			continue;
		cJSON_AddItemToArray(list,
		    ids ? build("{'messageId':%s,'threadId':%s}", mail->id,
			      mail->thread)
			: mail_json(mail, verbose, payload));
	}
	return page_json("messages", list, start + (size_t)most, found);
}

static struct mail *
named_mail(struct tool_call *call)
{
	const char *id = json_string(call->arguments, "message_id");
	struct mail *mail = mailbox_find(call->standin->mailbox, id ? id : "");

	if (mail == NULL)
		tool_refuse(call,
		    "404 Requested entity was not found: no message has the "
		    "id %.60s",
		    id ? id : "");
	return mail;
}

cJSON *
gmail_fetch_one(struct tool_call *call)
{
	const struct mail *mail = named_mail(call);

	return mail == NULL ? NULL : mail_json(mail, true, true);
}

cJSON *
gmail_change_labels(struct tool_call *call)
{
	const cJSON *arguments = call->arguments, *label;
	struct mail *mail = named_mail(call);

	if (mail == NULL)
		return NULL;
	cJSON_ArrayForEach (label, json_item(arguments, "remove_label_ids"))
		if (cJSON_IsString(label))
			mail_remove_label(mail, label->valuestring);
	cJSON_ArrayForEach (label, json_item(arguments, "add_label_ids"))
		if (cJSON_IsString(label))
			mail_add_label(mail, label->valuestring);
	return build("{'id':%s,'threadId':%s,'labelIds':%j}", mail->id,
	    mail->thread, labels(mail));
}

static bool
is_address(const char *text)
{
	const char *at = strchr(text, '@');

	return at != NULL && at > text && at[1] != '\0' &&
	    strpbrk(text, " \t\r\n<>,;") == NULL && strchr(at + 1, '@') == NULL;
}

static cJSON *
draft_json(const struct record *draft, bool verbose)
{
	static const char *const names[][2] = { { "recipient_email", "to" },
		{ "subject", "subject" }, { "body", "messageText" } };
	const char *text = json_string(draft->arguments, "thread_id");
	char date[CLOCK_TEXT], id[24], message[24];
	cJSON *json, *part;
	size_t i;

	snprintf(id, sizeof(id), "r-%016zu", draft->number);
	snprintf(message, sizeof(message), "1a%014zx", draft->number);
	json = build("{'id':%s,'message':{'id':%s,'threadId':%s,"
		     "'labelIds':['DRAFT']}}",
	    id, message, text != NULL && *text != '\0' ? text : message);
	if (!verbose)
		return json;
	part = json_item(json, "message");
	clock_format(draft->date, date);
	cJSON_AddStringToObject(part, "messageTimestamp", date);
	for (i = 0; i < 3; i++) {
		text = json_string(draft->arguments, names[i][0]);
		cJSON_AddStringToObject(part, names[i][1], text ? text : "");
	}
	return json;
}

cJSON *
gmail_create_draft(struct tool_call *call)
{
	const char *to = json_string(call->arguments, "recipient_email");
	const char *thread = json_string(call->arguments, "thread_id");

	if (!is_address(to))
		return tool_refuse(call,
		    "400 Invalid To header: \"%.100s\" is not an e-mail "
		    "address",
		    to);
	if (thread != NULL && *thread != '\0' &&
	    !mailbox_has_thread(call->standin->mailbox, thread))
		return tool_refuse(call,
		    "404 Requested entity was not found: no thread has the "
		    "id %.60s",
		    thread);
	return draft_json(records_add(call->standin->drafts, call->user,
			      clock_wall(), call->arguments),
	    false);
}

cJSON *
gmail_list_drafts(struct tool_call *call)
{
	const struct records *drafts = call->standin->drafts;
	size_t start, i, total = records_count(drafts, call->user);
	bool verbose = !cJSON_IsFalse(json_item(call->arguments, "verbose"));
	int64_t most = 100;
	cJSON *list;

	if (!page_start(call, &start))
		return NULL;
	json_integer(call->arguments, "max_results", &most);
	list = cJSON_CreateArray();
	for (i = start; i < total && i < start + (size_t)most; i++)
		cJSON_AddItemToArray(list,
		    draft_json(records_newest(drafts, call->user, i), verbose));
	return page_json("drafts", list, start + (size_t)most, total);
}

cJSON *
gmail_profile(struct tool_call *call)
{
	const struct mailbox *mailbox = call->standin->mailbox;
	int64_t count = 0;

	while (mailbox_at(mailbox, (size_t)count) != NULL)
		count++;
	return build("{'emailAddress':%s,'messagesTotal':%n,"
		     "'threadsTotal':%n,'historyId':'1'}",
	    mailbox_address(mailbox), count, count);
}
