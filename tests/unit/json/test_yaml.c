/* SPDX-License-Identifier: ISC */
/*
 * yaml: what a value becomes, and what is refused in which line.
 */
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
#include "common/json/yaml.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static cJSON *
parse(const char *text, size_t length, struct fail *fail)
{
	char *bare = mem_alloc(length);
	cJSON *value;

	memcpy(bare, text, length);
	value = yaml_parse(bare, length, &json_limits_task, fail);
	free(bare);
	return value;
}

static void
test_accepts(void **state)
{
	static const struct {
		const char *text, *json;
	} cases[] = {
		{ "", "null" },
		{ "# only words\n", "null" },
		{ "---\n", "null" },
		{ "~", "null" },
		{ "null", "null" },
		{ "Null", "null" },
		{ "NULL", "null" },
		{ "nULL", "\"nULL\"" },
		{ "true", "true" },
		{ "True", "true" },
		{ "FALSE", "false" },
		{ "tRUE", "\"tRUE\"" },
		{ "no", "\"no\"" },
		{ "on", "\"on\"" },
		{ "yes", "\"yes\"" },
		{ "y", "\"y\"" },
		{ "0", "0" },
		{ "-0", "0" },
		{ "12", "12" },
		{ "-1.5e3", "-1500" },
		{ "1.0", "1" },
		{ "1E+2", "100" },
		{ "+1", "\"+1\"" },
		{ "01", "\"01\"" },
		{ "0x1F", "\"0x1F\"" },
		{ "0o7", "\"0o7\"" },
		{ "1_000", "\"1_000\"" },
		{ "1.", "\"1.\"" },
		{ ".5", "\".5\"" },
		{ "1e", "\"1e\"" },
		{ "12:30", "\"12:30\"" },
		{ "-", "[null]" },
		{ "2026-11-23", "\"2026-11-23\"" },
		{ "1.2.3", "\"1.2.3\"" },
		{ "'12'", "\"12\"" },
		{ "\"true\"", "\"true\"" },
		{ "\"\"", "\"\"" },
		{ "''", "\"\"" },
		{ "\"a\\n\\u00e9\\x41\"",
		    "\"a\\n\xc3\xa9"
		    "A\"" },
		{ "a: 1\nb:\n- x\n- {c: [~, 'q']}\n",
		    "{\"a\":1,\"b\":[\"x\",{\"c\":[null,\"q\"]}]}" },
		{ "a: |\n  one\n  two\n", "{\"a\":\"one\\ntwo\\n\"}" },
		{ "a: >-\n  one\n  two\n", "{\"a\":\"one two\"}" },
		{ "a: |\n  12\n", "{\"a\":\"12\\n\"}" },
		{ "a:\nb: \n", "{\"a\":null,\"b\":null}" },
		{ "a: one\n  two\n", "{\"a\":\"one two\"}" },
		{ "{}", "{}" },
		{ "[]", "[]" },
		{ "'1': x\n\"true\": y\n'<<': z\n",
		    "{\"1\":\"x\",\"true\":\"y\",\"<<\":\"z\"}" },
		{ "a: {k: 1}\nb: {k: 1}\n",
		    "{\"a\":{\"k\":1},\"b\":{\"k\":1}}" },
		{ "? a\n: 1\n", "{\"a\":1}" },
		{ "- - 1\n  - 2\n- <<\n", "[[1,2],\"<<\"]" },
		{ "%YAML 1.2\n---\na: 1\n...\n", "{\"a\":1}" },
		{ "\xef\xbb\xbf"
		  "a: caf\xc3\xa9\r\n",
		    "{\"a\":\"caf\xc3\xa9\"}" },
		{ "a: \xf0\x9f\x98\x80 # smile\n",
		    "{\"a\":\"\xf0\x9f\x98\x80\"}" },
	};
	struct fail fail;
	cJSON *value;
	char *text;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		value = parse(cases[i].text, strlen(cases[i].text), &fail);
		if (!value)
			fail_msg("%s: %s", cases[i].text, fail.message);
		text = json_text(value);
		assert_string_equal(text, cases[i].json);
		free(text);
		cJSON_Delete(value);
	}
}

static void
test_refuses(void **state)
{
	static const struct {
		const char *text;
		int line;
		const char *reason;
	} cases[] = {
		{ "a: &x 1\n", 1, "anchor (&x)" },
		{ "a: 1\nb: *x\n", 2, "alias (*x)" },
		{ "a: &x [1]\nb: *x\n", 1, "anchor" },
		{ "a: &x {}\n", 1, "anchor" },
		{ "&x a: 1\n", 1, "anchor" },
		{ "a: 1\nb: !!str 5\n", 2, "tag" },
		{ "a: ! 5\n", 1, "tag" },
		{ "a: !mine {}\n", 1, "tag" },
		{ "a: !!seq []\n", 1, "tag" },
		{ "!!map {}\n", 1, "tag" },
		{ "a: 1\nb: 2\na: 3\n", 3, "\"a\" is there twice" },
		{ "x:\n  k: 1\n  'k': 2\n", 3, "\"k\" is there twice" },
		{ "a: {k: 1, k: 2}\n", 1, "\"k\" is there twice" },
		{ "1: x\n", 1, "key must be a string: put \"1\" in quotes" },
		{ "a: 1\ntrue: x\n", 2, "key must be a string" },
		{ "~: x\n", 1, "key must be a string" },
		{ ": x\n", 1, "" },
		{ "? \n: x\n", 1, "key must be a string" },
		{ "? [a]\n: x\n", 1, "key must be a string" },
		{ "? {a: 1}\n: x\n", 1, "key must be a string" },
		{ "a: {}\n<<: {b: 1}\n", 2, "merge key" },
		{ "a: 1\n---\nb: 2\n", 2, "second document" },
		{ "%YAML 1.1\n---\na: 1\n", 1, "only 1.2" },
		{ "a: 1\nb: .inf\n", 2, "finite" },
		{ ".NaN", 1, "finite" },
		{ "-.Inf", 1, "finite" },
		{ "1e999", 1, "too large" },
		{ "-.inf: 1", 1, "finite" },
		{ "a: \"x\\0y\"\n", 1, "NUL" },
		{ "a: 1\nb: \xff\n", 2, "UTF-8 (byte 8)" },
		{ "a: \xed\xa0\x80\n", 1, "UTF-8" },
		{ "a: \x01\n", 1, "control characters" },
		{ "a: 1\n\tb: 2\n", 2, "" },
		{ "a: [1, 2\n", 2, "" },
		{ "a: b: c\n", 1, "" },
		{ "a: 1\n b: 2\n", 2, "" },
		{ "a: 'x\n", 2, "" },
		{ "a: \"\\q\"\n", 1, "" },
		{ "a: \"\\ud800\"\n", 1, "" },
		{ "@x", 1, "" },
		{ "- 1\nb: 2\n", 2, "" },
	};
	struct fail fail;
	char line[40];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		memset(&fail, 0, sizeof fail);
		assert_null(parse(cases[i].text, strlen(cases[i].text), &fail));
		assert_int_equal(fail.kind, FAIL_NEVER);
		assert_string_equal(fail.type, "invalid_yaml");
		snprintf(line, sizeof line, "in line %d:", cases[i].line);
		if (!strstr(fail.message, cases[i].reason) ||
		    !strstr(fail.message, line))
			fail_msg("%s: %s", cases[i].text, fail.message);
	}
	assert_null(parse("a: \0b\n", 6, &fail));
	assert_string_equal(fail.type, "invalid_yaml");
	/* UTF-16 is not guessed at. */
	assert_null(parse("\xff\xfe"
			  "a\0:\0 \0001\0",
	    10, &fail));
	assert_non_null(strstr(fail.message, "UTF-8"));
}

static char *
repeated(size_t count, const char *piece)
{
	struct buf buf = BUF_INIT(16 << 20);

	while (count-- > 0)
		buf_add_string(&buf, piece);
	return buf_detach(&buf, NULL);
}

static void
test_limits(void **state)
{
	static const struct {
		size_t count;
		const char *piece, *reason; /* NULL: is read */
	} cases[] = {
		{ 32, "- ", NULL },
		{ 33, "- ", "nested deeper than 32" },
		{ 100000, "- ", "nested deeper" },
		{ 100000, "[", "nested deeper" },
		{ 100000, "{a: ", "nested deeper" },
		{ 4096, "- x\n", NULL },
		{ 4097, "- x\n", "more than 4096" },
		{ 1 << 20, " ", NULL },
		{ (1 << 20) + 1, " ", "1048577 bytes" },
	};
	int64_t start = clock_boot();
	struct fail fail;
	cJSON *value;
	char *text;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		text = repeated(cases[i].count, cases[i].piece);
		value = parse(text, strlen(text), &fail);
		assert_int_equal(value != NULL, !cases[i].reason);
		if (cases[i].reason && !strstr(fail.message, cases[i].reason))
			fail_msg("%s: %s", cases[i].piece, fail.message);
		cJSON_Delete(value);
		free(text);
	}
	assert_true(clock_boot() - start < 20000);
}

static void
test_members_of_a_mapping(void **state)
{
	struct buf buf = BUF_INIT(1 << 20);
	struct fail fail;
	cJSON *value;
	int i;

	(void)state;
	for (i = 0; i < 4096; i++)
		buf_print(&buf, "key%d: %d\n", i, i);
	value = parse(buf.data, buf.length, &fail);
	assert_non_null(value);
	assert_int_equal(cJSON_GetArraySize(value), 4096);
	cJSON_Delete(value);
	buf_print(&buf, "more: 1\n");
	assert_null(parse(buf.data, buf.length, &fail));
	assert_non_null(strstr(fail.message, "line 4097: more than 4096"));
	buf_release(&buf);
}

static void
test_yaml_or_json(void **state)
{
	static const struct {
		const char *text;
		const char *json; /* NULL: refused, with type TYPE */
		const char *type;
	} cases[] = {
		{ "a: 1", "{\"a\":1}", NULL },
		{ "{\"a\": 1}", "{\"a\":1}", NULL },
		{ "\n\t [1]", "[1]", NULL },
		{ "\xef\xbb\xbf{\"a\":1}", "{\"a\":1}", NULL },
		{ "{a: 1}", NULL, "invalid_json" },
		{ "a: [", NULL, "invalid_yaml" },
		{ "", "null", NULL },
	};
	struct fail fail;
	cJSON *value;
	char *text;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		value = yaml_or_json(cases[i].text, strlen(cases[i].text),
		    &json_limits_task, &fail);
		if (!cases[i].json) {
			assert_null(value);
			assert_string_equal(fail.type, cases[i].type);
			continue;
		}
		assert_non_null(value);
		text = json_text(value);
		assert_string_equal(text, cases[i].json);
		free(text);
		cJSON_Delete(value);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepts),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_members_of_a_mapping),
		cmocka_unit_test(test_yaml_or_json),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("yaml", tests, NULL, NULL);
}
