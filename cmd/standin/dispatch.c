/* SPDX-License-Identifier: ISC */
/*
 * dispatch: a fault before the service answers instead of it; one after it
 * changes how the service's answer is sent.
 */
#include "cmd/standin/claude/claude.h"
#include "cmd/standin/script/script.h"
#include "cmd/standin/standin.h"
#include "common/base/mem.h"
#include "common/json/json.h"
#include "common/json/log.h"

#define GARBAGE \
	"<html><head><title>200 OK</title></head><body>" \
	"<center><h1>It works!</h1></center></body></html>\n"

static bool
is_composio(const char *path)
{
	return strncmp(path, COMPOSIO_ROOT, strlen(COMPOSIO_ROOT)) == 0;
}

/* The name of the request for faults: "messages", a tool, or "". */
static const char *
request_name(const struct request *request)
{
	const char *tool = NULL;

	if (strcmp(request->path, CLAUDE_ROOT "messages") == 0)
		return "messages";
	if (is_composio(request->path))
		tool = composio_tool(request->path + strlen(COMPOSIO_ROOT));
	return tool != NULL ? tool : "";
}

void
dispatch_arrive(void *context, struct request *request,
    struct arrival *ret_arrival)
{
	struct standin *standin = context;
	const char *name = request_name(request);
	const struct fault *fault;
	int64_t after;

	fault = faults_pick(standin->faults, name, request->path);
	ret_arrival->fault = fault;
	if (*name != '\0')
		script_latency(standin->script,
		    strcmp(name, "messages") == 0 ? NULL : name,
		    &ret_arrival->delay_ms, &after);
	if (fault == NULL)
		return;
	ret_arrival->hang = fault->kind == FAULT_HANG;
	ret_arrival->reset = fault->kind == FAULT_RESET_BEFORE;
	if (fault->kind == FAULT_SLOW_BEFORE)
		ret_arrival->delay_ms += fault->delay_ms;
}

static void
put_raw(struct reply *reply, const char *text)
{
	buf_reset(&reply->body);
	free(reply->ends);
	reply->ends = NULL;
	reply->end_count = 0;
	reply->type = *text == '<' ? "text/html"
	    : *text == '{'         ? "application/json"
				   : "text/plain";
	buf_add_string(&reply->body, text);
}

static void
put_fault_headers(const struct fault *fault, struct reply *reply)
{
	const cJSON *header;
	char *text;

	cJSON_ArrayForEach (header, fault->headers) {
		text = cJSON_IsString(header) ? mem_string(header->valuestring)
					      : json_text(header);
		reply_header(reply, header->string, text);
		free(text);
	}
}

static const char *
usual_message(int64_t status)
{
	switch (status) {
	case 429:
		return "This request would exceed your rate limit";
	case 529:
		return "Overloaded";
	case 503:
		return "Service unavailable";
	default:
		return "Internal server error";
	}
}

static void
put_fault(const struct fault *fault, struct request *request,
    struct reply *reply)
{
	const char *message = fault->message;

	if (message == NULL)
		message = usual_message(fault->status);
	buf_reset(&reply->body);
	if (fault->kind == FAULT_GARBAGE) {
		put_raw(reply, fault->body ? fault->body : GARBAGE);
	} else if (is_composio(request->path)) {
		composio_fault(request, reply, (int)fault->status,
		    (int)fault->code, fault->slug, "%s", message);
	} else {
		claude_fault(request, reply, (int)fault->status, fault->type,
		    fault->error_code, message);
		reply_header(reply, "request-id", request->id);
	}
	if (fault->body != NULL)
		put_raw(reply, fault->body);
	if (fault->kind != FAULT_GARBAGE)
		reply->status = (int)fault->status;
	put_fault_headers(fault, reply);
}

/* Applies the fault to the answer before it is sent. */
static void
bend(const struct fault *fault, struct request *request, struct reply *reply)
{
	struct reply fresh;

	switch (fault->kind) {
	case FAULT_CUT:
		reply->cut = (long)fault->events;
		reply->reset = reply->end_count == 0;
		break;
	case FAULT_DRIP:
		reply->drip_ms = fault->delay_ms;
		break;
	case FAULT_SLOW:
		reply->delay_ms += fault->delay_ms;
		break;
	case FAULT_RESET_AFTER:
		reply->reset = true;
		break;
	case FAULT_ERROR_EVENT:
		if (reply->end_count > 0)
			claude_stream_error(reply, (size_t)fault->events,
			    fault->type ? fault->type : "overloaded_error",
			    fault->message ? fault->message : "Overloaded");
		break;
	case FAULT_STATUS_AFTER:
		reply_init(&fresh);
		fresh.delay_ms = reply->delay_ms;
		reply_release(reply);
		*reply = fresh;
		put_fault(fault, request, reply);
		break;
	default:
		break;
	}
}

static void
connect_account(struct standin *standin, const char *token, struct reply *reply)
{
	const struct account *account;

	pthread_mutex_lock(&standin->lock);
	account = accounts_connect(standin->accounts, token);
	if (account == NULL) {
		reply->status = 404;
		put_raw(reply, "There is no such link.\n");
	} else {
		put_raw(reply, "");
		buf_print(&reply->body, "%s is connected for %s.\n",
		    account->toolkit, account->user);
	}
	pthread_mutex_unlock(&standin->lock);
}

static void
serve(struct standin *standin, struct request *request, struct reply *reply)
{
	const char *path = request->path;

	if (strncmp(path, CLAUDE_ROOT, strlen(CLAUDE_ROOT)) == 0) {
		claude_answer(standin, request, path + strlen(CLAUDE_ROOT),
		    reply);
	} else if (is_composio(path)) {
		composio_answer(standin, request, path + strlen(COMPOSIO_ROOT),
		    reply);
	} else if (strncmp(path, "/link/", 6) == 0) {
		connect_account(standin, path + 6, reply);
	} else {
		reply->status = 404;
		buf_add_string(&reply->body,
		    "{\"error\":{\"message\":\"this "
		    "stand-in has no such path\",\"code\":10404,\"slug\":"
		    "\"HTTP_NotFound\",\"status\":404}}");
	}
}

void
dispatch_answer(void *context, struct request *request,
    const struct arrival *arrival, struct reply *reply)
{
	const struct fault *fault = arrival->fault;
	char status[16];

	if (fault != NULL &&
	    (fault->kind == FAULT_STATUS || fault->kind == FAULT_GARBAGE)) {
		put_fault(fault, request, reply);
	} else {
		serve(context, request, reply);
		if (fault != NULL)
			bend(fault, request, reply);
	}
	snprintf(status, sizeof(status), "%d", reply->status);
	log_line("debug", "request", "method", request->method, "path",
	    request->path, "status#", status, "request", request->id, NULL);
}
