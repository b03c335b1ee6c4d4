/* SPDX-License-Identifier: ISC */
/*
 * grpc: against a server in the same loop that answers as a script says, well
 * or badly.
 *
 * The server speaks just enough HTTP/2: it reads frames without looking at
 * headers (what it needs is in the messages), and writes headers as literals.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/net/grpc.h"
#include "common/net/grpc_internal.h"

#define PREFACE 24
#define LIMIT_MS 20000

enum frame {
	DATA,
	HEADERS,
	PRIORITY,
	RST_STREAM,
	SETTINGS,
	PUSH,
	PING,
	GOAWAY
};

/* What is done to a call, in order; a letter each:
 *	H  headers of an answer       D  one good message
 *	T  trailers, status 0         E  a refusal, status 5, nothing else
 *	F  a refusal in trailers
 *	U  a refusal, status 14       V  a refusal, status 8
 *	Z  an end without trailers    C  a message marked as compressed
 *	2  two messages               S  a message shorter than it says
 *	L  a message said to be 1 GiB R  the stream is reset
 *	X  the connection is closed   G  the server says it will go away
 *	5  HTTP 503 with a page       4  HTTP 401 with a page
 *	P  HTTP 200 with a page       J  bytes that are no frame
 */
struct server {
	struct loop *loop;
	struct watch watch;
	struct peer *peers;
	const char *const *script; /* one string a call, the last one again */
	const char *hello;         /* for the calls without a message */
	char address[32];
	int calls, hellos, accepted;
};

struct peer {
	struct server *server;
	struct peer *next;
	struct watch watch;
	struct buf in;
	bool greeted, empty;
};

static void
send_frame(struct peer *peer, enum frame type, int flags, uint32_t stream,
    const void *bytes, size_t size)
{
	unsigned char head[9] = { (unsigned char)(size >> 16),
		(unsigned char)(size >> 8), (unsigned char)size,
		(unsigned char)type, (unsigned char)flags,
		(unsigned char)(stream >> 24), (unsigned char)(stream >> 16),
		(unsigned char)(stream >> 8), (unsigned char)stream };

	send(peer->watch.fd, head, sizeof(head), MSG_NOSIGNAL);
	if (size > 0)
		send(peer->watch.fd, bytes, size, MSG_NOSIGNAL);
}

static void
add_header(struct buf *buf, const char *name, const char *value)
{
	buf_print(buf, "%c%c%s%c%s", 1, (char)strlen(name), name,
	    (char)strlen(value), value);
	/* the first byte is 0, a literal that is not indexed */
	buf->data[buf->length - strlen(name) - strlen(value) - 3] = '\0';
}

static void
send_headers(struct peer *peer, uint32_t stream, bool end,
    const char *const *pairs)
{
	struct buf buf = BUF_INIT(4096);

	for (; *pairs != NULL; pairs += 2)
		add_header(&buf, pairs[0], pairs[1]);
	send_frame(peer, HEADERS, 4 | (end ? 1 : 0), stream, buf.data,
	    buf.length);
	buf_release(&buf);
}

static void
close_peer(struct peer *peer)
{
	loop_unwatch(peer->server->loop, &peer->watch);
	close(peer->watch.fd);
	peer->watch.fd = -1;
}

static void
send_page(struct peer *peer, uint32_t stream, const char *status)
{
	const char *const pairs[] = { ":status", status, "content-type",
		"text/html", NULL };

	send_headers(peer, stream, false, pairs);
	send_frame(peer, DATA, 1, stream, "<html>", 6);
}

static void
send_refusal(struct peer *peer, uint32_t stream, const char *status, bool alone)
{
	/* code 5, message "no" */
	const char *const pairs[] = { ":status", "200", "content-type",
		"application/grpc", "grpc-status", status, "grpc-message",
		"not %67ood%", "grpc-status-details-bin", "CAUSAm5v", NULL };

	send_headers(peer, stream, true, alone ? pairs : pairs + 4);
}

static void
answer(struct peer *peer, uint32_t stream, const char *script)
{
	static const char *const head[] = { ":status", "200", "content-type",
		"application/grpc", NULL };
	static const char *const tail[] = { "grpc-status", "0", "grpc-message",
		"", NULL };
	unsigned char away[8] = { 0, 0, 0, (unsigned char)stream };

	for (; *script != '\0' && peer->watch.fd >= 0; script++) {
		switch (*script) {
		case 'H':
			send_headers(peer, stream, false, head);
			break;
		case 'D':
			send_frame(peer, DATA, 0, stream, "\0\0\0\0\2ok", 7);
			break;
		case 'T':
			send_headers(peer, stream, true, tail);
			break;
		case 'E':
			send_refusal(peer, stream, "5", true);
			break;
		case 'F':
			send_refusal(peer, stream, "5", false);
			break;
		case 'U':
			send_refusal(peer, stream, "14", true);
			break;
		case 'V':
			send_refusal(peer, stream, "8", true);
			break;
		case 'Z':
			send_frame(peer, DATA, 1, stream, "", 0);
			break;
		case 'C':
			send_frame(peer, DATA, 0, stream, "\1\0\0\0\2ok", 7);
			break;
		case '2':
			send_frame(peer, DATA, 0, stream,
			    "\0\0\0\0\1a\0\0\0\0\1b", 12);
			break;
		case 'S':
			send_frame(peer, DATA, 0, stream, "\0\0\0\0\7ok", 7);
			break;
		case 'L':
			send_frame(peer, DATA, 0, stream, "\0\x40\0\0\0ok", 7);
			break;
		case 'R':
			send_frame(peer, RST_STREAM, 0, stream, "\0\0\0\2", 4);
			break;
		case 'G':
			send_frame(peer, GOAWAY, 0, 0, away, 8);
			break;
		case 'X':
			close_peer(peer);
			break;
		case '5':
			send_page(peer, stream, "503");
			break;
		case '4':
			send_page(peer, stream, "401");
			break;
		case 'P':
			send_page(peer, stream, "200");
			break;
		case 'J':
			send(peer->watch.fd, "HTTP/1.1 400 Bad Request\r\n\r\n",
			    28, MSG_NOSIGNAL);
			break;
		}
	}
}

static void
take_call(struct peer *peer, uint32_t stream)
{
	struct server *server = peer->server;
	const char *script = server->script[0];

	if (peer->empty) {
		server->hellos++;
		answer(peer, stream, server->hello);
		return;
	}
	if (server->script[1] != NULL)
		server->script++;
	server->calls++;
	answer(peer, stream, script);
}

/* Handles one whole frame; false when there is none. */
static bool
take_frame(struct peer *peer)
{
	const unsigned char *at = (const unsigned char *)peer->in.data;
	size_t size;
	uint32_t stream;
	int type, flags;

	if (peer->watch.fd < 0 || peer->in.length < 9)
		return false;
	size = (size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2];
	if (peer->in.length < size + 9)
		return false;
	type = at[3];
	flags = at[4];
	stream = (uint32_t)at[5] << 24 | (uint32_t)at[6] << 16 |
	    (uint32_t)at[7] << 8 | at[8];
	if (type == SETTINGS && !(flags & 1))
		send_frame(peer, SETTINGS, 1, 0, NULL, 0);
	if (type == DATA && size > 0)
		peer->empty = size == 5;
	buf_consume(&peer->in, size + 9);
	if (type == DATA && (flags & 1))
		take_call(peer, stream);
	return true;
}

static void
peer_ready(void *context, uint32_t events)
{
	struct peer *peer = context;
	char bytes[65536];
	ssize_t count = recv(peer->watch.fd, bytes, sizeof(bytes), 0);

	(void)events;
	if (count <= 0) {
		close_peer(peer);
		return;
	}
	buf_add(&peer->in, bytes, (size_t)count);
	if (!peer->greeted) {
		if (peer->in.length < PREFACE)
			return;
		peer->greeted = true;
		buf_consume(&peer->in, PREFACE);
		send_frame(peer, SETTINGS, 0, 0, NULL, 0);
	}
	while (take_frame(peer))
		;
}

static void
server_ready(void *context, uint32_t events)
{
	struct server *server = context;
	struct peer *peer = mem_alloc(sizeof(*peer));
	struct fail fail;

	(void)events;
	peer->server = server;
	peer->next = server->peers;
	server->peers = peer;
	server->accepted++;
	peer->in = BUF_INIT(64u << 20);
	peer->watch = (struct watch){ .events = EPOLLIN,
		.ready = peer_ready,
		.context = peer };
	peer->watch.fd = accept(server->watch.fd, NULL, NULL);
	assert_true(peer->watch.fd >= 0);
	assert_int_equal(loop_watch(server->loop, &peer->watch, &fail), 0);
}

static void
server_open(struct server *server, struct loop *loop, const char *const *script)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t length = sizeof(address);
	struct fail fail;

	*server = (struct server){ .loop = loop,
		.script = script,
		.hello = "HDT" };
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	server->watch = (struct watch){ .events = EPOLLIN,
		.ready = server_ready,
		.context = server };
	server->watch.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server->watch.fd,
			     (struct sockaddr *)(void *)&address,
			     sizeof(address)),
	    0);
	assert_int_equal(listen(server->watch.fd, 16), 0);
	getsockname(server->watch.fd, (struct sockaddr *)(void *)&address,
	    &length);
	snprintf(server->address, sizeof(server->address), "127.0.0.1:%d",
	    ntohs(address.sin_port));
	assert_int_equal(loop_watch(loop, &server->watch, &fail), 0);
}

static void
server_close(struct server *server)
{
	struct peer *peer;

	while ((peer = server->peers) != NULL) {
		server->peers = peer->next;
		if (peer->watch.fd >= 0)
			close_peer(peer);
		buf_release(&peer->in);
		free(peer);
	}
	loop_unwatch(server->loop, &server->watch);
	close(server->watch.fd);
}

/* ---- calls ---- */

struct result {
	int count;
	enum grpc_status status;
	char message[200];
	char body[64];
	size_t size, details_size;
	bool unsent;
};

static void
on_done(void *context, const struct grpc_reply *reply)
{
	struct result *result = context;

	result->count++;
	result->status = reply->status;
	snprintf(result->message, sizeof(result->message), "%s",
	    reply->message);
	result->size = reply->size;
	result->details_size = reply->details_size;
	if (reply->size > 0 && reply->size < sizeof(result->body))
		memcpy(result->body, reply->body, reply->size);
	result->unsent = reply->unsent;
}

static struct grpc_call *
start(struct grpc *grpc, struct result *result, int64_t timeout_ms,
    int64_t repeat_ms)
{
	struct grpc_request request = { .path = "/test.Test/Do",
		.size = 3,
		.timeout_ms = timeout_ms,
		.repeat_ms = repeat_ms,
		.done = on_done,
		.context = result };
	struct grpc_call *call = NULL;
	struct fail fail;
	uint8_t *message;

	request.frame = grpc_frame(3, &message);
	memcpy(message, "hey", 3);
	assert_int_equal(grpc_start(grpc, &request, &call, &fail), 0);
	assert_int_equal(result->count, 0);
	return call;
}

static void
turn_until(struct loop *loop, const int *count, int wanted)
{
	int64_t limit = clock_boot() + LIMIT_MS;
	struct fail fail;

	while (*count < wanted && clock_boot() < limit)
		assert_true(loop_turn(loop, limit, &fail) >= 0);
	assert_int_equal(*count, wanted);
}

static struct grpc *
open_grpc(struct loop *loop, const char *address, int64_t age_ms)
{
	struct grpc_options options = { .address = address,
		.hello = "/test.Test/Hello",
		.age_ms = age_ms,
		.reply_maximum = 1000 };
	struct grpc *grpc = NULL;
	struct fail fail;

	assert_int_equal(grpc_open(loop, &options, &grpc, &fail), 0);
	return grpc;
}

struct row {
	const char *name;
	const char *const script[4];
	const char *hello;
	int64_t repeat_ms;
	enum grpc_status status;
	const char *message;
	int calls, accepted;
	bool unsent;
};

static const struct row rows[] = {
	{ "a good answer", { "HDT" }, NULL, 0, GRPC_OK, "", 1, 1, false },
	{ "a refusal", { "E" }, NULL, 5000, GRPC_NOT_FOUND, "not good%", 1, 1,
	    false },
	{ "a refusal after the answer began", { "HF" }, NULL, 0, GRPC_NOT_FOUND,
	    "not good%", 1, 1, false },
	{ "no status", { "HDZ" }, NULL, 0, GRPC_UNAVAILABLE, "without a status",
	    1, 1, false },
	{ "no message", { "HT" }, NULL, 0, GRPC_INTERNAL, "no whole message", 1,
	    1, false },
	{ "compressed", { "HCT" }, NULL, 0, GRPC_INTERNAL, "compressed", 1, 1,
	    false },
	{ "two messages", { "H2T" }, NULL, 0, GRPC_INTERNAL, "exactly one", 1,
	    1, false },
	{ "cut short", { "HST" }, NULL, 0, GRPC_INTERNAL, "exactly one", 1, 1,
	    false },
	{ "too long a reply", { "HL" }, NULL, 5000, GRPC_RESOURCE_EXHAUSTED,
	    "longer", 1, 1, false },
	{ "a page 503", { "5" }, NULL, 0, GRPC_UNAVAILABLE, "503", 1, 1,
	    false },
	{ "a page 401", { "4" }, NULL, 0, GRPC_UNAUTHENTICATED, "401", 1, 1,
	    false },
	{ "a page 200", { "P" }, NULL, 0, GRPC_UNKNOWN, "not gRPC", 1, 1,
	    false },
	{ "closed before the answer", { "X" }, NULL, 0, GRPC_UNAVAILABLE, "", 1,
	    1, false },
	{ "closed in the answer", { "HDX" }, NULL, 0, GRPC_UNAVAILABLE, "", 1,
	    1, false },
	{ "bytes that are no frame", { "J" }, NULL, 0, GRPC_UNAVAILABLE, "", 1,
	    1, false },
	{ "the stream reset", { "R", "HDT" }, NULL, 5000, GRPC_OK, "", 2, 1,
	    false },
	{ "always reset", { "R" }, NULL, 5000, GRPC_UNIMPLEMENTED, "", 4, 1,
	    false },
	{ "unavailable, then good", { "U", "U", "HDT" }, NULL, 5000, GRPC_OK,
	    "", 3, 1, false },
	{ "unavailable, not to be repeated", { "U" }, NULL, 0, GRPC_UNAVAILABLE,
	    "", 1, 1, false },
	{ "unavailable too long", { "U" }, NULL, 250, GRPC_UNAVAILABLE, "", 2,
	    1, false },
	{ "exhausted waits longer", { "V" }, NULL, 250, GRPC_RESOURCE_EXHAUSTED,
	    "", 1, 1, false },
	{ "closed, then good", { "X", "HDT" }, NULL, 5000, GRPC_OK, "", 2, 2,
	    false },
	{ "not there, says the hello", { "HDT" }, "E", 0, GRPC_OK, "", 1, 1,
	    false },
	{ "no gRPC, says the hello", { "HDT" }, "5", 0, GRPC_UNAVAILABLE, "503",
	    0, 1, true },
	{ "closed at the hello", { "HDT" }, "X", 0, GRPC_UNAVAILABLE, "", 0, 1,
	    true },
	{ "HTTP/1.1", { "HDT" }, "J", 0, GRPC_UNAVAILABLE, "", 0, 1, true },
};

static void
test_answers(void **state)
{
	struct loop *loop = NULL;
	struct fail fail;
	size_t i;

	(void)state;
	assert_int_equal(loop_open(&loop, &fail), 0);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		struct result result = { 0 };
		struct server server;
		struct grpc *grpc;

		print_message("# %s\n", row->name);
		server_open(&server, loop, row->script);
		if (row->hello != NULL)
			server.hello = row->hello;
		grpc = open_grpc(loop, server.address, 0);
		start(grpc, &result, 3000, row->repeat_ms);
		turn_until(loop, &result.count, 1);
		print_message("# %s: %s\n", grpc_status_name(result.status),
		    result.message);
		assert_int_equal(result.status, row->status);
		assert_non_null(strstr(result.message, row->message));
		assert_int_equal(server.calls, row->calls);
		assert_int_equal(server.accepted, row->accepted);
		assert_int_equal(result.unsent, row->unsent);
		if (row->status == GRPC_OK)
			assert_memory_equal(result.body, "ok", 3);
		if (row->status == GRPC_NOT_FOUND)
			assert_int_equal(result.details_size, 6);
		grpc_close(grpc);
		server_close(&server);
	}
	loop_close(loop);
}

static void
test_refused(void **state)
{
	static const char *const script[] = { "HDT", NULL };
	struct loop *loop = NULL;
	struct result result = { 0 };
	struct server server;
	struct grpc *grpc;
	struct fail fail;

	(void)state;
	assert_int_equal(loop_open(&loop, &fail), 0);
	server_open(&server, loop, script);
	server_close(&server);
	grpc = open_grpc(loop, server.address, 0);
	start(grpc, &result, 3000, 300);
	turn_until(loop, &result.count, 1);
	assert_int_equal(result.status, GRPC_UNAVAILABLE);
	assert_true(result.unsent);
	assert_non_null(strstr(result.message, "onnect"));
	grpc_close(grpc);
	loop_close(loop);
}

/* A silent server: its deadline passes, then ours, and the next call gets
 * another connection. */
static void
test_deadline(void **state)
{
	static const char *const script[] = { "", "HDT", NULL };
	struct loop *loop = NULL;
	struct result result = { 0 };
	struct server server;
	struct grpc *grpc;
	struct fail fail;

	(void)state;
	assert_int_equal(loop_open(&loop, &fail), 0);
	server_open(&server, loop, script);
	grpc = open_grpc(loop, server.address, 0);
	start(grpc, &result, 100, 5000);
	turn_until(loop, &result.count, 1);
	assert_int_equal(result.status, GRPC_DEADLINE_EXCEEDED);
	assert_false(result.unsent);
	result = (struct result){ 0 };
	start(grpc, &result, 3000, 0);
	turn_until(loop, &result.count, 1);
	assert_int_equal(result.status, GRPC_OK);
	assert_int_equal(server.accepted, 2);
	grpc_close(grpc);
	server_close(&server);
	loop_close(loop);
}

/* Many at once share one connection, with more of them than libcurl's own
 * limit; a cancelled one makes no call. */
static void
test_many(void **state)
{
	static const char *const script[] = { "HDT", NULL };
	static struct result results[300];
	struct loop *loop = NULL;
	struct grpc_call *calls[300];
	struct server server;
	struct grpc *grpc;
	struct fail fail;
	size_t i;

	(void)state;
	memset(results, 0, sizeof(results));
	assert_int_equal(loop_open(&loop, &fail), 0);
	server_open(&server, loop, script);
	grpc = open_grpc(loop, server.address, 0);
	for (i = 0; i < 300; i++)
		calls[i] = start(grpc, &results[i], 10000, 0);
	grpc_cancel(calls[7]);
	for (i = 0; i < 300; i++)
		if (i != 7)
			turn_until(loop, &results[i].count, 1);
	for (i = 0; i < 300; i++)
		assert_int_equal(results[i].status, GRPC_OK);
	assert_int_equal(results[7].count, 0);
	assert_int_equal(server.accepted, 1);
	assert_int_equal(server.calls, 299);
	grpc_close(grpc);
	server_close(&server);
	loop_close(loop);
}

/* A connection that the server is leaving is not used again, and neither is
 * one that is old; a poll on it goes on. */
static void
test_rotation(void **state)
{
	static const char *const going[] = { "HDTG", "HDT", NULL };
	static const char *const old[] = { "", "HDT", NULL };
	struct result poll = { 0 }, result = { 0 };
	struct loop *loop = NULL;
	struct server server;
	struct grpc *grpc;
	struct fail fail;
	int64_t until;
	int i;

	(void)state;
	assert_int_equal(loop_open(&loop, &fail), 0);
	server_open(&server, loop, going);
	grpc = open_grpc(loop, server.address, 0);
	for (i = 0; i < 3; i++) {
		result = (struct result){ 0 };
		start(grpc, &result, 3000, 5000);
		turn_until(loop, &result.count, 1);
		assert_int_equal(result.status, GRPC_OK);
	}
	assert_int_equal(server.accepted, 2);
	grpc_close(grpc);
	server_close(&server);

	server_open(&server, loop, old);
	grpc = open_grpc(loop, server.address, 50);
	start(grpc, &poll, 10000, 0);
	for (i = 0; i < 3; i++) {
		result = (struct result){ 0 };
		start(grpc, &result, 3000, 0);
		turn_until(loop, &result.count, 1);
		assert_int_equal(result.status, GRPC_OK);
		until = clock_boot() + 60;
		while (clock_boot() < until)
			assert_true(loop_turn(loop, until, &fail) >= 0);
	}
	assert_int_equal(server.accepted, 3);
	/* the poll's connection is the first one that was made */
	assert_int_equal(poll.count, 0);
	answer(server.peers->next->next, 3, "HDT");
	turn_until(loop, &poll.count, 1);
	assert_int_equal(poll.status, GRPC_OK);
	grpc_close(grpc);
	server_close(&server);
	loop_close(loop);
}

/* A done may cancel and start other calls. */
struct chain {
	struct grpc *grpc;
	struct grpc_call *victim;
	struct result result, next;
};

static void
chain_done(void *context, const struct grpc_reply *reply)
{
	struct chain *chain = context;

	grpc_cancel(chain->victim);
	chain->victim = NULL;
	start(chain->grpc, &chain->next, 3000, 0);
	on_done(&chain->result, reply);
}

static void
test_callbacks(void **state)
{
	static const char *const scripts[][4] = { { "HDT", "", "HDT", NULL },
		{ "X", "HDT", NULL }, { "", NULL } };
	static const char *const hellos[] = { "HDT", "HDT", "X" };
	struct loop *loop = NULL;
	struct fail fail;
	size_t i;

	(void)state;
	assert_int_equal(loop_open(&loop, &fail), 0);
	for (i = 0; i < 3; i++) {
		struct chain chain = { 0 };
		struct result victim = { 0 };
		struct grpc_request request = { .path = "/test.Test/Do",
			.size = 1,
			.timeout_ms = 3000,
			.done = chain_done,
			.context = &chain };
		struct grpc_call *call = NULL;
		struct server server;
		uint8_t *message;

		server_open(&server, loop, scripts[i]);
		server.hello = hellos[i];
		chain.grpc = open_grpc(loop, server.address, 0);
		request.frame = grpc_frame(1, &message);
		assert_int_equal(grpc_start(chain.grpc, &request, &call, &fail),
		    0);
		chain.victim = start(chain.grpc, &victim, 9000, 9000);
		turn_until(loop, &chain.result.count, 1);
		turn_until(loop, &chain.next.count, 1);
		assert_int_equal(victim.count, 0);
		assert_int_equal(chain.next.status,
		    i < 2 ? GRPC_OK : GRPC_UNAVAILABLE);
		grpc_close(chain.grpc);
		server_close(&server);
	}
	loop_close(loop);
}

static void
test_refusals(void **state)
{
	static const struct {
		struct grpc_options options;
		const char *type;
	} wrong[] = {
		{ { .address = "example.org" }, "invalid_address" },
		{ { .address = "example.org:70a" }, "invalid_address" },
		{ { .address = ":7233" }, "invalid_address" },
		{ { .address = "::1:7233" }, "invalid_address" },
		{ { .address = "http://x:7233" }, "invalid_address" },
		{ { .address = "x:7233", .bearer = "key" }, "insecure_url" },
		{ { .address = "127.example.org:7233", .bearer = "key" },
		    "insecure_url" },
		{ { .address = "x:7233", .tls = true, .bearer = "a\nb" },
		    "invalid_header" },
	};
	const char *const split[] = { "a: b\r\nc: d", NULL };
	struct grpc_options options = { .address = "127.0.0.1:1",
		.metadata = split };
	struct grpc_request request = { .path = "/a/b", .size = 5 << 20 };
	struct loop *loop = NULL;
	struct grpc_call *call;
	struct grpc *grpc = NULL;
	uint8_t *message;
	struct fail fail;
	size_t i;

	(void)state;
	assert_int_equal(loop_open(&loop, &fail), 0);
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(grpc_open(loop, &wrong[i].options, &grpc,
				     &fail),
		    -1);
		assert_int_equal(fail.kind, FAIL_NEVER);
		assert_string_equal(fail.type, wrong[i].type);
	}
	assert_int_equal(grpc_open(loop, &options, &grpc, &fail), -1);
	assert_string_equal(fail.type, "invalid_header");
	grpc = open_grpc(loop, "127.0.0.1:1", 0);
	request.frame = grpc_frame(2000, &message);
	assert_int_equal(grpc_start(grpc, &request, &call, &fail), -1);
	assert_string_equal(fail.type, "too_large");
	grpc_close(grpc);
	grpc_close(NULL);
	grpc_cancel(NULL);
	loop_close(loop);
}

static void
test_delays(void **state)
{
	int64_t delay;
	unsigned i;

	(void)state;
	for (i = 0; i <= GRPC_UNAUTHENTICATED; i++) {
		delay = grpc_delay(i, 1);
		switch (i) {
		case GRPC_RESOURCE_EXHAUSTED:
			assert_in_range(delay, 800, 1200);
			break;
		case GRPC_UNKNOWN:
		case GRPC_ABORTED:
		case GRPC_OUT_OF_RANGE:
		case GRPC_INTERNAL:
		case GRPC_UNAVAILABLE:
		case GRPC_DATA_LOSS:
			assert_in_range(delay, 80, 120);
			break;
		default:
			assert_int_equal(delay, -1);
		}
	}
	assert_in_range(grpc_delay(GRPC_UNAVAILABLE, 3), 230, 348);
	assert_in_range(grpc_delay(GRPC_UNAVAILABLE, 4000000000), 4000, 6000);
}

static void
test_header_lines(void **state)
{
	static const struct {
		const char *line;
		int status;
		const char *message, *details;
	} lines[] = {
		{ "grpc-status: 7", 7, "", "" },
		{ "Grpc-Status:16", 16, "", "" },
		{ "grpc-status: 17", GRPC_UNKNOWN, "", "" },
		{ "grpc-status: ", GRPC_UNKNOWN, "", "" },
		{ "grpc-status: -1", GRPC_UNKNOWN, "", "" },
		{ "grpc-status: 99999999999999999999", GRPC_UNKNOWN, "", "" },
		{ "grpc-message: a%20b%zz%2", -1, "a b%zz%2", "" },
		{ "grpc-message:", -1, "", "" },
		{ "grpc-status-details-bin: aGk", -1, "", "hi" },
		{ "grpc-status-details-bin: aGk=,aGk", -1, "", "hi" },
		{ "grpc-statuses: 3", -1, "", "" },
		{ "", -1, "", "" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct grpc_trailer trailer = { .status = -1,
			.message = BUF_INIT(100),
			.details = BUF_INIT(100) };

		grpc_header(&trailer, lines[i].line, strlen(lines[i].line));
		assert_int_equal(trailer.status, lines[i].status);
		assert_string_equal(trailer.message.data != NULL
			? trailer.message.data
			: "",
		    lines[i].message);
		assert_string_equal(trailer.details.data != NULL
			? trailer.details.data
			: "",
		    lines[i].details);
		buf_release(&trailer.message);
		buf_release(&trailer.details);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header_lines),
		cmocka_unit_test(test_delays),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_rotation),
		cmocka_unit_test(test_callbacks),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
