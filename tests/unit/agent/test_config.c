/* SPDX-License-Identifier: ISC */
/*
 * config: defaults, every member, faults by their path, prices and patterns.
 */
#include "common/agent/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/file.h"

static int
parse(const char *text, struct config *config, struct fail *fail)
{
	return config_parse(text, strlen(text), config, fail);
}

static void
defaults(void **state)
{
	static const char *const nothing[] = { NULL, "{}", "# nothing\n", "" };
	struct config config;
	struct fail fail;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(nothing) / sizeof(nothing[0]); i++) {
		assert_int_equal(config_parse(nothing[i],
				     nothing[i] != NULL ? strlen(nothing[i])
							: 0,
				     &config, &fail),
		    0);
		assert_null(config.store);
		assert_null(config.effort);
		assert_string_equal(config.model, "claude-opus-5-5");
		assert_int_equal(config.max_tokens, 32000);
		assert_int_equal(config.turn_ms, 0);
		assert_int_equal(config.idle_ms, 120000);
		assert_int_equal(config.settle_ms, 180000);
		assert_int_equal(config.lease_ms, 60000);
		assert_int_equal(config.tool_count, 0);
		assert_string_equal(config.composio_url,
		    "https://backend.composio.dev");
		config_release(&config);
	}
}

static void
every_member(void **state)
{
	static const char text[] =
	    "store: /tmp/store\n"
	    "engine: temporal://temporal-frontend.temporal.svc.cluster."
	    "local:7233/default\n"
	    "anthropic: {url: 'http://127.0.0.1:8080/v1/'}\n"
	    "composio: {url: https://composio.example}\n"
	    "model: claude-sonnet-5-5\n"
	    "effort: low\n"
	    "max_tokens: 8000\n"
	    "system: Be brief.\n"
	    "timezone: Europe/Berlin\n"
	    "prices:\n"
	    "  mine: {input: 1, output: 2.5}\n"
	    "  claude-opus-5-5: {input: 3, output: 15, cache_read: 0.125,\n"
	    "    cache_write_5m: 4, cache_write_1h: 6}\n"
	    "tools:\n"
	    "  GMAIL_SEND_*: {on_unknown: ask}\n"
	    "  GMAIL_*: {repeatable: true, on_unknown: retry}\n"
	    "context_tokens: 300000\n"
	    "result_bytes: 5000\n"
	    "attempts: 3\n"
	    "time_limits: {turn: 600, idle: 1.5, call: 20, settle: 2}\n"
	    "worker: {concurrency: 4, grace: 5, lease: 10}\n"
	    "limits: {running_per_user: 2, running_per_queue: 8,\n"
	    "  run_events: 40, run_bytes: 1000, store_bytes: 1000000000}\n";
	const struct tool_rule *rule;
	const struct price *price;
	struct config config;
	struct fail fail;

	(void)state;
	if (parse(text, &config, &fail) < 0)
		fail_msg("%s", fail.message);
	assert_string_equal(config.store, "/tmp/store");
	assert_string_equal(config.anthropic_url, "http://127.0.0.1:8080");
	assert_string_equal(config.effort, "low");
	assert_string_equal(config.timezone, "Europe/Berlin");
	assert_int_equal(config.idle_ms, 1500);
	assert_int_equal(config.settle_ms, 2000);
	assert_int_equal(config.turn_ms, 600000);
	assert_int_equal(config.concurrency, 4);
	assert_int_equal(config.run_events, 40);
	assert_int_equal(config.run_bytes, 1000);
	assert_int_equal(config.store_bytes, 1000000000);
	price = config_price(&config, "mine");
	assert_int_equal(price->input, 1000);
	assert_int_equal(price->output, 2500);
	assert_int_equal(price->cache_read, 100);
	assert_int_equal(price->cache_write_5m, 1250);
	assert_int_equal(price->cache_write_1h, 2000);
	price = config_price(&config, "claude-opus-5-5");
	assert_int_equal(price->output, 15000);
	assert_int_equal(price->cache_read, 125);
	rule = config_tool(&config, "GMAIL_SEND_EMAIL");
	assert_int_equal(rule->on_unknown, ON_UNKNOWN_ASK);
	assert_false(rule->has_repeatable);
	rule = config_tool(&config, "GMAIL_FETCH_EMAILS");
	assert_true(rule->repeatable);
	assert_int_equal(rule->on_unknown, ON_UNKNOWN_RETRY);
	assert_null(config_tool(&config, "LINEAR_X"));
	config_release(&config);
}

static void
built_in_prices(void **state)
{
	static const struct {
		const char *model;
		int64_t input, output, read, write;
	} rows[] = {
		{ "claude-opus-5-5", 4000, 20000, 200, 5000 },
		{ "claude-haiku-5-5", 100, 500, 10, 125 },
		{ "claude-fable-5-1", 10000, 50000, 250, 12500 },
		{ "claude-haiku-4-5-20251001", 1000, 5000, 100, 1250 },
		{ "claude-sonnet-4-5", 3000, 15000, 300, 3750 },
	};
	const struct price *haiku;
	const struct price *price;
	struct config config;
	struct fail fail;
	size_t i;

	(void)state;
	assert_int_equal(config_parse(NULL, 0, &config, &fail), 0);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		price = config_price(&config, rows[i].model);
		assert_non_null(price);
		assert_int_equal(price->input, rows[i].input);
		assert_int_equal(price->output, rows[i].output);
		assert_int_equal(price->cache_read, rows[i].read);
		assert_int_equal(price->cache_write_5m, rows[i].write);
		assert_int_equal(price->cache_write_1h, rows[i].input * 2);
	}
	haiku = config_price(&config, "claude-haiku-5-5");
	assert_ptr_equal(config_price_step(haiku, 100000), haiku);
	haiku = config_price_step(haiku, 100001);
	assert_int_equal(haiku->input, 500);
	assert_int_equal(haiku->output, 2500);
	assert_int_equal(haiku->cache_read, 50);
	assert_null(config_price_step(NULL, 1));
	assert_null(config_price(&config, "claude-unheard-of"));
	config_release(&config);
}

static void
faults_name_the_member(void **state)
{
	static const struct {
		const char *text, *said;
	} rows[] = {
		{ "stroe: /x", "unknown member stroe: did you mean store?" },
		{ "worker: {leese: 5}", "did you mean worker.lease?" },
		{ "worker: 5", "worker must be an object" },
		{ "worker: {lease: 0}", "worker.lease must be a number" },
		{ "time_limits: {call: x}", "time_limits.call must be" },
		{ "max_tokens: 0", "max_tokens must be a whole number" },
		{ "attempts: 1.5", "attempts must be a whole number" },
		{ "effort: huge", "effort must be one of low" },
		{ "anthropic: {url: ftp://x}", "anthropic.url must be" },
		{ "composio: {url: 'http:///x'}", "composio.url must be" },
		{ "prices: {m: {input: 1}}", "prices.m.output is missing" },
		{ "prices: {m: {input: 1, output: -2}}", "prices.m.output" },
		{ "prices: {m: {input: 0.0001, output: 1}}", "prices.m.input" },
		{ "prices: {m: {input: 1, output: 1, above: {x: {input: 1, "
		  "output: 1}}}}",
		    "prices.m.above" },
		{ "prices: {m: {input: 1, output: 1, above: {\"9\": {input: 1}}}}",
		    "prices.m.above.9.output is missing" },
		{ "tools: {A B: {repeatable: true}}",
		    "tools has a member \"A B\"" },
		{ "tools: {A: {repeatable: yes}}",
		    "tools.A.repeatable must be true or false, not \"yes\"" },
		{ "tools: {A: {on_unknown: maybe}}",
		    "tools.A.on_unknown must be one of tell, retry or ask" },
		{ "tools: [A]", "tools must be an object" },
		{ "probes: [A]", "probes must be an object" },
		{ "probes: {gmail: a b}", "probes.gmail must be" },
		{ "[]", "the document must be an object" },
		{ "a: [", "line" },
	};
	struct config config;
	struct fail fail;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(parse(rows[i].text, &config, &fail), -1);
		assert_int_equal(fail.kind, FAIL_NEVER);
		assert_string_equal(fail.type, "invalid_config");
		if (strstr(fail.message, rows[i].said) == NULL)
			fail_msg("%s: %s", rows[i].text, fail.message);
	}
}

static void
patterns(void **state)
{
	static const struct {
		const char *glob, *name;
		bool matches;
	} rows[] = {
		{ "GMAIL_*", "GMAIL_FETCH_EMAILS", true },
		{ "GMAIL_*", "GMAIL_", true },
		{ "GMAIL_*", "GMAIL", false },
		{ "gmail_*", "GMAIL_FETCH_EMAILS", false },
		{ "*", "", true },
		{ "", "", true },
		{ "", "A", false },
		{ "*_LIST_*", "LINEAR_LIST_TEAMS", true },
		{ "*_LIST", "A_LIST_LIST", true },
		{ "A?C", "ABC", true },
		{ "A?C", "AC", false },
		{ "A[BC]D", "ACD", true },
		{ "A[A-C]D", "ABD", true },
		{ "A[A-C]D", "AXD", false },
		{ "A[!B]D", "ABD", false },
		{ "A[^B]D", "ACD", true },
		{ "A[]]D", "A]D", true },
		{ "A[B", "A[B", true },
		{ "A[B", "AB", false },
		{ "A[", "A[", true },
		{ "*A*A*A*A*A*A*A*A*A*B",
		    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		    false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (config_glob(rows[i].glob, rows[i].name) != rows[i].matches)
			fail_msg("%s and %s", rows[i].glob, rows[i].name);
}

static void
the_example_says_what_holds_anyway(void **state)
{
	struct buf text = BUF_INIT(1u << 20);
	struct config example, built_in;
	struct fail fail;

	(void)state;
	if (file_read("scripts/examples/agent.yaml", &text, &fail) < 0)
		skip();
	if (config_parse(text.data, text.length, &example, &fail) < 0)
		fail_msg("%s", fail.message);
	assert_int_equal(config_parse(NULL, 0, &built_in, &fail), 0);
	assert_string_equal(example.anthropic_url, built_in.anthropic_url);
	assert_string_equal(example.composio_url, built_in.composio_url);
	assert_string_equal(example.model, built_in.model);
	assert_int_equal(example.max_tokens, built_in.max_tokens);
	assert_int_equal(example.context_tokens, built_in.context_tokens);
	assert_int_equal(example.result_bytes, built_in.result_bytes);
	assert_int_equal(example.result_bytes_max, built_in.result_bytes_max);
	assert_int_equal(example.attempts, built_in.attempts);
	assert_int_equal(example.turn_ms, built_in.turn_ms);
	assert_int_equal(example.idle_ms, built_in.idle_ms);
	assert_int_equal(example.call_ms, built_in.call_ms);
	assert_int_equal(example.settle_ms, built_in.settle_ms);
	assert_int_equal(example.concurrency, built_in.concurrency);
	assert_int_equal(example.grace_ms, built_in.grace_ms);
	assert_int_equal(example.lease_ms, built_in.lease_ms);
	assert_memory_equal(&config_price(&example, "claude-opus-5-5")->input,
	    &config_price(&built_in, "claude-opus-5-5")->input,
	    5 * sizeof(int64_t));
	config_release(&example);
	config_release(&built_in);
	buf_release(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(every_member),
		cmocka_unit_test(built_in_prices),
		cmocka_unit_test(faults_name_the_member),
		cmocka_unit_test(patterns),
		cmocka_unit_test(the_example_says_what_holds_anyway),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
