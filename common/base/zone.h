/* SPDX-License-Identifier: ISC */
/*
 * zone: time zones by their IANA names ("Europe/Berlin"), from the system's zone
 * files (tzfile(5)), and the day that it is in one of them. Does not read TZ.
 */
#ifndef COMMON_BASE_ZONE_H
#define COMMON_BASE_ZONE_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/fail.h"

/* By how many seconds the local time of the zone NAME is ahead of UTC at WALL.
 * FAIL_NEVER, type "invalid_zone", when there is no such zone. */
int
zone_offset(const char *name, int64_t wall, int64_t *ret_seconds,
    struct fail *fail);

/* The same of a zone file's bytes; -1 when they are not those of one. */
int
zone_offset_in(const void *bytes, size_t length, int64_t wall,
    int64_t *ret_seconds);

/* A sentence that tells the day at WALL in the zone NAME, and in UTC when NAME is
 * NULL or there is no such zone here; the caller frees. *RET_UNTIL is the wall
 * time when that day ends. */
char *
zone_today(const char *name, int64_t wall, int64_t *ret_until);

#endif
