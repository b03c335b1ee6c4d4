/* SPDX-License-Identifier: ISC */
/*
 * timer: calls a function later, from a thread of its own.
 */
#ifndef CMD_STANDIN_SERVER_TIMER_H
#define CMD_STANDIN_SERVER_TIMER_H

#include <stdint.h>

#include "common/base/fail.h"

struct timer;

int
timer_start(struct timer **ret_timer, struct fail *fail);

/* Calls CALL(ARGUMENT) in DELAY milliseconds, in the timer's thread. When the
 * timer is already ending it is called at once. */
void
timer_add(struct timer *timer, int64_t delay, void (*call)(void *argument),
    void *argument);

/* Calls what is still waiting, at once; what is added from now on is called at
 * once, too. The thread ends. */
void
timer_drain(struct timer *timer);

void
timer_free(struct timer *timer); /* after timer_drain; NULL is fine */

#endif
