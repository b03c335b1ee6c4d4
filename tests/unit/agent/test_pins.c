/* SPDX-License-Identifier: ISC */
/*
 * pins: the request's bytes, which tools are refused, and who decides what is
 * repeatable.
 */
#include "common/agent/pins.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/json/json.h"

static const char plain_schema[] = "{\"type\":\"object\"}";

static void
make_config(const char *text, struct config *config)
{
	struct fail fail;

	if (config_parse(text, strlen(text), config, &fail) < 0)
		fail_msg("%s", fail.message);
}

static void
make_task(const char *members, const struct config *config, struct task *task)
{
	struct fail fail;
	char text[2000];
	cJSON *value;

	snprintf(text, sizeof(text), "{\"user\":\"u\",\"goal\":\"g\"%s%s}",
	    members[0] != '\0' ? "," : "", members);
	value = json_parse(text, strlen(text), &json_limits_task, &fail);
	if (value == NULL || task_check(value, config, task, &fail) < 0)
		fail_msg("%s", fail.message);
}

/* The event's members as an object; BUF keeps the bytes. */
static cJSON *
make(const char *task_members, const char *settings,
    const struct pin_tool *tools, size_t count, struct buf *buf,
    struct fail *fail)
{
	struct config config;
	struct task task;
	cJSON *made = NULL;

	make_config(settings, &config);
	make_task(task_members, &config, &task);
	buf_add_string(buf, "{");
	if (pins_make(&task, &config, tools, count, buf, fail) == 0) {
		buf_add_string(buf, "}");
		made = json_parse(buf->data, buf->length, &json_limits_upstream,
		    fail);
		assert_non_null(made);
	}
	task_release(&task);
	config_release(&config);
	return made;
}

static void
the_request_is_these_bytes(void **state)
{
	static const char first[] =
	    "{\"request\":{\"model\":"
	    "\"claude-opus-5-5\",\"max_tokens\":100,\"stream\":true,"
	    "\"thinking\":{\"type\":\"adaptive\",\"display\":\"summarized\"},"
	    "\"output_config\":{\"effort\":\"high\"},"
	    "\"cache_control\":{\"type\":\"ephemeral\"},"
	    "\"system\":[{\"type\":\"text\",\"text\":\"";
	static const char middle[] =
	    "\\n\\nof all\\n\\nof this one\","
	    "\"cache_control\":{\"type\":\"ephemeral\"}}],\"tools\":["
	    "{\"name\":\"GMAIL_FETCH_EMAILS\",\"description\":\"Fetches.\","
	    "\"input_schema\":{ \"type\" : \"object\",\"x\":1.50}},"
	    "{\"name\":\"read_result\",\"description\":\"Reads";
	static const char blocked[] =
	    "\"additionalProperties\":false}},{\"name\":"
	    "\"cannot_proceed\",";
	static const char last[] =
	    "\"tools\":[{\"name\":"
	    "\"GMAIL_FETCH_EMAILS\",\"provider\":\"composio\","
	    "\"slug\":\"GMAIL_FETCH_EMAILS\",\"toolkit\":\"gmail\",\"version\":\"20261101_00\","
	    "\"account\":\"ca_1\",\"repeatable\":true,"
	    "\"on_unknown\":\"tell\"}],\"read_tool\":\"read_result\"}";
	const struct pin_tool tool = {
		.provider = "composio",
		.slug = "GMAIL_FETCH_EMAILS",
		.toolkit = "gmail",
		.version = "20261101_00",
		.account = "ca_1",
		.description = "Fetches.",
		.repeatable = true,
		.input_schema = "{ \"type\" : \"object\",\"x\":1.50}",
	};
	struct buf buf = BUF_INIT(1u << 20);
	struct fail fail;
	cJSON *made;

	(void)state;
	made = make("\"max_tokens\":100,\"effort\":\"high\","
		    "\"system\":\"of this one\"",
	    "system: of all", &tool, 1, &buf, &fail);
	assert_non_null(made);
	assert_memory_equal(buf.data, first, strlen(first));
	assert_non_null(strstr(buf.data, middle));
	assert_non_null(strstr(buf.data, blocked));
	assert_string_equal(buf.data + buf.length - strlen(last), last);
	cJSON_Delete(made);
	buf_release(&buf);
}

/* Without tools there are no results; a tool of the task keeps its name. */
static void
results_are_read_under_a_free_name(void **state)
{
	const struct pin_tool tools[] = {
		{ .provider = "p",
		    .slug = "read_result",
		    .toolkit = "a",
		    .version = "1",
		    .input_schema = plain_schema },
		{ .provider = "p",
		    .slug = "read_result_2",
		    .toolkit = "a",
		    .version = "1",
		    .input_schema = plain_schema },
	};
	static const char *const names[] = { NULL, "read_result_2",
		"read_result_3" };
	struct buf buf;
	struct fail fail;
	cJSON *made;
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		buf = BUF_INIT(1u << 20);
		made = make("", "", tools, i, &buf, &fail);
		assert_int_equal(pins_check(made, &fail), 0);
		if (names[i])
			assert_string_equal(json_string(made, "read_tool"),
			    names[i]);
		else
			assert_null(json_item(made, "read_tool"));
		assert_int_equal(cJSON_GetArraySize(
				     json_item(json_item(made, "request"),
					 "tools")),
		    i > 0 ? i + 2 : 1);
		cJSON_AddNumberToObject(made, "read_tool", 1);
		cJSON_DeleteItemFromObject(made, names[i] ? "read_tool" : "");
		assert_int_equal(pins_check(made, &fail), -1);
		cJSON_Delete(made);
		buf_release(&buf);
	}
}

static void
members_follow_the_model(void **state)
{
	static const struct {
		const char *model;
		bool thinking;
	} rows[] = {
		{ "claude-opus-5-5", true },
		{ "claude-sonnet-4-6", true },
		{ "claude-opus-4-8", true },
		{ "claude-haiku-5-5", true },
		{ "claude-opus-4-5", false },
		{ "claude-haiku-4-5-20251001", false },
	};
	struct buf buf;
	struct fail fail;
	char members[100];
	const cJSON *request;
	cJSON *made;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf = BUF_INIT(1u << 20);
		snprintf(members, sizeof(members), "\"model\":\"%s\"",
		    rows[i].model);
		made = make(members, "", NULL, 0, &buf, &fail);
		request = cJSON_GetObjectItem(made, "request");
		assert_int_equal(cJSON_HasObjectItem(request, "thinking"),
		    rows[i].thinking);
		assert_false(cJSON_HasObjectItem(request, "output_config"));
		assert_int_equal(cJSON_GetArraySize(
				     cJSON_GetObjectItem(request, "tools")),
		    1);
		cJSON_Delete(made);
		buf_release(&buf);
	}
	buf = BUF_INIT(1u << 20);
	assert_null(make("\"model\":\"claude-haiku-4-5\",\"effort\":\"low\"",
	    "", NULL, 0, &buf, &fail));
	assert_int_equal(fail.kind, FAIL_NO);
	assert_non_null(strstr(fail.message, "takes no effort"));
	buf_release(&buf);
}

static void
a_rule_wins_over_tags(void **state)
{
	const struct pin_tool tools[] = {
		{ .provider = "composio",
		    .slug = "A_SEND",
		    .toolkit = "a",
		    .version = "1",
		    .input_schema = plain_schema },
		{ .provider = "composio",
		    .slug = "A_READ",
		    .toolkit = "a",
		    .version = "1",
		    .input_schema = plain_schema,
		    .repeatable = true },
		{ .provider = "composio",
		    .slug = "B_READ",
		    .toolkit = "b",
		    .version = "1",
		    .input_schema = plain_schema,
		    .repeatable = true },
	};
	struct buf buf = BUF_INIT(1u << 20);
	struct fail fail;
	const cJSON *pins;
	cJSON *made;

	(void)state;
	made = make("",
	    "tools: {A_SEND: {repeatable: true}, "
	    "A_*: {repeatable: false, on_unknown: ask}}",
	    tools, 3, &buf, &fail);
	pins = cJSON_GetObjectItem(made, "tools");
	assert_true(json_true(cJSON_GetArrayItem(pins, 0), "repeatable"));
	assert_string_equal(json_string(cJSON_GetArrayItem(pins, 0),
				"on_unknown"),
	    "tell");
	assert_false(json_true(cJSON_GetArrayItem(pins, 1), "repeatable"));
	assert_string_equal(json_string(cJSON_GetArrayItem(pins, 1),
				"on_unknown"),
	    "ask");
	assert_true(json_true(cJSON_GetArrayItem(pins, 2), "repeatable"));
	assert_null(json_string(cJSON_GetArrayItem(pins, 2), "account"));
	cJSON_Delete(made);
	buf_release(&buf);
}

#define LONG_64 \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void
a_name_that_the_model_cannot_take_is_refused(void **state)
{
	static const struct {
		const char *slug, *said; /* said NULL: fine */
	} rows[] = {
		{ "A", NULL },
		{ LONG_64 LONG_64, NULL },
		{ LONG_64 LONG_64 "a", "a name has" },
		{ "A B", "a name has" },
		{ "", "a name has" },
		{ "cannot_proceed", "every task has" },
	};
	struct pin_tool tool = { .toolkit = "a",
		.version = "1",
		.input_schema = plain_schema };
	struct fail fail;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		tool.slug = rows[i].slug;
		if (rows[i].said == NULL) {
			assert_int_equal(pins_check_tool(&tool, &fail), 0);
			continue;
		}
		assert_int_equal(pins_check_tool(&tool, &fail), -1);
		assert_int_equal(fail.kind, FAIL_NO);
		assert_string_equal(fail.type, "refused");
		if (strstr(fail.message, rows[i].said) == NULL)
			fail_msg("%s: %s", rows[i].slug, fail.message);
	}
}

static void
twice_and_too_large(void **state)
{
	const struct pin_tool tools[] = {
		{ .provider = "composio",
		    .slug = "A",
		    .toolkit = "a",
		    .version = "1",
		    .input_schema = plain_schema },
		{ .provider = "composio",
		    .slug = "A",
		    .toolkit = "a",
		    .version = "1",
		    .input_schema = plain_schema },
	};
	struct buf buf = BUF_INIT(1u << 20), small = BUF_INIT(500);
	struct fail fail;

	(void)state;
	assert_null(make("", "", tools, 2, &buf, &fail));
	assert_non_null(strstr(fail.message, "twice"));
	assert_null(make("", "", tools, 1, &small, &fail));
	assert_non_null(strstr(fail.message, "too large"));
	buf_release(&buf);
	buf_release(&small);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_request_is_these_bytes),
		cmocka_unit_test(results_are_read_under_a_free_name),
		cmocka_unit_test(members_follow_the_model),
		cmocka_unit_test(a_rule_wins_over_tags),
		cmocka_unit_test(a_name_that_the_model_cannot_take_is_refused),
		cmocka_unit_test(twice_and_too_large),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("pins", tests, NULL, NULL);
}
