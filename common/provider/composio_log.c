/* SPDX-License-Identifier: ISC */
/*
 * What Composio's log says of a call whose answer was lost. The call left with a
 * request id of ours. An execution that the log has under this id is that call,
 * and what the log says of it is its outcome. That the log has none is no proof:
 * it may be written late, or name requests in its own way. Then it is asked which
 * executions of the tool there are for the same user and account since the call
 * was sent, which is told to those who have to find out.
 */
#include <stdlib.h>
#include <string.h>

#include "common/agent/journal.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/json/json.h"
#include "common/provider/composio_internal.h"

#define SKEW_MS 60000 /* by how much the service's clock may differ */
#define SHOWN 5       /* executions */
#define LISTED 20

struct evidence {
	struct composio_call call;
	struct query *query;
	char *slug, *user, *account, *request;
	int64_t sent_at;
	char *log_id; /* of the execution that is looked at */
	void (*done)(void *context, const struct tool_result *result);
	void *context;
};

static void
evidence_free(struct composio_call *call)
{
	struct evidence *evidence = (struct evidence *)(void *)call;

	query_cancel(evidence->query);
	free(evidence->slug);
	free(evidence->user);
	free(evidence->account);
	free(evidence->request);
	free(evidence->log_id);
	free(evidence);
}

static void
finish(struct evidence *evidence, enum tool_outcome outcome, const char *text,
    int64_t delay_ms)
{
	struct tool_result result = { .outcome = outcome,
		.text = text,
		.length = strlen(text),
		.request_id = "",
		.log_id = evidence->log_id != NULL ? evidence->log_id : "",
		.delay_ms = delay_ms };

	evidence->done(evidence->context, &result);
	evidence_free(&evidence->call);
}

/* The log could not be asked. A key that may not read it will not be able to. */
static void
not_told(struct evidence *evidence, int status, const struct fail *why)
{
	char *text = mem_print("Composio's log could not be asked: %s.",
	    why->message);

	finish(evidence, TOOL_UNKNOWN, text,
	    status / 100 == 4 && status != 408 && status != 429 ? 0 : 1);
	free(text);
}

static void
add_filter(struct buf *body, const char *field, const char *value)
{
	buf_add_string(body, body->data[body->length - 1] == '[' ? "{" : ",{");
	member_string(body, "field", field);
	member_string(body, "operator", "==");
	member_string(body, "value", value);
	buf_add_string(body, "}");
}

static void
search(struct evidence *evidence, struct buf *body,
    void (*done)(void *context, cJSON *answer, int status,
	const struct fail *fail))
{
	struct fail fail;

	buf_add_string(body, "}");
	if (query_start(evidence->call.composio, "logs/tool_execution",
		buf_detach(body, NULL), done, evidence, &evidence->query,
		&fail) < 0)
		not_told(evidence, 0, &fail);
}

/* What else the log has proves nothing, but may help. */
static void
on_window(void *context, cJSON *answer, int status, const struct fail *why)
{
	struct evidence *evidence = context;
	const cJSON *logs = json_item(answer, "logs"), *entry;
	struct buf text = BUF_INIT(65536);
	const char *id, *at, *how;
	int count = 0;

	evidence->query = NULL;
	if (answer == NULL) {
		not_told(evidence, status, why);
		return;
	}
	buf_print(&text,
	    "Composio's log has %s of %s for this account since "
	    "it was sent",
	    cJSON_GetArraySize(logs) > 0
		? "no outcome under the id of this request, but these "
		  "executions"
		: "no execution",
	    evidence->slug);
	cJSON_ArrayForEach (entry, logs) {
		id = json_string(entry, "id");
		at = json_string(entry, "timestamp");
		how = json_string(entry, "status");
		if (count++ < SHOWN)
			buf_print(&text, "%s %.60s at %.40s (%.20s)",
			    count > 1 ? "," : ":", id ? id : "", at ? at : "",
			    how ? how : "");
	}
	if (count > SHOWN)
		buf_print(&text, ", and more");
	buf_add_string(&text, ".");
	cJSON_Delete(answer);
	finish(evidence, TOOL_UNKNOWN, text.data, 1);
	buf_release(&text);
}

static void
ask_window(struct evidence *evidence)
{
	struct buf body = BUF_INIT(65536);
	int64_t now = clock_wall();

	buf_print(&body,
	    "{\"limit\":%d,\"time_range\":{\"from\":%lld,"
	    "\"to\":%lld},\"filters\":[",
	    LISTED, (long long)(evidence->sent_at - SKEW_MS),
	    (long long)(now + SKEW_MS));
	add_filter(&body, "tool_slug", evidence->slug);
	add_filter(&body, "user_id", evidence->user);
	if (evidence->account != NULL)
		add_filter(&body, "connected_account_id", evidence->account);
	buf_add_string(&body, "]");
	search(evidence, &body, on_window);
}

/* The response body is somewhere in what was logged. */
static char *
result_text(const cJSON *data)
{
	const cJSON *response = json_item(data, "response");

	if (json_item(response, "data") != NULL)
		response = json_item(response, "data");
	return json_text(response != NULL ? response : data);
}

/* Other words, as "warning", tell no outcome. */
static bool
has_failed(const char *status)
{
	return strcmp(status, "failed") == 0 ||
	    strcmp(status, "failure") == 0 || strcmp(status, "error") == 0;
}

static void
on_detail(void *context, cJSON *answer, int status, const struct fail *why)
{
	struct evidence *evidence = context;
	const char *how = json_string(answer, "status");
	const char *said = json_string(answer, "message");
	const char *request = json_string(json_item(answer, "context"),
	    "request_id");
	char *text;

	evidence->query = NULL;
	if (answer == NULL) {
		not_told(evidence, status, why);
	} else if (request == NULL || strcmp(request, evidence->request) != 0 ||
	    how == NULL) {
		ask_window(evidence);
	} else if (strcmp(how, "success") == 0) {
		text = result_text(json_item(answer, "data"));
		finish(evidence, TOOL_DONE, text, 0);
		free(text);
	} else if (!has_failed(how)) {
		ask_window(evidence);
	} else {
		finish(evidence, TOOL_ERROR,
		    said != NULL && *said != '\0' ? said : "without a reason",
		    0);
	}
	cJSON_Delete(answer);
}

static void
on_found(void *context, cJSON *answer, int status, const struct fail *why)
{
	struct evidence *evidence = context;
	const char *id = json_string(json_item(answer, "logs")
		? json_item(answer, "logs")->child
		: NULL,
	    "id");
	struct buf path = BUF_INIT(4096);
	struct fail fail;

	evidence->query = NULL;
	if (answer == NULL) {
		not_told(evidence, status, why);
	} else if (id == NULL) {
		ask_window(evidence);
	} else {
		evidence->log_id = mem_print("%.200s", id);
		buf_add_string(&path, "logs/tool_execution/");
		http_escape(&path, evidence->log_id);
		if (query_start(evidence->call.composio, path.data, NULL,
			on_detail, evidence, &evidence->query, &fail) < 0)
			not_told(evidence, 0, &fail);
		buf_release(&path);
	}
	cJSON_Delete(answer);
}

int
composio_evidence(void *state, const struct tool_request *request,
    struct tool_call **ret_call, struct fail *fail)
{
	struct evidence *evidence = mem_alloc(sizeof(*evidence));
	const struct agent_call *call = request->call;
	struct buf body = BUF_INIT(65536);

	composio_call_init(&evidence->call, state, evidence_free);
	evidence->slug = mem_string(call->slug);
	evidence->user = mem_string(call->user);
	evidence->account = mem_string(call->account);
	evidence->request = mem_string(call->request);
	evidence->sent_at = call->sent_at;
	evidence->done = request->done;
	evidence->context = request->context;
	buf_add_string(&body, "{\"limit\":1,\"filters\":[");
	add_filter(&body, "request_id", evidence->request);
	buf_add_string(&body, "]}");
	if (query_start(evidence->call.composio, "logs/tool_execution",
		buf_detach(&body, NULL), on_found, evidence, &evidence->query,
		fail) < 0) {
		evidence_free(&evidence->call);
		return -1;
	}
	*ret_call = &evidence->call.call;
	return 0;
}
