/* SPDX-License-Identifier: ISC */
/*
 * How it works: a task's id is its workflow's. With a key the id is made from
 * the user and the key, so that the server itself ensures that there is only one
 * such task, and refuses another start; the input of the first one then shows
 * whether it is the same task.
 */
#include "common/temporal/start_request.h"

#include <stdlib.h>
#include <string.h>

#include "common/agent/task_row.h"
#include "common/base/clock.h"
#include "common/base/digest.h"
#include "common/base/mem.h"

#define MEMO_MAX (64u << 10)
#define TASK_MS 5000 /* a dead worker's workflow task is repeated */

/* A UUID of version 8 (RFC 9562), made from the user's key. */
static void
key_id(const struct task *task, char ret[ID_TEXT])
{
	uint8_t digest[DIGEST_SIZE];
	struct buf text = BUF_INIT(64u << 10);
	struct id id;

	buf_add(&text, task->user, strlen(task->user) + 1);
	buf_add(&text, task->key, strlen(task->key));
	digest_bytes(text.data, text.length, digest);
	memcpy(id.bytes, digest, sizeof(id.bytes));
	id.bytes[6] = (uint8_t)((id.bytes[6] & 0x0f) | 0x80);
	id.bytes[8] = (uint8_t)((id.bytes[8] & 0x3f) | 0x80);
	id_format(&id, ret);
	buf_release(&text);
}

static struct span
quoted(struct buf *buf, const char *string)
{
	*buf = BUF_INIT(MEMO_MAX);
	json_quote(buf, string, strlen(string));
	return (struct span){ buf->data, buf->length };
}

static void
add_memo(struct start_request *start, const char *name, const char *value)
{
	size_t at = start->start.memo_count;

	if (value == NULL)
		return;
	start->fields[at].name = name;
	start->fields[at].json = quoted(&start->memo[at], value);
	start->start.memo_count++;
}

static void
fill_input(struct start_request *start)
{
	const struct span *pins = &start->submission->pins;

	start->doc = json_text(start->submission->task->doc);
	start->input = BUF_INIT(EVENT_MAX);
	buf_add_string(&start->input, "{\"task\":");
	buf_add_string(&start->input, start->doc);
	buf_add_string(&start->input, "}");
	start->start.input = (struct span){ start->input.data,
		start->input.length };
	start->pins = BUF_INIT(EVENT_MAX);
	if (pins->length == 0)
		return;
	buf_add_string(&start->pins, "{");
	buf_add(&start->pins, pins->at, pins->length);
	buf_add_string(&start->pins, "}");
	start->start.more = (struct span){ start->pins.data,
		start->pins.length };
}

void
start_request_fill(struct start_request *start, struct submission *submission,
    const char *cron, bool attributes)
{
	const struct task *task = submission->task;
	int64_t now = clock_wall();
	char priority[8] = { (char)('0' + task->priority), '\0' };
	char title[81];

	*start = (struct start_request){ .submission = submission };
	if (task->key != NULL)
		key_id(task, start->id);
	else
		id_new_text(start->id);
	fill_input(start);
	row_cut(title, sizeof(title), task->goal);
	add_memo(start, "user", task->user);
	add_memo(start, "title", title);
	add_memo(start, "queue", task->queue);
	add_memo(start, "priority", priority);
	start->fields[start->start.memo_count - 1].json = (struct span){
		start->memo[3].data + 1, 1
	};
	add_memo(start, "key", task->key);
	add_memo(start, "cron", cron);
	start->attributes[0] = (struct temporal_field){ TEMPORAL_USER,
		start->fields[0].json };
	start->attributes[1] = (struct temporal_field){ TEMPORAL_STATE,
		{ "\"queued\"", 8 } };
	start->title = BUF_INIT(256);
	buf_add_string(&start->title, title);
	start->queue = mem_print(TEMPORAL_QUEUE_PREFIX "%s", task->queue);
	start->start.id = start->id;
	start->start.type = TEMPORAL_WORKFLOW;
	start->start.queue = start->queue;
	start->start.memo = start->fields;
	start->start.attributes = start->attributes;
	start->start.attribute_count = attributes ? 2 : 0;
	start->start.summary = start->title.data;
	/* ours: 9 first, 0 last; the server's: 1 first, 5 last */
	start->start.priority = 5 - (int)task->priority / 2;
	start->start.fairness = task->user;
	start->start.reuse = TEMPORAL_ENUM(WORKFLOW_ID_REUSE_POLICY,
	    REJECT_DUPLICATE);
	start->start.conflict = TEMPORAL_ENUM(WORKFLOW_ID_CONFLICT_POLICY,
	    FAIL);
	start->start.task_ms = TASK_MS;
	start->start.delay_ms = task->not_before > now ? task->not_before - now
						       : 0;
}

void
start_request_release(struct start_request *start)
{
	size_t i;

	temporal_answer_release(&start->answer);
	free(start->doc);
	free(start->queue);
	buf_release(&start->input);
	buf_release(&start->pins);
	buf_release(&start->title);
	for (i = 0; i < start->start.memo_count; i++)
		buf_release(&start->memo[i]);
}

void
start_request_again(struct start_request *start, const Api__Payloads *input)
{
	struct submission *submission = start->submission;
	struct span text, task;

	submission->existing = temporal_value(input, 0, &text) &&
	    json_member(text, "task", &task) &&
	    task.length == strlen(start->doc) &&
	    memcmp(task.at, start->doc, task.length) == 0;
	submission->refused = !submission->existing;
	if (submission->refused)
		fail_set(&submission->fail, FAIL_NO, "key_conflict",
		    "the key \"%s\" was used for another task, %s: use "
		    "another key, or submit the same task",
		    submission->task->key, submission->id);
}
