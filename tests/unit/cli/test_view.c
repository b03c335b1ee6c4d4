/* SPDX-License-Identifier: ISC */
/*
 * What a person sees, for what is in the JSON; nothing of it steers a terminal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/cli/view.h"

#define NOW 1795464000000 /* 2026-11-23T20:00:00Z */
#define ID "0197a3c4-52f0-7e1b-9d3a-5f6b7c8d9e0f"

enum kind { ROW, CARD, EVENT };

static char *
view(enum kind kind, const char *json)
{
	struct buf out = BUF_INIT(1u << 20);
	cJSON *value = cJSON_Parse(json);

	assert_non_null(value);
	if (kind == ROW)
		view_row(&out, value, NOW);
	else if (kind == CARD)
		view_card(&out, value, NOW);
	else
		view_event(&out, value, 0);
	cJSON_Delete(value);
	return buf_detach(&out, NULL);
}

static void
test_lines(void **state)
{
	static const struct {
		enum kind kind;
		const char *json, *text;
	} rows[] = {
		{ ROW,
		    "{\"id\":\"" ID "\",\"state\":\"running\",\"title\":\"x\","
		    "\"turns\":12,\"cost_usd\":1.23456,"
		    "\"created_at\":\"2026-11-23T19:30:00.000Z\"}",
		    "running    " ID "   30m     12   $1.2346  x\n" },
		{ ROW, "{}",
		    "-          -                                        -"
		    "      0   $0.0000  -\n" },
		{ ROW,
		    "{\"id\":\"" ID "\",\"error\":{\"type\":\"t\","
		    "\"message\":\"no\"}}",
		    "-          " ID "     -      0   $0.0000  no\n" },
		{ ROW,
		    "{\"title\":\"a\\u001b[2Jb\\u009bc\\u007f\\td\","
		    "\"created_at\":\"2026-11-20T20:00:00Z\"}",
		    "-          -                                       3d"
		    "      0   $0.0000  a\\u001b[2Jb\\u009bc\\u007f d\n" },
		{ EVENT,
		    "{\"v\":1,\"seq\":7,\"at\":\"2026-11-23T20:00:00.123Z\","
		    "\"type\":\"tool.started\",\"call\":\"c\",\"tool\":\"T\","
		    "\"attempt\":1}",
		    "   7  20:00:00.123Z tool.started     attempt=1  call=c"
		    "  tool=T\n" },
		{ EVENT,
		    "{\"seq\":8,\"type\":\"failed\",\"error\":{\"type\":"
		    "\"budget\",\"message\":\"no\\nmore\"}}",
		    "   8  -             failed           error=no more\n" },
		{ EVENT, "{\"seq\":9,\"type\":\"submitted\"}",
		    "   9  -             submitted\n" },
	};
	char *text;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		text = view(rows[i].kind, rows[i].json);
		assert_string_equal(text, rows[i].text);
		free(text);
	}
}

static void
test_card(void **state)
{
	char *text = view(CARD,
	    "{\"id\":\"" ID "\",\"state\":\"waiting\",\"reason\":\"paused\","
	    "\"calls_unknown\":1,\"progress\":\"one\\ntwo\\r\\u001b\"}");

	(void)state;
	assert_non_null(strstr(text, "because   paused\n"));
	assert_non_null(strstr(text, "(1 in doubt)"));
	assert_non_null(strstr(text, "progress  one\n          two \\u001b\n"));
	assert_null(strchr(text, '\033'));
	free(text);
}

static void
test_cut(void **state)
{
	char *text = view(EVENT,
	    "{\"seq\":1,\"type\":\"completed\",\"result\":\""
	    "0123456789012345678901234567890123456789012345678901234567890123"
	    "45678901234567890123456789012345678\303\244\303\244\"}");

	(void)state;
	assert_non_null(strstr(text, "8\303\244...\n"));
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_card),
		cmocka_unit_test(test_cut),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
