/* SPDX-License-Identifier: ISC */
/*
 * catalogue_builtin: Gmail, Linear and Hacker News, in the form that the
 * service gives them, as far as the stand-in executes them.
 */
#include "cmd/standin/composio/composio.h"

/* JSON in macros is laid out by hand. */
/* clang-format off */
#define GMAIL "gmail", "20261101_00"
#define LINEAR "linear", "20261102_00"
#define USER_ID "\"user_id\":{\"type\":\"string\",\"default\":\"me\"," \
	"\"description\":\"The mailbox; 'me' is the connected account's.\"}"
#define STRING(name, text) \
	"\"" name "\":{\"type\":\"string\",\"description\":\"" text "\"}"
#define NUMBER(name, text, least, most) \
	"\"" name "\":{\"type\":\"integer\",\"minimum\":" #least \
	",\"maximum\":" #most ",\"description\":\"" text "\"}"
#define FLAG(name, text) \
	"\"" name "\":{\"type\":\"boolean\",\"description\":\"" text "\"}"
#define STRINGS(name, text) \
	"\"" name "\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}," \
	"\"description\":\"" text "\"}"

const struct catalogue_builtin catalogue_builtins[] = {
	{ "GMAIL_FETCH_EMAILS", "Fetch emails", GMAIL,
	    "Lists the messages that match a Gmail query, newest first.",
	    "{" STRING("query", "Gmail search syntax, for example "
	        "'newer_than:3d in:inbox'.") ","
	    NUMBER("max_results", "Messages on one page; 1 when left out.",
	        1, 500) ","
	    STRING("page_token", "nextPageToken of the page before.") ","
	    STRINGS("label_ids", "Only messages with all of these labels.") ","
	    FLAG("include_payload", "Give the headers and the raw body, "
	        "too.") ","
	    FLAG("verbose", "Give messageText; subject and sender only when "
	        "false.") ","
	    FLAG("ids_only", "Give message and thread ids only.") ","
	    FLAG("include_spam_trash", "Look into spam and trash, too.") ","
	    USER_ID "}",
	    "[]", true, true, gmail_fetch },
	{ "GMAIL_FETCH_MESSAGE_BY_MESSAGE_ID", "Fetch message by message id",
	    GMAIL, "Gives one message with its whole text.",
	    "{" STRING("message_id", "messageId from GMAIL_FETCH_EMAILS.") ","
	    "\"format\":{\"type\":\"string\",\"enum\":[\"minimal\",\"full\","
	    "\"raw\",\"metadata\"],\"default\":\"full\"}," USER_ID "}",
	    "[\"message_id\"]", true, true, gmail_fetch_one },
	{ "GMAIL_CREATE_EMAIL_DRAFT", "Create email draft", GMAIL,
	    "Writes a draft; with thread_id, as a reply in that thread. "
	    "Nothing is sent.",
	    "{" STRING("recipient_email", "The address of the recipient.") ","
	    STRING("subject", "The subject.") ","
	    STRING("body", "The text, or HTML with is_html.") ","
	    STRINGS("cc", "Addresses.") "," STRINGS("bcc", "Addresses.") ","
	    STRINGS("extra_recipients", "Further addresses in To.") ","
	    FLAG("is_html", "The body is HTML.") ","
	    STRING("thread_id", "threadId of the message replied to.") ","
	    USER_ID "}",
	    "[\"recipient_email\",\"subject\",\"body\"]", false, false,
	    gmail_create_draft },
	{ "GMAIL_LIST_DRAFTS", "List drafts", GMAIL,
	    "Lists the drafts, newest first.",
	    "{" NUMBER("max_results", "Drafts on one page.", 1, 500) ","
	    STRING("page_token", "nextPageToken of the page before.") ","
	    FLAG("verbose", "Give the messages' subject and text, too.") ","
	    USER_ID "}",
	    "[]", true, true, gmail_list_drafts },
	{ "GMAIL_GET_PROFILE", "Get profile", GMAIL,
	    "Gives the address and the size of the mailbox.",
	    "{" USER_ID "}", "[]", true, true, gmail_profile },
	{ "GMAIL_ADD_LABEL_TO_EMAIL", "Modify email labels", GMAIL,
	    "Adds labels to a message and takes labels off it.",
	    "{" STRING("message_id", "The message.") ","
	    STRINGS("add_label_ids", "Labels to add.") ","
	    STRINGS("remove_label_ids", "Labels to take off.") "," USER_ID "}",
	    "[\"message_id\"]", false, true, gmail_change_labels },
	{ "LINEAR_LIST_LINEAR_TEAMS", "List Linear teams", LINEAR,
	    "Lists the teams of the workspace.",
	    "{" STRING("project_id", "Only teams of this project.") "}",
	    "[]", true, true, linear_list_teams },
	{ "LINEAR_CREATE_LINEAR_ISSUE", "Create Linear issue", LINEAR,
	    "Creates an issue in a team.",
	    "{" STRING("team_id", "The id of the team.") ","
	    STRING("title", "The title.") ","
	    STRING("description", "The text, in Markdown.") ","
	    NUMBER("priority", "0 none, 1 urgent, 2 high, 3 normal, 4 low.",
	        0, 4) ","
	    STRING("assignee_id", "A user's id.") ","
	    STRING("state_id", "A workflow state's id.") ","
	    STRINGS("label_ids", "Ids of labels.") ","
	    STRING("project_id", "A project's id.") ","
	    STRING("cycle_id", "A cycle's id.") ","
	    STRING("parent_id", "The issue that this is a part of.") ","
	    STRING("due_date", "YYYY-MM-DD.") ","
	    NUMBER("estimate", "Points.", 0, 100) "}",
	    "[\"team_id\",\"title\"]", false, false, linear_create_issue },
	{ "LINEAR_LIST_LINEAR_ISSUES", "List Linear issues", LINEAR,
	    "Lists issues, newest first.",
	    "{" NUMBER("first", "Issues on one page; 10 when left out.",
	        1, 250) ","
	    STRING("after", "page_info.endCursor of the page before.") ","
	    STRING("project_id", "Only issues of this project.") ","
	    STRING("assignee_id", "Only issues of this user.") "}",
	    "[]", true, true, linear_list_issues },
	{ "LINEAR_GET_CURRENT_USER", "Get current user", LINEAR,
	    "Gives the user whose account is connected.",
	    "{}", "[]", true, true, linear_current_user },
	{ "HACKERNEWS_GET_USER", "Get user", "hackernews", "20260901_00",
	    "Gives the public profile of a user. Needs no account.",
	    "{" STRING("username", "The user's name.") "}",
	    "[\"username\"]", true, true, hackernews_user },
	{ .slug = NULL },
};
