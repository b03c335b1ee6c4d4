/* SPDX-License-Identifier: ISC */
/* The rows of gates, what the depth makes of them, and who waits for a key. */
#include "tests/unit/store/store_help.h"

#include "common/store/gates.h"

static struct store_gate
gate_of(const char *key, enum wait_kind kind, bool needed, int64_t at)
{
	struct store_gate gate = { .kind = kind,
		.needed = needed,
		.until = at + 60000,
		.scarce_until = 3,
		.scarce_ms = 2,
		.at = at };

	snprintf(gate.key, sizeof(gate.key), "%s", key);
	snprintf(gate.service, sizeof(gate.service),
	    needed ? "Claude" : "Composio");
	snprintf(gate.message, sizeof(gate.message), "invalid key");
	return gate;
}

static int64_t
ready(struct setting *s, int64_t now)
{
	struct store_depth depth;

	must(store_begin(s->store, false, 0, &s->fail));
	must(store_depth(s->store, NULL, now, &depth, &s->fail));
	store_abort(s->store);
	return depth.ready;
}

static void
put(struct setting *s, struct store_gate gate)
{
	begin(s);
	must(store_gate_put(s->store, &gate, &s->fail));
	commit(s);
}

static void
test_rows(void **state)
{
	struct setting *s = *state;
	struct store_gate one = gate_of("0123456789abcdef", WAIT_KEY, true, 7);
	struct store_gate got;

	put(s, one);
	assert_int_equal(verify(s), 0);
	begin(s);
	assert_int_equal(store_gate_get(s->store, one.key, &got, &s->fail), 1);
	assert_memory_equal(&got, &one, sizeof(got));
	assert_int_equal(store_gate_get(s->store, "0123456789abcdee", &got,
			     &s->fail),
	    0);
	must(store_gates_retry(s->store, 9, &s->fail));
	must(store_gate_get(s->store, one.key, &got, &s->fail));
	assert_int_equal(got.until, 9);
	assert_int_equal(got.kind, WAIT_KEY);
	assert_int_equal(store_gate_drop(s->store, one.key, &s->fail), 1);
	assert_int_equal(store_gate_drop(s->store, one.key, &s->fail), 0);
	commit(s);
}

static void
test_depth(void **state)
{
	struct setting *s = *state;
	struct task_row rows[5];
	int64_t now = clock_wall();
	int i;

	begin(s);
	for (i = 0; i < 5; i++)
		rows[i] = add(s, "ann", "a", 5);
	commit(s);
	assert_int_equal(ready(s, now), 5);
	put(s, gate_of("aaaaaaaaaaaaaaaa", WAIT_RATE_LIMIT, true, 1));
	assert_int_equal(ready(s, now), 5);
	put(s, gate_of("bbbbbbbbbbbbbbbb", WAIT_KEY, true, 2));
	assert_int_equal(ready(s, now), 1);
	/* another worker's key is accepted */
	put(s, gate_of("cccccccccccccccc", WAIT_NONE, true, 3));
	assert_int_equal(ready(s, now), 5);
	/* the key of tools is not needed by every task */
	put(s, gate_of("dddddddddddddddd", WAIT_CREDIT, false, 4));
	assert_int_equal(ready(s, now), 5);
	begin(s);
	for (i = 0; i < 3; i++) {
		rows[i].state = TASK_WAITING;
		rows[i].due = now - 1;
		row_wait(&rows[i], WAIT_KEY, 1, "key: refused");
		must(store_put(s->store, &rows[i], &s->fail));
	}
	commit(s);
	assert_int_equal(ready(s, now), 3);
	assert_int_equal(verify(s), 0);
}

/* Some at a time, however many wait for something else. */
static void
test_wait_keys(void **state)
{
	struct setting *s = *state;
	struct task_row rows[4], row;
	struct id from = { .bytes = { 0 } };
	int i, found = 0, count, calls = 0;
	bool end = false;

	begin(s);
	for (i = 0; i < 700; i++) {
		row = add(s, "ann", "a", 5);
		row.state = TASK_WAITING;
		row_wait(&row, i % 100 == 99 ? WAIT_CREDIT : WAIT_PAUSED, 1,
		    "");
		must(store_put(s->store, &row, &s->fail));
	}
	while (!end) {
		count = store_wait_keys(s->store, &from, rows, 4, &end,
		    &s->fail);
		must(count);
		for (i = 0; i < count; i++) { /* as it is woken */
			assert_int_equal(rows[i].wait, WAIT_CREDIT);
			rows[i].state = TASK_QUEUED;
			must(store_put(s->store, &rows[i], &s->fail));
		}
		found += count;
		calls++;
	}
	commit(s);
	assert_int_equal(found, 7);
	assert_in_range(calls, 3, 6);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rows),
		TEST(depth),
		TEST(wait_keys),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("gates", tests, NULL, NULL);
}
