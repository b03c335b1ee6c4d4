/* SPDX-License-Identifier: ISC */
/*
 * backoff: which answers are tried again, and after how long.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/backoff.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define NOW 1795464062345 /* 2026-11-23T20:01:02.345Z, a Monday */

static void
test_retryable(void **state)
{
	static const struct {
		int status;
		const char *should_retry;
		bool retryable;
	} cases[] = {
		{ 0, NULL, true },
		{ 408, NULL, true },
		{ 409, NULL, true },
		{ 429, NULL, true },
		{ 500, NULL, true },
		{ 503, NULL, true },
		{ 529, NULL, true },
		{ 599, NULL, true },
		{ 200, NULL, false },
		{ 301, NULL, false },
		{ 400, NULL, false },
		{ 401, NULL, false },
		{ 404, NULL, false },
		{ 413, NULL, false },
		{ 499, NULL, false },
		{ 400, "true", true },
		{ 529, "false", false },
		{ 529, "maybe", true },
		{ 400, "", false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++)
		assert_int_equal(backoff_retryable(&(struct backoff_answer){
				     .status = cases[i].status,
				     .should_retry = cases[i].should_retry,
				 }),
		    cases[i].retryable);
}

static void
test_headers(void **state)
{
	static const struct {
		const char *after, *after_ms;
		int64_t delay; /* 500: as without headers */
	} cases[] = {
		{ "2", NULL, 2000 },
		{ "0.25", NULL, 250 },
		{ " 3 ", NULL, 3000 },
		{ "9", "1500", 1500 },
		{ NULL, "1500.5", 1501 },
		{ "9", "soon", 9000 },
		{ "9", "0", 9000 },
		{ "9", "-5", 9000 },
		{ "0", NULL, 500 },
		{ "-1", NULL, 500 },
		{ "soon", NULL, 500 },
		{ "", "", 500 },
		{ "1e3", NULL, 500 },
		{ "0x10", NULL, 500 },
		{ "nan", NULL, 500 },
		{ "inf", NULL, 500 },
		{ "1 2", NULL, 500 },
		{ "3600", NULL, 3600000 },
		{ "3601", NULL, 3600000 },
		{ "99999999999999999999999999", NULL, 3600000 },
		{ "Mon, 23 Nov 2026 20:01:12 GMT", NULL, 9655 },
		{ "Monday, 23-Nov-26 20:01:12 GMT", NULL, 9655 },
		{ "Mon Nov 23 20:01:12 2026", NULL, 9655 },
		{ "Mon, 23 Nov 2026 20:01:02 GMT", NULL, 500 },
		{ "Thu, 01 Jan 1970 00:00:00 GMT", NULL, 500 },
		{ "Fri, 23 Nov 2035 20:01:02 GMT", NULL, 3600000 },
		{ "Mon, 31 Feb 2026 20:01:02 GMT", NULL, 500 },
		{ "Mon, 23 Nov 2026 20:01:12 GMTx", NULL, 500 },
	};
	struct backoff_answer answer = { .status = 429, .date = NOW };
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		answer.retry_after = cases[i].after;
		answer.retry_after_ms = cases[i].after_ms;
		assert_int_equal(backoff_delay(&answer, 1, 0), cases[i].delay);
	}
}

static void
test_doubling(void **state)
{
	static const int64_t wanted[] = { 500, 1000, 2000, 4000, 8000, 16000 };
	const struct backoff_answer answer = { .status = 529 };
	unsigned i;

	(void)state;
	for (i = 0; i < COUNT(wanted); i++) {
		assert_int_equal(backoff_delay(&answer, i + 1, 0), wanted[i]);
		assert_int_equal(backoff_delay(&answer, i + 1, 1),
		    wanted[i] * 3 / 4);
	}
	assert_int_equal(backoff_delay(&answer, UINT32_MAX, 0), 900000);
	assert_int_equal(backoff_delay(&answer, 0, 0), 500);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_retryable),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_doubling),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("backoff", tests, NULL, NULL);
}
