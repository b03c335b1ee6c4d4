/* SPDX-License-Identifier: ISC */
/*
 * How it works: a task's id is its workflow's. With a key the id is made from
 * the user and the key, so that the server itself ensures that there is only one
 * such task, and refuses another start; the input of the first one then shows
 * whether it is the same task.
 *
 * The first start of a batch is sent alone, to find out whether the server is
 * available and knows our search attributes. The others are sent WINDOW at a
 * time.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/digest.h"
#include "common/base/id.h"
#include "common/base/mem.h"
#include "common/temporal/engine_internal.h"

#define WINDOW 32
#define MEMO_MAX (64u << 10)
#define TASK_MS 5000        /* a dead worker's workflow task is repeated */
#define ATTRIBUTES_MS 15000 /* until every part of the server knows them */

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
	struct id id = id_new();

	*start = (struct start_request){ .submission = submission };
	if (task->key != NULL)
		key_id(task, start->id);
	else
		id_format(&id, start->id);
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

int
engine_temporal_add_attributes(struct engine_temporal *own, struct fail *fail)
{
	Api__AddSearchAttributesRequest__SearchAttributesEntry entries[2];
	Api__AddSearchAttributesRequest__SearchAttributesEntry *list[2];
	char user[] = TEMPORAL_USER, state[] = TEMPORAL_STATE;
	struct temporal_answer answer = { .done = false };
	Api__AddSearchAttributesRequest request;
	char *space = mem_string(temporal_namespace(own->temporal));
	int result;
	size_t i;

	api__add_search_attributes_request__init(&request);
	for (i = 0; i < 2; i++) {
		api__add_search_attributes_request__search_attributes_entry__init(
		    &entries[i]);
		entries[i].key = i == 0 ? user : state;
		entries[i].value = TEMPORAL_ENUM(INDEXED_VALUE_TYPE, KEYWORD);
		list[i] = &entries[i];
	}
	request.n_search_attributes = 2;
	request.search_attributes = list;
	request.namespace_ = space;
	result = temporal_send(own->temporal, TEMPORAL_ATTRIBUTES_ADD,
	    &request.base, &answer, fail);
	if (result == 0)
		result = temporal_wait(own->temporal, &answer, fail);
	if (result < 0 && strcmp(fail->type, "already_exists") == 0)
		result = 0;
	temporal_answer_release(&answer);
	free(space);
	return result;
}

/* ---- a batch ---- */

/* The key was used before: reads the input of that workflow. */
static int
compare(struct engine_temporal *own, struct start_request *start,
    struct fail *fail)
{
	struct temporal_page page = { .id = start->id, .size = 1 };
	Api__GetWorkflowExecutionHistoryResponse *response;
	const Api__HistoryEvent *first;
	int result;

	if (temporal_history(own->temporal, &page, &start->answer, fail) < 0)
		return -1;
	result = temporal_wait(own->temporal, &start->answer, fail);
	if (result < 0)
		return -1;
	response = (Api__GetWorkflowExecutionHistoryResponse *)(void *)
		       start->answer.message;
	first = response->history != NULL && response->history->n_events > 0
	    ? response->history->events[0]
	    : NULL;
	start_request_again(start,
	    first != NULL &&
		    first->event_type ==
			TEMPORAL_EVENT(WORKFLOW_EXECUTION_STARTED)
		? first->workflow_execution_started_event_attributes->input
		: NULL);
	return 0;
}

/* Handles the answer to one start. It is a failure only when the server cannot
 * be asked, which concerns all others, too. */
static int
finish(struct engine_temporal *own, struct start_request *start,
    struct fail *fail)
{
	struct submission *submission = start->submission;
	struct fail why;

	memcpy(submission->id, start->id, ID_TEXT);
	if (temporal_wait(own->temporal, &start->answer, &why) == 0)
		return 0;
	if (strcmp(why.type, "already_exists") == 0 &&
	    submission->task->key != NULL && compare(own, start, &why) == 0)
		return 0;
	if (why.kind == FAIL_NOT_NOW || strcmp(why.type, "no_namespace") == 0 ||
	    engine_temporal_no_attribute(&why)) {
		*fail = why;
		return -1;
	}
	submission->refused = true;
	submission->fail = why;
	return 0;
}

static int
begin(struct engine_temporal *own, struct start_request *start,
    struct fail *fail)
{
	struct submission *submission = start->submission;
	struct fail why;

	if (start->start.input.length + start->start.more.length <=
	    TEMPORAL_BLOB_MAX)
		return temporal_start(own->temporal, &start->start,
		    &start->answer, fail);
	fail_set(&why, FAIL_NEVER, "too_large",
	    "the task and its tools have %zu bytes, and Temporal takes %zu: "
	    "name fewer tools in it",
	    start->start.input.length + start->start.more.length,
	    TEMPORAL_BLOB_MAX);
	submission->refused = true;
	submission->fail = why;
	return 0;
}

/* Sends the first one; adds the search attributes if the server lacks them. */
static int
submit_first(struct engine_temporal *own, struct start_request *start,
    struct fail *fail)
{
	int64_t until = 0;
	int result;

	for (;;) {
		result = begin(own, start, fail);
		if (result == 0 && !start->submission->refused)
			result = finish(own, start, fail);
		if (result == 0 || own->plain ||
		    !engine_temporal_no_attribute(fail))
			return result;
		if (until == 0) {
			until = clock_boot() + ATTRIBUTES_MS;
			own->plain = engine_temporal_add_attributes(own, fail) <
			    0;
		}
		own->plain = own->plain || clock_boot() > until;
		if (own->plain)
			start->start.attribute_count = 0;
		else if (engine_temporal_pause(own, 100, fail) < 0)
			return -1;
	}
}

/* After a failure the other starts were not sent, or their outcome is unknown. */
static void
fail_rest(struct submission *submissions, size_t from, size_t count,
    const struct fail *fail)
{
	size_t i;

	for (i = from; i < count; i++) {
		submissions[i].refused = true;
		submissions[i].fail = *fail;
	}
}

static int
submit_rest(struct engine_temporal *own, struct start_request *starts,
    struct submission *submissions, size_t count, struct fail *fail)
{
	size_t sent = 1, finished = 1;
	int result = 0;

	while (finished < count) {
		while (sent < count && sent - finished < WINDOW) {
			start_request_fill(&starts[sent], &submissions[sent],
			    NULL, !own->plain);
			result = begin(own, &starts[sent++], fail);
			if (result < 0)
				goto out;
		}
		if (!submissions[finished].refused)
			result = finish(own, &starts[finished], fail);
		if (result < 0)
			goto out;
		start_request_release(&starts[finished++]);
	}
out:
	if (result < 0)
		fail_rest(submissions, finished, count, fail);
	while (finished < sent)
		start_request_release(&starts[finished++]);
	return 0;
}

int
engine_temporal_submit(struct engine *engine, struct submission *submissions,
    size_t count, struct fail *fail)
{
	struct engine_temporal *own = engine_temporal_own(engine);
	struct start_request *starts;
	int result;

	if (count == 0)
		return 0;
	starts = mem_alloc(count * sizeof(*starts));
	start_request_fill(&starts[0], &submissions[0], NULL, !own->plain);
	result = submit_first(own, &starts[0], fail);
	start_request_release(&starts[0]);
	if (result == 0)
		result = submit_rest(own, starts, submissions, count, fail);
	free(starts);
	return result;
}
