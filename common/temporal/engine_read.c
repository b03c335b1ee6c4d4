/* SPDX-License-Identifier: ISC */
/*
 * How it works: a task is read anew for each question (task_reader.c), except
 * by a follower, who asks for the events of the same task again and again:
 * its reader stays, and reads on while the follower waits.
 *
 * A probe asks the server for the run and the length of its history, one call
 * for a task. Only when one of them is another than last time is the history
 * read, for the state and the user, so a task that nothing happens to costs
 * little however long it is. What the model has said so far is in the
 * heartbeats of an activity, which are no part of the history, so they count.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/digest.h"
#include "common/base/mem.h"
#include "common/temporal/engine_internal.h"
#include "common/temporal/task_reader.h"

#define OBJECT_MAX ((size_t)EVENT_MAX + (16u << 20))
#define PENDING_MAX ((size_t)EVENT_MAX * 4)

/* ---- one task ---- */

/* RET is the reply, in ANSWER. */
static int
describe(struct engine_temporal *own, const char *id,
    struct temporal_answer *answer,
    const Api__DescribeWorkflowExecutionResponse **ret, struct fail *fail)
{
	if (temporal_describe(own->temporal, id, NULL, answer, fail) < 0)
		return -1;
	*ret = (const Api__DescribeWorkflowExecutionResponse *)(void *)
		   answer->message;
	return 0;
}

/* The text so far of a turn under way is in the heartbeats. */
static int
add_progress(struct engine_temporal *own, const char *id, struct buf *members,
    struct fail *fail)
{
	const Api__DescribeWorkflowExecutionResponse *description;
	struct temporal_answer answer = { .done = false };
	struct span details, text;
	int result = describe(own, id, &answer, &description, fail);
	size_t i;

	for (i = 0; result == 0 && i < description->n_pending_activities; i++)
		if (temporal_value(
			description->pending_activities[i]->heartbeat_details,
			0, &details) &&
		    json_member(details, "text", &text)) {
			member_raw(members, "progress", text.at, text.length);
			break;
		}
	temporal_answer_release(&answer);
	return result;
}

static struct span
text_of(const char *string)
{
	return (struct span){ string, string != NULL ? strlen(string) : 0 };
}

int
engine_temporal_get(struct engine *engine, const char *id, struct buf *buf,
    struct fail *fail)
{
	struct engine_temporal *own = engine_temporal_own(engine);
	struct buf members = BUF_INIT(OBJECT_MAX);
	struct task_reader *reader = NULL;
	const char *unread;
	struct task_row row;
	int result = -1;

	if (engine_temporal_check_id(id, fail) < 0)
		return -1;
	reader = task_reader_new(own->temporal, id);
	if (task_reader_read(reader, fail) < 0)
		goto out;
	task_reader_members(reader, &members);
	unread = temporal_history_facts(reader->history).unread;
	if (task_reader_row(reader, &row)) {
		row_ends(&members, &row, text_of(reader->task),
		    text_of(reader->last));
		if (row.state == TASK_RUNNING &&
		    add_progress(own, id, &members, fail) < 0)
			goto out;
	} else if (unread != NULL) {
		member_raw(&members, "task", unread, strlen(unread));
	}
	buf_add_string(buf, "{");
	buf_add(buf, members.data, members.length);
	buf_add_string(buf, "}");
	result = 0;
out:
	task_reader_free(reader);
	buf_release(&members);
	return result;
}

/* ---- its events ---- */

struct follower {
	struct task_reader *reader;
	bool waiting; /* for what comes from now on */
	/* events are given to EVENT, and are pending while that is NULL */
	int (*event)(void *context, struct span text);
	void *context;
	int stopped;        /* what EVENT returned */
	uint64_t seen;      /* of events given out */
	struct buf pending; /* texts, each with a NUL behind it */
};

static void
take_event(void *context, const struct event *event)
{
	struct follower *follower = context;

	if (event->seq <= follower->seen)
		return;
	if (follower->event == NULL) {
		buf_add(&follower->pending, event->text.at, event->text.length);
		buf_add(&follower->pending, "", 1);
	} else if (follower->stopped == 0) {
		follower->stopped = follower->event(follower->context,
		    event->text);
	}
	follower->seen = event->seq;
}

void
engine_temporal_unfollow(struct engine_temporal *own)
{
	struct follower *follower = own->follower;

	if (follower == NULL)
		return;
	task_reader_free(follower->reader);
	buf_release(&follower->pending);
	free(follower);
	own->follower = NULL;
}

static int
give_pending(struct follower *follower,
    int (*event)(void *context, struct span text), void *context)
{
	size_t at, length;
	int result = 0;

	for (at = 0; at < follower->pending.length && result == 0;
	     at += length + 1) {
		length = strlen(follower->pending.data + at);
		result = event(context,
		    (struct span){ follower->pending.data + at, length });
	}
	buf_reset(&follower->pending);
	return result;
}

int
engine_temporal_events(struct engine *engine, const char *id, uint64_t after,
    int (*event)(void *context, struct span text), void *context,
    struct fail *fail)
{
	struct engine_temporal *own = engine_temporal_own(engine);
	struct follower *follower = own->follower;
	int result;

	if (engine_temporal_check_id(id, fail) < 0)
		return -1;
	if (follower != NULL && follower->waiting &&
	    strcmp(follower->reader->id, id) == 0)
		return give_pending(follower, event, context);
	engine_temporal_unfollow(own);
	own->follower = follower = mem_alloc(sizeof(*follower));
	*follower = (struct follower){ .event = event,
		.context = context,
		.seen = after,
		.pending = BUF_INIT(PENDING_MAX),
		.reader = task_reader_new(own->temporal, id) };
	follower->reader->event = take_event;
	follower->reader->context = follower;
	task_reader_begin(follower->reader);
	result = task_reader_finish(follower->reader, fail);
	follower->event = NULL;
	return result < 0 ? -1 : follower->stopped;
}

int
engine_temporal_wait(struct engine *engine, int64_t milliseconds,
    struct fail *fail)
{
	struct engine_temporal *own = engine_temporal_own(engine);
	struct follower *follower = own->follower;
	int64_t until = clock_boot() + milliseconds;
	struct task_reader *reader;
	size_t before;

	if (follower == NULL ||
	    (follower->waiting && follower->reader->ended &&
		!follower->reader->failed))
		return temporal_pause(own->temporal, milliseconds, fail);
	reader = follower->reader;
	before = follower->pending.length;
	if (!follower->waiting) {
		follower->waiting = true;
		task_reader_follow(reader);
	}
	while (!reader->ended && follower->pending.length == before &&
	    clock_boot() < until)
		if (loop_turn(temporal_loop(own->temporal), until, fail) < 0)
			return -1;
	if (reader->failed)
		*fail = reader->why;
	return reader->failed ? -1 : 0;
}

/* ---- whether it has changed ---- */

static uint64_t
version_of(const Api__DescribeWorkflowExecutionResponse *description)
{
	const Api__WorkflowExecutionInfo *info = description
						     ->workflow_execution_info;
	struct buf text = BUF_INIT(OBJECT_MAX);
	uint8_t digest[DIGEST_SIZE];
	struct span details;
	uint64_t version;
	size_t i;

	if (info != NULL)
		buf_print(&text, "%s %" PRId64,
		    info->execution != NULL ? info->execution->run_id : "",
		    info->history_length);
	for (i = 0; i < description->n_pending_activities; i++)
		if (temporal_value(
			description->pending_activities[i]->heartbeat_details,
			0, &details))
			buf_add(&text, details.at, details.length);
	digest_bytes(text.data, text.length, digest);
	memcpy(&version, digest, sizeof(version));
	buf_release(&text);
	return version;
}

/* The task that was probed before, or a free place for it. */
static struct probed_task *
find_probed(struct engine_temporal *own, const char *id)
{
	size_t i;

	for (i = 0; i < own->probed_count; i++)
		if (strcmp(own->probed[i].id, id) == 0)
			return &own->probed[i];
	if (i < PROBED_MAX)
		own->probed_count++;
	else
		i = own->next_probed++ % PROBED_MAX;
	free(own->probed[i].id);
	own->probed[i] = (struct probed_task){ .id = mem_string(id) };
	return &own->probed[i];
}

/* Reads its state and its user. */
static int
read_probed(struct engine_temporal *own, struct probed_task *task,
    struct fail *fail)
{
	struct task_reader *reader = task_reader_new(own->temporal, task->id);
	int result = task_reader_read(reader, fail);
	struct task_row row;

	task->known = result == 0 && task_reader_row(reader, &row);
	if (task->known) {
		task->state = row.state;
		memcpy(task->user, row.user, sizeof(task->user));
	}
	task_reader_free(reader);
	return result;
}

static int
probe_one(struct engine_temporal *own, struct engine_probe *probe,
    struct fail *fail)
{
	const Api__DescribeWorkflowExecutionResponse *description;
	struct temporal_answer answer = { .done = false };
	struct probed_task *task;
	int result = describe(own, probe->id, &answer, &description, fail);

	if (result == 0)
		probe->version = version_of(description);
	temporal_answer_release(&answer);
	if (result < 0)
		return strcmp(fail->type, "not_found") == 0 ? 0 : -1;
	task = find_probed(own, probe->id);
	if (!task->known || task->version != probe->version) {
		result = read_probed(own, task, fail);
		task->version = probe->version;
	}
	probe->found = task->known;
	probe->state = task->state;
	memcpy(probe->user, task->user, sizeof(probe->user));
	return result == 0 || strcmp(fail->type, "no_task") == 0 ? 0 : -1;
}

int
engine_temporal_probe(struct engine *engine, struct engine_probe *probes,
    size_t count, struct fail *fail)
{
	struct engine_temporal *own = engine_temporal_own(engine);
	int result = 0;
	size_t i;

	for (i = 0; i < count && result == 0; i++) {
		probes[i].found = false;
		if (engine_temporal_check_id(probes[i].id, fail) == 0)
			result = probe_one(own, &probes[i], fail);
	}
	return result;
}
