/* SPDX-License-Identifier: ISC */
/* Calls that share a gate, and gates that processes share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/provider/gate.h"

#define SOON_MS 5000 /* longer than all that is waited for here */

enum turn { WAITS, LEFT, REFUSED };

struct call {
	struct gate_pass pass;
	enum turn turn;
	struct gate_refusal why;
	char message[80];
};

static struct loop *loop;
static struct gate *gate;
static struct gate_watch watch;
static struct gate_state seen; /* the last that was told */
static char seen_message[80];
static int told, probes;
static bool may_probe, renewed;
static const struct gate_state *meets; /* before it answers a probe */

static void
on_turn(void *context, const struct gate_refusal *refusal)
{
	struct call *call = context;

	call->turn = refusal == NULL ? LEFT : REFUSED;
	if (refusal == NULL)
		return;
	call->why = *refusal;
	(void)snprintf(call->message, sizeof(call->message), "%s",
	    refusal->message);
}

static void
on_changed(void *context, struct gate *of, const struct gate_state *state)
{
	(void)context;
	assert_ptr_equal(of, gate);
	seen = *state;
	(void)snprintf(seen_message, sizeof(seen_message), "%s",
	    state->message);
	told++;
}

static bool
on_probe(void *context, struct gate *of)
{
	(void)context;
	probes++;
	if (meets != NULL)
		gate_met(of, meets);
	return may_probe;
}

static bool
on_renewed(void *context)
{
	(void)context;
	if (renewed)
		gate_key(gate, "host", "another secret");
	return renewed;
}

static void
enter(struct call *call)
{
	*call = (struct call){ .pass = { .turn = on_turn, .context = call } };
	if (gate_enter(gate, &call->pass))
		call->turn = LEFT;
}

/* Until the call left or was refused; returns how long that took. */
static int64_t
turn_of(struct call *call, enum turn turn)
{
	int64_t begin = clock_boot();
	struct fail fail;

	while (call->turn == WAITS && clock_boot() < begin + SOON_MS)
		assert_true(loop_turn(loop, begin + SOON_MS, &fail) >= 0);
	assert_int_equal(call->turn, turn);
	return clock_boot() - begin;
}

static void
pass(void)
{
	struct call call;

	enter(&call);
	(void)turn_of(&call, LEFT);
	gate_accepted(&call.pass);
}

static int
setup(void **state)
{
	struct fail fail;

	(void)state;
	watch = (struct gate_watch){ .changed = on_changed };
	told = probes = 0;
	may_probe = true;
	renewed = false;
	meets = NULL;
	seen = (struct gate_state){ 0 };
	if (loop_open(&loop, &fail) < 0)
		return -1;
	gate = gate_new(loop, "Service", &watch, on_renewed, NULL);
	gate_key(gate, "host", "the secret");
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	gate_free(gate);
	loop_close(loop);
	return 0;
}

static void
test_none(void **state)
{
	struct gate_pass own = { .queued = false };

	(void)state;
	assert_true(gate_enter(NULL, &own));
	gate_accepted(&own);
	assert_int_equal(gate_refused(&own, WAIT_RATE_LIMIT, 7, ""), 7);
	gate_pace(NULL, 1, 1);
}

/* Before a call is accepted, few leave; then as many more. */
static void
test_burst(void **state)
{
	struct call calls[12];
	size_t i, left = 0;

	(void)state;
	for (i = 0; i < 12; i++) {
		enter(&calls[i]);
		left += calls[i].turn == LEFT;
	}
	assert_int_equal(left, 8);
	for (i = 0; i < 4; i++)
		gate_accepted(&calls[i].pass);
	(void)turn_of(&calls[11], LEFT);
	for (i = 4; i < 12; i++)
		gate_leave(&calls[i].pass);
}

static void
test_limit(void **state)
{
	struct call first, probe, other;
	int64_t delay;

	(void)state;
	pass();
	pass();
	enter(&first);
	delay = gate_refused(&first.pass, WAIT_RATE_LIMIT, 100, "slow down");
	assert_in_range(delay, 80, 250);
	assert_int_equal(seen.kind, WAIT_RATE_LIMIT);
	assert_false(seen.news);
	enter(&probe);
	enter(&other);
	assert_int_equal(probe.turn, WAITS);
	assert_in_range(turn_of(&probe, LEFT), 50, SOON_MS);
	assert_int_equal(other.turn, WAITS); /* one probe */
	gate_accepted(&probe.pass);
	assert_int_equal(seen.kind, WAIT_NONE);
	(void)turn_of(&other, LEFT);
	gate_accepted(&other.pass);
}

/* A limit that is longer than a call can be held back for. */
static void
test_long_limit(void **state)
{
	struct call call;

	(void)state;
	enter(&call);
	(void)gate_refused(&call.pass, WAIT_RATE_LIMIT, 900000, "");
	enter(&call);
	(void)turn_of(&call, REFUSED);
	assert_int_equal(call.why.kind, WAIT_RATE_LIMIT);
	assert_in_range(call.why.delay_ms, 890000, 1300000);
}

static void
test_key(void **state)
{
	struct call call, asked = { .turn = WAITS };

	(void)state;
	pass();
	assert_true(seen.proven);
	enter(&call);
	assert_in_range(gate_refused(&call.pass, WAIT_KEY, 0, "bad key"), 50000,
	    80000);
	assert_true(seen.news);
	assert_int_equal(seen.kind, WAIT_KEY);
	assert_string_equal(seen_message, "bad key");
	assert_false(seen.proven);
	told = 0;
	enter(&call);
	(void)turn_of(&call, REFUSED);
	assert_int_equal(call.why.kind, WAIT_KEY);
	assert_string_equal(call.message, "bad key");
	assert_int_equal(told, 0);

	/* a person wants it tried */
	asked.pass = (struct gate_pass){ .turn = on_turn,
		.context = &asked,
		.asked = true };
	assert_true(gate_enter(gate, &asked.pass));
	(void)gate_refused(&asked.pass, WAIT_KEY, 0, "bad key");
	assert_false(seen.news); /* known already */
	assert_true(gate_enter(gate, &asked.pass));
	gate_accepted(&asked.pass);
	assert_int_equal(seen.kind, WAIT_NONE);
	assert_true(seen.news);
	pass();
}

static void
test_key_exchanged(void **state)
{
	struct gate_state before, after;
	char key[40];
	struct call call;

	(void)state;
	gate_look(gate, &before);
	(void)snprintf(key, sizeof(key), "%s", before.key);
	assert_int_equal(strlen(key), 16);
	enter(&call);
	(void)gate_refused(&call.pass, WAIT_KEY, 0, "bad key");
	renewed = true; /* the gate looks for another key by itself */
	while (seen.kind != WAIT_NONE)
		assert_true(loop_turn(loop, -1, &(struct fail){ 0 }) >= 0);
	gate_look(gate, &after);
	assert_string_not_equal(after.key, key);
	assert_true(seen.news);
	assert_false(after.proven);
	pass();
	gate_look(gate, &after);
	assert_true(after.proven);
}

/* Another process has met something. */
static void
test_met(void **state)
{
	struct gate_state met = { .kind = WAIT_KEY, .message = "bad key" };
	struct call call;

	(void)state;
	met.until = clock_wall() + 60000;
	gate_met(gate, &met);
	assert_true(seen.news);
	enter(&call);
	(void)turn_of(&call, REFUSED);
	assert_string_equal(call.message, "bad key");
	met.kind = WAIT_NONE;
	gate_met(gate, &met);
	assert_true(seen.news);
	enter(&call);
	assert_int_equal(call.turn, LEFT);
	gate_leave(&call.pass);

	/* a clock that was set back does not close it for long */
	met.kind = WAIT_RATE_LIMIT;
	met.until = clock_wall() + INT64_C(400) * 86400000;
	gate_met(gate, &met);
	gate_look(gate, &met);
	assert_in_range(met.until, clock_wall() + 3500000,
	    clock_wall() + 3600100);
}

static void
test_one_probes(void **state)
{
	struct gate_state met = { .kind = WAIT_RATE_LIMIT, .message = "" };
	struct call call;

	(void)state;
	watch.probe = on_probe;
	pass();
	pass();
	enter(&call);
	assert_int_equal(probes, 0);
	(void)gate_refused(&call.pass, WAIT_RATE_LIMIT, 50, "");
	met.until = clock_wall() + 300; /* another probes until then */
	meets = &met;
	may_probe = false;
	enter(&call);
	while (probes == 0)
		assert_true(loop_turn(loop, -1, &(struct fail){ 0 }) >= 0);
	assert_int_equal(call.turn, WAITS);
	meets = NULL;
	may_probe = true;
	(void)turn_of(&call, LEFT);
	assert_in_range(clock_wall(), met.until - 5, met.until + SOON_MS);
	assert_int_equal(probes, 2);
	(void)gate_refused(&call.pass, WAIT_RATE_LIMIT, 50, "");

	/* the other's was accepted */
	met.kind = WAIT_NONE;
	meets = &met;
	may_probe = false;
	enter(&call);
	(void)turn_of(&call, LEFT);
	gate_accepted(&call.pass);
}

static void
test_pace(void **state)
{
	struct gate_state state_now;
	struct call first, second;

	(void)state;
	told = 0;
	gate_pace(gate, 60, 60000);
	gate_pace(gate, 60, 60000);
	assert_int_equal(told, 1); /* the others know it */
	gate_look(gate, &state_now);
	assert_int_equal(state_now.scarce_ms, 60);
	assert_in_range(state_now.scarce_until, clock_wall() + 59000,
	    clock_wall() + 60000);
	enter(&first);
	assert_int_equal(first.turn, LEFT);
	gate_peers(gate, 3); /* they share it */
	enter(&second);
	assert_in_range(turn_of(&second, LEFT), 40, SOON_MS);
	gate_accepted(&first.pass);
	gate_accepted(&second.pass);
	enter(&first);
	assert_in_range(turn_of(&first, LEFT), 150, SOON_MS);
	gate_accepted(&first.pass);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(none),
		TEST(burst),
		TEST(limit),
		TEST(long_limit),
		TEST(key),
		TEST(key_exchanged),
		TEST(met),
		TEST(one_probes),
		TEST(pace),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
