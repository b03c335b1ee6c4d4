/* SPDX-License-Identifier: ISC */
/* What an http client meets on a bad day, from a bare socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/net/http.h"
#include "tests/unit/net/server.h"

static struct loop *loop;
static struct http *http;

/* What came of one request. */
struct seen {
	int calls; /* of done */
	enum http_outcome outcome;
	int status;
	char body[4096], error[256], header[64];
	size_t body_length, body_cut;
	const char *want_header;
	struct http_call *call;
	char pieces[4096];
	int piece_count, refuse_piece; /* the number of the piece to refuse */
	bool cancel_in_piece, start_in_piece, late;
	struct seen *other; /* started from within */
	struct server *server;
};

static void
on_done(void *context, const struct http_answer *answer)
{
	struct seen *seen = context;
	const char *value;

	seen->calls++;
	seen->outcome = answer->outcome;
	seen->status = answer->status;
	seen->late = answer->late;
	snprintf(seen->body, sizeof(seen->body), "%s", answer->body);
	seen->body_length = answer->body_length;
	seen->body_cut = answer->body_cut;
	snprintf(seen->error, sizeof(seen->error), "%s", answer->error);
	if (seen->want_header != NULL) {
		value = http_header(answer->call, seen->want_header);
		snprintf(seen->header, sizeof(seen->header), "%s",
		    value != NULL ? value : "(none)");
	}
}

static void
start(struct seen *seen, struct http_request *request, const char *path);

static bool
on_piece(void *context, const char *bytes, size_t length)
{
	struct seen *seen = context;
	struct http_request request = { .method = "GET" };
	size_t used = strlen(seen->pieces);

	snprintf(seen->pieces + used, sizeof(seen->pieces) - used, "%.*s",
	    (int)length, bytes);
	seen->piece_count++;
	if (seen->start_in_piece && seen->piece_count == 1)
		start(seen->other, &request, "/other");
	if (seen->cancel_in_piece)
		http_cancel(seen->call);
	return seen->piece_count != seen->refuse_piece;
}

static void
start(struct seen *seen, struct http_request *request, const char *path)
{
	struct fail fail;
	char url[128];

	snprintf(url, sizeof(url), "%s%s", seen->server->url, path);
	request->url = url;
	request->done = on_done;
	request->context = seen;
	if (http_start(http, request, &seen->call, &fail) < 0)
		fail_msg("%s", fail.message);
}

static void
run(int *calls, int wanted)
{
	int64_t end = clock_boot() + 20000;
	struct fail fail;

	while (*calls < wanted && clock_boot() < end)
		assert_true(loop_turn(loop, end, &fail) >= 0);
	assert_int_equal(*calls, wanted);
}

static void
get(struct seen *seen)
{
	struct http_request request = { .method = "GET" };

	start(seen, &request, "/");
	run(&seen->calls, seen->calls + 1);
}

static int
setup(void **state)
{
	struct fail fail;

	(void)state;
	if (loop_open(&loop, &fail) < 0 || http_open(loop, &http, &fail) < 0)
		return -1;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	http_close(http);
	http = NULL;
	loop_close(loop);
	return 0;
}

/* Closes both sides; http is opened anew for the teardown. */
static void
finish(struct server *server)
{
	struct fail fail;

	http_close(http);
	server_close(server);
	assert_int_equal(http_open(loop, &http, &fail), 0);
}

static void
serve_ok(struct server *server, int fd, int connection)
{
	(void)connection;
	while (server_read(server, fd))
		server_answer(fd, "200 OK", "x-a: one\r\nx-a: two\r\n",
		    "hello");
}

static void
test_reuse(void **state)
{
	struct server *server = server_open(serve_ok);
	struct seen seen = { .server = server, .want_header = "X-A" };
	int i;

	(void)state;
	for (i = 0; i < 5; i++) {
		get(&seen);
		assert_int_equal(seen.outcome, HTTP_ANSWERED);
		assert_int_equal(seen.status, 200);
		assert_string_equal(seen.body, "hello");
		assert_string_equal(seen.error, "");
		assert_string_equal(seen.header, "two");
	}
	assert_int_equal(atomic_load(&server->connections), 1);
	assert_non_null(strstr(server->request, "GET / HTTP/1.1\r\n"));
	finish(server);
}

static void
serve_gzip(struct server *server, int fd, int connection)
{
	static const char body[] =
	    "\037\213\010\000\000\000\000\000\002\003\253\126\052\056\115\116\116"
	    "\055\056\116\053\315\121\262\052\051\052\115\325\121\112\111\054\111"
	    "\124\262\252\126\312\123\262\062\254\255\005\000\075\034\153\150\042"
	    "\000\000\000";
	char head[200];

	(void)connection;
	snprintf(head, sizeof(head),
	    "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n"
	    "content-length: %zu\r\n\r\n",
	    sizeof(body) - 1);
	while (server_read(server, fd)) {
		server_say(fd, head);
		server_send(fd, body, sizeof(body) - 1);
	}
}

/* Also when it was not asked for. */
static void
test_gzip(void **state)
{
	const char *const headers[] = { "Accept-Encoding: identity", NULL };
	struct http_request request = { .method = "GET", .headers = headers };
	struct server *server = server_open(serve_gzip);
	struct seen seen = { .server = server };

	(void)state;
	start(&seen, &request, "/");
	run(&seen.calls, 1);
	assert_int_equal(seen.outcome, HTTP_ANSWERED);
	assert_string_equal(seen.body,
	    "{\"successful\":true,\"data\":{\"n\":1}}");
	assert_null(strstr(server->request, "gzip"));
	finish(server);
}

static void
test_post(void **state)
{
	static const char *const headers[] = { "x-api-key: secret",
		"content-type: application/json", NULL };
	struct server *server = server_open(serve_ok);
	struct seen seen = { .server = server };
	struct http_request request = { .method = "POST",
		.once = true,
		.headers = headers,
		.body_length = 3u << 20 };

	(void)state;
	request.body = mem_alloc(request.body_length);
	memset(request.body, 'x', request.body_length);
	start(&seen, &request, "/p");
	run(&seen.calls, 1);
	assert_int_equal(seen.outcome, HTTP_ANSWERED);
	assert_non_null(strstr(server->request, "POST /p HTTP/1.1\r\n"));
	assert_non_null(strstr(server->request, "x-api-key: secret\r\n"));
	assert_non_null(
	    strcasestr(server->request, "content-length: 3145728\r\n"));
	assert_null(strcasestr(server->request, "\r\nexpect:"));
	finish(server);
}

static void
test_refused_requests(void **state)
{
	static const struct {
		const char *url, *type;
	} cases[] = {
		{ "http://example.com/", "insecure_url" },
		{ "http://127.0.0.1.example.com/", "insecure_url" },
		{ "http://10.0.0.1/", "insecure_url" },
		{ "http://[::2]/", "insecure_url" },
		{ "http://notlocalhost/", "insecure_url" },
		{ "ftp://127.0.0.1/", "insecure_url" },
		{ "file:///etc/passwd", "invalid_url" },
		{ "https://user:word@example.com/", "invalid_url" },
		{ "nonsense", "invalid_url" },
		{ "", "invalid_url" },
	};
	static const char *const split[] = { "x-api-key: a\r\nb: c", NULL };
	struct http_request request = { .method = "GET", .done = on_done };
	struct http_call *call = NULL;
	struct fail fail;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		request.url = cases[i].url;
		request.body = mem_string("taken over");
		memset(&fail, 0, sizeof(fail));
		assert_int_equal(http_start(http, &request, &call, &fail), -1);
		if (strcmp(fail.type, cases[i].type) != 0)
			fail_msg("%s: %s", cases[i].url, fail.type);
		assert_int_equal(fail.kind, FAIL_NEVER);
		assert_null(strstr(fail.message, "word"));
	}
	request.url = "http://127.0.0.1/";
	request.body = NULL;
	request.headers = split;
	assert_int_equal(http_start(http, &request, &call, &fail), -1);
	assert_string_equal(fail.type, "invalid_header");
	assert_null(strstr(fail.message, "b: c"));
	assert_null(call);
}

static void
test_plain_host(void **state)
{
	static const struct {
		const char *plain, *url;
		bool fine;
	} cases[] = {
		{ "stand-in", "http://stand-in:8700/", true },
		{ "stand-in", "http://STAND-IN/", true },
		{ "stand-in", "https://stand-in/", true },
		{ "stand-in", "http://stand-in.example.com/", false },
		{ "stand-in", "http://a.stand-in/", false },
		{ "stand-in", "ftp://stand-in/", false },
		{ "10.0.0.1", "http://10.0.0.1/", true },
		{ "10.0.0.1", "http://10.0.0.2/", false },
		{ NULL, "http://stand-in/", false },
	};
	struct http_request request = { .method = "GET", .done = on_done };
	struct http_call *call;
	struct fail fail;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		http_plain(http, cases[i].plain);
		request.url = cases[i].url;
		call = NULL;
		if ((http_start(http, &request, &call, &fail) == 0) !=
		    cases[i].fine)
			fail_msg("%s, plain %s", cases[i].url,
			    cases[i].plain != NULL ? cases[i].plain : "none");
		http_cancel(call);
	}
	http_plain(http, NULL);
}

/* None of these may ask a proxy. */
static void
test_loopback_names(void **state)
{
	static const char *const hosts[] = { "127.0.0.1", "localhost",
		"a.LOCALHOST" };
	struct server *server = server_open(serve_ok);
	struct seen seen = { .server = server };
	char url[64];
	size_t i;

	(void)state;
	setenv("http_proxy", "http://127.0.0.1:1/", 1);
	memcpy(url, server->url, sizeof(url));
	for (i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		snprintf(server->url, sizeof(server->url), "http://%s:%d",
		    hosts[i], server->port);
		get(&seen);
		assert_string_equal(seen.error, "");
		assert_int_equal(seen.outcome, HTTP_ANSWERED);
	}
	unsetenv("http_proxy");
	finish(server);
}

static void
test_nobody_there(void **state)
{
	struct server *server = server_open(serve_ok);
	struct seen seen = { .server = server };

	(void)state;
	/* a port on which certainly nobody listens: our own, closed */
	shutdown(server->fd, SHUT_RDWR);
	pthread_join(server->acceptor, NULL);
	close(server->fd);
	get(&seen);
	assert_int_equal(seen.outcome, HTTP_NOT_SENT);
	assert_int_equal(seen.status, 0);
	assert_string_not_equal(seen.error, "");
	free(server);
}

static void
serve_tls_refused(struct server *server, int fd, int connection)
{
	char hello[512];

	(void)server;
	(void)connection;
	if (recv(fd, hello, sizeof(hello), 0) > 0)
		server_say(fd, "this is not TLS\r\n\r\n");
}

static void
test_tls_refused(void **state)
{
	struct server *server = server_open(serve_tls_refused);
	struct seen seen = { .server = server };

	(void)state;
	snprintf(server->url, sizeof(server->url), "https://127.0.0.1:%d",
	    server->port);
	get(&seen);
	assert_int_equal(seen.outcome, HTTP_NOT_SENT);
	finish(server);
}

/* What the server does after it read a request, and what we make of it. */
static const struct cut_case {
	const char *name, *say;
	bool reset;
	enum http_outcome outcome;
	int status;
} cut_cases[] = {
	{ "closes", "", false, HTTP_CUT, 0 },
	{ "resets", "", true, HTTP_CUT, 0 },
	{ "half a head", "HTTP/1.1 200 OK\r\nx-a:", false, HTTP_CUT, 200 },
	{ "half an interim answer", "HTTP/1.1 100 Continue\r\n\r\n", false,
	    HTTP_CUT, 100 },
	{ "an interim answer",
	    "HTTP/1.1 100 Continue\r\n\r\n"
	    "HTTP/1.1 201 Made\r\ncontent-length: 0\r\n\r\n",
	    false, HTTP_ANSWERED, 201 },
	{ "half a body", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc",
	    false, HTTP_CUT, 200 },
	{ "half a chunk",
	    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n"
	    "\r\n9\r\nabc",
	    false, HTTP_CUT, 200 },
	{ "reset in the body",
	    "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"
	    "abc",
	    true, HTTP_CUT, 200 },
	{ "garbage", "\x16\x03\x01 garbage\r\n\r\n", false, HTTP_CUT, 0 },
	{ "an error, cut", "HTTP/1.1 503 No\r\ncontent-length: 9\r\n\r\nab",
	    false, HTTP_CUT, 503 },
	{ "a redirect",
	    "HTTP/1.1 302 Found\r\nlocation: /x\r\n"
	    "content-length: 0\r\n\r\n",
	    false, HTTP_ANSWERED, 302 },
	{ "trailers",
	    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n"
	    "trailer: x-t\r\n\r\n1\r\na\r\n0\r\nx-t: 1\r\n\r\n",
	    false, HTTP_ANSWERED, 200 },
	{ "until the end", "HTTP/1.1 200 OK\r\n\r\nall", false, HTTP_ANSWERED,
	    200 },
	{ "no body", "HTTP/1.1 204 None\r\n\r\n", false, HTTP_ANSWERED, 204 },
};
static const struct cut_case *cut_case;

static void
serve_cut(struct server *server, int fd, int connection)
{
	(void)connection;
	if (!server_read(server, fd))
		return;
	server_say(fd, cut_case->say);
	if (cut_case->reset) {
		/* what was said has to arrive before the reset */
		if (cut_case->say[0] != '\0')
			usleep(20000);
		server_reset(fd);
	}
}

static void
test_cuts(void **state)
{
	struct server *server;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cut_cases) / sizeof(cut_cases[0]); i++) {
		struct seen seen = { 0 };
		struct http_request request = { .method = "POST",
			.body = mem_string("{}"),
			.body_length = 2 };

		cut_case = &cut_cases[i];
		server = server_open(serve_cut);
		seen.server = server;
		start(&seen, &request, "/");
		run(&seen.calls, 1);
		if (seen.outcome != cut_case->outcome ||
		    seen.status != cut_case->status ||
		    atomic_load(&server->requests) != 1)
			fail_msg("%s: outcome %d, status %d, %d requests, %s",
			    cut_case->name, seen.outcome, seen.status,
			    atomic_load(&server->requests), seen.error);
		finish(server);
	}
}

/* The second request on a kept connection is read and then the connection
 * dies without an answer: libcurl by itself would send it again. */
static void
serve_second_dies(struct server *server, int fd, int connection)
{
	int count = 0;

	(void)connection;
	while (server_read(server, fd)) {
		if (++count == 2) {
			server_reset(fd);
			return;
		}
		server_answer(fd, "200 OK", "", "fine");
	}
}

static void
serve_second_closes(struct server *server, int fd, int connection)
{
	int count = 0;

	(void)connection;
	while (server_read(server, fd) && ++count < 2)
		server_answer(fd, "200 OK", "", "fine");
}

static void
test_never_twice(void **state)
{
	static void (*const ways[])(struct server *, int,
	    int) = { serve_second_dies, serve_second_closes };
	static const char *const methods[] = { "POST", "GET" };
	struct server *server;
	size_t i, j;

	(void)state;
	for (i = 0; i < 4; i++) {
		struct seen seen = { 0 };

		server = server_open(ways[i % 2]);
		seen.server = server;
		for (j = 0; j < 2; j++) {
			struct http_request request = {
				.method = methods[i / 2]
			};

			if (i < 2) {
				request.body = mem_string("{}");
				request.body_length = 2;
			}
			start(&seen, &request, "/");
			run(&seen.calls, (int)j + 1);
		}
		assert_int_equal(seen.outcome, HTTP_CUT);
		assert_int_equal(atomic_load(&server->requests), 2);
		finish(server);
	}
}

static void
serve_hang(struct server *server, int fd, int connection)
{
	(void)connection;
	if (server_read(server, fd))
		(void)server_read(server, fd); /* until the client gives up */
}

static void
serve_slow(struct server *server, int fd, int connection)
{
	int i;

	(void)connection;
	if (!server_read(server, fd))
		return;
	server_say(fd, "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n");
	for (i = 0; i < 10; i++) {
		usleep(40000);
		server_say(fd, "x");
	}
	(void)server_read(server, fd);
}

static void
test_time_limits(void **state)
{
	struct http_request request = { .method = "GET", .idle_ms = 150 };
	struct server *server = server_open(serve_hang);
	struct seen hang = { .server = server }, slow = { 0 }, total = { 0 };
	int64_t begin = clock_boot();

	(void)state;
	start(&hang, &request, "/");
	run(&hang.calls, 1);
	assert_int_equal(hang.outcome, HTTP_CUT);
	assert_non_null(strstr(hang.error, "150 ms"));
	assert_in_range(clock_boot() - begin, 140, 5000);
	finish(server);

	server = server_open(serve_slow);
	slow.server = server;
	start(&slow, &request, "/");
	run(&slow.calls, 1);
	assert_int_equal(slow.outcome, HTTP_ANSWERED);
	assert_int_equal(slow.body_length, 10);
	finish(server);

	server = server_open(serve_slow);
	total.server = server;
	request.total_ms = 120;
	start(&total, &request, "/");
	run(&total.calls, 1);
	assert_int_equal(total.outcome, HTTP_CUT);
	finish(server);
}

static void
test_body_maximum(void **state)
{
	struct http_request request = { .method = "GET", .body_maximum = 4 };
	struct server *server = server_open(serve_ok);
	struct seen seen = { .server = server };

	(void)state;
	start(&seen, &request, "/");
	run(&seen.calls, 1);
	assert_int_equal(seen.outcome, HTTP_CUT);
	assert_string_equal(seen.error, "the answer is longer than 4 bytes");
	request.cut = true;
	start(&seen, &request, "/");
	run(&seen.calls, 2);
	assert_int_equal(seen.outcome, HTTP_ANSWERED);
	assert_string_equal(seen.body, "hell");
	assert_int_equal(seen.body_cut, 1);
	finish(server);
}

/* The time is asked for when the connection is up, a new one or an old one. */
static void
test_too_late(void **state)
{
	int64_t end = clock_boot() + 60000;
	struct http_request request = { .method = "POST",
		.once = true,
		.not_after = &end };
	struct server *server = server_open(serve_ok);
	struct seen seen = { .server = server };
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		start(&seen, &request, "/");
		end = clock_boot();
		run(&seen.calls, 2 * i + 1);
		assert_int_equal(seen.outcome, HTTP_NOT_SENT);
		assert_true(seen.late);
		assert_string_equal(seen.error, "it came too late to be sent");
		assert_int_equal(atomic_load(&server->requests), i);
		start(&seen, &request, "/");
		end = clock_boot() + 60000;
		run(&seen.calls, 2 * i + 2);
		assert_int_equal(seen.outcome, HTTP_ANSWERED);
		assert_false(seen.late);
		assert_int_equal(atomic_load(&server->requests), i + 1);
	}
	finish(server);
}

static void
serve_pieces(struct server *server, int fd, int connection)
{
	(void)connection;
	while (server_read(server, fd)) {
		if (strstr(server_own, "/other") != NULL) {
			server_answer(fd, "200 OK", "", "other");
			continue;
		}
		if (strstr(server_own, "/error") != NULL) {
			server_answer(fd, "500 No", "", "an error");
			continue;
		}
		server_say(fd,
		    "HTTP/1.1 200 OK\r\n"
		    "transfer-encoding: chunked\r\n\r\n");
		server_say(fd, "3\r\nabc\r\n");
		usleep(20000);
		server_say(fd, "3\r\ndef\r\n0\r\n\r\n");
	}
}

static void
test_pieces(void **state)
{
	struct http_request request = { .method = "GET", .piece = on_piece };
	struct server *server = server_open(serve_pieces);
	struct seen whole = { .server = server }, error = whole, cut = whole;

	(void)state;
	start(&whole, &request, "/");
	run(&whole.calls, 1);
	assert_int_equal(whole.outcome, HTTP_ANSWERED);
	assert_string_equal(whole.pieces, "abcdef");
	assert_string_equal(whole.body, "");

	start(&error, &request, "/error");
	run(&error.calls, 1);
	assert_int_equal(error.status, 500);
	assert_string_equal(error.pieces, "");
	assert_string_equal(error.body, "an error");

	cut.refuse_piece = 1;
	start(&cut, &request, "/");
	run(&cut.calls, 1);
	assert_int_equal(cut.outcome, HTTP_ABORTED);
	assert_string_equal(cut.pieces, "abc");
	finish(server);
}

static void
test_from_within(void **state)
{
	struct http_request request = { .method = "GET", .piece = on_piece };
	struct server *server = server_open(serve_pieces);
	struct seen other = { .server = server };
	struct seen seen = { .server = server,
		.start_in_piece = true,
		.cancel_in_piece = true,
		.other = &other };
	struct fail fail;

	(void)state;
	start(&seen, &request, "/");
	run(&other.calls, 1);
	assert_string_equal(other.body, "other");
	assert_int_equal(seen.calls, 0);
	assert_string_equal(seen.pieces, "abc");
	while (loop_turn(loop, clock_boot() + 50, &fail) > 0)
		;
	assert_int_equal(seen.calls, 0);
	finish(server);
}

static void
test_cancel(void **state)
{
	struct http_request request = { .method = "GET" };
	struct server *server = server_open(serve_hang);
	struct seen one = { .server = server }, two = one;
	struct fail fail;

	(void)state;
	start(&one, &request, "/");
	start(&two, &request, "/");
	http_cancel(one.call);
	while (atomic_load(&server->requests) < 1)
		assert_true(loop_turn(loop, clock_boot() + 5, &fail) >= 0);
	http_cancel(NULL);
	finish(server); /* with a request under way */
	assert_int_equal(one.calls, 0);
	assert_int_equal(two.calls, 0);
}

static int many_done;

static void
count_done(void *context, const struct http_answer *answer)
{
	struct seen *seen = context;

	many_done++;
	seen->outcome = answer->outcome;
}

static void
test_many(void **state)
{
	enum { MANY = 300 };
	static struct seen seen[MANY];
	struct server *server = server_open(serve_ok);
	struct fail fail;
	int i;

	(void)state;
	many_done = 0;
	for (i = 0; i < MANY; i++) {
		struct http_request request = { .method = "GET",
			.url = server->url,
			.done = count_done,
			.context = &seen[i] };

		assert_int_equal(http_start(http, &request, &seen[i].call,
				     &fail),
		    0);
	}
	run(&many_done, MANY);
	for (i = 0; i < MANY; i++)
		assert_int_equal(seen[i].outcome, HTTP_ANSWERED);
	finish(server);
}

static void
test_text(void **state)
{
	struct buf buf = BUF_INIT(4096);
	char page[1000];

	(void)state;
	http_escape(&buf, "aZ09-._~ /,%\xc3\xa9");
	assert_string_equal(buf.data, "aZ09-._~%20%2F%2C%25%C3%A9");
	buf_reset(&buf);
	http_excerpt(&buf, "<html><b>502</b>\n\n Bad \x01 Gate<br>way", 37);
	assert_string_equal(buf.data, "502 Bad Gate way");
	buf_reset(&buf);
	memset(page, 'x', sizeof(page));
	http_excerpt(&buf, page, sizeof(page));
	assert_int_equal(buf.length, 200);
	buf_release(&buf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_reuse),
		TEST(test_gzip),
		TEST(test_post),
		TEST(test_refused_requests),
		TEST(test_plain_host),
		TEST(test_loopback_names),
		TEST(test_nobody_there),
		TEST(test_tls_refused),
		TEST(test_cuts),
		TEST(test_never_twice),
		TEST(test_time_limits),
		TEST(test_body_maximum),
		TEST(test_too_late),
		TEST(test_pieces),
		TEST(test_from_within),
		TEST(test_cancel),
		TEST(test_many),
		TEST(test_text),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
