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

	/* The wait changes while the state does not; sums never go back. */
	begin(s);
	row_wait(&row, WAIT_KEY, 1, "key: refused");
	row.turns = 1;
	row.nano_usd = 100;
	must(store_put(s->store, &row, &s->fail));
	other.state = TASK_CANCELLED;
	must(store_put(s->store, &other, &s->fail));
	commit(s);
	got = numbers(s);
	assert_int_equal(got.waits_count, 1);
	assert_string_equal(got.waits[0].name, "key");
	assert_int_equal(got.sums[SUM_TURNS], 2);
	assert_int_equal(got.sums[SUM_NANO_USD], 100);
	assert_int_equal(got.sums[SUM_CANCELLED], 1);

	/* What is pruned has been. */
	must(store_prune(s->store, INT64_MAX, &s->fail));
	got = numbers(s);
	assert_int_equal(got.sums[SUM_SUBMITTED], 2);
	assert_int_equal(got.sums[SUM_CANCELLED], 1);
}

/* A store of an older version is read as it is, and counted by who opens it to
 * write. */
static void
upgrade(struct setting *s, uint8_t from)
{
	const uint8_t version[4] = { 0, 0, 0, from };
	struct key older = key_counter('w', "model");
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
	must(table_drop(s->store, TABLE_COUNTERS, &waits, &s->fail));
	if (from == 1)
		must(table_drop(s->store, TABLE_COUNTERS, &sums, &s->fail));
	else
		must(table_step(s->store, &older, 1, &s->fail));
	must(table_put(s->store, TABLE_META, &name, version, sizeof(version),
	    &s->fail));
	must(store_commit(s->store, &s->fail));
	store_close(s->store);

	must(store_open(s->folder, STORE_READ, 0, &s->store, &s->fail));
	got = numbers(s);
	assert_int_equal(got.counted, from > 1);
	assert_int_equal(got.queue_count, 1);
	verify(s);
	store_close(s->store);

	must(store_open(s->folder, STORE_WRITE, 0, &s->store, &s->fail));
	got = numbers(s);
	assert_true(got.counted);
	assert_int_equal(got.sums[SUM_CALLS], 3);
	assert_int_equal(got.waits_count, 1);
	assert_string_equal(got.waits[0].name, "paused");
	assert_int_equal(got.waits[0].count, 1);
	verify(s);
}

static void
test_upgrade_1(void **state)
{
	upgrade(*state, 1);
}

static void
test_upgrade_2(void **state)
{
	upgrade(*state, 2);
}

/* A row keeps what its task waits for, and those of older formats are read. */
static void
test_row_formats(void **state)
{
	struct setting *s = *state;
	struct task_row row = { .state = TASK_WAITING, .due = 7 }, got;
	uint8_t bytes[ROW_MAX];
	char text[600];
	size_t length;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	row_wait(&row, WAIT_KEY, 5, text);
	row.reserved_nano_usd = 3;
	snprintf(row.toolkit, sizeof(row.toolkit), "gmail");
	snprintf(row.call, sizeof(row.call), "%.*s", (int)sizeof(row.call) - 1,
	    text);
	snprintf(row.link, sizeof(row.link), "%.*s", (int)sizeof(row.link) - 1,
	    text);
	length = pack_row(&row, bytes);
	must(unpack_row((struct span){ (const char *)bytes, length }, &row.id,
	    &got, &s->fail));
	assert_int_equal(got.wait, WAIT_KEY);
	assert_int_equal(got.since, 5);
	assert_string_equal(got.reason, row.reason);
	assert_int_equal(strlen(got.reason), sizeof(got.reason) - 1);
	assert_string_equal(got.toolkit, "gmail");
	assert_string_equal(got.call, row.call);
	assert_string_equal(got.link, row.link);
	assert_int_equal(got.reserved_nano_usd, 3);

	/* the second: nothing is reserved */
	bytes[0] = 2;
	must(unpack_row((struct span){ (const char *)bytes, length - 8 },
	    &row.id, &got, &s->fail));
	assert_string_equal(got.link, row.link);
	assert_int_equal(got.reserved_nano_usd, 0);

	/* the first format: one byte for the reason's length, and no wait */
	memset(&row, 0, sizeof(row));
	row.state = TASK_WAITING;
	row.updated_at = 9;
	snprintf(row.reason, sizeof(row.reason), "model: Overloaded");
	length = pack_row(&row, bytes) - (1 + 8 + 1 + 1 + 2 + 8);
	bytes[0] = 1;
	memmove(bytes + length - 20, bytes + length - 19, 19);
	assert_int_equal(bytes[length - 20], strlen(row.reason));
	must(unpack_row((struct span){ (const char *)bytes, length - 1 },
	    &row.id, &got, &s->fail));
	assert_string_equal(got.reason, row.reason);
	assert_int_equal(got.wait, WAIT_OUTAGE);
	assert_int_equal(got.since, 9);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(sums),
		TEST(upgrade_1),
		TEST(upgrade_2),
		TEST(row_formats),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("numbers", tests, NULL, NULL);
}
