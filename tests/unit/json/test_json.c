/* SPDX-License-Identifier: ISC */
/*
 * json: what comes in, what is refused, and raw text cut and put together.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/json/json.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define SPAN(text) ((struct span){ (text), strlen(text) })

/* The text between [ and ] is not NUL-terminated where the parser sees it, so
 * that a sanitizer notices a byte read too many. */
static cJSON *
parse(const char *text, size_t length, struct fail *fail)
{
	char *bare = mem_alloc(length);
	cJSON *value;

	memcpy(bare, text, length);
	value = json_parse(bare, length, &json_limits_task, fail);
	free(bare);
	return value;
}

static void
test_accepts(void **state)
{
	static const struct {
		const char *text, *back;
	} cases[] = {
		{ "1", "1" },
		{ " \t\r\n1 \n", "1" },
		{ "-0", "0" },
		{ "\"\"", "\"\"" },
		{ "true", "true" },
		{ "null", "null" },
		{ "[]", "[]" },
		{ "{}", "{}" },
		{ " [ ] ", "[]" },
		{ "[1 , 2]", "[1,2]" },
		{ "{ \"a\" : [ { } ] }", "{\"a\":[{}]}" },
		{ "0.1", "0.1" },
		{ "1e3", "1000" },
		{ "1.5E+2", "150" },
		{ "-1.25e-3", "-0.00125" },
		{ "0.30000000000000004", "0.30000000000000004" },
		{ "9007199254740991", "9007199254740991" },
		{ "-9007199254740992", "-9007199254740992" },
		{ "1e300", "1e+300" },
		{ "5e-324", "4.94065645841247e-324" },
		{ "\"a\\u00e9\\ud83d\\ude00\\/\"",
		    "\"a\xc3\xa9\xf0\x9f\x98\x80/\"" },
		{ "\"\\u0001\\b\\f\\n\\r\\t\\\"\\\\\"",
		    "\"\\u0001\\b\\f\\n\\r\\t\\\"\\\\\"" },
		{ "\"[{,:]\\\\\"", "\"[{,:]\\\\\"" },
		{ "{\"a\":1,\"A\":2}", "{\"a\":1,\"A\":2}" },
		{ "{\"\":{\"\":1}}", "{\"\":{\"\":1}}" },
		{ "\"\x7f\"", "\"\x7f\"" },
	};
	struct fail fail;
	cJSON *value;
	char *text;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		value = parse(cases[i].text, strlen(cases[i].text), &fail);
		assert_non_null(value);
		text = json_text(value);
		assert_string_equal(text, cases[i].back);
		free(text);
		cJSON_Delete(value);
	}
}

static void
test_refuses(void **state)
{
	static const struct {
		const char *text;
		int byte;           /* that the message names, -1: none */
		const char *reason; /* a part of it */
	} cases[] = {
		{ "", 0, "no value" },
		{ "  ", 2, "no value" },
		{ "\xef\xbb\xbf{}", 0, "byte order mark" },
		{ "\x01{}", 0, "no value begins" },
		{ "{\x0b}", 1, "" },
		{ "\"a\nb\"", 2, "control character" },
		{ "\"a\x1f\"", 2, "control character" },
		{ "\"\xc3(\"", 1, "UTF-8" },
		{ "\"\xed\xa0\x80\"", 1, "UTF-8" },
		{ "\"\xc0\x80\"", 1, "UTF-8" },
		{ "\"\xe2\x82", 1, "UTF-8" },
		{ "\xff", 0, "no value begins" },
		{ "[\"a\\u0000b\"]", 3, "\\u0000" },
		{ "{\"a\\u0000\":1}", 3, "\\u0000" },
		{ "\"\\ud800\"", 1, "surrogate" },
		{ "\"\\udc00\"", 1, "surrogate" },
		{ "\"\\ud800\\ud800\"", 1, "surrogate" },
		{ "\"\\ud800\\n\"", 1, "surrogate" },
		{ "\"\\ud800\\u0041\"", 1, "surrogate" },
		{ "\"\\ud800", 1, "surrogate" },
		{ "\"\\u12", 5, "four hex" },
		{ "\"\\u12g4\"", 5, "four hex" },
		{ "\"\\x41\"", 1, "escape" },
		{ "\"\\", 1, "escape" },
		{ "\"abc", 4, "does not end" },
		{ "\"abc\\\"", 6, "does not" },
		{ "01", 1, "number" },
		{ "-", 1, "number" },
		{ "+1", 0, "no value begins" },
		{ ".5", 0, "no value begins" },
		{ "1.", 2, "number" },
		{ "1.e5", 2, "number" },
		{ "1e", 2, "number" },
		{ "1e+", 3, "number" },
		{ "-a", 1, "number" },
		{ "1-2", 1, "number" },
		{ "0x10", 1, "no value begins" },
		{ "-01", 2, "number" },
		{ "NaN", 0, "" },
		{ "Infinity", 0, "" },
		{ "tru", 0, "" },
		{ "'a'", 0, "" },
		{ "nulll", 4, "" },
		{ "1e999", -1, "too large" },
		{ "{\"a\":[-1e999]}", -1, "too large" },
		{ "[1", 2, "does not end" },
		{ "{\"a\":1", 6, "does not end" },
		{ "]", 0, "bracket too many" },
		{ "[1]]", 3, "bracket" },
		{ "[1}", 2, "" },
		{ "[1,]", 3, "" },
		{ "[,1]", 1, "" },
		{ "{\"a\":1,}", 7, "" },
		{ "{\"a\"}", -1, "" },
		{ "{1:2}", -1, "" },
		{ "{\"a\" 1}", -1, "" },
		{ "[1 2]", -1, "" },
		{ "[\"a\":1]", -1, "" },
		{ "1 2", 2, "something follows" },
		{ "{} {}", 3, "follows" },
		{ "1,2", 1, "comma" },
		{ "true false", 5, "follows" },
		{ "// x\n1", 0, "" },
		{ "[1] x", 4, "no value begins" },
		{ "{\"a\":1,\"b\":2,\"a\":3}", -1, "\"a\" is there twice" },
		{ "{\"a\":1,\"\\u0061\":3}", -1, "\"a\" is there twice" },
		{ "[{\"x\":{\"k\":1,\"k\":1}}]", -1, "\"k\" is there twice" },
		{ "{\"\":1,\"\":3}", -1, "\"\" is there twice" },
	};
	struct fail fail;
	char byte[40];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		memset(&fail, 0, sizeof fail);
		assert_null(parse(cases[i].text, strlen(cases[i].text), &fail));
		assert_int_equal(fail.kind, FAIL_NEVER);
		assert_string_equal(fail.type, "invalid_json");
		if (!strstr(fail.message, cases[i].reason))
			fail_msg("%s: %s", cases[i].text, fail.message);
		snprintf(byte, sizeof byte, "at byte %d ", cases[i].byte);
		if (cases[i].byte >= 0 && !strstr(fail.message, byte))
			fail_msg("%s: %s", cases[i].text, fail.message);
	}
}

static void
test_refuses_nul(void **state)
{
	struct fail fail;

	(void)state;
	assert_null(parse("{}\0", 3, &fail));
	assert_non_null(strstr(fail.message, "at byte 2 "));
	assert_null(parse("\"a\0b\"", 5, &fail));
	assert_non_null(strstr(fail.message, "NUL"));
	assert_null(parse("\0", 1, &fail));
}

/* TEXT is COUNT times OPEN, INNER and COUNT times CLOSE. */
static char *
nested(size_t count, const char *open, const char *inner, const char *close)
{
	struct buf buf = BUF_INIT(16 << 20);
	size_t i;

	for (i = 0; i < count; i++)
		buf_add_string(&buf, open);
	buf_add_string(&buf, inner);
	for (i = 0; i < count; i++)
		buf_add_string(&buf, close);
	return buf_detach(&buf, NULL);
}

static void
test_limits(void **state)
{
	static const struct {
		size_t count;
		const char *open, *inner, *close;
		bool good;
	} cases[] = {
		{ 32, "[", "", "]", true },
		{ 33, "[", "", "]", false },
		{ 32, "{\"a\":", "1", "}", true },
		{ 33, "{\"a\":", "1", "}", false },
		{ 100000, "[", "", "]", false },
		{ 100000, "{\"a\":", "1", "}", false },
		{ 100000, "[", "", "", false },
		{ 1, "[", "\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"", "]",
		    true },
		{ 1000, "", "[0", ",0", false },
	};
	struct fail fail;
	cJSON *value;
	char *text;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		text = nested(cases[i].count, cases[i].open, cases[i].inner,
		    cases[i].close);
		value = parse(text, strlen(text), &fail);
		assert_int_equal(value != NULL, cases[i].good);
		cJSON_Delete(value);
		free(text);
	}
	text = nested(4095, "", "[0", ",0");
	text = mem_grow(text, strlen(text) + 8, 1);
	memcpy(text + strlen(text), "]", 2);
	value = parse(text, strlen(text), &fail);
	assert_non_null(value);
	assert_int_equal(cJSON_GetArraySize(value), 4096);
	cJSON_Delete(value);
	memcpy(text + strlen(text) - 1, ",0]", 3);
	assert_null(parse(text, 2 + 4096 * 2 + 1, &fail));
	assert_non_null(strstr(fail.message, "many members"));
	free(text);
	text = mem_alloc((1 << 20) + 1);
	memset(text, ' ', (1 << 20) + 1);
	text[0] = '1';
	value = parse(text, 1 << 20, &fail);
	assert_non_null(value);
	cJSON_Delete(value);
	assert_null(parse(text, (1 << 20) + 1, &fail));
	assert_non_null(strstr(fail.message, "1048577 bytes"));
	free(text);
}

/* Quadratic work would take minutes. */
static void
test_many_members(void **state)
{
	struct buf buf = BUF_INIT(64 << 20);
	int64_t start = clock_boot();
	struct fail fail;
	cJSON *value;
	int i;

	(void)state;
	buf_add(&buf, "{", 1);
	for (i = 0; i < 300000; i++)
		buf_print(&buf, "%s\"member%d\":0", i ? "," : "", i);
	buf_add(&buf, "}", 1);
	value = json_parse(buf.data, buf.length, &json_limits_upstream, &fail);
	assert_non_null(value);
	cJSON_Delete(value);
	buf.length--;
	buf_print(&buf, ",\"member150000\":0}");
	assert_null(
	    json_parse(buf.data, buf.length, &json_limits_upstream, &fail));
	assert_non_null(strstr(fail.message, "member150000"));
	assert_true(clock_boot() - start < 20000);
	buf_release(&buf);
}

static void
test_members(void **state)
{
	static const char text[] =
	    "{\"s\":\"x\",\"n\":12,\"f\":1.5,"
	    "\"big\":9007199254740993,\"most\":-9007199254740992,"
	    "\"huge\":1e300,\"t\":true,\"o\":{}}";
	struct fail fail;
	int64_t number = 42;
	cJSON *value;

	(void)state;
	value = parse(text, strlen(text), &fail);
	assert_non_null(value);
	assert_string_equal(json_string(value, "s"), "x");
	assert_null(json_string(value, "S"));
	assert_null(json_string(value, "n"));
	assert_null(json_string(value, "missing"));
	assert_null(json_string(NULL, "s"));
	assert_false(json_integer(value, "f", &number));
	assert_false(json_integer(value, "s", &number));
	assert_false(json_integer(value, "huge", &number));
	assert_false(json_integer(value, "missing", &number));
	assert_int_equal(number, 42);
	assert_true(json_integer(value, "n", &number));
	assert_int_equal(number, 12);
	assert_true(json_integer(value, "most", &number));
	assert_int_equal(number, -9007199254740992);
	assert_true(json_true(value, "t"));
	assert_false(json_true(value, "n"));
	assert_false(json_true(value, "missing"));
	cJSON_Delete(value);
}

static void
test_text(void **state)
{
	cJSON *value = cJSON_CreateObject();
	char *text;

	(void)state;
	cJSON_AddRawToObject(value, "raw", "[1.0, 2]");
	cJSON_AddNumberToObject(value, "endless", HUGE_VAL);
	cJSON_AddStringToObject(value, "k\"", "\xff");
	cJSON_AddFalseToObject(value, "no");
	text = json_text(value);
	assert_string_equal(text,
	    "{\"raw\":[1.0, 2],\"endless\":null,"
	    "\"k\\\"\":\"\xef\xbf\xbd\",\"no\":false}");
	free(text);
	cJSON_Delete(value);
}

static void
test_quote(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
		const char *text;
	} cases[] = {
		{ "", 0, "\"\"" },
		{ "a/b", 3, "\"a/b\"" },
		{ "\0\x1f\x7f", 3, "\"\\u0000\\u001f\x7f\"" },
		{ "\"\\\b\f\n\r\t", 7, "\"\\\"\\\\\\b\\f\\n\\r\\t\"" },
		{ "caf\xc3\xa9", 5, "\"caf\xc3\xa9\"" },
		{ "a\xc3", 2, "\"a\xef\xbf\xbd\"" },
		{ "\xff\xfe"
		  "b",
		    3,
		    "\"\xef\xbf\xbd\xef\xbf\xbd"
		    "b\"" },
	};
	struct buf buf = BUF_INIT(1000);
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		buf_reset(&buf);
		json_quote(&buf, cases[i].bytes, cases[i].length);
		assert_string_equal(buf.data, cases[i].text);
	}
	buf_release(&buf);
	assert_true(json_utf8("caf\xc3\xa9\0x", 7));
	assert_true(json_utf8("", 0));
	assert_false(json_utf8("a\xc3", 2));
}

static void
test_member(void **state)
{
	static const struct {
		const char *text, *name, *value; /* NULL: not found */
	} cases[] = {
		{ "{\"a\":1}", "a", "1" },
		{ " { \"a\" : [ 1 , \"}\" ] , \"b\":2} ", "a",
		    "[ 1 , \"}\" ]" },
		{ "{\"a\":1,\"b\":{\"a\":2}}", "b", "{\"a\":2}" },
		{ "{\"\\u0061\":\"\\\"\"}", "a", "\"\\\"\"" },
		{ "{\"b\":{\"a\":2}}", "a", NULL },
		{ "{\"a\":1.50}", "a", "1.50" },
		{ "{\"a\":1,\"b\":-1e5}", "b", "-1e5" },
		{ "{\"a\":null}", "a", "null" },
		{ "{}", "a", NULL },
		{ "", "a", NULL },
		{ "[1]", "a", NULL },
		{ "{\"a\"", "a", NULL },
		{ "{\"a\":", "a", NULL },
		{ "{\"a\":\xef\xbb\xbf"
		  "1}",
		    "a", NULL },
		{ "{\"a\":1", "b", NULL },
		{ "{\"a\":1;\"b\":2}", "b", NULL },
		{ "{1:2}", "a", NULL },
		{ "\"a\"", "a", NULL },
	};
	struct span value, bare;
	char *copy;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		bare.length = strlen(cases[i].text);
		copy = mem_alloc(bare.length);
		memcpy(copy, cases[i].text, bare.length);
		bare.at = copy;
		value = (struct span){ NULL, 7 };
		if (cases[i].value) {
			assert_true(json_member(bare, cases[i].name, &value));
			assert_int_equal(value.length, strlen(cases[i].value));
			assert_memory_equal(value.at, cases[i].value,
			    value.length);
		} else {
			assert_false(json_member(bare, cases[i].name, &value));
			assert_int_equal(value.length, 7);
		}
		free(copy);
	}
}

static void
test_element(void **state)
{
	static const struct {
		const char *text;
		const char *values[5];
	} cases[] = {
		{ "[]", { NULL } },
		{ " [ ] ", { NULL } },
		{ "", { NULL } },
		{ "{}", { NULL } },
		{ "1", { NULL } },
		{ "[1]", { "1" } },
		{ " [ 1 , [2,3] ,{\"a\":[4]}, \"x,\" ] ",
		    { "1", "[2,3]", "{\"a\":[4]}", "\"x,\"" } },
		{ "[[1,2],[3]]", { "[1,2]", "[3]" } },
		{ "[[],[]]", { "[]", "[]" } },
		{ "[1,", { "1" } },
	};
	struct span array, value;
	size_t i, j;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		array = SPAN(cases[i].text);
		for (j = 0; cases[i].values[j]; j++) {
			assert_true(json_element(&array, &value));
			assert_int_equal(value.length,
			    strlen(cases[i].values[j]));
			assert_memory_equal(value.at, cases[i].values[j],
			    value.length);
		}
		assert_false(json_element(&array, &value));
		assert_false(json_element(&array, &value));
	}
}

static void
test_splice(void **state)
{
	static const struct {
		const char *text, *name, *value, *result;
	} cases[] = {
		{ "{}", "a", "1", "{\"a\":1}" },
		{ " { } ", "a", "1", " { \"a\":1} " },
		{ "{\"b\": 2 }", "a", "[1]", "{\"b\": 2 ,\"a\":[1]}" },
		{ "{\"a\" : 1.0 , \"b\":2}", "a", "{}",
		    "{\"a\" : {} , \"b\":2}" },
		{ "{\"b\":{\"a\":1},\"a\":1}", "a", "2",
		    "{\"b\":{\"a\":1},\"a\":2}" },
		{ "{}", "q\"", "1", "{\"q\\\"\":1}" },
		{ "[]", "a", "1", NULL },
		{ "{\"a\"", "a", "1", NULL },
		{ "{\"a\":1", "b", "1", NULL },
		{ "", "b", "1", NULL },
	};
	struct buf buf = BUF_INIT(1000);
	size_t i;
	bool done;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		buf_release(&buf);
		done = json_splice(&buf, SPAN(cases[i].text), cases[i].name,
		    SPAN(cases[i].value));
		assert_int_equal(done, cases[i].result != NULL);
		if (done)
			assert_string_equal(buf.data, cases[i].result);
		else
			assert_int_equal(buf.length, 0);
	}
	buf_release(&buf);
}

static void
test_nearest(void **state)
{
	static const char *const names[] = { "goal", "user", "model",
		"max_tokens", "not_before", "queue", NULL };
	static const struct {
		const char *word, *name;
	} cases[] = {
		{ "gaol", "goal" },
		{ "gol", "goal" },
		{ "Goal", "goal" },
		{ "max_token", "max_tokens" },
		{ "maxTokens", "max_tokens" },
		{ "notbefore", "not_before" },
		{ "queu", "queue" },
		{ "user", "user" },
		{ "", NULL },
		{ "zzzz", NULL },
		{ "temperature", NULL },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		  "aaaaaaaaaaaaaaaaaaaaaaaa",
		    NULL },
	};
	const char *name;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		name = json_nearest(cases[i].word, names);
		if (cases[i].name) {
			assert_non_null(name);
			assert_string_equal(name, cases[i].name);
		} else
			assert_null(name);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepts),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_refuses_nul),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_many_members),
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_quote),
		cmocka_unit_test(test_member),
		cmocka_unit_test(test_element),
		cmocka_unit_test(test_splice),
		cmocka_unit_test(test_nearest),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
