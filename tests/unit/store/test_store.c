/* SPDX-License-Identifier: ISC */
/* Every call of store.h. Each test ends with a verify of the whole store. */
#include "tests/unit/store/store_help.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

static bool
same_id(const struct id *a, const struct id *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static struct task_row
get(struct setting *s, const struct id *id)
{
	struct task_row row;

	must(store_get(s->store, id, &row, &s->fail));
	return row;
}

/* ---- tasks and journals ---- */

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
	size_t count;
};

static int
see_row(void *context, const struct task_row *row)
{
	struct listing *listing = context;

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

/* ---- the queue ---- */

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

	/* One user's many do not starve another's few, whoever was first. */
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
	/* One who was not there for long gets no more than his turn. */
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

/* Nobody has moved them to ready, but their time has come. */
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
	/* Of more than are looked at, one of the queue may be the next. */
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

/* ---- workers ---- */

/* A child joins, leases one task and is killed. */
static struct id
dead_worker(struct setting *s)
{
	struct task_row row;
	struct id worker = id_new();
	int status;
	pid_t pid;

	store_close(s->store);
	s->store = NULL;
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		if (store_open(s->folder, STORE_WRITE, 0, &s->store, &s->fail) <
			0 ||
		    store_join(s->store, &worker, &s->fail) < 0 ||
		    store_begin(s->store, true, 0, &s->fail) < 0 ||
		    store_renew(s->store, &worker, clock_boot() + 60000,
			&s->fail) < 0 ||
		    store_lease(s->store, &worker, NULL, 0, NULL, &row, 1,
			&s->fail) != 1 ||
		    store_commit(s->store, &s->fail) < 0)
			_exit(1);
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	must(store_open(s->folder, STORE_WRITE, 0, &s->store, &s->fail));
	return worker;
}

static void
set_worker(struct setting *s, const struct id *worker, const char *boot,
    int64_t until)
{
	struct key key = key_task(worker);
	uint8_t bytes[WORKER_MAX];
	struct worker_row row;

	memset(&row, 0, sizeof(row));
	snprintf(row.boot, sizeof(row.boot), "%s", boot);
	row.until = until;
	must(row_put(s->store, TABLE_WORKERS, &key, bytes,
	    worker_pack(&row, bytes), &s->fail));
}

static void
test_orphans(void **state)
{
	struct setting *s = *state;
	struct id self, worker;
	struct task_row row, rows[4];
	struct store_depth depth;
	char boot[37], *path;
	int64_t now;

	begin(s);
	add_many(s, "ann", "default", 5, 4);
	commit(s);
	worker = dead_worker(s);
	self = add_worker(s);
	clock_boot_id(boot);
	now = clock_boot();

	/* A process that died is noticed though its time is not over. */
	begin(s);
	assert_int_equal(store_orphans(s->store, &self, now, rows, 4, &s->fail),
	    1);
	assert_true(same_id(&rows[0].worker, &worker));
	assert_int_equal(rows[0].state, TASK_RUNNING);
	/* Nobody is his own orphan. */
	assert_int_equal(store_orphans(s->store, &worker, now, rows, 4,
			     &s->fail),
	    0);
	row = rows[0];
	row.state = TASK_QUEUED;
	must(store_put(s->store, &row, &s->fail));
	assert_int_equal(store_orphans(s->store, &self, now, rows, 4, &s->fail),
	    0);
	must(store_depth(s->store, NULL, 0, &depth, &s->fail));
	assert_int_equal(depth.workers, 1); /* the dead one is gone */
	commit(s);
	path = worker_path(s->store, &worker);
	assert_int_equal(access(path, F_OK), -1);
	free(path);

	/* A living one is dead when its time is over or the boot another. */
	worker = add_worker(s);
	begin(s);
	assert_int_equal(store_lease(s->store, &worker, NULL, 0, NULL, rows, 2,
			     &s->fail),
	    2);
	assert_int_equal(store_orphans(s->store, &self, now, rows, 4, &s->fail),
	    0);
	set_worker(s, &worker, boot, now - 1);
	assert_int_equal(store_orphans(s->store, &self, now, rows, 4, &s->fail),
	    2);
	set_worker(s, &worker, "another boot", now + 60000);
	assert_int_equal(store_orphans(s->store, &self, now, rows, 1, &s->fail),
	    1);
	set_worker(s, &worker, boot, now + 60000);
	assert_int_equal(store_orphans(s->store, &self, now, rows, 4, &s->fail),
	    0);
	commit(s);
}

static void
test_leave(void **state)
{
	struct setting *s = *state;
	struct id worker = add_worker(s), stranger = id_new();
	struct task_row row;
	char *path = worker_path(s->store, &worker);

	begin(s);
	add(s, "ann", "default", 5);
	assert_int_equal(store_lease(s->store, &stranger, NULL, 0, NULL, &row,
			     1, &s->fail),
	    -1);
	assert_string_equal(s->fail.type, "no_worker");
	assert_int_equal(store_lease(s->store, &worker, NULL, 0, NULL, &row, 1,
			     &s->fail),
	    1);
	assert_int_equal(store_leave(s->store, &worker, &s->fail), -1);
	assert_int_equal(access(path, F_OK), 0);
	row.state = TASK_QUEUED;
	must(store_put(s->store, &row, &s->fail));
	must(store_leave(s->store, &worker, &s->fail));
	commit(s);
	assert_int_equal(access(path, F_OK), -1);
	free(path);
}

/* Files that nobody holds go when the next worker joins. */
static void
test_old_files(void **state)
{
	struct setting *s = *state;
	struct id left = id_new(), living = add_worker(s);
	char *path = worker_path(s->store, &left);
	char *other = worker_path(s->store, &living);
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
	add_worker(s);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(access(other, F_OK), 0);
	free(path);
	free(other);
}

static void
test_wake(void **state)
{
	static const char *const names[][2] = {
		{ "default", "default" },
		{ "../x", "%2E%2E%2Fx" },
		{ "50%", "50%25" },
	};
	struct setting *s = *state;
	struct stat stat_;
	char path[PATH_MAX + 32];
	size_t i;

	for (i = 0; i < 3; i++) {
		store_wake(s->store, names[i][0]);
		store_wake(s->store, names[i][0]);
		snprintf(path, sizeof(path), "%s/wake/%s", s->folder,
		    names[i][1]);
		assert_int_equal(stat(path, &stat_), 0);
		assert_int_equal(stat_.st_size, 1);
	}
}

/* ---- opening, the lock, the map ---- */

static void
test_open(void **state)
{
	struct setting *s = *state;
	struct store *store = NULL;
	char path[PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/none", s->folder);
	assert_int_equal(store_open(path, STORE_READ, 0, &store, &s->fail), -1);
	assert_string_equal(s->fail.type, "no_store");
	assert_int_equal(s->fail.kind, FAIL_NEVER);
	assert_int_equal(store_open(path, STORE_WRITE, 0, &store, &s->fail),
	    -1);
	assert_int_equal(access(path, F_OK), -1);
	snprintf(path, sizeof(path), "%s/a/b/c", s->folder);
	must(store_open(path, STORE_CREATE, 0, &store, &s->fail));
	assert_string_equal(store_folder(store), path);
	store_close(store);
	must(store_open(path, STORE_READ, 0, &store, &s->fail));
	assert_int_equal(store_begin(store, true, 0, &s->fail), -1);
	must(store_begin(store, false, 0, &s->fail));
	assert_int_equal(store_begin(store, false, 0, &s->fail), -1);
	store_close(store);
	snprintf(path, sizeof(path), "%s/lock", s->folder);
	assert_int_equal(store_open(path, STORE_CREATE, 0, &store, &s->fail),
	    -1);
}

static void
test_version(void **state)
{
	struct setting *s = *state;
	struct key key = key_name("version");
	struct store *store = NULL;
	static const uint8_t newer[4] = { 0, 0, 0, STORE_VERSION + 1 };
	static const uint8_t mine[4] = { 0, 0, 0, STORE_VERSION };

	must(store_open(s->folder, STORE_WRITE, 0, &store, &s->fail));
	must(store_begin(store, true, 0, &s->fail));
	must(row_put(store, TABLE_META, &key, newer, 4, &s->fail));
	must(store_commit(store, &s->fail));
	/* One that has it open notices too. */
	assert_int_equal(store_begin(s->store, true, 0, &s->fail), -1);
	assert_string_equal(s->fail.type, "store_version");
	store_close(s->store);
	s->store = NULL;
	assert_int_equal(store_open(s->folder, STORE_CREATE, 0, &s->store,
			     &s->fail),
	    -1);
	assert_string_equal(s->fail.type, "store_version");
	store_close(store);
	(void)mine;
}

static void
test_removed(void **state)
{
	struct setting *s = *state;
	char path[PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/data.mdb", s->folder);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(store_begin(s->store, true, 0, &s->fail), -1);
	assert_string_equal(s->fail.type, "no_store");
	store_close(s->store);
	s->store = NULL;
}

/* A second opening of the store, which waits for the lock for 300 ms. */
static struct store *
impatient(struct setting *s)
{
	struct store_tuning tuning = { 0, 300, false };
	struct store *store = NULL;

	must(store_open_tuned(s->folder, STORE_WRITE, 0, &tuning, &store,
	    &s->fail));
	return store;
}

static void
test_locked(void **state)
{
	struct setting *s = *state;
	struct store *store = impatient(s);
	struct sigaction action;
	sigset_t before, after;
	char self[32];
	int64_t start;
	int i;

	snprintf(self, sizeof(self), "process %d ", (int)getpid());
	sigemptyset(&before);
	sigaddset(&before, SIGTERM);
	sigprocmask(SIG_BLOCK, &before, NULL);
	sigprocmask(SIG_BLOCK, NULL, &before);

	begin(s);
	start = clock_boot();
	assert_int_equal(store_begin(store, false, 0, &s->fail), -1);
	assert_in_range(clock_boot() - start, 290, 3000);
	assert_string_equal(s->fail.type, "store_locked");
	assert_int_equal(s->fail.kind, FAIL_NOT_NOW);
	assert_non_null(strstr(s->fail.message, self));
	commit(s);

	/* Readers do not exclude each other, but a writer. */
	must(store_begin(s->store, false, 0, &s->fail));
	must(store_begin(store, false, 0, &s->fail));
	store_abort(store);
	assert_int_equal(store_begin(store, true, 0, &s->fail), -1);
	store_abort(s->store);
	must(store_begin(store, true, 0, &s->fail));
	store_close(store);

	sigprocmask(SIG_BLOCK, NULL, &after);
	for (i = 1; i < NSIG; i++)
		assert_int_equal(sigismember(&before, i),
		    sigismember(&after, i));
	sigaction(SIGRTMAX - 1, NULL, &action);
	assert_true(action.sa_handler == SIG_DFL);
}

static void
test_stopped(void **state)
{
	struct setting *s = *state;
	struct store *store = impatient(s);
	char self[32];
	int status;
	pid_t pid;

	store_close(s->store);
	s->store = NULL;
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		if (store_open(s->folder, STORE_WRITE, 0, &s->store, &s->fail) <
			0 ||
		    store_begin(s->store, true, 0, &s->fail) < 0)
			_exit(1);
		raise(SIGSTOP);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(store_begin(store, true, 0, &s->fail), -1);
	assert_string_equal(s->fail.type, "store_locked");
	snprintf(self, sizeof(self), "process %d ", (int)pid);
	assert_non_null(strstr(s->fail.message, self));
	assert_non_null(strstr(s->fail.message, "stopped"));
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	must(store_begin(store, true, 0, &s->fail));
	store_close(store);
	must(store_open(s->folder, STORE_WRITE, 0, &s->store, &s->fail));
}

static void
add_large(struct setting *s, struct store *store, size_t size, int count)
{
	struct task_row row, existing;
	char *text = mem_alloc(size);

	memset(text, 'x', size);
	while (count-- > 0) {
		row = new_row("ann", "default", 5);
		row.seq = 1;
		must(store_begin(store, true, size, &s->fail));
		assert_int_equal(store_create(store, &row, &existing, &s->fail),
		    0);
		must(store_append(store, &row.id, 1, text, size, &s->fail));
		must(store_commit(store, &s->fail));
	}
	free(text);
}

static void
test_growth(void **state)
{
	struct setting *s = *state;
	struct store *small = NULL;
	struct store_tuning tuning = { 65536, 0, false };
	struct store_depth depth;
	char path[PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/small", s->folder);
	store_close(s->store);
	s->store = NULL;
	must(
	    store_open_tuned(path, STORE_CREATE, 0, &tuning, &small, &s->fail));
	must(store_open(path, STORE_WRITE, 0, &s->store, &s->fail));
	/* Each of two openings has to follow what the other has made of the
	 * map, in reads and in writes. */
	add_large(s, small, 3 << 20, 10);
	must(store_begin(s->store, false, 0, &s->fail));
	must(store_depth(s->store, NULL, 0, &depth, &s->fail));
	assert_int_equal(depth.state[TASK_QUEUED], 10);
	store_abort(s->store);
	add_large(s, s->store, 30 << 20, 2);
	add_large(s, small, 100, 1);
	must(store_begin(small, false, 0, &s->fail));
	must(store_depth(small, NULL, 0, &depth, &s->fail));
	assert_int_equal(depth.state[TASK_QUEUED], 13);
	store_close(small);
}

/* A transaction that announces too little fails, and each next try has a map
 * of twice the size. */
static void
test_unforeseen(void **state)
{
	struct setting *s = *state;
	struct task_row row = new_row("ann", "default", 5), existing;
	size_t size = (size_t)60 << 20;
	char *text = mem_alloc(size);
	int tries;

	row.seq = 1;
	for (tries = 0; tries < 5; tries++) {
		begin(s);
		if (store_create(s->store, &row, &existing, &s->fail) == 0 &&
		    store_append(s->store, &row.id, 1, text, size, &s->fail) ==
			0 &&
		    store_commit(s->store, &s->fail) == 0)
			break;
		assert_string_equal(s->fail.type, "store_full");
		store_abort(s->store);
	}
	assert_in_range(tries, 1, 3);
	free(text);
}

static void
test_maximum(void **state)
{
	struct setting *s = *state;
	struct store *store = NULL;
	struct task_row row, existing;
	struct store_depth depth;
	char text[8192];
	int64_t count = 0;

	memset(text, 'x', sizeof(text));
	must(store_open(s->folder, STORE_WRITE, 1 << 20, &store, &s->fail));
	for (;;) {
		row = new_row("ann", "default", 5);
		row.seq = 1;
		must(store_begin(store, true, sizeof(text), &s->fail));
		if (store_create(store, &row, &existing, &s->fail) < 0 ||
		    store_append(store, &row.id, 1, text, sizeof(text),
			&s->fail) < 0)
			break;
		if (store_commit(store, &s->fail) < 0)
			break;
		assert_true(++count < 1000);
	}
	store_abort(store);
	assert_string_equal(s->fail.type, "store_full");
	assert_int_equal(s->fail.kind, FAIL_NOT_NOW);
	assert_non_null(strstr(s->fail.message, "1048576"));
	assert_true(count > 50);
	/* What was acknowledged is there, and reading goes on. */
	must(store_begin(store, false, 0, &s->fail));
	must(store_depth(store, NULL, 0, &depth, &s->fail));
	assert_int_equal(depth.state[TASK_QUEUED], count);
	store_close(store);
	/* Without the maximum there is room. */
	add_large(s, s->store, 1 << 20, 1);
}

/* The numbers that only this much of the store keeps. */
static struct store_numbers
numbers(struct setting *s)
{
	struct store_numbers numbers;

	must(store_begin(s->store, false, 0, &s->fail));
	must(store_numbers(s->store, &numbers, &s->fail));
	store_abort(s->store);
	return numbers;
}

static void
test_sums(void **state)
{
	struct setting *s = *state;
	struct store_numbers got;
	struct task_row row, other;

	begin(s);
	row = add(s, "ann", "b", 5);
	other = add(s, "ann", "a", 5);
	row.state = other.state = TASK_WAITING;
	snprintf(row.reason, sizeof(row.reason), "connection: gmail: gone");
	snprintf(other.reason, sizeof(other.reason), "paused");
	row.turns = 2;
	row.nano_usd = 70;
	must(store_put(s->store, &row, &s->fail));
	must(store_put(s->store, &other, &s->fail));
	commit(s);
	got = numbers(s);
	assert_true(got.counted);
	assert_int_equal(got.waits_count, 2);
	assert_string_equal(got.waits[0].name, "connection");
	assert_string_equal(got.waits[1].name, "paused");
	assert_int_equal(got.queue_count, 2);
	assert_string_equal(got.queues[0], "a");
	assert_int_equal(got.sums[SUM_SUBMITTED], 2);
	assert_int_equal(got.sums[SUM_TURNS], 2);

	/* A reason changes while the state does not; sums never go back. */
	begin(s);
	snprintf(row.reason, sizeof(row.reason), "Something else.");
	row.turns = 1;
	row.nano_usd = 100;
	must(store_put(s->store, &row, &s->fail));
	other.state = TASK_CANCELLED;
	must(store_put(s->store, &other, &s->fail));
	commit(s);
	got = numbers(s);
	assert_int_equal(got.waits_count, 1);
	assert_string_equal(got.waits[0].name, "other");
	assert_int_equal(got.sums[SUM_TURNS], 2);
	assert_int_equal(got.sums[SUM_NANO_USD], 100);
	assert_int_equal(got.sums[SUM_CANCELLED], 1);

	/* What is pruned has been. */
	must(store_prune(s->store, INT64_MAX, &s->fail));
	got = numbers(s);
	assert_int_equal(got.sums[SUM_SUBMITTED], 2);
	assert_int_equal(got.sums[SUM_CANCELLED], 1);
}

/* A store of version 1 is read as it is, and counted by who opens it to
 * write. */
static void
test_upgrade(void **state)
{
	struct setting *s = *state;
	const uint8_t version[4] = { 0, 0, 0, 1 };
	struct key name = key_name("version"), sums = key_counter('s', "");
	struct key waits = key_counter('w', "paused");
	struct store_numbers got;
	struct task_row row;

	begin(s);
	row = add(s, "ann", "a", 5);
	row.state = TASK_WAITING;
	row.calls = 3;
	snprintf(row.reason, sizeof(row.reason), "paused");
	must(store_put(s->store, &row, &s->fail));
	must(row_drop(s->store, TABLE_COUNTERS, &sums, &s->fail));
	must(row_drop(s->store, TABLE_COUNTERS, &waits, &s->fail));
	must(row_put(s->store, TABLE_META, &name, version, sizeof(version),
	    &s->fail));
	must(store_commit(s->store, &s->fail));
	store_close(s->store);

	must(store_open(s->folder, STORE_READ, 0, &s->store, &s->fail));
	got = numbers(s);
	assert_false(got.counted);
	assert_int_equal(got.queue_count, 1);
	verify(s);
	store_close(s->store);

	must(store_open(s->folder, STORE_WRITE, 0, &s->store, &s->fail));
	got = numbers(s);
	assert_true(got.counted);
	assert_int_equal(got.sums[SUM_CALLS], 3);
	assert_int_equal(got.waits[0].count, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(create),
		TEST(longest),
		TEST(journal),
		TEST(put),
		TEST(list),
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
		TEST(orphans),
		TEST(leave),
		TEST(old_files),
		TEST(wake),
		TEST(open),
		TEST(version),
		TEST(removed),
		TEST(locked),
		TEST(stopped),
		TEST(growth),
		TEST(unforeseen),
		TEST(maximum),
		TEST(sums),
		TEST(upgrade),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
