/* SPDX-License-Identifier: ISC */
/*
 * The calendar is computed here and not by the C library, whose functions
 * read the environment (TZ). Days are counted in a year that begins in March,
 * so that the leap day is the last one; an era is 400 years, 146097 days.
 */
#include "common/base/clock.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DAY_MS 86400000
#define STEP_MS 60000            /* less is the clock being trimmed */
#define WALL_MAX 253402300799999 /* 9999-12-31T23:59:59.999Z */

static int64_t
clock_read(clockid_t clock)
{
	struct timespec now;

	/* Cannot fail for a clock that exists, and both have since 2.6.39. */
	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t
clock_wall(void)
{
	return clock_read(CLOCK_REALTIME);
}

int64_t
clock_boot(void)
{
	return clock_read(CLOCK_BOOTTIME);
}

void
clock_watch(struct clock_steps *steps, int64_t wall, int64_t boot)
{
	const size_t most = sizeof(steps->step) / sizeof(*steps->step);
	int64_t by = wall - boot - steps->ahead;

	if (steps->begun && (by >= STEP_MS || by <= -STEP_MS)) {
		if (steps->count == most)
			memmove(steps->step, steps->step + 1,
			    --steps->count * sizeof(*steps->step));
		steps->step[steps->count].before = wall - by;
		steps->step[steps->count++].by = by;
	}
	steps->begun = true;
	steps->ahead = wall - boot;
}

/* Where a clock that was set back shows a time again, SINCE is the later one. */
int64_t
clock_stepped(const struct clock_steps *steps, int64_t since)
{
	int64_t sum = 0;
	size_t i = steps->count;

	for (; i > 0; i--) {
		if (since >= steps->step[i - 1].before + steps->step[i - 1].by)
			break;
		sum += steps->step[i - 1].by;
	}
	return sum > 0 ? sum : 0;
}

/* By how many seconds the boot clock of our time namespace is off, or 0. */
static long long
boot_offset(void)
{
	char text[256] = "";
	const char *at;
	int fd = open("/proc/self/timens_offsets", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	at = strstr(text, "boottime");
	return at != NULL ? strtoll(at + strlen("boottime"), NULL, 10) : 0;
}

void
clock_boot_id(char ret[37])
{
	long long offset = boot_offset();
	ssize_t got;
	int fd;

	memset(ret, 0, 37);
	fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	got = read(fd, ret, 36);
	close(fd);
	if (got != 36)
		memset(ret, 0, 37);
	else if (offset != 0)
		snprintf(ret + 24, 13, "%012llx",
		    (unsigned long long)offset & 0xffffffffffff);
}

/* Days since 1970-01-01 of a date of the years 0 to 9999. */
static int64_t
days_from_date(int year, int month, int day)
{
	int64_t shifted = month <= 2 ? year - 1 : year;
	int64_t era = (shifted >= 0 ? shifted : shifted - 399) / 400;
	int64_t in_era = shifted - era * 400;
	int64_t in_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 +
	    day - 1;

	return era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 +
	    in_year - 719468;
}

/* The other way round, for days of the years 1970 to 9999. */
static void
date_from_days(int64_t days, unsigned *ret_year, unsigned *ret_month,
    unsigned *ret_day)
{
	unsigned count = (unsigned)(days + 719468);
	unsigned era = count / 146097, in_era = count % 146097;
	unsigned year = (in_era - in_era / 1460 + in_era / 36524 -
			    in_era / 146096) /
	    365;
	unsigned in_year = in_era - (365 * year + year / 4 - year / 100);
	unsigned month = (5 * in_year + 2) / 153;

	*ret_day = in_year - (153 * month + 2) / 5 + 1;
	*ret_month = month < 10 ? month + 3 : month - 9;
	*ret_year = year + era * 400 + (*ret_month <= 2 ? 1 : 0);
}

/* Writes COUNT digits and then END. Returns where the next one goes. */
static char *
put_number(char *at, unsigned number, int count, char end)
{
	int i;

	for (i = count - 1; i >= 0; i--, number /= 10)
		at[i] = (char)('0' + number % 10);
	at[count] = end;
	return at + count + 1;
}

/* Each event and each line of a log has a time: printf takes ten times as
 * long for it. */
void
clock_format(int64_t wall, char ret[CLOCK_TEXT])
{
	unsigned year, month, day, rest;
	char *at = ret;

	if (wall < 0)
		wall = 0;
	if (wall > WALL_MAX)
		wall = WALL_MAX;
	date_from_days(wall / DAY_MS, &year, &month, &day);
	rest = (unsigned)(wall % DAY_MS);
	at = put_number(at, year, 4, '-');
	at = put_number(at, month, 2, '-');
	at = put_number(at, day, 2, 'T');
	at = put_number(at, rest / 3600000, 2, ':');
	at = put_number(at, rest / 60000 % 60, 2, ':');
	at = put_number(at, rest / 1000 % 60, 2, '.');
	at = put_number(at, rest % 1000, 3, 'Z');
	*at = '\0';
}

/* Reads exactly COUNT digits and moves TEXT behind them. */
static bool
digits(const char **text, int count, int *ret_number)
{
	int number = 0;

	for (; count > 0; count--, (*text)++) {
		if (**text < '0' || **text > '9')
			return false;
		number = number * 10 + (**text - '0');
	}
	*ret_number = number;
	return true;
}

static bool
literal(const char **text, const char *set)
{
	if (**text == '\0' || !strchr(set, **text))
		return false;
	(*text)++;
	return true;
}

static bool
parse_date(const char **text, int64_t *ret_days)
{
	static const int length[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31,
		30, 31 };
	int year, month, day, last;

	if (!digits(text, 4, &year) || !literal(text, "-") ||
	    !digits(text, 2, &month) || !literal(text, "-") ||
	    !digits(text, 2, &day) || month < 1 || month > 12)
		return false;
	last = length[month - 1];
	if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
		last = 29;
	if (day < 1 || day > last)
		return false;
	*ret_days = days_from_date(year, month, day);
	return true;
}

/* A leap second is the last millisecond of its minute. */
static bool
parse_time(const char **text, int64_t *ret_ms)
{
	int hour, minute, second, unit = 100, fraction = 0;

	if (!digits(text, 2, &hour) || !literal(text, ":") ||
	    !digits(text, 2, &minute) || !literal(text, ":") ||
	    !digits(text, 2, &second) || hour > 23 || minute > 59 ||
	    second > 60)
		return false;
	if (literal(text, ".")) {
		if (**text < '0' || **text > '9')
			return false;
		for (; **text >= '0' && **text <= '9'; (*text)++) {
			fraction += unit * (**text - '0');
			unit /= 10;
		}
	}
	if (second == 60) {
		second = 59;
		fraction = 999;
	}
	*ret_ms = ((hour * 60 + minute) * 60 + second) * 1000 + fraction;
	return true;
}

static bool
parse_offset(const char **text, int64_t *ret_ms)
{
	int sign, hour, minute;

	*ret_ms = 0;
	if (literal(text, "Zz"))
		return true;
	sign = **text == '-' ? -1 : 1;
	if (!literal(text, "+-") || !digits(text, 2, &hour) ||
	    !literal(text, ":") || !digits(text, 2, &minute) || hour > 23 ||
	    minute > 59)
		return false;
	*ret_ms = (int64_t)sign * (hour * 60 + minute) * 60000;
	return true;
}

int
clock_parse(const char *text, int64_t *ret_wall, struct fail *fail)
{
	int64_t days = 0, ms = 0, offset = 0;
	const char *at = text;

	if (!parse_date(&at, &days) || !literal(&at, "Tt ") ||
	    !parse_time(&at, &ms) || !parse_offset(&at, &offset) || *at != '\0')
		return fail_set(fail, FAIL_NEVER, "invalid_time",
		    "\"%.64s\" is not a time: write it as "
		    "2026-11-23T20:01:02Z or with an offset such as +02:00",
		    text);
	*ret_wall = days * DAY_MS + ms - offset;
	return 0;
}

bool
clock_duration(const char *text, int64_t *ret_ms)
{
	static const char units[] = "smhdw";
	static const int64_t lengths[] = { 1000, 60000, 3600000, 86400000,
		604800000 };
	size_t digits = strspn(text, "0123456789");
	const char *unit = strchr(units, text[digits]);

	if (digits == 0 || digits > 9 || text[digits] == '\0' || unit == NULL ||
	    text[digits + 1] != '\0')
		return false;
	*ret_ms = strtoll(text, NULL, 10) * lengths[unit - units];
	return true;
}
