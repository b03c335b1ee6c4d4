/* SPDX-License-Identifier: ISC */
/*
 * budget: no turn is begun that could pass a ceiling, whatever it costs.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "tests/unit/agent/agent_driver.h"

#define ROOM ((size_t)EVENT_MAX)

static struct price high = { .above = 20000,
	.input = 20000,
	.output = 100000,
	.cache_write_5m = 25000 };
static const struct price price = { .input = 4000,
	.output = 20000,
	.cache_read = 200,
	.cache_write_5m = 5000,
	.cache_write_1h = 8000,
	.next = &high };

static struct driver *
begin_in(const char *window, const char *members,
    const struct agent_terms *terms)
{
	struct driver *driver = driver_open();
	char *task = mem_print("\"task\":{\"user\":\"ann\",\"goal\":\"g\","
			       "\"toolkits\":[],\"tools\":[],\"model\":\"m\","
			       "\"max_tokens\":32000,\"queue\":\"q\","
			       "\"priority\":5,%s}",
	    members);
	char *pins = mem_print("\"request\":{\"model\":\"m\","
			       "\"max_tokens\":32000,\"stream\":true},"
			       "\"tools\":[]%s",
	    window);

	assert_int_equal(driver_record(driver, EVENT_SUBMITTED, task), 0);
	assert_int_equal(driver_record(driver, EVENT_PINNED, pins), 0);
	free(pins);
	free(task);
	agent_set_terms(driver->agent, terms);
	return driver;
}

static struct driver *
begin(const char *members, const struct agent_terms *terms)
{
	return begin_in("", members, terms);
}

static void
start(struct driver *driver)
{
	assert_int_equal(driver_record(driver, EVENT_STARTED,
			     "\"worker\":\"w\",\"fence\":1"),
	    0);
}

/* The number NAME of the request, or of the intent. */
static int64_t
number_in(const char *text, const char *name)
{
	struct span value;
	int64_t number = 0;

	if (json_member((struct span){ text, strlen(text) }, name, &value))
		assert_true(json_whole(value, &number));
	return number;
}

/* Begins a turn if it is due; returns its max_tokens, 0 when it waits. */
static int64_t
begin_turn(struct driver *driver)
{
	struct plan plan;
	size_t length;
	int64_t most = 0;
	char *body;

	assert_int_equal(driver_settle(driver, &plan), 0);
	assert_int_equal(driver_begin(driver, &plan), 0);
	if (plan.count) {
		body = agent_request(driver->agent, &length);
		most = number_in(body, "max_tokens");
		free(body);
	}
	plan_release(&plan);
	return most;
}

/* It is cut at MOST tokens; the prompt had as many tokens as bytes allow. */
static void
end_turn(struct driver *driver, unsigned turn, int64_t most, int64_t *input)
{
	struct agent_summary summary;
	size_t length;
	char *body = agent_request(driver->agent, &length);
	int64_t tokens = (int64_t)length / 3;
	const struct price *step = config_price_step(&price, tokens);
	char *members = mem_print("\"turn\":%u,\"content\":[{\"type\":\"text\","
				  "\"text\":\"%0*d\"}],\"stop_reason\":"
				  "\"max_tokens\",\"usage\":{\"input\":0,"
				  "\"output\":%" PRId64
				  ",\"cache_write_5m\":%" PRId64
				  "},\"nano_usd\":%" PRId64,
	    turn, (int)(most * 2), 0, most, tokens,
	    tokens * step->cache_write_5m + most * step->output);

	*input = tokens;
	agent_summary(driver->agent, &summary);
	assert_true(!summary.reserved_nano_usd ||
	    tokens * step->cache_write_5m + most * step->output <=
		summary.reserved_nano_usd);
	assert_int_equal(driver_record(driver, EVENT_MODEL_REPLIED, members),
	    0);
	free(members);
	free(body);
}

static void
test_never_passed(void **state)
{
	static const char *const budgets[] = { "0.01", "0.02", "0.1", "0.33",
		"1", "2" };
	const struct agent_terms terms = { .price = &price };
	struct agent_summary summary;
	struct driver *driver;
	int64_t most, input;
	unsigned turn;
	char *members;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(budgets) / sizeof(*budgets); i++) {
		members = mem_print("\"budget\":{\"usd\":%s}", budgets[i]);
		driver = begin(members, &terms);
		start(driver);
		for (turn = 1; (most = begin_turn(driver)) > 0; turn++)
			end_turn(driver, turn, most, &input);
		agent_summary(driver->agent, &summary);
		assert_null(driver->fault);
		assert_true(
		    (double)summary.nano_usd <= strtod(budgets[i], NULL) * 1e9);
		if (summary.state == TASK_WAITING) {
			assert_int_equal(summary.wait, WAIT_BUDGET);
			assert_int_equal(summary.due, 0);
		} else { /* five replies that were cut */
			assert_int_equal(summary.state, TASK_FAILED);
		}
		free(members);
		driver_close(driver);
	}
}

static int64_t
tokens_of(const struct agent_summary *summary)
{
	return summary->input_tokens + summary->output_tokens +
	    summary->cache_read_tokens + summary->cache_write_tokens;
}

/* Every second turn loses its worker first. */
static void
test_tokens_never_passed(void **state)
{
	static const int64_t budgets[] = { 500, 1500, 5000, 40000, 200000 };
	const struct agent_terms none = { .limited = false };
	struct agent_summary summary;
	struct driver *driver;
	int64_t most, input, before;
	unsigned turn;
	char *members;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(budgets) / sizeof(*budgets); i++) {
		members = mem_print("\"budget\":{\"tokens\":%" PRId64 "}",
		    budgets[i]);
		driver = begin(members, &none);
		start(driver);
		for (turn = 1; (most = begin_turn(driver)) > 0; turn++) {
			if (turn % 2) {
				agent_summary(driver->agent, &summary);
				before = tokens_of(&summary);
				start(driver); /* another worker */
				agent_summary(driver->agent, &summary);
				assert_true(tokens_of(&summary) > before);
				if ((most = begin_turn(driver)) == 0)
					break;
			}
			end_turn(driver, turn, most, &input);
		}
		agent_summary(driver->agent, &summary);
		assert_null(driver->fault);
		assert_true(tokens_of(&summary) <= budgets[i]);
		if (summary.state == TASK_WAITING)
			assert_int_equal(summary.wait, WAIT_BUDGET);
		else /* five replies that were cut */
			assert_int_equal(summary.state, TASK_FAILED);
		free(members);
		driver_close(driver);
	}
}

static void
test_lost_turns_count(void **state)
{
	const struct agent_terms terms = { .price = &price };
	struct driver *driver = begin("\"budget\":{\"usd\":0.05}", &terms);
	struct agent_summary summary;
	int64_t before = -1;
	size_t lost = 0;

	(void)state;
	start(driver);
	while (begin_turn(driver) > 0) {
		start(driver); /* another worker */
		agent_summary(driver->agent, &summary);
		assert_true(summary.nano_usd > before);
		assert_int_equal(summary.reserved_nano_usd, 0);
		before = summary.nano_usd;
		assert_true(++lost < 50);
	}
	agent_summary(driver->agent, &summary);
	assert_int_equal(summary.state, TASK_WAITING);
	assert_int_equal(summary.wait, WAIT_BUDGET);
	assert_true(summary.nano_usd <= 50000000);
	assert_int_equal(driver_record(driver, EVENT_SIGNAL,
			     "\"signal\":\"budget\",\"usd\":1"),
	    0);
	start(driver);
	assert_int_equal(begin_turn(driver), 32000);
	driver_close(driver);
}

static void
test_shared_ceiling(void **state)
{
	struct agent_terms terms = { .price = &price,
		.limited = true,
		.left_nano_usd = 100000000,
		.until = 1700000000000 + 3600000,
		.left_of = "the user's day" };
	struct driver *driver = begin("\"budget\":{\"usd\":5},"
				      "\"on_budget\":\"fail\"",
	    &terms);
	struct agent_summary summary;
	int64_t most;

	(void)state;
	start(driver);
	most = begin_turn(driver);
	assert_in_range(most, 512, 100000000 / 20000);
	start(driver);
	terms.left_nano_usd = 1000;
	agent_set_terms(driver->agent, &terms);
	assert_int_equal(begin_turn(driver), 0);
	agent_summary(driver->agent, &summary);
	assert_int_equal(summary.state, TASK_WAITING);
	assert_int_equal(summary.wait, WAIT_BUDGET);
	assert_int_equal(summary.due, terms.until);
	assert_non_null(strstr(summary.reason, "of the user's day are left"));
	driver_close(driver);
}

/* What asks for a summary is sent, too. */
static void
test_summary_is_reserved(void **state)
{
	const struct agent_terms terms = { .price = &price };
	const int64_t measured = 8500;
	struct driver *driver = begin_in(",\"context_tokens\":10000",
	    "\"budget\":{\"usd\":5}", &terms);
	size_t before, length;
	int64_t reserved;
	char *body;

	(void)state;
	start(driver);
	assert_int_not_equal(begin_turn(driver), 0);
	free(agent_request(driver->agent, &before));
	assert_int_equal(driver_record(driver, EVENT_MODEL_REPLIED,
			     "\"turn\":1,\"content\":[{\"type\":\"text\","
			     "\"text\":\"a\"}],\"stop_reason\":\"max_tokens\","
			     "\"usage\":{\"input\":8500,\"output\":1},"
			     "\"nano_usd\":1"),
	    0);
	assert_int_not_equal(begin_turn(driver), 0);
	assert_int_equal(driver_record(driver, EVENT_MODEL_FAILED,
			     "\"turn\":2,\"attempt\":1,\"error\":{\"type\":"
			     "\"e\",\"message\":\"no\",\"status\":400}"),
	    0);
	assert_int_not_equal(begin_turn(driver), 0);
	body = agent_request(driver->agent, &length);
	assert_non_null(strstr(body, "Write a summary"));
	reserved = number_in(driver->lines[driver->count - 1],
	    "input_nano_usd");
	assert_true(reserved / price.cache_write_5m >=
	    measured + (int64_t)(length - before) / 3);
	assert_true(reserved / price.cache_write_5m <
	    measured + (int64_t)(length - before) / 3 + 50);
	free(body);
	driver_close(driver);
}

static void
test_fails_if_wanted(void **state)
{
	const struct agent_terms terms = { .price = &price };
	struct driver *driver = begin("\"budget\":{\"usd\":0.001},"
				      "\"on_budget\":\"fail\"",
	    &terms);
	struct agent_summary summary;

	(void)state;
	start(driver);
	assert_int_equal(begin_turn(driver), 0);
	agent_summary(driver->agent, &summary);
	assert_int_equal(summary.state, TASK_FAILED);
	driver_close(driver);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_never_passed),
		cmocka_unit_test(test_tokens_never_passed),
		cmocka_unit_test(test_lost_turns_count),
		cmocka_unit_test(test_shared_ceiling),
		cmocka_unit_test(test_summary_is_reserved),
		cmocka_unit_test(test_fails_if_wanted),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("budget", tests, NULL, NULL);
}
