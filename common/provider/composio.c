/* SPDX-License-Identifier: ISC */
/*
 * How composio works: the first question about an answer to an executed call is
 * whether it is certain that the tool did not run; only then may the call be
 * retried. Composio answers 200 with "successful":false when the tool's own
 * service refused; a 4xx comes before anything ran (except 413, which is about
 * the result); after a 5xx, a time-out or a broken connection it is unknown.
 */
#include "common/provider/composio.h"

#include <stdlib.h>
#include <string.h>

#include "common/agent/journal.h"
#include "common/base/backoff.h"
#include "common/base/clock.h"
#include "common/base/id.h"
#include "common/base/mem.h"
#include "common/json/json.h"
#include "common/provider/composio_internal.h"

#define BODY_MAX (64u << 20)
#define DETAILS_MAX 2000
#define NAME "x-request-id: "

struct execute {
	struct composio_call call;
	struct http_call *http_call; /* NULL: it has not left */
	struct gate_pass pass;
	char *slug, *body; /* body: until it leaves */
	char *name;        /* a header: the request's name; NULL: none */
	size_t body_length;
	int64_t limit_ms;
	size_t limit_bytes;
	const int64_t *not_after;
	bool has_account;
	unsigned attempt, key_version;
	void (*done)(void *context, const struct tool_result *result);
	void *context;
};

static int
composio_open(struct http *http, const struct config *config,
    const struct gate_watch *watch, void **ret_state, struct fail *fail)
{
	struct composio *composio;
	struct key key;

	if (key_open(&key, "COMPOSIO_API_KEY", "x-api-key: ", fail) < 0)
		return -1;
	if (key.header == NULL)
		return fail_set(fail, FAIL_NEVER, "missing_key",
		    "no key for Composio: set COMPOSIO_API_KEY, or "
		    "COMPOSIO_API_KEY_FILE to the file that holds it");
	composio = mem_alloc(sizeof(*composio));
	composio->http = http;
	composio->base = mem_print("%s/api/v3.1/", config->composio_url);
	composio->key = key;
	composio->call_ms = config->call_ms;
	if (watch != NULL) {
		composio->gate = gate_new(http_loop(http), "Composio", watch,
		    composio_renew_key, composio);
		gate_key(composio->gate, composio->base, key.header);
	}
	*ret_state = composio;
	return 0;
}

static void
composio_close(void *state)
{
	struct composio *composio = state;

	gate_free(composio->gate);
	key_release(&composio->key);
	free(composio->base);
	free(composio);
}

static int64_t
next_try(const struct execute *execute, const struct http_answer *answer)
{
	struct backoff_answer back = http_backoff(answer);

	return backoff_delay(&back, execute->attempt, random_fraction());
}

/* What to do about an error that means that there is no active account, which
 * some do with any status; NULL: it means something else. */
static const char *
account_advice(const struct composio_error *error, int status)
{
	static const struct {
		const char *slug;
		int64_t code;
		const char *advice;
	} errors[] = {
		{ "ActionExecute_ConnectedAccountNotFound", 1810,
		    "connect the toolkit for this user id" },
		{ "ActionExecute_ConnectedAccountEntityIdMismatch", 1812,
		    "the account was connected for another user id" },
		{ "ToolRouterV2_NoActiveConnection", 4302,
		    "connect the toolkit" },
		{ "", 1803,
		    "connect the toolkit, or, if it is connected, use the key "
		    "of its project" },
	};
	size_t i;

	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if ((*error->slug != '\0' &&
			strcmp(error->slug, errors[i].slug) == 0) ||
		    (status == 400 && error->code == errors[i].code))
			return errors[i].advice;
	return status == 422
	    ? "the account cannot be used as it is: enable it, or connect again"
	    : NULL;
}

static void
execute_free(struct execute *execute)
{
	gate_leave(&execute->pass);
	free(execute->slug);
	free(execute->name);
	free(execute->body);
	free(execute);
}

static void
finish(struct execute *execute, struct tool_result *result,
    const struct buf *text)
{
	if (text != NULL) {
		result->text = text->data != NULL ? text->data : "";
		result->length = text->length;
	}
	execute->done(execute->context, result);
	execute_free(execute);
}

/* The outcome of the call for an answer with an error status. */
static void
refused(struct execute *execute, const struct http_answer *answer,
    struct tool_result *result)
{
	struct backoff_answer back;
	struct composio_error error;
	struct buf text = BUF_INIT(32768);
	int status = answer->status;
	const char *advice;

	composio_error_read(answer, &error);
	advice = account_advice(&error, status);
	result->outcome = TOOL_ERROR;
	back = http_backoff(answer);
	result->delay_ms = backoff_named(&back);
	result->wait = composio_met(execute->call.composio, &execute->pass,
	    status, execute->key_version, error.text.data, &result->delay_ms);
	if (status >= 500 || status == 408 || status / 100 == 3) {
		result->outcome = TOOL_UNKNOWN;
		result->delay_ms = next_try(execute, answer);
		buf_print(&text, "%s: %s", execute->slug, error.text.data);
	} else if (advice != NULL) {
		result->outcome = TOOL_CONNECTION;
		buf_print(&text, "no live account for %s: %s: %s",
		    execute->slug, error.text.data, advice);
	} else if (status == 429) {
		result->outcome = TOOL_LATER;
		buf_print(&text, "Composio's rate limit: %s", error.text.data);
	} else if (status == 401 || status == 403) {
		result->outcome = TOOL_LATER;
		buf_print(&text,
		    "Composio refuses the key: %s: check "
		    "COMPOSIO_API_KEY%s",
		    error.text.data,
		    status == 403 ? ", and what it is allowed to do" : "");
	} else if (status == 413) {
		buf_print(&text,
		    "%s ran, but its result is too large for the "
		    "service to hand over: %s. Ask for less at a time (a "
		    "smaller max_results, a page, fewer fields).",
		    execute->slug, error.text.data);
	} else if (status == 404 || status == 410) {
		buf_print(&text,
		    "%s did not run: the tool is no longer there: "
		    "%s. Use another tool.",
		    execute->slug, error.text.data);
	} else {
		buf_print(&text,
		    "%s did not run: %s. Check the arguments "
		    "against the tool's schema.",
		    execute->slug, error.text.data);
	}
	finish(execute, result, &text);
	buf_release(&text);
	buf_release(&error.text);
}

/* Whether the raw value VALUE begins with C. */
static bool
is(struct span value, char c)
{
	return value.length > 0 && *value.at == c;
}

/* 200, but the tool failed: collects all reasons in the answer. */
static void
add_reasons(struct buf *text, struct span whole, struct span data)
{
	cJSON *body = json_tree(whole);
	const cJSON *error, *inner;
	size_t before = text->length;
	const char *message;
	char *raw;

	error = json_item(body, "error");
	inner = json_item(body, "data");
	if (cJSON_IsString(error) && *error->valuestring != '\0') {
		buf_print(text, ": %.4000s", error->valuestring);
	} else if (cJSON_IsObject(error) && error->child != NULL) {
		raw = json_text(error);
		buf_print(text, ": %.4000s", raw);
		free(raw);
	}
	message = json_string(inner, "message");
	if (message != NULL && *message != '\0') {
		if (!cJSON_IsString(error) ||
		    strcmp(error->valuestring, message) != 0)
			buf_print(text, ": %.4000s", message);
	} else if (inner != NULL && inner->child != NULL &&
	    data.length <= DETAILS_MAX) {
		buf_print(text, ": %.*s", (int)data.length, data.at);
	}
	if (text->length == before)
		buf_add_string(text, ", and gave no reason");
	buf_add_string(text, ".");
	cJSON_Delete(body);
}

/* Whether a failed tool's service refused the account, so that nothing was done
 * and a person can mend it: by the status that Composio passes on, or else by
 * the words that services use for it. */
static bool
refuses_account(struct span whole)
{
	static const char *const words[] = { "401 Client Error",
		"401 Unauthorized", "invalid_grant", "invalid_auth",
		"token_revoked", "token_expired", "expired or revoked",
		"invalid authentication credentials", "Bad credentials",
		"UNAUTHENTICATED", "AUTHENTICATION_ERROR" };
	cJSON *body = json_tree(whole);
	const cJSON *data = json_item(body, "data");
	const char *texts[] = { json_string(body, "error"),
		json_string(data, "message"), json_string(data, "http_error"),
		json_string(json_item(body, "error"), "message") };
	const char *status = json_string(data, "status_code");
	int64_t code = status != NULL ? strtol(status, NULL, 10) : 0;
	bool refuses;
	size_t i, j;

	(void)json_integer(data, "status_code", &code);
	refuses = code == 401;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		for (j = 0; j < sizeof(words) / sizeof(words[0]); j++)
			if (texts[i] != NULL && code == 0 &&
			    strstr(texts[i], words[j]) != NULL)
				refuses = true;
	cJSON_Delete(body);
	return refuses;
}

/* 200, and only the beginning of what came was kept. Whether the tool failed
 * may be in the rest; the model sees what there is. */
static bool
read_beginning(struct span text, const struct http_answer *answer,
    struct tool_result *result)
{
	struct json_object members;
	struct span data;

	if (answer->body_cut == 0 || !json_member_rest(text, "data", &data))
		return false;
	(void)json_object(text, &members);
	result->outcome = is(json_get(&members, "successful"), 'f') ? TOOL_ERROR
								    : TOOL_DONE;
	result->text = data.at;
	result->length = data.length;
	result->whole = data.length + answer->body_cut;
	return true;
}

/* The answer is not quite JSON, but may say that the tool ran; the model sees the
 * text of the result. */
static bool
read_loose(struct span text, struct tool_result *result, char **ret_copy)
{
	struct json_object members;
	struct span data;
	bool whole = json_object_loose(text, &members, ret_copy);

	if (!is(json_get(&members, "successful"), 't'))
		return false;
	data = json_get(&members, "data");
	if (data.length == 0 && !whole) /* nested too deep */
		(void)json_member_rest((struct span){ *ret_copy, text.length },
		    "data", &data);
	result->outcome = TOOL_DONE;
	result->text = data.length > 0 ? data.at : "{}";
	result->length = data.length > 0 ? data.length : 2;
	result->loose = true;
	return true;
}

static void
answered(struct execute *execute, const struct http_answer *answer,
    struct tool_result *result)
{
	struct span whole = { answer->body, answer->body_length };
	struct span data = { "{}", 2 }, successful = { NULL, 0 };
	struct buf text = BUF_INIT(65536);
	struct json_object members;
	char *repaired = NULL, *loose = NULL, *log_id = NULL;
	struct fail fail;

	if (read_beginning(whole, answer, result)) {
		finish(execute, result, NULL);
		return;
	}
	if (json_check_repaired(&whole, &json_limits_upstream, &members,
		&repaired, &fail) == 0) {
		successful = json_get(&members, "successful");
		log_id = json_decode(json_get(&members, "log_id"));
		if (json_get(&members, "data").length > 0)
			data = json_get(&members, "data");
	}
	if (log_id != NULL)
		result->log_id = log_id;
	if (is(successful, 't')) {
		result->outcome = TOOL_DONE;
		result->text = data.at;
		result->length = data.length;
		finish(execute, result, NULL);
	} else if (is(successful, 'f')) {
		result->outcome = execute->has_account && refuses_account(whole)
		    ? TOOL_CONNECTION
		    : TOOL_ERROR;
		buf_print(&text, "%s failed", execute->slug);
		add_reasons(&text, whole, data);
		finish(execute, result, &text);
	} else if (read_loose((struct span){ answer->body,
				  answer->body_length },
		       result, &loose)) {
		finish(execute, result, NULL);
	} else {
		result->outcome = TOOL_UNKNOWN;
		result->delay_ms = next_try(execute, answer);
		buf_print(&text,
		    "%s: an answer that is not understood: ", execute->slug);
		http_excerpt(&text, answer->body, answer->body_length);
		finish(execute, result, &text);
	}
	buf_release(&text);
	free(repaired);
	free(loose);
	free(log_id);
}

static void
on_answer(void *context, const struct http_answer *answer)
{
	struct execute *execute = context;
	struct tool_result result = { .text = "",
		.log_id = "",
		.status = answer->status };
	struct buf text = BUF_INIT(2048);

	execute->http_call = NULL;
	result.request_id = composio_request_id(answer, NULL);
	if (answer->outcome != HTTP_ANSWERED) {
		result.outcome = answer->outcome == HTTP_NOT_SENT
		    ? TOOL_LATER
		    : TOOL_UNKNOWN;
		result.delay_ms = next_try(execute, answer);
		result.wait = answer->late ? WAIT_TIME : WAIT_NONE;
		buf_print(&text, "%s: %s", execute->slug, answer->error);
		finish(execute, &result, &text);
		buf_release(&text);
	} else if (answer->status / 100 == 2) {
		gate_accepted(&execute->pass);
		answered(execute, answer, &result);
	} else {
		refused(execute, answer, &result);
	}
}

static void
release(struct composio_call *call)
{
	struct execute *execute = (struct execute *)(void *)call;

	if (execute->http_call != NULL)
		http_cancel(execute->http_call);
	execute_free(execute);
}

static char *
execute_body(const struct agent_call *call, size_t *ret_length)
{
	struct buf body = BUF_INIT(BODY_MAX);

	buf_add_string(&body, "{");
	member_string(&body, "user_id", call->user);
	if (call->account != NULL)
		member_string(&body, "connected_account_id", call->account);
	member_string(&body, "version", call->version);
	member_raw(&body, "arguments", call->input.at, call->input.length);
	buf_add_string(&body, "}");
	return buf_detach(&body, ret_length);
}

static int
send_execute(struct execute *execute, struct fail *fail)
{
	struct composio *composio = execute->call.composio;
	const char *headers[] = { composio->key.header,
		"accept: application/json", "content-type: application/json",
		execute->name, NULL };
	struct buf url = BUF_INIT(8192);
	struct http_request request = {
		.method = "POST",
		.headers = headers,
		.body = execute->body,
		.body_length = execute->body_length,
		.once = true,
		.not_after = execute->not_after,
		.idle_ms = execute->limit_ms,
		.total_ms = execute->limit_ms,
		.body_maximum = execute->limit_bytes,
		.cut = true,
		.done = on_answer,
		.context = execute,
	};
	int result;

	execute->body = NULL;
	execute->key_version = composio->key.version;
	buf_print(&url, "%stools/execute/", composio->base);
	http_escape(&url, execute->slug);
	request.url = url.data;
	result = http_start(composio->http, &request, &execute->http_call,
	    fail);
	buf_release(&url);
	return result;
}

/* The call may leave, or does not leave at all. */
static void
on_turn(void *context, const struct gate_refusal *refusal)
{
	struct execute *execute = context;
	struct tool_result result = { .outcome = TOOL_LATER,
		.text = "",
		.request_id = "",
		.log_id = "" };
	struct buf text = BUF_INIT(2048);
	struct fail fail;

	if (refusal == NULL && send_execute(execute, &fail) == 0)
		return;
	result.wait = refusal != NULL ? refusal->kind : WAIT_KEY;
	result.delay_ms = refusal != NULL ? refusal->delay_ms : 0;
	buf_print(&text, "%s",
	    refusal == NULL                 ? fail.message
		: *refusal->message != '\0' ? refusal->message
					    : "held back by a rate limit");
	finish(execute, &result, &text);
	buf_release(&text);
}

static int
composio_execute(void *state, const struct tool_request *wanted,
    struct tool_call **ret_call, struct fail *fail)
{
	struct composio *composio = state;
	const struct agent_call *call = wanted->call;
	struct execute *execute = mem_alloc(sizeof(*execute));
	size_t size;

	composio_call_init(&execute->call, composio, release);
	execute->slug = mem_string(call->slug);
	if (call->request != NULL) {
		size = strlen(call->request) + 1;
		execute->name = mem_alloc(sizeof(NAME) + size);
		memcpy(execute->name, NAME, sizeof(NAME) - 1);
		memcpy(execute->name + sizeof(NAME) - 1, call->request, size);
	}
	execute->has_account = call->account != NULL;
	execute->attempt = call->attempt;
	execute->limit_ms = wanted->limit_ms;
	execute->limit_bytes = wanted->limit_bytes;
	execute->not_after = wanted->not_after;
	execute->done = wanted->done;
	execute->context = wanted->context;
	execute->body = execute_body(call, &execute->body_length);
	execute->pass.turn = on_turn;
	execute->pass.context = execute;
	execute->pass.asked = wanted->asked;
	(void)composio_renew_key(composio);
	if (gate_enter(composio->gate, &execute->pass) &&
	    send_execute(execute, fail) < 0) {
		execute_free(execute);
		return -1;
	}
	*ret_call = &execute->call.call;
	return 0;
}

/* ---- facts: gathered, then translated ---- */

struct facts {
	struct composio_call call;
	struct composio_call *gathering;
	const struct task *task;
	cJSON *facts; /* the caller's */
	void (*done)(void *context, const struct fail *fail);
	void *context;
};

static void
facts_free(struct composio_call *call)
{
	struct facts *facts = (struct facts *)(void *)call;

	if (facts->gathering != NULL)
		facts->gathering->release(facts->gathering);
	free(facts);
}

static void
on_gathered(void *context, cJSON *raw, const struct fail *why)
{
	struct facts *facts = context;
	void (*done)(void *, const struct fail *) = facts->done;
	struct fail fail;
	int result = -1;

	if (raw == NULL)
		fail = *why;
	else
		result = composio_translate(raw, facts->task, clock_wall(),
		    facts->facts, &fail);
	cJSON_Delete(raw);
	facts->gathering = NULL;
	context = facts->context;
	facts_free(&facts->call);
	done(context, result < 0 ? &fail : NULL);
}

static int
composio_facts(void *state, const struct task *task, cJSON *known,
    void (*done)(void *context, const struct fail *fail), void *context,
    struct tool_call **ret_call, struct fail *fail)
{
	struct facts *facts = mem_alloc(sizeof(*facts));

	composio_call_init(&facts->call, state, facts_free);
	facts->task = task;
	facts->facts = known;
	facts->done = done;
	facts->context = context;
	if (composio_gather(state, task, on_gathered, facts, &facts->gathering,
		fail) < 0) {
		facts_free(&facts->call);
		return -1;
	}
	*ret_call = &facts->call.call;
	return 0;
}

/* A task without tools and toolkits only thinks, and needs no key; one that
 * asks for no tools asks for connections. */
static bool
composio_concerns(const struct task *task)
{
	return task->tools == NULL || task->tools->child != NULL ||
	    task->toolkits->child != NULL;
}

const struct tool_provider composio_provider = {
	.name = COMPOSIO_NAME,
	.open = composio_open,
	.close = composio_close,
	.concerns = composio_concerns,
	.facts = composio_facts,
	.execute = composio_execute,
	.evidence = composio_evidence,
	.link = composio_link,
};
