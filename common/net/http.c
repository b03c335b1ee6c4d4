/* SPDX-License-Identifier: ISC */
/*
 * How http works: libcurl's transfers live in the caller's loop (curl_loop).
 * Handles are reused, since a new one costs more than a request over loopback.
 *
 * The difference between HTTP_NOT_SENT and HTTP_CUT has to be right, because a
 * call that was certainly not sent may be sent again. libcurl's error codes do
 * not show it, and libcurl sends a request again by itself when a reused
 * connection dies before the answer. Its pre-request callback solves both: it
 * is called when a connection is there, right before the first byte of the
 * request. If it was not called, nothing was sent; when it is called a second
 * time, libcurl is about to repeat the request, and is stopped. It is also the
 * last moment to see that a request comes too late (not_after).
 *
 * An HTTP/2 server may say that it did not process a request which it was sent:
 * by RST_STREAM with REFUSED_STREAM, or by a GOAWAY that names an earlier
 * stream. libcurl 7.88 tells this only in its verbose words, so these are read
 * for requests that have an effect (QUIRKS.md). Words that are not known leave
 * the request in doubt.
 *
 * Code that runs inside libcurl (piece, and the functions that it calls) may
 * start and cancel requests. libcurl forbids that, so it is done when libcurl
 * has returned.
 */
#include "common/net/http.h"

#include <ctype.h>
#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/secret.h"
#include "common/net/curl_loop.h"

#define SPARE_MAX 256          /* handles kept for reuse */
#define CONNECTIONS_MAX 256L   /* idle connections kept */
#define CONNECTION_AGE 50L     /* seconds idle; common servers hang up at 60 */
#define CONNECTION_AGE_ONCE 4L /* the shortest common limit is 5 */
#define IDLE_MS 60000
#define STOPPED_MS 1000 /* a timer so late: the process was stopped */
#define BODY_MAX (64u << 20)

struct http {
	struct loop *loop;
	struct curl_loop *curl;
	CURLSH *share;
	struct http_call *calls;
	CURL *spare[SPARE_MAX];
	size_t spare_count;
	char *ca_file; /* of SSL_CERT_FILE, else NULL: libcurl's own */
	char *plain;   /* the host for which http: is allowed, or NULL */
	bool put_off;  /* calls to be added or removed once libcurl returns */
};

struct http_call {
	struct http *http;
	struct http_call *next, *previous;
	CURL *easy;
	struct curl_slist *headers;
	char *body;
	struct buf answer;
	size_t body_cut;
	struct timer idle;
	int64_t idle_ms, last_byte;
	curl_off_t uploaded;  /* as the idle timer saw it last */
	int port;             /* ours, which tells connections apart */
	unsigned long stream; /* of HTTP/2, 0: not known */
	bool refused;         /* the server said that it did not process it */
	bool (*piece)(void *context, const char *bytes, size_t length);
	void (*header)(void *context, const char *line, size_t length);
	void (*done)(void *context, const struct http_answer *answer);
	void *context;
	const int64_t *not_after;
	bool added, cancelled, sent, repeated, aborted, cut, late;
	bool head_whole; /* libcurl accepts an incomplete head */
	char error[CURL_ERROR_SIZE];
};

static void
call_free(struct http_call *call)
{
	struct http *http = call->http;

	loop_cancel(http->loop, &call->idle);
	if (call->added)
		curl_loop_remove(http->curl, call->easy);
	if (http->spare_count < SPARE_MAX) {
		curl_easy_reset(call->easy);
		http->spare[http->spare_count++] = call->easy;
	} else {
		curl_easy_cleanup(call->easy);
	}
	curl_slist_free_all(call->headers);
	free(call->body);
	buf_release(&call->answer);
	free(call);
}

static void
call_end(struct http_call *call)
{
	if (call->previous != NULL)
		call->previous->next = call->next;
	else
		call->http->calls = call->next;
	if (call->next != NULL)
		call->next->previous = call->previous;
	call_free(call);
}

static int
call_status(const struct http_call *call)
{
	long status = 0;

	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	return (int)status;
}

/* Ends the call: ERROR is NULL when the whole answer came. */
static void
call_finish(struct http_call *call, const char *error)
{
	struct http_answer answer = { .outcome = HTTP_ANSWERED, .error = "" };

	loop_cancel(call->http->loop, &call->idle);
	if (call->cancelled) {
		call_end(call);
		return;
	}
	if (error != NULL) {
		answer.error = error;
		answer.outcome = call->aborted     ? HTTP_ABORTED
		    : call->sent && !call->refused ? HTTP_CUT
						   : HTTP_NOT_SENT;
	}
	answer.status = call_status(call);
	if (call->answer.data != NULL)
		call->answer.length = secret_strike(call->answer.data,
		    call->answer.length);
	answer.body = call->answer.data != NULL ? call->answer.data : "";
	answer.body_length = call->answer.length;
	answer.body_cut = call->body_cut;
	answer.late = call->late;
	answer.call = call;
	call->done(call->context, &answer);
	call_end(call);
}

static void
http_ended(void *context, void *ended, CURLcode code)
{
	struct http_call *call = ended;
	char message[80];
	const char *error = NULL;

	(void)context;
	if (code == CURLE_OK && (!call->head_whole || call_status(call) < 200))
		error = "the answer ended before its body";
	else if (code == CURLE_OK)
		error = NULL;
	else if (call->aborted)
		error = "the answer made no sense and was cut off";
	else if (call->late)
		error = "it came too late to be sent";
	else if (call->refused)
		error = "the server refused the stream before it processed it";
	else if (call->repeated)
		error = "the connection ended before an answer came";
	else if (call->answer.overflow) {
		snprintf(message, sizeof(message),
		    "the answer is longer than %zu bytes",
		    call->answer.maximum);
		error = message;
	} else if (call->error[0] != '\0')
		error = secret_strike_string(call->error);
	else
		error = curl_easy_strerror(code);
	call_finish(call, error);
}

static int
call_add(struct http_call *call)
{
	if (!curl_loop_add(call->http->curl, call->easy))
		return -1;
	call->added = true;
	return 0;
}

static struct http_call *
first_put_off(struct http *http)
{
	struct http_call *call;

	for (call = http->calls; call != NULL; call = call->next)
		/* freed ones are not in the list */
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
		if (call->cancelled || !call->added)
			break;
	return call;
}

/* Does what was put off. Every done may start and cancel others, so each step
 * reads the state again. */
static void
http_returned(void *context)
{
	struct http *http = context;
	struct http_call *call;

	while (http->put_off && (call = first_put_off(http)) != NULL) {
		if (call->cancelled)
			call_end(call);
		else if (call_add(call) < 0)
			call_finish(call, "cannot start the request");
	}
	http->put_off = false;
}

static int
/* NOLINTNEXTLINE(readability-non-const-parameter): libcurl's type */
on_request(void *context, char *remote, char *local, int remote_port,
    int local_port)
{
	struct http_call *call = context;

	(void)remote, (void)local, (void)remote_port;
	if (call->sent) {
		/* A connection that broke has left an error. */
		call->refused = call->stream && call->error[0] == '\0';
		call->repeated = true;
		return CURL_PREREQFUNC_ABORT;
	}
	if (call->cancelled)
		return CURL_PREREQFUNC_ABORT;
	call->last_byte = clock_boot();
	call->late = call->not_after && call->last_byte >= *call->not_after;
	if (call->late)
		return CURL_PREREQFUNC_ABORT;
	call->sent = true;
	call->port = local_port;
	return CURL_PREREQFUNC_OK;
}

/* libcurl's words about a request: its stream, and that the connection ends. */
static int
on_words(CURL *easy, curl_infotype type, char *text, size_t size, void *context)
{
	struct http_call *call = context, *other;
	static const char stream[] = "Using Stream ID: ",
			  last[] = "last_stream=";
	char line[128];
	const char *at;
	unsigned long number;

	(void)easy;
	if (type != CURLINFO_TEXT)
		return 0;
	snprintf(line, sizeof(line), "%.*s", (int)size, text);
	if (strncmp(line, stream, strlen(stream)) == 0) {
		call->stream = strtoul(line + strlen(stream), NULL, 10);
	} else if (strstr(line, "GOAWAY, error=") != NULL &&
	    (at = strstr(line, last)) != NULL &&
	    isdigit((unsigned char)at[strlen(last)])) {
		number = strtoul(at + strlen(last), NULL, 10);
		for (other = call->http->calls; other; other = other->next)
			if (other->port == call->port && other->stream > number)
				other->refused = true;
	}
	return 0;
}

static size_t
on_header(char *bytes, size_t size, size_t count, void *context)
{
	struct http_call *call = context;
	size_t length = size * count;

	call->last_byte = clock_boot();
	if (length >= 5 && memcmp(bytes, "HTTP/", 5) == 0)
		call->head_whole = false;
	else if (length <= 2)
		call->head_whole = true;
	while (length > 0 && strchr("\r\n \t", bytes[length - 1]))
		length--;
	if (call->header != NULL)
		call->header(call->context, bytes, length);
	return size * count;
}

static size_t
on_body(char *bytes, size_t size, size_t count, void *context)
{
	struct http_call *call = context;
	size_t length = size * count;
	size_t room = call->answer.maximum - call->answer.length;

	call->last_byte = clock_boot();
	if (call->cancelled)
		return 0;
	if (call->piece == NULL || call_status(call) / 100 != 2) {
		if (call->cut && length > room) {
			call->body_cut += length - room;
			buf_add(&call->answer, bytes, room);
			return length;
		}
		buf_add(&call->answer, bytes, length);
		return call->answer.overflow ? 0 : length;
	}
	if (!call->piece(call->context, bytes, length)) {
		call->aborted = true;
		return 0;
	}
	return call->cancelled ? 0 : length;
}

static void
idle_fire(void *context)
{
	struct http_call *call = context;
	int64_t now = clock_boot(), limit;
	curl_off_t uploaded = 0;
	char message[80];

	curl_easy_getinfo(call->easy, CURLINFO_SIZE_UPLOAD_T, &uploaded);
	if (uploaded != call->uploaded) {
		call->uploaded = uploaded;
		call->last_byte = now;
	}
	limit = call->last_byte + call->idle_ms;
	if (now >= limit && now - call->idle.at > STOPPED_MS) {
		/* bytes that came while this process was stopped are unread */
		limit = now + STOPPED_MS;
	}
	if (now < limit) {
		loop_timer(call->http->loop, &call->idle, limit);
		return;
	}
	snprintf(message, sizeof(message), "not a byte for %lld ms",
	    (long long)call->idle_ms);
	call_finish(call, message);
}

int
http_open(struct loop *loop, struct http **ret_http, struct fail *fail)
{
	struct curl_loop_owner owner = { .returned = http_returned,
		.ended = http_ended,
		.connections = CONNECTIONS_MAX };
	struct http *http;

	/* TLS writes to sockets that may be gone, without MSG_NOSIGNAL */
	signal(SIGPIPE, SIG_IGN);
	http = mem_alloc(sizeof(*http));
	if (curl_loop_share(&http->share, fail) < 0) {
		free(http);
		return -1;
	}
	http->loop = loop;
	http->ca_file = mem_string(getenv("SSL_CERT_FILE"));
	owner.context = http;
	if (curl_loop_open(loop, &owner, &http->curl, fail) < 0) {
		http_close(http);
		return -1;
	}
	*ret_http = http;
	return 0;
}

void
http_close(struct http *http)
{
	struct http_call *call, *next;

	if (http == NULL)
		return;
	for (call = http->calls; call != NULL; call = next) {
		next = call->next;
		call_free(call);
	}
	while (http->spare_count > 0)
		curl_easy_cleanup(http->spare[--http->spare_count]);
	curl_loop_close(http->curl);
	curl_loop_unshare(http->share);
	free(http->ca_file);
	free(http->plain);
	free(http);
}

void
http_plain(struct http *http, const char *host)
{
	free(http->plain);
	http->plain = mem_string(host);
}

struct loop *
http_loop(struct http *http)
{
	return http->loop;
}

static int
headers_copy(const char *const *headers, struct curl_slist **ret_list,
    struct fail *fail)
{
	struct curl_slist *list = NULL, *longer;
	const char *one;

	/* without it libcurl asks for a 100-continue before a long body and
	 * waits a second for servers that do not know it */
	list = curl_slist_append(NULL, "Expect:");
	/* Compression is not asked for, but understood: see easy_setup. */
	longer = curl_slist_append(list, "Accept-Encoding:");
	list = longer != NULL ? longer : list;
	while (headers != NULL && (one = *headers++) != NULL) {
		if (one[strcspn(one, "\r\n")] != '\0') {
			curl_slist_free_all(list);
			return fail_set(fail, FAIL_NEVER, "invalid_header",
			    "a line break in the header %.*s: is there one in "
			    "the key?",
			    (int)strcspn(one, ":"), one);
		}
		longer = curl_slist_append(list, one);
		if (longer == NULL) {
			curl_slist_free_all(list);
			return fail_set(fail, FAIL_NOT_NOW, "system",
			    "out of memory");
		}
		list = longer;
	}
	*ret_list = list;
	return 0;
}

static void
easy_setup(struct http_call *call, const struct http_request *request,
    bool loopback, bool secure)
{
	CURL *easy = call->easy;

	curl_loop_setup(easy, call->http->share, call, call->error);
	curl_easy_setopt(easy, CURLOPT_URL, request->url);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers);
	curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
	    secure ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1);
	if (call->http->ca_file != NULL)
		curl_easy_setopt(easy, CURLOPT_CAINFO, call->http->ca_file);
	curl_easy_setopt(easy, CURLOPT_PIPEWAIT, secure ? 1L : 0L);
	if (loopback)
		curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN,
	    request->once ? CONNECTION_AGE_ONCE : CONNECTION_AGE);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->total_ms);
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_request);
	if (request->once && secure) {
		curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, on_words);
		curl_easy_setopt(easy, CURLOPT_DEBUGDATA, call);
		curl_easy_setopt(easy, CURLOPT_VERBOSE, 1L);
	}
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	if (call->body != NULL || strcmp(request->method, "POST") == 0) {
		curl_easy_setopt(easy, CURLOPT_POST, 1L);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
		    call->body != NULL ? call->body : "");
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
		    (curl_off_t)(call->body ? request->body_length : 0));
	}
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
}

int
http_start(struct http *http, const struct http_request *request,
    struct http_call **ret_call, struct fail *fail)
{
	struct curl_slist *headers = NULL;
	struct http_call *call;
	bool loopback, secure;
	CURL *easy = NULL;

	if (http_check_url(request->url, http->plain, &loopback, &secure,
		fail) < 0 ||
	    headers_copy(request->headers, &headers, fail) < 0) {
		free(request->body);
		return -1;
	}
	easy = http->spare_count > 0 ? http->spare[--http->spare_count]
				     : curl_easy_init();
	if (easy == NULL) {
		curl_slist_free_all(headers);
		free(request->body);
		return fail_set(fail, FAIL_NOT_NOW, "system",
		    "cannot start a request: out of memory");
	}
	call = mem_alloc(sizeof(*call));
	call->http = http;
	call->easy = easy;
	call->headers = headers;
	call->body = request->body;
	call->answer = BUF_INIT(
	    request->body_maximum > 0 ? request->body_maximum : BODY_MAX);
	call->idle_ms = request->idle_ms > 0 ? request->idle_ms : IDLE_MS;
	call->cut = request->cut;
	call->not_after = request->not_after;
	call->piece = request->piece;
	call->header = request->header;
	call->done = request->done;
	call->context = request->context;
	easy_setup(call, request, loopback, secure);
	call->next = http->calls;
	if (call->next != NULL)
		call->next->previous = call;
	http->calls = call;
	if (curl_loop_inside(http->curl)) {
		http->put_off = true;
	} else if (call_add(call) < 0) {
		call_end(call);
		return fail_set(fail, FAIL_NOT_NOW, "system",
		    "cannot start a request");
	}
	call->last_byte = clock_boot();
	call->idle.fire = idle_fire;
	call->idle.context = call;
	loop_timer(http->loop, &call->idle, call->last_byte + call->idle_ms);
	*ret_call = call;
	return 0;
}

void
http_cancel(struct http_call *call)
{
	if (call == NULL)
		return;
	if (curl_loop_inside(call->http->curl)) {
		call->cancelled = true;
		call->http->put_off = true;
		return;
	}
	call_end(call);
}

const char *
http_header_at(struct http_call *call, const char *name, size_t index)
{
	struct curl_header *header;

	if (curl_easy_header(call->easy, name, index, CURLH_HEADER, -1,
		&header) != CURLHE_OK)
		return NULL;
	return secret_strike_string(header->value);
}

const char *
http_header(struct http_call *call, const char *name)
{
	struct curl_header *header;

	if (curl_easy_header(call->easy, name, 0, CURLH_HEADER, -1, &header) !=
	    CURLHE_OK)
		return NULL;
	return header->amount > 1
	    ? http_header_at(call, name, header->amount - 1)
	    : secret_strike_string(header->value);
}
