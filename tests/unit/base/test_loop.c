/* SPDX-License-Identifier: ISC */
/*
 * loop: watches, timers and signals, and callbacks that take each other away.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/base/loop.h"
#include "common/base/mem.h"

#define MANY 2000

struct end { /* of a pipe, and what happened to it */
	struct watch watch;
	struct loop *loop;
	int ends[2];
	int calls;
	uint32_t events;
	struct end *other; /* what the callback removes */
	bool replace;      /* and whether it puts itself in its place */
};

static struct loop *
open_loop(void **state)
{
	struct loop *loop = NULL;
	struct fail fail;

	(void)state;
	assert_int_equal(loop_open(&loop, &fail), 0);
	return loop;
}

static void
end_ready(void *context, uint32_t events)
{
	struct end *end = context;
	struct fail fail;

	end->calls++;
	end->events = events;
	if (!end->other)
		return;
	if (end->replace)
		loop_unwatch(end->loop, &end->watch);
	loop_unwatch(end->loop, &end->other->watch);
	/* The other one's place is taken before its old event is dropped. */
	if (end->replace)
		assert_int_equal(loop_watch(end->loop, &end->watch, &fail), 0);
}

static void
open_end(struct end *end, struct loop *loop)
{
	struct fail fail;

	memset(end, 0, sizeof *end);
	assert_int_equal(pipe(end->ends), 0);
	end->loop = loop;
	end->watch.fd = end->ends[0];
	end->watch.events = EPOLLIN;
	end->watch.ready = end_ready;
	end->watch.context = end;
	assert_int_equal(loop_watch(loop, &end->watch, &fail), 0);
}

static void
close_end(struct end *end)
{
	loop_unwatch(end->loop, &end->watch);
	close(end->ends[0]);
	close(end->ends[1]);
}

static void
test_watch(void **state)
{
	struct loop *loop = open_loop(state);
	struct fail fail;
	struct end end;

	open_end(&end, loop);
	assert_int_equal(loop_turn(loop, 0, &fail), 0);
	assert_int_equal(write(end.ends[1], "x", 1), 1);
	assert_int_equal(loop_turn(loop, -1, &fail), 1);
	assert_int_equal(loop_turn(loop, -1, &fail), 1);
	assert_int_equal(end.calls, 2);
	assert_int_equal(end.events, EPOLLIN);
	end.watch.events = 0;
	assert_int_equal(loop_watch(loop, &end.watch, &fail), 0);
	assert_int_equal(loop_turn(loop, 0, &fail), 0);
	end.watch.events = EPOLLIN;
	assert_int_equal(loop_watch(loop, &end.watch, &fail), 0);
	assert_int_equal(loop_turn(loop, 0, &fail), 1);
	loop_unwatch(loop, &end.watch);
	loop_unwatch(loop, &end.watch);
	assert_int_equal(end.watch.slot, 0);
	assert_int_equal(loop_turn(loop, 0, &fail), 0);
	assert_int_equal(end.calls, 3);
	close_end(&end);
	end.watch.fd = -1;
	assert_int_equal(loop_watch(loop, &end.watch, &fail), -1);
	assert_int_equal(end.watch.slot, 0);
	loop_close(loop);
}

/* Both are ready; whichever is called first removes the other one. */
static void
test_removed_is_not_called(void **state)
{
	struct loop *loop = open_loop(state);
	struct end one, two;
	struct fail fail;
	int replace;

	for (replace = 0; replace < 2; replace++) {
		open_end(&one, loop);
		open_end(&two, loop);
		one.other = &two;
		two.other = &one;
		one.replace = two.replace = replace;
		assert_int_equal(write(one.ends[1], "x", 1), 1);
		assert_int_equal(write(two.ends[1], "x", 1), 1);
		assert_int_equal(loop_turn(loop, 0, &fail), 1);
		assert_int_equal(one.calls + two.calls, 1);
		if (replace) {
			/* It is there under its new place. */
			assert_int_equal(loop_turn(loop, 0, &fail), 1);
			assert_int_equal(one.calls + two.calls, 2);
		}
		close_end(&one);
		close_end(&two);
	}
	loop_close(loop);
}

static void
test_hang_up(void **state)
{
	struct loop *loop = open_loop(state);
	struct fail fail;
	struct end end;

	open_end(&end, loop);
	close(end.ends[1]);
	assert_int_equal(loop_turn(loop, -1, &fail), 1);
	assert_true(end.events & EPOLLHUP);
	loop_unwatch(loop, &end.watch);
	close(end.ends[0]);
	loop_close(loop);
}

static void
test_many_watches(void **state)
{
	struct loop *loop = open_loop(state);
	struct end *ends = mem_alloc(100 * sizeof *ends);
	struct fail fail;
	int made = 0, i;

	for (i = 0; i < 100; i++) {
		open_end(&ends[i], loop);
		assert_int_equal(write(ends[i].ends[1], "x", 1), 1);
	}
	while (made < 100)
		made += loop_turn(loop, 0, &fail);
	for (i = 0; i < 100; i++) {
		assert_true(ends[i].calls >= 1);
		close_end(&ends[i]);
	}
	free(ends);
	loop_close(loop);
}

struct shot {
	struct timer timer;
	struct loop *loop;
	int number, calls;
	int *order; /* where the number is put down */
	int *count;
	struct shot *other; /* what the callback cancels */
	int again;          /* how often it sets itself again */
};

static void
shot_fire(void *context)
{
	struct shot *shot = context;

	assert_int_equal(shot->timer.slot, 0);
	shot->calls++;
	if (shot->order)
		shot->order[(*shot->count)++] = shot->number;
	if (shot->other)
		loop_cancel(shot->loop, &shot->other->timer);
	if (shot->again > 0) {
		shot->again--;
		loop_timer(shot->loop, &shot->timer, 0);
	}
}

static void
set_shot(struct shot *shot, struct loop *loop, int64_t at)
{
	shot->loop = loop;
	shot->timer.fire = shot_fire;
	shot->timer.context = shot;
	loop_timer(loop, &shot->timer, at);
}

static void
test_timer_waits(void **state)
{
	struct loop *loop = open_loop(state);
	struct shot shot = { 0 };
	int64_t start = clock_boot();
	struct fail fail;

	/* far enough for a machine that is slow to come back */
	set_shot(&shot, loop, start + 60000);
	assert_int_equal(loop_turn(loop, start + 10, &fail), 0);
	assert_true(clock_boot() >= start + 10);
	assert_int_equal(shot.calls, 0);
	set_shot(&shot, loop, start + 30);
	assert_int_equal(loop_turn(loop, -1, &fail), 1);
	assert_int_equal(shot.calls, 1);
	assert_true(clock_boot() >= start + 30);
	assert_int_equal(loop_turn(loop, 0, &fail), 0);
	loop_close(loop);
}

/* Random times, half of them moved and a part of them cancelled: what fires
 * does so in order. */
static void
test_timers_in_order(void **state)
{
	struct loop *loop = open_loop(state);
	struct shot *shots = mem_alloc(MANY * sizeof *shots);
	int *order = mem_alloc(MANY * sizeof *order), count = 0, cancelled = 0;
	uint32_t random = 12345;
	struct fail fail;
	int i;

	for (i = 0; i < MANY * 2; i++) {
		random = random * 1103515245 + 12345;
		shots[i % MANY].order = order;
		shots[i % MANY].count = &count;
		shots[i % MANY].number = i % MANY;
		if (i < MANY || random >> 31)
			set_shot(&shots[i % MANY], loop, random >> 16 & 1023);
	}
	for (i = 0; i < MANY; i += 3) {
		loop_cancel(loop, &shots[i].timer);
		loop_cancel(loop, &shots[i].timer);
		cancelled++;
	}
	assert_int_equal(loop_turn(loop, 0, &fail), MANY - cancelled);
	assert_int_equal(count, MANY - cancelled);
	for (i = 0; i < count; i++) {
		assert_int_not_equal(order[i] % 3, 0);
		if (i > 0)
			assert_true(shots[order[i - 1]].timer.at <=
			    shots[order[i]].timer.at);
	}
	free(order);
	free(shots);
	loop_close(loop);
}

/* A timer that sets itself again at once lets others fire and turns end. */
static void
test_timer_again(void **state)
{
	struct loop *loop = open_loop(state);
	struct shot busy = { .again = 5 }, late = { 0 }, gone = { 0 };
	struct shot killer = { .other = &gone };
	struct fail fail;
	int i;

	set_shot(&busy, loop, 0);
	set_shot(&late, loop, clock_boot());
	set_shot(&killer, loop, 1);
	set_shot(&gone, loop, 2);
	assert_int_equal(loop_turn(loop, -1, &fail), 3);
	assert_int_equal(busy.calls, 1);
	assert_int_equal(late.calls, 1);
	assert_int_equal(gone.calls, 0);
	for (i = 2; i <= 6; i++) {
		assert_int_equal(loop_turn(loop, -1, &fail), 1);
		assert_int_equal(busy.calls, i);
	}
	assert_int_equal(loop_turn(loop, 0, &fail), 0);
	loop_close(loop);
}

static void
test_close_lets_go(void **state)
{
	struct loop *loop = open_loop(state);
	struct shot shot = { 0 };
	struct end end;

	open_end(&end, loop);
	set_shot(&shot, loop, INT64_MAX);
	loop_close(loop);
	assert_int_equal(end.watch.slot, 0);
	assert_int_equal(shot.timer.slot, 0);
	close(end.ends[0]);
	close(end.ends[1]);
	loop_close(NULL);
}

static void
on_signal(void *context, int number)
{
	int *seen = context;

	seen[number]++;
}

static void
interrupt(int number)
{
	(void)number;
}

static void
test_signals(void **state)
{
	static const int signals[] = { SIGUSR1, SIGTERM, 0 };
	struct loop *loop = open_loop(state);
	int seen[65] = { 0 };
	struct fail fail;
	sigset_t set;

	assert_int_equal(loop_signals(loop, signals, on_signal, seen, &fail),
	    0);
	assert_int_equal(loop_turn(loop, 0, &fail), 0);
	kill(getpid(), SIGTERM);
	kill(getpid(), SIGUSR1);
	assert_int_equal(loop_turn(loop, -1, &fail), 2);
	assert_int_equal(seen[SIGTERM], 1);
	assert_int_equal(seen[SIGUSR1], 1);
	loop_close(loop);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* A handler that interrupts the wait is no error. */
static void
test_interrupted(void **state)
{
	struct loop *loop = open_loop(state);
	struct sigaction action = { .sa_handler = interrupt };
	struct fail fail;

	sigaction(SIGALRM, &action, NULL);
	/* Again and again, for one that comes before the wait. */
	ualarm(20000, 20000);
	assert_int_equal(loop_turn(loop, -1, &fail), 0);
	ualarm(0, 0);
	signal(SIGALRM, SIG_DFL);
	loop_close(loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_watch),
		cmocka_unit_test(test_removed_is_not_called),
		cmocka_unit_test(test_hang_up),
		cmocka_unit_test(test_many_watches),
		cmocka_unit_test(test_timer_waits),
		cmocka_unit_test(test_timers_in_order),
		cmocka_unit_test(test_timer_again),
		cmocka_unit_test(test_close_lets_go),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_interrupted),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
