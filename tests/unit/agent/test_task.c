/* SPDX-License-Identifier: ISC */
/*
 * task: every fault is named by its path, equal tasks have equal text.
 */
#include "common/agent/task.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/json/json.h"

static struct config config;

static int
check_text(const char *text, struct task *task, struct fail *fail)
{
	cJSON *value;

	value = json_parse(text, strlen(text), &json_limits_task, fail);
	assert_non_null(value);
	return task_check(value, &config, task, fail);
}

static void
defaults_are_filled_in_a_fixed_order(void **state)
{
	struct task task;
	struct fail fail;
	char *doc;

	(void)state;
	assert_int_equal(
	    check_text(
		"{\"labels\":{\"a\":\"b\"},\"goal\":\"g\","
		"\"user\":\"u\",\"deadline\":\"2026-11-24T10:00:00+02:00\","
		"\"budget\":{\"usd\":0.30,\"turns\":7}}",
		&task, &fail),
	    0);
	doc = json_text(task.doc);
	assert_string_equal(doc,
	    "{\"user\":\"u\",\"goal\":\"g\","
	    "\"toolkits\":[],\"tools\":[],\"model\":\"claude-opus-5-5\","
	    "\"max_tokens\":32000,\"queue\":\"default\",\"priority\":5,"
	    "\"deadline\":\"2026-11-24T08:00:00.000Z\","
	    "\"budget\":{\"turns\":7,\"usd\":0.3},\"labels\":{\"a\":\"b\"}}");
	assert_int_equal(task.budget_nano_usd, 300000000);
	assert_int_equal(task.budget_turns, 7);
	assert_int_equal(task.not_before, 0);
	assert_null(task.effort);
	assert_null(task.key);
	free(doc);
	task_release(&task);
}

static void
a_task_always_has_a_turn_budget(void **state)
{
	struct task task;
	struct fail fail;

	(void)state;
	assert_int_equal(check_text("{\"user\":\"u\",\"goal\":\"g\"}", &task,
			     &fail),
	    0);
	assert_int_equal(task.budget_turns, TASK_TURNS_DEFAULT);
	task_release(&task);
}

static void
what_was_checked_reads_back_the_same(void **state)
{
	static const char text[] =
	    "{\"user\":\"u\",\"goal\":\"g\","
	    "\"toolkits\":[\"gmail\"],\"tools\":[\"GMAIL_*\"],"
	    "\"effort\":\"high\",\"system\":\"s\","
	    "\"timezone\":\"America/Argentina/Buenos_Aires\",\"key\":\"k\","
	    "\"not_before\":\"2026-11-24T08:00:00Z\","
	    "\"budget\":{\"tokens\":1000000000000,\"usd\":0.000000001,"
	    "\"seconds\":60},\"preflight\":{\"pins\":{\"request\":{},"
	    "\"tools\":[]}}}";
	struct task task, again;
	struct fail fail;
	cJSON *value;
	char *first, *second;

	(void)state;
	assert_int_equal(check_text(text, &task, &fail), 0);
	assert_non_null(task.preflight);
	first = json_text(task.doc);
	value = json_parse(first, strlen(first), &json_limits_task, &fail);
	assert_int_equal(task_read(value, &again, &fail), 0);
	second = json_text(again.doc);
	assert_string_equal(first, second);
	assert_string_equal(again.effort, "high");
	assert_string_equal(again.timezone, "America/Argentina/Buenos_Aires");
	assert_int_equal(again.budget_nano_usd, 1);
	assert_int_equal(again.budget_tokens, 1000000000000);
	assert_int_equal(again.not_before, 1795507200000);
	assert_null(again.preflight);
	cJSON_Delete(value);
	free(first);
	free(second);
	task_release(&task);
	task_release(&again);
}

static void
a_doc_without_its_defaults_is_refused(void **state)
{
	struct task task;
	struct fail fail;
	cJSON *value;

	(void)state;
	value = cJSON_Parse("{\"user\":\"u\",\"goal\":\"g\"}");
	assert_int_equal(task_read(value, &task, &fail), -1);
	assert_string_equal(fail.type, "invalid_task");
	cJSON_Delete(value);
}

static void
faults_name_the_member(void **state)
{
	static const struct {
		const char *members, *said;
	} rows[] = {
		{ "\"gaol\":\"x\"", "unknown member gaol: did you mean goal?" },
		{ "\"budget\":{\"turn\":1}",
		    "unknown member budget.turn: did you mean budget.turns?" },
		{ "\"zzzzzzzz\":1", "the known ones are user, goal" },
		{ "\"priority\":10",
		    "priority must be a whole number from 0 to 9, not 10" },
		{ "\"priority\":\"5\"", "not \"5\"" },
		{ "\"max_tokens\":1e300", "max_tokens must be" },
		{ "\"tools\":[\"A\",7]", "tools[1] must be a string, not 7" },
		{ "\"tools\":[\"A\",\"B\",\"A\"]", "tools[2] repeats A" },
		{ "\"toolkits\":[\"Gmail\"]", "toolkits[0] must be" },
		{ "\"effort\":\"extreme\"",
		    "low, medium, high, xhigh or max, not \"extreme\"" },
		{ "\"effort\":null", "not null" },
		{ "\"deadline\":\"tomorrow\"", "deadline must be a time" },
		{ "\"deadline\":\"2026-11-23T00:00:00Z\","
		  "\"not_before\":\"2026-11-23T00:00:00Z\"",
		    "deadline must be later than not_before" },
		{ "\"budget\":[]", "budget must be an object" },
		{ "\"budget\":{\"usd\":-1}", "budget.usd must be" },
		{ "\"budget\":{\"usd\":0.0000000001}", "budget.usd must be" },
		{ "\"budget\":{\"seconds\":true}", "not true" },
		{ "\"labels\":{\"a\":1}", "labels.a must be a string, not 1" },
		{ "\"labels\":{\"a b\":\"c\"}", "labels has a member \"a b\"" },
		{ "\"queue\":\"A\"", "queue must be" },
		{ "\"key\":\"\"", "key must not be empty" },
		{ "\"preflight\":{\"pins\":[]}", "preflight must be" },
	};
	struct task task;
	struct fail fail;
	char text[400];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, sizeof(text),
		    "{\"user\":\"u\",\"goal\":\"g\",%s}", rows[i].members);
		assert_int_equal(check_text(text, &task, &fail), -1);
		assert_int_equal(fail.kind, FAIL_NEVER);
		assert_string_equal(fail.type, "invalid_task");
		if (strstr(fail.message, rows[i].said) == NULL)
			fail_msg("%s: %s", rows[i].members, fail.message);
	}
}

static void
missing_members_and_wrong_documents(void **state)
{
	static const struct {
		const char *text, *said;
	} rows[] = {
		{ "{\"goal\":\"g\"}", "user is missing" },
		{ "{\"user\":\"u\"}", "goal is missing" },
		{ "[]", "the document must be an object" },
		{ "\"do it\"", "the document must be an object" },
		{ "null", "the document must be an object" },
		{ "{\"user\":\"a,b\",\"goal\":\"g\"}", "user must be" },
		{ "{\"user\":\" a\",\"goal\":\"g\"}", "user must be" },
		{ "{\"user\":\"a\\u0085b\",\"goal\":\"g\"}", "user must be" },
		{ "{\"user\":\"u\",\"goal\":\" \\n\"}", "goal must be" },
	};
	struct task task;
	struct fail fail;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(check_text(rows[i].text, &task, &fail), -1);
		if (strstr(fail.message, rows[i].said) == NULL)
			fail_msg("%s: %s", rows[i].text, fail.message);
	}
}

static void
states_have_names(void **state)
{
	enum task_state parsed;
	int i;

	(void)state;
	for (i = 0; i < TASK_STATES; i++) {
		assert_true(
		    task_state_parse(task_state_name((enum task_state)i),
			&parsed));
		assert_int_equal(parsed, i);
		assert_int_equal(task_state_final(parsed), i >= 3);
	}
	assert_false(task_state_parse("done", &parsed));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_filled_in_a_fixed_order),
		cmocka_unit_test(a_task_always_has_a_turn_budget),
		cmocka_unit_test(what_was_checked_reads_back_the_same),
		cmocka_unit_test(a_doc_without_its_defaults_is_refused),
		cmocka_unit_test(faults_name_the_member),
		cmocka_unit_test(missing_members_and_wrong_documents),
		cmocka_unit_test(states_have_names),
	};
	struct fail fail;
	int failed;

	cmocka_set_message_output(CM_OUTPUT_TAP);
	if (config_parse(NULL, 0, &config, &fail) < 0)
		return 1;
	failed = cmocka_run_group_tests_name("task", tests, NULL, NULL);
	config_release(&config);
	return failed;
}
