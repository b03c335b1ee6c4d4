/* SPDX-License-Identifier: ISC */
/*
 * clock: the two clocks of the toolkit, and times as text.
 *
 * Wall time is milliseconds since 1970 UTC, for people, deadlines and due
 * times. Boot time is milliseconds of CLOCK_BOOTTIME, for leases and
 * time-outs: nobody can set it, and it goes on during suspend.
 */
#ifndef COMMON_BASE_CLOCK_H
#define COMMON_BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/fail.h"

#define CLOCK_TEXT 25 /* "2026-11-23T20:01:02.345Z" and a NUL */

int64_t
clock_wall(void);

int64_t
clock_boot(void);

/* Notes how far the wall clock was set forward, and back, while a process ran. */
struct clock_steps {
	bool begun;
	int64_t ahead; /* wall time less boot time */
	size_t count;
	struct {
		int64_t before, by; /* the wall time then, and the difference */
	} step[16];                 /* the last ones */
};

/* To be called again and again with the two clocks. */
void
clock_watch(struct clock_steps *steps, int64_t wall, int64_t boot);

/* By how much the wall clock was set forward since it was SINCE, or 0. */
int64_t
clock_stepped(const struct clock_steps *steps, int64_t since);

/* 36 characters and a NUL that are equal where boot times can be compared: the
 * kernel's boot id, whose end is replaced in a time namespace with a boot clock
 * of its own. "" if there is none. */
void
clock_boot_id(char ret[37]);

/* Pure: RFC 3339 in UTC with milliseconds; years 1970 to 9999, others are
 * clamped. */
void
clock_format(int64_t wall, char ret[CLOCK_TEXT]);

/* Pure: any RFC 3339 time with an offset ("Z", "+02:00"), fraction optional.
 * FAIL_NEVER, type "invalid_time", otherwise. */
int
clock_parse(const char *text, int64_t *ret_wall, struct fail *fail);

/* "90d": up to nine digits and s, m, h, d or w, in milliseconds; else false. */
bool
clock_duration(const char *text, int64_t *ret_ms);

#endif
