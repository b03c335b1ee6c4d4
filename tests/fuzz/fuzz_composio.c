/* SPDX-License-Identifier: ISC */
/*
 * Answers of Composio. A first line with a status: the rest is its answer to
 * one call of a tool. Else each line is the answer to a query about facts, as
 * long as there are any; preflight takes what is made of them. http is played by
 * this file.
 */
#include "common/agent/preflight.h"
#include "common/base/mem.h"
#include "common/provider/composio.h"
#include "tests/fuzz/fuzz.h"

struct http_call {
	struct http_call *next;
	void (*done)(void *context, const struct http_answer *answer);
	void *context;
};

static struct http_call *calls;
static struct loop *loop;
static unsigned ends; /* how often what was begun has ended */

int
http_start(struct http *http, const struct http_request *request,
    struct http_call **ret_call, struct fail *fail)
{
	struct http_call *call = mem_alloc(sizeof(*call)), **at;

	(void)http;
	(void)fail;
	free(request->body);
	call->done = request->done;
	call->context = request->context;
	for (at = &calls; *at; at = &(*at)->next)
		;
	*at = call;
	*ret_call = call;
	return 0;
}

void
http_cancel(struct http_call *call)
{
	struct http_call **at;

	for (at = &calls; *at && *at != call; at = &(*at)->next)
		;
	if (*at) {
		*at = call->next;
		free(call);
	}
}

const char *
http_header(struct http_call *call, const char *name)
{
	(void)call;
	return strcmp(name, "retry-after") == 0 ? "7" : NULL;
}

const char *
http_header_at(struct http_call *call, const char *name, size_t index)
{
	return index == 0 ? http_header(call, name) : NULL;
}

struct loop *
http_loop(struct http *http)
{
	(void)http;
	return loop;
}

static void
answer(int status, struct span body)
{
	struct http_call *call = calls;
	char *text = mem_copy(body.at, body.length);
	struct http_answer answer = { .outcome = HTTP_ANSWERED,
		.status = status,
		.body = text,
		.body_length = body.length,
		.error = "",
		.call = call };

	calls = call->next;
	call->done(call->context, &answer);
	free(call);
	free(text);
}

static void
executed(void *context, const struct tool_result *result)
{
	(void)context;
	ends++;
	assert(result->text && result->delay_ms >= 0);
	switch (result->outcome) {
	case TOOL_DONE:
		assert(result->status / 100 == 2);
		assert(!memchr(result->text, '\n', result->length));
		if (!result->loose)
			cJSON_Delete(fuzz_json(result->text, result->length));
		break;
	case TOOL_ERROR:
		assert(result->status / 100 == 2 || result->status / 100 == 4);
		break;
	case TOOL_LATER:
		assert(result->status == 429 || result->status == 401 ||
		    result->status == 403);
		break;
	case TOOL_CONNECTION:
		assert(result->status / 100 == 4);
		break;
	case TOOL_UNKNOWN:
		assert(result->status / 100 != 4 || result->status == 408);
	}
}

static void
execute(void *state, int status, struct span body)
{
	static const struct agent_call call = { .slug = "NOTES_WRITE",
		.version = "1",
		.user = "ana",
		.input = { "{}", 2 },
		.attempt = 1 };
	struct tool_request request = { .call = &call,
		.limit_ms = 1000,
		.done = executed };
	struct tool_call *under_way;
	struct fail fail;

	assert(
	    composio_provider.execute(state, &request, &under_way, &fail) == 0);
	answer(status, body);
}

static void
known(void *context, const struct fail *fail)
{
	bool *good = context;

	ends++;
	*good = fail == NULL;
	assert(!fail || (fail->kind != FAIL_NO && *fail->message));
}

static void
facts(void *state, const struct config *config, struct span rest)
{
	static const char text[] = "{\"user\":\"u\",\"goal\":\"g\","
				   "\"toolkits\":[\"gmail\"],"
				   "\"tools\":[\"GMAIL_SEND\",\"GMAIL_*\"]}";
	cJSON *known_facts = preflight_no_facts();
	struct preflight preflight;
	bool good = false;
	struct tool_call *under_way;
	struct task task;
	struct fail fail;
	char *line;

	assert(task_check(fuzz_json(text, strlen(text)), config, &task,
		   &fail) == 0);
	assert(composio_provider.facts(state, &task, known_facts, known, &good,
		   &under_way, &fail) == 0);
	while (ends == 0) {
		if (!calls) {
			assert(loop_turn(loop, -1, &fail) >= 0);
			continue;
		}
		line = fuzz_line(&rest);
		answer(*line ? 200 : 404, (struct span){ line, strlen(line) });
		free(line);
	}
	if (good) {
		assert(preflight_check(&task, config, known_facts, &preflight,
			   &fail) == 0);
		preflight_release(&preflight);
	}
	cJSON_Delete(known_facts);
	task_release(&task);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = { (const char *)data, size };
	struct config config;
	struct fail fail;
	void *state;
	char *line;
	int status;

	if (!loop) {
		setenv("COMPOSIO_API_KEY", "k", 1);
		assert(loop_open(&loop, &fail) == 0);
	}
	assert(config_parse(NULL, 0, &config, &fail) == 0);
	assert(composio_provider.open(NULL, &config, NULL, &state, &fail) == 0);
	line = fuzz_line(&rest);
	status = (int)strtol(line, NULL, 10);
	ends = 0;
	if (status >= 200 && status <= 599)
		execute(state, status, rest);
	else
		facts(state, &config,
		    (struct span){ (const char *)data, size });
	assert(ends == 1 && !calls);
	composio_provider.close(state);
	config_release(&config);
	free(line);
	return 0;
}
