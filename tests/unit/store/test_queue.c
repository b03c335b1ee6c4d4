/* SPDX-License-Identifier: ISC */
/* The queue: order, fair turns, limits, due times. */
#include "tests/unit/store/store_help.h"

/* Leases COUNT tasks and writes the users' first letters to NAMES. */
static int
lease_names(struct setting *s, const struct id *worker,
    const struct store_limits *limits, size_t count, char *names)
{
	struct task_row rows[64];
	int leased, i;

	leased = store_lease(s->store, worker, NULL, 0, limits, rows, count,
	    &s->fail);
	must(leased);
	for (i = 0; i < leased; i++) {
		assert_int_equal(rows[i].state, TASK_RUNNING);
		assert_true(same_id(&rows[i].worker, worker));
		names[i] = rows[i].user[0];
	}
	names[leased] = '\0';
	return leased;
}

static void
test_priority(void **state)
{
	struct setting *s = *state;
	struct id worker = add_worker(s);
	char names[65];

	begin(s);
	add(s, "low", "default", 0);
	add(s, "middle", "default", 5);
	add(s, "high", "default", 9);
	add(s, "next", "default", 5);
	assert_int_equal(lease_names(s, &worker, NULL, 10, names), 4);
	assert_string_equal(names, "hmnl");
	commit(s);
}

static void
test_fair_share(void **state)
{
	struct setting *s = *state;
	struct id worker = add_worker(s);
	char names[65];

	/* Many tasks of one user do not starve few of another, in any order. */
	begin(s);
	add_many(s, "ann", "default", 5, 1000);
	commit(s);
	begin(s);
	lease_names(s, &worker, NULL, 3, names);
	assert_string_equal(names, "aaa");
	add_many(s, "ben", "default", 5, 2);
	add_many(s, "cid", "default", 5, 1);
	lease_names(s, &worker, NULL, 6, names);
	assert_string_equal(names, "bcabaa");
	/* A user who was away for long gets no more than a fair share. */
	add_many(s, "dee", "default", 5, 3);
	lease_names(s, &worker, NULL, 6, names);
	assert_string_equal(names, "dadada");
	commit(s);

	/* Much work of low priority is no burden on one of high priority, nor
	 * the other way round. */
	begin(s);
	add_many(s, "eve", "default", 9, 1);
	add_many(s, "ann", "default", 9, 1);
	lease_names(s, &worker, NULL, 2, names);
	assert_string_equal(names, "ea");
	add_many(s, "fay", "default", 5, 1);
	lease_names(s, &worker, NULL, 2, names);
	assert_string_equal(names, "fa");
	commit(s);
}

static void
test_begun_first(void **state)
{
	struct setting *s = *state;
	struct id worker = add_worker(s);
	struct task_row row, begun;
	char names[65];
	int i;

	/* A task that comes back stands before what its user has not begun,
	 * but does not keep others out. */
	begin(s);
	begun = add(s, "ann", "default", 5);
	add_many(s, "ann", "default", 5, 20);
	add_many(s, "ben", "default", 5, 20);
	assert_int_equal(store_lease(s->store, &worker, NULL, 0, NULL, &row, 1,
			     &s->fail),
	    1);
	assert_true(same_id(&row.id, &begun.id));
	row.state = TASK_QUEUED;
	must(store_put(s->store, &row, &s->fail));
	for (i = 0; i < 10; i++) {
		assert_int_equal(store_lease(s->store, &worker, NULL, 0, NULL,
				     &row, 1, &s->fail),
		    1);
		names[i] = same_id(&row.id, &begun.id) ? '*' : row.user[0];
		if (names[i] != '*')
			continue;
		row.state = TASK_QUEUED;
		must(store_put(s->store, &row, &s->fail));
	}
	names[i] = '\0';
	assert_non_null(strchr(names, 'b'));
	assert_int_equal(names[0], '*');
	commit(s);
}

static void
test_queues(void **state)
{
	static const char *const only[] = { "slow", "none" };
	struct setting *s = *state;
	struct id worker = add_worker(s);
	struct store_depth depth;
	struct task_row rows[8];
	char names[65];

	/* Queues of the same priority take turns. */
	begin(s);
	add_many(s, "ann", "fast", 5, 6);
	add_many(s, "ben", "slow", 5, 3);
	add_many(s, "cid", "urgent", 8, 1);
	lease_names(s, &worker, NULL, 4, names);
	assert_string_equal(names, "caba");
	assert_int_equal(store_lease(s->store, &worker, only, 2, NULL, rows, 8,
			     &s->fail),
	    2);
	assert_string_equal(rows[0].queue, "slow");
	must(store_depth(s->store, "slow", 0, &depth, &s->fail));
	assert_int_equal(depth.state[TASK_RUNNING], 3);
	assert_int_equal(depth.ready, 0);
	assert_int_equal(depth.oldest_ready, 0);
	must(store_depth(s->store, NULL, 0, &depth, &s->fail));
	assert_int_equal(depth.state[TASK_RUNNING], 6);
	assert_int_equal(depth.state[TASK_QUEUED], 4);
	assert_int_equal(depth.ready, 4);
	assert_int_equal(depth.workers, 1);
	assert_true(depth.oldest_ready > 0);
	must(store_depth(s->store, "none", 0, &depth, &s->fail));
	assert_int_equal(depth.state[TASK_QUEUED], 0);
	commit(s);
}

static void
test_user_limit(void **state)
{
	struct setting *s = *state;
	struct id worker = add_worker(s);
	struct store_limits two = { 2, 0 }, three = { 3, 0 };
	struct store_depth depth;
	struct task_row row, rows[8];
	char names[65];
	int count;

	begin(s);
	add_many(s, "ann", "default", 5, 8);
	add_many(s, "ann", "other", 5, 2);
	add_many(s, "ben", "default", 5, 1);
	lease_names(s, &worker, &two, 10, names);
	assert_int_equal(strlen(names), 3);
	lease_names(s, &worker, &two, 10, names);
	assert_string_equal(names, "");
	must(store_depth(s->store, NULL, 0, &depth, &s->fail));
	assert_int_equal(depth.ready, 8); /* the parked ones are ready too */
	commit(s);
	assert_int_equal(verify(s), 0);

	/* One stops running: one more may. */
	begin(s);
	rows[0] = new_row("", "", 0);
	count = store_lease(s->store, &worker, NULL, 0, &three, rows, 8,
	    &s->fail);
	assert_int_equal(count, 1); /* the limit was raised by one */
	row = rows[0];
	row.state = TASK_COMPLETED;
	must(store_put(s->store, &row, &s->fail));
	assert_int_equal(store_lease(s->store, &worker, NULL, 0, &three, rows,
			     8, &s->fail),
	    1);
	commit(s);
	assert_int_equal(verify(s), 0);

	/* The limit goes: all the rest. */
	begin(s);
	lease_names(s, &worker, NULL, 20, names);
	assert_string_equal(names, "aaaaaa");
	commit(s);
}

static void
test_limit_cancel(void **state)
{
	struct setting *s = *state;
	struct id worker = add_worker(s);
	struct store_limits one = { 1, 0 };
	struct task_row running, row, tasks[3];
	int i;

	/* The row that came back from parked is cancelled: the next one must
	 * take its place, or it would wait for ever. */
	begin(s);
	add(s, "ann", "default", 5);
	for (i = 0; i < 3; i++)
		tasks[i] = add(s, "ann", "default", 5);
	assert_int_equal(store_lease(s->store, &worker, NULL, 0, &one, &running,
			     1, &s->fail),
	    1);
	assert_int_equal(store_lease(s->store, &worker, NULL, 0, &one, &row, 1,
			     &s->fail),
	    0);
	running.state = TASK_COMPLETED;
	must(store_put(s->store, &running, &s->fail));
	for (i = 0; i < 2; i++) {
		tasks[i].state = TASK_CANCELLED;
		must(store_put(s->store, &tasks[i], &s->fail));
	}
	assert_int_equal(store_lease(s->store, &worker, NULL, 0, &one, &row, 1,
			     &s->fail),
	    1);
	assert_true(same_id(&row.id, &tasks[2].id));
	commit(s);
}

static void
test_queue_limit(void **state)
{
	struct setting *s = *state;
	struct id worker = add_worker(s);
	struct store_limits limits = { 0, 2 };
	struct task_row rows[8], row;

	begin(s);
	add_many(s, "ann", "a", 5, 4);
	add_many(s, "ann", "b", 5, 4);
	assert_int_equal(store_lease(s->store, &worker, NULL, 0, &limits, rows,
			     8, &s->fail),
	    4);
	row = rows[0];
	row.state = TASK_WAITING;
	must(store_put(s->store, &row, &s->fail));
	assert_int_equal(store_lease(s->store, &worker, NULL, 0, &limits, rows,
			     8, &s->fail),
	    1);
	assert_string_equal(rows[0].queue, row.queue);
	commit(s);
}

static void
test_many_parked(void **state)
{
	struct setting *s = *state;
	struct id worker = add_worker(s);
	struct store_limits one = { 1, 0 };
	struct task_row rows[64];
	char user[16];
	int i, leased, total = 0;

	/* More users with parked rows than one call brings back. */
	begin(s);
	for (i = 0; i < 600; i++) {
		snprintf(user, sizeof(user), "user%d", i);
		add_many(s, user, "default", 5, 2);
	}
	do {
		leased = store_lease(s->store, &worker, NULL, 0, &one, rows, 64,
		    &s->fail);
		must(leased);
		total += leased;
	} while (leased);
	assert_int_equal(total, 600);
	commit(s);
	assert_int_equal(verify(s), 0);
	begin(s);
	for (i = 0; i < 40; i++) {
		leased = store_lease(s->store, &worker, NULL, 0, NULL, rows, 64,
		    &s->fail);
		must(leased);
		total += leased;
	}
	assert_int_equal(total, 1200);
	commit(s);
}

static void
test_fence(void **state)
{
	struct setting *s = *state;
	struct id worker = add_worker(s), other = add_worker(s);
	struct task_row row, old;
	uint64_t fence = 0;
	int i;

	begin(s);
	add(s, "ann", "default", 5);
	for (i = 0; i < 5; i++) {
		assert_int_equal(store_lease(s->store, i % 2 ? &worker : &other,
				     NULL, 0, NULL, &row, 1, &s->fail),
		    1);
		assert_true(row.fence > fence);
		fence = row.fence;
		row.state = TASK_QUEUED;
		must(store_put(s->store, &row, &s->fail));
	}
	assert_int_equal(store_lease(s->store, &worker, NULL, 0, NULL, &old, 1,
			     &s->fail),
	    1);
	must(store_put(s->store, &old, &s->fail)); /* still running: fine */
	row = old;
	row.fence--;
	assert_int_equal(store_put(s->store, &row, &s->fail), -1);
	row = old;
	row.worker = other;
	assert_int_equal(store_put(s->store, &row, &s->fail), -1);
	commit(s);
}

/* No worker has moved them to ready, but their time has come. */
static void
test_overdue(void **state)
{
	struct setting *s = *state;
	struct store_depth depth;
	struct task_row row;
	int i;

	begin(s);
	add(s, "ann", "default", 5);
	row = add(s, "ann", "default", 5);
	row.due = 1000;
	must(store_put(s->store, &row, &s->fail));
	row = add(s, "ann", "default", 5);
	row.state = TASK_WAITING;
	row.due = 2000;
	must(store_put(s->store, &row, &s->fail));
	row = add(s, "ann", "other", 5);
	row.state = TASK_WAITING;
	must(store_put(s->store, &row, &s->fail));
	for (i = 0; i < 4; i++) {
		static const int64_t now[] = { 999, 1000, 1999, 2000 },
				     ready[] = { 1, 2, 2, 3 },
				     waiting[] = { 2, 2, 2, 1 };

		must(store_depth(s->store, NULL, now[i], &depth, &s->fail));
		assert_int_equal(depth.ready, ready[i]);
		assert_int_equal(depth.state[TASK_WAITING], waiting[i]);
		assert_int_equal(depth.state[TASK_QUEUED], 4 - waiting[i]);
		must(store_depth(s->store, "other", now[i], &depth, &s->fail));
		assert_int_equal(depth.ready, 0);
		assert_int_equal(depth.oldest_ready, 0);
	}
	/* There are more than it counts: the next may be of this queue. */
	for (i = 0; i < 1100; i++) {
		row = add(s, "ben", "many", 5);
		row.state = TASK_WAITING;
		row.due = 1;
		must(store_put(s->store, &row, &s->fail));
	}
	must(store_depth(s->store, "many", 1, &depth, &s->fail));
	assert_in_range(depth.ready, 1000, 1100);
	assert_true(depth.oldest_ready > 0);
	must(store_depth(s->store, "other", 3000, &depth, &s->fail));
	assert_int_equal(depth.ready, 1);
	assert_int_equal(depth.state[TASK_QUEUED], 1);
	assert_int_equal(depth.state[TASK_WAITING], 0);
	must(store_depth(s->store, "never", 3000, &depth, &s->fail));
	assert_int_equal(depth.ready, 0);
	commit(s);
	assert_int_equal(verify(s), 0);
}

static void
test_promote(void **state)
{
	struct setting *s = *state;
	struct store_depth depth;
	struct task_row later, waiting, never, existing;
	int64_t next = -1;

	begin(s);
	assert_int_equal(store_promote(s->store, 100, &next, &s->fail), 0);
	assert_int_equal(next, 0);
	later = new_row("ann", "default", 5);
	later.due = 2000;
	assert_int_equal(store_create(s->store, &later, &existing, &s->fail),
	    0);
	waiting = add(s, "ann", "default", 5);
	waiting.state = TASK_WAITING;
	waiting.due = 1000;
	snprintf(waiting.reason, sizeof(waiting.reason), "rate limit");
	must(store_put(s->store, &waiting, &s->fail));
	never = add(s, "ann", "default", 5);
	never.state = TASK_WAITING;
	must(store_put(s->store, &never, &s->fail));

	assert_int_equal(store_promote(s->store, 999, &next, &s->fail), 0);
	assert_int_equal(next, 1000);
	assert_int_equal(store_promote(s->store, 1000, &next, &s->fail), 1);
	assert_int_equal(next, 2000);
	waiting = get(s, &waiting.id);
	assert_int_equal(waiting.state, TASK_QUEUED);
	assert_int_equal(waiting.due, 0);
	assert_string_equal(waiting.reason, "");
	must(store_depth(s->store, NULL, 0, &depth, &s->fail));
	assert_int_equal(depth.ready, 1);
	assert_int_equal(depth.state[TASK_QUEUED], 2);
	assert_int_equal(store_promote(s->store, 9000, &next, &s->fail), 1);
	assert_int_equal(next, 0);
	commit(s);
}

static void
test_clock_set_back(void **state)
{
	const int64_t year = (int64_t)365 * 24 * 3600 * 1000, now = 1000000;
	struct setting *s = *state;
	struct task_row ahead, right, begins, existing;
	int64_t next = -1;

	begin(s);
	assert_int_equal(store_promote(s->store, now + year, &next, &s->fail),
	    0);
	ahead = add(s, "ann", "default", 5);
	ahead.state = TASK_WAITING;
	ahead.updated_at = now + year;
	ahead.due = now + year + 5000;
	must(store_put(s->store, &ahead, &s->fail));
	right = add(s, "ann", "default", 5);
	right.state = TASK_WAITING;
	right.updated_at = now;
	right.due = now + 2 * year;
	must(store_put(s->store, &right, &s->fail));
	begins = new_row("ann", "default", 5);
	begins.updated_at = now + year;
	begins.due = now + 2 * year;
	assert_int_equal(store_create(s->store, &begins, &existing, &s->fail),
	    0);
	assert_int_equal(store_promote(s->store, now, &next, &s->fail), 1);
	assert_int_equal(get(s, &ahead.id).state, TASK_QUEUED);
	assert_int_equal(next, now + 2 * year);
	assert_int_equal(store_promote(s->store, now, &next, &s->fail), 0);
	commit(s);
	assert_int_equal(verify(s), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(clock_set_back),
		TEST(priority),
		TEST(fair_share),
		TEST(begun_first),
		TEST(queues),
		TEST(user_limit),
		TEST(limit_cancel),
		TEST(queue_limit),
		TEST(many_parked),
		TEST(fence),
		TEST(overdue),
		TEST(promote),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("queue", tests, NULL, NULL);
}
