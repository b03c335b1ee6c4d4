/* SPDX-License-Identifier: ISC */
/*
 * Everything is read from the same JSON that programs get, so a person sees
 * nothing that a program cannot. Missing members are left out.
 */
#include "common/cli/view.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/fail.h"
#include "common/base/utf8.h"
#include "common/json/json.h"

#define PLAIN \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.@:/+"
#define LINE_MAX_BYTES 100 /* of text taken from users in one line */

/* TEXT with its control characters visible and white space as blanks; cut with
 * dots after LIMIT bytes (0: not). Line ends stay when INDENT is not NULL: it is
 * put before each line. */
static void
add_text(struct buf *buf, const char *text, size_t limit, const char *indent)
{
	size_t i, step, length = strlen(text);

	for (i = 0; i < length; i += step) {
		step = utf8_step(text + i, length - i);
		step += step == 0;
		if (limit && i >= limit) {
			buf_add_string(buf, "...");
			return;
		}
		if (text[i] == '\n' && indent)
			buf_print(buf, "\n%s", indent);
		else if (text[i] >= '\t' && text[i] <= '\r')
			buf_add(buf, " ", 1);
		else
			utf8_visible(buf, text + i, step);
	}
}

static int64_t
number(const cJSON *object, const char *name)
{
	int64_t value = 0;

	json_integer(object, name, &value);
	return value;
}

static double
dollars(const cJSON *task)
{
	const cJSON *usd = json_item(task, "cost_usd");

	return cJSON_IsNumber(usd) ? usd->valuedouble : 0;
}

/* An age in two or three characters and a unit. */
static void
add_age(struct buf *buf, const cJSON *object, const char *name, int64_t now,
    int width)
{
	const char *text = json_string(object, name);
	int64_t at, seconds;
	struct fail fail;

	if (!text || clock_parse(text, &at, &fail) < 0) {
		buf_print(buf, "%*s", width, "-");
		return;
	}
	seconds = at < now ? (now - at) / 1000 : 0;
	if (seconds < 120)
		buf_print(buf, "%*" PRId64 "s", width - 1, seconds);
	else if (seconds < 120 * 60)
		buf_print(buf, "%*" PRId64 "m", width - 1, seconds / 60);
	else if (seconds < 48 * 3600)
		buf_print(buf, "%*" PRId64 "h", width - 1, seconds / 3600);
	else
		buf_print(buf, "%*" PRId64 "d", width - 1, seconds / 86400);
}

void
view_header(struct buf *buf)
{
	buf_print(buf, "%-9s  %-36s  %4s  %5s  %8s  %s\n", "STATE", "ID", "AGE",
	    "TURNS", "COST", "TASK");
}

void
view_row(struct buf *buf, const cJSON *task, int64_t now)
{
	const char *state = json_string(task, "state");
	const char *id = json_string(task, "id");
	const char *title = json_string(task, "title");
	const char *error = json_string(json_item(task, "error"), "message");
	char cost[32];

	buf_print(buf, "%-9s  %-36s  ", state ? state : "-", id ? id : "-");
	add_age(buf, task, "created_at", now, 4);
	snprintf(cost, sizeof(cost), "$%.4f", dollars(task));
	buf_print(buf, "  %5" PRId64 "  %8s  ", number(task, "turns"), cost);
	add_text(buf, error ? error : title ? title : "-", 80, NULL);
	buf_add(buf, "\n", 1);
}

static void
add_line(struct buf *buf, const cJSON *task, const char *name,
    const char *label)
{
	const char *text = json_string(task, name);

	if (!text || !*text)
		return;
	buf_print(buf, "%-10s", label);
	add_text(buf, text, 0, "          ");
	buf_add(buf, "\n", 1);
}

/* A word of a command, as the shell takes it. */
static void
add_word(struct buf *buf, const char *word)
{
	bool plain = word[strspn(word, PLAIN)] == '\0';

	buf_add_string(buf, plain ? " " : " '");
	for (; *word; word++)
		buf_print(buf, *word == '\'' ? "'\\%c'" : "%c", *word);
	if (!plain)
		buf_add(buf, "'", 1);
}

/* The command that lets a person mend a connection. */
static void
add_connect(struct buf *buf, const cJSON *task)
{
	const cJSON *wait = json_item(task, "waiting");
	const char *kind = json_string(wait, "for");
	const char *words[] = { json_string(task, "user"),
		json_string(wait, "toolkit") };
	struct buf command = BUF_INIT(1u << 16);

	if (!kind || strcmp(kind, "connection") != 0 || !words[0] || !words[1])
		return;
	buf_add_string(&command, "agent-connections --link --user");
	for (size_t i = 0; i < 2; i++)
		add_word(&command, words[i]);
	buf_print(buf, "%-10s", "connect");
	add_text(buf, command.data, 0, NULL);
	buf_release(&command);
	buf_add(buf, "\n", 1);
}

void
view_card(struct buf *buf, const cJSON *task, int64_t now)
{
	static const char *const lines[][2] = {
		{ "id", "task" },
		{ "title", "goal" },
		{ "state", "state" },
		{ "reason", "because" },
		{ "due", "until" },
		{ "user", "user" },
		{ "queue", "queue" },
		{ "key", "key" },
		{ "worker", "worker" },
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		add_line(buf, task, lines[i][0], lines[i][1]);
	add_connect(buf, task);
	buf_print(buf, "%-10s", "age");
	add_age(buf, task, "created_at", now, 1);
	buf_add_string(buf, ", last change ");
	add_age(buf, task, "updated_at", now, 1);
	buf_add_string(buf, " ago\n");
	buf_print(buf, "%-10s%" PRId64 " turns, %" PRId64 " tool calls", "work",
	    number(task, "turns"), number(task, "calls"));
	if (number(task, "calls_unknown"))
		buf_print(buf, " (%" PRId64 " in doubt)",
		    number(task, "calls_unknown"));
	buf_print(buf,
	    "\n%-10s$%.4f; tokens: %" PRId64 " in, %" PRId64 " out, %" PRId64
	    " from cache\n",
	    "cost", dollars(task), number(task, "input_tokens"),
	    number(task, "output_tokens"), number(task, "cache_read_tokens"));
	add_line(buf, task, "progress", "progress");
	add_line(buf, task, "result", "result");
}

/* The most useful members of events, in the order of the output. */
static void
add_members(struct buf *buf, const cJSON *event)
{
	static const char *const names[] = { "turn", "attempt", "call", "tool",
		"signal", "by", "policy", "stop_reason", "is_error", "worker",
		"reason", "until", "delay_ms", "message", "result" };
	const cJSON *error;
	const char *text;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const cJSON *member = json_item(event, names[i]);

		if (cJSON_IsString(member) && *member->valuestring) {
			buf_print(buf, "  %s=", names[i]);
			add_text(buf, member->valuestring, LINE_MAX_BYTES,
			    NULL);
		} else if (cJSON_IsNumber(member)) {
			buf_print(buf, "  %s=%.0f", names[i],
			    member->valuedouble);
		} else if (cJSON_IsTrue(member)) {
			buf_print(buf, "  %s", names[i]);
		}
	}
	error = json_item(event, "error");
	text = cJSON_IsString(error) ? error->valuestring
				     : json_string(error, "message");
	if (text) {
		buf_add_string(buf, "  error=");
		add_text(buf, text, LINE_MAX_BYTES, NULL);
	}
}

void
view_event(struct buf *buf, const cJSON *event, int64_t now)
{
	const char *at = json_string(event, "at");
	const char *type = json_string(event, "type");
	const char *clock = at && strlen(at) > 11 ? at + 11 : "-";

	(void)now;
	buf_print(buf, "%4" PRId64 "  %-13s %-15s", number(event, "seq"), clock,
	    type ? type : "-");
	add_members(buf, event);
	while (buf->length && buf->data[buf->length - 1] == ' ')
		buf->data[--buf->length] = '\0';
	buf_add(buf, "\n", 1);
}
