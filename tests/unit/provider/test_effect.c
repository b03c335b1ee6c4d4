/* SPDX-License-Identifier: ISC */
/* Actions performed against a scripted service, folded by the real agent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/json/json.h"
#include "common/provider/effect.h"
#include "tests/unit/net/server.h"

static struct loop *loop;
static struct effects *effects;
static struct config config;
static struct server *server;
static struct agent *agent;
static uint64_t seq;

/* The service: the answer to the first rule whose word is in the request. */
static struct rule {
	const char *word, *status, *body; /* NULL body: hangs up */
} rules[12];

static void
serve(struct server *from, int fd, int connection)
{
	const struct rule *rule;

	(void)connection;
	while (server_read(from, fd)) {
		for (rule = rules; rule->word != NULL; rule++)
			if (strstr(server_own, rule->word) != NULL)
				break;
		if (rule->word == NULL || rule->body == NULL)
			return;
		server_answer(fd, rule->status,
		    "request-id: req_1\r\n"
		    "x-request-id: creq_1\r\nretry-after-ms: 1234\r\n",
		    rule->body);
	}
}

static void
set_rules(const struct rule *table, size_t count)
{
	memset(rules, 0, sizeof(rules));
	memcpy(rules, table, count * sizeof(*table));
}
#define RULES(table) set_rules(table, sizeof(table) / sizeof((table)[0]))

static void
record(enum event_type type, const char *members)
{
	struct buf text = BUF_INIT(EVENT_MAX);
	struct event event;
	struct fail fail;

	event_write(&text, ++seq, clock_wall(), type, members, strlen(members));
	if (event_parse((struct span){ text.data, text.length }, &event,
		&fail) < 0 ||
	    agent_apply(agent, &event, &fail) < 0)
		fail_msg("%s", fail.message);
	buf_release(&text);
}

static void
begin(const char *settings, const char *members)
{
	char *text = mem_print("{\"user\":\"u\",\"goal\":\"g\",%s}", members);
	char *doc, *submitted;
	struct task task;
	struct fail fail;

	server = server_open(serve);
	setenv("ANTHROPIC_API_KEY", "sk-1", 1);
	setenv("COMPOSIO_API_KEY", "ak-1", 1);
	if (config_parse(settings, strlen(settings), &config, &fail) < 0)
		fail_msg("%s", fail.message);
	free(config.anthropic_url);
	free(config.composio_url);
	config.anthropic_url = mem_string(server->url);
	config.composio_url = mem_string(server->url);
	assert_int_equal(loop_open(&loop, &fail), 0);
	assert_int_equal(effects_open(loop, &config, &effects, &fail), 0);
	agent = agent_new();
	seq = 0;
	if (task_check(json_parse(text, strlen(text), &json_limits_task, &fail),
		&config, &task, &fail) < 0)
		fail_msg("%s", fail.message);
	doc = json_text(task.doc);
	submitted = mem_print("\"task\":%s", doc);
	record(EVENT_SUBMITTED, submitted);
	record(EVENT_STARTED, "\"worker\":\"w\",\"fence\":1");
	free(submitted);
	free(doc);
	free(text);
	task_release(&task);
}

static void
end(void)
{
	agent_free(agent);
	effects_close(effects);
	loop_close(loop);
	server_close(server);
	config_release(&config);
}

struct outcome {
	int calls;
	enum event_type type;
	char *members, text[64];
};

static void
on_text(void *context, const char *bytes, size_t length)
{
	struct outcome *outcome = context;
	size_t used = strlen(outcome->text);

	snprintf(outcome->text + used, sizeof(outcome->text) - used, "%.*s",
	    (int)length, bytes);
}

static void
on_event(void *context, enum event_type type, struct buf *members)
{
	struct outcome *outcome = context;

	outcome->calls++;
	outcome->type = type;
	outcome->members = buf_detach(members, NULL);
}

/* Takes the next action of TYPE, records its intent, performs it and records
 * what came of it. */
static void
perform(enum action_type type, struct outcome *outcome)
{
	int64_t until = clock_boot() + 20000;
	struct effect_request request = { .agent = agent,
		.text = on_text,
		.done = on_event,
		.context = outcome };
	struct effect *effect;
	struct plan plan;
	struct fail fail;

	memset(outcome, 0, sizeof(*outcome));
	agent_next(agent, clock_wall() + 3600000, &plan);
	if (plan.count != 1)
		fail_msg("%zu actions, record %d", plan.count,
		    plan.has_record ? (int)plan.record : -1);
	assert_int_equal(plan.actions[0].type, type);
	if (type != ACTION_PIN)
		record(plan.actions[0].intent, plan.actions[0].members.data);
	request.action = &plan.actions[0];
	if (effect_start(effects, &request, &effect, &fail) < 0)
		fail_msg("%s", fail.message);
	assert_int_equal(outcome->calls, 0);
	plan_release(&plan);
	while (outcome->calls == 0 && clock_boot() < until)
		assert_true(loop_turn(loop, until, &fail) >= 0);
	assert_int_equal(outcome->calls, 1);
	record(outcome->type, outcome->members);
}

static void
expect(const struct outcome *outcome, enum event_type type, const char *start)
{
	if (outcome->type != type ||
	    strncmp(outcome->members, start, strlen(start)) != 0)
		fail_msg("%s: %s", event_type_name(outcome->type),
		    outcome->members);
}

static void
contains(const struct outcome *outcome, const char *part, bool wanted)
{
	if ((strstr(outcome->members, part) != NULL) != wanted)
		fail_msg("%s%s in %s", wanted ? "no " : "", part,
		    outcome->members);
}

#define PINNED \
	"\"request\":{\"model\":\"claude-opus-5-5\"}," \
	"\"tools\":[{\"name\":\"T\",\"slug\":\"T\",\"toolkit\":\"gmail\"," \
	"\"version\":\"1\",\"account\":\"ca_1\",\"repeatable\":false," \
	"\"on_unknown\":\"tell\"}]"
#define EVENT(type, rest) \
	"event: " type "\ndata: {\"type\":\"" type "\"" rest "}\n\n"
#define MESSAGE \
	EVENT("message_start", \
	    ",\"message\":{\"id\":\"msg_1\"," \
	    "\"model\":\"claude-opus-5-5\",\"usage\":{\"input_tokens\":3," \
	    "\"output_tokens\":1}}")
#define BLOCK(block) \
	EVENT("content_block_start", \
	    ",\"index\":0," \
	    "\"content_block\":" block)
#define END(reason) \
	EVENT("content_block_stop", ",\"index\":0") \
	EVENT("message_delta", \
	    ",\"delta\":{\"stop_reason\":\"" reason \
	    "\"},\"usage\":{\"output_tokens\":2}") \
	EVENT("message_stop", "")
#define CALL \
	MESSAGE BLOCK("{\"type\":\"tool_use\",\"id\":\"c1\",\"name\":" \
		      "\"T\",\"input\":{\"a\": 1.0}}") END("tool_use")
#define SAID \
	MESSAGE BLOCK("{\"type\":\"text\",\"text\":\"Done.\"}") END("end_turn")
#define USAGE \
	"\"usage\":{\"input\":3,\"output\":2,\"cache_read\":0," \
	"\"cache_write_5m\":0,\"cache_write_1h\":0}"

static void
test_model(void **state)
{
	static const struct rule table[] = { { "/v1/messages", "200 OK",
	    SAID } };
	struct outcome outcome;

	(void)state;
	RULES(table);
	begin("prices: {claude-opus-5-5: {input: 4, output: 20}}",
	    "\"labels\":{}");
	record(EVENT_PINNED, PINNED);
	perform(ACTION_MODEL, &outcome);
	expect(&outcome, EVENT_MODEL_REPLIED,
	    "\"turn\":1,\"attempt\":1,"
	    "\"content\":[{\"type\":\"text\",\"text\":\"Done.\"}],"
	    "\"stop_reason\":\"end_turn\"," USAGE ",\"nano_usd\":52000,"
	    "\"model\":\"claude-opus-5-5\",\"message\":\"msg_1\","
	    "\"request_id\":\"req_1\"");
	assert_string_equal(outcome.text, "Done.");
	assert_non_null(strstr(server->request,
	    "{\"model\":"
	    "\"claude-opus-5-5\",\"messages\":[{\"role\":\"user\""));
	free(outcome.members);
	end();
}

static void
test_model_fails(void **state)
{
	static const struct rule busy[] = { { "/v1/messages", "529 Busy",
	    "{\"error\":{\"type\":\"overloaded_error\",\"message\":\"o\"}}" } };
	static const struct rule cut[] = { { "/v1/messages", "200 OK",
	    MESSAGE } };
	static const struct rule wrong[] = { { "/v1/messages", "400 Bad",
	    "{\"error\":{\"type\":\"invalid_request_error\",\"message\":"
	    "\"i\"}}" } };
	struct outcome outcome;

	(void)state;
	RULES(busy);
	begin("attempts: 2", "\"labels\":{}");
	record(EVENT_PINNED, PINNED);
	perform(ACTION_MODEL, &outcome);
	expect(&outcome, EVENT_MODEL_FAILED,
	    "\"turn\":1,\"attempt\":1,"
	    "\"error\":{\"type\":\"overloaded_error\",\"message\":\"o\","
	    "\"status\":529,\"request_id\":\"req_1\"},"
	    "\"wait\":\"rate_limit\",\"delay_ms\":1");
	free(outcome.members);
	RULES(cut);
	perform(ACTION_MODEL, &outcome);
	expect(&outcome, EVENT_MODEL_FAILED,
	    "\"turn\":1,\"attempt\":2,"
	    "\"error\":{\"type\":\"cut_short\",");
	contains(&outcome, "\"usage\":{\"input\":3,\"output\":1,", true);
	contains(&outcome, "delay_ms", true); /* the limit was no attempt */
	contains(&outcome, "\"wait\":", false);
	free(outcome.members);
	perform(ACTION_MODEL, &outcome);
	contains(&outcome, "\"wait\":\"outage\",\"delay_ms\":1", true);
	free(outcome.members);
	end();

	RULES(wrong);
	begin("", "\"labels\":{}");
	record(EVENT_PINNED, PINNED);
	perform(ACTION_MODEL, &outcome);
	contains(&outcome, "delay_ms", false);
	free(outcome.members);
	end();
}

/* 1200 bytes, of which 1000 are kept. */
#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X300 X50 X50 X50 X50 X50 X50
#define LONG(before) \
	before "\"data\":{\"t\":\"" X300 X300 X300 X300 \
	       "\"},\"successful\":true}"
#define KEEP_1000 "result_bytes: 12\nresult_bytes_max: 1000"

static const struct {
	const char *status, *body;
	const char *settings;
	enum event_type type;
	const char *start, *part, *not_part;
} calls[] = {
	{ "200 OK",
	    "{\"data\":{\"n\": 1.0},\"successful\":true,"
	    "\"log_id\":\"l\"}",
	    "", EVENT_TOOL_FINISHED,
	    "\"call\":\"c1\",\"attempt\":1,\"block\":{\"type\":"
	    "\"tool_result\",\"tool_use_id\":\"c1\",\"content\":"
	    "\"{\\\"n\\\": 1.0}\"},\"is_error\":false,\"log_id\":\"l\","
	    "\"request_id\":\"creq_1\"",
	    "", "whole" },
	{ "200 OK",
	    "{\"data\":{\"text\":\"0123456789\"},"
	    "\"successful\":true}",
	    "result_bytes: 12", EVENT_TOOL_FINISHED,
	    "\"call\":\"c1\",\"attempt\":1,\"block\":{\"type\":"
	    "\"tool_result\",\"tool_use_id\":\"c1\",\"content\":"
	    "\"{\\\"text\\\":\\\"012\\n[cut here",
	    "\"whole\":{\"text\":\"0123456789\"}", "log_id" },
	{ "200 OK", LONG("{"), KEEP_1000, EVENT_TOOL_FINISHED,
	    "\"call\":\"c1\",\"attempt\":1,\"block\":{\"type\":"
	    "\"tool_result\",\"tool_use_id\":\"c1\",\"content\":"
	    "\"{\\\"t\\\":\\\"xxxxxx\\n[cut here: the first 12 of 1227 bytes "
	    "are shown. The call was made, but of its result no more than "
	    "992 bytes were kept: ask for less at a time",
	    "\"is_error\":false,\"whole_bytes\":1227,\"request_id\":",
	    "\"whole\":" },
	{ "200 OK", LONG("{\"successful\":false,"), KEEP_1000,
	    EVENT_TOOL_FINISHED, "\"call\":\"c1\",\"attempt\":1,",
	    "\"is_error\":true},\"is_error\":true,\"whole_bytes\":1227,",
	    "\"whole\":" },
	{ "200 OK", LONG("{\"log_id\":1,}{"), KEEP_1000, EVENT_TOOL_UNKNOWN,
	    "\"call\":\"c1\",\"attempt\":1,", "not understood", "whole" },
	{ "400 Bad", LONG("{"), KEEP_1000, EVENT_TOOL_FINISHED,
	    "\"call\":\"c1\"", "T did not ru", "whole" },
	{ "200 OK", "{\"data\":{},\"error\":\"no\",\"successful\":false}", "",
	    EVENT_TOOL_FINISHED,
	    "\"call\":\"c1\",\"attempt\":1,\"block\":"
	    "{\"type\":\"tool_result\",\"tool_use_id\":\"c1\",\"content\":"
	    "\"T failed: no.\",\"is_error\":true},\"is_error\":true",
	    "creq_1", "whole" },
	{ "400 Bad", "{\"error\":{\"message\":\"arg\"}}", "",
	    EVENT_TOOL_FINISHED, "\"call\":\"c1\"", "T did not run: arg",
	    "delay_ms" },
	{ "429 Slow", "{\"message\":\"limit\"}", "", EVENT_TOOL_FAILED,
	    "\"call\":\"c1\",\"attempt\":1,\"error\":{\"type\":\"not_run\",",
	    "\"wait\":\"rate_limit\",\"delay_ms\":1", "block" },
	{ "429 Slow", "{\"message\":\"limit\"}", "attempts: 1",
	    EVENT_TOOL_FAILED,
	    "\"call\":\"c1\",\"attempt\":1,\"error\":{\"type\":\"not_run\",",
	    "\"wait\":\"rate_limit\",\"delay_ms\":1", "block" },
	{ "401 No", "{\"error\":{\"message\":\"who\"}}", "attempts: 1",
	    EVENT_TOOL_FAILED,
	    "\"call\":\"c1\",\"attempt\":1,\"error\":{\"type\":\"not_run\",",
	    "\"wait\":\"key\",\"delay_ms\":", "block" },
	{ "403 No", "{\"error\":{\"message\":\"area\"}}", "attempts: 1",
	    EVENT_TOOL_FAILED,
	    "\"call\":\"c1\",\"attempt\":1,\"error\":{\"type\":\"not_run\",",
	    "\"wait\":\"key\",\"delay_ms\":60000", "block" },
	{ "422 State", "{\"error\":{\"message\":\"EXPIRED\"}}", "",
	    EVENT_TOOL_FAILED,
	    "\"call\":\"c1\",\"attempt\":1,\"error\":"
	    "{\"type\":\"no_connection\"",
	    "\"connection\":\"gmail\"", "delay_ms" },
	{ "500 No", "", "", EVENT_TOOL_UNKNOWN,
	    "\"call\":\"c1\","
	    "\"attempt\":1,\"error\":{\"type\":\"no_answer\",\"message\":"
	    "\"T: [status 500, request creq_1]\",\"status\":500,"
	    "\"request_id\":\"creq_1\"}",
	    "\"delay_ms\":1234", "block" },
	{ "500 No", "", "attempts: 1", EVENT_TOOL_UNKNOWN,
	    "\"call\":\"c1\","
	    "\"attempt\":1",
	    "no_answer", "delay_ms" },
	{ "", NULL, "", EVENT_TOOL_UNKNOWN, "\"call\":\"c1\",\"attempt\":1",
	    "no_answer", "status" },
};

static void
test_tools(void **state)
{
	struct outcome outcome;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		struct rule table[] = {
			{ "/v1/messages", "200 OK", CALL },
			{ "POST /api/v3.1/tools/execute/T ", calls[i].status,
			    calls[i].body },
		};

		RULES(table);
		begin(calls[i].settings, "\"labels\":{}");
		record(EVENT_PINNED, PINNED);
		perform(ACTION_MODEL, &outcome);
		free(outcome.members);
		perform(ACTION_TOOL, &outcome);
		expect(&outcome, calls[i].type, calls[i].start);
		contains(&outcome, calls[i].part, true);
		contains(&outcome, calls[i].not_part, false);
		assert_non_null(
		    strstr(server->request, "\"arguments\":{\"a\": 1.0}}"));
		free(outcome.members);
		end();
	}
}

#define GMAIL_TOOL \
	"{\"slug\":\"GMAIL_X\",\"toolkit\":{\"slug\":\"gmail\"}," \
	"\"version\":\"20261101_00\",\"input_parameters\":{\"type\":" \
	"\"object\",\"properties\":{}},\"tags\":[\"readOnlyHint\"]}"
#define ACCOUNT(status) \
	"{\"items\":[{\"id\":\"ca_1\",\"status\":\"" status \
	"\",\"toolkit\":{\"slug\":\"gmail\"}}]}"

static const struct {
	struct rule rules[4];
	enum event_type type;
	const char *start, *part;
} pins[] = {
	{ { { "/tools?", "200 OK", "{\"items\":[" GMAIL_TOOL "]}" },
	      { "/connected_accounts?", "200 OK", ACCOUNT("ACTIVE") } },
	    EVENT_PINNED, "\"request\":{", "\"account\":\"ca_1\"" },
	{ { { "/tools?", "200 OK", "{\"items\":[" GMAIL_TOOL "]}" },
	      { "/connected_accounts?", "200 OK", ACCOUNT("EXPIRED") },
	      { "/auth_configs?", "200 OK", "{\"items\":[]}" } },
	    EVENT_WAITING,
	    "\"reason\":\"connection: gmail: ", "\"until\":\"20" },
	{ { { "/tools?", "200 OK", "{\"items\":[]}" },
	      { "/connected_accounts?", "200 OK", ACCOUNT("ACTIVE") },
	      { "/toolkits/gmail", "200 OK", "{}" } },
	    EVENT_FAILED,
	    "\"error\":{\"type\":\"refused\",\"message\":", "GMAIL_X" },
	{ { { "/tools?", "401 No", "{\"error\":{\"message\":\"who\"}}" } },
	    EVENT_WAITING, "\"reason\":\"key: Composio refuses ",
	    "\"until\":\"20" },
	{ { { "/tools?", "200 OK", "{\"items\":[{}]}" },
	      { "/connected_accounts?", "200 OK", ACCOUNT("ACTIVE") },
	      { "/toolkits/gmail", "200 OK", "{}" } },
	    EVENT_WAITING, "\"reason\":\"outage: ", "\"until\":\"20" },
};

static void
test_pin(void **state)
{
	struct outcome outcome;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(pins) / sizeof(pins[0]); i++) {
		RULES(pins[i].rules);
		begin("", "\"toolkits\":[\"gmail\"],\"tools\":[\"GMAIL_X\"]");
		perform(ACTION_PIN, &outcome);
		expect(&outcome, pins[i].type, pins[i].start);
		contains(&outcome, pins[i].part, true);
		free(outcome.members);
		end();
	}
}

static void
test_keys(void **state)
{
	static const struct rule table[] = { { "/v1/messages", "200 OK",
	    CALL } };
	struct effects *none = NULL;
	struct outcome outcome;
	struct fail fail;

	(void)state;
	RULES(table);
	begin("", "\"labels\":{}");
	unsetenv("COMPOSIO_API_KEY");
	record(EVENT_PINNED, PINNED);
	perform(ACTION_MODEL, &outcome);
	free(outcome.members);
	perform(ACTION_TOOL, &outcome);
	expect(&outcome, EVENT_TOOL_FAILED,
	    "\"call\":\"c1\",\"attempt\":1,"
	    "\"error\":{\"type\":\"missing_key\"");
	contains(&outcome, "\"wait\":\"key\",\"delay_ms\":60000", true);
	free(outcome.members);
	unsetenv("ANTHROPIC_API_KEY");
	assert_int_equal(effects_open(loop, &config, &none, &fail), -1);
	assert_string_equal(fail.type, "missing_key");
	assert_int_equal(fail.kind, FAIL_NEVER);
	assert_null(none);
	end();
}

/* A pin of a provider that only another version of this program has: the task
 * waits for that one, and in the end the model is told. */
static void
test_unknown_provider(void **state)
{
	static const struct rule table[] = { { "/v1/messages", "200 OK",
	    CALL } };
	struct outcome outcome;

	(void)state;
	RULES(table);
	begin("attempts: 2", "\"labels\":{}");
	record(EVENT_PINNED,
	    "\"request\":{\"model\":\"claude-opus-5-5\"},"
	    "\"tools\":[{\"name\":\"T\",\"provider\":\"loom\","
	    "\"slug\":\"T\",\"toolkit\":\"x\",\"version\":\"1\","
	    "\"on_unknown\":\"tell\"}]");
	perform(ACTION_MODEL, &outcome);
	free(outcome.members);
	perform(ACTION_TOOL, &outcome);
	expect(&outcome, EVENT_TOOL_FAILED,
	    "\"call\":\"c1\",\"attempt\":1,"
	    "\"error\":{\"type\":\"unknown_provider\",\"message\":"
	    "\"this program has no provider of tools \\\"loom\\\"");
	contains(&outcome, "\"delay_ms\":60000", true);
	contains(&outcome, "\"wait\":", false);
	free(outcome.members);
	perform(ACTION_TOOL, &outcome);
	expect(&outcome, EVENT_TOOL_FAILED, "\"call\":\"c1\",\"attempt\":2");
	contains(&outcome, "\"wait\":\"outage\",\"delay_ms\":60000", true);
	free(outcome.members);
	end();
}

static void
never_called(void *context, enum event_type type, struct buf *members)
{
	(void)context;
	(void)type;
	(void)members;
	fail_msg("done after cancel");
}

static void
test_cancel(void **state)
{
	static const struct rule table[] = { { "nothing", "", "" } };
	struct effect_request request = { .done = never_called };
	struct effect *effect;
	struct plan plan;
	struct fail fail;
	int round;

	(void)state;
	RULES(table);
	begin("", "\"toolkits\":[\"gmail\"]");
	for (round = 0; round < 2; round++) {
		agent_next(agent, clock_wall(), &plan);
		request.agent = agent;
		request.action = &plan.actions[0];
		if (round == 1)
			record(plan.actions[0].intent,
			    plan.actions[0].members.data);
		assert_int_equal(effect_start(effects, &request, &effect,
				     &fail),
		    0);
		plan_release(&plan);
		effect_cancel(effect);
		if (round == 0)
			record(EVENT_PINNED, PINNED);
	}
	effect_cancel(NULL);
	while (loop_turn(loop, clock_boot() + 20, &fail) > 0)
		;
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_model_fails),
		cmocka_unit_test(test_tools),
		cmocka_unit_test(test_pin),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_unknown_provider),
		cmocka_unit_test(test_cancel),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
