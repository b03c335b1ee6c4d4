/* SPDX-License-Identifier: ISC */
/*
 * How a query works: one request at a time with a JSON object as its answer.
 * A GET that failed in a way that may pass is repeated after the delay of
 * backoff.h. If the service wants a longer delay, the query fails instead, since
 * a user may be waiting for the answer.
 *
 * The beginning of every kind of call and how an error answer is read are here,
 * too: executed calls, facts and links all build on this file.
 */
#include <string.h>

#include "common/base/backoff.h"
#include "common/base/clock.h"
#include "common/base/id.h"
#include "common/base/loop.h"
#include "common/base/mem.h"
#include "common/json/json.h"
#include "common/provider/composio_internal.h"

#define TRIES 3
#define PATIENCE_MS 20000

/* ---- every kind of call ---- */

static void
cancel(struct tool_call *call, void (*gone)(void *context), void *context)
{
	struct composio_call *own = (struct composio_call *)(void *)call;

	own->release(own);
	gone(context);
}

void
composio_call_init(struct composio_call *call, struct composio *composio,
    void (*release)(struct composio_call *call))
{
	call->call.cancel = cancel;
	call->composio = composio;
	call->release = release;
}

const char *
composio_request_id(const struct http_answer *answer, const cJSON *error)
{
	const char *id = http_header(answer->call, "x-request-id");

	if (id == NULL)
		id = json_string(error, "request_id");
	return id != NULL ? id : "";
}

static void
add_errors(struct buf *text, const cJSON *errors)
{
	const cJSON *one;

	cJSON_ArrayForEach (one, errors)
		if (cJSON_IsString(one))
			buf_print(text, "; %.300s", one->valuestring);
}

void
composio_error_read(const struct http_answer *answer,
    struct composio_error *ret)
{
	struct composio_error read = { .text = BUF_INIT(16384) };
	const char *message, *string;
	const cJSON *error;
	struct fail fail;
	cJSON *body;

	body = json_parse(answer->body, answer->body_length,
	    &json_limits_upstream, &fail);
	error = json_item(body, "error");
	if (!cJSON_IsObject(error))
		error = body;
	message = json_string(error, "message");
	if (message == NULL)
		message = json_string(body, "error");
	if (message != NULL) {
		buf_print(&read.text, "%.2000s", message);
	} else if (answer->body_length > 0) {
		http_excerpt(&read.text, answer->body, answer->body_length);
	}
	add_errors(&read.text, json_item(error, "errors"));
	string = json_string(error, "suggested_fix");
	if (string == NULL)
		string = json_string(error, "suggestedFix");
	if (string != NULL)
		buf_print(&read.text, " (%.500s)", string);
	buf_print(&read.text, "%s[status %d", read.text.length ? " " : "",
	    answer->status);
	string = composio_request_id(answer, error);
	if (*string != '\0')
		buf_print(&read.text, ", request %.100s", string);
	buf_add_string(&read.text, "]");
	string = json_string(error, "slug");
	snprintf(read.slug, sizeof(read.slug), "%s", string ? string : "");
	if (!json_integer(error, "code", &read.code)) {
		string = json_string(error, "code");
		read.code = string != NULL ? strtol(string, NULL, 10) : 0;
	}
	cJSON_Delete(body);
	*ret = read;
}

/* ---- queries ---- */

struct query {
	struct composio *composio;
	struct http_call *http_call; /* NULL: none is under way */
	struct gate_pass pass;
	unsigned key_version;
	struct timer timer;
	char *path, *body; /* a POST has a body, a GET has none */
	unsigned attempt;
	void (*done)(void *context, cJSON *answer, int status,
	    const struct fail *fail);
	void *context;
};

static int
query_send(struct query *query, struct fail *fail);

static const char *
method_of(const struct query *query)
{
	return query->body != NULL ? "POST" : "GET";
}

static void
query_free(struct query *query)
{
	loop_cancel(http_loop(query->composio->http), &query->timer);
	gate_leave(&query->pass);
	free(query->path);
	free(query->body);
	free(query);
}

static void
query_end(struct query *query, cJSON *answer, int status,
    const struct fail *fail)
{
	void (*done)(void *, cJSON *, int, const struct fail *) = query->done;
	void *context = query->context;

	query_free(query);
	done(context, answer, status, fail);
}

/* Sets the timer for another try, if there may be one. */
static bool
try_again(struct query *query, const struct http_answer *answer)
{
	struct backoff_answer back = http_backoff(answer);
	int64_t delay;

	if (query->attempt >= TRIES || query->body != NULL)
		return false;
	if (back.status / 100 == 2 || !backoff_retryable(&back))
		return false;
	delay = backoff_delay(&back, query->attempt, random_fraction());
	if (delay > PATIENCE_MS)
		return false;
	loop_timer(http_loop(query->composio->http), &query->timer,
	    clock_boot() + delay);
	return true;
}

static void
timer_fire(void *context)
{
	struct query *query = context;
	struct fail fail;

	if (query_send(query, &fail) < 0)
		query_end(query, NULL, 0, &fail);
}

static void
refused(const struct query *query, const struct http_answer *answer,
    struct fail *fail)
{
	struct composio_error error;
	const char *text;

	composio_error_read(answer, &error);
	text = error.text.data;
	if (answer->status == 429)
		fail_set(fail, FAIL_NOT_NOW, wait_name(WAIT_RATE_LIMIT),
		    "Composio's rate limit: %s", text);
	else if (answer->status == 401)
		fail_set(fail, FAIL_NEVER, "bad_key",
		    "Composio refuses the key: %s: check "
		    "COMPOSIO_API_KEY",
		    text);
	else if (answer->status == 403)
		fail_set(fail, FAIL_NEVER, "forbidden",
		    "the Composio key is not allowed to do this: %s: give it "
		    "read access to connected accounts, tools, toolkits, auth "
		    "configs and observability, and write access to connected "
		    "accounts and tool execution",
		    text);
	else
		fail_set(fail, FAIL_NOT_NOW, "upstream", "Composio: %s %s: %s",
		    method_of(query), query->path, text);
	buf_release(&error.text);
}

static void
not_understood(const struct query *query, const char *why, struct fail *fail)
{
	fail_set(fail, FAIL_NOT_NOW, "upstream",
	    "Composio: %s %s: the answer is not understood: %s",
	    method_of(query), query->path, why);
}

static void
met(struct query *query, const struct http_answer *answer)
{
	struct backoff_answer back = http_backoff(answer);
	struct composio_error error = { .text = BUF_INIT(1) };
	int64_t delay = backoff_named(&back);

	if (back.status == 401)
		composio_error_read(answer, &error);
	(void)composio_met(query->composio, &query->pass, back.status,
	    query->key_version, error.text.data != NULL ? error.text.data : "",
	    &delay);
	buf_release(&error.text);
}

static void
on_answer(void *context, const struct http_answer *answer)
{
	struct query *query = context;
	struct span text = { answer->body, answer->body_length };
	int status = answer->status;
	struct fail fail, why;
	char *repaired = NULL;
	cJSON *json = NULL;

	query->http_call = NULL;
	met(query, answer);
	if (try_again(query, answer))
		return;
	if (answer->outcome != HTTP_ANSWERED) {
		status = 0;
		fail_set(&fail, FAIL_NOT_NOW, "upstream", "Composio: %s %s: %s",
		    method_of(query), query->path, answer->error);
	} else if (status / 100 != 2) {
		refused(query, answer, &fail);
	} else if (json_check_repaired(&text, &json_limits_upstream, NULL,
		       &repaired, &why) < 0) {
		not_understood(query, why.message, &fail);
	} else {
		json = json_tree_exact(text);
		if (!cJSON_IsObject(json)) {
			cJSON_Delete(json);
			json = NULL;
			not_understood(query, "not a JSON object", &fail);
		}
	}
	free(repaired);
	query_end(query, json, status, json != NULL ? NULL : &fail);
}

static int
query_leave(struct query *query, struct fail *fail)
{
	const char *headers[] = { query->composio->key.header,
		"accept: application/json",
		query->body ? "content-type: application/json" : NULL, NULL };
	struct http_request request = {
		.method = method_of(query),
		.headers = headers,
		.idle_ms = query->composio->call_ms,
		.total_ms = query->composio->call_ms,
		.once = query->body != NULL,
		.done = on_answer,
		.context = query,
	};
	char *url = mem_print("%s%s", query->composio->base, query->path);
	int result;

	if (query->body != NULL) {
		request.body = mem_string(query->body);
		request.body_length = strlen(query->body);
	}
	request.url = url;
	query->attempt++;
	query->key_version = query->composio->key.version;
	result = http_start(query->composio->http, &request, &query->http_call,
	    fail);
	free(url);
	return result;
}

/* The request may leave, or does not leave at all. */
static void
on_turn(void *context, const struct gate_refusal *refusal)
{
	struct query *query = context;
	struct fail fail;

	if (refusal == NULL && query_leave(query, &fail) == 0)
		return;
	if (refusal != NULL)
		fail_set(&fail, FAIL_NOT_NOW, wait_name(refusal->kind),
		    refusal->kind == WAIT_RATE_LIMIT
			? "held back by Composio's rate limit%s"
			: "Composio refuses the key: %s: check "
			  "COMPOSIO_API_KEY",
		    refusal->message);
	query_end(query, NULL, 0, &fail);
}

static int
query_send(struct query *query, struct fail *fail)
{
	(void)composio_renew_key(query->composio);
	return gate_enter(query->composio->gate, &query->pass)
	    ? query_leave(query, fail)
	    : 0;
}

int
query_start(struct composio *composio, const char *path, char *body,
    void (*done)(void *context, cJSON *answer, int status,
	const struct fail *fail),
    void *context, struct query **ret_query, struct fail *fail)
{
	struct query *query = mem_alloc(sizeof(*query));

	query->composio = composio;
	query->path = mem_string(path);
	query->body = body;
	query->done = done;
	query->context = context;
	query->timer.fire = timer_fire;
	query->timer.context = query;
	query->pass.turn = on_turn;
	query->pass.context = query;
	if (query_send(query, fail) < 0) {
		query_free(query);
		return -1;
	}
	*ret_query = query;
	return 0;
}

void
query_cancel(struct query *query)
{
	if (query == NULL)
		return;
	if (query->http_call != NULL)
		http_cancel(query->http_call);
	query_free(query);
}
