/* SPDX-License-Identifier: ISC */
/*
 * How it works: libcurl's handle of a call is set up once and lives as long as
 * the call's struct, which is reused; only options that differ from call to
 * call are set again.
 *
 * Whether a request can have reached the server is known from libcurl's
 * pre-request callback, as in http.c.
 */
#include "common/net/grpc_internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/clock.h"
#include "common/base/id.h"
#include "common/base/mem.h"
#include "common/base/secret.h"

#define STUCK_MS 1000 /* in which no byte of a request is sent */
#define GRACE_MS 2000 /* the server's deadline comes before ours */
#define TRAILER_MAX (64u << 10)
#define TIMEOUT_MAX 99999999 /* eight digits */
#define SPARE_MAX 64
#define RESETS_MAX 4 /* streams reset in a row: an unknown method */

static curl_socket_t
on_open_socket(void *context, curlsocktype purpose,
    struct curl_sockaddr *address)
{
	struct grpc_call *call = context;

	(void)purpose;
	if (!call->hello && !call->grpc->tls)
		return CURL_SOCKET_BAD;
	return socket(address->family, address->socktype | SOCK_CLOEXEC,
	    address->protocol);
}

static int
on_request(void *context, char *remote, char *local, int remote_port,
    int local_port)
{
	struct grpc_call *call = context;

	(void)remote, (void)local, (void)remote_port, (void)local_port;
	if (call->sent) /* libcurl is about to repeat it: we decide that */
		return CURL_PREREQFUNC_ABORT;
	call->sent = true;
	return CURL_PREREQFUNC_OK;
}

static size_t
on_header(char *bytes, size_t size, size_t count, void *context)
{
	struct grpc_call *call = context;
	size_t length = size * count;

	while (length > 0 &&
	    (bytes[length - 1] == '\n' || bytes[length - 1] == '\r'))
		length--;
	grpc_header(&call->trailer, bytes, length);
	return size * count;
}

static size_t
on_body(char *bytes, size_t size, size_t count, void *context)
{
	struct grpc_call *call = context;

	buf_add(&call->body, bytes, size * count);
	if (call->body.overflow ||
	    (call->trailer.grpc &&
		grpc_announced(&call->body) > call->grpc->reply_maximum)) {
		call->too_large = true;
		return 0;
	}
	return size * count;
}

/* Sets the options that are the same for all calls of a channel. */
static void
easy_setup(struct grpc_call *call)
{
	struct grpc *grpc = call->grpc;
	CURL *easy = call->easy;

	curl_loop_setup(easy, grpc->share, call, call->error);
	/* libcurl 7.88 can forget a reply that is longer until something else
	 * happens */
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)CURL_MAX_READ_SIZE);
	curl_easy_setopt(easy, CURLOPT_POST, 1L);
	curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, call);
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_request);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	/* a proxy in the environment is not for this machine */
	if (!grpc->tls || grpc->local)
		curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_CONNECT_TO, grpc->connect_list);
	if (grpc->authority_file != NULL)
		curl_easy_setopt(easy, CURLOPT_CAINFO, grpc->authority_file);
	curl_easy_setopt(easy, CURLOPT_SSLCERT, grpc->certificate_file);
	curl_easy_setopt(easy, CURLOPT_SSLKEY, grpc->key_file);
}

static struct curl_slist *
header_list(const struct grpc *grpc, int64_t timeout_ms)
{
	char *timeout = mem_print("grpc-timeout: %lldm",
	    (long long)(timeout_ms < TIMEOUT_MAX ? timeout_ms : TIMEOUT_MAX));
	const char *const fixed[] = { "content-type: application/grpc",
		"te: trailers", "accept:", "expect:", timeout };
	struct curl_slist *list = NULL, *item;
	size_t i;

	for (i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		list = curl_slist_append(list, fixed[i]);
	for (item = grpc->metadata; item != NULL; item = item->next)
		list = curl_slist_append(list, item->data);
	if (grpc->bearer != NULL)
		list = curl_slist_append(list, grpc->bearer);
	free(timeout);
	return list;
}

/* A reused call often has the time limit that it had before. */
static struct curl_slist *
call_headers(struct grpc_call *call)
{
	if (call->headers == NULL || call->headers_ms != call->timeout_ms) {
		curl_slist_free_all(call->headers);
		call->headers = header_list(call->grpc, call->timeout_ms);
		call->headers_ms = call->timeout_ms;
	}
	return call->headers;
}

bool
call_launch(struct grpc_call *call, struct connection *connection)
{
	struct grpc *grpc = call->grpc;
	CURL *easy = call->easy;
	char *url = mem_print("%s%s", grpc->origin, call->path);

	buf_reset(&call->body);
	buf_reset(&call->trailer.message);
	buf_reset(&call->trailer.details);
	call->trailer.status = -1;
	call->trailer.grpc = false;
	call->sent = call->too_large = false;
	call->error[0] = '\0';
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call_headers(call));
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->frame);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE,
	    (long)(call->size + GRPC_HEAD));
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS,
	    (long)(call->timeout_ms + GRACE_MS));
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
	    (long)(grpc->tls      ? CURL_HTTP_VERSION_2TLS
		    : call->hello ? CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE
				  : CURL_HTTP_VERSION_2_0));
	free(url);
	if (!curl_loop_add(connection->curl, easy))
		return false;
	call->state = CALL_FLYING;
	call->uploaded = 0;
	if (!call->hello)
		loop_timer(grpc->loop, &call->timer, clock_boot() + STUCK_MS);
	call->connection = connection;
	connection->flying++;
	connection->used = clock_boot();
	return true;
}

void
call_land(struct grpc_call *call)
{
	struct connection *connection = call->connection;

	if (connection == NULL)
		return;
	loop_cancel(call->grpc->loop, &call->timer);
	curl_loop_remove(connection->curl, call->easy);
	connection->flying--;
	connection->used = clock_boot();
	call->connection = NULL;
}

/* A call is on a connection but its request is not sent: libcurl 7.88 does not
 * report that a server that is closing the connection takes no new calls. An
 * incomplete request was not executed, so it may be sent again. */
static void
call_stuck(struct grpc_call *call)
{
	curl_off_t uploaded = 0;

	curl_easy_getinfo(call->easy, CURLINFO_SIZE_UPLOAD_T, &uploaded);
	if ((size_t)uploaded >= call->size + GRPC_HEAD)
		return;
	if (uploaded != call->uploaded) {
		call->uploaded = uploaded;
		loop_timer(call->grpc->loop, &call->timer,
		    clock_boot() + STUCK_MS);
		return;
	}
	call->connection->broken = true;
	call_land(call);
	call->state = CALL_WAITING;
	grpc_pump(call->grpc);
}

static void
call_timer(void *context)
{
	struct grpc_call *call = context;

	if (call->state == CALL_FLYING) {
		call_stuck(call);
		return;
	}
	call->state = CALL_WAITING;
	grpc_pump(call->grpc);
}

struct grpc_call *
call_new(struct grpc *grpc)
{
	struct grpc_call *call = grpc->spare;

	if (call != NULL) {
		grpc->spare = call->next;
		grpc->spare_count--;
		return call;
	}
	call = mem_alloc(sizeof(*call));
	call->grpc = grpc;
	call->easy = curl_easy_init();
	if (call->easy == NULL) {
		free(call);
		return NULL;
	}
	call->timer.fire = call_timer;
	call->timer.context = call;
	call->trailer.message = BUF_INIT(TRAILER_MAX);
	call->trailer.details = BUF_INIT(TRAILER_MAX);
	call->body = BUF_INIT(grpc->reply_maximum + GRPC_HEAD);
	easy_setup(call);
	return call;
}

void
call_insert(struct grpc_call *call)
{
	struct grpc *grpc = call->grpc;

	call->next = NULL;
	call->previous = grpc->last_call;
	if (call->previous != NULL)
		call->previous->next = call;
	else
		grpc->calls = call;
	grpc->last_call = call;
}

void
call_destroy(struct grpc_call *call)
{
	curl_easy_cleanup(call->easy);
	curl_slist_free_all(call->headers);
	buf_release(&call->body);
	buf_release(&call->trailer.message);
	buf_release(&call->trailer.details);
	free(call);
}

void
call_free(struct grpc_call *call)
{
	struct grpc *grpc = call->grpc;

	loop_cancel(grpc->loop, &call->timer);
	call_land(call);
	if (call->previous != NULL)
		call->previous->next = call->next;
	else if (grpc->calls == call)
		grpc->calls = call->next;
	if (call->next != NULL)
		call->next->previous = call->previous;
	else if (grpc->last_call == call)
		grpc->last_call = call->previous;
	call->next = call->previous = NULL;
	free(call->path);
	free(call->frame);
	call->path = call->frame = NULL;
	if (grpc->spare_count == SPARE_MAX) {
		call_destroy(call);
		return;
	}
	/* long replies are rare: their memory is freed */
	buf_release(&call->body);
	call->body = BUF_INIT(grpc->reply_maximum + GRPC_HEAD);
	call->attempt = call->refused = call->resets = 0;
	call->hello = false;
	call->next = grpc->spare;
	grpc->spare = call;
	grpc->spare_count++;
}

/* ---- the outcome of a try ---- */

static const struct {
	double first, factor, last; /* milliseconds */
} delays[] = { { 100, 1.7, 5000 }, { 1000, 2, 10000 } };

int64_t
grpc_delay(enum grpc_status status, unsigned attempt)
{
	size_t kind = 0;
	double delay;

	switch (status) {
	case GRPC_RESOURCE_EXHAUSTED:
		kind = 1;
		break;
	case GRPC_UNKNOWN:
	case GRPC_ABORTED:
	case GRPC_OUT_OF_RANGE:
	case GRPC_INTERNAL:
	case GRPC_UNAVAILABLE:
	case GRPC_DATA_LOSS:
		break;
	default:
		return -1;
	}
	delay = delays[kind].first;
	for (; attempt > 1 && delay < delays[kind].last; attempt--)
		delay *= delays[kind].factor;
	if (delay > delays[kind].last)
		delay = delays[kind].last;
	/* a fifth more or less, so that many do not retry at the same time */
	return (int64_t)(delay * (0.8 + 0.4 * random_fraction()));
}

void
call_done(struct grpc_call *call, enum grpc_status status, const char *message)
{
	struct grpc_reply reply = { .status = status,
		.message = message,
		.unsent = !call->sent };

	if (status == GRPC_OK) {
		reply.message = "";
		reply.body = (const uint8_t *)call->body.data + GRPC_HEAD;
		reply.size = call->body.length - GRPC_HEAD;
	} else if (call->trailer.details.length > 0) {
		reply.details = (const uint8_t *)call->trailer.details.data;
		reply.details_size = call->trailer.details.length;
	}
	call->done(call->context, &reply);
	call_free(call);
}

void
call_failed(struct grpc_call *call, enum grpc_status status,
    const char *message)
{
	int64_t delay = grpc_delay(status, ++call->attempt);
	int64_t now = clock_boot();

	call_land(call);
	if (call->too_large || strstr(message, "larger than max") != NULL)
		delay = -1;
	if (delay < 0 || now + delay >= call->repeat_until) {
		call_done(call, status, message);
		return;
	}
	call->state = CALL_PAUSED;
	loop_timer(call->grpc->loop, &call->timer, now + delay);
}

static const char *
transfer_error(const struct grpc_call *call, CURLcode code)
{
	if (call->too_large)
		return "the answer is longer than what is accepted";
	if (code == CURLE_COULDNT_CONNECT && call->sent)
		return "the connection ended before an answer came";
	return call->error[0] != '\0' ? call->error : curl_easy_strerror(code);
}

enum grpc_status
call_outcome(struct grpc_call *call, CURLcode code, const char **ret_message)
{
	const struct grpc_trailer *trailer = &call->trailer;
	long status = 0;

	*ret_message = transfer_error(call, code);
	if (call->too_large)
		return GRPC_RESOURCE_EXHAUSTED;
	/* A status that came before the transfer was cut is the answer. */
	if (trailer->status >= 0 &&
	    (code == CURLE_OK || trailer->status != GRPC_OK)) {
		*ret_message = trailer->message.length > 0
		    ? secret_strike_string(trailer->message.data)
		    : "";
		if (trailer->status != GRPC_OK ||
		    grpc_body(&call->body, ret_message))
			return trailer->status;
		return GRPC_INTERNAL;
	}
	if (code == CURLE_OPERATION_TIMEDOUT && call->sent)
		return GRPC_DEADLINE_EXCEEDED;
	if (code == CURLE_HTTP2_STREAM && ++call->resets >= RESETS_MAX)
		return GRPC_UNIMPLEMENTED;
	if (code != CURLE_OK)
		return GRPC_UNAVAILABLE;
	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200 || !trailer->grpc) {
		snprintf(call->error, sizeof(call->error),
		    "an answer of HTTP (%ld) that is not gRPC: is this the "
		    "address of a gRPC server, and of its gRPC port?",
		    status);
		*ret_message = call->error;
		return grpc_http_status((int)status);
	}
	*ret_message = "the answer ended without a status";
	return GRPC_UNAVAILABLE;
}
