/* SPDX-License-Identifier: ISC */
/*
 * Checks every invariant between the tables, in one read transaction, in both
 * directions: from each task to the rows that must be there, and from each row
 * of every other table back to the task that it must belong to. The rows are
 * counted meanwhile and compared with the counters.
 */
#include <inttypes.h>
#include <search.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/store/admin.h"
#include "common/store/internal.h"

/* A counter as it should be, or ('p') a user and queue with parked rows. */
struct tally {
	struct key key;
	struct counts counts;
	uint64_t running;
	bool seen;
};

struct check {
	struct store *store;
	int (*events)(void *context, const struct task_row *row,
	    const struct span *texts, size_t count, struct fail *fail);
	void (*fault)(void *context, const char *sentence);
	void *context;
	int faults;
	void *tallies;            /* a tree of struct tally (tsearch) */
	int64_t sums[STORE_SUMS]; /* of the tasks that are there */
	bool summed;              /* the counter of the sums was seen */
	bool counted;             /* it has sums, and reasons to wait */
	struct span *texts;       /* the journal of the current task */
	size_t text_count;
};

static void __attribute__((format(printf, 2, 3)))
fault(struct check *check, const char *format, ...)
{
	char sentence[1024];
	va_list list;

	va_start(list, format);
	vsnprintf(sentence, sizeof(sentence), format, list);
	va_end(list);
	check->faults++;
	check->fault(check->context, sentence);
}

/* ---- tallies ---- */

static int
tally_compare(const void *a, const void *b)
{
	const struct key *one = &((const struct tally *)a)->key;
	const struct key *two = &((const struct tally *)b)->key;
	size_t least = one->length < two->length ? one->length : two->length;
	int order = memcmp(one->bytes, two->bytes, least);

	if (order)
		return order;
	return one->length < two->length ? -1 : one->length > two->length;
}

static struct tally *
tally_find(struct check *check, const struct key *key)
{
	struct tally wanted;
	void *found;

	wanted.key = *key;
	found = tfind(&wanted, &check->tallies, tally_compare);
	return found ? *(struct tally **)found : NULL;
}

static struct tally *
tally_make(struct check *check, const struct key *key)
{
	struct tally *tally = tally_find(check, key);

	if (tally)
		return tally;
	tally = mem_alloc(sizeof(*tally));
	tally->key = *key;
	if (!tsearch(tally, &check->tallies, tally_compare))
		abort();
	return tally;
}

static void
tally_row(struct check *check, const struct task_row *row)
{
	struct key total = key_counter('t', "");
	struct key queue = key_counter('q', row->queue);
	struct key user = key_counter('u', row->user);
	struct key waits = key_waits(row);
	int64_t sums[STORE_SUMS];
	struct tally *tally;

	tally = tally_make(check, &total);
	tally->counts.state[row->state]++;
	tally->counts.ready += row_ready(row);
	tally = tally_make(check, &queue);
	tally->counts.state[row->state]++;
	tally->counts.ready += row_ready(row);
	if (row->state == TASK_RUNNING)
		tally_make(check, &user)->running++;
	if (row->state == TASK_WAITING && check->counted)
		tally_make(check, &waits)->running++;
	sums_of(row, sums);
	for (size_t i = 0; i < STORE_SUMS; i++)
		check->sums[i] = sums_plus(check->sums[i], sums[i]);
}

/* ---- indexes ---- */

static bool
has_due(const struct task_row *row)
{
	return row->due != 0;
}

static bool
has_lease(const struct task_row *row)
{
	return row->state == TASK_RUNNING;
}

static bool
has_key(const struct task_row *row)
{
	return row->key[0] != '\0';
}

static bool
has_always(const struct task_row *row)
{
	(void)row;
	return true;
}

static struct key
due_of(const struct task_row *row)
{
	return key_due(row->due, &row->id);
}

static struct key
lease_of(const struct task_row *row)
{
	return key_lease(&row->worker, &row->id);
}

static struct key
key_of(const struct task_row *row)
{
	return key_idempotency(row->user, row->key);
}

static struct key
user_of(const struct task_row *row)
{
	return key_user(row->user, (int)row->state, &row->id);
}

static struct key
state_of(const struct task_row *row)
{
	return key_state(row->state, &row->id);
}

static const struct index {
	enum table table;
	bool (*has)(const struct task_row *row);
	struct key (*key)(const struct task_row *row);
	const char *because; /* why a task has a row there */
} indexes[] = {
	/* A task is in one of the first two. */
	{ TABLE_READY, row_ready, key_ready, "is queued and due" },
	{ TABLE_PARKED, row_ready, key_parked, "is queued and due" },
	{ TABLE_DUE, has_due, due_of, "is due later" },
	{ TABLE_LEASES, has_lease, lease_of, "is running" },
	{ TABLE_KEYS, has_key, key_of, "has a key" },
	{ TABLE_BY_USER, has_always, user_of, "is there" },
	{ TABLE_BY_STATE, has_always, state_of, "is there" },
};
#define INDEXES (sizeof(indexes) / sizeof(indexes[0]))

/* The task that a row of an index belongs to. */
static bool
index_task(const struct index *index, const struct db_row *row,
    struct id *ret_id)
{
	struct span from = index->table == TABLE_KEYS ? row->value : row->key;

	if (from.length < ID_SIZE)
		return false;
	*ret_id = key_id(from);
	return true;
}

/* One row of an index must be exactly the row that its task requires. */
static int
check_index_row(struct check *check, const struct index *index,
    const struct db_row *row, struct fail *fail)
{
	const char *table = store_tables[index->table];
	struct key key;
	struct task_row task;
	struct span value;
	struct fail broken;
	char name[ID_TEXT];
	struct id id;
	int found;

	if (!index_task(index, row, &id)) {
		fault(check, "the table %s has a row that cannot be read",
		    table);
		return 0;
	}
	id_format(&id, name);
	key = key_task(&id);
	found = row_get(check->store, TABLE_TASKS, &key, &value, fail);
	if (found < 0)
		return -1;
	if (found == 0) {
		fault(check,
		    "the table %s has a row for the task %s, which "
		    "is not there",
		    table, name);
		return 0;
	}
	if (row_unpack(value, &id, &task, &broken) < 0)
		return 0; /* reported with the tasks */
	key = index->key(&task);
	if (!index->has(&task) || row->key.length != key.length ||
	    memcmp(row->key.at, key.bytes, key.length) != 0)
		fault(check,
		    "the table %s has a row for the task %s (%s) that "
		    "does not fit it",
		    table, name, task_state_name(task.state));
	return 0;
}

static int
check_index(struct check *check, const struct index *index, struct fail *fail)
{
	struct db_cursor *cursor = NULL;
	enum db_move how = DB_AT;
	struct db_row row;
	int result;

	if (db_cursor_open(check->store->db, index->table, &cursor, fail) < 0)
		return -1;
	for (;;) {
		result = db_cursor_move(cursor, how, NULL, 0, &row, fail);
		if (result <= 0)
			break;
		result = check_index_row(check, index, &row, fail);
		if (result < 0)
			break;
		how = DB_NEXT;
	}
	db_cursor_close(cursor);
	return result;
}

/* Checks the row that TASK requires in an index, and its value. Returns 1 when
 * it is there. */
static int
find_in_index(struct check *check, const struct index *index,
    const struct task_row *task, struct fail *fail)
{
	struct key key = index->key(task);
	struct span value;
	char name[ID_TEXT];
	struct id id;
	int found;

	found = row_get(check->store, index->table, &key, &value, fail);
	if (found <= 0)
		return found;
	id_format(&task->id, name);
	if (index->table == TABLE_KEYS) {
		id = key_id(value);
		if (memcmp(&id, &task->id, sizeof(id)) != 0)
			return 0;
	}
	if (index->table == TABLE_READY &&
	    (value.length < 1 || value.length - 1 != strlen(task->user) ||
		memcmp(value.at + 1, task->user, value.length - 1) != 0))
		fault(check,
		    "the row of the task %s in the table ready names "
		    "another user",
		    name);
	return 1;
}

static int
check_places(struct check *check, const struct task_row *task,
    struct fail *fail)
{
	char name[ID_TEXT];
	int ready, found;
	size_t i;

	id_format(&task->id, name);
	ready = find_in_index(check, &indexes[0], task, fail);
	found = ready < 0 ? -1 : find_in_index(check, &indexes[1], task, fail);
	if (found < 0)
		return -1;
	if (row_ready(task) && !ready && !found)
		fault(check,
		    "the task %s is queued and due, but is neither in "
		    "the table ready nor in parked",
		    name);
	if (ready && found)
		fault(check,
		    "the task %s is both in the table ready and in "
		    "parked",
		    name);
	for (i = 2; i < INDEXES; i++) {
		if (!indexes[i].has(task))
			continue;
		found = find_in_index(check, &indexes[i], task, fail);
		if (found < 0)
			return -1;
		if (!found)
			fault(check,
			    "the task %s %s, but has no row in the "
			    "table %s",
			    name, indexes[i].because,
			    store_tables[indexes[i].table]);
	}
	return 0;
}

/* ---- tasks ---- */

static int
check_members(struct check *check, const struct task_row *task,
    struct fail *fail)
{
	struct key worker = key_task(&task->worker);
	struct span value;
	char name[ID_TEXT];
	int found;

	id_format(&task->id, name);
	if (!task->user[0] || !task->queue[0])
		fault(check, "the task %s has no user or no queue", name);
	if (task->due && task->state != TASK_QUEUED &&
	    task->state != TASK_WAITING)
		fault(check, "the task %s is %s and has a due time", name,
		    task_state_name(task->state));
	if (task->state != TASK_RUNNING)
		return 0;
	if (task->fence == 0)
		fault(check, "the task %s is running without a fencing number",
		    name);
	found = row_get(check->store, TABLE_WORKERS, &worker, &value, fail);
	if (found == 0)
		fault(check,
		    "the task %s is running, but its worker has no "
		    "row in the table workers",
		    name);
	return found < 0 ? -1 : 0;
}

struct reading {
	struct check *check;
	uint64_t last;
	bool whole;
};

static int
see_event(void *context, uint64_t seq, struct span text, struct fail *fail)
{
	struct reading *reading = context;
	struct check *check = reading->check;

	(void)fail;
	if (seq != reading->last + 1)
		reading->whole = false;
	reading->last = seq;
	if (!check->events)
		return 0;
	check->texts = mem_grow(check->texts, check->text_count + 1,
	    sizeof(*check->texts));
	check->texts[check->text_count++] = text;
	return 0;
}

static int
check_journal(struct check *check, const struct task_row *task,
    struct fail *fail)
{
	struct reading reading = { check, 0, true };
	struct fail wrong;
	char name[ID_TEXT];

	id_format(&task->id, name);
	check->text_count = 0;
	if (store_read(check->store, &task->id, 0, see_event, &reading, fail) <
	    0)
		return -1;
	if (!reading.whole)
		fault(check, "the journal of the task %s has a gap", name);
	else if (reading.last != task->seq)
		fault(check,
		    "the journal of the task %s ends with event %" PRIu64
		    ", but its row says %" PRIu64,
		    name, reading.last, task->seq);
	else if (check->events &&
	    check->events(check->context, task, check->texts, check->text_count,
		&wrong) < 0)
		fault(check, "the task %s: %s", name, wrong.message);
	return 0;
}

static int
check_task(struct check *check, const struct db_row *row, struct fail *fail)
{
	struct id id = key_id(row->key);
	struct task_row task;
	struct fail broken;
	char name[ID_TEXT];

	id_format(&id, name);
	if (row->key.length != ID_SIZE ||
	    row_unpack(row->value, &id, &task, &broken) < 0) {
		fault(check, "the row of the task %s cannot be read", name);
		return 0;
	}
	tally_row(check, &task);
	if (check_members(check, &task, fail) < 0 ||
	    check_places(check, &task, fail) < 0)
		return -1;
	return check_journal(check, &task, fail);
}

/* ---- the other tables ---- */

/* Each task that has a journal must exist: one search per task. */
static int
check_journal_tasks(struct check *check, struct fail *fail)
{
	struct key from = { .length = 0 }, key;
	struct db_row row;
	struct span value;
	char name[ID_TEXT];
	struct id id;
	int found;

	for (;;) {
		found = db_seek(check->store->db, TABLE_JOURNAL, from.bytes,
		    from.length, &row, fail);
		if (found <= 0)
			return found;
		memset(&id, 0, sizeof(id));
		memcpy(id.bytes, row.key.at,
		    row.key.length < ID_SIZE ? row.key.length : ID_SIZE);
		id_format(&id, name);
		if (row.key.length != ID_SIZE + 8)
			fault(check,
			    "the table journal has a row that cannot "
			    "be read, at the task %s",
			    name);
		key = key_task(&id);
		found = row_get(check->store, TABLE_TASKS, &key, &value, fail);
		if (found < 0)
			return -1;
		if (found == 0)
			fault(check,
			    "the table journal has events of the task "
			    "%s, which is not there",
			    name);
		from = key;
		key_after(&from);
	}
}

static int
check_worker(struct check *check, const struct db_row *row, struct fail *fail)
{
	struct worker_row worker;
	char name[ID_TEXT];
	struct id id = key_id(row->key);

	(void)fail;
	id_format(&id, name);
	if (row->key.length != ID_SIZE ||
	    worker_unpack(row->value, &worker, &(struct fail){ 0 }) < 0)
		fault(check, "the row of the worker %s cannot be read", name);
	return 0;
}

static const char *
counter_name(char kind)
{
	return kind == 't' ? "all tasks"
	    : kind == 'q'  ? "the queue"
	    : kind == 'w'  ? "the tasks that wait for"
	    : kind == 's'  ? "the sums"
			   : "the running tasks of the user";
}

/* The sums include pruned tasks. */
static void
check_sums(struct check *check, const struct db_row *row)
{
	int64_t sums[STORE_SUMS];
	struct fail broken;
	bool fine = sums_unpack(row->value, sums, &broken) == 0;
	size_t i;

	for (i = 0; fine && i < STORE_SUMS; i++)
		fine = sums[i] >= check->sums[i];
	if (!fine)
		fault(check, "the sums are smaller than those of the tasks");
	check->summed = true;
}

static int
check_counter(struct check *check, const struct db_row *row, struct fail *fail)
{
	struct fail broken;
	struct tally *tally;
	struct counts counts;
	struct key key;
	uint64_t running = 0;
	bool equal;
	int result;

	(void)fail;
	key.length = row->key.length;
	memcpy(key.bytes, row->key.at, key.length);
	if (key.bytes[0] == 's') {
		check_sums(check, row);
		return 0;
	}
	memset(&counts, 0, sizeof(counts));
	if (key.bytes[0] == 'u' || key.bytes[0] == 'w')
		result = number_unpack(row->value, &running, &broken);
	else
		result = counts_unpack(row->value, &counts, &broken);
	tally = tally_find(check, &key);
	equal = result == 0 && tally && tally->running == running &&
	    memcmp(&tally->counts, &counts, sizeof(counts)) == 0;
	if (tally)
		tally->seen = true;
	if (!equal)
		fault(check, "the counter of %s%s%.*s is wrong",
		    counter_name((char)key.bytes[0]), key.length > 1 ? " " : "",
		    (int)key.length - 1, (const char *)key.bytes + 1);
	return 0;
}

static int
check_share(struct check *check, const struct db_row *row, struct fail *fail)
{
	const char *end = memchr(row->key.at, 0, row->key.length);
	size_t after;

	(void)fail;
	after = end ? row->key.length - (size_t)(end - row->key.at) - 1 : 0;
	if (after < 1 || row->value.length != (after == 1 ? 9 : 17))
		fault(check, "the table shares has a row that cannot be read");
	return 0;
}

static int
check_meta(struct check *check, const struct db_row *row, struct fail *fail)
{
	static const struct {
		const char *name;
		size_t least, most;
	} known[] = {
		{ "version", 4, 4 },
		{ "limits", 17, 17 },
		{ "served", 9, 9 },
		{ "returning", 1, DB_KEY_MAX },
	};
	size_t i;

	(void)fail;
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (row->key.length == strlen(known[i].name) &&
		    memcmp(row->key.at, known[i].name, row->key.length) == 0 &&
		    row->value.length >= known[i].least &&
		    row->value.length <= known[i].most)
			return 0;
	}
	fault(check, "the table meta has a row \"%.*s\" that cannot be read",
	    (int)row->key.length, row->key.at);
	return 0;
}

/* Notes a user who has parked rows and runs nothing. */
static int
note_parked(struct check *check, const struct db_row *row, struct fail *fail)
{
	size_t user = strnlen(row->key.at, row->key.length);
	size_t queue;
	struct key key;

	(void)fail;
	if (user == row->key.length)
		return 0;
	queue = strnlen(row->key.at + user + 1, row->key.length - user - 1);
	if (user + 1 + queue >= row->key.length)
		return 0;
	key = key_counter('u', row->key.at);
	if (tally_find(check, &key))
		return 0;
	key.bytes[0] = 'p';
	memcpy(key.bytes + 1, row->key.at, user + 1 + queue);
	key.length = 1 + user + 1 + queue;
	(void)tally_make(check, &key);
	return 0;
}

static int
note_ready(struct check *check, const struct db_row *row, struct fail *fail)
{
	size_t queue = strnlen(row->key.at, row->key.length);
	size_t user = row->value.length ? row->value.length - 1 : 0;
	struct tally *tally;
	struct key key;

	(void)fail;
	if (user > TASK_USER_MAX || queue > TASK_QUEUE_MAX)
		return 0;
	key.bytes[0] = 'p';
	memcpy(key.bytes + 1, row->value.at + 1, user);
	key.bytes[1 + user] = '\0';
	memcpy(key.bytes + 2 + user, row->key.at, queue);
	key.length = 2 + user + queue;
	tally = tally_find(check, &key);
	if (tally)
		tally->seen = true;
	return 0;
}

static int
each_row(struct check *check, enum table table,
    int (
	*row)(struct check *check, const struct db_row *row, struct fail *fail),
    struct fail *fail)
{
	struct db_cursor *cursor = NULL;
	enum db_move how = DB_AT;
	struct db_row found;
	int result;

	if (db_cursor_open(check->store->db, table, &cursor, fail) < 0)
		return -1;
	for (;;) {
		result = db_cursor_move(cursor, how, NULL, 0, &found, fail);
		if (result <= 0)
			break;
		result = row(check, &found, fail);
		if (result < 0)
			break;
		how = DB_NEXT;
	}
	db_cursor_close(cursor);
	return result;
}

/* ---- the whole ---- */

static void
tell_unseen(struct check *check)
{
	struct tally *tally;

	if (!check->summed && check->counted && check->sums[SUM_SUBMITTED] > 0)
		fault(check, "the sums are missing");
	while (check->tallies) {
		tally = *(struct tally **)check->tallies;
		if (!tally->seen && tally->key.bytes[0] == 'p')
			fault(check,
			    "the user %s has parked tasks in the "
			    "queue %.*s, and nothing will unpark them",
			    (const char *)tally->key.bytes + 1,
			    (int)(tally->key.length - 2 -
				strlen((const char *)tally->key.bytes + 1)),
			    (const char *)tally->key.bytes + 2 +
				strlen((const char *)tally->key.bytes + 1));
		else if (!tally->seen)
			fault(check, "the counter of %s%s%.*s is missing",
			    counter_name((char)tally->key.bytes[0]),
			    tally->key.length > 1 ? " " : "",
			    (int)tally->key.length - 1,
			    (const char *)tally->key.bytes + 1);
		tdelete(tally, &check->tallies, tally_compare);
		free(tally);
	}
}

static int
check_tables(struct check *check, struct fail *fail)
{
	size_t i;

	if (each_row(check, TABLE_TASKS, check_task, fail) < 0)
		return -1;
	for (i = 0; i < INDEXES; i++) {
		if (check_index(check, &indexes[i], fail) < 0)
			return -1;
	}
	if (check_journal_tasks(check, fail) < 0 ||
	    each_row(check, TABLE_WORKERS, check_worker, fail) < 0 ||
	    each_row(check, TABLE_COUNTERS, check_counter, fail) < 0 ||
	    each_row(check, TABLE_SHARES, check_share, fail) < 0 ||
	    each_row(check, TABLE_META, check_meta, fail) < 0 ||
	    each_row(check, TABLE_PARKED, note_parked, fail) < 0 ||
	    each_row(check, TABLE_READY, note_ready, fail) < 0)
		return -1;
	return 0;
}

int
store_verify(struct store *store,
    int (*events)(void *context, const struct task_row *row,
	const struct span *texts, size_t count, struct fail *fail),
    void (*say)(void *context, const char *sentence), void *context,
    struct fail *fail)
{
	struct check check;
	int result;

	memset(&check, 0, sizeof(check));
	check.store = store;
	check.events = events;
	check.fault = say;
	check.context = context;
	if (store_begin(store, false, 0, fail) < 0)
		return -1;
	result = sums_counted(store, &check.counted, fail);
	if (result == 0)
		result = check_tables(&check, fail);
	store_abort(store);
	if (result == 0)
		tell_unseen(&check);
	while (check.tallies) {
		struct tally *tally = *(struct tally **)check.tallies;

		tdelete(tally, &check.tallies, tally_compare);
		free(tally);
	}
	free(check.texts);
	return result < 0 ? -1 : check.faults;
}
