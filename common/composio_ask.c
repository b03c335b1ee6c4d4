/*
 * How asking works: one request at a time with a JSON object as its answer.
 * A GET that failed in a way that may pass is repeated after the delay of
 * backoff.h; a service that wants a longer rest is not waited for, since
 * somebody may be waiting for the answer.
 */
#include <string.h>
#include <sys/random.h>

#include "common/backoff.h"
#include "common/clock.h"
#include "common/composio_internal.h"
#include "common/json.h"
#include "common/loop.h"
#include "common/mem.h"

#define TRIES 3
#define PATIENCE_MS 20000

struct ask {
	struct composio *composio;
	struct http_call *http_call;
	struct timer timer;
	const char *method;
	char *path, *body;
	unsigned attempt;
	void (*done)(void *context, cJSON *answer, int status,
	    const struct fail *fail);
	void *context;
};

static int
ask_send(struct ask *ask, struct fail *fail);

static void
ask_free(struct ask *ask)
{
	loop_cancel(http_loop(ask->composio->http), &ask->timer);
	free(ask->path);
	free(ask->body);
	free(ask);
}

static void
ask_end(struct ask *ask, cJSON *answer, int status, const struct fail *fail)
{
	void (*done)(void *, cJSON *, int, const struct fail *) = ask->done;
	void *context = ask->context;

	ask_free(ask);
	done(context, answer, status, fail);
}

/* Sets the timer for another try, unless there is to be none. */
static bool
try_again(struct ask *ask, const struct http_answer *answer)
{
	struct backoff_answer back = { .status = answer->status };
	uint32_t number = 0;
	int64_t delay;

	if (ask->attempt >= TRIES || strcmp(ask->method, "GET") != 0)
		return false;
	back.date = clock_wall();
	back.should_retry = http_header(answer->call, "x-should-retry");
	back.retry_after = http_header(answer->call, "retry-after");
	back.retry_after_ms = http_header(answer->call, "retry-after-ms");
	if (answer->outcome != HTTP_ANSWERED)
		back.status = 0;
	else if (answer->status / 100 == 2 || !backoff_retryable(&back))
		return false;
	(void)!getrandom(&number, sizeof(number), GRND_NONBLOCK);
	delay = backoff_delay(&back, ask->attempt, number / 4294967296.0);
	if (delay > PATIENCE_MS)
		return false;
	ask->http_call = NULL;
	loop_timer(http_loop(ask->composio->http), &ask->timer,
	    clock_boot() + delay);
	return true;
}

static void
timer_fire(void *context)
{
	struct ask *ask = context;
	struct fail fail;

	if (ask_send(ask, &fail) < 0)
		ask_end(ask, NULL, 0, &fail);
}

static void
refused(struct ask *ask, const struct http_answer *answer)
{
	struct composio_error error;
	const char *text;
	struct fail fail;

	composio_error_read(answer, &error);
	text = error.text.data;
	if (answer->status == 401)
		fail_set(&fail, FAIL_NEVER, "bad_key",
		    "Composio does not take the key: %s: check "
		    "COMPOSIO_API_KEY", text);
	else if (answer->status == 403)
		fail_set(&fail, FAIL_NEVER, "forbidden",
		    "the Composio key is not allowed to do this: %s: give it "
		    "read access to connected accounts, tools, toolkits and "
		    "auth configs, and write access to connected accounts and "
		    "tool execution", text);
	else
		fail_set(&fail, FAIL_NOT_NOW, "upstream",
		    "Composio: %s %s: %s", ask->method, ask->path, text);
	buf_release(&error.text);
	ask_end(ask, NULL, answer->status, &fail);
}

static void
on_answer(void *context, const struct http_answer *answer)
{
	struct ask *ask = context;
	struct fail fail, why;
	cJSON *json;

	if (try_again(ask, answer))
		return;
	if (answer->outcome != HTTP_ANSWERED) {
		fail_set(&fail, FAIL_NOT_NOW, "upstream",
		    "Composio: %s %s: %s", ask->method, ask->path,
		    answer->error);
		ask_end(ask, NULL, 0, &fail);
		return;
	}
	if (answer->status / 100 != 2) {
		refused(ask, answer);
		return;
	}
	json = json_parse(answer->body, answer->body_length,
	    &json_limits_upstream, &why);
	if (!cJSON_IsObject(json)) {
		fail_set(&fail, FAIL_NOT_NOW, "upstream",
		    "Composio: %s %s: the answer is not understood: %s",
		    ask->method, ask->path,
		    json == NULL ? why.message : "not a JSON object");
		cJSON_Delete(json);
		ask_end(ask, NULL, answer->status, &fail);
		return;
	}
	ask_end(ask, json, answer->status, NULL);
}

static int
ask_send(struct ask *ask, struct fail *fail)
{
	const char *headers[] = { ask->composio->key,
		"accept: application/json",
		ask->body ? "content-type: application/json" : NULL, NULL };
	struct http_request request = {
		.method = ask->method, .headers = headers,
		.idle_ms = ask->composio->call_ms,
		.total_ms = ask->composio->call_ms,
		.once = ask->body != NULL,
		.done = on_answer, .context = ask,
	};
	char *url = mem_print("%s%s", ask->composio->base, ask->path);
	int result;

	if (ask->body != NULL) {
		request.body = mem_string(ask->body);
		request.body_length = strlen(ask->body);
	}
	request.url = url;
	ask->attempt++;
	result = http_start(ask->composio->http, &request, &ask->http_call,
	    fail);
	free(url);
	return result;
}

int
ask_start(struct composio *composio, const char *method, const char *path,
    char *body,
    void (*done)(void *context, cJSON *answer, int status,
    const struct fail *fail), void *context, struct ask **ret_ask,
    struct fail *fail)
{
	struct ask *ask = mem_alloc(sizeof(*ask));

	ask->composio = composio;
	ask->method = method;
	ask->path = mem_string(path);
	ask->body = body;
	ask->done = done;
	ask->context = context;
	ask->timer.fire = timer_fire;
	ask->timer.context = ask;
	if (ask_send(ask, fail) < 0) {
		ask_free(ask);
		return -1;
	}
	*ret_ask = ask;
	return 0;
}

void
ask_cancel(struct ask *ask)
{
	if (ask == NULL)
		return;
	http_cancel(ask->http_call);
	ask_free(ask);
}
