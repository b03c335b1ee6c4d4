/* SPDX-License-Identifier: ISC */
/*
 * How it works: a zone file has its data twice, with times of four and of eight
 * bytes; the latter are read. They list when the offset changed, and end with a
 * rule, in the form of the variable TZ, for the time after that.
 */
#include "common/base/zone.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/mem.h"

#define FOLDER "/usr/share/zoneinfo/"
#define FILE_MAX ((size_t)1 << 20)
#define NAME_MAX 64
#define HEAD 44
#define HOUR 3600
#define DAY ((int64_t)86400)
#define DAY_MS (DAY * 1000)

struct bytes {
	const unsigned char *at;
	size_t left;
};

static bool
take(struct bytes *bytes, size_t size, const unsigned char **ret)
{
	if (size > bytes->left)
		return false;
	*ret = bytes->at;
	bytes->at += size;
	bytes->left -= size;
	return true;
}

static int64_t
number(const unsigned char *at, int size)
{
	uint64_t value = at[0] & 0x80 ? UINT64_MAX : 0;

	for (; size > 0; size--)
		value = value << 8 | *at++;
	return (int64_t)value;
}

enum { UT, STD, LEAP, TIMES, TYPES, CHARS, COUNTS };

/* Skips a header; *RET_REST is how many bytes of data follow it, with times of
 * SIZE bytes. */
static bool
take_head(struct bytes *bytes, int size, size_t counts[COUNTS],
    size_t *ret_rest)
{
	const unsigned char *head;
	int i;

	if (!take(bytes, HEAD, &head) || memcmp(head, "TZif", 4) != 0 ||
	    head[4] < '2')
		return false;
	for (i = 0; i < COUNTS; i++) {
		counts[i] = (size_t)number(head + 20 + (ptrdiff_t)4 * i, 4);
		if (counts[i] > FILE_MAX)
			return false;
	}
	*ret_rest = counts[TIMES] * ((size_t)size + 1) + counts[TYPES] * 6 +
	    counts[CHARS] + counts[LEAP] * ((size_t)size + 4) + counts[STD] +
	    counts[UT];
	return true;
}

/* ---- the rule ---- */

/* "CET" or "<+03>" */
static bool
rule_name(const char **at)
{
	const char *end;

	if (**at == '<') {
		end = strchr(*at, '>');
		*at = end ? end + 1 : *at;
		return end != NULL;
	}
	end = *at + strcspn(*at, "0123456789+-,");
	*at = end;
	return true;
}

/* "2", "-1:30" or "3:0:0", in seconds. */
static bool
rule_time(const char **at, int64_t *ret)
{
	int sign = **at == '-' ? -1 : 1;
	int64_t unit = HOUR, sum = 0;
	char *end;

	if (**at == '-' || **at == '+')
		(*at)++;
	for (; unit; unit /= 60) {
		if (**at < '0' || **at > '9')
			return false;
		sum += strtol(*at, &end, 10) % 1000 * unit;
		*at = end;
		if (**at != ':')
			break;
		(*at)++;
	}
	*ret = sign * sum;
	return true;
}

/* The small number behind BEFORE. */
static bool
rule_part(const char **at, char before, int *ret)
{
	char *end;

	if (**at != before || (*at)[1] < '0' || (*at)[1] > '9')
		return false;
	*ret = (int)(strtol(*at + 1, &end, 10) % 100);
	*at = end;
	return true;
}

/* ",M10.5.0/3" in YEAR, as local seconds: the fifth Sunday of October, at three,
 * where the fifth is the last one. */
static bool
rule_change(const char **at, int year, int64_t *ret)
{
	int month, week, day, weekday;
	char text[CLOCK_TEXT];
	struct fail ignored;
	int64_t wall, next, hour = 2 * HOUR;

	if (*(*at)++ != ',' || !rule_part(at, 'M', &month) ||
	    !rule_part(at, '.', &week) || !rule_part(at, '.', &day) ||
	    month < 1 || month > 12)
		return false;
	if (**at == '/' && ((*at)++, !rule_time(at, &hour)))
		return false;
	(void)snprintf(text, sizeof(text), "%04d-%02d-01T00:00:00Z",
	    year + month / 12, month % 12 + 1);
	if (clock_parse(text, &next, &ignored) < 0)
		return false;
	(void)snprintf(text, sizeof(text), "%04d-%02d-01T00:00:00Z", year,
	    month);
	(void)clock_parse(text, &wall, &ignored);
	weekday = (int)((wall / DAY_MS + 4) % 7); /* 1970 began on a Thursday */
	wall += ((day - weekday + 7) % 7 + (week - 1) * 7) * DAY_MS;
	while (wall >= next)
		wall -= 7 * DAY_MS;
	*ret = wall / 1000 + hour;
	return true;
}

static bool
rule_offset(const char *rule, int64_t wall, int64_t *ret)
{
	int64_t usual, other, begins, ends, second = wall / 1000;
	char now[CLOCK_TEXT];
	bool inside;
	int year;

	if (!rule_name(&rule) || !rule_time(&rule, &usual))
		return false;
	*ret = usual = -usual;
	if (*rule == '\0')
		return true;
	other = usual + HOUR;
	if (!rule_name(&rule))
		return false;
	if (*rule != ',') {
		if (!rule_time(&rule, &other))
			return false;
		other = -other;
	}
	clock_format(wall, now);
	year = (int)strtol(now, NULL, 10);
	if (!rule_change(&rule, year, &begins) ||
	    !rule_change(&rule, year, &ends))
		return false;
	begins -= usual;
	ends -= other;
	inside = begins < ends ? second >= begins && second < ends
			       : second >= begins || second < ends;
	*ret = inside ? other : usual;
	return true;
}

/* ---- the file ---- */

int
zone_offset_in(const void *data, size_t length, int64_t wall,
    int64_t *ret_seconds)
{
	struct bytes bytes = { data, length };
	const unsigned char *times, *indexes, *types, *skipped;
	size_t counts[COUNTS], rest, i = 0, type = 0;
	char rule[128];

	if (!take_head(&bytes, 4, counts, &rest) ||
	    !take(&bytes, rest, &skipped) ||
	    !take_head(&bytes, 8, counts, &rest) || rest > bytes.left ||
	    counts[TYPES] == 0)
		return -1;
	times = bytes.at;
	indexes = times + 8 * counts[TIMES];
	types = indexes + counts[TIMES];
	(void)take(&bytes, rest, &skipped);
	while (i < counts[TIMES] && number(times + 8 * i, 8) <= wall / 1000)
		type = indexes[i++];
	if (type >= counts[TYPES])
		return -1;
	*ret_seconds = number(types + 6 * type, 4);
	if (i < counts[TIMES] || bytes.left < 2 || bytes.left > sizeof(rule) ||
	    bytes.at[bytes.left - 1] != '\n')
		return 0;
	memcpy(rule, bytes.at + 1, bytes.left - 2);
	rule[bytes.left - 2] = '\0';
	(void)rule_offset(rule, wall, ret_seconds);
	return 0;
}

int
zone_offset(const char *name, int64_t wall, int64_t *ret_seconds,
    struct fail *fail)
{
	char *path = mem_print(FOLDER "%s", name);
	struct buf text = BUF_INIT(FILE_MAX);
	struct fail why;
	int result = -1;

	/* "..", "//" and hidden files are no zones, nor are absolute paths. */
	if (strlen(name) <= NAME_MAX && name[0] != '\0' && name[0] != '/' &&
	    !strchr(name, '.') && !strstr(name, "//") &&
	    file_read(path, &text, &why) == 0)
		result = zone_offset_in(text.data, text.length, wall,
		    ret_seconds);
	if (result < 0)
		fail_set(fail, FAIL_NEVER, "invalid_zone",
		    "there is no time zone \"%.64s\" in " FOLDER
		    ": give its IANA name, as Europe/Berlin",
		    name);
	buf_release(&text);
	free(path);
	return result;
}

char *
zone_today(const char *name, int64_t wall, int64_t *ret_until)
{
	static const char *const days[] = { "Thursday", "Friday", "Saturday",
		"Sunday", "Monday", "Tuesday", "Wednesday" };
	static const char *const months[] = { "January", "February", "March",
		"April", "May", "June", "July", "August", "September",
		"October", "November", "December" };
	int64_t offset = 0, later = 0, local, away;
	char text[CLOCK_TEXT];
	struct fail ignored;
	bool known = name && zone_offset(name, wall, &offset, &ignored) == 0;
	char *day, *all;

	local = wall + offset * 1000;
	*ret_until = (local / DAY_MS + 1) * DAY_MS;
	if (!known ||
	    zone_offset(name, *ret_until - offset * 1000, &later, &ignored) < 0)
		later = offset;
	*ret_until -= later * 1000;
	clock_format(local, text);
	day = mem_print("Today is %s, %ld %s %.4s", days[local / DAY_MS % 7],
	    strtol(text + 8, NULL, 10),
	    months[(strtol(text + 5, NULL, 10) - 1) % 12], text);
	away = offset < 0 ? -offset : offset;
	if (known)
		all = mem_print("%s in %s (UTC%c%02" PRId64 ":%02" PRId64
				"), the time zone of the person you work for.",
		    day, name, offset < 0 ? '-' : '+', away / HOUR,
		    away / 60 % 60);
	else if (name)
		all = mem_print("%s in UTC. The time zone of the person you "
				"work for is %s.",
		    day, name);
	else
		all = mem_print("%s in UTC. The time zone of the person you "
				"work for is not known.",
		    day);
	free(day);
	return all;
}
