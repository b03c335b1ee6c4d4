/* SPDX-License-Identifier: ISC */
/* Tools executed and facts gathered, with a service that has bad days. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/json/json.h"
#include "common/provider/composio_internal.h"
#include "common/provider/tools.h"
#include "tests/unit/net/server.h"

static struct loop *loop;
static struct http *http;
static void *composio;
static struct server *server;

static void
begin(void (*serve)(struct server *, int, int))
{
	struct config config = { .call_ms = 5000 };
	struct fail fail;

	server = server_open(serve);
	config.composio_url = mem_string(server->url);
	assert_int_equal(loop_open(&loop, &fail), 0);
	assert_int_equal(http_open(loop, &http, &fail), 0);
	unsetenv("COMPOSIO_API_KEY");
	assert_int_equal(composio_provider.open(http, &config, NULL, &composio,
			     &fail),
	    -1);
	assert_string_equal(fail.type, "missing_key");
	setenv("COMPOSIO_API_KEY", "ak_secret/1", 1);
	assert_int_equal(composio_provider.open(http, &config, NULL, &composio,
			     &fail),
	    0);
	free(config.composio_url);
}

static void
end(void)
{
	composio_provider.close(composio);
	http_close(http);
	loop_close(loop);
	server_close(server);
}

static void
run(const int *calls)
{
	int64_t until = clock_boot() + 20000;
	struct fail fail;

	while (*calls == 0 && clock_boot() < until)
		assert_true(loop_turn(loop, until, &fail) >= 0);
	assert_int_equal(*calls, 1);
}

/* ---- execute ---- */

struct seen {
	int calls;
	struct tool_result result;
	char text[1000], id[64], log_id[64];
};

static void
on_result(void *context, const struct tool_result *result)
{
	struct seen *seen = context;

	seen->calls++;
	seen->result = *result;
	assert_int_equal(strlen(result->text) >= result->length, true);
	snprintf(seen->text, sizeof(seen->text), "%.*s", (int)result->length,
	    result->text);
	snprintf(seen->id, sizeof(seen->id), "%s", result->request_id);
	snprintf(seen->log_id, sizeof(seen->log_id), "%s", result->log_id);
}

/* 256 of it */
#define FOUR(text) text text text text
#define DEEP(text) FOUR(FOUR(FOUR(FOUR(text))))

static const struct execute_case {
	const char *status, *headers, *body; /* NULL status: the bare body */
	enum tool_outcome outcome;
	const char *text; /* whole, or from '~' on a part of it */
	int64_t delay_from, delay_to;
} execute_cases[] = {
	{ "200 OK", "",
	    "{\"data\":{\"n\": 1.0, \"big\":9007199254740993},"
	    "\"error\":null,\"successful\":true,\"log_id\":\"log_1\"}",
	    TOOL_DONE, "{\"n\": 1.0, \"big\":9007199254740993}", 0, 0 },
	{ "200 OK", "",
	    "{\"successful\":true,\n\"data\":{\"a\":\"\\ud83d\","
	    "\n\"b\":\"\\u0000\"}}",
	    TOOL_DONE, "{\"a\":\"\\ufffd\", \"b\":\"\\ufffd\"}", 0, 0 },
	{ "200 OK", "", "{\"successful\":true}", TOOL_DONE, "{}", 0, 0 },
	/* not quite JSON, but it says that the tool ran */
	{ "200 OK", "",
	    "{\"data\":{\"a\":NaN,\"b\":-Infinity,\"c\":1e400},"
	    "\"successful\":true}",
	    TOOL_DONE, "{\"a\":NaN,\"b\":-Infinity,\"c\":1e400}", 0, 0 },
	{ "200 OK", "",
	    "\xef\xbb\xbf{\"data\":{\"a\":1,\"a\":2,\"t\":\"x\ty\\\"NaN\"},"
	    "\"successful\":true}",
	    TOOL_DONE, "{\"a\":1,\"a\":2,\"t\":\"x y\\\"NaN\"}", 0, 0 },
	{ "200 OK", "",
	    "{\"successful\":true,\"data\":1234567890123456789012345678901234"
	    "567890123456789012345678901234567890}",
	    TOOL_DONE,
	    "1234567890123456789012345678901234567890123456789012345678901"
	    "234567890",
	    0, 0 },
	{ "200 OK", "",
	    "{\"data\":" DEEP("[") DEEP("]") ",\"successful\":true}", TOOL_DONE,
	    DEEP("[") DEEP("]"), 0, 0 },
	{ "200 OK", "", "{\"successful\":true,\"data\":[[{\"a\":", TOOL_DONE,
	    "[[{\"a\":", 0, 0 },
	{ "200 OK", "", "{\"data\":{\"a\":NaN},\"successful\":\"true\"}",
	    TOOL_UNKNOWN, "~not understood", 375, 500 },
	{ "200 OK", "",
	    "{\"data\":{},\"error\":\"no such label\","
	    "\"successful\":false}",
	    TOOL_ERROR, "T failed: no such label.", 0, 0 },
	{ "200 OK", "", "{\"data\":{},\"error\":null,\"successful\":false}",
	    TOOL_ERROR, "T failed, and gave no reason.", 0, 0 },
	{ "200 OK", "",
	    "{\"data\":{\"message\":\"quota\"},\"error\":"
	    "\"denied\",\"successful\":false}",
	    TOOL_ERROR, "T failed: denied: quota.", 0, 0 },
	{ "200 OK", "",
	    "{\"data\":{\"status_code\":404},\"error\":"
	    "{\"code\":5},\"successful\":false}",
	    TOOL_ERROR, "T failed: {\"code\":5}: {\"status_code\":404}.", 0,
	    0 },
	/* the account itself is refused, by the tool's own service */
	{ "200 OK", "",
	    "{\"data\":{\"status_code\":401},\"error\":\"no\","
	    "\"successful\":false}",
	    TOOL_CONNECTION, "~T failed: no", 0, 0 },
	{ "200 OK", "",
	    "{\"data\":{\"http_error\":\"invalid_grant: Token has been "
	    "expired or revoked.\"},\"error\":null,\"successful\":false}",
	    TOOL_CONNECTION, "~invalid_grant", 0, 0 },
	{ "200 OK", "",
	    "{\"data\":{\"status_code\":400},\"error\":\"the file "
	    "invalid_grant is not there\",\"successful\":false}",
	    TOOL_ERROR, "~invalid_grant", 0, 0 },
	{ "200 OK", "", "{\"data\":{},\"successful\":\"true\"}", TOOL_UNKNOWN,
	    "~not understood", 375, 500 },
	{ "200 OK", "", "<html>Sign in</html>", TOOL_UNKNOWN,
	    "~not understood: Sign in", 375, 500 },
	{ "200 OK", "", "", TOOL_UNKNOWN, "~not understood", 375, 500 },
	{ "400 Bad", "",
	    "{\"error\":{\"message\":\"bad input\",\"code\":9,"
	    "\"slug\":\"X\",\"status\":400,\"request_id\":\"r2\","
	    "\"suggested_fix\":\"use a list\",\"errors\":[\"a: wrong\"]}}",
	    TOOL_ERROR,
	    "T did not run: bad input; a: wrong (use a list) "
	    "[status 400, request r1]. Check the arguments against the "
	    "tool's schema.",
	    0, 0 },
	{ "400 Bad", "", "{\"error\":{\"message\":\"none\",\"code\":1803}}",
	    TOOL_CONNECTION, "~no live account for T: none", 0, 0 },
	{ "400 Bad", "", "{\"error\":{\"message\":\"none\",\"code\":1803}}",
	    TOOL_CONNECTION, "~use the key of its project", 0, 0 },
	{ "400 Bad", "",
	    "{\"error\":{\"message\":\"none\",\"slug\":"
	    "\"ActionExecute_ConnectedAccountNotFound\",\"code\":1810}}",
	    TOOL_CONNECTION, "~: connect the toolkit for this user id", 0, 0 },
	{ "400 Bad", "",
	    "{\"error\":{\"message\":\"other\",\"slug\":"
	    "\"ActionExecute_ConnectedAccountEntityIdMismatch\"}}",
	    TOOL_CONNECTION,
	    "~other [status 400, request r1]: the account was "
	    "connected for another user id",
	    0, 0 },
	{ "422 State", "", "{\"error\":{\"message\":\"EXPIRED\"}}",
	    TOOL_CONNECTION, "~]: the account cannot be used as it is", 0, 0 },
	{ "401 No", "", "{\"error\":{\"message\":\"key\"}}", TOOL_LATER,
	    "~check COMPOSIO_API_KEY", 0, 0 },
	/* the key is quoted */
	{ "401 No", "", "{\"error\":{\"message\":\"ak_secret\\/1?\"}}",
	    TOOL_LATER, "~refuses the key: [secret]? [status 401", 0, 0 },
	{ "400 Bad", "",
	    "{\"error\":{\"message\":\"m\",\"suggested_fix\":"
	    "\"not ak_secret/1\",\"errors\":[\"ak_secret/1\"]}}",
	    TOOL_ERROR, "~: m; [secret] (not [secret]) [", 0, 0 },
	{ "502 Bad", "", "<html>x-api-key: ak_secret/1</html>", TOOL_UNKNOWN,
	    "~x-api-key: [secret] [", 375, 500 },
	{ "200 OK", "", "x-api-key: ak_secret/1", TOOL_UNKNOWN,
	    "~not understood: x-api-key: [secret]", 375, 500 },
	{ "200 OK", "",
	    "{\"data\":{},\"error\":\"ak_secret/1\",\"successful\":false}",
	    TOOL_ERROR, "T failed: [secret].", 0, 0 },
	{ "200 OK", "",
	    "{\"data\":{\"a\":\"ak_secret\\u002F1\"},\"successful\":true}",
	    TOOL_DONE, "{\"a\":\"[secret]\"}", 0, 0 },
	{ "403 No", "", "{\"error\":{\"message\":\"scope\"}}", TOOL_LATER,
	    "~refuses the key: scope", 0, 0 },
	{ "404 No", "",
	    "{\"error\":{\"message\":\"gone\",\"slug\":"
	    "\"Tool_ToolNotFound\"}}",
	    TOOL_ERROR, "~no longer there", 0, 0 },
	{ "410 Gone", "", "", TOOL_ERROR, "~no longer there", 0, 0 },
	{ "413 Large", "", "", TOOL_ERROR, "~T ran, but its result", 0, 0 },
	{ "429 Slow", "retry-after: 3\r\n",
	    "{\"message\":\"Rate limit exceeded.\"}", TOOL_LATER,
	    "~Rate limit exceeded.", 3000, 3000 },
	{ "408 Time", "", "", TOOL_UNKNOWN, "~status 408", 375, 500 },
	{ "500 No", "", "{\"error\":{\"message\":\"oops\",\"code\":1803}}",
	    TOOL_UNKNOWN, "~T: oops", 375, 500 },
	{ "502 Bad", "", "<html><h1>Bad Gateway</h1>", TOOL_UNKNOWN,
	    "~Bad Gateway", 375, 500 },
	{ "302 Found", "location: /x\r\n", "", TOOL_UNKNOWN, "~status 302", 375,
	    500 },
	{ NULL, "", "", TOOL_UNKNOWN, "~T: ", 375, 500 },
	{ NULL, "", "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{",
	    TOOL_UNKNOWN, "~T: ", 375, 500 },
};
static const struct execute_case *execute_case;

static void
serve_case(struct server *from, int fd, int connection)
{
	char headers[256];

	(void)connection;
	snprintf(headers, sizeof(headers), "x-request-id: r1\r\n%s",
	    execute_case->headers);
	while (server_read(from, fd)) {
		if (execute_case->status == NULL) {
			server_say(fd, execute_case->body);
			return;
		}
		server_answer(fd, execute_case->status, headers,
		    execute_case->body);
	}
}

static const char input[] = "{\"b\": 1.0, \"a\":\"\\u00e9\"}";

static const int64_t *not_after;

static void
execute(struct seen *seen, const char *slug, const char *account)
{
	struct agent_call call = { .id = "toolu_1",
		.name = "T",
		.slug = slug,
		.toolkit = "gmail",
		.version = "20261101_00",
		.account = account,
		.user = "user \"1\"",
		.input = { input, sizeof(input) - 1 },
		.attempt = 1 };
	struct tool_request request = { .call = &call,
		.limit_ms = 5000,
		.not_after = not_after,
		.done = on_result,
		.context = seen };
	struct tool_call *handle;
	struct fail fail;

	assert_int_equal(composio_provider.execute(composio, &request, &handle,
			     &fail),
	    0);
	run(&seen->calls);
}

static void
test_execute(void **state)
{
	const struct execute_case *one;
	bool same;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(execute_cases) / sizeof(execute_cases[0]); i++) {
		struct seen seen = { 0 };

		one = execute_case = &execute_cases[i];
		begin(serve_case);
		execute(&seen, "T", "ca_1");
		same = one->text[0] == '~'
		    ? strstr(seen.text, one->text + 1) != NULL
		    : strcmp(seen.text, one->text) == 0;
		if (!same || seen.result.outcome != one->outcome ||
		    (one->status != NULL && strcmp(seen.id, "r1") != 0) ||
		    seen.result.delay_ms < one->delay_from ||
		    seen.result.delay_ms > one->delay_to ||
		    atomic_load(&server->requests) != 1)
			fail_msg("case %zu: %d, %s, %s, in %lld, %d requests",
			    i, seen.result.outcome, seen.text, seen.id,
			    (long long)seen.result.delay_ms,
			    atomic_load(&server->requests));
		if (i == 0)
			assert_string_equal(seen.log_id, "log_1");
		end();
	}
}

static void
test_execute_request(void **state)
{
	struct seen seen = { 0 }, bare = { 0 };

	(void)state;
	execute_case = &execute_cases[0];
	begin(serve_case);
	execute(&seen, "gmail fetch/x", "ca_1");
	assert_non_null(strstr(server->request,
	    "POST /api/v3.1/tools/execute/gmail%20fetch%2Fx HTTP/1.1\r\n"));
	assert_non_null(
	    strstr(server->request, "\r\nx-api-key: ak_secret/1\r\n"));
	assert_null(strcasestr(server->request, "authorization"));
	assert_non_null(strstr(server->request,
	    "\r\n\r\n{\"user_id\":"
	    "\"user \\\"1\\\"\",\"connected_account_id\":\"ca_1\","
	    "\"version\":\"20261101_00\",\"arguments\":"
	    "{\"b\": 1.0, \"a\":\"\\u00e9\"}}"));
	execute(&bare, "T", NULL);
	assert_int_equal(bare.result.outcome, TOOL_DONE);
	assert_null(strstr(server->request, "connected_account_id"));
	end();
}

static void
test_execute_not_sent(void **state)
{
	struct seen seen = { 0 };

	(void)state;
	execute_case = &execute_cases[0];
	begin(serve_case);
	shutdown(server->fd, SHUT_RDWR);
	pthread_join(server->acceptor, NULL);
	close(server->fd);
	execute(&seen, "T", "ca_1");
	assert_int_equal(seen.result.outcome, TOOL_LATER);
	assert_in_range(seen.result.delay_ms, 375, 500);
	composio_provider.close(composio);
	http_close(http);
	loop_close(loop);
	free(server);
}

/* Its task may be another worker's: that is no attempt. */
static void
test_execute_too_late(void **state)
{
	struct seen seen = { 0 };
	int64_t past = clock_boot() - 1;

	(void)state;
	execute_case = &execute_cases[0];
	begin(serve_case);
	not_after = &past;
	execute(&seen, "T", "ca_1");
	not_after = NULL;
	assert_int_equal(seen.result.outcome, TOOL_LATER);
	assert_int_equal(seen.result.wait, WAIT_TIME);
	assert_int_equal(atomic_load(&server->requests), 0);
	end();
}

/* ---- facts and links: a service with a table of answers ---- */

struct rule {
	const char *request; /* method and target, behind /api/v3.1/ */
	const char *status, *body;
	int times; /* how often it holds; 0: always */
};
static struct rule rules[32];
static char log_text[8192];
static char bodies[4096];

static void
serve_rules(struct server *from, int fd, int connection)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	const char *target, *body;
	char request[2048], method[16];
	struct rule *rule;

	(void)connection;
	while (server_read(from, fd)) {
		pthread_mutex_lock(&lock);
		sscanf(server_own, "%15s", method);
		target = strstr(server_own, "/api/v3.1/") + 10;
		snprintf(request, sizeof(request), "%s %.*s", method,
		    (int)strcspn(target, " "), target);
		body = strstr(server_own, "\r\n\r\n") + 4;
		snprintf(log_text + strlen(log_text),
		    sizeof(log_text) - strlen(log_text), "%s\n", request);
		snprintf(bodies + strlen(bodies),
		    sizeof(bodies) - strlen(bodies), "%s%s", body,
		    *body ? "\n" : "");
		for (rule = rules; rule->request != NULL; rule++)
			if (strcmp(rule->request, request) == 0 &&
			    rule->times >= 0)
				break;
		if (rule->request == NULL) {
			server_answer(fd, "500 Unexpected",
			    "x-should-retry: false\r\n", request);
		} else {
			if (rule->times > 0 && --rule->times == 0)
				rule->times = -1;
			server_answer(fd, rule->status,
			    "retry-after-ms: 20"
			    "\r\n",
			    rule->body);
		}
		pthread_mutex_unlock(&lock);
	}
}

struct answer {
	int calls;
	char *json;
	struct fail fail;
};

static void
on_json(void *context, cJSON *json, const struct fail *fail)
{
	struct answer *answer = context;

	answer->calls++;
	answer->json = json != NULL ? json_text(json) : NULL;
	cJSON_Delete(json);
	if (fail != NULL)
		answer->fail = *fail;
}

static void
set_rules(const struct rule *table, size_t count)
{
	memset(rules, 0, sizeof(rules));
	if (count > 0)
		memcpy(rules, table, count * sizeof(*table));
	log_text[0] = '\0';
	bodies[0] = '\0';
}
#define RULES(table) set_rules(table, sizeof(table) / sizeof((table)[0]))

static void
facts_get(const char *members, struct answer *answer)
{
	char *text = mem_print("{\"user\":\"u 1\",\"goal\":\"g\",%s}", members);
	struct composio_call *call;
	struct config config;
	struct task task;
	struct fail fail;

	memset(answer, 0, sizeof(*answer));
	assert_int_equal(config_parse(NULL, 0, &config, &fail), 0);
	if (task_check(json_parse(text, strlen(text), &json_limits_task, &fail),
		&config, &task, &fail) < 0)
		fail_msg("%s", fail.message);
	assert_int_equal(composio_gather(composio, &task, on_json, answer,
			     &call, &fail),
	    0);
	run(&answer->calls);
	task_release(&task);
	config_release(&config);
	free(text);
}

#define TOOL(slug, toolkit, more) \
	"{\"slug\":\"" slug "\",\"toolkit\":" \
	"{\"slug\":\"" toolkit "\"}" more "}"
#define PAGE(items, cursor) "{\"items\":[" items "],\"next_cursor\":" cursor "}"
#define LATEST "&toolkit_versions=latest&limit=1000"
#define ACCOUNT(id, toolkit, status) \
	"{\"id\":\"" id "\",\"toolkit\":" \
	"{\"slug\":\"" toolkit "\"},\"status\":\"" status "\"}"

static void
test_facts_named(void **state)
{
	static const struct rule table[] = {
		{ "GET tools?tool_slugs=A_ONE%2CNOPE%2CC_X" LATEST, "200 OK",
		    PAGE(TOOL("C_X", "c", ",\"no_auth\":true") "," TOOL("A_ONE",
			     "a", ""),
			"null"),
		    0 },
		{ "GET toolkits/b", "200 OK",
		    "{\"slug\":\"b\","
		    "\"auth_config_details\":[{\"mode\":\"OAUTH2\"}]}",
		    0 },
		{ "GET toolkits/lost", "404 No", "{\"error\":{}}", 0 },
		{ "GET connected_accounts?user_ids=u%201&toolkit_slugs="
		  "b%2Clost%2Ca&limit=100",
		    "200 OK", PAGE(ACCOUNT("ca_1", "a", "EXPIRED"), "\"p/2\""),
		    0 },
		{ "GET connected_accounts?user_ids=u%201&toolkit_slugs="
		  "b%2Clost%2Ca&limit=100&cursor=p%2F2",
		    "200 OK", PAGE(ACCOUNT("ca_2", "a", "ACTIVE"), "\"\""), 0 },
		{ "GET auth_configs?toolkit_slug=b&limit=50", "200 OK",
		    PAGE("{\"id\":\"ac_1\",\"status\":\"ENABLED\"},"
			 "{\"id\":\"ac_2\",\"status\":\"DISABLED\"},{\"id\":"
			 "\"ac_3\",\"is_composio_managed\":true}",
			"null"),
		    0 },
	};
	struct answer answer;

	(void)state;
	RULES(table);
	begin(serve_rules);
	facts_get("\"toolkits\":[\"b\",\"lost\"],\"tools\":[\"A_ONE\","
		  "\"NOPE\",\"C_X\"]",
	    &answer);
	if (answer.json == NULL)
		fail_msg("%s", answer.fail.message);
	assert_string_equal(answer.json,
	    "{\"tools\":[" TOOL("A_ONE", "a", "") "," TOOL("C_X", "c",
		",\"no_auth\":true") "],\"missing_tools\":[\"NOPE\"],\"toolkits\":{"
				     "\"b\":{\"found\":true,\"no_auth\":false},"
				     "\"lost\":{\"found\":false,\"no_auth\":false},"
				     "\"a\":{\"found\":true,\"no_auth\":false},"
				     "\"c\":{\"found\":true,\"no_auth\":true}},\"accounts\":[" ACCOUNT(
					 "ca_1", "a",
					 "EXPIRED") "," ACCOUNT("ca_2", "a",
					 "ACTIVE") "],\"auth_configs\":{\"b\":[\"ac_3\",\"ac_1\"]}}");
	free(answer.json);
	end();
}

static void
test_facts_all_of_a_toolkit(void **state)
{
	static const struct rule table[] = {
		{ "GET tools?toolkit_slug=a" LATEST, "200 OK",
		    PAGE(TOOL("A_1", "a", ""), "\"2\""), 0 },
		{ "GET tools?toolkit_slug=a" LATEST "&cursor=2", "200 OK",
		    PAGE(TOOL("A_2", "a", "") "," TOOL("A_1", "a", ""), "null"),
		    0 },
		{ "GET connected_accounts?user_ids=u%201&toolkit_slugs=a"
		  "&limit=100",
		    "200 OK", PAGE(ACCOUNT("ca_2", "a", "ACTIVE"), "null"), 0 },
	};
	static const char *const tasks[] = { "\"toolkits\":[\"a\"]",
		"\"toolkits\":[\"a\"],\"tools\":[\"A_*\"]" };
	struct answer answer;
	size_t i;

	(void)state;
	begin(serve_rules);
	for (i = 0; i < 2; i++) {
		RULES(table);
		facts_get(tasks[i], &answer);
		if (answer.json == NULL)
			fail_msg("%s", answer.fail.message);
		assert_string_equal(answer.json,
		    "{\"tools\":[" TOOL("A_1", "a", "") "," TOOL("A_2", "a",
			"") "],\"missing_tools\":[],\"toolkits\":{\"a\":{\"found\":"
			    "true,\"no_auth\":false}},\"accounts\":[" ACCOUNT(
				"ca_2", "a",
				"ACTIVE") "],\"auth_configs\":{}}");
		free(answer.json);
	}
	end();
}

static void
test_facts_none(void **state)
{
	struct answer answer;

	(void)state;
	set_rules(NULL, 0);
	begin(serve_rules);
	facts_get("\"labels\":{}", &answer);
	assert_string_equal(answer.json,
	    "{\"tools\":[],\"missing_tools\":[],"
	    "\"toolkits\":{},\"accounts\":[],\"auth_configs\":{}}");
	assert_string_equal(log_text, "");
	free(answer.json);
	end();
}

#define FIRST "GET tools?toolkit_slug=a" LATEST
static const struct {
	const char *name;
	struct rule rules[3];
	enum fail_kind kind;
	const char *type, *words;
	int requests;
} trouble[] = {
	{ "a bad key",
	    { { FIRST, "401 No", "{\"error\":{\"message\":\"ak_secret/1?\"}}",
		0 } },
	    FAIL_NEVER, "bad_key", "COMPOSIO_API_KEY", 1 },
	{ "no rights", { { FIRST, "403 No", "", 0 } }, FAIL_NEVER, "forbidden",
	    "read access", 1 },
	{ "down", { { FIRST, "500 No", "", 0 } }, FAIL_NOT_NOW, "upstream",
	    "status 500", 3 },
	{ "too many",
	    { { FIRST, "429 Slow", "{\"message\":\"Rate limit exceeded.\"}",
		0 } },
	    FAIL_NOT_NOW, "rate_limit", "Rate limit exceeded.", 3 },
	{ "refused", { { FIRST, "400 Bad", "", 0 } }, FAIL_NOT_NOW, "upstream",
	    "status 400", 1 },
	{ "not JSON", { { FIRST, "200 OK", "<html>", 0 } }, FAIL_NOT_NOW,
	    "upstream", "not understood", 1 },
	{ "not an object", { { FIRST, "200 OK", "[]", 0 } }, FAIL_NOT_NOW,
	    "upstream", "not understood", 1 },
	{ "no items", { { FIRST, "200 OK", "{}", 0 } }, FAIL_NOT_NOW,
	    "upstream", "no items", 1 },
	{ "a circle of pages",
	    { { FIRST, "200 OK", PAGE("", "\"x\""), 0 },
		{ FIRST "&cursor=x", "200 OK", PAGE("", "\"x\""), 0 } },
	    FAIL_NOT_NOW, "upstream", "never end", 2 },
	{ "no accounts to be had",
	    { { FIRST, "200 OK", PAGE(TOOL("A_1", "a", ""), "null"), 0 },
		{ "GET connected_accounts?user_ids=u%201&toolkit_slugs=a"
		  "&limit=100",
		    "404 No", "", 0 } },
	    FAIL_NOT_NOW, "upstream", "status 404", 2 },
};

static void
test_facts_trouble(void **state)
{
	struct answer answer;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(trouble) / sizeof(trouble[0]); i++) {
		RULES(trouble[i].rules);
		begin(serve_rules);
		facts_get("\"toolkits\":[\"a\"]", &answer);
		if (answer.json != NULL ||
		    answer.fail.kind != trouble[i].kind ||
		    strcmp(answer.fail.type, trouble[i].type) != 0 ||
		    strstr(answer.fail.message, trouble[i].words) == NULL ||
		    atomic_load(&server->requests) != trouble[i].requests)
			fail_msg("%s: %s, %s, %d requests", trouble[i].name,
			    answer.fail.type, answer.fail.message,
			    atomic_load(&server->requests));
		assert_null(strstr(answer.fail.message, "ak_secret/1"));
		end();
	}
}

static void
test_facts_repeat(void **state)
{
	static const struct rule table[] = {
		{ FIRST, "503 No", "", 2 },
		{ FIRST, "404 No", "", 0 },
		{ "GET toolkits/a", "200 OK",
		    "{\"auth_config_details\":["
		    "{\"mode\":\"NO_AUTH\"}]}",
		    0 },
		{ "GET connected_accounts?user_ids=u%201&toolkit_slugs=a"
		  "&limit=100",
		    "200 OK", PAGE("", "null"), 0 },
	};
	struct answer answer;

	(void)state;
	RULES(table);
	begin(serve_rules);
	facts_get("\"toolkits\":[\"a\"]", &answer);
	if (answer.json == NULL)
		fail_msg("%s", answer.fail.message);
	assert_string_equal(answer.json,
	    "{\"tools\":[],\"missing_tools\":[],"
	    "\"toolkits\":{\"a\":{\"found\":true,\"no_auth\":true}},"
	    "\"accounts\":[],\"auth_configs\":{}}");
	free(answer.json);
	end();
}

static void
never_called(void *context, cJSON *json, const struct fail *fail)
{
	(void)context;
	(void)json;
	(void)fail;
	fail_msg("done after cancel");
}

static void
no_facts(void *context, const struct fail *fail)
{
	never_called(context, NULL, fail);
}

static void
on_gone(void *context)
{
	++*(int *)context;
}

static void
test_cancel(void **state)
{
	static const struct rule table[] = { { FIRST, "503 No", "", 0 } };
	static const struct preflight_link wanted = { .toolkit = "a" };
	struct tool_call *call, *link;
	cJSON *toolkits = cJSON_Parse("[\"a\"]");
	cJSON *tools = cJSON_CreateArray(), *facts = preflight_no_facts();
	struct task task = { .user = "u",
		.toolkits = toolkits,
		.tools = tools };
	struct fail fail;
	int gone = 0;

	(void)state;
	RULES(table);
	begin(serve_rules);
	assert_int_equal(composio_provider.facts(composio, &task, facts,
			     no_facts, NULL, &call, &fail),
	    0);
	assert_int_equal(composio_provider.link(composio, "u", &wanted,
			     never_called, NULL, &link, &fail),
	    0);
	link->cancel(link, on_gone, &gone);
	assert_int_equal(gone, 1);
	while (atomic_load(&server->requests) < 2)
		assert_true(loop_turn(loop, clock_boot() + 10, &fail) >= 0);
	tools_cancel(call, NULL, NULL);
	tools_cancel(NULL, on_gone, &gone);
	assert_int_equal(gone, 2);
	while (loop_turn(loop, clock_boot() + 30, &fail) > 0)
		;
	end();
	cJSON_Delete(toolkits);
	cJSON_Delete(tools);
	cJSON_Delete(facts);
}

/* What the log says of an execution is its outcome only if it is one. */
static void
test_evidence(void **state)
{
	static const struct {
		const char *status;
		enum tool_outcome outcome;
	} rows[] = {
		{ "success", TOOL_DONE },
		{ "failed", TOOL_ERROR },
		{ "error", TOOL_ERROR },
		{ "failure", TOOL_ERROR },
		{ "warning", TOOL_UNKNOWN },
		{ "info", TOOL_UNKNOWN },
		{ "running", TOOL_UNKNOWN },
		{ "", TOOL_UNKNOWN },
	};
	struct agent_call call = { .id = "toolu_1",
		.slug = "T",
		.user = "u",
		.request = "t-toolu_1-1" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct seen seen = { 0 };
		struct tool_request request = { .call = &call,
			.limit_ms = 5000,
			.done = on_result,
			.context = &seen };
		struct tool_call *handle;
		struct fail fail;
		char *detail = mem_print(
		    "{\"status\":\"%s\",\"context\":{\"request_id\":"
		    "\"t-toolu_1-1\"},\"data\":{\"response\":{\"a\":1}}}",
		    rows[i].status);
		const struct rule table[] = {
			{ "POST logs/tool_execution", "200 OK",
			    "{\"logs\":[{\"id\":\"log_1\"}]}", 0 },
			{ "GET logs/tool_execution/log_1", "200 OK", detail,
			    0 },
		};

		RULES(table);
		begin(serve_rules);
		assert_int_equal(composio_provider.evidence(composio, &request,
				     &handle, &fail),
		    0);
		run(&seen.calls);
		assert_int_equal(seen.result.outcome, rows[i].outcome);
		assert_string_equal(seen.log_id, "log_1");
		if (rows[i].outcome == TOOL_DONE)
			assert_string_equal(seen.text, "{\"a\":1}");
		end();
		free(detail);
	}
}

static void
ask_link(const char *auth_config, const char *alias, struct answer *answer)
{
	struct preflight_link wanted = { .toolkit = "linear" };
	struct tool_call *call;
	struct fail fail;

	memset(answer, 0, sizeof(*answer));
	snprintf(wanted.from, sizeof(wanted.from), "%s", auth_config);
	snprintf(wanted.alias, sizeof(wanted.alias), "%s", alias);
	assert_int_equal(composio_provider.link(composio, "u 1", &wanted,
			     on_json, answer, &call, &fail),
	    0);
	run(&answer->calls);
}

static void
test_link(void **state)
{
	static const struct rule table[] = {
		{ "POST connected_accounts/link", "201 Made",
		    "{\"link_token\":\"t\",\"redirect_url\":\"https://c/l\","
		    "\"expires_at\":\"2026-11-23T20:00:00Z\","
		    "\"connected_account_id\":\"ca_9\"}",
		    2 },
		{ "POST connected_accounts/link", "503 No", "", 0 },
		{ "POST auth_configs", "201 Made",
		    "{\"toolkit\":{\"slug\":"
		    "\"linear\"},\"auth_config\":{\"id\":\"ac_5\"}}",
		    0 },
	};
	static const char made[] =
	    "{\"url\":\"https://c/l\",\"expires_at\":"
	    "\"2026-11-23T20:00:00Z\",\"account\":\"ca_9\"}";
	struct answer answer;

	(void)state;
	RULES(table);
	begin(serve_rules);
	ask_link("ac_1", "work", &answer);
	assert_string_equal(answer.json, made);
	free(answer.json);
	ask_link("", "", &answer);
	assert_string_equal(answer.json, made);
	free(answer.json);
	assert_string_equal(bodies,
	    "{\"auth_config_id\":\"ac_1\",\"user_id\":\"u 1\","
	    "\"alias\":\"work\"}\n"
	    "{\"toolkit\":{\"slug\":\"linear\"},\"auth_config\":{\"type\":"
	    "\"use_composio_managed_auth\"}}\n"
	    "{\"auth_config_id\":\"ac_5\",\"user_id\":\"u 1\"}\n");
	ask_link("ac_1", "work", &answer);
	assert_null(answer.json);
	assert_int_equal(answer.fail.kind, FAIL_NOT_NOW);
	assert_int_equal(atomic_load(&server->requests), 4);
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_execute),
		cmocka_unit_test(test_execute_request),
		cmocka_unit_test(test_execute_not_sent),
		cmocka_unit_test(test_execute_too_late),
		cmocka_unit_test(test_facts_named),
		cmocka_unit_test(test_facts_all_of_a_toolkit),
		cmocka_unit_test(test_facts_none),
		cmocka_unit_test(test_facts_trouble),
		cmocka_unit_test(test_facts_repeat),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_evidence),
		cmocka_unit_test(test_link),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
