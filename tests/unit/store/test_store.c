/* SPDX-License-Identifier: ISC */
/* Tasks, their journals and lists. */
#include "tests/unit/store/store_help.h"

static void
test_create(void **state)
{
	struct setting *s = *state;
	struct task_row row = new_row("ann", "default", 5), other, existing;
	struct id nobody = id_new();

	snprintf(row.key, sizeof(row.key), "one");
	row.turns = 1;
	row.nano_usd = INT64_MAX;
	begin(s);
	assert_int_equal(store_create(s->store, &row, &existing, &s->fail), 0);
	assert_int_equal(row.state, TASK_QUEUED);
	commit(s);

	must(store_begin(s->store, false, 0, &s->fail));
	other = get(s, &row.id);
	assert_memory_equal(&other, &row, sizeof(row));
	assert_int_equal(store_get(s->store, &nobody, &other, &s->fail), -1);
	assert_int_equal(s->fail.kind, FAIL_NO);
	assert_string_equal(s->fail.type, "no_task");
	store_abort(s->store);

	/* The same key of the same user is the same task, of another not. */
	begin(s);
	other = new_row("ann", "default", 5);
	snprintf(other.key, sizeof(other.key), "one");
	assert_int_equal(store_create(s->store, &other, &existing, &s->fail),
	    1);
	assert_true(same_id(&existing.id, &row.id));
	other = new_row("ben", "default", 5);
	snprintf(other.key, sizeof(other.key), "one");
	assert_int_equal(store_create(s->store, &other, &existing, &s->fail),
	    0);
	/* One id twice is refused. */
	other = row;
	other.key[0] = '\0';
	assert_int_equal(store_create(s->store, &other, &existing, &s->fail),
	    -1);
	store_abort(s->store);

	/* What was aborted is not there. */
	must(store_begin(s->store, false, 0, &s->fail));
	other = new_row("ben", "default", 5);
	assert_int_equal(store_get(s->store, &other.id, &other, &s->fail), -1);
	store_abort(s->store);
}

static void
test_longest(void **state)
{
	struct setting *s = *state;
	struct task_row row = new_row("x", "x", 0), other, existing;
	struct id worker = add_worker(s);
	struct store_limits limits = { 1, 0 };

	memset(row.user, 'u', TASK_USER_MAX);
	memset(row.queue, 'q', TASK_QUEUE_MAX);
	memset(row.key, 'k', TASK_KEY_MAX);
	memset(row.reason, 'r', sizeof(row.reason) - 1);
	memset(row.title, 't', sizeof(row.title) - 1);
	begin(s);
	assert_int_equal(store_create(s->store, &row, &existing, &s->fail), 0);
	other = get(s, &row.id);
	assert_memory_equal(&other, &row, sizeof(row));
	other.id = id_new();
	memset(other.key, 'l', TASK_KEY_MAX);
	assert_int_equal(store_create(s->store, &other, &existing, &s->fail),
	    0);
	assert_int_equal(store_lease(s->store, &worker, NULL, 0, &limits,
			     &existing, 1, &s->fail),
	    1);
	assert_int_equal(store_lease(s->store, &worker, NULL, 0, &limits,
			     &existing, 1, &s->fail),
	    0);
	commit(s);
}

struct events {
	uint64_t next;
	int calls, stop_after;
	char last[64];
};

static int
see_event(void *context, uint64_t seq, struct span text, struct fail *fail)
{
	struct events *events = context;

	(void)fail;
	assert_int_equal(seq, events->next++);
	snprintf(events->last, sizeof(events->last), "%.*s", (int)text.length,
	    text.at);
	return ++events->calls == events->stop_after ? 7 : 0;
}

static void
test_journal(void **state)
{
	struct setting *s = *state;
	struct events events = { 1, 0, 0, "" };
	struct task_row row, other;
	struct id nobody = id_new();
	char text[16];
	uint64_t seq;

	begin(s);
	row = add(s, "ann", "default", 5);
	other = add(s, "ann", "default", 5);
	for (seq = 2; seq <= 100; seq++) {
		snprintf(text, sizeof(text), "event %d", (int)seq);
		must(store_append(s->store, &row.id, seq, text, strlen(text),
		    &s->fail));
	}
	row.seq = 100;
	must(store_put(s->store, &row, &s->fail));
	commit(s);

	begin(s);
	/* Only the next number is taken, and only for a task that is there. */
	assert_int_equal(store_append(s->store, &row.id, 100, "x", 1, &s->fail),
	    -1);
	assert_int_equal(store_append(s->store, &row.id, 102, "x", 1, &s->fail),
	    -1);
	assert_int_equal(store_append(s->store, &other.id, 1, "x", 1, &s->fail),
	    -1);
	assert_int_equal(store_append(s->store, &nobody, 1, "x", 1, &s->fail),
	    -1);
	assert_string_equal(s->fail.type, "no_task");

	assert_int_equal(store_read(s->store, &row.id, 0, see_event, &events,
			     &s->fail),
	    0);
	assert_int_equal(events.calls, 100);
	assert_string_equal(events.last, "event 100");
	events = (struct events){ 91, 0, 5, "" };
	assert_int_equal(store_read(s->store, &row.id, 90, see_event, &events,
			     &s->fail),
	    7);
	assert_int_equal(events.calls, 5);
	events = (struct events){ 1, 0, 0, "" };
	assert_int_equal(store_read(s->store, &row.id, 100, see_event, &events,
			     &s->fail),
	    0);
	assert_int_equal(store_read(s->store, &nobody, 0, see_event, &events,
			     &s->fail),
	    0);
	assert_int_equal(events.calls, 0);
	store_abort(s->store);
}

static void
test_put(void **state)
{
	struct setting *s = *state;
	struct store_depth depth;
	struct task_row row, changed;

	begin(s);
	row = add(s, "ann", "default", 5);
	commit(s);
	begin(s);
	row.state = TASK_WAITING;
	row.due = 1000;
	snprintf(row.reason, sizeof(row.reason), "approval");
	must(store_put(s->store, &row, &s->fail));
	must(store_depth(s->store, "default", 0, &depth, &s->fail));
	assert_int_equal(depth.state[TASK_WAITING], 1);
	assert_int_equal(depth.state[TASK_QUEUED], 0);
	assert_int_equal(depth.ready, 0);
	commit(s);

	/* What only one state has is dropped in the others. */
	begin(s);
	row.state = TASK_COMPLETED;
	must(store_put(s->store, &row, &s->fail));
	assert_int_equal(row.due, 0);
	changed = get(s, &row.id);
	assert_memory_equal(&changed, &row, sizeof(row));
	commit(s);

	begin(s);
	changed = row;
	changed.state = TASK_RUNNING;
	assert_int_equal(store_put(s->store, &changed, &s->fail), -1);
	changed = row;
	changed.priority = 1;
	assert_int_equal(store_put(s->store, &changed, &s->fail), -1);
	changed = row;
	changed.seq = 0;
	assert_int_equal(store_put(s->store, &changed, &s->fail), -1);
	changed = row;
	changed.id = id_new();
	assert_int_equal(store_put(s->store, &changed, &s->fail), -1);
	assert_string_equal(s->fail.type, "no_task");
	store_abort(s->store);
}

struct listing {
	struct id ids[64];
	size_t count, damaged;
};

static int
see_row(void *context, const struct task_row *row, const struct fail *why)
{
	struct listing *listing = context;

	listing->damaged += why != NULL;
	listing->ids[listing->count++] = row->id;
	return 0;
}

static void
test_list(void **state)
{
	static const struct {
		const char *user, *queue;
		int state;
		size_t limit, wanted;
	} cases[] = {
		{ NULL, NULL, -1, 64, 24 },
		{ NULL, NULL, -1, 5, 24 },
		{ "ann", NULL, -1, 5, 12 },
		{ "ann", NULL, TASK_QUEUED, 1, 8 },
		{ "ann", "b", TASK_QUEUED, 2, 4 },
		{ NULL, "a", -1, 7, 12 },
		{ NULL, NULL, TASK_FAILED, 3, 8 },
		{ NULL, NULL, TASK_RUNNING, 3, 0 },
		{ "an", NULL, -1, 3, 0 },
		{ NULL, "c", -1, 3, 0 },
	};
	struct setting *s = *state;
	struct store_filter filter;
	struct listing listing;
	struct task_row row;
	size_t i, j, before;

	begin(s);
	for (i = 0; i < 24; i++) {
		row = add(s, i % 2 ? "ann" : "anna", i / 2 % 2 ? "b" : "a", 5);
		if (i / 4 % 3 == 0) {
			row.state = TASK_FAILED;
			must(store_put(s->store, &row, &s->fail));
		}
	}
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memset(&filter, 0, sizeof(filter));
		filter.user = cases[i].user;
		filter.queue = cases[i].queue;
		filter.state = cases[i].state;
		filter.limit = cases[i].limit;
		memset(&listing, 0, sizeof(listing));
		do {
			before = listing.count;
			must(store_list(s->store, &filter, see_row, &listing,
			    &s->fail));
			assert_true(listing.count - before <= filter.limit);
			if (listing.count)
				filter.before = listing.ids[listing.count - 1];
		} while (listing.count > before);
		if (listing.count != cases[i].wanted)
			fail_msg("case %zu: %zu rows", i, listing.count);
		for (j = 1; j < listing.count; j++)
			assert_true(memcmp(&listing.ids[j - 1], &listing.ids[j],
					ID_SIZE) > 0);
	}
	commit(s);
}

/* A row that cannot be read is one of a list, and does not end it. */
static void
test_list_damaged(void **state)
{
	struct setting *s = *state;
	struct store_filter filter = { .state = -1, .limit = 10 };
	struct listing listing = { .count = 0 };
	struct task_row rows[3];
	struct key key;
	size_t i;

	begin(s);
	for (i = 0; i < 3; i++)
		rows[i] = add(s, "ann", "a", 5);
	commit(s);
	begin(s);
	key = key_task(&rows[1].id);
	must(table_put(s->store, TABLE_TASKS, &key, "?", 1, &s->fail));
	for (i = 0; i < 3; i++) {
		memset(&listing, 0, sizeof(listing));
		filter.user = i == 1 ? "ann" : NULL;
		filter.queue = i == 2 ? "a" : NULL;
		must(
		    store_list(s->store, &filter, see_row, &listing, &s->fail));
		assert_int_equal(listing.count, 3);
		assert_int_equal(listing.damaged, 1);
		assert_true(same_id(&listing.ids[1], &rows[1].id));
	}
	store_abort(s->store);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(create),
		TEST(longest),
		TEST(journal),
		TEST(put),
		TEST(list),
		TEST(list_damaged),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
