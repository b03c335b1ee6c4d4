/* SPDX-License-Identifier: ISC */
/*
 * How it works: the server's visibility lists the tasks, and when each began and
 * ended; the object of a task is folded from its history.
 *
 * The order, newest first, is by the time in the id, else by the start of the
 * workflow. The server lists open workflows by their start and then closed ones
 * by their end, newest first. So both lists are read, the closed ones until
 * their ends are before the oldest start that is wanted: a workflow that ended
 * before it also started before it. Where a task went on after its end, the server
 * lists the older end, too; such a task is passed over, and others are looked up.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/id.h"
#include "common/base/mem.h"
#include "common/temporal/engine_internal.h"
#include "common/temporal/task_reader.h"

#define OBJECT_MAX ((size_t)EVENT_MAX + (16u << 20))
#define QUERY_MAX (64u << 10)
#define PAGE 256
#define WINDOW 16
#define SKEW_MS 60000 /* between the clocks of a client and the server */

struct candidate {
	char *id;
	int64_t at;
};

struct listing {
	struct engine_temporal *own;
	const struct engine_filter *filter;
	int64_t before_at;
	struct candidate *candidates;
	size_t count, room;
};

static int64_t
begin_of(const char *text, int64_t start)
{
	struct id id;
	int64_t at = 0;
	size_t i;

	if (!id_parse(text, &id) || id.bytes[6] >> 4 != 7)
		return start;
	for (i = 0; i < 6; i++)
		at = at << 8 | id.bytes[i];
	return at;
}

static int
newest_first(const void *left, const void *right)
{
	const struct candidate *one = left, *other = right;

	if (one->at != other->at)
		return one->at < other->at ? 1 : -1;
	return strcmp(other->id, one->id);
}

static bool
is_before(const struct listing *listing, const char *id, int64_t at)
{
	const char *before = listing->filter->before;

	return before == NULL || at < listing->before_at ||
	    (at == listing->before_at && strcmp(id, before) < 0);
}

/* Whether the server's query alone selects exactly the tasks of the filter. */
static bool
is_exact(const struct engine_filter *filter)
{
	return filter->state < 0 || filter->state == TASK_COMPLETED ||
	    filter->state == TASK_CANCELLED;
}

/* A task that went on after its end has several workflows. With a time in their
 * id they are neighbours once they are sorted; else the newest start counts. */
static bool
is_there(const struct listing *listing, const char *id, int64_t at)
{
	size_t i;

	if (begin_of(id, -1) >= 0)
		return false;
	for (i = 0; i < listing->count; i++)
		if (strcmp(listing->candidates[i].id, id) == 0) {
			if (at > listing->candidates[i].at)
				listing->candidates[i].at = at;
			return true;
		}
	return false;
}

static void
sort_candidates(struct listing *listing)
{
	struct candidate *all = listing->candidates;
	size_t i, count = 0;

	if (listing->count)
		qsort(all, listing->count, sizeof(*all), newest_first);
	for (i = 0; i < listing->count; i++)
		if (count && strcmp(all[count - 1].id, all[i].id) == 0)
			free(all[i].id);
		else
			all[count++] = all[i];
	listing->count = count;
}

static void
add_candidates(struct listing *listing,
    const Api__ListWorkflowExecutionsResponse *page)
{
	const Api__WorkflowExecutionInfo *info;
	int64_t at;
	size_t i;

	for (i = 0; i < page->n_executions; i++) {
		info = page->executions[i];
		if (info->execution == NULL)
			continue;
		at = begin_of(info->execution->workflow_id,
		    temporal_time(info->start_time));
		if (!is_before(listing, info->execution->workflow_id, at) ||
		    is_there(listing, info->execution->workflow_id, at))
			continue;
		if (listing->count == listing->room) {
			listing->room = listing->room ? listing->room * 2 : 64;
			listing->candidates = mem_grow(listing->candidates,
			    listing->room, sizeof(*listing->candidates));
		}
		listing->candidates[listing->count++] = (struct candidate){
			mem_string(info->execution->workflow_id), at
		};
	}
	sort_candidates(listing);
	while (is_exact(listing->filter) &&
	    listing->count > listing->filter->limit)
		free(listing->candidates[--listing->count].id);
}

/* Whether no task after this page can be among the newest. */
static bool
is_enough(const struct listing *listing,
    const Api__ListWorkflowExecutionsResponse *page)
{
	const Api__WorkflowExecutionInfo *last;

	if (page->next_page_token.len == 0 || page->n_executions == 0)
		return true;
	if (!is_exact(listing->filter) ||
	    listing->count < listing->filter->limit)
		return false;
	last = page->executions[page->n_executions - 1];
	return temporal_time(last->close_time != NULL ? last->close_time
						      : last->start_time) +
	    SKEW_MS <
	    listing->candidates[listing->count - 1].at;
}

/* ---- asking ---- */

static void
add_query(const struct listing *listing, bool open, struct buf *query)
{
	static const char *const ends[TASK_STATES] = {
		[TASK_COMPLETED] = "IN ('Completed')",
		[TASK_BLOCKED] = "IN ('Failed')",
		[TASK_FAILED] = "IN ('Failed','TimedOut')",
		[TASK_CANCELLED] = "IN ('Canceled','Terminated')",
	};
	const struct engine_filter *filter = listing->filter;
	char at[CLOCK_TEXT];

	engine_temporal_query(query, filter->queue);
	if (filter->user != NULL && !listing->own->plain) {
		buf_add_string(query, " AND " TEMPORAL_USER " = ");
		temporal_quote(query, filter->user);
	}
	if (filter->before != NULL) {
		/* a later run of a task has its id, and starts later */
		clock_format(listing->before_at + SKEW_MS, at);
		buf_print(query,
		    " AND (StartTime <= '%s' OR WorkflowId <= ", at);
		temporal_quote(query, filter->before);
		buf_add_string(query, ")");
	}
	buf_print(query, " AND ExecutionStatus %s",
	    open ? "= 'Running'"
		: filter->state >= 0
		? ends[filter->state]
		: "IN ('Completed','Failed','TimedOut','Canceled','Terminated')");
}

static int
collect(struct listing *listing, const char *query, struct fail *fail)
{
	struct temporal_answer answer = { .done = false };
	const Api__ListWorkflowExecutionsResponse *page = NULL;
	struct temporal *temporal = listing->own->temporal;
	int result;

	do {
		result = temporal_list(temporal, query, PAGE,
		    page != NULL ? &page->next_page_token : NULL, &answer,
		    fail);
		if (result == 0)
			result = temporal_wait(temporal, &answer, fail);
		page = (Api__ListWorkflowExecutionsResponse *)(void *)
			   answer.message;
		if (result == 0)
			add_candidates(listing, page);
	} while (result == 0 && !is_enough(listing, page));
	temporal_answer_release(&answer);
	return result;
}

static int
collect_half(struct listing *listing, bool open, struct fail *fail)
{
	struct buf query = BUF_INIT(QUERY_MAX);
	int result;

	add_query(listing, open, &query);
	result = collect(listing, query.data, fail);
	if (result < 0 && !listing->own->plain &&
	    engine_temporal_no_attribute(fail)) {
		listing->own->plain = true;
		buf_reset(&query);
		add_query(listing, open, &query);
		result = collect(listing, query.data, fail);
	}
	buf_release(&query);
	return result;
}

static int
collect_all(struct listing *listing, struct fail *fail)
{
	int state = listing->filter->state;

	if (!task_state_final((enum task_state)state) &&
	    collect_half(listing, true, fail) < 0)
		return -1;
	if (state >= 0 && !task_state_final((enum task_state)state))
		return 0;
	return collect_half(listing, false, fail);
}

static int
find_before(struct listing *listing, struct fail *fail)
{
	struct temporal_answer answer = { .done = false };
	const Api__DescribeWorkflowExecutionResponse *description;
	const char *id = listing->filter->before;
	int result;

	if (id == NULL)
		return 0;
	if (engine_temporal_check_id(id, fail) < 0)
		return -1;
	listing->before_at = begin_of(id, -1);
	if (listing->before_at >= 0)
		return 0;
	result = temporal_describe(listing->own->temporal, id, NULL, &answer,
	    fail);
	if (result == 0) {
		description = (Api__DescribeWorkflowExecutionResponse *)(void *)
				  answer.message;
		listing->before_at = temporal_time(
		    description->workflow_execution_info->start_time);
	}
	temporal_answer_release(&answer);
	return result;
}

/* ---- output ---- */

static bool
is_wanted(const struct listing *listing, const struct task_reader *reader)
{
	const struct engine_filter *filter = listing->filter;
	struct task_row row;

	if (!task_reader_row(reader, &row))
		return (filter->state < 0 || filter->state == TASK_QUEUED) &&
		    filter->user == NULL;
	return (filter->state < 0 ||
		   row.state == (enum task_state)filter->state) &&
	    (filter->user == NULL || strcmp(row.user, filter->user) == 0);
}

/* WHY is why the rest of the task could not be read; NULL: all of it was. */
static int
tell(const struct task_reader *reader, const struct fail *why,
    int (*task)(void *context, struct span text), void *context)
{
	struct buf text = BUF_INIT(OBJECT_MAX);
	int result;

	buf_add_string(&text, "{");
	task_reader_members(reader, &text);
	if (why != NULL)
		member_error(&text, why->type, why->message, NULL);
	buf_add_string(&text, "}");
	result = task(context, (struct span){ text.data, text.length });
	buf_release(&text);
	return result;
}

/* A task that was removed meanwhile is not an error, and one that cannot be read
 * does not keep others from being shown. */
static int
tell_one(struct listing *listing, struct task_reader *reader, size_t *told,
    int (*task)(void *context, struct span text), void *context,
    struct fail *fail)
{
	const struct fail *why = NULL;

	if (task_reader_finish(reader, fail) < 0 ||
	    task_reader_settle(reader, fail) < 0) {
		if (fail->kind != FAIL_NEVER)
			return fail->kind == FAIL_NO ? 0 : -1;
		why = fail;
	}
	if (!is_wanted(listing, reader))
		return 0;
	++*told;
	return tell(reader, why, task, context);
}

/* At most *LEFT, from which those that were told are taken. */
static int
tell_all(struct listing *listing, size_t *left,
    int (*task)(void *context, struct span text), void *context,
    struct fail *fail)
{
	struct task_reader *readers[WINDOW] = { NULL };
	size_t i, sent = 0, told = 0;
	int result = 0;

	for (i = 0; i < listing->count && result == 0 && told < *left; i++) {
		for (; sent < listing->count && sent < i + WINDOW; sent++) {
			readers[sent % WINDOW] = task_reader_new(
			    listing->own->temporal,
			    listing->candidates[sent].id);
			task_reader_begin(readers[sent % WINDOW]);
		}
		result = tell_one(listing, readers[i % WINDOW], &told, task,
		    context, fail);
		task_reader_free(readers[i % WINDOW]);
		readers[i % WINDOW] = NULL;
	}
	for (i = 0; i < WINDOW; i++)
		task_reader_free(readers[i]);
	*left -= told;
	return result;
}

static void
forget(struct listing *listing)
{
	while (listing->count > 0)
		free(listing->candidates[--listing->count].id);
}

int
engine_temporal_list(struct engine *engine, const struct engine_filter *filter,
    int (*task)(void *context, struct span text), void *context,
    struct fail *fail)
{
	struct engine_filter rest = *filter;
	struct listing listing = { .own = engine_temporal_own(engine),
		.filter = &rest };
	size_t left = filter->limit;
	char *before = NULL;
	bool cut;
	int result = find_before(&listing, fail);

	while (result == 0 && left > 0) {
		result = collect_all(&listing, fail);
		if (result < 0)
			break;
		cut = is_exact(&rest) && listing.count >= left;
		result = tell_all(&listing, &left, task, context, fail);
		if (!cut)
			break;
		/* some of them are in another state by now */
		free(before);
		rest.before = before = mem_string(
		    listing.candidates[listing.count - 1].id);
		listing.before_at = listing.candidates[listing.count - 1].at;
		rest.limit = left;
		forget(&listing);
	}
	forget(&listing);
	free(listing.candidates);
	free(before);
	return result;
}
