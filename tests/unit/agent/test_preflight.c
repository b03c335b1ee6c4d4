/* SPDX-License-Identifier: ISC */
/*
 * preflight: the facts of any provider are judged alike, and nothing passes on
 * missing ones. tests/unit/provider/test_composio_facts.c has every reason.
 */
#include "common/agent/preflight.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/json/json.h"

#define TOOL(name, more) \
	"{\"provider\":\"loom\",\"name\":\"" name "\",\"toolkit\":\"cloth\"," \
	"\"version\":\"1\",\"input_schema\":{\"type\":\"object\"}" more "}"
#define TOOLKIT(more) "{\"provider\":\"loom\",\"found\":true" more "}"
#define FACTS(tools, missing, toolkits) \
	"{\"tools\":[" tools "],\"missing_tools\":{" missing "}," \
	"\"toolkits\":{" toolkits "}}"

static struct config config;

static int
run(const char *facts_text, struct preflight *ret, struct fail *fail)
{
	static const char text[] =
	    "{\"user\":\"u\",\"goal\":\"g\",\"toolkits\":[\"cloth\"],"
	    "\"tools\":[\"A\"]}";
	cJSON *facts = cJSON_Parse(facts_text), *value;
	struct task task;
	int result;

	assert_non_null(facts);
	value = json_parse(text, strlen(text), &json_limits_task, fail);
	if (value == NULL || task_check(value, &config, &task, fail) < 0)
		fail_msg("%s", fail->message);
	result = preflight_check(&task, &config, facts, ret, fail);
	task_release(&task);
	cJSON_Delete(facts);
	return result;
}

static void
hints_and_connections(void **state)
{
	static const struct {
		const char *facts, *reasons, *pins; /* the parts that tell */
	} rows[] = {
		{ FACTS(TOOL("A", ""), "", "\"cloth\":" TOOLKIT("")), "[]",
		    "{\"name\":\"A\",\"provider\":\"loom\",\"slug\":\"A\","
		    "\"toolkit\":\"cloth\",\"version\":\"1\","
		    "\"repeatable\":false," },
		{ FACTS(TOOL("A",
			    ",\"needs_connection\":true,"
			    "\"hints\":{\"read_only\":true}"),
		      "",
		      "\"cloth\":" TOOLKIT(",\"connection\":"
					   "{\"state\":\"active\","
					   "\"account\":\"x\"}")),
		    "[]", "\"account\":\"x\",\"repeatable\":true," },
		/* what is not needed is not told */
		{ FACTS(TOOL("A",
			    ",\"hints\":{\"idempotent\":true,"
			    "\"destructive\":true}"),
		      "",
		      "\"cloth\":" TOOLKIT(",\"connection\":{\"state\":"
					   "\"torn\",\"message\":\"m\"}")),
		    "[]", "\"version\":\"1\",\"repeatable\":false," },
		{ FACTS(TOOL("A", ",\"needs_connection\":true"), "",
		      "\"cloth\":" TOOLKIT(",\"connection\":{\"state\":"
					   "\"torn\",\"message\":\"m\","
					   "\"link\":\"l\",\"at\":7}")),
		    "[{\"type\":\"connection_torn\",\"message\":\"m\","
		    "\"toolkit\":\"cloth\",\"at\":7}]",
		    NULL },
		{ FACTS("", "\"A\":\"weave it\"",
		      "\"cloth\":{\"provider\":\"loom\",\"found\":false}"),
		    "[{\"type\":\"unknown_tool\",\"message\":\"there is no "
		    "tool A: weave it\",\"tool\":\"A\"},"
		    "{\"type\":\"unknown_toolkit\",\"message\":\"there is no "
		    "toolkit cloth\",\"toolkit\":\"cloth\"}]",
		    NULL },
		/* of the model, what is known is judged */
		{ FACTS(TOOL("A", ""), "",
		      "\"cloth\":" TOOLKIT(
			  "") "},\"model\":{"
			      "\"found\":false,\"advice\":\"spin it\""),
		    "[{\"type\":\"model\",\"message\":\"there is no model "
		    "claude-opus-5-5: spin it\",\"member\":\"model\"}]",
		    NULL },
		{ FACTS(TOOL("A", ""), "",
		      "\"cloth\":" TOOLKIT(
			  "") "},\"model\":{"
			      "\"found\":true,\"max_tokens\":31999"),
		    "[{\"type\":\"model\",\"message\":\"max_tokens is 32000, "
		    "and claude-opus-5-5 gives at most 31999\","
		    "\"member\":\"max_tokens\"}]",
		    NULL },
		{ FACTS(TOOL("A", ""), "",
		      "\"cloth\":" TOOLKIT("") "},\"model\":{"
					       "\"found\":true"),
		    "[]", "\"name\":\"A\"" },
	};
	struct preflight preflight;
	struct fail fail;
	char *reasons;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (run(rows[i].facts, &preflight, &fail) < 0)
			fail_msg("row %zu: %s", i, fail.message);
		reasons = json_text(preflight.reasons);
		assert_string_equal(reasons, rows[i].reasons);
		if (rows[i].pins != NULL)
			assert_non_null(
			    strstr(preflight.pins.data, rows[i].pins));
		if (i == 3) {
			assert_int_equal(preflight.link_count, 1);
			assert_string_equal(preflight.links[0].provider,
			    "loom");
			assert_string_equal(preflight.links[0].from, "l");
		}
		free(reasons);
		preflight_release(&preflight);
	}
}

static void
nothing_passes_on_missing_facts(void **state)
{
	static const char *const rows[] = {
		"null",
		"{}",
		"{\"tools\":[],\"missing_tools\":{}}",
		/* the toolkit that the task names is not there */
		FACTS(TOOL("A", ""), "", ""),
		/* a tool neither there nor missing */
		FACTS(TOOL("B", ""), "", "\"cloth\":" TOOLKIT("")),
		FACTS("{\"name\":\"A\"}", "", "\"cloth\":" TOOLKIT("")),
		FACTS(TOOL("A", ""), "", "\"cloth\":{\"found\":true}"),
		FACTS(TOOL("A", ""), "", "\"cloth\":{\"provider\":\"loom\"}"),
		FACTS(TOOL("A", ""), "",
		    "\"cloth\":" TOOLKIT(",\"connection\":{}")),
		FACTS(TOOL("A", ""), "",
		    "\"cloth\":" TOOLKIT(",\"connection\":{\"state\":"
					 "\"active\"}")),
	};
	struct preflight preflight;
	struct fail fail;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (run(rows[i], &preflight, &fail) == 0)
			fail_msg("row %zu passed", i);
		assert_int_equal(fail.kind, FAIL_NOT_NOW);
		assert_string_equal(fail.type, "upstream");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hints_and_connections),
		cmocka_unit_test(nothing_passes_on_missing_facts),
	};
	struct fail fail;
	int failed;

	cmocka_set_message_output(CM_OUTPUT_TAP);
	if (config_parse(NULL, 0, &config, &fail) < 0)
		return 1;
	failed = cmocka_run_group_tests_name("preflight", tests, NULL, NULL);
	config_release(&config);
	return failed;
}
