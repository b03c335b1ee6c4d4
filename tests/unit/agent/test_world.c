/* SPDX-License-Identifier: ISC */
/*
 * The fold against a simulated world that answers the same whenever it is
 * asked: cut anywhere and begun again, with the bytes that came, with replies
 * that are large.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "tests/unit/agent/agent_driver.h"

#define ROOM ((size_t)EVENT_MAX)

#define SUBMITTED \
	"\"task\":{\"user\":\"ann\",\"goal\":\"g\"," \
	"\"toolkits\":[\"gmail\"],\"tools\":[],\"model\":\"m\"," \
	"\"max_tokens\":1000,\"queue\":\"default\",\"priority\":5," \
	"\"budget\":{\"turns\":50}}"

#define TOOL(name, repeatable, policy) \
	"{\"name\":\"" name "\",\"slug\":\"" name \
	"\",\"toolkit\":\"gmail\",\"version\":\"1\",\"account\":\"ca\"," \
	"\"repeatable\":" repeatable ",\"on_unknown\":\"" policy "\"}"

#define PINNED \
	"\"request\":{\"model\":\"m\",\"max_tokens\":1000}," \
	"\"tools\":[" TOOL("READ", "true", "tell") "," TOOL("SEND", "false", \
	    "tell") "," TOOL("ASK", "false", "ask") "," TOOL("AGAIN", "false", \
	    "retry") "]"

#define REPLY(content, stop) \
	"\"content\":[" content "],\"stop_reason\":\"" stop \
	"\",\"usage\":{\"input\":10,\"output\":3},\"nano_usd\":5"
#define TEXT(text) "{\"type\":\"text\",\"text\":\"" text "\"}"
#define USE(id, name) \
	"{\"type\":\"tool_use\",\"id\":\"" id "\",\"name\":\"" name \
	"\",\"input\":{\"a\":1.0}}"
#define ERROR "\"error\":{\"type\":\"e\",\"message\":\"no \\u00e9\"}"

static const struct world_answer answers[] = {
	{ NULL, 1, 1, EVENT_MODEL_FAILED, ERROR ",\"delay_ms\":400" },
	{ NULL, 1, 0, EVENT_MODEL_REPLIED,
	    REPLY(TEXT("I look.") "," USE("a", "READ") "," USE("b",
		      "SEND") "," USE("c", "NONE") "," USE("d", "AGAIN"),
		"tool_use") },
	{ "a", 0, 1, EVENT_TOOL_UNKNOWN, ERROR ",\"delay_ms\":100" },
	{ "b", 0, 1, EVENT_TOOL_FAILED, ERROR ",\"delay_ms\":60000" },
	{ "d", 0, 1, EVENT_TOOL_UNKNOWN, ERROR },
	{ NULL, 2, 0, EVENT_MODEL_REPLIED,
	    REPLY(USE("e", "SEND") "," USE("f", "ASK") "," USE("g", "SEND"),
		"tool_use") },
	{ "e", 0, 1, EVENT_TOOL_FAILED, ERROR ",\"connection\":\"gmail\"" },
	{ "g", 0, 0, EVENT_TOOL_UNKNOWN, ERROR },
	{ NULL, 3, 0, EVENT_MODEL_REPLIED,
	    REPLY(TEXT("cut ") "," USE("h", "SEND"), "max_tokens") },
	{ NULL, 4, 0, EVENT_MODEL_REPLIED, REPLY("", "end_turn") },
	{ NULL, 5, 0, EVENT_MODEL_REPLIED, REPLY(TEXT("wait "), "pause_turn") },
	{ NULL, 6, 1, EVENT_MODEL_FAILED, ERROR ",\"delay_ms\":3600000" },
	{ NULL, 6, 0, EVENT_MODEL_REPLIED,
	    REPLY(TEXT("The end."), "end_turn") },
};

static const struct world world = { .answers = answers,
	.count = sizeof(answers) / sizeof(*answers),
	.decision = "approve",
	.steps = 300 };

static struct driver *
driver_at_start(void)
{
	struct driver *driver = driver_open();

	assert_int_equal(driver_record(driver, EVENT_SUBMITTED, SUBMITTED), 0);
	assert_int_equal(driver_record(driver, EVENT_PINNED, PINNED), 0);
	return driver;
}

static void
assert_end(const struct driver *driver)
{
	struct agent_summary summary;
	const char *last = driver->lines[driver->count - 1];

	if (driver->fault)
		fail_msg("%s", driver->fault);
	agent_summary(driver->agent, &summary);
	assert_int_equal(summary.state, TASK_COMPLETED);
	assert_int_equal(summary.turns, 6);
	assert_non_null(strstr(last, "\"result\":\"wait The end.\""));
}

static bool
was_started(const struct driver *driver, const char *id)
{
	size_t i;

	for (i = 0; i < driver->call_count; i++)
		if (strcmp(driver->calls[i].id, id) == 0)
			return driver->calls[i].started > 0;
	return false;
}

/* Continued after CUT events by one worker, and that one's journal after
 * AGAIN more by another. */
static void
run_from_cut(const struct driver *whole, size_t cut, size_t again)
{
	static const char *const sent[] = { "a", "b", "d", "e", "f", "g" };
	struct driver *driver = driver_open(), *next = driver_open();
	size_t i;

	for (i = 0; i < cut; i++)
		assert_int_equal(driver_apply(driver, whole->lines[i],
				     strlen(whole->lines[i])),
		    0);
	(void)driver_record(driver, EVENT_STARTED,
	    "\"worker\":\"n\",\"fence\":2");
	assert_int_equal(driver_run(driver, &world), 0);
	assert_end(driver);
	for (i = 0; i < driver->count && i < cut + again; i++)
		assert_int_equal(driver_apply(next, driver->lines[i],
				     strlen(driver->lines[i])),
		    0);
	(void)driver_record(next, EVENT_STARTED,
	    "\"worker\":\"m\",\"fence\":3");
	assert_int_equal(driver_run(next, &world), 0);
	assert_end(next);
	for (i = 0; i < sizeof(sent) / sizeof(*sent); i++)
		assert_true(was_started(next, sent[i]));
	assert_false(was_started(next, "c"));
	assert_false(was_started(next, "h"));
	driver_close(driver);
	driver_close(next);
}

static void
test_world_from_every_cut(void **state)
{
	struct driver *whole = driver_at_start();
	size_t cut, again;

	(void)state;
	assert_int_equal(driver_run(whole, &world), 0);
	assert_end(whole);
	assert_true(whole->count > 40);
	for (cut = 2; cut < whole->count; cut++)
		for (again = 1; again < 30; again += 4)
			run_from_cut(whole, cut, again);
	driver_close(whole);
}

/* ---- bytes ---- */

static void
test_bytes_survive(void **state)
{
	static const char content[] =
	    "[{\"type\":\"thinking\",\"thinking\":"
	    "\"\",\"signature\":\"A\\/+=\"}, {\"type\" : \"x_new\",\"n\":1.0,"
	    "\"m\":12345678901234567890,\"b\":{\"z\":1E+2,\"a\":[ ]}},"
	    "{\"data\":\"\\u00e9\\/\",\"type\":\"redacted_thinking\"},"
	    "{\"type\":\"tool_use\",\"id\":\"t\",\"input\":{\"z\":-0.0,"
	    "\"a\":\"\\ud83d\\ude00\"},\"name\":\"READ\"}]";
	static const char input[] = "{\"z\":-0.0,\"a\":\"\\ud83d\\ude00\"}";
	struct driver *driver = driver_at_start();
	struct agent_call call;
	struct plan plan;
	char *members;

	(void)state;
	assert_int_equal(driver_record(driver, EVENT_STARTED,
			     "\"worker\":\"w\",\"fence\":1"),
	    0);
	assert_int_equal(driver_settle(driver, &plan), 0);
	assert_int_equal(driver_begin(driver, &plan), 0);
	plan_release(&plan);
	members = mem_print("\"turn\":1,\"content\":%s,\"stop_reason\":"
			    "\"tool_use\",\"usage\":{},\"nano_usd\":0",
	    content);
	assert_int_equal(driver_record(driver, EVENT_MODEL_REPLIED, members),
	    0);
	free(members);
	assert_non_null(strstr(driver->body, content));
	assert_true(agent_call(driver->agent, "t", &call));
	assert_int_equal(call.input.length, strlen(input));
	assert_memory_equal(call.input.at, input, strlen(input));
	/* the pin names none, as those of old journals */
	assert_string_equal(call.provider, "composio");
	driver_close(driver);
}

static void
test_result_block(void **state)
{
	static const struct {
		const char *text;
		size_t limit;
		bool error, cut;
		const char *want;
	} cases[] = {
		{ "ok", 0, false, false,
		    "{\"type\":\"tool_result\","
		    "\"tool_use_id\":\"t\",\"content\":\"ok\"}" },
		{ "no", 2, true, false,
		    "{\"type\":\"tool_result\","
		    "\"tool_use_id\":\"t\",\"content\":\"no\","
		    "\"is_error\":true}" },
		{ "", 5, false, false,
		    "{\"type\":\"tool_result\","
		    "\"tool_use_id\":\"t\",\"content\":\"\"}" },
		{ "ab\xc3\xa9"
		  "cd",
		    3, false, true,
		    "\"content\":\"ab\\n[cut "
		    "here: the first 2 of 6 bytes" },
		{ "ab\xc3\xa9"
		  "cd",
		    4, false, true,
		    "\"content\":\"ab\xc3\xa9"
		    "\\n[cut here: the first 4 of 6 bytes" },
		{ "\xf0\x9f\x98\x80\xf0\x9f\x98\x80", 7, false, true,
		    "\"content\":\"\xf0\x9f\x98\x80\\n[cut" },
		{ "a\xff"
		  "b",
		    0, false, false,
		    "\"content\":\"a\xef\xbf\xbd"
		    "b\"" },
	};
	struct buf buf = BUF_INIT(ROOM);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		buf_reset(&buf);
		assert_int_equal(agent_result_block(&buf, "t", cases[i].text,
				     strlen(cases[i].text), cases[i].limit,
				     cases[i].error, NULL),
		    cases[i].cut);
		assert_non_null(strstr(buf.data, cases[i].want));
	}
	buf_release(&buf);
}

/* ---- large replies, long reasons ---- */

static struct driver *
driver_with_calls(size_t count, const char *name)
{
	struct driver *driver = driver_at_start();
	struct buf members = BUF_INIT(ROOM);
	struct plan plan;
	size_t i;

	assert_int_equal(driver_record(driver, EVENT_STARTED,
			     "\"worker\":\"w\",\"fence\":1"),
	    0);
	assert_int_equal(driver_settle(driver, &plan), 0);
	assert_int_equal(driver_begin(driver, &plan), 0);
	plan_release(&plan);
	buf_add_string(&members, "\"turn\":1,\"content\":[");
	for (i = 0; i < count; i++)
		buf_print(&members,
		    "%s{\"type\":\"tool_use\",\"id\":\"t%zu\","
		    "\"name\":\"%s\",\"input\":{}}",
		    i ? "," : "", i, name);
	buf_add_string(&members,
	    "],\"stop_reason\":\"tool_use\","
	    "\"usage\":{},\"nano_usd\":0");
	assert_int_equal(driver_record(driver, EVENT_MODEL_REPLIED,
			     members.data),
	    0);
	buf_release(&members);
	return driver;
}

/* Records every decision without keeping the events; returns the seconds of
 * processor time that it took. */
static double
decide_all(struct driver *driver, size_t count)
{
	clock_t begin = clock();
	struct buf text = BUF_INIT(ROOM);
	struct event event;
	struct plan plan;
	size_t i;

	for (i = 0; i < count; i++) {
		agent_next(driver->agent, driver->now, &plan);
		assert_true(plan.has_record);
		buf_reset(&text);
		event_write(&text, driver->count + 1 + i, driver->now,
		    plan.record, plan.record_members.data,
		    plan.record_members.length);
		assert_int_equal(event_parse((struct span){ text.data,
						 text.length },
				     &event, &driver->fail),
		    0);
		assert_int_equal(agent_apply(driver->agent, &event,
				     &driver->fail),
		    0);
		plan_release(&plan);
	}
	buf_release(&text);
	return (double)(clock() - begin) / CLOCKS_PER_SEC;
}

/* Up to a thousand calls are run; of more, each is answered without being
 * run, and ten times as many take ten times as long, not a hundred times. */
static void
test_many_calls(void **state)
{
	struct driver *driver = driver_with_calls(1000, "SEND");
	double few, many;
	struct plan plan;
	char *request;
	size_t length;

	(void)state;
	assert_int_equal(driver_settle(driver, &plan), 0);
	assert_int_equal(plan.count, 1000);
	plan_release(&plan);
	driver_close(driver);

	driver = driver_with_calls(2000, "SEND");
	few = decide_all(driver, 2000);
	driver_close(driver);
	driver = driver_with_calls(20000, "SEND");
	many = decide_all(driver, 20000);
	assert_true(many < 40 * few + 0.1);
	agent_next(driver->agent, driver->now, &plan);
	assert_int_equal(plan.count, 1);
	assert_int_equal(plan.actions[0].type, ACTION_MODEL);
	plan_release(&plan);
	request = agent_request(driver->agent, &length);
	assert_non_null(strstr(request, "too many calls at once"));
	free(request);
	driver_close(driver);
}

/* A reason is cut between characters, wherever its end falls, and waited for
 * once. */
static void
test_reason_is_cut_whole(void **state)
{
	struct buf members = BUF_INIT(ROOM);
	struct driver *driver;
	struct plan plan;
	size_t shift, i;

	(void)state;
	for (shift = 0; shift < 5; shift++) {
		driver = driver_at_start();
		assert_int_equal(driver_record(driver, EVENT_STARTED,
				     "\"worker\":\"w\",\"fence\":1"),
		    0);
		assert_int_equal(driver_settle(driver, &plan), 0);
		assert_int_equal(driver_begin(driver, &plan), 0);
		plan_release(&plan);
		buf_reset(&members);
		buf_add_string(&members,
		    "\"turn\":1,\"attempt\":1,\"delay_ms\""
		    ":9000000,\"error\":{\"message\":\"");
		for (i = 0; i < shift; i++)
			buf_add_string(&members, "x");
		for (i = 0; i < 300; i++)
			buf_add_string(&members, "\xf0\x9f\x98\x80");
		buf_add_string(&members, "\"}");
		assert_int_equal(driver_record(driver, EVENT_MODEL_FAILED,
				     members.data),
		    0);
		i = driver->count;
		assert_int_equal(driver_settle(driver, &plan), 0);
		assert_int_equal(driver->count, i + 1);
		plan_release(&plan);
		driver_close(driver);
	}
	buf_release(&members);
}

/* A turn whose every worker ends is given up; a delay of ages is a year. */
static void
test_bounds(void **state)
{
	struct driver *driver = driver_at_start();
	struct agent_summary summary;
	struct plan plan;
	char *members;
	size_t i;

	(void)state;
	for (i = 0; i < 50; i++) {
		assert_int_equal(driver_record(driver, EVENT_STARTED,
				     "\"worker\":\"w\",\"fence\":1"),
		    0);
		assert_int_equal(driver_settle(driver, &plan), 0);
		assert_int_equal(plan.count, 1);
		assert_int_equal(driver_begin(driver, &plan), 0);
		plan_release(&plan);
	}
	assert_int_equal(driver_record(driver, EVENT_RELEASED,
			     "\"worker\":\"w\",\"reason\":\"worker lost\""),
	    0);
	assert_int_equal(driver_settle(driver, &plan), 0);
	agent_summary(driver->agent, &summary);
	assert_int_equal(summary.state, TASK_FAILED);
	plan_release(&plan);
	driver_close(driver);

	driver = driver_at_start();
	assert_int_equal(driver_record(driver, EVENT_STARTED,
			     "\"worker\":\"w\",\"fence\":1"),
	    0);
	assert_int_equal(driver_settle(driver, &plan), 0);
	assert_int_equal(driver_begin(driver, &plan), 0);
	plan_release(&plan);
	assert_int_equal(
	    driver_record(driver, EVENT_MODEL_FAILED,
		"\"turn\":1,\"attempt\":1,\"delay_ms\":9007199254740991," ERROR),
	    0);
	i = driver->count;
	assert_int_equal(driver_settle(driver, &plan), 0);
	assert_int_equal(driver->count, i + 1);
	agent_summary(driver->agent, &summary);
	assert_true(summary.due - driver->now < (int64_t)400 * 86400 * 1000);
	plan_release(&plan);
	driver_close(driver);

	driver = driver_at_start();
	for (i = 1; i < 4; i++) {
		assert_int_equal(driver_record(driver, EVENT_STARTED,
				     "\"worker\":\"w\",\"fence\":1"),
		    0);
		assert_int_equal(driver_settle(driver, &plan), 0);
		assert_int_equal(driver_begin(driver, &plan), 0);
		plan_release(&plan);
		members = mem_print(
		    "\"turn\":1,\"attempt\":%zu,\"delay_ms\":0,"
		    "\"usage\":{\"input\":9007199254740991,\"output\":-5}," ERROR,
		    i);
		assert_int_equal(driver_record(driver, EVENT_MODEL_FAILED,
				     members),
		    0);
		free(members);
	}
	agent_summary(driver->agent, &summary);
	assert_int_equal(summary.input_tokens, (int64_t)1 << 53);
	assert_int_equal(summary.output_tokens, 0);
	driver_close(driver);
}

/* The pieces for one reply fit into one transaction. */
static void
test_pieces_have_a_limit(void **state)
{
	struct driver *driver = driver_open();
	struct buf content = BUF_INIT(ROOM);
	char *whole = mem_print("%0300000d", 0), *members;
	size_t length = 0, bytes = 0, i, errors = 0;
	struct plan plan;

	(void)state;
	assert_int_equal(driver_record(driver, EVENT_SUBMITTED, SUBMITTED), 0);
	assert_int_equal(driver_record(driver, EVENT_PINNED,
			     PINNED ",\"read_tool\":\"read_result\""),
	    0);
	assert_int_equal(driver_record(driver, EVENT_STARTED,
			     "\"worker\":\"w\",\"fence\":1"),
	    0);
	assert_int_equal(driver_settle(driver, &plan), 0);
	assert_int_equal(driver_begin(driver, &plan), 0);
	plan_release(&plan);
	assert_int_equal(driver_record(driver, EVENT_MODEL_REPLIED,
			     "\"turn\":1," REPLY(USE("a", "READ"), "tool_use")),
	    0);
	assert_int_equal(driver_settle(driver, &plan), 0);
	assert_int_equal(driver_begin(driver, &plan), 0);
	plan_release(&plan);
	members = mem_print("\"call\":\"a\",\"attempt\":1,\"block\":{\"type\":"
			    "\"tool_result\",\"tool_use_id\":\"a\","
			    "\"content\":\"00\"},\"is_error\":false,"
			    "\"whole\":\"%s\"",
	    whole);
	assert_int_equal(driver_record(driver, EVENT_TOOL_FINISHED, members),
	    0);
	assert_int_equal(driver_settle(driver, &plan), 0);
	assert_int_equal(driver_begin(driver, &plan), 0);
	plan_release(&plan);
	for (i = 0; i < 20; i++)
		buf_print(&content,
		    "%s{\"type\":\"tool_use\",\"id\":\"r%zu\",\"name\":"
		    "\"read_result\",\"input\":{\"call\":\"a\"}}",
		    i ? "," : "\"turn\":2,\"content\":[", i);
	buf_add_string(&content,
	    "],\"stop_reason\":\"tool_use\",\"usage\":{\"input\":10,"
	    "\"output\":3},\"nano_usd\":5");
	length = driver->count + 1;
	assert_int_equal(driver_record(driver, EVENT_MODEL_REPLIED,
			     content.data),
	    0);
	assert_int_equal(driver_settle(driver, &plan), 0);
	plan_release(&plan);
	for (i = length; i < driver->count; i++) {
		bytes += strlen(driver->lines[i]);
		if (strstr(driver->lines[i], "Not read"))
			errors++;
	}
	assert_int_equal(driver->count - length, 20);
	assert_in_range(bytes, 300000, 600000);
	assert_in_range(errors, 15, 17);
	buf_release(&content);
	free(members);
	free(whole);
	driver_close(driver);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_world_from_every_cut),
		cmocka_unit_test(test_bytes_survive),
		cmocka_unit_test(test_result_block),
		cmocka_unit_test(test_many_calls),
		cmocka_unit_test(test_reason_is_cut_whole),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_pieces_have_a_limit),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("world", tests, NULL, NULL);
}
