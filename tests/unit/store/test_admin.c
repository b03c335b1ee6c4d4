/* SPDX-License-Identifier: ISC */
/* verify finds every kind of damage and says what it is; backup and prune. */
#include "tests/unit/store/store_help.h"

#include <sys/stat.h>

/* ---- damage ---- */

/* A store with a task in every kind of place. */
struct scene {
	struct task_row ready, later, waiting, running, parked, done;
	struct id worker;
};

static struct scene
make_scene(struct setting *s)
{
	struct store_limits one = { 1, 0 };
	struct scene scene;
	struct task_row row, existing;

	scene.worker = add_worker(s);
	begin(s);
	row = new_row("run", "default", 5);
	snprintf(row.key, sizeof(row.key), "the key");
	row.seq = 1;
	assert_int_equal(store_create(s->store, &row, &existing, &s->fail), 0);
	must(store_append(s->store, &row.id, 1, "{}", 2, &s->fail));
	assert_int_equal(store_lease(s->store, &scene.worker, NULL, 0, &one,
			     &scene.running, 1, &s->fail),
	    1);
	scene.parked = add(s, "run", "default", 5);
	assert_int_equal(store_lease(s->store, &scene.worker, NULL, 0, &one,
			     &row, 1, &s->fail),
	    0);
	scene.ready = add(s, "ann", "default", 5);
	scene.later = add(s, "ann", "default", 5);
	scene.later.due = INT64_MAX;
	must(store_put(s->store, &scene.later, &s->fail));
	scene.waiting = add(s, "ann", "other", 5);
	scene.waiting.state = TASK_WAITING;
	must(store_put(s->store, &scene.waiting, &s->fail));
	scene.done = add(s, "ann", "default", 5);
	scene.done.state = TASK_COMPLETED;
	must(store_put(s->store, &scene.done, &s->fail));
	must(store_append(s->store, &scene.done.id, 2, "{}", 2, &s->fail));
	must(store_append(s->store, &scene.done.id, 3, "{}", 2, &s->fail));
	scene.done.seq = 3;
	must(store_put(s->store, &scene.done, &s->fail));
	commit(s);
	assert_int_equal(verify(s), 0);
	return scene;
}

static void
drop(struct setting *s, enum table table, struct key key)
{
	must(table_drop(s->store, table, &key, &s->fail));
}

static void
put(struct setting *s, enum table table, struct key key, const char *value,
    size_t length)
{
	must(table_put(s->store, table, &key, value, length, &s->fail));
}

static void
no_task(struct setting *s, struct scene *c)
{
	drop(s, TABLE_TASKS, key_task(&c->done.id));
}

static void
bad_task(struct setting *s, struct scene *c)
{
	put(s, TABLE_TASKS, key_task(&c->done.id), "\1\2", 2);
}

static void
other_state(struct setting *s, struct scene *c)
{
	c->done.state = TASK_FAILED;
	must(table_put_task(s->store, &c->done, &s->fail));
}

static void
no_fence(struct setting *s, struct scene *c)
{
	c->running.fence = 0;
	must(table_put_task(s->store, &c->running, &s->fail));
}

static void
wrong_due(struct setting *s, struct scene *c)
{
	c->done.due = 5;
	must(table_put_task(s->store, &c->done, &s->fail));
}

static void
no_event(struct setting *s, struct scene *c)
{
	drop(s, TABLE_JOURNAL, key_event(&c->done.id, 3));
}

static void
gap(struct setting *s, struct scene *c)
{
	drop(s, TABLE_JOURNAL, key_event(&c->done.id, 2));
}

static void
more_events(struct setting *s, struct scene *c)
{
	put(s, TABLE_JOURNAL, key_event(&c->done.id, 4), "{}", 2);
}

static void
lost_journal(struct setting *s, struct scene *c)
{
	struct id nobody = c->done.id;

	nobody.bytes[15] ^= 1;
	put(s, TABLE_JOURNAL, key_event(&nobody, 1), "{}", 2);
}

static void
no_ready(struct setting *s, struct scene *c)
{
	drop(s, TABLE_READY, key_ready(&c->ready));
}

static void
wrong_ready(struct setting *s, struct scene *c)
{
	put(s, TABLE_READY, key_ready(&c->waiting), "\1ann", 4);
}

static void
other_user(struct setting *s, struct scene *c)
{
	put(s, TABLE_READY, key_ready(&c->ready), "\1ben", 4);
}

static void
no_parked(struct setting *s, struct scene *c)
{
	drop(s, TABLE_PARKED, key_parked(&c->parked));
}

static void
wrong_parked(struct setting *s, struct scene *c)
{
	put(s, TABLE_PARKED, key_parked(&c->done), "", 0);
}

static void
ready_and_parked(struct setting *s, struct scene *c)
{
	put(s, TABLE_PARKED, key_parked(&c->ready), "", 0);
}

static void
stuck(struct setting *s, struct scene *c)
{
	drop(s, TABLE_READY, key_ready(&c->ready));
	put(s, TABLE_PARKED, key_parked(&c->ready), "", 0);
}

static void
no_due(struct setting *s, struct scene *c)
{
	drop(s, TABLE_DUE, key_due(c->later.due, &c->later.id));
}

static void
more_due(struct setting *s, struct scene *c)
{
	put(s, TABLE_DUE, key_due(7, &c->later.id), "", 0);
}

static void
no_lease(struct setting *s, struct scene *c)
{
	drop(s, TABLE_LEASES, key_lease(&c->worker, &c->running.id));
}

static void
more_leases(struct setting *s, struct scene *c)
{
	put(s, TABLE_LEASES, key_lease(&c->worker, &c->ready.id), "", 0);
}

static void
no_worker(struct setting *s, struct scene *c)
{
	drop(s, TABLE_WORKERS, key_task(&c->worker));
}

static void
bad_worker(struct setting *s, struct scene *c)
{
	put(s, TABLE_WORKERS, key_task(&c->worker), "\1", 1);
}

static void
no_key(struct setting *s, struct scene *c)
{
	(void)c;
	drop(s, TABLE_KEYS, key_idempotency("run", "the key"));
}

static void
wrong_key(struct setting *s, struct scene *c)
{
	char value[17] = "\1";

	memcpy(value + 1, c->ready.id.bytes, ID_SIZE);
	put(s, TABLE_KEYS, key_idempotency("ann", "another"), value, 17);
}

static void
no_by_user(struct setting *s, struct scene *c)
{
	drop(s, TABLE_BY_USER, key_user("ann", TASK_QUEUED, &c->ready.id));
}

static void
wrong_by_user(struct setting *s, struct scene *c)
{
	put(s, TABLE_BY_USER, key_user("ben", TASK_QUEUED, &c->ready.id), "",
	    0);
}

static void
no_by_state(struct setting *s, struct scene *c)
{
	drop(s, TABLE_BY_STATE, key_state(TASK_QUEUED, &c->ready.id));
}

static void
wrong_by_state(struct setting *s, struct scene *c)
{
	put(s, TABLE_BY_STATE, key_state(TASK_FAILED, &c->ready.id), "", 0);
}

static void
wrong_total(struct setting *s, struct scene *c)
{
	struct counts counts;
	uint8_t bytes[COUNTS_SIZE];

	(void)c;
	must(table_counts(s->store, 't', "", &counts, &s->fail));
	counts.state[TASK_FAILED]++;
	pack_counts(&counts, bytes);
	put(s, TABLE_COUNTERS, key_counter('t', ""), (const char *)bytes,
	    sizeof(bytes));
}

static void
no_queue_counter(struct setting *s, struct scene *c)
{
	(void)c;
	drop(s, TABLE_COUNTERS, key_counter('q', "default"));
}

static void
more_counters(struct setting *s, struct scene *c)
{
	char value[9] = "\1\0\0\0\0\0\0\0\1";

	(void)c;
	put(s, TABLE_COUNTERS, key_counter('u', "zoe"), value, sizeof(value));
}

static void
no_running(struct setting *s, struct scene *c)
{
	(void)c;
	drop(s, TABLE_COUNTERS, key_counter('u', "run"));
}

static void
bad_share(struct setting *s, struct scene *c)
{
	(void)c;
	put(s, TABLE_SHARES, key_share("default", 5, "ann"), "\1", 1);
}

static void
bad_meta(struct setting *s, struct scene *c)
{
	(void)c;
	put(s, TABLE_META, key_name("colour"), "red", 3);
}

static const struct damage {
	const char *name;
	void (*harm)(struct setting *s, struct scene *c);
	const char *wanted; /* must be among the sentences */
} damages[] = {
	{ "no task", no_task, "has events of the task DONE, which is not" },
	{ "no task, index", no_task,
	    "the table by_user has a row for the task DONE, which is not" },
	{ "bad task", bad_task, "the row of the task DONE cannot be read" },
	{ "other state", other_state,
	    "by_state has a row for the task DONE (failed) that does not fit" },
	{ "no fence", no_fence, "RUNNING is running without a fencing number" },
	{ "wrong due", wrong_due, "DONE is completed and has a due time" },
	{ "no event", no_event, "DONE ends with event 2, but its row says 3" },
	{ "gap", gap, "the journal of the task DONE has a gap" },
	{ "more events", more_events,
	    "DONE ends with event 4, but its row says 3" },
	{ "lost journal", lost_journal, "the table journal has events of" },
	{ "no ready", no_ready, "READY is queued and due, but is neither in" },
	{ "wrong ready", wrong_ready,
	    "ready has a row for the task WAITING (waiting) that does not" },
	{ "other user", other_user, "READY in the table ready names another" },
	{ "no parked", no_parked, "PARKED is queued and due, but is neither" },
	{ "wrong parked", wrong_parked,
	    "parked has a row for the task DONE (completed) that does not" },
	{ "both", ready_and_parked, "READY is both in the table ready and in" },
	{ "stuck", stuck,
	    "the user ann has parked tasks in the queue default, and nothing" },
	{ "no due", no_due,
	    "LATER is due later, but has no row in the table due" },
	{ "more due", more_due, "due has a row for the task LATER (queued)" },
	{ "no lease", no_lease,
	    "RUNNING is running, but has no row in the table leases" },
	{ "more leases", more_leases,
	    "leases has a row for the task READY (queued)" },
	{ "no worker", no_worker, "RUNNING is running, but its worker has no" },
	{ "bad worker", bad_worker, "the row of the worker" },
	{ "no key", no_key, "RUNNING has a key, but has no row in the table" },
	{ "wrong key", wrong_key, "keys has a row for the task READY" },
	{ "no by_user", no_by_user,
	    "READY is there, but has no row in the table by_user" },
	{ "wrong by_user", wrong_by_user,
	    "by_user has a row for the task READY (queued) that does not" },
	{ "no by_state", no_by_state,
	    "READY is there, but has no row in the table by_state" },
	{ "wrong by_state", wrong_by_state,
	    "by_state has a row for the task READY (queued) that does not" },
	{ "wrong total", wrong_total, "the counter of all tasks is wrong" },
	{ "no counter", no_queue_counter,
	    "the counter of the queue default is missing" },
	{ "more counters", more_counters,
	    "the counter of the running tasks of the user zoe is wrong" },
	{ "no running", no_running,
	    "the counter of the running tasks of the user run is missing" },
	{ "bad share", bad_share,
	    "the table shares has a row that cannot be read" },
	{ "bad meta", bad_meta, "the table meta has a row \"colour\"" },
};

/* WANTED with the names of the scene's tasks as their ids. */
static char *
with_ids(const char *wanted, const struct scene *scene)
{
	const struct {
		const char *name;
		const struct task_row *row;
	} names[] = {
		{ "DONE", &scene->done },
		{ "READY", &scene->ready },
		{ "RUNNING", &scene->running },
		{ "LATER", &scene->later },
		{ "WAITING", &scene->waiting },
		{ "PARKED", &scene->parked },
	};
	char id[ID_TEXT], *place;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		place = strstr(wanted, names[i].name);
		if (!place)
			continue;
		id_format(&names[i].row->id, id);
		return mem_print("%.*s%s%s", (int)(place - wanted), wanted, id,
		    place + strlen(names[i].name));
	}
	return mem_string(wanted);
}

static void
test_damage(void **state)
{
	struct setting *s = *state;
	struct scene scene;
	char *wanted, path[PATH_MAX + 32];
	size_t i;

	for (i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		store_close(s->store);
		s->store = NULL;
		snprintf(path, sizeof(path), "%s/%zu", s->folder, i);
		must(store_open(path, STORE_CREATE, 0, &s->store, &s->fail));
		scene = make_scene(s);
		begin(s);
		damages[i].harm(s, &scene);
		commit(s);
		wanted = with_ids(damages[i].wanted, &scene);
		if (verify(s) == 0 || !strstr(s->sentence, wanted))
			fail_msg("%s: wanted \"%s\", got:\n%s", damages[i].name,
			    wanted, s->sentence);
		free(wanted);
	}
	store_close(s->store);
	s->store = NULL;
}

static int
refuse(void *context, const struct task_row *row, const struct span *texts,
    size_t count, struct fail *fail)
{
	struct setting *s = context;

	(void)s;
	assert_int_equal(row->seq, count);
	assert_int_equal(texts[0].length, 2);
	if (row->state != TASK_WAITING)
		return 0;
	return fail_set(fail, FAIL_NEVER, "test", "it has waited enough");
}

static void
test_events(void **state)
{
	struct setting *s = *state;
	struct scene scene = make_scene(s);
	char *wanted = with_ids("the task WAITING: it has waited enough",
	    &scene);

	s->sentence[0] = '\0';
	assert_int_equal(store_verify(s->store, refuse, note_fault, s,
			     &s->fail),
	    1);
	assert_non_null(strstr(s->sentence, wanted));
	free(wanted);
}

/* ---- backup ---- */

static int
count_events(void *context, uint64_t seq, struct span text, struct fail *fail)
{
	size_t *bytes = context;

	(void)seq;
	(void)fail;
	*bytes += text.length;
	return 0;
}

static void
test_backup(void **state)
{
	struct setting *s = *state;
	struct scene scene = make_scene(s);
	struct setting copy = { .store = NULL };
	struct task_row row;
	struct id self = id_new();
	size_t size = (size_t)3 << 20, bytes = 0;
	char path[PATH_MAX + 32], *text = mem_alloc(size);
	uint64_t seq;
	int64_t next;

	/* A journal that is larger than one step. */
	for (seq = 2; seq <= 6; seq++) {
		must(store_begin(s->store, true, size, &s->fail));
		must(store_append(s->store, &scene.ready.id, seq, text, size,
		    &s->fail));
		scene.ready.seq = seq;
		must(store_put(s->store, &scene.ready, &s->fail));
		commit(s);
	}
	begin(s);
	add_many(s, "many", "default", 3, 1000);
	commit(s);
	snprintf(path, sizeof(path), "%s/copy/", s->folder);
	must(store_backup(s->store, path, &s->fail));
	assert_int_equal(store_backup(s->store, path, &s->fail), -1);
	assert_string_equal(s->fail.type, "exists");

	must(store_open(path, STORE_WRITE, 0, &copy.store, &s->fail));
	if (verify(&copy) > 0)
		fail_msg("%s", copy.sentence);
	must(store_begin(copy.store, false, 0, &s->fail));
	must(store_get(copy.store, &scene.ready.id, &row, &s->fail));
	assert_memory_equal(&row, &scene.ready, sizeof(row));
	must(store_get(copy.store, &scene.running.id, &row, &s->fail));
	assert_memory_equal(&row, &scene.running, sizeof(row));
	must(store_read(copy.store, &scene.ready.id, 0, count_events, &bytes,
	    &s->fail));
	assert_int_equal(bytes, 2 + 5 * size);
	store_abort(copy.store);

	/* The running task is an orphan there, and everything goes on. */
	must(store_begin(copy.store, true, 0, &s->fail));
	must(store_promote(copy.store, 0, &next, &s->fail));
	assert_int_equal(store_orphans(copy.store, &self, clock_boot(), &row, 1,
			     &s->fail),
	    1);
	row.state = TASK_QUEUED;
	must(store_put(copy.store, &row, &s->fail));
	must(store_commit(copy.store, &s->fail));
	if (verify(&copy) > 0)
		fail_msg("%s", copy.sentence);
	store_close(copy.store);
	free(text);
}

static void
test_backup_fails(void **state)
{
	struct setting *s = *state;
	char path[PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/none/copy", s->folder);
	assert_int_equal(store_backup(s->store, path, &s->fail), -1);
	/* The store is as usable as before. */
	make_scene(s);
}

/* ---- prune ---- */

static void
test_prune(void **state)
{
	struct setting *s = *state;
	struct scene scene = make_scene(s);
	struct store_depth depth;
	struct task_row row, existing;
	char key[TASK_KEY_MAX];
	int i;

	begin(s);
	for (i = 0; i < 700; i++) {
		row = new_row("old", "default", 5);
		snprintf(key, sizeof(key), "key %d", i);
		snprintf(row.key, sizeof(row.key), "%s", key);
		assert_int_equal(store_create(s->store, &row, &existing,
				     &s->fail),
		    0);
		must(store_append(s->store, &row.id, 1, "{}", 2, &s->fail));
		row.seq = 1;
		row.state = i % 2 ? TASK_FAILED : TASK_CANCELLED;
		row.updated_at = i < 600 ? 1000 : 2000;
		must(store_put(s->store, &row, &s->fail));
	}
	commit(s);
	assert_int_equal(store_prune(s->store, 1000, &s->fail), 0);
	assert_int_equal(store_prune(s->store, 1001, &s->fail), 600);
	assert_int_equal(verify(s), 0);
	assert_int_equal(store_prune(s->store, INT64_MAX, &s->fail), 101);
	must(store_begin(s->store, false, 0, &s->fail));
	must(store_depth(s->store, NULL, 0, &depth, &s->fail));
	assert_int_equal(depth.state[TASK_FAILED], 0);
	assert_int_equal(depth.state[TASK_QUEUED], 3);
	assert_int_equal(store_get(s->store, &scene.done.id, &row, &s->fail),
	    -1);
	store_abort(s->store);
	/* The key of a task that was pruned is free again. */
	begin(s);
	row = new_row("old", "default", 5);
	snprintf(row.key, sizeof(row.key), "key 1");
	assert_int_equal(store_create(s->store, &row, &existing, &s->fail), 0);
	commit(s);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(damage),
		TEST(events),
		TEST(backup),
		TEST(backup_fails),
		TEST(prune),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
