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
#include "common/base/utf8.h"

#define FAIRNESS_MAX 64 /* bytes that the server takes */
#define TASK_MS 5000    /* a dead worker's workflow task is repeated */

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

/* The task goes on from another one, whose events follow it. */
static void
fill_journal(struct start_request *start)
{
	const struct span *journal = &start->submission->journal;
	const char *at = journal->at, *last = at + journal->length, *end;
	char *text = mem_print("{\"task\":%s,\"continued\":{\"steps\":0,"
			       "\"runs\":[]}}",
	    start->doc);
	Api__Payloads *made = heap_payloads(
	    (struct span){ text, strlen(text) });

	start->size = strlen(text) + journal->length;
	start->what->input = made;
	free(text);
	for (; at < last; at = end + 1) {
		end = memchr(at, '\n', (size_t)(last - at));
		made->payloads = heap_append(made->payloads, &made->n_payloads,
		    heap_json((struct span){ at, (size_t)(end - at) }));
	}
}

/* The task, and what it is pinned to when that is known. */
static void
fill_input(struct start_request *start)
{
	const struct span *pins = &start->submission->pins;
	Api__Payloads *made;
	char *text;

	text = mem_print("{\"task\":%s}", start->doc);
	start->size = strlen(text);
	start->what->input = made = heap_payloads(
	    (struct span){ text, start->size });
	free(text);
	if (pins->length == 0)
		return;
	text = mem_print("{%.*s}", (int)pins->length, pins->at);
	made->payloads = heap_append(made->payloads, &made->n_payloads,
	    heap_json((struct span){ text, pins->length + 2 }));
	start->size += pins->length + 2;
	free(text);
}

static void
fill_memo(Api__NewWorkflowExecutionInfo *what, const struct task *task,
    const char *title, const char *cron)
{
	char priority[8] = { (char)('0' + task->priority), '\0' };

	what->memo = HEAP_NEW(memo);
	heap_set_memo(what->memo, "user", heap_string(task->user));
	heap_set_memo(what->memo, "title", heap_string(title));
	heap_set_memo(what->memo, "queue", heap_string(task->queue));
	heap_set_memo(what->memo, "priority",
	    heap_json((struct span){ priority, 1 }));
	if (task->key != NULL)
		heap_set_memo(what->memo, "key", heap_string(task->key));
	if (cron != NULL)
		heap_set_memo(what->memo, "cron", heap_string(cron));
	what->search_attributes = HEAP_NEW(search_attributes);
	heap_set_attribute(what->search_attributes, TEMPORAL_USER,
	    heap_string(task->user));
	heap_set_attribute(what->search_attributes, TEMPORAL_STATE,
	    heap_string("queued"));
}

void
start_request_fill(struct start_request *start, struct submission *submission,
    const char *cron)
{
	Api__NewWorkflowExecutionInfo *what = HEAP_NEW(
	    new_workflow_execution_info);
	const struct task *task = submission->task;
	int64_t now = clock_wall();
	char title[81];

	*start = (struct start_request){ .submission = submission,
		.what = what };
	if (task->key != NULL)
		key_id(task, start->id);
	else
		id_new_text(start->id);
	row_cut(title, sizeof(title), task->goal);
	what->workflow_id = mem_string(start->id);
	what->workflow_type = HEAP_NEW(workflow_type);
	what->workflow_type->name = mem_string(TEMPORAL_WORKFLOW);
	what->task_queue = heap_queue(
	    mem_print(TEMPORAL_QUEUE_PREFIX "%s", task->queue));
	what->workflow_task_timeout = heap_duration(TASK_MS);
	start->doc = json_text(task->doc);
	if (submission->journal.length > 0)
		fill_journal(start);
	else
		fill_input(start);
	fill_memo(what, task, title, cron);
	what->user_metadata = HEAP_NEW(user_metadata);
	what->user_metadata->summary = heap_string(title);
	what->priority = HEAP_NEW(priority);
	/* ours: 9 first, 0 last; the server's: 1 first, 5 last */
	what->priority->priority_key = 5 - (int)task->priority / 2;
	what->priority->fairness_key = mem_copy(task->user,
	    utf8_cut(task->user, strlen(task->user), FAIRNESS_MAX));
	if (task->not_before > now)
		start->delay = heap_duration(task->not_before - now);
}

void
start_request_release(struct start_request *start)
{
	temporal_answer_release(&start->answer);
	free(start->doc);
	free(start->delay);
	api__new_workflow_execution_info__free_unpacked(start->what, NULL);
}

int
start_request_send(struct engine_temporal *own, struct start_request *start,
    struct fail *fail)
{
	const Api__NewWorkflowExecutionInfo *what = start->what;
	Api__StartWorkflowExecutionRequest request;

	api__start_workflow_execution_request__init(&request);
	request.workflow_id = what->workflow_id;
	request.workflow_type = what->workflow_type;
	request.task_queue = what->task_queue;
	request.input = what->input;
	request.workflow_task_timeout = what->workflow_task_timeout;
	request.workflow_start_delay = start->delay;
	request.workflow_id_reuse_policy = TEMPORAL_ENUM(
	    WORKFLOW_ID_REUSE_POLICY, REJECT_DUPLICATE);
	request.workflow_id_conflict_policy = TEMPORAL_ENUM(
	    WORKFLOW_ID_CONFLICT_POLICY, FAIL);
	request.memo = what->memo;
	request.search_attributes = own->plain ? NULL : what->search_attributes;
	request.user_metadata = what->user_metadata;
	request.priority = what->priority;
	return temporal_send(own->temporal, &request.base, &start->answer,
	    fail);
}

int
start_request_reopen(struct engine_temporal *own,
    const struct temporal_history *history, const char *id, const char *run,
    const char *name, struct span json, struct fail *fail)
{
	Api__SignalWithStartWorkflowExecutionRequest request;
	struct submission submission = { .task = agent_task(
					     temporal_history_agent(history)) };
	const Api__SignalWithStartWorkflowExecutionResponse *answer;
	const Api__NewWorkflowExecutionInfo *what;
	struct start_request start;
	char *input = temporal_history_input(history, run);
	int result;

	start_request_fill(&start, &submission, NULL);
	what = start.what;
	api__payloads__free_unpacked(start.what->input, NULL);
	start.what->input = heap_payloads(
	    (struct span){ input, strlen(input) });
	free(input);
	api__signal_with_start_workflow_execution_request__init(&request);
	request.workflow_id = temporal_text(id);
	request.workflow_type = what->workflow_type;
	request.task_queue = what->task_queue;
	request.input = what->input;
	request.workflow_task_timeout = what->workflow_task_timeout;
	request.workflow_id_reuse_policy = TEMPORAL_ENUM(
	    WORKFLOW_ID_REUSE_POLICY, ALLOW_DUPLICATE);
	request.memo = what->memo;
	request.search_attributes = own->plain ? NULL : what->search_attributes;
	request.user_metadata = what->user_metadata;
	request.priority = what->priority;
	request.signal_name = temporal_text(name);
	request.signal_input = heap_payloads(json);
	result = temporal_call(own->temporal, &request.base, &start.answer,
	    fail);
	answer = (Api__SignalWithStartWorkflowExecutionResponse *)(void *)
		     start.answer.message;
	if (result == 0 && !answer->started)
		result = fail_set(fail, FAIL_NO, "wrong_state",
		    "the task has not ended: another signal has opened it "
		    "meanwhile");
	api__payloads__free_unpacked(request.signal_input, NULL);
	start_request_release(&start);
	return result;
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
