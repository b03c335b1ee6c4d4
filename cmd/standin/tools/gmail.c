/* SPDX-License-Identifier: ISC */
/*
 * gmail: lists are filtered on each call. A page token is the position in the
 * list where the page starts, as "p25".
 */
#include "cmd/standin/tools/gmail.h"

#include <glib.h>

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

/* PAYLOAD as Gmail's API has it: headers, and the body in URL-safe base64. */
static void
add_payload(cJSON *json, const struct mail *mail)
{
	cJSON *payload = cJSON_AddObjectToObject(json, "payload"), *list, *one;
	gchar *text = g_base64_encode((const guchar *)mail->text,
		  strlen(mail->text)),
	      **lines, *colon;
	size_t i;

	g_strdelimit(text, "+", '-');
	g_strdelimit(text, "/", '_');
	list = cJSON_AddArrayToObject(payload, "headers");
	lines = g_strsplit(mail->headers, "\n", -1);
	for (i = 0; lines[i] != NULL; i++) {
		colon = strchr(lines[i], ':');
		if (colon == NULL || g_ascii_isspace(*lines[i]))
			continue;
		*colon = '\0';
		one = cJSON_CreateObject();
		cJSON_AddStringToObject(one, "name", lines[i]);
		cJSON_AddStringToObject(one, "value", g_strstrip(colon + 1));
		cJSON_AddItemToArray(list, one);
	}
	g_strfreev(lines);
	cJSON_AddStringToObject(payload, "mimeType", "text/plain");
	one = cJSON_AddObjectToObject(payload, "body");
	cJSON_AddNumberToObject(one, "size", (double)strlen(mail->text));
	cJSON_AddStringToObject(one, "data", text);
	g_free(text);
}

static cJSON *
mail_json(const struct mail *mail, bool verbose, bool payload)
{
	cJSON *json = cJSON_CreateObject(), *part, *file;
	char date[CLOCK_TEXT];
	size_t i;

	clock_format(mail->date, date);
	cJSON_AddStringToObject(json, "messageId", mail->id);
	cJSON_AddStringToObject(json, "threadId", mail->thread);
	cJSON_AddStringToObject(json, "messageTimestamp", date);
	cJSON_AddStringToObject(json, "sender", mail->sender);
	cJSON_AddStringToObject(json, "to", mail->to);
	cJSON_AddStringToObject(json, "subject", mail->subject);
	part = cJSON_AddObjectToObject(json, "preview");
	cJSON_AddStringToObject(part, "subject", mail->subject);
	add_cut(part, "body", mail->text, PREVIEW_BYTES);
	if (verbose)
		add_cut(json, "messageText", mail->text,
		    payload ? SIZE_MAX : LISTED_BYTES);
	part = cJSON_AddArrayToObject(json, "labelIds");
	for (i = 0; i < mail->label_count; i++)
		cJSON_AddItemToArray(part, cJSON_CreateString(mail->labels[i]));
	part = cJSON_AddArrayToObject(json, "attachmentList");
	for (i = 0; i < mail->file_count; i++) {
		file = cJSON_CreateObject();
		cJSON_AddStringToObject(file, "filename", mail->files[i]);
		cJSON_AddItemToArray(part, file);
	}
	if (payload)
		add_payload(json, mail);
	return json;
}

static bool
wanted(const struct gmail *gmail, const struct mail *mail,
    const cJSON *arguments)
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
	return query == NULL ||
	    gmail_query_matches(query, mail, mailbox_now(gmail->mailbox));
}

/* Where the page starts; false when the token is not one of ours. */
static bool
page_start(const cJSON *arguments, size_t *ret_start, char error[300])
{
	const char *token = json_string(arguments, "page_token");
	unsigned long start = 0;
	char *end;

	if (token != NULL && *token != '\0') {
		start = *token == 'p' ? strtoul(token + 1, &end, 10) : 0;
		if (start == 0 || *end != '\0') {
			snprintf(error, 300, "400 Invalid pageToken: %.60s",
			    token);
			return false;
		}
	}
	*ret_start = start;
	return true;
}

static void
add_page(cJSON *data, size_t end, size_t total)
{
	char token[32];

	snprintf(token, sizeof(token), "p%zu", end);
	if (end < total)
		cJSON_AddStringToObject(data, "nextPageToken", token);
	else
		cJSON_AddNullToObject(data, "nextPageToken");
	cJSON_AddNumberToObject(data, "resultSizeEstimate", (double)total);
}

static cJSON *
fetch(const struct gmail *gmail, const cJSON *arguments, char error[300])
{
	cJSON *data, *list, *one;
	const cJSON *verbose = json_item(arguments, "verbose");
	struct mail *mail;
	size_t i, start, found = 0;
	int64_t most = 1;
	bool ids = json_true(arguments, "ids_only");

	if (!page_start(arguments, &start, error))
		return NULL;
	json_integer(arguments, "max_results", &most);
	data = cJSON_CreateObject();
	list = cJSON_AddArrayToObject(data, "messages");
	for (i = 0; (mail = mailbox_at(gmail->mailbox, i)) != NULL; i++) {
		if (!wanted(gmail, mail, arguments))
			continue;
		found++;
		if (found <= start || found > start + (size_t)most)
			continue;
		if (ids) {
			one = cJSON_CreateObject();
			cJSON_AddStringToObject(one, "messageId", mail->id);
			cJSON_AddStringToObject(one, "threadId", mail->thread);
		} else {
			one = mail_json(mail, !cJSON_IsFalse(verbose),
			    cJSON_IsTrue(
				json_item(arguments, "include_payload")));
		}
		cJSON_AddItemToArray(list, one);
	}
	add_page(data, start + (size_t)most, found);
	return data;
}

static struct mail *
named_mail(const struct gmail *gmail, const cJSON *arguments, char error[300])
{
	const char *id = json_string(arguments, "message_id");
	struct mail *mail = mailbox_find(gmail->mailbox, id ? id : "");

	if (mail == NULL)
		snprintf(error, 300,
		    "404 Requested entity was not found: no "
		    "message has the id %.60s",
		    id ? id : "");
	return mail;
}

static cJSON *
fetch_one(const struct gmail *gmail, const cJSON *arguments, char error[300])
{
	struct mail *mail = named_mail(gmail, arguments, error);

	return mail == NULL ? NULL : mail_json(mail, true, true);
}

static cJSON *
change_labels(const struct gmail *gmail, const cJSON *arguments,
    char error[300])
{
	struct mail *mail = named_mail(gmail, arguments, error);
	const cJSON *label;
	cJSON *data, *list;
	size_t i;

	if (mail == NULL)
		return NULL;
	cJSON_ArrayForEach (label, json_item(arguments, "remove_label_ids"))
		if (cJSON_IsString(label))
			mail_remove_label(mail, label->valuestring);
	cJSON_ArrayForEach (label, json_item(arguments, "add_label_ids"))
		if (cJSON_IsString(label))
			mail_add_label(mail, label->valuestring);
	data = cJSON_CreateObject();
	cJSON_AddStringToObject(data, "id", mail->id);
	cJSON_AddStringToObject(data, "threadId", mail->thread);
	list = cJSON_AddArrayToObject(data, "labelIds");
	for (i = 0; i < mail->label_count; i++)
		cJSON_AddItemToArray(list, cJSON_CreateString(mail->labels[i]));
	return data;
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
	cJSON *json = cJSON_CreateObject(), *part;
	const char *text = json_string(draft->arguments, "thread_id");
	char date[CLOCK_TEXT], id[24], message[24];
	size_t i;

	snprintf(id, sizeof(id), "r-%016zu", draft->number);
	snprintf(message, sizeof(message), "1a%014zx", draft->number);
	cJSON_AddStringToObject(json, "id", id);
	part = cJSON_AddObjectToObject(json, "message");
	cJSON_AddStringToObject(part, "id", message);
	cJSON_AddStringToObject(part, "threadId",
	    text != NULL && *text != '\0' ? text : message);
	cJSON_AddItemToArray(cJSON_AddArrayToObject(part, "labelIds"),
	    cJSON_CreateString("DRAFT"));
	if (!verbose)
		return json;
	clock_format(draft->date, date);
	cJSON_AddStringToObject(part, "messageTimestamp", date);
	for (i = 0; i < 3; i++) {
		text = json_string(draft->arguments, names[i][0]);
		cJSON_AddStringToObject(part, names[i][1], text ? text : "");
	}
	return json;
}

static cJSON *
create_draft(const struct gmail *gmail, const char *user,
    const cJSON *arguments, char error[300])
{
	const char *to = json_string(arguments, "recipient_email");
	const char *thread = json_string(arguments, "thread_id");

	if (!is_address(to)) {
		snprintf(error, 300,
		    "400 Invalid To header: \"%.100s\" is not "
		    "an e-mail address",
		    to);
		return NULL;
	}
	if (thread != NULL && *thread != '\0' &&
	    !mailbox_has_thread(gmail->mailbox, thread)) {
		snprintf(error, 300,
		    "404 Requested entity was not found: no "
		    "thread has the id %.60s",
		    thread);
		return NULL;
	}
	return draft_json(records_add(gmail->drafts, user, clock_wall(),
			      arguments),
	    false);
}

static cJSON *
list_drafts(const struct gmail *gmail, const char *user, const cJSON *arguments,
    char error[300])
{
	size_t start, i, total = records_count(gmail->drafts, user);
	int64_t most = 100;
	cJSON *data, *list;

	if (!page_start(arguments, &start, error))
		return NULL;
	json_integer(arguments, "max_results", &most);
	data = cJSON_CreateObject();
	list = cJSON_AddArrayToObject(data, "drafts");
	for (i = start; i < total && i < start + (size_t)most; i++)
		cJSON_AddItemToArray(list,
		    draft_json(records_newest(gmail->drafts, user, i),
			!cJSON_IsFalse(json_item(arguments, "verbose"))));
	add_page(data, start + (size_t)most, total);
	return data;
}

static cJSON *
profile(const struct gmail *gmail)
{
	cJSON *data = cJSON_CreateObject();
	size_t count = 0;

	while (mailbox_at(gmail->mailbox, count) != NULL)
		count++;
	cJSON_AddStringToObject(data, "emailAddress",
	    mailbox_address(gmail->mailbox));
	cJSON_AddNumberToObject(data, "messagesTotal", (double)count);
	cJSON_AddNumberToObject(data, "threadsTotal", (double)count);
	cJSON_AddStringToObject(data, "historyId", "1");
	return data;
}

bool
gmail_run(const struct gmail *gmail, const char *slug, const char *user,
    const cJSON *arguments, cJSON **ret_data, char error[300])
{
	if (strcmp(slug, "GMAIL_FETCH_EMAILS") == 0)
		*ret_data = fetch(gmail, arguments, error);
	else if (strcmp(slug, "GMAIL_FETCH_MESSAGE_BY_MESSAGE_ID") == 0)
		*ret_data = fetch_one(gmail, arguments, error);
	else if (strcmp(slug, "GMAIL_CREATE_EMAIL_DRAFT") == 0)
		*ret_data = create_draft(gmail, user, arguments, error);
	else if (strcmp(slug, "GMAIL_LIST_DRAFTS") == 0)
		*ret_data = list_drafts(gmail, user, arguments, error);
	else if (strcmp(slug, "GMAIL_ADD_LABEL_TO_EMAIL") == 0)
		*ret_data = change_labels(gmail, arguments, error);
	else if (strcmp(slug, "GMAIL_GET_PROFILE") == 0)
		*ret_data = profile(gmail);
	else
		return false;
	return true;
}
