/* SPDX-License-Identifier: ISC */
/*
 * The bottom of the library: utf8, fail, mem, buf, clock, id.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/fail.h"
#include "common/base/hex.h"
#include "common/base/id.h"
#include "common/base/mem.h"
#include "common/base/utf8.h"
#include "common/base/zone.h"
#include "common/json/json.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define LONG_ZONE \
	"a-name-that-is-longer-than-any-zone-has-and-than-64-bytes-" \
	"allow"

static void
test_utf8(void **state)
{
	static const struct {
		const char *bytes;
		size_t step;
	} cases[] = {
		{ "a", 1 },
		{ "\x7f", 1 },
		{ "\xc2\x80", 2 },
		{ "\xc3\xa9x", 2 },
		{ "\xe0\xa0\x80", 3 },
		{ "\xef\xbf\xbf", 3 },
		{ "\xf0\x90\x80\x80", 4 },
		{ "\xf4\x8f\xbf\xbf", 4 },
		{ "\x80", 0 },
		{ "\xc0\x80", 0 },
		{ "\xc1\xbf", 0 },
		{ "\xc3", 0 },
		{ "\xc3(", 0 },
		{ "\xe0\x9f\xbf", 0 },
		{ "\xed\xa0\x80", 0 },
		{ "\xed\x9f\xbf", 3 },
		{ "\xe2\x82", 0 },
		{ "\xf0\x8f\xbf\xbf", 0 },
		{ "\xf4\x90\x80\x80", 0 },
		{ "\xf5\x80\x80\x80", 0 },
		{ "\xf0\x9f\x98", 0 },
		{ "\xf0\x9f\x98(", 0 },
		{ "\xff", 0 },
		{ "", 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++)
		assert_int_equal(utf8_step(cases[i].bytes,
				     strlen(cases[i].bytes)),
		    cases[i].step);
	assert_int_equal(utf8_step("\0", 1), 1);
}

static void
test_visible(void **state)
{
	static const struct {
		unsigned least, most;
	} hidden[] = { { 0, 0x8 }, { 0xb, 0x1f }, { 0x7f, 0x9f },
		{ 0x61c, 0x61c }, { 0x200e, 0x200f }, { 0x202a, 0x202e },
		{ 0x2066, 0x2069 } };
	static const char broken[] =
	    "\x80 \xc2 \xe2\x80 \xed\xa0\x80 \xff\033\xf0\x9f";
	struct buf shown = BUF_INIT(1000);
	char text[4], wanted[8];
	unsigned code;
	size_t i, size;

	(void)state;
	for (code = 0, i = 0; code < 0x3000; code++) {
		size = code < 0x80 ? 1 : code < 0x800 ? 2 : 3;
		text[0] = (char)(size == 1
			? code
			: (0xf00U >> size & 0xff) | code >> 6 * (size - 1));
		text[size - 1] = (char)(size == 1 ? code : 0x80 | (code & 63));
		if (size == 3)
			text[1] = (char)(0x80 | (code >> 6 & 63));
		buf_reset(&shown);
		utf8_visible(&shown, text, size);
		if (i < COUNT(hidden) && code > hidden[i].most)
			i++;
		if (i < COUNT(hidden) && code >= hidden[i].least) {
			snprintf(wanted, sizeof wanted, "\\u%04x", code);
			assert_string_equal(shown.data, wanted);
		} else {
			assert_int_equal(shown.length, size);
			assert_memory_equal(shown.data, text, size);
		}
	}
	buf_reset(&shown);
	utf8_visible(&shown, broken, sizeof broken - 1);
	utf8_visible(&shown, "a\0\033[m\t\xc3\xa4\r\n", 10);
	assert_string_equal(shown.data,
	    "\\x80 \\xc2 \\xe2\\x80 \\xed\\xa0\\x80 \\xff\\u001b\\xf0\\x9f"
	    "a\\u0000\\u001b[m\t\xc3\xa4\\u000d\n");
	buf_reset(&shown);
	utf8_visible(&shown, NULL, 0);
	assert_int_equal(shown.length, 0);
	buf_release(&shown);
}

static void
test_fail_cleans(void **state)
{
	struct fail fail = { 0 };

	(void)state;
	assert_int_equal(fail_set(&fail, FAIL_NO, "a_type",
			     "one\ntwo\x1b[0m \x7f \xff caf\xc3\xa9 %d", 7),
	    -1);
	assert_int_equal(fail.kind, FAIL_NO);
	assert_string_equal(fail.type, "a_type");
	assert_string_equal(fail.message, "one?two?[0m ? ? caf\xc3\xa9 7");
	/* Its own parts as arguments. */
	fail_set(&fail, FAIL_NEVER, fail.type, "again: %s", fail.message);
	assert_string_equal(fail.type, "a_type");
	assert_string_equal(fail.message,
	    "again: one?two?[0m ? ? caf\xc3\xa9 7");
	assert_int_equal(fail_prefix(&fail, "member %s", "x"), -1);
	assert_int_equal(fail.kind, FAIL_NEVER);
	assert_string_equal(fail.message,
	    "member x: again: one?two?[0m ? ? caf\xc3\xa9 7");
}

/* Wherever the cut falls, no half of a character stays. */
static void
test_fail_cuts(void **state)
{
	char text[1300];
	struct fail fail;
	size_t pad, i, length;

	(void)state;
	for (pad = 0; pad < 4; pad++) {
		memset(text, 'x', sizeof text);
		for (i = pad; i + 4 < sizeof text; i += 4)
			memcpy(text + i, "\xf0\x9f\x98\x80", 4);
		text[sizeof text - 1] = '\0';
		fail_set(&fail, FAIL_NO, "t", "%s", text);
		length = strlen(fail.message);
		assert_in_range(length, sizeof fail.message - 4,
		    sizeof fail.message - 1);
		assert_true(json_utf8(fail.message, length));
		assert_null(strchr(fail.message, '?'));
		fail_prefix(&fail, "%.*s", (int)pad + 1, "abcd");
		assert_true(json_utf8(fail.message, strlen(fail.message)));
		assert_null(strchr(fail.message, '?'));
	}
}

static void
test_fail_errno(void **state)
{
	static const struct {
		int error;
		enum fail_kind kind;
		const char *type;
	} cases[] = {
		{ ENOSPC, FAIL_NOT_NOW, "disk_full" },
		{ EDQUOT, FAIL_NOT_NOW, "disk_full" },
		{ EACCES, FAIL_NEVER, "permission" },
		{ EPERM, FAIL_NEVER, "permission" },
		{ EROFS, FAIL_NEVER, "permission" },
		{ EIO, FAIL_NOT_NOW, "system" },
	};
	struct fail fail;
	char wanted[200];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		errno = cases[i].error;
		assert_int_equal(fail_errno(&fail, "unable to %s", "x"), -1);
		assert_int_equal(fail.kind, cases[i].kind);
		assert_string_equal(fail.type, cases[i].type);
		snprintf(wanted, sizeof wanted, "unable to x: %s",
		    strerror(cases[i].error));
		assert_string_equal(fail.message, wanted);
	}
}

static void
test_buf(void **state)
{
	struct buf buf = BUF_INIT(10);
	size_t size = 0;
	char *taken;

	(void)state;
	assert_null(buf.data);
	buf_add(&buf, "", 0);
	buf_add_string(&buf, "");
	assert_null(buf.data);
	buf_add(&buf, "12345", 5);
	buf_print(&buf, "%d", 6789);
	assert_string_equal(buf.data, "123456789");
	buf_add(&buf, "ab", 2);
	assert_true(buf.overflow);
	assert_int_equal(buf.length, 9);
	buf_add(&buf, "a", 1); /* would fit, but something is missing before */
	buf_print(&buf, "b");
	assert_int_equal(buf.length, 9);
	assert_string_equal(buf.data, "123456789");
	buf_reset(&buf);
	assert_false(buf.overflow);
	assert_string_equal(buf.data, "");
	buf_add(&buf, "0123456789", 10); /* as long as the maximum */
	assert_false(buf.overflow);
	buf_consume(&buf, 4);
	assert_string_equal(buf.data, "456789");
	buf_consume(&buf, 100);
	assert_int_equal(buf.length, 0);
	buf_add(&buf, "a\0b", 3);
	taken = buf_detach(&buf, &size);
	assert_int_equal(size, 3);
	assert_memory_equal(taken, "a\0b", 4);
	free(taken);
	taken = buf_detach(&buf, NULL);
	assert_string_equal(taken, "");
	free(taken);
	buf_consume(&buf, 1);
	buf_add(&buf, "x", 1);
	buf_release(&buf);
	assert_null(buf.data);
	assert_int_equal(buf.maximum, 10);
}

static void
test_buf_grows(void **state)
{
	struct buf buf = BUF_INIT(1 << 20);
	size_t i;

	(void)state;
	for (i = 0; i < 100000; i++)
		buf_print(&buf, "%zu,", i % 10);
	assert_int_equal(buf.length, 200000);
	assert_memory_equal(buf.data + 199990, "5,6,7,8,9,", 11);
	buf_release(&buf);
}

static void
test_durations(void **state)
{
	static const struct {
		const char *text;
		int64_t ms; /* -1: none */
	} cases[] = { { "0s", 0 }, { "30m", 1800000 }, { "12h", 43200000 },
		{ "90d", 7776000000 }, { "999999999w", 604799999395200000 },
		{ "", -1 }, { "d", -1 }, { "30", -1 }, { "1dd", -1 },
		{ "1x", -1 }, { "-1d", -1 }, { "1000000000s", -1 } };
	int64_t ms;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		ms = -1;
		assert_int_equal(clock_duration(cases[i].text, &ms),
		    cases[i].ms >= 0);
		assert_int_equal(ms, cases[i].ms);
	}
}

static void
test_hex(void **state)
{
	static const struct {
		const char *text, *decoded;
		bool whole;
	} cases[] = {
		{ "", "", true },
		{ "a+b", "a+b", true },
		{ "%41%7a%7A%c3%a9", "Azz\303\251", true },
		{ "%", "%", false },
		{ "%4", "%4", false },
		{ "%4g%41", "%4gA", false },
		{ "%%41", "%A", false },
	};
	char text[32];
	size_t i, length;

	(void)state;
	hex_write("\x00\xff\x1a", 3, text);
	assert_string_equal(text, "00ff1a");
	assert_int_equal(hex_number("fF1", 3), 0xff1);
	assert_int_equal(hex_number("0", 2), -1);
	assert_int_equal(hex_number("g", 1), -1);
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		length = strlen(cases[i].text);
		memcpy(text, cases[i].text, length + 1);
		assert_int_equal(hex_percent_decode(text, &length),
		    cases[i].whole);
		assert_string_equal(text, cases[i].decoded);
		assert_int_equal(length, strlen(cases[i].decoded));
	}
}

static void
test_mem(void **state)
{
	char *text, *copy;

	(void)state;
	assert_null(mem_string(NULL));
	text = mem_print("%s-%d", "a", 5);
	assert_string_equal(text, "a-5");
	copy = mem_copy(text, 2);
	assert_string_equal(copy, "a-");
	free(copy);
	free(text);
	text = mem_alloc(3);
	assert_memory_equal(text, "\0\0\0", 3);
	free(text);
}

/* A size that overflows ends the process with 111 and one line. */
static void
test_mem_dies(void **state)
{
	char line[200] = "";
	int ends[2], status = 0;
	pid_t child;
	ssize_t got;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		dup2(ends[1], STDERR_FILENO);
		free(mem_grow(NULL, SIZE_MAX / 2, 8));
		_exit(0);
	}
	close(ends[1]);
	got = read(ends[0], line, sizeof line - 1);
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 111);
	assert_true(got > 0);
	assert_non_null(strstr(line, "out of memory"));
	assert_ptr_equal(strchr(line, '\n'), line + got - 1);
}

static const struct {
	const char *text;
	int64_t wall;
	const char *back; /* NULL: the same as text */
} times[] = {
	{ "1970-01-01T00:00:00.000Z", 0, NULL },
	{ "2026-11-23T20:01:02.345Z", 1795464062345, NULL },
	{ "2000-02-29T23:59:59.999Z", 951868799999, NULL },
	{ "9999-12-31T23:59:59.999Z", 253402300799999, NULL },
	{ "2026-11-23T22:01:02.345+02:00", 1795464062345,
	    "2026-11-23T20:01:02.345Z" },
	{ "2026-11-23t20:01:02z", 1795464062000, "2026-11-23T20:01:02.000Z" },
	{ "2026-11-23 20:01:02.3Z", 1795464062300, "2026-11-23T20:01:02.300Z" },
	{ "2026-11-23T20:01:02.34567890123Z", 1795464062345,
	    "2026-11-23T20:01:02.345Z" },
	{ "2026-11-23T14:31:02-05:30", 1795464062000,
	    "2026-11-23T20:01:02.000Z" },
	{ "2016-12-31T23:59:60Z", 1483228799999, "2016-12-31T23:59:59.999Z" },
	{ "1969-12-31T23:59:59Z", -1000, "1970-01-01T00:00:00.000Z" },
	{ "0000-01-01T00:00:00Z", -62167219200000, "1970-01-01T00:00:00.000Z" },
};

static void
test_clock_text(void **state)
{
	char text[CLOCK_TEXT];
	struct fail fail;
	int64_t wall;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(times); i++) {
		assert_int_equal(clock_parse(times[i].text, &wall, &fail), 0);
		assert_int_equal(wall, times[i].wall);
		clock_format(wall, text);
		assert_string_equal(text,
		    times[i].back ? times[i].back : times[i].text);
	}
	clock_format(INT64_MAX, text);
	assert_string_equal(text, "9999-12-31T23:59:59.999Z");
	clock_format(INT64_MIN, text);
	assert_string_equal(text, "1970-01-01T00:00:00.000Z");
}

/* Every day of some centuries, against the C library. */
static void
test_clock_days(void **state)
{
	char text[CLOCK_TEXT], wanted[40];
	struct fail fail;
	struct tm date;
	int64_t day, wall;
	time_t seconds;

	(void)state;
	for (day = 0; day < 366 * 500; day++) {
		seconds = (time_t)(day * 86400);
		assert_non_null(gmtime_r(&seconds, &date));
		strftime(wanted, sizeof wanted, "%Y-%m-%dT00:00:00.000Z",
		    &date);
		clock_format(day * 86400000, text);
		assert_string_equal(text, wanted);
		assert_int_equal(clock_parse(text, &wall, &fail), 0);
		assert_int_equal(wall, day * 86400000);
	}
}

static void
test_clock_refuses(void **state)
{
	static const char *const bad[] = {
		"",
		"now",
		"2026-11-23",
		"2026-11-23T20:01:02",
		"2026-11-23T20:01Z",
		"2026-11-31T00:00:00Z",
		"2026-02-29T00:00:00Z",
		"1900-02-29T00:00:00Z",
		"2026-00-01T00:00:00Z",
		"2026-13-01T00:00:00Z",
		"2026-01-00T00:00:00Z",
		"2026-01-01T24:00:00Z",
		"2026-01-01T00:60:00Z",
		"2026-01-01T00:00:61Z",
		"2026-01-01T00:00:00.Z",
		"2026-01-01T00:00:00+2:00",
		"2026-01-01T00:00:00+0200",
		"2026-01-01T00:00:00+24:00",
		"2026-01-01T00:00:00+00:60",
		"2026-01-01T00:00:00Zx",
		" 2026-01-01T00:00:00Z",
		"2026-01-01T00:00:00Z ",
		"+2026-01-01T00:00:00Z",
		"2026-1-01T00:00:00Z",
		"26-01-01T00:00:00Z",
		"2026-01-01T-1:00:00Z",
	};
	struct fail fail;
	int64_t wall = 42;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bad); i++) {
		memset(&fail, 0, sizeof fail);
		assert_int_equal(clock_parse(bad[i], &wall, &fail), -1);
		assert_int_equal(fail.kind, FAIL_NEVER);
		assert_string_equal(fail.type, "invalid_time");
		assert_non_null(strstr(fail.message, bad[i]));
		assert_int_equal(wall, 42);
	}
}

/* How far the clock was set forward since a time, from what a process saw. */
static void
test_clock_steps(void **state)
{
	const int64_t day = 86400000, hour = 3600000;
	struct clock_steps steps = { .count = 0 };
	int64_t i;

	(void)state;
	clock_watch(&steps, 10 * day, 500);
	clock_watch(&steps, 10 * day + 1000, 1500);
	clock_watch(&steps, 10 * day + 31000, 2500); /* trimmed */
	assert_int_equal(clock_stepped(&steps, 0), 0);
	clock_watch(&steps, 11 * day + hour, hour);
	assert_int_equal(clock_stepped(&steps, 10 * day), day - 28500);
	assert_int_equal(clock_stepped(&steps, 11 * day + hour), 0);
	clock_watch(&steps, 10 * day + 2 * hour, 2 * hour); /* and back */
	assert_int_equal(clock_stepped(&steps, 10 * day), 0);
	assert_int_equal(clock_stepped(&steps, 10 * day + 3 * hour), 0);
	clock_watch(&steps, 9 * day, 3 * hour); /* only back */
	assert_int_equal(clock_stepped(&steps, 8 * day), 0);
	clock_watch(&steps, 9 * day + 2 * hour, 4 * hour);
	assert_int_equal(clock_stepped(&steps, 9 * day), hour);
	for (i = 5; i < 50; i++) /* the oldest are forgotten */
		clock_watch(&steps, (i + 5) * day, i * hour);
	assert_int_equal(clock_stepped(&steps, 53 * day), 23 * hour);
	assert_int_equal(clock_stepped(&steps, 60 * day), 0);
}

static void
test_clock_boot(void **state)
{
	char one[37], two[37];
	int64_t before;

	(void)state;
	before = clock_boot();
	assert_true(before > 0);
	assert_true(clock_boot() >= before);
	clock_boot_id(one);
	clock_boot_id(two);
	assert_string_equal(one, two);
	assert_true(strlen(one) == 36 || strlen(one) == 0);
}

/* Times of the table in the file, of the rule after it, and around a change. */
static void
test_zone(void **state)
{
	static const struct {
		const char *zone, *at;
		int64_t seconds;
	} cases[] = {
		{ "UTC", "2026-03-29T01:00:00Z", 0 },
		{ "Europe/Berlin", "2026-03-29T00:59:59Z", 3600 },
		{ "Europe/Berlin", "2026-03-29T01:00:00Z", 7200 },
		{ "Europe/Berlin", "2050-03-27T00:59:59Z", 3600 },
		{ "Europe/Berlin", "2050-03-27T01:00:00Z", 7200 },
		{ "Europe/Berlin", "2050-10-30T00:59:59Z", 7200 },
		{ "Europe/Berlin", "2050-10-30T01:00:00Z", 3600 },
		{ "America/New_York", "2026-07-01T12:00:00Z", -14400 },
		{ "Asia/Kolkata", "2060-12-31T23:59:59Z", 19800 },
		{ "Australia/Sydney", "2050-07-01T00:00:00Z", 36000 },
		{ "Australia/Sydney", "2060-12-31T23:59:59Z", 39600 },
		{ "Pacific/Chatham", "2060-12-31T23:59:59Z", 49500 },
	};
	static const char *const bad[] = { "", "Europe", "Europe/Berlni",
		"../passwd", "/etc/localtime", "Europe//Berlin", "zone.tab",
		LONG_ZONE };
	int64_t wall, seconds;
	struct fail fail;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		assert_int_equal(clock_parse(cases[i].at, &wall, &fail), 0);
		assert_int_equal(zone_offset(cases[i].zone, wall, &seconds,
				     &fail),
		    0);
		if (seconds != cases[i].seconds)
			fail_msg("%s at %s: %lld", cases[i].zone, cases[i].at,
			    (long long)seconds);
	}
	for (i = 0; i < COUNT(bad); i++) {
		assert_int_equal(zone_offset(bad[i], 0, &seconds, &fail), -1);
		assert_int_equal(fail.kind, FAIL_NEVER);
		assert_string_equal(fail.type, "invalid_zone");
	}
}

static void
test_today(void **state)
{
	static const struct {
		const char *zone, *at, *says, *until;
	} cases[] = {
		{ NULL, "2026-11-28T23:59:59Z",
		    "Today is Saturday, 28 November 2026 in UTC. The time zone "
		    "of the person you work for is not known.",
		    "2026-11-29T00:00:00.000Z" },
		{ "Nowhere/At_All", "1970-01-01T00:00:00Z",
		    "Today is Thursday, 1 January 1970 in UTC. The time zone "
		    "of the person you work for is Nowhere/At_All.",
		    "1970-01-02T00:00:00.000Z" },
		/* a day of 23 hours, then one of 25 */
		{ "Europe/Berlin", "2026-03-28T23:30:00Z",
		    "Today is Sunday, 29 March 2026 in Europe/Berlin "
		    "(UTC+01:00), the time zone of the person you work for.",
		    "2026-03-29T22:00:00.000Z" },
		{ "America/St_Johns", "2026-11-01T02:30:00Z",
		    "Today is Sunday, 1 November 2026 in America/St_Johns "
		    "(UTC-02:30), the time zone of the person you work for.",
		    "2026-11-02T03:30:00.000Z" },
	};
	char text[CLOCK_TEXT], *says;
	int64_t wall, until;
	struct fail fail;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		assert_int_equal(clock_parse(cases[i].at, &wall, &fail), 0);
		says = zone_today(cases[i].zone, wall, &until);
		clock_format(until, text);
		assert_string_equal(says, cases[i].says);
		assert_string_equal(text, cases[i].until);
		free(says);
	}
}

static void
test_id_order(void **state)
{
	char text[ID_TEXT], before[ID_TEXT] = "";
	struct id id, back;
	int64_t now;
	int i;

	(void)state;
	now = clock_wall();
	for (i = 0; i < 20000; i++) {
		id = id_new();
		id_format(&id, text);
		assert_true(strcmp(text, before) > 0);
		memcpy(before, text, sizeof text);
		assert_int_equal(text[14], '7');
		assert_non_null(strchr("89ab", text[19]));
		assert_true(id_parse(text, &back));
		assert_memory_equal(&id, &back, sizeof id);
	}
	memset(text, 0, sizeof text);
	memcpy(text, before, 8);
	memcpy(text + 8, before + 9, 4);
	assert_in_range(strtoll(text, NULL, 16), now, clock_wall() + 1);
}

/* A child does not go on with its parent's numbers. */
static void
test_id_fork(void **state)
{
	struct id ours, theirs;
	int ends[2], status;
	pid_t child;

	(void)state;
	ours = id_new();
	assert_int_equal(pipe(ends), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		ours = id_new();
		_exit(write(ends[1], &ours, sizeof ours) != sizeof ours);
	}
	ours = id_new();
	assert_int_equal(read(ends[0], &theirs, sizeof theirs), sizeof theirs);
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	/* The random ends have nothing in common: not one step apart. */
	assert_memory_not_equal(ours.bytes + 8, theirs.bytes + 8, 3);
}

static void
test_id_parse(void **state)
{
	static const char *const bad[] = {
		"",
		"x",
		"01a20a20-68c2-7a5f-9cfa-2a3094fc3a9",
		"01a20a20-68c2-7a5f-9cfa-2a3094fc3a944",
		"01a20a2068c2-7a5f-9cfa-2a3094fc3a944",
		"01a20a20-68c2-7a5f-9cfa_2a3094fc3a94",
		"01a20a20-68c2-7a5f-9cfa-2a3094fc3a9g",
		"{1a20a20-68c2-7a5f-9cfa-2a3094fc3a94",
	};
	struct id id, same;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bad); i++)
		assert_false(id_parse(bad[i], &id));
	assert_true(id_parse("01a20a20-68c2-7a5f-9cfa-2a3094fc3a94", &id));
	assert_true(id_parse("01A20A20-68C2-7A5F-9CFA-2A3094FC3A94", &same));
	assert_memory_equal(&id, &same, sizeof id);
	assert_int_equal(id.bytes[15], 0x94);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_visible),
		cmocka_unit_test(test_fail_cleans),
		cmocka_unit_test(test_fail_cuts),
		cmocka_unit_test(test_fail_errno),
		cmocka_unit_test(test_buf),
		cmocka_unit_test(test_buf_grows),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_hex),
		cmocka_unit_test(test_mem),
		cmocka_unit_test(test_mem_dies),
		cmocka_unit_test(test_clock_text),
		cmocka_unit_test(test_clock_days),
		cmocka_unit_test(test_clock_refuses),
		cmocka_unit_test(test_clock_steps),
		cmocka_unit_test(test_clock_boot),
		cmocka_unit_test(test_zone),
		cmocka_unit_test(test_today),
		cmocka_unit_test(test_id_order),
		cmocka_unit_test(test_id_fork),
		cmocka_unit_test(test_id_parse),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
