/* SPDX-License-Identifier: ISC */
/*
 * How it works: each call is one short transaction of the store.
 *
 * A signal to a task that no worker has is decided here, with the same fold
 * that a worker uses, so that a cancel needs no worker; otherwise it is
 * appended and the worker is woken.
 */
#include "common/store/engine.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/agent/task_row.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/store/engine_internal.h"
#include "common/store/gates.h"
#include "common/store/internal.h"
#include "common/store/task_session.h"

#define ROW_ROOM 4096 /* the most for a row, its indexes and keys */

struct store *
engine_lmdb_store(struct engine *engine)
{
	return engine_lmdb(engine)->store;
}

static void
lmdb_close(struct engine *engine)
{
	struct engine_lmdb *lmdb = engine_lmdb(engine);

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

/* The journal of a task that goes on from another one. */
static int
append_journal(struct store *store, struct task_row *row,
    const struct submission *submission, int64_t now, struct fail *fail)
{
	const char *at = submission->journal.at, *line;
	const char *last = at + submission->journal.length;

	for (row->seq = 0; at < last; at = line + 1) {
		line = memchr(at, '\n', (size_t)(last - at));
		if (store_append(store, &row->id, ++row->seq, at,
			(size_t)(line - at), fail) < 0)
			return -1;
	}
	row_follow(row, submission->agent, now);
	return store_put(store, row, fail);
}

/* What is submitted in one transaction. */
struct batch {
	struct submission *submissions;
	char **docs;
	int64_t *open; /* of each one's user, with all up to it */
	int64_t now;
};

/* Counts the open tasks before submission number I, at most to the limit MOST. */
static int
count_open(struct store *store, const struct batch *batch, size_t i,
    int64_t most, int64_t *ret_count, struct fail *fail)
{
	const struct submission *submissions = batch->submissions;
	size_t j = i;

	while (j-- > 0)
		if (strcmp(submissions[j].task->user,
			submissions[i].task->user) == 0) {
			*ret_count = batch->open[j];
			return 0;
		}
	return store_count_open(store, submissions[i].task->user, most,
	    ret_count, fail);
}

/* Adds ROW within the limit of open tasks. Returns as store_create, or 2 when the
 * user has too many. */
static int
create_row(struct engine_lmdb *lmdb, struct batch *batch, size_t i,
    struct task_row *row, struct task_row *ret_existing, struct fail *fail)
{
	int64_t most = lmdb->open_per_user, *open = &batch->open[i];
	int found;

	if (most && count_open(lmdb->store, batch, i, most, open, fail) < 0)
		return -1;
	if (most && *open >= most) {
		found = store_find_key(lmdb->store, row, ret_existing, fail);
		return found ? found : 2;
	}
	found = store_create(lmdb->store, row, ret_existing, fail);
	*open += found == 0;
	return found;
}

static int
submit_one(struct engine_lmdb *lmdb, struct batch *batch, size_t i,
    struct fail *fail)
{
	struct submission *submission = &batch->submissions[i];
	const char *doc = batch->docs[i];
	struct span task = { doc, strlen(doc) }, pins = submission->pins;
	struct store *store = lmdb->store;
	struct task_row row, existing;
	int created;

	row_begin(&row, submission->task, batch->now);
	if (submission->agent)
		row_follow(&row, submission->agent, batch->now);
	row.id = id_new();
	row.seq = pins.length ? 2 : 1;
	created = create_row(lmdb, batch, i, &row, &existing, fail);
	if (created < 0)
		return -1;
	if (created == 1)
		return submit_again(store, &existing, submission, task, fail);
	submission->refused = created == 2;
	if (submission->refused) {
		(void)engine_fail_open(row.user, lmdb->open_per_user,
		    &submission->fail);
		return 0;
	}
	id_format(&row.id, submission->id);
	if (submission->agent)
		return append_journal(store, &row, submission, batch->now,
		    fail);
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
	struct store *store = engine_lmdb(engine)->store;
	struct batch batch = { .submissions = submissions,
		.docs = mem_alloc(count * sizeof(*batch.docs) + 1),
		.open = mem_alloc(count * sizeof(*batch.open) + 1),
		.now = clock_wall() };
	size_t i, room = 0;
	int result = -1;

	for (i = 0; i < count; i++) {
		batch.docs[i] = json_text(submissions[i].task->doc);
		room += strlen(batch.docs[i]) + submissions[i].pins.length +
		    submissions[i].journal.length * 2 + ROW_ROOM;
	}
	if (store_begin(store, true, room, fail) < 0)
		goto out;
	for (i = 0; i < count; i++)
		if (submit_one(engine_lmdb(engine), &batch, i, fail) < 0) {
			store_abort(store);
			goto out;
		}
	if (store_commit(store, fail) < 0)
		goto out;
	wake_queues(store, submissions, count);
	result = 0;
out:
	for (i = 0; i < count; i++)
		free(batch.docs[i]);
	free(batch.docs);
	free(batch.open);
	return result;
}

/* ---- signal ---- */

static int
record_signal(struct task_session *session, struct store *store,
    const char *signal, struct span members, struct fail *fail)
{
	struct buf event = BUF_INIT(EVENT_MAX);
	int64_t now = clock_wall();
	struct plan plan = { .count = 0 };
	bool more;
	int result;

	do {
		buf_reset(&event);
		more = agent_signal(session->agent, signal, members, &event);
		result = session_record(session, store, now, EVENT_SIGNAL,
		    event.data, event.length, fail);
	} while (result == 0 && more);
	if (result == 0 && session->row.state != TASK_RUNNING)
		result = session_plan(session, store, now, &plan, fail);
	if (result == 0)
		result = session_save(session, store, now, fail);
	plan_release(&plan);
	buf_release(&event);
	return result;
}

/* A task whose journal cannot be folded can only be cancelled, from its row. */
static int
cancel_unreadable(struct store *store, struct task_row *row, const char *signal,
    struct fail *fail)
{
	struct buf text = BUF_INIT(ROW_ROOM);
	static const char reason[] = "\"reason\":\"asked for, and its journal "
				     "cannot be read\"";
	int result = -1;

	if (fail->kind != FAIL_NEVER || strcmp(signal, "cancel") != 0)
		return -1;
	if (task_state_final(row->state))
		return fail_set(fail, FAIL_NO, "task_ended",
		    "the task has ended (%s)", task_state_name(row->state));
	row->state = TASK_CANCELLED;
	row->due = 0;
	row->updated_at = clock_wall();
	event_write(&text, ++row->seq, row->updated_at, EVENT_CANCELLED, reason,
	    sizeof(reason) - 1);
	if (store_append(store, &row->id, row->seq, text.data, text.length,
		fail) == 0)
		result = store_put(store, row, fail);
	buf_release(&text);
	return result;
}

/* Within the store's transaction. */
static int
signal_task(struct store *store, struct task_row *row,
    struct task_session *session, const char *signal, struct span members,
    struct fail *fail)
{
	if (session_open(session, store, row, fail) < 0)
		return cancel_unreadable(store, row, signal, fail);
	if (agent_accepts(session->agent, signal, members, fail) < 0)
		return -1;
	return record_signal(session, store, signal, members, fail);
}

static int
lmdb_signal(struct engine *engine, const char *text, const char *signal,
    struct span members, struct fail *fail)
{
	struct store *store = engine_lmdb(engine)->store;
	struct task_session session = { .agent = NULL };
	struct task_row row;
	struct id id;
	int result = -1;

	if (engine_lmdb_id(text, &id, fail) < 0)
		return -1;
	if (store_begin(store, true, ROW_ROOM * 4 + members.length, fail) < 0)
		return -1;
	if (store_get(store, &id, &row, fail) < 0 ||
	    signal_task(store, &row, &session, signal, members, fail) < 0 ||
	    (strcmp(signal, "resume") == 0 &&
		store_gates_retry(store, clock_wall(), fail) < 0)) {
		store_abort(store);
		goto out;
	}
	result = store_commit(store, fail);
	if (result == 0 && strcmp(signal, "resume") == 0)
		store_wake(store, STORE_GATES_WAKE);
	if (result == 0)
		store_wake(store, row.queue);
out:
	session_close(&session);
	return result;
}

static const struct engine_operations operations = {
	.admits = true,
	.close = lmdb_close,
	.submit = lmdb_submit,
	.get = engine_lmdb_get,
	.events = engine_lmdb_events,
	.list = engine_lmdb_list,
	.signal = lmdb_signal,
	.depth = engine_lmdb_depth,
	.wait = engine_lmdb_wait,
	.probe = engine_lmdb_probe,
	.watch = engine_lmdb_watch,
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
	lmdb->engine.ops = &operations;
	lmdb->store = store;
	lmdb->open_per_user = config->open_per_user;
	lmdb->notify = -1;
	*ret_engine = &lmdb->engine;
	return 0;
}
