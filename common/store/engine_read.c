/* SPDX-License-Identifier: ISC */
/*
 * The engine's answers about tasks. Each call copies what it needs in a short
 * transaction and ends it before it calls back; a journal is read in batches,
 * each in a transaction of its own.
 */
#include "common/store/engine_internal.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/agent/journal.h"
#include "common/agent/task_row.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/store/internal.h"
#include "common/store/numbers.h"

#define OBJECT_MAX ((size_t)EVENT_MAX + (16u << 20))
#define PROGRESS_MAX (1u << 20)

int
engine_lmdb_id(const char *text, struct id *ret_id, struct fail *fail)
{
	if (id_parse(text, ret_id))
		return 0;
	return fail_set(fail, FAIL_NEVER, "invalid_id",
	    "\"%.60s\" is not a task id: ids look like "
	    "0197a3c4-52f0-7e1b-9d3a-5f6b7c8d9e0f",
	    text);
}

static void
add_row(struct buf *members, const struct task_row *row, struct span decisions)
{
	char id[ID_TEXT], worker[ID_TEXT];

	id_format(&row->id, id);
	id_format(&row->worker, worker);
	row_members(members, row, id,
	    row->state == TASK_RUNNING ? worker : NULL, decisions);
}

struct ends { /* of a journal */
	struct buf task, last;
};

static int
keep_task(void *context, uint64_t seq, struct span text, struct fail *fail)
{
	struct ends *ends = context;
	struct span task;

	(void)seq;
	(void)fail;
	if (json_member(text, "task", &task))
		buf_add(&ends->task, task.at, task.length);
	return 1;
}

static int
keep_last(void *context, uint64_t seq, struct span text, struct fail *fail)
{
	struct ends *ends = context;

	(void)seq;
	(void)fail;
	buf_reset(&ends->last);
	buf_add(&ends->last, text.at, text.length);
	return 0;
}

static void
add_progress(struct engine_lmdb *lmdb, struct buf *members, const struct id *id)
{
	struct buf text = BUF_INIT(PROGRESS_MAX);
	char *path = store_progress_path(lmdb->store, id);
	struct fail ignored;

	if (file_read(path, &text, &ignored) == 0 && text.length)
		member_string(members, "progress", text.data);
	free(path);
	buf_release(&text);
}

int
engine_lmdb_get(struct engine *engine, const char *text, struct buf *buf,
    struct fail *fail)
{
	struct engine_lmdb *lmdb = engine_lmdb(engine);
	struct ends ends = { BUF_INIT(OBJECT_MAX), BUF_INIT(OBJECT_MAX) };
	struct span decisions = { NULL, 0 };
	struct task_row row;
	struct id id;
	int result = 0;

	if (engine_lmdb_id(text, &id, fail) < 0 ||
	    store_begin(lmdb->store, false, 0, fail) < 0)
		return -1;
	if (store_get(lmdb->store, &id, &row, fail) < 0 ||
	    store_read(lmdb->store, &id, 0, keep_task, &ends, fail) < 0 ||
	    store_read(lmdb->store, &id, row.seq - 1, keep_last, &ends, fail) <
		0)
		result = -1;
	store_abort(lmdb->store);
	if (result == 0) {
		buf_add_string(buf, "{");
		(void)json_member((struct span){ ends.last.data,
				      ends.last.length },
		    "decisions", &decisions);
		add_row(buf, &row, decisions);
		row_ends(buf, &row,
		    (struct span){ ends.task.data, ends.task.length },
		    (struct span){ ends.last.data, ends.last.length });
		if (row.state == TASK_RUNNING)
			add_progress(lmdb, buf, &id);
		buf_add_string(buf, "}");
	}
	buf_release(&ends.task);
	buf_release(&ends.last);
	return result;
}

#define BATCH_EVENTS 64
#define BATCH_BYTES (4u << 20)

struct batch {
	struct buf bytes;
	size_t lengths[BATCH_EVENTS];
	size_t count;
	const struct id *id; /* the task */
	uint64_t seq;        /* the last event */
};

static int
batch_event(void *context, uint64_t seq, struct span text, struct fail *fail)
{
	struct batch *batch = context;

	if (seq != batch->seq + 1)
		return store_fail_event(batch->id, batch->seq + 1, fail);
	buf_add(&batch->bytes, text.at, text.length);
	batch->lengths[batch->count++] = text.length;
	batch->seq = seq;
	return batch->count == BATCH_EVENTS ||
	    batch->bytes.length > BATCH_BYTES;
}

int
engine_lmdb_events(struct engine *engine, const char *text, uint64_t after,
    int (*event)(void *context, struct span text), void *context,
    struct fail *fail)
{
	struct store *store = engine_lmdb(engine)->store;
	struct task_row row;
	struct id id;
	struct batch batch = { .bytes = BUF_INIT(OBJECT_MAX),
		.id = &id,
		.seq = after };
	size_t i, at;
	int more = 1, result;

	if (engine_lmdb_id(text, &id, fail) < 0)
		return -1;
	while (more) {
		result = -1;
		buf_reset(&batch.bytes);
		batch.count = 0;
		if (store_begin(store, false, 0, fail) < 0)
			goto out;
		more = store_get(store, &id, &row, fail) < 0
		    ? -1
		    : store_read(store, &id, batch.seq, batch_event, &batch,
			  fail);
		store_abort(store);
		if (more == 0 && batch.seq < row.seq)
			more = store_fail_event(&id, batch.seq + 1, fail);
		if (more < 0)
			goto out;
		for (i = 0, at = 0; i < batch.count; i++) {
			result = event(context,
			    (struct span){ batch.bytes.data + at,
				batch.lengths[i] });
			if (result)
				goto out;
			at += batch.lengths[i];
		}
	}
	result = 0;
out:
	buf_release(&batch.bytes);
	return result;
}

struct rows {
	struct task_row *rows;
	char **why; /* cannot be read; else NULL */
	size_t count;
};

static int
keep_row(void *context, const struct task_row *row, const struct fail *why)
{
	struct rows *rows = context;
	size_t count = rows->count + 1;

	rows->rows = mem_grow(rows->rows, count, sizeof(*rows->rows));
	rows->why = mem_grow(rows->why, count, sizeof(*rows->why));
	rows->why[rows->count] = mem_string(why ? why->message : NULL);
	rows->rows[rows->count++] = *row;
	return 0;
}

static void
add_listed(struct buf *members, const struct rows *rows, size_t i)
{
	char id[ID_TEXT];

	if (!rows->why[i]) {
		add_row(members, &rows->rows[i], (struct span){ NULL, 0 });
		return;
	}
	id_format(&rows->rows[i].id, id);
	member_string(members, "id", id);
	member_error(members, "store_damaged", rows->why[i], NULL);
}

int
engine_lmdb_list(struct engine *engine, const struct engine_filter *filter,
    int (*task)(void *context, struct span text), void *context,
    struct fail *fail)
{
	struct store *store = engine_lmdb(engine)->store;
	struct store_filter own_filter = { .user = filter->user,
		.queue = filter->queue,
		.state = filter->state,
		.limit = filter->limit };
	struct buf text = BUF_INIT(OBJECT_MAX);
	struct rows rows = { .rows = NULL };
	size_t i;
	int result;

	if (filter->before &&
	    engine_lmdb_id(filter->before, &own_filter.before, fail) < 0)
		return -1;
	if (store_begin(store, false, 0, fail) < 0)
		return -1;
	result = store_list(store, &own_filter, keep_row, &rows, fail);
	store_abort(store);
	for (i = 0; result == 0 && i < rows.count; i++) {
		buf_reset(&text);
		buf_add_string(&text, "{");
		add_listed(&text, &rows, i);
		buf_add_string(&text, "}");
		result = task(context, (struct span){ text.data, text.length });
	}
	for (i = 0; i < rows.count; i++)
		free(rows.why[i]);
	free(rows.why);
	free(rows.rows);
	buf_release(&text);
	return result;
}

/* ---- numbers ---- */

/* Adds the numbers that exist only for all queues together. */
static void
add_numbers(struct buf *members, const struct store_numbers *numbers)
{
	static const char *const names[] = {
		[SUM_TURNS] = "turns",
		[SUM_CALLS] = "calls",
		[SUM_CALLS_UNKNOWN] = "calls_unknown",
		[SUM_INPUT] = "input_tokens",
		[SUM_OUTPUT] = "output_tokens",
		[SUM_CACHE_READ] = "cache_read_tokens",
		[SUM_CACHE_WRITE] = "cache_write_tokens",
		[SUM_NANO_USD] = "nano_usd",
		[SUM_SUBMITTED] = "submitted",
		[SUM_COMPLETED] = "completed",
		[SUM_BLOCKED] = "blocked",
		[SUM_FAILED] = "failed",
		[SUM_CANCELLED] = "cancelled",
	};
	_Static_assert(sizeof(names) / sizeof(*names) == STORE_SUMS,
	    "each sum has a name");
	size_t i;

	buf_add_string(members, ",\"queues\":[");
	for (i = 0; i < numbers->queue_count; i++) {
		buf_add(members, ",", i > 0);
		json_quote(members, numbers->queues[i],
		    strlen(numbers->queues[i]));
	}
	buf_add_string(members, "]");
	if (!numbers->counted)
		return;
	buf_add_string(members, ",\"waits\":{");
	for (i = 0; i < numbers->waits_count; i++)
		member_integer(members, numbers->waits[i].name,
		    numbers->waits[i].count);
	buf_add_string(members, "},\"sums\":{");
	for (i = 0; i < STORE_SUMS; i++)
		member_integer(members, names[i], numbers->sums[i]);
	buf_add_string(members, "}");
}

int
engine_lmdb_depth(struct engine *engine, const char *queue, struct buf *buf,
    struct fail *fail)
{
	struct store *store = engine_lmdb(engine)->store;
	struct store_numbers numbers;
	struct store_depth depth;
	int64_t now = clock_wall();
	int state, result;

	if (store_begin(store, false, 0, fail) < 0)
		return -1;
	result = store_depth(store, queue, now, &depth, fail);
	if (result == 0 && !queue)
		result = store_numbers(store, &numbers, fail);
	store_abort(store);
	if (result < 0)
		return -1;
	buf_add_string(buf, "{");
	if (queue)
		member_string(buf, "queue", queue);
	member_integer(buf, "ready", depth.ready);
	for (state = 0; state < TASK_STATES; state++)
		member_integer(buf, task_state_name((enum task_state)state),
		    depth.state[state]);
	member_integer(buf, "workers", depth.workers);
	member_integer(buf, "oldest_ready_ms",
	    depth.oldest_ready ? now - depth.oldest_ready : 0);
	if (!queue)
		add_numbers(buf, &numbers);
	buf_add_string(buf, "}");
	return 0;
}

/* ---- changes: inotify says that there are some, versions which tasks have ---- */

/* The text of a turn under way is not in data.mdb. */
static int
watch_store(struct engine_lmdb *lmdb, struct fail *fail)
{
	static const struct {
		const char *name;
		uint32_t events;
	} watched[] = {
		{ "data.mdb", IN_MODIFY },
		{ "progress", IN_MODIFY | IN_CREATE | IN_DELETE },
	};
	char *path;
	int result = 0;

	lmdb->notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (lmdb->notify < 0)
		return fail_errno(fail, "unable to watch the store");
	for (size_t i = 0; result == 0 && i < 2; i++) {
		path = mem_print("%s/%s", store_folder(lmdb->store),
		    watched[i].name);
		if (inotify_add_watch(lmdb->notify, path, watched[i].events) <
		    0)
			result = fail_errno(fail, "unable to watch %s", path);
		free(path);
	}
	return result;
}

int
engine_lmdb_watch(struct engine *engine, int *ret_fd, struct fail *fail)
{
	struct engine_lmdb *lmdb = engine_lmdb(engine);

	if (lmdb->notify < 0 && watch_store(lmdb, fail) < 0)
		return -1;
	*ret_fd = lmdb->notify;
	return 0;
}

/* FNV-1a, which is enough to tell one version from another. */
static uint64_t
mix(uint64_t sum, int64_t number)
{
	for (int i = 0; i < 8; i++)
		sum = (sum ^ (uint8_t)(number >> 8 * i)) * 1099511628211u;
	return sum;
}

static void
fill_probe(struct engine_lmdb *lmdb, struct engine_probe *probe,
    const struct task_row *row)
{
	struct stat progress;
	char *path;

	probe->found = true;
	probe->state = row->state;
	memcpy(probe->user, row->user, sizeof(probe->user));
	probe->version = mix(
	    mix(mix(mix(14695981039346656037u, (int64_t)row->seq), row->state),
		row->due),
	    row->updated_at);
	if (row->state != TASK_RUNNING)
		return;
	path = store_progress_path(lmdb->store, &row->id);
	if (stat(path, &progress) == 0)
		probe->version = mix(mix(probe->version, progress.st_size),
		    (int64_t)progress.st_ino);
	free(path);
}

int
engine_lmdb_probe(struct engine *engine, struct engine_probe *probes,
    size_t count, struct fail *fail)
{
	struct engine_lmdb *lmdb = engine_lmdb(engine);
	struct task_row row;
	int result = 0;
	struct id id;

	if (store_begin(lmdb->store, false, 0, fail) < 0)
		return -1;
	for (size_t i = 0; result == 0 && i < count; i++) {
		probes[i].found = false;
		if (!id_parse(probes[i].id, &id))
			continue;
		if (store_get(lmdb->store, &id, &row, fail) == 0)
			fill_probe(lmdb, &probes[i], &row);
		else if (strcmp(fail->type, "no_task") != 0)
			result = -1;
	}
	store_abort(lmdb->store);
	return result;
}

/* The first call returns at once: changes before it were not watched. */
int
engine_lmdb_wait(struct engine *engine, int64_t milliseconds, struct fail *fail)
{
	struct engine_lmdb *lmdb = engine_lmdb(engine);
	struct pollfd poll_on;
	char events[4096];

	if (lmdb->notify < 0)
		return watch_store(lmdb, fail);
	poll_on = (struct pollfd){ .fd = lmdb->notify, .events = POLLIN };
	if (poll(&poll_on, 1, (int)milliseconds) < 0 && errno != EINTR)
		return fail_errno(fail, "unable to wait for the store");
	while (read(lmdb->notify, events, sizeof(events)) > 0)
		;
	return 0;
}
