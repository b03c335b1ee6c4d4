/* SPDX-License-Identifier: ISC */
/* Event streams, cut at every position; and JSON that has to be repaired. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "common/json/json.h"
#include "common/net/sse.h"

/* Each event becomes "name=data|". */
static bool
write_down(void *context, const char *name, const char *data, size_t length)
{
	struct buf *log = context;

	assert_int_equal(strlen(data), length);
	buf_print(log, "%s=%s|", name, data);
	return strcmp(data, "stop") != 0;
}

static const struct {
	const char *stream, *events;
} cases[] = {
	{ "", "" },
	{ "\n\n\r\n", "" },
	{ "data: a\n\n", "=a|" },
	{ "data:a\n\n", "=a|" },
	{ "data:  a\n\n", "= a|" },
	{ "event: e\ndata: a\n\n", "e=a|" },
	{ "event: e\r\ndata: a\r\n\r\ndata: b\r\n\r\n", "e=a|=b|" },
	{ "event: e\rdata: a\r\rdata: b\r\r", "e=a|=b|" },
	{ "data: a\ndata: b\ndata\ndata:\n\n", "=a\nb\n\n|" },
	{ ": ping\ndata: a\n: comment\n\n", "=a|" },
	{ "event: e\n\ndata: a\n\n", "=a|" },
	{ "data\n\n", "" },
	{ "data:\n\n", "" },
	{ "id: 7\nretry: 10\nunknown: x\nnothing\ndata: a\n\n", "=a|" },
	{ "data: a\n\ndata: unfinished\n", "=a|" },
	{ "\xef\xbb\xbf"
	  "data: a\n\n",
	    "=a|" },
	{ "data: \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\n\n",
	    "=\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80|" },
	{ "data: stop\n\ndata: never\n\n", "=stop|" },
	{ "event: 1234567890123456789012345678901234567890123456789012345678"
	  "90123456789\ndata: a\n\n",
	    "123456789012345678901234567890123456"
	    "789012345678901234567890123=a|" },
};

static void
test_streams(void **state)
{
	struct buf log = BUF_INIT(4096);
	struct sse sse;
	size_t i, step, at, size, length;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		length = strlen(cases[i].stream);
		for (step = 1; step <= length + 1; step++) {
			sse_init(&sse, 1000);
			buf_reset(&log);
			buf_add_string(&log, "");
			for (at = 0; at < length; at += size) {
				size = length - at < step ? length - at : step;
				if (!sse_feed(&sse, cases[i].stream + at, size,
					write_down, &log))
					break;
			}
			if (log.length != strlen(cases[i].events) ||
			    (log.length > 0 &&
				strcmp(log.data, cases[i].events) != 0))
				fail_msg("case %zu by %zu: %s", i, step,
				    log.data ? log.data : "");
			sse_release(&sse);
		}
	}
	buf_release(&log);
}

static void
test_too_long(void **state)
{
	struct buf log = BUF_INIT(4096);
	struct sse sse;
	bool fine = true;
	int i;

	(void)state;
	sse_init(&sse, 100);
	for (i = 0; i < 101 && fine; i++)
		fine = sse_feed(&sse, "x", 1, write_down, &log);
	assert_int_equal(i, 101);
	assert_false(fine);
	sse_release(&sse);

	sse_init(&sse, 100);
	fine = true;
	for (i = 0; i < 20 && fine; i++)
		fine = sse_feed(&sse, "data: 1234567\n", 14, write_down, &log);
	assert_false(fine);
	assert_int_equal(i, 13);
	assert_int_equal(log.length, 0);
	sse_release(&sse);
	buf_release(&log);
}

static void
test_mend(void **state)
{
	static const struct {
		const char *from, *to;
	} mends[] = {
		{ "", "" },
		{ "{\"a\":\"\\n\\\\u0000\"}", "{\"a\":\"\\n\\\\u0000\"}" },
		{ "[1,\r\n2]", "[1,  2]" },
		{ "\"a\\u0000b\"", "\"a\\ufffdb\"" },
		{ "\"\\ud83d\\ude00\"", "\"\\ud83d\\ude00\"" },
		{ "\"\\uD83D\\uDE00\"", "\"\\uD83D\\uDE00\"" },
		{ "\"\\ud83d\"", "\"\\ufffd\"" },
		{ "\"\\ude00\"", "\"\\ufffd\"" },
		{ "\"\\ud83d\\ud83d\\ude00\"", "\"\\ufffd\\ud83d\\ude00\"" },
		{ "\"\\ud83d\\n\"", "\"\\ufffd\\n\"" },
		{ "\"\xc3\xa9\xff\xe2\x82\"", "\"\xc3\xa9???\"" },
		{ "\"\\", "\"\\" },
		{ "\"\\u12", "\"\\u12" },
		{ "\\ud83d\\u", "\\ufffd\\u" },
	};
	size_t i;
	char *text;

	(void)state;
	for (i = 0; i < sizeof(mends) / sizeof(mends[0]); i++) {
		text = mem_string(mends[i].from);
		json_repair(text, strlen(text));
		assert_string_equal(text, mends[i].to);
		free(text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_mend),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
