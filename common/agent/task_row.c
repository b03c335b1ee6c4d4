/* SPDX-License-Identifier: ISC */
/*
 * How it works: an engine fills a row from a task and from its agent, and the
 * row is written as the members of one JSON object, so that a reader cannot
 * tell which engine it came from.
 */
#include "common/agent/task_row.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/utf8.h"

void
row_cut(char *target, size_t size, const char *text)
{
	size_t length = utf8_cut(text, strcspn(text, "\r\n"), size - 1);

	memcpy(target, text, length);
	target[length] = '\0';
}

void
row_begin(struct task_row *row, const struct task *task, int64_t now)
{
	*row = (struct task_row){
		.state = TASK_QUEUED,
		.priority = (uint8_t)task->priority,
		.created_at = now,
		.updated_at = now,
		.due = task->not_before > now ? task->not_before : 0,
	};
	row_cut(row->user, sizeof(row->user), task->user);
	row_cut(row->queue, sizeof(row->queue), task->queue);
	row_cut(row->key, sizeof(row->key), task->key ? task->key : "");
	row_cut(row->title, sizeof(row->title), task->goal);
}

void
row_wait(struct task_row *row, enum wait_kind kind, int64_t since,
    const char *reason)
{
	row->wait = kind;
	row->since = since;
	row->toolkit[0] = row->call[0] = row->link[0] = '\0';
	row_cut(row->reason, sizeof(row->reason), reason);
}

void
row_wait_older(struct task_row *row)
{
	row->wait = wait_split(row->reason, NULL);
	row->since = row->updated_at;
}

/* What is only useful whole is left out when it is too long. */
static void
row_whole(char *target, size_t size, const char *text)
{
	if (text && strlen(text) < size)
		row_cut(target, size, text);
}

void
row_follow(struct task_row *row, const struct agent *agent, int64_t now)
{
	struct agent_summary summary;

	agent_summary(agent, &summary);
	row->state = summary.state;
	row->due = summary.due;
	if (row->state == TASK_QUEUED && agent_task(agent)->not_before > now)
		row->due = agent_task(agent)->not_before;
	row->updated_at = now;
	row->turns = summary.turns;
	row->calls = summary.calls;
	row->calls_unknown = summary.calls_unknown;
	row->input_tokens = summary.input_tokens;
	row->output_tokens = summary.output_tokens;
	row->cache_read_tokens = summary.cache_read_tokens;
	row->cache_write_tokens = summary.cache_write_tokens;
	row->nano_usd = summary.nano_usd;
	row->reserved_nano_usd = summary.reserved_nano_usd;
	row_wait(row, summary.wait, summary.since,
	    summary.reason ? summary.reason : "");
	row_whole(row->toolkit, sizeof(row->toolkit), summary.toolkit);
	row_whole(row->call, sizeof(row->call), summary.call);
	row_whole(row->link, sizeof(row->link), summary.link);
}

static void
member_time(struct buf *buf, const char *name, int64_t wall)
{
	char text[CLOCK_TEXT];

	if (!wall)
		return;
	clock_format(wall, text);
	member_string(buf, name, text);
}

static void
member_usd(struct buf *buf, const char *name, int64_t nano)
{
	char *text = mem_print("%" PRId64 ".%09" PRId64, nano / 1000000000,
	    nano % 1000000000);

	member_raw(buf, name, text, strlen(text));
	free(text);
}

static void
member_optional(struct buf *buf, const char *name, const char *value)
{
	if (*value)
		member_string(buf, name, value);
}

static void
add_waiting(struct buf *buf, const struct task_row *row, struct span decisions)
{
	const char *message;

	(void)wait_split(row->reason, &message);
	member_raw(buf, "waiting", "{", 1);
	member_string(buf, "for", wait_name(row->wait));
	member_time(buf, "since", row->since);
	member_time(buf, "until", row->due);
	member_string(buf, "message", message);
	member_optional(buf, "link", row->link);
	member_optional(buf, "call", row->call);
	member_optional(buf, "toolkit", row->toolkit);
	if (decisions.length)
		member_raw(buf, "decisions", decisions.at, decisions.length);
	buf_add_string(buf, "}");
}

void
row_members(struct buf *buf, const struct task_row *row, const char *id,
    const char *worker, struct span decisions)
{
	const struct {
		const char *name;
		int64_t value;
	} numbers[] = {
		{ "seq", (int64_t)row->seq },
		{ "turns", row->turns },
		{ "calls", row->calls },
		{ "calls_unknown", row->calls_unknown },
		{ "input_tokens", row->input_tokens },
		{ "output_tokens", row->output_tokens },
		{ "cache_read_tokens", row->cache_read_tokens },
		{ "cache_write_tokens", row->cache_write_tokens },
	};
	size_t i;

	member_string(buf, "id", id);
	member_string(buf, "state", task_state_name(row->state));
	member_optional(buf, "reason", row->reason);
	if (row->state == TASK_WAITING)
		add_waiting(buf, row, decisions);
	member_string(buf, "user", row->user);
	member_string(buf, "queue", row->queue);
	member_integer(buf, "priority", row->priority);
	member_string(buf, "title", row->title);
	member_optional(buf, "key", row->key);
	member_time(buf, "created_at", row->created_at);
	member_time(buf, "updated_at", row->updated_at);
	member_time(buf, "due", row->due);
	if (worker)
		member_string(buf, "worker", worker);
	for (i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		member_integer(buf, numbers[i].name, numbers[i].value);
	member_usd(buf, "cost_usd", row->nano_usd);
}

void
row_ends(struct buf *buf, const struct task_row *row, struct span task,
    struct span last)
{
	struct span value;

	if (task.length)
		member_raw(buf, "task", task.at, task.length);
	if (!last.length || !task_state_final(row->state))
		return;
	if (json_member(last, "result", &value))
		member_raw(buf, "result", value.at, value.length);
	if (json_member(last, "error", &value))
		member_raw(buf, "error", value.at, value.length);
}
