/* SPDX-License-Identifier: ISC */
/*
 * loop: one epoll loop with timers and signals. Not thread-safe: a loop
 * belongs to the thread that runs it.
 *
 * A watch or a timer belongs to the caller; the loop keeps a pointer to it
 * until it is removed. Callbacks may add and remove any watch or timer,
 * including their own; a removed one is never called again, even when its
 * event had already been fetched from the kernel.
 */
#ifndef COMMON_BASE_LOOP_H
#define COMMON_BASE_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/fail.h"

struct loop;

struct watch {
	int fd;
	uint32_t events; /* EPOLLIN, EPOLLOUT */
	void (*ready)(void *context, uint32_t events);
	void *context;
	size_t slot; /* the loop's; zero when not added */
};

struct timer {
	int64_t at; /* clock_boot() time */
	void (*fire)(void *context);
	void *context;
	size_t slot; /* the loop's; zero when not added */
};

int
loop_open(struct loop **ret_loop, struct fail *fail);

void
loop_close(struct loop *loop); /* NULL is fine */

/* Adds the watch, or changes the events of one that is there. The caller sets
 * fd, events, ready and context first. */
int
loop_watch(struct loop *loop, struct watch *watch, struct fail *fail);

void
loop_unwatch(struct loop *loop, struct watch *watch); /* before close(fd) */

/* Sets the timer to fire once at AT (clock_boot() milliseconds); a timer that
 * is set already is moved. */
void
loop_timer(struct loop *loop, struct timer *timer, int64_t at);

void
loop_cancel(struct loop *loop, struct timer *timer);

/* Blocks SIGNALS (a list that ends with 0) in the process and calls HANDLE
 * from the loop for each one that arrives. Once per loop. They stay blocked,
 * in children too until those unblock them. A SIGHUP that is ignored stays so. */
int
loop_signals(struct loop *loop, const int *signals,
    void (*handle)(void *context, int signal), void *context,
    struct fail *fail);

/* Waits for the next event, at most until UNTIL (clock_boot() milliseconds;
 * -1: for ever, 0: does not wait), and calls the callbacks of all watches and
 * timers that are ready. Returns the number of calls. EINTR is no error. */
int
loop_turn(struct loop *loop, int64_t until, struct fail *fail);

#endif
