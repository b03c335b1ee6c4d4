/* SPDX-License-Identifier: ISC */
/* The sums and what waits for what. */
#include "tests/unit/store/store_help.h"

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
	must(table_drop(s->store, TABLE_COUNTERS, &sums, &s->fail));
	must(table_drop(s->store, TABLE_COUNTERS, &waits, &s->fail));
	must(table_put(s->store, TABLE_META, &name, version, sizeof(version),
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(sums),
		TEST(upgrade),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("numbers", tests, NULL, NULL);
}
