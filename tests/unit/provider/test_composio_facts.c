/* SPDX-License-Identifier: ISC */
/*
 * Composio's objects, translated and judged: every reason is told, nothing
 * passes on missing facts, and what passes is pinned.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/agent/preflight.h"
#include "common/base/clock.h"
#include "common/json/json.h"
#include "common/provider/composio_internal.h"

#define TOOL(slug, toolkit, more) \
	"{\"slug\":\"" slug "\",\"toolkit\":" \
	"{\"slug\":\"" toolkit "\"},\"version\":\"20261101_00\"," \
	"\"input_parameters\":{\"type\":\"object\"}" more "}"
#define READ ",\"tags\":[\"readOnlyHint\"]"
#define ACCOUNT(id, toolkit, status, made, more) \
	"{\"id\":\"" id "\"," \
	"\"toolkit\":{\"slug\":\"" toolkit "\"},\"status\":\"" status "\"," \
	"\"created_at\":\"" made "\"" more "}"
#define MONDAY "2026-11-23T08:00:00.000Z"
#define TUESDAY "2026-11-24T08:00:00.000Z"

#define GMAIL_TOOLS \
	TOOL("GMAIL_FETCH_EMAILS", "gmail", READ) \
	"," TOOL("GMAIL_CREATE_EMAIL_DRAFT", "gmail", "")
#define LINEAR_TOOLS TOOL("LINEAR_CREATE_LINEAR_ISSUE", "linear", "")
#define GMAIL_KNOWN "\"gmail\":{\"found\":true,\"no_auth\":false}"
#define LINEAR_KNOWN "\"linear\":{\"found\":true,\"no_auth\":false}"

#define FREE_TOOL(slug, parameters) \
	"{\"slug\":\"" slug "\",\"toolkit\":{\"slug\":\"n\"}," \
	"\"version\":\"1\",\"no_auth\":true," \
	"\"input_parameters\":" parameters "}"
#define NEEDS(slug, all) \
	TOOL(slug, "n", ",\"scope_requirements\":{\"all_of\":[" all "]}")
#define GRANTS(scopes) \
	ACCOUNT("ca_1", "n", "ACTIVE", MONDAY, \
	    ",\"state\":{\"val\":{\"scope\":\"" scopes "\"}}")
#define TWO_LIVE \
	ACCOUNT("ca_1", "gmail", "ACTIVE", MONDAY, ",\"alias\":\"work\"") \
	"," ACCOUNT("ca_2", "gmail", "ACTIVE", TUESDAY, \
	    ",\"alias\":null,\"word_id\":\"gmail_red-castle\"")

struct facts {
	const char *tools, *missing, *toolkits, *accounts, *auth_configs;
};

static struct config config;

static cJSON *
make_facts(const struct facts *facts)
{
	struct fail fail;
	char text[20000];
	cJSON *value;

	snprintf(text, sizeof(text),
	    "{\"tools\":[%s],\"missing_tools\":[%s],"
	    "\"toolkits\":{%s},\"accounts\":[%s],\"auth_configs\":{%s}}",
	    facts->tools != NULL ? facts->tools : "",
	    facts->missing != NULL ? facts->missing : "",
	    facts->toolkits != NULL ? facts->toolkits : "",
	    facts->accounts != NULL ? facts->accounts : "",
	    facts->auth_configs != NULL ? facts->auth_configs : "");
	value = json_parse(text, strlen(text), &json_limits_upstream, &fail);
	if (value == NULL)
		fail_msg("%s", fail.message);
	return value;
}

static int
run(const char *members, cJSON *raw, struct preflight *ret, struct fail *fail)
{
	struct task task;
	cJSON *facts;
	char text[2000];
	cJSON *value;
	int result;

	snprintf(text, sizeof(text), "{\"user\":\"u\",\"goal\":\"g\"%s%s}",
	    members[0] != '\0' ? "," : "", members);
	value = json_parse(text, strlen(text), &json_limits_task, fail);
	if (value == NULL || task_check(value, &config, &task, fail) < 0)
		fail_msg("%s", fail->message);
	facts = preflight_no_facts();
	result = composio_translate(raw, &task, clock_wall(), facts, fail);
	if (result == 0)
		result = preflight_check(&task, &config, facts, ret, fail);
	cJSON_Delete(facts);
	task_release(&task);
	return result;
}

/* The reasons as "type:subject type:subject", or "" when it passed. */
static char *
reasons_of(const char *members, const struct facts *facts)
{
	struct preflight preflight;
	struct buf text = BUF_INIT(10000);
	struct fail fail;
	const cJSON *reason;
	cJSON *value = make_facts(facts);
	const char *subject;

	if (run(members, value, &preflight, &fail) < 0)
		fail_msg("%s", fail.message);
	buf_add_string(&text, "");
	cJSON_ArrayForEach (reason, preflight.reasons) {
		subject = json_string(reason, "toolkit");
		if (subject == NULL)
			subject = json_string(reason, "tool");
		if (subject == NULL)
			subject = json_string(reason, "member");
		buf_print(&text, "%s%s:%s", text.length > 0 ? " " : "",
		    json_string(reason, "type"), subject);
		assert_non_null(json_string(reason, "message"));
	}
	/* pins if and only if it passed */
	assert_int_equal(preflight.pins.length > 0,
	    preflight.reasons->child == NULL);
	preflight_release(&preflight);
	cJSON_Delete(value);
	return buf_detach(&text, NULL);
}

static void
reasons(void **state)
{
	static const struct {
		const char *name, *members;
		struct facts facts;
		const char *wanted;
	} rows[] = {
		{ "a task that only thinks", "", { .tools = NULL }, "" },
		{ "all of a toolkit", "\"toolkits\":[\"gmail\"]",
		    { .tools = GMAIL_TOOLS,
			.toolkits = GMAIL_KNOWN,
			.accounts = ACCOUNT("ca_1", "gmail", "ACTIVE", MONDAY,
			    "") },
		    "" },
		{ "no account", "\"toolkits\":[\"gmail\"]",
		    { .tools = GMAIL_TOOLS, .toolkits = GMAIL_KNOWN },
		    "connection_missing:gmail" },
		{ "another toolkit's account", "\"toolkits\":[\"gmail\"]",
		    { .tools = GMAIL_TOOLS,
			.toolkits = GMAIL_KNOWN,
			.accounts = ACCOUNT("ca_1", "linear", "ACTIVE", MONDAY,
			    "") },
		    "connection_missing:gmail" },
		{ "an expired account", "\"toolkits\":[\"gmail\"]",
		    { .tools = GMAIL_TOOLS,
			.toolkits = GMAIL_KNOWN,
			.accounts = ACCOUNT("ca_1", "gmail", "EXPIRED", MONDAY,
			    "") },
		    "connection_not_active:gmail" },
		{ "a status nobody knows", "\"toolkits\":[\"gmail\"]",
		    { .tools = GMAIL_TOOLS,
			.toolkits = GMAIL_KNOWN,
			.accounts = ACCOUNT("ca_1", "gmail", "DREAMING", MONDAY,
			    "") },
		    "connection_not_active:gmail" },
		{ "a disabled account", "\"toolkits\":[\"gmail\"]",
		    { .tools = GMAIL_TOOLS,
			.toolkits = GMAIL_KNOWN,
			.accounts = ACCOUNT("ca_1", "gmail", "ACTIVE", MONDAY,
			    ",\"is_disabled\":true") },
		    "connection_disabled:gmail" },
		{ "a disabled auth config", "\"toolkits\":[\"gmail\"]",
		    { .tools = GMAIL_TOOLS,
			.toolkits = GMAIL_KNOWN,
			.accounts = ACCOUNT("ca_1", "gmail", "ACTIVE", MONDAY,
			    ",\"auth_config\":{\"id\":\"ac_1\",\"is_disabled\":true}") },
		    "connection_disabled:gmail" },
		{ "an active one behind an expired one",
		    "\"toolkits\":[\"gmail\"]",
		    { .tools = GMAIL_TOOLS,
			.toolkits = GMAIL_KNOWN,
			.accounts = ACCOUNT("ca_2", "gmail", "EXPIRED", TUESDAY,
			    "") "," ACCOUNT("ca_1", "gmail", "ACTIVE", MONDAY,
			    "") },
		    "" },
		{ "all of them at once",
		    "\"toolkits\":[\"linear\",\"nosuch\","
		    "\"gmail\"],\"tools\":[\"GMAIL_NOSUCH\",\"X_*\","
		    "\"LINEAR_OLD\",\"GMAIL_FETCH_EMAILS\"],"
		    "\"model\":\"strange\",\"budget\":{\"usd\":1,\"tokens\":9}",
		    { .tools = GMAIL_TOOLS "," TOOL("LINEAR_OLD", "linear",
			  ",\"is_deprecated\":true"),
			.missing = "\"GMAIL_NOSUCH\"",
			.toolkits = GMAIL_KNOWN "," LINEAR_KNOWN
						",\"nosuch\":{\"found\":false}",
			.accounts = ACCOUNT("ca_1", "gmail", "REVOKED", MONDAY,
			    "") },
		    "unknown_tool:GMAIL_NOSUCH no_tool_matches:X_* "
		    "deprecated_tool:LINEAR_OLD connection_missing:linear "
		    "unknown_toolkit:nosuch connection_not_active:gmail "
		    "budget:budget.usd budget:budget.tokens" },
		{ "a tool brings its toolkit along",
		    "\"tools\":[\"LINEAR_CREATE_LINEAR_ISSUE\"]",
		    { .tools = LINEAR_TOOLS }, "connection_missing:linear" },
		{ "a toolkit's own no_auth", "\"toolkits\":[\"news\"]",
		    { .tools = TOOL("NEWS_GET", "news", ""),
			.toolkits =
			    "\"news\":{\"found\":true,\"no_auth\":true}" },
		    "" },
		{ "a tool's own no_auth", "\"tools\":[\"NEWS_GET\"]",
		    { .tools = TOOL("NEWS_GET", "news", ",\"no_auth\":true") },
		    "" },
		{ "a schema that the model cannot take",
		    "\"tools\":[\"A\",\"B\"]",
		    { .tools =
			    "{\"slug\":\"A\",\"toolkit\":{\"slug\":\"n\"},"
			    "\"version\":\"1\",\"no_auth\":true,\"input_parameters\":"
			    "{\"type\":\"object\",\"anyOf\":[{\"properties\":{}}]}},"
			    "{\"slug\":\"B\",\"toolkit\":{\"slug\":\"n\"},"
			    "\"version\":\"1\",\"no_auth\":true,"
			    "\"input_parameters\":{\"type\":\"array\"}}" },
		    "tool_refused:A tool_refused:B" },
		{ "tools without parameters", "\"tools\":[\"A\",\"B\",\"C\"]",
		    { .tools = FREE_TOOL("A", "{}") "," FREE_TOOL("B",
			  "null") "," FREE_TOOL("C",
			  "{\"type\":\"object\",\"properties\":"
			  "{\"$a\":{}}}") },
		    "" },
		{ "two live accounts and no choice", "\"toolkits\":[\"gmail\"]",
		    { .tools = GMAIL_TOOLS,
			.toolkits = GMAIL_KNOWN,
			.accounts = TWO_LIVE },
		    "connection_several:gmail" },
		{ "a choice by alias",
		    "\"toolkits\":[\"gmail\"],"
		    "\"accounts\":{\"gmail\":\"work\"}",
		    { .tools = GMAIL_TOOLS,
			.toolkits = GMAIL_KNOWN,
			.accounts = TWO_LIVE },
		    "" },
		{ "a choice that is not there",
		    "\"toolkits\":[\"gmail\"],"
		    "\"accounts\":{\"gmail\":\"home\"}",
		    { .tools = GMAIL_TOOLS,
			.toolkits = GMAIL_KNOWN,
			.accounts = TWO_LIVE },
		    "connection_missing:gmail" },
		{ "another user's account", "\"toolkits\":[\"gmail\"]",
		    { .tools = GMAIL_TOOLS,
			.toolkits = GMAIL_KNOWN,
			.accounts = ACCOUNT("ca_1", "gmail", "ACTIVE", MONDAY,
			    ",\"user_id\":\"v\"") },
		    "connection_missing:gmail" },
		{ "scopes that are granted, or not known to lack",
		    "\"tools\":[\"A\",\"B\",\"C\",\"D\",\"E\"]",
		    { .tools = NEEDS("A", "\"x.send\"") "," NEEDS("B",
			  "{\"any_of\":[\"x.all\",\"https://a.test/x.send\"]}") "," NEEDS("C",
			  "\"x.readonly\"") "," NEEDS("D",
			  "{\"any_of\":[\"y\"],\"when\":\"z\"}") "," NEEDS("E",
			  "\"https://a.test/auth/gmail.compose\""),
			.accounts = GRANTS("https://a.test/auth/x.send, "
					   "https://mail.google.com/") },
		    "" },
		{ "scopes of which nothing is known", "\"tools\":[\"A\"]",
		    { .tools = NEEDS("A", "\"x.send\""),
			.accounts = GRANTS(" ") },
		    "" },
		{ "scopes that lack", "\"tools\":[\"A\",\"B\",\"C\"]",
		    { .tools = NEEDS("A", "\"x.send\",\"x.read\"") "," NEEDS(
			  "B", "{\"any_of\":[\"y\",\"z\"]}") "," NEEDS("C",
			  "\"x.read\""),
			.accounts = GRANTS("x.read") },
		    "connection_scope:n" },
		{ "a tool that nobody named is left out",
		    "\"toolkits\":[\"n\"]",
		    { .tools = NEEDS("A", "\"x.send\"") "," NEEDS("B",
			  "\"x.read\""),
			.toolkits = "\"n\":{\"found\":true}",
			.accounts = GRANTS("x.read") },
		    "" },
		{ "but not the last one", "\"toolkits\":[\"n\"]",
		    { .tools = NEEDS("A", "\"x.send\""),
			.toolkits = "\"n\":{\"found\":true}",
			.accounts = GRANTS("x.read") },
		    "connection_scope:n" },
		{ "effort for a model that takes none",
		    "\"model\":\"claude-haiku-4-5\",\"effort\":\"low\"",
		    { .tools = NULL }, "request_refused:model" },
		{ "a deprecated one is not among all",
		    "\"toolkits\":[\"news\"]",
		    { .tools = TOOL("NEWS_OLD", "news",
			  ",\"is_deprecated\":true") "," TOOL("NEWS_GET",
			  "news", ""),
			.toolkits =
			    "\"news\":{\"found\":true,\"no_auth\":true}" },
		    "" },
	};
	size_t i;
	char *got;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		got = reasons_of(rows[i].members, &rows[i].facts);
		if (strcmp(got, rows[i].wanted) != 0)
			fail_msg("%s: %s", rows[i].name, got);
		free(got);
	}
}

static void
each_status_has_its_own_words(void **state)
{
	static const char *const statuses[] = {
		"INITIALIZING",
		"INITIATED",
		"EXPIRED",
		"FAILED",
		"INACTIVE",
		"REVOKED",
		"DREAMING",
	};
	char messages[7][1300], account[400];
	struct facts facts = { .tools = GMAIL_TOOLS,
		.toolkits = GMAIL_KNOWN,
		.accounts = account };
	struct preflight preflight;
	struct fail fail;
	const cJSON *reason;
	cJSON *value;
	char *at;
	size_t i, j;

	(void)state;
	for (i = 0; i < 7; i++) {
		snprintf(account, sizeof(account),
		    ACCOUNT("ca_1", "gmail", "%s", MONDAY,
			",\"status_reason\":\"because\""),
		    statuses[i]);
		value = make_facts(&facts);
		assert_int_equal(run("\"toolkits\":[\"gmail\"]", value,
				     &preflight, &fail),
		    0);
		reason = cJSON_GetArrayItem(preflight.reasons, 0);
		assert_string_equal(json_string(reason, "status"), statuses[i]);
		assert_string_equal(json_string(reason, "status_reason"),
		    "because");
		snprintf(messages[i], sizeof(messages[i]), "%s",
		    json_string(reason, "message"));
		assert_non_null(strstr(messages[i], "because"));
		/* distinct in words, not only by the status itself */
		at = strstr(messages[i], statuses[i]);
		assert_non_null(at);
		*at = '\0';
		for (j = 0; j < i; j++)
			assert_string_not_equal(messages[i], messages[j]);
		assert_int_equal(preflight.link_count, 1);
		preflight_release(&preflight);
		cJSON_Delete(value);
	}
}

static void
links_say_what_to_connect_with(void **state)
{
	static const struct facts facts = {
		.tools = GMAIL_TOOLS "," LINEAR_TOOLS,
		.toolkits = GMAIL_KNOWN "," LINEAR_KNOWN
					",\"slack\":{\"found\":true}",
		.accounts = ACCOUNT("ca_1", "gmail", "EXPIRED", MONDAY,
		    ",\"auth_config\":{\"id\":\"ac_own\"}"),
		.auth_configs = "\"gmail\":[\"ac_g\"],"
				"\"linear\":[\"ac_l\",\"ac_2\"],\"slack\":[]",
	};
	struct preflight preflight;
	struct fail fail;
	cJSON *value = make_facts(&facts);

	(void)state;
	assert_int_equal(run("\"toolkits\":[\"gmail\",\"linear\",\"slack\"]",
			     value, &preflight, &fail),
	    0);
	assert_int_equal(preflight.link_count, 3);
	assert_string_equal(preflight.links[0].toolkit, "gmail");
	assert_string_equal(preflight.links[0].from, "ac_own");
	assert_string_equal(preflight.links[1].from, "ac_l");
	assert_string_equal(preflight.links[2].from, "");
	assert_int_equal(preflight.links[2].reason, 2);
	preflight_release(&preflight);
	cJSON_Delete(value);
}

/* An abandoned link says less than the account before it, and is told again as
 * long as it is young. */
static void
a_young_link_is_told_again(void **state)
{
	char now[CLOCK_TEXT], account[1000];
	struct facts facts = { .tools = GMAIL_TOOLS,
		.toolkits = GMAIL_KNOWN,
		.accounts = account };
	struct preflight preflight;
	struct fail fail;
	const cJSON *reason, *open;
	cJSON *value;
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		clock_format(clock_wall() - (i == 0 ? 60000 : 6 * 60000), now);
		snprintf(account, sizeof(account),
		    ACCOUNT("ca_1", "gmail", "EXPIRED", MONDAY,
			"") "," ACCOUNT("ca_2", "gmail", "INITIATED", "%s",
			",\"state\":{\"val\":{\"redirectUrl\":\"http://x\"}}"),
		    now);
		value = make_facts(&facts);
		assert_int_equal(run("\"toolkits\":[\"gmail\"]", value,
				     &preflight, &fail),
		    0);
		reason = cJSON_GetArrayItem(preflight.reasons, 0);
		assert_string_equal(json_string(reason, "status"), "EXPIRED");
		assert_int_equal(preflight.link_count, 1);
		open = preflight.links[0].open;
		if (i == 0) {
			assert_string_equal(json_string(open, "url"),
			    "http://x");
			assert_string_equal(json_string(open, "account"),
			    "ca_2");
			assert_non_null(json_string(open, "expires_at"));
		} else {
			assert_null(open);
		}
		preflight_release(&preflight);
		cJSON_Delete(value);
	}
}

static void
what_passes_is_pinned(void **state)
{
	static const struct facts facts = {
		.tools = GMAIL_TOOLS
		"," LINEAR_TOOLS "," TOOL("GMAIL_DELETE", "gmail",
		    ",\"tags\":[\"idempotentHint\",\"destructiveHint\"]") "," TOOL("LINEAR_SET",
		    "linear", ",\"tags\":[\"idempotentHint\"]"),
		.toolkits = GMAIL_KNOWN "," LINEAR_KNOWN,
		.accounts = ACCOUNT("ca_9", "gmail", "ACTIVE", MONDAY,
		    "") "," ACCOUNT("ca_1", "gmail", "ACTIVE", TUESDAY,
		    "") "," ACCOUNT("ca_a", "linear", "ACTIVE", MONDAY,
		    "") "," ACCOUNT("ca_b", "linear", "ACTIVE", MONDAY, ""),
	};
	static const struct {
		const char *slug, *account;
		bool repeatable;
	} wanted[] = {
		{ "LINEAR_SET", "ca_b", true },
		{ "GMAIL_FETCH_EMAILS", "ca_1", true },
		{ "GMAIL_CREATE_EMAIL_DRAFT", "ca_1", false },
		{ "GMAIL_DELETE", "ca_1", false },
	};
	struct preflight preflight;
	struct fail fail;
	struct buf text = BUF_INIT(1u << 20);
	cJSON *value = make_facts(&facts), *pins;
	const cJSON *tools, *tool;
	char *accounts;
	int i;

	(void)state;
	assert_int_equal(
	    run("\"toolkits\":[\"gmail\",\"linear\"],"
		"\"accounts\":{\"gmail\":\"ca_1\",\"linear\":\"ca_b\"},"
		"\"tools\":[\"LINEAR_SET\",\"GMAIL_*\",\"GMAIL_FETCH_*\"]",
		value, &preflight, &fail),
	    0);
	assert_null(preflight.reasons->child);
	accounts = json_text(preflight.accounts);
	assert_string_equal(accounts,
	    "{\"gmail\":\"ca_1\",\"linear\":\"ca_b\"}");
	buf_print(&text, "{%s}", preflight.pins.data);
	pins = json_parse(text.data, text.length, &json_limits_upstream, &fail);
	assert_non_null(pins);
	tools = cJSON_GetObjectItem(pins, "tools");
	assert_int_equal(cJSON_GetArraySize(tools), 4);
	for (i = 0; i < 4; i++) {
		tool = cJSON_GetArrayItem(tools, i);
		assert_string_equal(json_string(tool, "slug"), wanted[i].slug);
		assert_string_equal(json_string(tool, "account"),
		    wanted[i].account);
		assert_int_equal(json_true(tool, "repeatable"),
		    wanted[i].repeatable);
	}
	cJSON_Delete(pins);
	cJSON_Delete(value);
	free(accounts);
	buf_release(&text);
	preflight_release(&preflight);
}

static void
too_many_tools(void **state)
{
	struct buf tools = BUF_INIT(1u << 20);
	struct facts facts = {
		.toolkits = "\"news\":{\"found\":true,\"no_auth\":true}"
	};
	struct preflight preflight;
	struct fail fail;
	cJSON *value;
	char *got;
	int i;

	(void)state;
	for (i = 0; i < 129; i++)
		buf_print(&tools, "%s" TOOL("N%d", "news", ""),
		    i > 0 ? "," : "", i);
	facts.tools = tools.data;
	got = reasons_of("\"toolkits\":[\"news\"]", &facts);
	assert_string_equal(got, "too_many_tools:tools");
	free(got);
	/* the important ones are taken, if there are any */
	buf_add_string(&tools,
	    "," TOOL("N", "news", ",\"tags\":[\"important\"]"));
	facts.tools = tools.data;
	value = make_facts(&facts);
	assert_int_equal(run("\"toolkits\":[\"news\"]", value, &preflight,
			     &fail),
	    0);
	assert_int_equal(cJSON_GetArraySize(preflight.tools), 1);
	assert_int_equal(cJSON_GetArraySize(preflight.warnings), 1);
	preflight_release(&preflight);
	cJSON_Delete(value);
	buf_release(&tools);
}

static void
nothing_passes_on_missing_facts(void **state)
{
	static const char *const rows[] = {
		"null",
		"[]",
		"{}",
		"{\"tools\":[],\"missing_tools\":[],\"toolkits\":{},"
		"\"accounts\":[]}",
		/* the toolkit that the task names is not there */
		"{\"tools\":[],\"missing_tools\":[\"A\"],\"toolkits\":{},"
		"\"accounts\":[],\"auth_configs\":{}}",
		/* a tool neither there nor missing */
		"{\"tools\":[],\"missing_tools\":[],\"toolkits\":{\"gmail\":"
		"{\"found\":true}},\"accounts\":[],\"auth_configs\":{}}",
		"{\"tools\":[],\"missing_tools\":[\"A\"],\"toolkits\":"
		"{\"gmail\":{}},\"accounts\":[],\"auth_configs\":{}}",
		"{\"tools\":[{\"slug\":\"A\"}],\"missing_tools\":[],"
		"\"toolkits\":{\"gmail\":{\"found\":true}},"
		"\"accounts\":[],\"auth_configs\":{}}",
		"{\"tools\":[],\"missing_tools\":[\"A\"],\"toolkits\":"
		"{\"gmail\":{\"found\":true}},\"accounts\":[{\"id\":"
		"\"ca_1\"}],\"auth_configs\":{}}",
	};
	struct preflight preflight;
	struct fail fail;
	cJSON *value;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		value = cJSON_Parse(rows[i]);
		assert_non_null(value);
		assert_int_equal(run("\"toolkits\":[\"gmail\"],"
				     "\"tools\":[\"A\"]",
				     value, &preflight, &fail),
		    -1);
		assert_int_equal(fail.kind, FAIL_NOT_NOW);
		assert_string_equal(fail.type, "upstream");
		cJSON_Delete(value);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reasons),
		cmocka_unit_test(each_status_has_its_own_words),
		cmocka_unit_test(links_say_what_to_connect_with),
		cmocka_unit_test(a_young_link_is_told_again),
		cmocka_unit_test(what_passes_is_pinned),
		cmocka_unit_test(too_many_tools),
		cmocka_unit_test(nothing_passes_on_missing_facts),
	};
	struct fail fail;
	int failed;

	cmocka_set_message_output(CM_OUTPUT_TAP);
	if (config_parse(NULL, 0, &config, &fail) < 0)
		return 1;
	failed = cmocka_run_group_tests_name("composio facts", tests, NULL,
	    NULL);
	config_release(&config);
	return failed;
}
