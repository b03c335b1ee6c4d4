/* SPDX-License-Identifier: ISC */
/*
 * How it works: the size of the conversation is known from the usage of the last
 * reply, and what was added since is estimated. Near the limit, or when the
 * service says that a request is too long, the next turn compacts instead: by
 * the service, or, where that is refused, by a summary that the model writes. A
 * summary that has no room for the whole conversation is made of what was sent
 * last, and what came after it is kept. What is kept loses its thinking, which
 * the service accepts only behind the very messages that it followed. When
 * nothing was sent since the last compaction, long results are cut.
 *
 * A compaction that fails changes nothing: the task goes on until the next one is
 * due, or ends when there is no room left.
 */
#include "common/agent/compact.h"

#include <stdlib.h>
#include <string.h>

#include "common/agent/usage.h"
#include "common/base/mem.h"
#include "common/base/utf8.h"

#define TOKEN_BYTES 4   /* an estimate of what a token has */
#define DUE_PERCENT 80  /* of the window */
#define ROOM_PERCENT 95 /* up to here the whole conversation is compacted */
#define CUT_LEAST 2000  /* bytes */
#define FULL_WAIT_MS (3600 * 1000)
#define TEXT_MAX ((size_t)1 << 30)
#define WINDOW_FULL "model_context_window_exceeded"
#define MESSAGE_BYTES 70 /* of a message with one text, around it */

static const char ask_summary[] =
    "This conversation has become too long to go on with. Write a summary from "
    "which you will go on with the task, without seeing the conversation "
    "itself: what is to be done, with everything that was asked for; what was "
    "done, with the ids, names, addresses and numbers that are needed later; "
    "what was found out; what is left to do, and the next step. Do not call a "
    "tool now. Answer with nothing but the summary.";

static int64_t
size_now(const struct agent *agent)
{
	return agent->context +
	    (int64_t)((agent->messages.length - agent->context_bytes) /
		TOKEN_BYTES);
}

static bool
reached(const struct agent *agent, int percent)
{
	return size_now(agent) >= agent->window / 100 * percent;
}

enum compact
agent_compact_due(const struct agent *agent)
{
	if (agent->overflow)
		return agent->answered ? COMPACT_SUMMARY : COMPACT_CUT;
	if (!agent->answered || size_now(agent) < agent->compact_after ||
	    !reached(agent, DUE_PERCENT))
		return COMPACT_NONE;
	return agent->no_service || reached(agent, ROOM_PERCENT)
	    ? COMPACT_SUMMARY
	    : COMPACT_SERVICE;
}

static int64_t
count(struct span messages)
{
	struct span message;
	int64_t number = 0;

	while (json_element(&messages, &message))
		number++;
	return number;
}

/* How many bytes of the messages a turn that compacts so is about. */
static size_t
compacted_bytes(const struct agent *agent, enum compact compact)
{
	return compact == COMPACT_SUMMARY &&
		(agent->overflow || reached(agent, ROOM_PERCENT))
	    ? agent->answered
	    : agent->messages.length;
}

size_t
agent_compact_sends(const struct agent *agent, enum compact compact)
{
	size_t bytes = compacted_bytes(agent, compact);

	if (compact == COMPACT_SUMMARY)
		bytes += sizeof(ask_summary) + MESSAGE_BYTES;
	return bytes;
}

void
agent_compact_started(struct agent *agent, const struct event *event)
{
	struct span way = json_get(&event->members, "compact");

	agent->compacting = json_is(way, "service") ? COMPACT_SERVICE
	    : json_is(way, "summary")               ? COMPACT_SUMMARY
						    : COMPACT_NONE;
	if (agent->compacting == COMPACT_NONE) {
		agent->sent = agent->messages.length;
		agent->sent_user = agent->last_user;
		return;
	}
	agent->compact_from = compacted_bytes(agent, agent->compacting);
}

bool
agent_reply_cut(const struct agent *agent)
{
	return strcmp(agent->stop_reason, "max_tokens") == 0 ||
	    strcmp(agent->stop_reason, WINDOW_FULL) == 0;
}

void
agent_compact_replied(struct agent *agent, int64_t context)
{
	agent->answered = agent->sent;
	if (strcmp(agent->stop_reason, WINDOW_FULL) == 0)
		agent->overflow = true;
	if (agent->sent_user)
		agent->marked = agent->sent;
	agent->context = context;
	agent->context_bytes = agent->messages.length;
}

/* Whether the service says that the request has too many tokens or bytes. */
static bool
too_long(const struct event *event)
{
	static const char *const words[] = { "prompt is too long",
		"exceed context limit", "context window",
		"maximum context length" };
	struct json_object error;
	int64_t status = 0;
	bool found = false;
	char *message;
	size_t i;

	(void)json_object(json_get(&event->members, "error"), &error);
	(void)json_whole(json_get(&error, "status"), &status);
	message = json_decode(json_get(&error, "message"));
	for (i = 0; message && i < sizeof(words) / sizeof(*words); i++)
		found = found || strstr(message, words[i]);
	free(message);
	return status == 413 ||
	    json_is(json_get(&error, "type"), "request_too_large") ||
	    (status == 400 && found);
}

static bool
has_results(const struct agent *agent)
{
	return strstr(agent->messages.data, "\"tool_result\"") != NULL;
}

/* There is no way left: a person may know one. A task that cannot even begin has
 * failed. */
static bool
wait_for_room(struct agent *agent, int64_t now)
{
	if (agent->turns == 0)
		return false;
	agent->model_wait = WAIT_LIMIT;
	agent->model_not_before = now + FULL_WAIT_MS;
	return true;
}

bool
agent_compact_failed(struct agent *agent, const struct event *event)
{
	bool long_one = too_long(event);
	bool can_cut = !agent->was_cut && has_results(agent);

	if (agent->compacting == COMPACT_NONE && !long_one)
		return false;
	agent->model_not_before = agent->model_failed = 0;
	if (agent->compacting == COMPACT_NONE) {
		agent->overflow = agent->answered || can_cut;
		return agent->overflow || wait_for_room(agent, event->at);
	}
	if (agent->compacting == COMPACT_SERVICE) {
		agent->no_service = agent->no_service || !long_one;
		agent->overflow = agent->overflow || long_one;
	} else if (!agent->overflow) {
		agent->compact_after = size_now(agent) + agent->window / 20;
	} else if (can_cut) {
		agent->answered = 0; /* then results are cut */
	} else {
		return wait_for_room(agent, event->at);
	}
	return true;
}

/* ---- the event ---- */

/* Adds the message without thinking; nothing when nothing is left of it. */
static void
add_without_thinking(struct agent *agent, struct span message)
{
	struct buf content = BUF_INIT(TEXT_MAX);
	struct span blocks = { NULL, 0 }, block, type;

	(void)json_member(message, "content", &blocks);
	while (json_element(&blocks, &block)) {
		(void)json_member(block, "type", &type);
		if (json_is(type, "thinking") ||
		    json_is(type, "redacted_thinking"))
			continue;
		buf_add(&content, content.length ? "," : "[", 1);
		buf_add(&content, block.at, block.length);
	}
	if (content.length) {
		buf_add_string(&content, "]");
		agent_add_message(agent, "assistant",
		    (struct span){ content.data, content.length });
	}
	buf_release(&content);
}

static void
add_kept(struct agent *agent, struct span messages, int64_t skipped,
    bool thinking)
{
	struct span message, role = { NULL, 0 }, content = { NULL, 0 };

	while (json_element(&messages, &message)) {
		if (skipped-- > 0)
			continue;
		(void)json_member(message, "role", &role);
		(void)json_member(message, "content", &content);
		if (json_is(role, "assistant") && !thinking)
			add_without_thinking(agent, message);
		else
			agent_add_message(agent,
			    json_is(role, "user") ? "user" : "assistant",
			    content);
	}
}

/* Cuts TEXT, raw and with its quotes, to some LENGTH bytes. */
static void
add_cut(const struct agent *agent, struct buf *block, struct span result,
    struct span text, size_t length)
{
	struct span id = { NULL, 0 };
	struct buf shown = BUF_INIT(TEXT_MAX), quoted = BUF_INIT(TEXT_MAX);
	char *whole = json_decode(text), *call;
	size_t keep = utf8_cut(whole, strlen(whole), length);

	buf_add(&shown, whole, keep);
	buf_print(&shown,
	    AGENT_CUT_MARK
	    "the first %zu of %zu bytes are shown, because the conversation "
	    "had no room for more",
	    keep, strlen(whole));
	if (agent->read_tool && json_member(result, "tool_use_id", &id)) {
		call = json_decode(id);
		buf_print(&shown, "; " AGENT_READ_ON, agent->read_tool, call,
		    keep);
		free(call);
	}
	buf_add_string(&shown, "]");
	json_quote(&quoted, shown.data, shown.length);
	json_splice(block, result, "content",
	    (struct span){ quoted.data, quoted.length });
	buf_release(&shown);
	buf_release(&quoted);
	free(whole);
}

/* Adds the content of a message with its results cut to LENGTH bytes. */
static void
add_shorter(const struct agent *agent, struct buf *content, struct span blocks,
    size_t length)
{
	struct span block, type = { NULL, 0 }, text = { NULL, 0 };

	while (json_element(&blocks, &block)) {
		buf_add(content, content->length ? "," : "[", 1);
		(void)json_member(block, "type", &type);
		if (json_is(type, "tool_result") &&
		    json_member(block, "content", &text) && *text.at == '"' &&
		    text.length > length + 2)
			add_cut(agent, content, block, text, length);
		else
			buf_add(content, block.at, block.length);
	}
	buf_add_string(content, content->length ? "]" : "[]");
}

static void
cut_results(struct agent *agent, struct span messages, size_t length)
{
	struct span message, role = { NULL, 0 }, blocks = { NULL, 0 };
	struct buf content = BUF_INIT(TEXT_MAX);

	while (json_element(&messages, &message)) {
		(void)json_member(message, "role", &role);
		(void)json_member(message, "content", &blocks);
		buf_reset(&content);
		add_shorter(agent, &content, blocks, length);
		agent_add_message(agent,
		    json_is(role, "user") ? "user" : "assistant",
		    (struct span){ content.data, content.length });
	}
	buf_release(&content);
}

/* All of them are to fit half of the window. */
int64_t
agent_compact_cut(const struct agent *agent)
{
	const char *at = agent->messages.data;
	int64_t results = 1, bytes;

	while ((at = strstr(at, "\"tool_result\""))) {
		at++;
		results++;
	}
	bytes = agent->window / 2 * TOKEN_BYTES / results;
	return bytes > CUT_LEAST ? bytes : CUT_LEAST;
}

int
agent_compacted(struct agent *agent, const struct event *event,
    struct fail *fail)
{
	struct span by = json_get(&event->members, "by");
	struct span content = json_get(&event->members, "content");
	int64_t kept = agent_integer(&event->members, "kept");
	struct buf old = BUF_INIT(TEXT_MAX);
	bool cut = json_is(by, "cut"), service = json_is(by, "service");
	struct span all;

	if (agent->step != STEP_MODEL || agent->model_running == cut ||
	    (!cut && (agent->compacting == COMPACT_NONE || !content.length)))
		return agent_misplaced(event, "nothing is compacted", fail);
	buf_add_string(&old, ",");
	buf_add(&old, agent->messages.data, agent->messages.length);
	all = (struct span){ old.data, old.length };
	buf_reset(&agent->messages);
	if (cut) {
		cut_results(agent, all,
		    (size_t)agent_integer(&event->members, "bytes"));
	} else {
		agent_add_message(agent, service ? "assistant" : "user",
		    content);
		add_kept(agent, all, count(all) - kept, service);
	}
	buf_release(&old);
	agent->by_service = service || (cut && agent->by_service);
	agent->was_cut = cut;
	agent->overflow = agent->model_running = false;
	agent->compacting = COMPACT_NONE;
	agent->model_failed = agent->model_lost = 0;
	agent->model_not_before = agent->context = agent->compact_after = 0;
	if (!cut)
		agent->day_ends = 0; /* what is left may not tell it */
	agent->answered = agent->context_bytes = agent->marked = 0;
	agent_count_usage(agent, event);
	agent->prompt_tokens = 0;
	return 0;
}

/* ---- the request ---- */

/* The place behind the last byte before LENGTH that is no white space. */
static size_t
trim(const char *text, size_t length)
{
	while (length > 0 && strchr(" \t", text[length - 1]))
		length--;
	return length;
}

/* A cache entry was made at the end of the last request, and is found only within
 * 20 blocks before a marker: so its place is marked, however many blocks the last
 * turn had. The end of this request is marked by the request itself. */
static void
add_messages(const struct agent *agent, struct buf *body, size_t length)
{
	static const char marker[] =
	    ",\"cache_control\":{\"type\":\"ephemeral\"}";
	const char *text = agent->messages.data;
	size_t at = agent->marked;

	if (at == 0 || at >= length) {
		buf_add(body, text, length);
		return;
	}
	/* the last block ends before "]}" */
	at = trim(text, at) - 1;
	at = trim(text, at) - 1;
	at = trim(text, at) - 1;
	buf_add(body, text, at);
	buf_add_string(body, marker);
	buf_add(body, text + at, length - at);
}

void
agent_compact_request(const struct agent *agent, struct buf *body)
{
	size_t length = agent->compacting == COMPACT_SUMMARY
	    ? agent->compact_from
	    : agent->messages.length;

	add_messages(agent, body, length);
	if (agent->compacting == COMPACT_SUMMARY) {
		buf_add_string(body,
		    ",{\"role\":\"user\",\"content\":[{\"type\":\"text\","
		    "\"text\":");
		json_quote(body, ask_summary, strlen(ask_summary));
		buf_add_string(body, "}]}");
	}
	buf_add_string(body, "]");
	if (agent->compacting == COMPACT_SERVICE)
		buf_add_string(body,
		    ",\"compaction\":{\"type\":\"summarize\"}");
}

enum agent_compaction
agent_compaction(const struct agent *agent, int64_t *ret_kept)
{
	size_t from = agent->compact_from;

	*ret_kept = 0;
	if (agent->compacting == COMPACT_NONE)
		return AGENT_COMPACTS_NOT;
	if (agent->compacting == COMPACT_SERVICE)
		return AGENT_COMPACTS_BY_SERVICE;
	if (from < agent->messages.length)
		*ret_kept = count((struct span){ agent->messages.data + from,
		    agent->messages.length - from });
	return AGENT_COMPACTS_BY_SUMMARY;
}

bool
agent_compact_beta(const struct agent *agent)
{
	return agent->compacting == COMPACT_SERVICE || agent->by_service;
}
