/* SPDX-License-Identifier: ISC */
/*
 * How claude works: each attempt is one streamed POST. The stream module puts
 * the reply together; this one decides the outcome of the attempt, and whether
 * and when to retry it. A failed attempt has no effect except its cost, so
 * every attempt that was cut off may be retried. What time or a person can mend
 * is a wait (claude_refusal.c).
 */
#include "common/provider/claude.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/backoff.h"
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/id.h"
#include "common/base/mem.h"
#include "common/json/json.h"
#include "common/provider/claude_internal.h"
#include "common/provider/key.h"

/* A model may think in silence, but not without end: while only pings come, the
 * attempt ends after so many times the time in which no byte may come. */
#define PING_IDLES 5

struct claude {
	struct http *http;
	char *url;
	struct key key;
	struct gate *gate;
	int64_t idle_ms, turn_ms;
};

struct claude_call {
	struct claude *claude;
	struct claude_stream *stream;
	struct http_call *http_call; /* NULL: it has not left */
	struct gate_pass pass;
	char *body; /* until it leaves */
	const char *beta;
	size_t length;
	unsigned attempt, key_version;
	void (*text)(void *context, const char *bytes, size_t length);
	void (*done)(void *context, const struct claude_reply *reply);
	void *context;
	bool feeding, cancelled; /* cancelled by the callback for the text */
	uint64_t events;         /* so far, the last at: */
	int64_t event_at;
	bool only_pings;
	struct claude_limits limits; /* that the answer tells */
};

static bool
renew_key(void *context)
{
	struct claude *claude = context;
	bool renewed = key_renewed(&claude->key);

	if (renewed)
		gate_key(claude->gate, claude->url, claude->key.header);
	return renewed;
}

int
claude_open(struct http *http, const char *url, const struct config *config,
    const struct gate_watch *watch, struct claude **ret_claude,
    struct fail *fail)
{
	struct claude *claude;
	struct key key;

	if (key_open(&key, "ANTHROPIC_API_KEY", "authorization: Bearer ",
		fail) < 0)
		return -1;
	if (key.header == NULL)
		return fail_set(fail, FAIL_NEVER, "missing_key",
		    "no key for Claude: set ANTHROPIC_API_KEY, or "
		    "ANTHROPIC_API_KEY_FILE to the file that holds it");
	claude = mem_alloc(sizeof(*claude));
	claude->http = http;
	claude->url = mem_print("%s/v1/messages", url);
	claude->key = key;
	claude->gate = gate_new(http_loop(http), "Claude", watch, renew_key,
	    claude);
	gate_key(claude->gate, claude->url, key.header);
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
	gate_free(claude->gate);
	key_release(&claude->key);
	free(claude->url);
	free(claude);
}

struct gate *
claude_gate(struct claude *claude)
{
	return claude->gate;
}

/* The service has taken the request. */
static void
accepted(struct claude_call *call)
{
	struct gate *gate = call->pass.gate;
	int64_t step, reset;

	gate_accepted(&call->pass);
	if (claude_pace(&call->limits, (int64_t)call->length / 4, clock_wall(),
		&step, &reset))
		gate_pace(gate, step, reset);
}

static void
on_header(void *context, const char *line, size_t length)
{
	struct claude_call *call = context;

	claude_limits_read(&call->limits, line, length);
}

static bool
on_piece(void *context, const char *bytes, size_t length)
{
	struct claude_call *call = context;
	uint64_t events;
	bool go_on;

	if (call->pass.gate != NULL)
		accepted(call);
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
		{ "invalid_request_error", 400 },
		{ "authentication_error", 401 },
		{ "billing_error", 402 },
		{ "permission_error", 403 },
		{ "not_found_error", 404 },
		{ "request_too_large", 413 },
	};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(type, known[i].type) == 0)
			return known[i].status;
	return 500;
}

/* Decides what follows from a failure: a wait, another attempt, or the end. ANSWER
 * is the one whose headers count, or NULL. */
static void
judge(struct claude_call *call, const struct http_answer *answer, int status,
    struct claude_reply *reply)
{
	struct backoff_answer back = { .date = clock_wall() };
	struct gate_pass *pass = &call->pass;
	bool of_key;

	if (answer != NULL)
		back = http_backoff(answer);
	back.status = status;
	reply->wait = claude_wait(reply, status, &of_key);
	reply->retryable = reply->wait == WAIT_NONE && backoff_retryable(&back);
	if (status >= 500 && reply->wait == WAIT_NONE && !reply->retryable)
		reply->wait = WAIT_OUTAGE;
	reply->delay_ms = backoff_named(&back);
	if (status == 401 &&
	    (renew_key(call->claude) ||
		call->key_version != call->claude->key.version)) {
		reply->delay_ms = 1; /* there is another key: at once */
		gate_leave(pass);
	} else if (of_key || reply->wait == WAIT_RATE_LIMIT) {
		if (pass->gate == NULL && reply->delay_ms == 0 &&
		    reply->wait == WAIT_RATE_LIMIT)
			reply->delay_ms = backoff_delay(&back, call->attempt,
			    random_fraction());
		reply->delay_ms = gate_refused(pass, reply->wait,
		    reply->delay_ms, reply->error_message);
	} else if (status / 100 == 4) {
		gate_accepted(pass);
	}
	if (reply->retryable && reply->delay_ms == 0)
		reply->delay_ms = backoff_delay(&back, call->attempt,
		    random_fraction());
}

static void
call_free(struct claude_call *call)
{
	claude_stream_free(call->stream);
	free(call->body);
	free(call);
}

static void
finish(struct claude_call *call, const struct claude_reply *reply)
{
	gate_leave(&call->pass);
	call->done(call->context, reply);
	call_free(call);
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
	judge(call, answer, answer->status, reply);
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
	call->http_call = NULL;
	if (answer->status != 0 && answer->status / 100 != 2) {
		refused(call, answer, &reply);
		return;
	}
	if (reply.error_sent) {
		judge(call, NULL, status_of(reply.error_type), &reply);
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
		judge(call, NULL, 0, &reply);
		if (strcmp(reply.error_type, "reply_too_large") == 0)
			reply.retryable = false;
	}
	finish(call, &reply);
}

static int
send_call(struct claude_call *call, struct fail *fail)
{
	struct claude *claude = call->claude;
	char *beta = call->beta ? mem_print("anthropic-beta: %s", call->beta)
				: NULL;
	const char *headers[] = { claude->key.header, CLAUDE_VERSION_HEADER,
		"content-type: application/json", "accept: application/json",
		beta, NULL };
	struct http_request request = {
		.method = "POST",
		.url = claude->url,
		.headers = headers,
		.body = call->body,
		.body_length = call->length,
		.idle_ms = claude->idle_ms,
		.total_ms = claude->turn_ms,
		.body_maximum = 1u << 20,
		.piece = on_piece,
		.header = on_header,
		.done = on_done,
		.context = call,
	};
	int result;

	call->body = NULL;
	call->key_version = claude->key.version;
	result = http_start(claude->http, &request, &call->http_call, fail);
	free(beta);
	return result;
}

/* The call may leave, or does not leave at all. */
static void
on_turn(void *context, const struct gate_refusal *refusal)
{
	struct claude_call *call = context;
	struct claude_reply reply;
	struct fail fail;

	if (refusal == NULL && send_call(call, &fail) == 0)
		return;
	claude_stream_end(call->stream, &reply);
	reply.ok = false;
	reply.error_type = refusal != NULL ? "not_sent" : fail.type;
	reply.error_message = refusal == NULL ? fail.message
	    : *refusal->message != '\0'       ? refusal->message
					      : "held back by a rate limit";
	reply.wait = refusal != NULL ? refusal->kind : WAIT_KEY;
	reply.delay_ms = refusal != NULL ? refusal->delay_ms : 0;
	finish(call, &reply);
}

int
claude_start(struct claude *claude, char *body, size_t length, const char *beta,
    unsigned attempt, bool asked,
    void (*text)(void *context, const char *bytes, size_t length),
    void (*done)(void *context, const struct claude_reply *reply),
    void *context, struct claude_call **ret_call, struct fail *fail)
{
	struct claude_call *call = mem_alloc(sizeof(*call));

	call->claude = claude;
	call->body = body;
	call->length = length;
	call->beta = beta;
	call->attempt = attempt;
	call->text = text;
	call->done = done;
	call->context = context;
	call->event_at = clock_boot();
	call->stream = claude_stream_new(on_text, call);
	call->pass.turn = on_turn;
	call->pass.context = call;
	call->pass.asked = asked;
	(void)renew_key(claude);
	if (gate_enter(claude->gate, &call->pass) &&
	    send_call(call, fail) < 0) {
		gate_leave(&call->pass);
		call_free(call);
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
	gate_leave(&call->pass);
	if (call->http_call != NULL)
		http_cancel(call->http_call);
	call_free(call);
}
