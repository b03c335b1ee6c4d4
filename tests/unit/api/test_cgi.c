/* SPDX-License-Identifier: ISC */
/*
 * The reader of queries and headers, and the writer of answers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/api/cgi.h"

#define ROOM 65536

static const char *const names[] = { "a", "b", NULL };

static void
test_query(void **state)
{
	static const struct {
		const char *query, *a, *b;
	} good[] = {
		{ NULL, NULL, NULL },
		{ "", NULL, NULL },
		{ "a=1", "1", NULL },
		{ "b=2&a=1", "1", "2" },
		{ "a=", "", NULL },
		{ "&a=1&&b=2&", "1", "2" },
		{ "a=x+y%20%2B%3d%26", "x y +=&", NULL },
		{ "%61=%C3%a4", "\xc3\xa4", NULL },
		{ "a=b=c", "b=c", NULL },
	};
	char *values[2];
	struct fail fail;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(*good); i++) {
		assert_int_equal(cgi_query(good[i].query, names, values, &fail),
		    0);
		if (good[i].a)
			assert_string_equal(values[0], good[i].a);
		else
			assert_null(values[0]);
		if (good[i].b)
			assert_string_equal(values[1], good[i].b);
		else
			assert_null(values[1]);
		free(values[0]);
		free(values[1]);
	}
}

static void
test_bad_query(void **state)
{
	static const char *const bad[] = { "a", "c=1", "a=1&a=1", "a=1&%61=2",
		"a=%", "a=%4", "a=%4g", "a=%00", "a=%ff", "a=1&b", "=1", "A=1",
		"a=1;b=2&c", "b=1&a=%c3" };
	char *values[2];
	struct fail fail;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(cgi_query(bad[i], names, values, &fail), -1);
		assert_string_equal(fail.type, "bad_request");
		assert_null(values[0]);
		assert_null(values[1]);
	}
}

static void
test_number(void **state)
{
	static const char *const bad[] = { "", "-1", "+1", " 1", "1 ", "1.0",
		"x", "0", "11", "99999999999999999999" };
	struct fail fail;
	int64_t number = 7;
	size_t i;

	(void)state;
	assert_int_equal(cgi_number("n", NULL, 1, 10, &number, &fail), 0);
	assert_int_equal(number, 7);
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(cgi_number("n", bad[i], 1, 10, &number, &fail),
		    -1);
	assert_int_equal(number, 7);
	assert_int_equal(cgi_number("n", "10", 1, 10, &number, &fail), 0);
	assert_int_equal(number, 10);
}

static void
test_headers(void **state)
{
	static const struct {
		const char *header;
		bool matches;
	} etags[] = {
		{ NULL, false }, { "", false }, { "\"x\"", true },
		{ "W/\"x\"", true }, { "*", true }, { "x", false },
		{ "\"y\"", false }, { "\"y\", \"x\"", true },
		{ " \"y,\"x\"\" ,\t\"x\" ", true }, { "\"y,\"x\"", false },
		{ "\"x", false }, { ",,,", false },
	}, types[] = {
		{ NULL, false }, { "*/*", false }, { "text/event-stream", true },
		{ "Text/Event-Stream;q=1", true },
		{ "text/html, text/event-stream", true },
		{ "text/event-streams", false }, { "text/event", false },
	}, ids[] = {
		{ NULL, false }, { "", false }, { "a-Z0._", true },
		{ "a b", false }, { "a\r\nb", false }, { "<", false },
		{ "0123456789012345678901234567890123456789012345678901234567"
		  "890123", true },
		{ "0123456789012345678901234567890123456789012345678901234567"
		  "8901234", false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(etags) / sizeof(*etags); i++)
		assert_int_equal(cgi_matches(etags[i].header, "\"x\""),
		    etags[i].matches);
	for (i = 0; i < sizeof(types) / sizeof(*types); i++)
		assert_int_equal(cgi_accepts(types[i].header,
				     "text/event-stream"),
		    types[i].matches);
	for (i = 0; i < sizeof(ids) / sizeof(*ids); i++)
		assert_int_equal(cgi_request_id(ids[i].header), ids[i].matches);
}

#define TAIL \
	"Content-Security-Policy: default-src 'none'; " \
	"frame-ancestors 'none'\r\n" \
	"Referrer-Policy: no-referrer\r\n" \
	"X-Content-Type-Options: nosniff\r\n" \
	"X-Request-Id: r\r\n\r\n"

static void
test_answer(void **state)
{
	struct cgi_answer answer = { .status = 200,
		.request_id = "r",
		.type = "application/json",
		.etag = "\"x\"" };
	struct buf out = BUF_INIT(ROOM);

	(void)state;
	cgi_answer(&out, &answer, (struct span){ "{}", 2 });
	assert_string_equal(out.data,
	    "Status: 200 OK\r\n"
	    "Content-Type: application/json\r\nContent-Length: 2\r\n"
	    "ETag: \"x\"\r\nCache-Control: private, no-cache\r\n" TAIL "{}");
	buf_reset(&out);
	answer.head = true;
	answer.etag = NULL;
	cgi_answer(&out, &answer, (struct span){ "{}", 2 });
	assert_string_equal(out.data,
	    "Status: 200 OK\r\n"
	    "Content-Type: application/json\r\nContent-Length: 2\r\n"
	    "Cache-Control: no-store\r\n" TAIL);
	buf_reset(&out);
	answer = (struct cgi_answer){ .status = 304, .request_id = "r" };
	cgi_answer(&out, &answer, (struct span){ "{}", 2 });
	assert_string_equal(out.data,
	    "Status: 304 Not Modified\r\n"
	    "Cache-Control: no-store\r\n" TAIL);
	buf_release(&out);
}

static void
test_error(void **state)
{
	static const struct {
		enum fail_kind kind;
		const char *type;
		int status;
		const char *words; /* in the answer */
	} errors[] = {
		{ FAIL_NO, "no_task", 404, "\"message\":\"secret\"" },
		{ FAIL_NEVER, "bad_request", 400, "\"message\":\"secret\"" },
		{ FAIL_NO, "unauthorized", 401, "WWW-Authenticate: Bearer" },
		{ FAIL_NOT_NOW, "rate_limited", 429, "Retry-After: 5" },
		{ FAIL_NOT_NOW, "store_locked", 503, "\"retryable\":true" },
		{ FAIL_NEVER, "permission", 500, "\"type\":\"internal\"" },
	};
	struct cgi_answer answer = { .request_id = "r" };
	struct buf out = BUF_INIT(ROOM);
	struct fail fail;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		buf_reset(&out);
		fail_set(&fail, errors[i].kind, errors[i].type, "secret");
		assert_int_equal(cgi_error(&out, &answer, &fail),
		    errors[i].status);
		assert_non_null(strstr(out.data, errors[i].words));
		/* what went wrong inside is not for everybody */
		if (errors[i].status >= 500)
			assert_null(strstr(out.data, "secret"));
	}
	buf_release(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_query),
		cmocka_unit_test(test_bad_query),
		cmocka_unit_test(test_number),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_answer),
		cmocka_unit_test(test_error),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("cgi", tests, NULL, NULL);
}
