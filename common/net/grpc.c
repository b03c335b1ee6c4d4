/* SPDX-License-Identifier: ISC */
/*
 * How grpc works: calls wait in the channel until it has a connection that is
 * up, are sent on it, and wait again after a failure that may be retried.
 *
 * A connection (struct connection) has a multi handle of its own, because
 * libcurl does not report that the server is about to close (GOAWAY) and uses
 * such a connection again and again: only a new multi handle is sure to make a
 * new connection. So a connection gets no new calls once it is old, was idle,
 * or any transfer on it failed; when the calls on it have ended, it is freed.
 *
 * Each connection begins with one call of its own, the hello. Without TLS it is
 * necessary: libcurl 7.88 can start HTTP/2 without an upgrade only for the
 * first request of a connection; later ones must ask for plain "HTTP/2", which
 * works on a connection that is HTTP/2 already. On any other it would be
 * HTTP/1.1, so no call but the hello may open a socket. A call that tries to
 * was not sent: it waits for the next connection.
 *
 * Circle: grpc_call.c asks this file for a connection (grpc_pump) when a timer
 * sends a call back to those that wait; everything else goes the other way.
 */
#include "common/net/grpc.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/net/grpc_internal.h"

#define AGE_MS (4 * 60 * 1000) /* servers end connections after 5 minutes */
#define IDLE_MS 25000          /* without a call libcurl answers no pings */
#define HELLO_MS 5000
#define MESSAGE_MAX ((size_t)4 << 20)
#define REPLY_MAX ((size_t)128 << 20)
/* Calls on one connection; libcurl's own limit is too low for long polls. */
#define STREAMS_MAX 10000L
#define REFUSED_MAX 5 /* connections that would not take a call */

/* No connection could be made: the calls that wait for it fail. */
static void
fail_waiting(struct grpc *grpc, enum grpc_status status, const char *message)
{
	struct grpc_call *call, *next;

	/* A done may cancel any other call, so each step starts again; a call
	 * that a done starts now waits for the next connection. */
	for (call = grpc->calls; call != NULL; call = call->next)
		if (call->state == CALL_WAITING)
			call->state = CALL_PAUSED;
	for (call = grpc->calls; call != NULL; call = next) {
		next = call->next;
		if (call->state != CALL_PAUSED || call->timer.slot != 0)
			continue;
		call->sent = false;
		buf_reset(&call->trailer.details);
		call_failed(call, status, message);
		next = grpc->calls;
	}
}

/* The first call of a connection has ended: after any answer of a gRPC server
 * the connection can be used. */
static void
hello_ended(struct grpc_call *call, enum grpc_status status,
    const char *message)
{
	struct connection *connection = call->connection;
	struct grpc *grpc = call->grpc;
	char *text;

	if (call->trailer.status >= 0 && !connection->broken) {
		connection->up = true;
		call_free(call);
		grpc_pump(grpc);
		return;
	}
	connection->broken = true;
	text = mem_string(message);
	call_free(call);
	fail_waiting(grpc, status, text);
	free(text);
}

static void
connection_ended(void *context, void *ended, CURLcode code)
{
	struct connection *connection = context;
	struct grpc *grpc = connection->grpc;
	struct grpc_call *call = ended;
	enum grpc_status status;
	const char *message = "";

	grpc->ending++;
	status = call_outcome(call, code, &message);
	/* one stream that was reset, or a reply that we cut off, does not break
	 * the connection */
	if (code != CURLE_OK && code != CURLE_HTTP2_STREAM && !call->too_large)
		connection->broken = true;
	if (call->hello) {
		hello_ended(call, status, message);
	} else if (code == CURLE_COULDNT_CONNECT && !call->sent && !grpc->tls &&
	    ++call->refused < REFUSED_MAX) {
		call_land(call);
		call->state = CALL_WAITING;
		grpc_pump(grpc);
	} else if (status == GRPC_OK) {
		call_land(call);
		call_done(call, status, "");
	} else {
		call_failed(call, status, message);
	}
	grpc->ending--;
}

/* ---- connections ---- */

static void
connection_free(struct connection *connection)
{
	curl_loop_close(connection->curl);
	free(connection);
}

/* Frees the connections that neither have calls nor get new ones. */
static void
grpc_reap(struct grpc *grpc)
{
	struct connection **place = &grpc->connections, *one;

	if (grpc->ending > 0)
		return;
	while ((one = *place) != NULL) {
		if (one->flying == 0 &&
		    (one->broken || one != grpc->connections)) {
			*place = one->next;
			connection_free(one);
		} else {
			place = &one->next;
		}
	}
}

static void
connection_settled(void *context)
{
	struct connection *connection = context;

	grpc_reap(connection->grpc);
}

static bool
connection_stale(const struct connection *connection, int64_t now)
{
	return connection->broken ||
	    (connection->up &&
		now - connection->born > connection->grpc->age_ms) ||
	    (connection->flying == 0 && now - connection->used > IDLE_MS);
}

/* Adds a new connection, which is being made, at the front. */
static int
connection_new(struct grpc *grpc, struct fail *fail)
{
	struct connection *connection = mem_alloc(sizeof(*connection));
	struct curl_loop_owner owner = { .ended = connection_ended,
		.settled = connection_settled,
		.context = connection,
		.streams = STREAMS_MAX };
	struct grpc_call *hello;
	uint8_t *message;

	connection->grpc = grpc;
	connection->born = connection->used = clock_boot();
	if (curl_loop_open(grpc->loop, &owner, &connection->curl, fail) < 0) {
		free(connection);
		return -1;
	}
	hello = call_new(grpc);
	if (hello != NULL) {
		hello->hello = true;
		hello->path = mem_string(grpc->hello);
		hello->frame = grpc_frame(0, &message);
		hello->size = 0;
		hello->timeout_ms = HELLO_MS;
		call_insert(hello);
	}
	if (hello == NULL || !call_launch(hello, connection)) {
		if (hello != NULL)
			call_free(hello);
		connection_free(connection);
		return fail_set(fail, FAIL_NOT_NOW, "system",
		    "cannot start a transfer");
	}
	connection->next = grpc->connections;
	grpc->connections = connection;
	return 0;
}

/* Probably out of memory: the waiting calls try again a little later. */
static void
put_off(struct grpc *grpc)
{
	struct grpc_call *call;

	for (call = grpc->calls; call != NULL; call = call->next) {
		if (call->state != CALL_WAITING)
			continue;
		call->state = CALL_PAUSED;
		loop_timer(grpc->loop, &call->timer, clock_boot() + HELLO_MS);
	}
}

void
grpc_pump(struct grpc *grpc)
{
	struct grpc_call *call, *next;
	struct fail fail;
	bool waiting = false;

	for (call = grpc->calls; call != NULL && !waiting; call = call->next)
		waiting = call->state == CALL_WAITING;
	if (!waiting)
		return;
	if ((grpc->connections == NULL ||
		connection_stale(grpc->connections, clock_boot())) &&
	    connection_new(grpc, &fail) < 0) {
		put_off(grpc);
		return;
	}
	grpc_reap(grpc);
	if (!grpc->connections->up)
		return;
	for (call = grpc->calls; call != NULL; call = next) {
		next = call->next;
		if (call->state == CALL_WAITING &&
		    !call_launch(call, grpc->connections)) {
			/* waits for the next connection */
			grpc->connections->broken = true;
			return;
		}
	}
}

/* ---- the channel ---- */

static bool
host_is_local(const char *host)
{
	struct in_addr four;

	return (inet_pton(AF_INET, host, &four) == 1 &&
		   ntohl(four.s_addr) >> 24 == 127) ||
	    strcmp(host, "[::1]") == 0 || strcasecmp(host, "localhost") == 0;
}

/* Splits "HOST:PORT"; *RET_HOST is the caller's. */
static int
split_address(const char *address, char **ret_host, const char **ret_port,
    struct fail *fail)
{
	const char *colon = strrchr(address, ':');
	size_t host = colon != NULL ? (size_t)(colon - address) : 0;

	if (colon == NULL || host == 0 || colon[1] == '\0' ||
	    strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
	    strlen(colon + 1) > 5 ||
	    strcspn(address, "/@?# \t\r\n") != strlen(address) ||
	    (memchr(address, ':', host) != NULL && address[0] != '[')) {
		fail_set(fail, FAIL_NEVER, "invalid_address",
		    "\"%.200s\" is not an address: use HOST:PORT", address);
		return -1;
	}
	*ret_host = mem_copy(address, host);
	*ret_port = colon + 1;
	return 0;
}

static int
copy_metadata(struct grpc *grpc, const struct grpc_options *options,
    struct fail *fail)
{
	const char *const *line = options->metadata;

	for (; line != NULL && *line != NULL; line++) {
		if ((*line)[strcspn(*line, "\r\n")] != '\0' ||
		    strchr(*line, ':') == NULL)
			return fail_set(fail, FAIL_NEVER, "invalid_header",
			    "the header %.*s is not one line \"name: value\"",
			    (int)strcspn(*line, ":\r\n"), *line);
		grpc->metadata = curl_slist_append(grpc->metadata, *line);
	}
	if (options->bearer == NULL)
		return 0;
	if (!grpc->tls && !grpc->local)
		return fail_set(fail, FAIL_NEVER, "insecure_url",
		    "%s without TLS would send the key unencrypted: use TLS",
		    options->address);
	if (options->bearer[strcspn(options->bearer, "\r\n")] != '\0')
		return fail_set(fail, FAIL_NEVER, "invalid_header",
		    "there is a line break in the key");
	grpc->bearer = mem_print("authorization: Bearer %s", options->bearer);
	return 0;
}

static int
copy_options(struct grpc *grpc, const struct grpc_options *options,
    struct fail *fail)
{
	const char *port = NULL, *name;
	char *host = NULL, *place;

	if (split_address(options->address, &host, &port, fail) < 0)
		return -1;
	name = options->server_name != NULL ? options->server_name : host;
	grpc->tls = options->tls;
	grpc->local = host_is_local(host);
	grpc->origin = mem_print("%s://%s:%s", grpc->tls ? "https" : "http",
	    name, port);
	if (options->server_name != NULL) {
		place = mem_print("::%s:%s", host, port);
		grpc->connect_list = curl_slist_append(NULL, place);
		free(place);
	}
	free(host);
	grpc->hello = mem_string(options->hello);
	grpc->authority_file = mem_string(options->authority_file);
	grpc->certificate_file = mem_string(options->certificate_file);
	grpc->key_file = mem_string(options->key_file);
	grpc->age_ms = options->age_ms > 0 ? options->age_ms : AGE_MS;
	grpc->reply_maximum = options->reply_maximum > 0
	    ? options->reply_maximum
	    : REPLY_MAX;
	return copy_metadata(grpc, options, fail);
}

int
grpc_open(struct loop *loop, const struct grpc_options *options,
    struct grpc **ret_grpc, struct fail *fail)
{
	struct grpc *grpc = mem_alloc(sizeof(*grpc));

	if (curl_loop_share(&grpc->share, fail) < 0) {
		free(grpc);
		return -1;
	}
	grpc->loop = loop;
	if (copy_options(grpc, options, fail) < 0) {
		grpc_close(grpc);
		return -1;
	}
	*ret_grpc = grpc;
	return 0;
}

void
grpc_close(struct grpc *grpc)
{
	struct connection *connection;
	struct grpc_call *call;

	if (grpc == NULL)
		return;
	while (grpc->calls != NULL)
		call_free(grpc->calls);
	while ((connection = grpc->connections) != NULL) {
		grpc->connections = connection->next;
		connection_free(connection);
	}
	while ((call = grpc->spare) != NULL) {
		grpc->spare = call->next;
		call_destroy(call);
	}
	curl_slist_free_all(grpc->metadata);
	curl_slist_free_all(grpc->connect_list);
	curl_loop_unshare(grpc->share);
	free(grpc->origin);
	free(grpc->bearer);
	free(grpc->hello);
	free(grpc->authority_file);
	free(grpc->certificate_file);
	free(grpc->key_file);
	free(grpc);
}

char *
grpc_frame(size_t size, uint8_t **ret_message)
{
	char *frame = mem_alloc(size + GRPC_HEAD);
	unsigned char *head = (unsigned char *)frame;

	head[1] = (unsigned char)(size >> 24);
	head[2] = (unsigned char)(size >> 16);
	head[3] = (unsigned char)(size >> 8);
	head[4] = (unsigned char)size;
	*ret_message = head + GRPC_HEAD;
	return frame;
}

int
grpc_start(struct grpc *grpc, const struct grpc_request *request,
    struct grpc_call **ret_call, struct fail *fail)
{
	struct grpc_call *call;

	if (request->size > MESSAGE_MAX) {
		free(request->frame);
		return fail_set(fail, FAIL_NEVER, "too_large",
		    "a message of %zu bytes to %s: the limit is %zu",
		    request->size, request->path, MESSAGE_MAX);
	}
	call = call_new(grpc);
	if (call == NULL) {
		free(request->frame);
		return fail_set(fail, FAIL_NOT_NOW, "system",
		    "cannot start a call: out of memory");
	}
	call->path = mem_string(request->path);
	call->frame = request->frame;
	call->size = request->size;
	call->timeout_ms = request->timeout_ms;
	call->repeat_until = clock_boot() + request->repeat_ms;
	call->done = request->done;
	call->context = request->context;
	call->state = CALL_WAITING;
	call_insert(call);
	*ret_call = call;
	grpc_pump(grpc);
	return 0;
}

void
grpc_cancel(struct grpc_call *call)
{
	if (call != NULL)
		call_free(call);
}
