/* SPDX-License-Identifier: ISC */
/*
 * How it works: each call is one short transaction of the store. Reading calls
 * copy what they need and end the transaction before they call back.
 *
 * A signal to a task that no worker has is decided here, with the same fold
 * that a worker uses, so that a cancel needs no worker; otherwise it is
 * appended and the worker is woken.
 */
#include "common/store/engine.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/agent/task_row.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/store/numbers.h"
#include "common/store/task_session.h"

#define OBJECT_MAX ((size_t)EVENT_MAX + (16u << 20))
#define ROW_ROOM 4096 /* the most for a row, its indexes and keys */
#define PROGRESS_MAX (1u << 20)

struct engine_lmdb {
	struct engine engine;
	struct store *store;
	int notify; /* inotify, -1: not opened yet */
};

static struct engine_lmdb *
own(struct engine *engine)
{
	return (struct engine_lmdb *)(void *)engine;
}

struct store *
engine_lmdb_store(struct engine *engine)
{
	return own(engine)->store;
}

static void
lmdb_close(struct engine *engine)
{
	struct engine_lmdb *lmdb = own(engine);

	store_close(lmdb->store);
	if (lmdb->notify >= 0)
		close(lmdb->notify);
	free(lmdb);
}

/* ---- submit ---- */

struct comparison {
	struct span task;
	bool same;
};

static int
compare_task(void *context, uint64_t seq, struct span text, struct fail *fail)
{
	struct comparison *comparison = context;
	struct span task;

	(void)seq;
	(void)fail;
	comparison->same = json_member(text, "task", &task) &&
	    task.length == comparison->task.length &&
	    memcmp(task.at, comparison->task.at, task.length) == 0;
	return 1;
}

/* A key that was used before: the same task is accepted, another is refused. */
static int
submit_again(struct store *store, const struct task_row *existing,
    struct submission *submission, struct span doc, struct fail *fail)
{
	struct comparison comparison = { .task = doc };

	if (store_read(store, &existing->id, 0, compare_task, &comparison,
		fail) < 0)
		return -1;
	id_format(&existing->id, submission->id);
	submission->existing = comparison.same;
	submission->refused = !comparison.same;
	if (submission->refused)
		fail_set(&submission->fail, FAIL_NO, "key_conflict",
		    "the key \"%s\" was used for another task, %s: use "
		    "another key, or submit the same task",
		    submission->task->key, submission->id);
	return 0;
}

static int
append_event(struct store *store, const struct task_row *row, uint64_t seq,
    enum event_type type, const char *name, struct span value,
    struct fail *fail)
{
	struct buf members = BUF_INIT(EVENT_MAX), text = BUF_INIT(EVENT_MAX);
	int result;

	if (name)
		member_raw(&members, name, value.at, value.length);
	else
		buf_add(&members, value.at, value.length);
	event_write(&text, seq, row->created_at, type, members.data,
	    members.length);
	result = store_append(store, &row->id, seq, text.data, text.length,
	    fail);
	buf_release(&members);
	buf_release(&text);
	return result;
}

static int
submit_one(struct store *store, struct submission *submission, const char *doc,
    int64_t now, struct fail *fail)
{
	struct span task = { doc, strlen(doc) }, pins = submission->pins;
	struct task_row row, existing;
	int created;

	row_begin(&row, submission->task, now);
	row.id = id_new();
	row.seq = pins.length ? 2 : 1;
	created = store_create(store, &row, &existing, fail);
	if (created < 0)
		return -1;
	if (created == 1)
		return submit_again(store, &existing, submission, task, fail);
	id_format(&row.id, submission->id);
	if (append_event(store, &row, 1, EVENT_SUBMITTED, "task", task, fail) <
	    0)
		return -1;
	return pins.length
	    ? append_event(store, &row, 2, EVENT_PINNED, NULL, pins, fail)
	    : 0;
}

static void
wake_queues(struct store *store, const struct submission *submissions,
    size_t count)
{
	const char *last = "";
	size_t i;

	for (i = 0; i < count; i++) {
		if (strcmp(last, submissions[i].task->queue) == 0)
			continue;
		last = submissions[i].task->queue;
		store_wake(store, last);
	}
}

static int
lmdb_submit(struct engine *engine, struct submission *submissions, size_t count,
    struct fail *fail)
{
	struct store *store = own(engine)->store;
	char **docs = mem_alloc(count * sizeof(*docs) + 1);
	int64_t now = clock_wall();
	size_t i, room = 0;
	int result = -1;

	for (i = 0; i < count; i++) {
		docs[i] = json_text(submissions[i].task->doc);
		room += strlen(docs[i]) + submissions[i].pins.length + ROW_ROOM;
	}
	if (store_begin(store, true, room, fail) < 0)
		goto out;
	for (i = 0; i < count; i++)
		if (submit_one(store, &submissions[i], docs[i], now, fail) <
		    0) {
			store_abort(store);
			goto out;
		}
	if (store_commit(store, fail) < 0)
		goto out;
	wake_queues(store, submissions, count);
	result = 0;
out:
	for (i = 0; i < count; i++)
		free(docs[i]);
	free(docs);
	return result;
}

/* ---- reading ---- */

static int
parse_id(const char *text, struct id *ret_id, struct fail *fail)
{
	if (id_parse(text, ret_id))
		return 0;
	return fail_set(fail, FAIL_NEVER, "invalid_id",
	    "\"%.60s\" is not a task id: ids look like "
	    "0197a3c4-52f0-7e1b-9d3a-5f6b7c8d9e0f",
	    text);
}

static void
add_row(struct buf *members, const struct task_row *row)
{
	char id[ID_TEXT], worker[ID_TEXT];

	id_format(&row->id, id);
	id_format(&row->worker, worker);
	row_members(members, row, id,
	    row->state == TASK_RUNNING ? worker : NULL);
}

struct ends { /* of a journal */
	char *task, *last;
	size_t task_length, last_length;
};

static int
keep_task(void *context, uint64_t seq, struct span text, struct fail *fail)
{
	struct ends *ends = context;
	struct span task;

	(void)seq;
	(void)fail;
	if (json_member(text, "task", &task)) {
		ends->task = mem_copy(task.at, task.length);
		ends->task_length = task.length;
	}
	return 1;
}

static int
keep_last(void *context, uint64_t seq, struct span text, struct fail *fail)
{
	struct ends *ends = context;

	(void)seq;
	(void)fail;
	free(ends->last);
	ends->last = mem_copy(text.at, text.length);
	ends->last_length = text.length;
	return 0;
}

static void
add_progress(struct engine_lmdb *lmdb, struct buf *members, const struct id *id)
{
	struct buf text = BUF_INIT(PROGRESS_MAX);
	char name[ID_TEXT], *path;
	struct fail ignored;

	id_format(id, name);
	path = mem_print("%s/progress/%s", store_folder(lmdb->store), name);
	if (file_read(path, &text, &ignored) == 0 && text.length)
		member_string(members, "progress", text.data);
	free(path);
	buf_release(&text);
}

static int
lmdb_get(struct engine *engine, const char *text, struct buf *buf,
    struct fail *fail)
{
	struct engine_lmdb *lmdb = own(engine);
	struct buf members = BUF_INIT(OBJECT_MAX);
	struct ends ends = { .task = NULL };
	struct task_row row;
	struct id id;
	int result = -1;

	if (parse_id(text, &id, fail) < 0 ||
	    store_begin(lmdb->store, false, 0, fail) < 0)
		return -1;
	if (store_get(lmdb->store, &id, &row, fail) < 0 ||
	    store_read(lmdb->store, &id, 0, keep_task, &ends, fail) < 0 ||
	    store_read(lmdb->store, &id, row.seq - 1, keep_last, &ends, fail) <
		0)
		goto out;
	result = 0;
out:
	store_abort(lmdb->store);
	if (result == 0) {
		add_row(&members, &row);
		row_ends(&members, &row,
		    (struct span){ ends.task, ends.task_length },
		    (struct span){ ends.last, ends.last_length });
		if (row.state == TASK_RUNNING)
			add_progress(lmdb, &members, &id);
		buf_add_string(buf, "{");
		buf_add(buf, members.data, members.length);
		buf_add_string(buf, "}");
	}
	free(ends.task);
	free(ends.last);
	buf_release(&members);
	return result;
}

#define BATCH_EVENTS 64
#define BATCH_BYTES (4u << 20)

struct batch {
	struct buf bytes;
	size_t lengths[BATCH_EVENTS];
	size_t count;
	uint64_t seq;
};

static int
batch_event(void *context, uint64_t seq, struct span text, struct fail *fail)
{
	struct batch *batch = context;

	(void)fail;
	buf_add(&batch->bytes, text.at, text.length);
	batch->lengths[batch->count++] = text.length;
	batch->seq = seq;
	return batch->count == BATCH_EVENTS ||
	    batch->bytes.length > BATCH_BYTES;
}

static int
lmdb_events(struct engine *engine, const char *text, uint64_t after,
    int (*event)(void *context, struct span text), void *context,
    struct fail *fail)
{
	struct store *store = own(engine)->store;
	struct batch batch = { .bytes = BUF_INIT(OBJECT_MAX), .seq = after };
	struct task_row row;
	struct id id;
	size_t i, at;
	int more = 1, result;

	if (parse_id(text, &id, fail) < 0)
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
	size_t count, room;
};

static int
keep_row(void *context, const struct task_row *row)
{
	struct rows *rows = context;

	if (rows->count == rows->room) {
		rows->room = rows->room ? rows->room * 2 : 64;
		rows->rows = mem_grow(rows->rows, rows->room,
		    sizeof(*rows->rows));
	}
	rows->rows[rows->count++] = *row;
	return 0;
}

static int
lmdb_list(struct engine *engine, const struct engine_filter *filter,
    int (*task)(void *context, struct span text), void *context,
    struct fail *fail)
{
	struct store *store = own(engine)->store;
	struct store_filter own_filter = { .user = filter->user,
		.queue = filter->queue,
		.state = filter->state,
		.limit = filter->limit };
	struct buf text = BUF_INIT(OBJECT_MAX), members = BUF_INIT(OBJECT_MAX);
	struct rows rows = { .rows = NULL };
	size_t i;
	int result;

	if (filter->before &&
	    parse_id(filter->before, &own_filter.before, fail) < 0)
		return -1;
	if (store_begin(store, false, 0, fail) < 0)
		return -1;
	result = store_list(store, &own_filter, keep_row, &rows, fail);
	store_abort(store);
	for (i = 0; result == 0 && i < rows.count; i++) {
		buf_reset(&text);
		buf_reset(&members);
		add_row(&members, &rows.rows[i]);
		buf_add_string(&text, "{");
		buf_add(&text, members.data, members.length);
		buf_add_string(&text, "}");
		result = task(context, (struct span){ text.data, text.length });
	}
	free(rows.rows);
	buf_release(&text);
	buf_release(&members);
	return result;
}

/* ---- signal ---- */

static int
record_signal(struct task_session *session, struct store *store,
    const char *signal, struct span members, struct fail *fail)
{
	struct buf all = BUF_INIT(EVENT_MAX);
	int64_t now = clock_wall();
	struct plan plan = { .count = 0 };
	int result;

	member_string(&all, "signal", signal);
	if (members.length) {
		buf_add_string(&all, ",");
		buf_add(&all, members.at, members.length);
	}
	result = session_record(session, store, now, EVENT_SIGNAL, all.data,
	    all.length, fail);
	if (result == 0 && session->row.state != TASK_RUNNING)
		result = session_plan(session, store, now, &plan, fail);
	if (result == 0)
		result = session_save(session, store, now, fail);
	plan_release(&plan);
	buf_release(&all);
	return result;
}

static int
lmdb_signal(struct engine *engine, const char *text, const char *signal,
    struct span members, struct fail *fail)
{
	struct store *store = own(engine)->store;
	struct task_session session = { .agent = NULL };
	struct task_row row;
	char *call = NULL;
	struct id id;
	int result = -1;

	if (parse_id(text, &id, fail) < 0)
		return -1;
	call = row_call(members);
	if (store_begin(store, true, ROW_ROOM * 4 + members.length, fail) < 0)
		goto out;
	if (store_get(store, &id, &row, fail) < 0 ||
	    session_open(&session, store, &row, fail) < 0 ||
	    agent_accepts(session.agent, signal, call, fail) < 0 ||
	    record_signal(&session, store, signal, members, fail) < 0) {
		store_abort(store);
		goto out;
	}
	result = store_commit(store, fail);
	if (result == 0)
		store_wake(store, row.queue);
out:
	session_close(&session);
	free(call);
	return result;
}

/* ---- numbers, waiting ---- */

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
	struct buf list = BUF_INIT(64u << 10);
	size_t i;

	for (i = 0; i < numbers->queue_count; i++) {
		buf_add_string(&list, i > 0 ? "," : "[");
		json_quote(&list, numbers->queues[i],
		    strlen(numbers->queues[i]));
	}
	buf_add_string(&list, numbers->queue_count > 0 ? "]" : "[]");
	member_raw(members, "queues", list.data, list.length);
	buf_reset(&list);
	if (!numbers->counted)
		goto out;
	for (i = 0; i < numbers->waits_count; i++)
		member_integer(&list, numbers->waits[i].name,
		    numbers->waits[i].count);
	buf_print(members, ",\"waits\":{%s},\"sums\":{",
	    list.length > 0 ? list.data : "");
	buf_reset(&list);
	for (i = 0; i < STORE_SUMS; i++)
		member_integer(&list, names[i], numbers->sums[i]);
	buf_add(members, list.data, list.length);
	buf_add_string(members, "}");
out:
	buf_release(&list);
}

static int
lmdb_depth(struct engine *engine, const char *queue, struct buf *buf,
    struct fail *fail)
{
	struct store *store = own(engine)->store;
	struct buf members = BUF_INIT(OBJECT_MAX);
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
	if (queue)
		member_string(&members, "queue", queue);
	member_integer(&members, "ready", depth.ready);
	for (state = 0; state < TASK_STATES; state++)
		member_integer(&members,
		    task_state_name((enum task_state)state),
		    depth.state[state]);
	member_integer(&members, "workers", depth.workers);
	member_integer(&members, "oldest_ready_ms",
	    depth.oldest_ready ? now - depth.oldest_ready : 0);
	if (!queue)
		add_numbers(&members, &numbers);
	buf_add_string(buf, "{");
	buf_add(buf, members.data, members.length);
	buf_add_string(buf, "}");
	buf_release(&members);
	return 0;
}

/* Reads the progress file: the text of a turn under way is not in the store. */
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

static int
lmdb_watch(struct engine *engine, int *ret_fd, struct fail *fail)
{
	struct engine_lmdb *lmdb = own(engine);

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
	path = mem_print("%s/progress/%s", store_folder(lmdb->store),
	    probe->id);
	if (stat(path, &progress) == 0)
		probe->version = mix(mix(probe->version, progress.st_size),
		    (int64_t)progress.st_ino);
	free(path);
}

static int
lmdb_probe(struct engine *engine, struct engine_probe *probes, size_t count,
    struct fail *fail)
{
	struct engine_lmdb *lmdb = own(engine);
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
static int
lmdb_wait(struct engine *engine, int64_t milliseconds, struct fail *fail)
{
	struct engine_lmdb *lmdb = own(engine);
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

static const struct engine_operations operations = {
	.close = lmdb_close,
	.submit = lmdb_submit,
	.get = lmdb_get,
	.events = lmdb_events,
	.list = lmdb_list,
	.signal = lmdb_signal,
	.depth = lmdb_depth,
	.wait = lmdb_wait,
	.probe = lmdb_probe,
	.watch = lmdb_watch,
};

int
engine_lmdb_open(const char *folder, enum engine_mode mode,
    const struct config *config, struct engine **ret_engine, struct fail *fail)
{
	struct engine_lmdb *lmdb;
	struct store *store;

	if (store_open(folder,
		mode == ENGINE_READ        ? STORE_READ
		    : mode == ENGINE_WRITE ? STORE_WRITE
					   : STORE_CREATE,
		(uint64_t)config->store_bytes, &store, fail) < 0)
		return -1;
	lmdb = mem_alloc(sizeof(*lmdb));
	lmdb->engine.operations = &operations;
	lmdb->store = store;
	lmdb->notify = -1;
	*ret_engine = &lmdb->engine;
	return 0;
}
