/* SPDX-License-Identifier: ISC */
/*
 * How it works: a request is checked in this order: route, method, caller,
 * parameters, and then whether the task is the caller's. A task is probed before
 * it is read, so that a change in between is noticed as a change later.
 *
 * The ETag is a digest of the body, so it changes whenever the answer does, also
 * when the answer gets a new member.
 */
#include "common/api/read_api.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/api/read_route.h"
#include "common/base/clock.h"
#include "common/base/digest.h"
#include "common/base/id.h"
#include "common/base/mem.h"
#include "common/json/json.h"

#define BODY_MAX ((size_t)EVENT_MAX + (64u << 20))
#define PAGE_BYTES (4u << 20)     /* of events in one answer, about */
#define STREAM_BYTES (256u << 10) /* of a stream before it is sent, about */
#define ALIVE_MS 5000             /* between empty comments in a stream */
#define SOON_MS 250

static void
name_request(struct read_request_private *own, char *const *env)
{
	const char *name = cgi_variable(env, "REQUEST_ID");

	if (!cgi_request_id(name))
		name = cgi_variable(env, "HTTP_X_REQUEST_ID");
	if (cgi_request_id(name))
		memcpy(own->request_id, name, strlen(name) + 1);
	else
		id_new_text(own->request_id);
	own->answer.request_id = own->request_id;
}

/* ---- answers ---- */

static void
refuse(struct read_request *request, const struct fail *fail)
{
	int status = cgi_error(&request->out, &request->own->answer, fail);

	request->next = READ_DONE;
	if (status >= 500)
		request->fail = *fail;
}

/* An answer that has an ETag: 304 when the caller has it. */
static bool
give(struct read_request *request, const struct buf *body)
{
	struct read_request_private *own = request->own;
	char digest[DIGEST_TEXT], etag[40];

	digest_hex(body->data, body->length, digest);
	snprintf(etag, sizeof(etag), "\"%.32s\"", digest);
	if (cgi_matches(own->if_none_match, etag)) {
		if (own->wait)
			return false;
		own->answer.status = 304;
		own->answer.type = NULL;
	}
	own->answer.etag = etag;
	cgi_answer(&request->out, &own->answer,
	    (struct span){ body->data, body->length });
	own->answer.etag = NULL;
	request->next = READ_DONE;
	return true;
}

static int
no_task(const struct read_request *request, struct fail *fail)
{
	return fail_set(fail, FAIL_NO, "no_task", "there is no task %.60s",
	    request->own->id);
}

struct page {
	struct buf *body;
	size_t count, limit;
	char last[64];
	bool more;
};

static int
list_task(void *context, struct span text)
{
	struct page *page = context;
	struct span id;

	if (page->count == page->limit) {
		page->more = true;
		return 1;
	}
	if (json_member(text, "id", &id) && id.length < sizeof(page->last)) {
		memcpy(page->last, id.at, id.length);
		page->last[id.length] = '\0';
	}
	buf_add(page->body, ",", page->count++ ? 1 : 0);
	buf_add(page->body, text.at, text.length);
	return 0;
}

static int
list(struct read_api *api, struct read_request *request, struct fail *fail)
{
	struct read_request_private *own = request->own;
	struct engine_filter filter = { .user = request->user,
		.queue = own->values[QUEUE],
		.before = own->values[BEFORE],
		.state = -1,
		.limit = (size_t)own->limit + 1 };
	struct buf body = BUF_INIT(BODY_MAX);
	struct page page = { .body = &body, .limit = (size_t)own->limit };
	enum task_state state;
	int result = -1;

	if (own->values[STATE]) {
		if (!task_state_parse(own->values[STATE], &state))
			return fail_set(fail, FAIL_NEVER, "bad_request",
			    "there is no state \"%.60s\"", own->values[STATE]);
		filter.state = (int)state;
	}
	buf_add_string(&body, "{\"tasks\":[");
	if (api->engine->ops->list(api->engine, &filter, list_task, &page,
		fail) < 0) {
		if (strcmp(fail->type, "invalid_id") == 0)
			fail_set(fail, FAIL_NEVER, "bad_request",
			    "before must be the id of a task");
		goto out;
	}
	buf_print(&body, "],\"next\":%s}", page.more ? page.last : "null");
	give(request, &body);
	result = 0;
out:
	buf_release(&body);
	return result;
}

static int
task(struct read_api *api, struct read_request *request, struct fail *fail)
{
	struct buf body = BUF_INIT(BODY_MAX);
	int result = api->engine->ops->get(api->engine, request->own->id, &body,
	    fail);

	if (result == 0 && !give(request, &body))
		request->next = READ_WAIT;
	buf_release(&body);
	return result;
}

static int
result_of(struct read_api *api, struct read_request *request, struct fail *fail)
{
	struct buf task = BUF_INIT(BODY_MAX), body = BUF_INIT(BODY_MAX);
	struct span whole, id, state, result;
	int done = -1;

	if (api->engine->ops->get(api->engine, request->own->id, &task, fail) <
	    0)
		goto out;
	whole = (struct span){ task.data, task.length };
	if (request->probe.state != TASK_COMPLETED ||
	    !json_member(whole, "id", &id) ||
	    !json_member(whole, "state", &state) ||
	    !json_member(whole, "result", &result)) {
		fail_set(fail, FAIL_NO, "no_result",
		    "the task has no result: "
		    "it is %s",
		    task_state_name(request->probe.state));
		goto out;
	}
	buf_print(&body,
	    "{\"id\":%.*s,\"state\":%.*s,\"result\":", (int)id.length, id.at,
	    (int)state.length, state.at);
	buf_add(&body, result.at, result.length);
	buf_add_string(&body, "}");
	give(request, &body);
	done = 0;
out:
	buf_release(&task);
	buf_release(&body);
	return done;
}

/* ---- events ---- */

struct events {
	struct buf *out;
	int64_t count, limit, last;
	size_t most; /* bytes */
	bool stream;
	bool full, ended;
};

static void
add_stream_event(struct buf *out, int64_t seq, struct span type,
    struct span text)
{
	size_t begin, i;

	buf_print(out, "id: %" PRId64 "\nevent: %.*s\ndata: ", seq,
	    (int)type.length, type.at);
	begin = out->length;
	buf_add(out, text.at, text.length);
	/* a line break would end the data; in JSON it is white space */
	for (i = begin; i < out->length; i++)
		if (out->data[i] == '\n' || out->data[i] == '\r')
			out->data[i] = ' ';
	buf_add(out, "\n\n", 2);
}

static int
take_event(void *context, struct span text)
{
	struct events *events = context;
	struct span type;
	uint64_t seq;
	int final;

	if (events->count == events->limit ||
	    (events->count && events->out->length > events->most)) {
		events->full = true;
		return 1;
	}
	if (!event_peek(text, &seq, &type, &final))
		return 0;
	events->last = (int64_t)seq;
	events->ended = final >= 0;
	if (events->stream) {
		add_stream_event(events->out, events->last, type, text);
	} else {
		buf_add(events->out, ",", events->count ? 1 : 0);
		buf_add(events->out, text.at, text.length);
	}
	events->count++;
	return 0;
}

/* Whether event number AFTER is the last one ever. A task's state can be final
 * before the event that ends it is written, so the event is checked. */
static int
ends_at(struct read_api *api, const char *id, int64_t after, bool *ret_ends,
    struct fail *fail)
{
	struct buf ignored = BUF_INIT(BODY_MAX);
	struct events last = { .out = &ignored, .limit = 1 };
	int result = api->engine->ops->events(api->engine, id,
	    (uint64_t)after - 1, take_event, &last, fail);

	*ret_ends = last.ended || last.count == 0;
	buf_release(&ignored);
	return result < 0 ? -1 : 0;
}

static int
read_events(struct read_api *api, struct read_request *request,
    struct events *events, struct fail *fail)
{
	struct read_request_private *own = request->own;

	events->last = own->after;
	if (api->engine->ops->events(api->engine, own->id, (uint64_t)own->after,
		take_event, events, fail) < 0)
		return -1;
	if (events->count || !own->after ||
	    !task_state_final(request->probe.state))
		return 0;
	return ends_at(api, own->id, own->after, &events->ended, fail);
}

static int
page(struct read_api *api, struct read_request *request, struct fail *fail)
{
	struct read_request_private *own = request->own;
	struct buf body = BUF_INIT(BODY_MAX);
	struct events events = { .out = &body,
		.limit = own->limit,
		.most = PAGE_BYTES };
	int result = -1;

	buf_add_string(&body, "{\"events\":[");
	if (read_events(api, request, &events, fail) < 0)
		goto out;
	result = 0;
	if (events.count == 0 && !events.ended && own->wait) {
		request->next = READ_WAIT;
		goto out;
	}
	buf_print(&body, "],\"next\":%" PRId64 ",\"ended\":%s}", events.last,
	    events.ended ? "true" : "false");
	cgi_answer(&request->out, &own->answer,
	    (struct span){ body.data, body.length });
	request->next = READ_DONE;
out:
	buf_release(&body);
	return result;
}

/* An error after the stream has begun just ends it: the client reconnects. */
static int
stream(struct read_api *api, struct read_request *request, struct fail *fail)
{
	struct read_request_private *own = request->own;
	struct buf body = BUF_INIT(BODY_MAX);
	struct events events = { .out = &body,
		.limit = INT64_MAX,
		.most = STREAM_BYTES,
		.stream = true };

	if (read_events(api, request, &events, fail) < 0) {
		buf_release(&body);
		return -1;
	}
	own->after = events.last;
	if (!own->begun) {
		own->answer.type = "text/event-stream";
		own->answer.stream = true;
		cgi_answer(&request->out, &own->answer, (struct span){ "", 0 });
		own->begun = true;
	}
	if (!own->answer.head)
		buf_add(&request->out, body.data, body.length);
	request->next = own->answer.head || (events.ended && !events.full)
	    ? READ_DONE
	    : events.full ? READ_MORE
			  : READ_WAIT;
	buf_release(&body);
	return 0;
}

/* ---- the whole ---- */

static int
answer(struct read_api *api, struct read_request *request, struct fail *fail)
{
	switch (request->own->route) {
	case ROUTE_LIST:
		return list(api, request, fail);
	case ROUTE_TASK:
		return task(api, request, fail);
	case ROUTE_RESULT:
		return result_of(api, request, fail);
	default:
		return request->own->stream ? stream(api, request, fail)
					    : page(api, request, fail);
	}
}

/* An engine that cannot be opened may be there later, so each request tries. */
static int
open_callers(struct read_api *api, struct fail *fail)
{
	if (api->broken) {
		*fail = *api->broken;
		return -1;
	}
	return api->callers ? 0 : callers_open(&api->callers, fail);
}

/* Before the first task there is no store, and so there are no tasks. */
static int
open_engine(struct read_api *api, bool *ret_empty, struct fail *fail)
{
	*ret_empty = false;
	if (api->engine ||
	    engine_open(api->engine_name, api->folder, ENGINE_READ, api->config,
		&api->engine, fail) == 0)
		return 0;
	*ret_empty = strcmp(fail->type, "no_store") == 0;
	return *ret_empty ? 0 : -1;
}

void
read_api_close(struct read_api *api)
{
	engine_close(api->engine);
	callers_close(api->callers);
}

static char nothing[] = "{\"tasks\":[],\"next\":null}";

/* Probes the task first: its owner and its version. */
static void
probe_and_answer(struct read_api *api, struct read_request *request)
{
	struct read_request_private *own = request->own;
	struct fail fail;
	bool empty;

	if (open_engine(api, &empty, &fail) < 0)
		goto failed;
	if (empty && !own->id) {
		give(request,
		    &(struct buf){ .data = nothing,
			.length = sizeof(nothing) - 1 });
		return;
	}
	if (own->id && !empty &&
	    api->engine->ops->probe(api->engine, &request->probe, 1, &fail) < 0)
		goto failed;
	if (own->id &&
	    (!request->probe.found ||
		strcmp(request->probe.user, request->user) != 0)) {
		no_task(request, &fail);
		goto failed;
	}
	if (answer(api, request, &fail) == 0)
		return;
	if (strcmp(fail.type, "invalid_id") == 0)
		no_task(request, &fail);
failed:
	if (own->begun) {
		request->fail = fail;
		request->next = READ_DONE;
	} else {
		refuse(request, &fail);
	}
}

/* When a task has ended but its last event is not written yet, nothing reports
 * that event: the task is read again soon. */
static void
set_time(struct read_request *request)
{
	struct read_request_private *own = request->own;
	int64_t now = clock_boot();

	if (request->next != READ_WAIT)
		return;
	if (!own->deadline || (own->stream && own->deadline <= now))
		own->deadline = now +
		    (own->stream ? ALIVE_MS : own->wait * 1000);
	request->until = own->deadline;
	if (own->route == ROUTE_EVENTS && now + SOON_MS < request->until &&
	    task_state_final(request->probe.state))
		request->until = now + SOON_MS;
}

struct read_request *
read_request_new(struct read_api *api, char *const *env)
{
	struct read_request *request = mem_alloc(sizeof(*request));
	struct read_request_private *own = mem_alloc(sizeof(*own));
	const char *script = cgi_variable(env, "SCRIPT_NAME");
	const char *info = cgi_variable(env, "PATH_INFO");
	char *path = mem_print("%s%s", script ? script : "", info ? info : "");
	struct fail fail;

	request->own = own;
	request->out = BUF_INIT(BODY_MAX + (1u << 20));
	own->answer = (struct cgi_answer){ .status = 200,
		.type = "application/json" };
	name_request(own, env);
	route_find(own, path);
	free(path);
	request->probe.id = own->id;
	if (own->route == ROUTE_NONE) {
		fail_set(&fail, FAIL_NO, "not_found", "there is no such route");
		refuse(request, &fail);
	} else if (route_check_method(own, cgi_variable(env, "REQUEST_METHOD"),
		       &fail) < 0 ||
	    open_callers(api, &fail) < 0 ||
	    callers_identify(api->callers, env, request->user,
		&own->answer.retry_after, &fail) < 0 ||
	    route_parameters(own, env, &fail) < 0) {
		refuse(request, &fail);
	} else {
		probe_and_answer(api, request);
		set_time(request);
	}
	return request;
}

void
read_request_go_on(struct read_api *api, struct read_request *request)
{
	struct read_request_private *own = request->own;

	if (request->next == READ_WAIT && clock_boot() >= own->deadline) {
		if (own->stream)
			buf_add_string(&request->out, ":\n\n");
		else
			own->wait =
			    0; /* answer with what there is, or with none */
	}
	probe_and_answer(api, request);
	set_time(request);
}

void
read_request_refuse(struct read_request *request)
{
	struct fail fail;

	fail_set(&fail, FAIL_NOT_NOW, "too_many_waiting",
	    "too many streams and long polls: ask without wait, or later");
	buf_reset(&request->out);
	request->own->answer.type = "application/json";
	request->own->answer.stream = false;
	refuse(request, &fail);
	request->fail.kind = 0;
}

void
read_request_end(struct read_api *api, struct read_request *request)
{
	if (request->own->stream) {
		request->next = READ_DONE;
		return;
	}
	request->own->deadline = 1; /* long ago */
	read_request_go_on(api, request);
}

void
read_request_free(struct read_request *request)
{
	if (!request)
		return;
	for (size_t i = 0; i < PARAMETERS; i++)
		free(request->own->values[i]);
	free(request->own->if_none_match);
	free(request->own->id);
	buf_release(&request->out);
	free(request->own);
	free(request);
}
