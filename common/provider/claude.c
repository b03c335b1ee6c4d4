/* SPDX-License-Identifier: ISC */
/*
 * How claude works: each attempt is one streamed POST. The stream module puts
 * the reply together; this one decides the outcome of the attempt, and whether
 * and when to retry it. A failed attempt has no effect except its cost, so
 * every attempt that was cut off may be retried.
 */
#include "common/provider/claude.h"

#include <string.h>

#include "common/base/backoff.h"
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/id.h"
#include "common/base/mem.h"
#include "common/json/json.h"
#include "common/provider/claude_internal.h"

/* A model may think in silence, but not without end: while only pings come, the
 * attempt ends after so many times the time in which no byte may come. */
#define PING_IDLES 5

struct claude {
	struct http *http;
	char *url;
	char *authorization; /* the whole header */
	int64_t idle_ms, turn_ms;
};

struct claude_call {
	struct claude *claude;
	struct claude_stream *stream;
	struct http_call *http_call;
	unsigned attempt;
	void (*text)(void *context, const char *bytes, size_t length);
	void (*done)(void *context, const struct claude_reply *reply);
	void *context;
	bool feeding, cancelled; /* cancelled by the callback for the text */
	uint64_t events;         /* so far, the last at: */
	int64_t event_at;
	bool only_pings;
};

int
claude_open(struct http *http, const char *url, const char *key,
    const struct config *config, struct claude **ret_claude, struct fail *fail)
{
	struct claude *claude;

	if (key == NULL || *key == '\0')
		return fail_set(fail, FAIL_NEVER, "missing_key",
		    "no key for Claude: set ANTHROPIC_API_KEY, or "
		    "ANTHROPIC_API_KEY_FILE to the file that holds it");
	claude = mem_alloc(sizeof(*claude));
	claude->http = http;
	claude->url = mem_print("%s/v1/messages", url);
	claude->authorization = mem_print("authorization: Bearer %s", key);
	claude->idle_ms = config->idle_ms;
	claude->turn_ms = config->turn_ms;
	*ret_claude = claude;
	return 0;
}

void
claude_close(struct claude *claude)
{
	if (claude == NULL)
		return;
	explicit_bzero(claude->authorization, strlen(claude->authorization));
	free(claude->authorization);
	free(claude->url);
	free(claude);
}

static bool
on_piece(void *context, const char *bytes, size_t length)
{
	struct claude_call *call = context;
	uint64_t events;
	bool go_on;

	call->feeding = true;
	go_on = claude_stream_feed(call->stream, bytes, length);
	call->feeding = false;
	if (call->cancelled) {
		claude_cancel(call);
		return false;
	}
	events = claude_stream_events(call->stream);
	if (events != call->events) {
		call->events = events;
		call->event_at = clock_boot();
	} else if (clock_boot() - call->event_at >
	    PING_IDLES * call->claude->idle_ms) {
		call->only_pings = true;
		return false;
	}
	return go_on;
}

static void
on_text(void *context, const char *bytes, size_t length)
{
	struct claude_call *call = context;

	if (call->text != NULL && !call->cancelled)
		call->text(call->context, bytes, length);
}

/* The status that an error in the middle of a reply would have had. */
static int
status_of(const char *type)
{
	static const struct {
		const char *type;
		int status;
	} known[] = {
		{ "overloaded_error", 529 },
		{ "api_error", 500 },
		{ "rate_limit_error", 429 },
		{ "timeout_error", 504 },
	};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(type, known[i].type) == 0)
			return known[i].status;
	return 400;
}

/* A spending limit ends when a person changes it, not by waiting. */
static bool
spend_limit(const char *code)
{
	return strcmp(code, "enforced_spend_limit_reached") == 0 ||
	    strcmp(code, "contract_spend_limit_reached") == 0;
}

/* ANSWER is the one whose headers count, or NULL. */
static void
plan_retry(const struct claude_call *call, const struct http_answer *answer,
    int status, struct claude_reply *reply)
{
	struct backoff_answer back = { .date = clock_wall() };

	if (answer != NULL)
		back = http_backoff(answer);
	back.status = status;
	reply->retryable = !spend_limit(reply->error_code) &&
	    backoff_retryable(&back);
	if (reply->retryable)
		reply->delay_ms = backoff_delay(&back, call->attempt,
		    random_fraction());
}

static void
finish(struct claude_call *call, const struct claude_reply *reply)
{
	call->done(call->context, reply);
	claude_stream_free(call->stream);
	free(call);
}

/* An answer with an error. The body is the service's error object, or what a
 * proxy sent instead. */
static void
refused(struct claude_call *call, const struct http_answer *answer,
    struct claude_reply *reply)
{
	const cJSON *error, *details;
	struct buf said = BUF_INIT(512);
	const char *value;
	struct fail fail;
	cJSON *body;

	body = json_parse(answer->body, answer->body_length,
	    &json_limits_upstream, &fail);
	error = json_item(body, "error");
	details = json_item(error, "details");
	value = json_string(error, "type");
	reply->error_type = value != NULL ? value : "http_error";
	reply->error_message = json_string(error, "message");
	if (reply->error_message == NULL) {
		buf_print(&said, "HTTP status %d", answer->status);
		if (answer->body_length > 0) {
			buf_add_string(&said, ": ");
			http_excerpt(&said, answer->body, answer->body_length);
		}
		reply->error_message = said.data;
	}
	value = json_string(details, "error_code");
	reply->error_code = value != NULL ? value : "";
	value = json_string(body, "request_id");
	if (*reply->request_id == '\0' && value != NULL)
		reply->request_id = value;
	plan_retry(call, answer, answer->status, reply);
	finish(call, reply);
	buf_release(&said);
	cJSON_Delete(body);
}

static void
on_done(void *context, const struct http_answer *answer)
{
	struct claude_call *call = context;
	struct claude_reply reply;
	const char *id = http_header(answer->call, "request-id");

	claude_stream_end(call->stream, &reply);
	reply.status = answer->status;
	if (id != NULL)
		reply.request_id = id;
	if (answer->status != 0 && answer->status / 100 != 2) {
		refused(call, answer, &reply);
		return;
	}
	if (reply.error_sent) {
		plan_retry(call, NULL, status_of(reply.error_type), &reply);
	} else if (!reply.ok) {
		if (call->only_pings) {
			reply.error_type = "connection_error";
			reply.error_message = "nothing but pings came for too "
					      "long";
		} else if (answer->outcome == HTTP_NOT_SENT ||
		    answer->outcome == HTTP_CUT) {
			reply.error_type = "connection_error";
			reply.error_message = answer->error;
		}
		plan_retry(call, NULL, 0, &reply);
		if (strcmp(reply.error_type, "reply_too_large") == 0)
			reply.retryable = false;
	}
	finish(call, &reply);
}

int
claude_start(struct claude *claude, char *body, size_t length, const char *beta,
    unsigned attempt,
    void (*text)(void *context, const char *bytes, size_t length),
    void (*done)(void *context, const struct claude_reply *reply),
    void *context, struct claude_call **ret_call, struct fail *fail)
{
	char *beta_header = beta ? mem_print("anthropic-beta: %s", beta) : NULL;
	const char *headers[] = { claude->authorization, CLAUDE_VERSION_HEADER,
		"content-type: application/json", "accept: application/json",
		beta_header, NULL };
	struct claude_call *call = mem_alloc(sizeof(*call));
	struct http_request request = {
		.method = "POST",
		.url = claude->url,
		.headers = headers,
		.body = body,
		.body_length = length,
		.idle_ms = claude->idle_ms,
		.total_ms = claude->turn_ms,
		.body_maximum = 1u << 20,
		.piece = on_piece,
		.done = on_done,
		.context = call,
	};
	int result;

	call->claude = claude;
	call->attempt = attempt;
	call->text = text;
	call->done = done;
	call->context = context;
	call->event_at = clock_boot();
	call->stream = claude_stream_new(on_text, call);
	result = http_start(claude->http, &request, &call->http_call, fail);
	free(beta_header);
	if (result < 0) {
		claude_stream_free(call->stream);
		free(call);
		return -1;
	}
	*ret_call = call;
	return 0;
}

void
claude_judge_by(struct claude_call *call, int64_t turn, const uint64_t *ids,
    size_t count)
{
	claude_stream_judge_by(call->stream, turn, ids, count);
}

void
claude_cancel(struct claude_call *call)
{
	if (call == NULL)
		return;
	if (call->feeding) {
		call->cancelled = true;
		return;
	}
	http_cancel(call->http_call);
	claude_stream_free(call->stream);
	free(call);
}
