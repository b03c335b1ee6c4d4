/* SPDX-License-Identifier: ISC */
/*
 * server: requests and answers through libmicrohttpd.
 *
 * The access handler of libmicrohttpd is called with the headers, then with
 * each piece of the body, then once at the end; and again, with nothing new,
 * when a suspended connection was resumed. A visit keeps where it is:
 *
 *	READING -> (delay) -> ARRIVED -> carried out -> (delay) -> ANSWERED
 *
 * A hang is a suspended connection whose socket the timer checks now and
 * then, because libmicrohttpd does not watch it: when the client has gone, the
 * connection is resumed and dropped.
 *
 * A reset is one that the client sees as ECONNRESET. A stream that is cut ends
 * in an orderly way instead, between two events: a reset could take back what
 * the client has not read yet.
 *
 * An event stream is a chunked body from a callback. It gives all it has when
 * there is no drip; with a drip it gives one event, suspends, and goes on when
 * the timer resumed it.
 */
#include "cmd/standin/server/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/json/json.h"

#define HANG_LOOK_MS 100
#define IDLE_SECONDS 600
#define BACKLOG 1024
#define CONNECTIONS 16384
#define REPLY_BYTES ((size_t)64 << 20)

struct server {
	struct server_options options;
	struct MHD_Daemon *daemon;
	struct timer *timer;
	uint16_t port;
	atomic_bool ending;
	atomic_ullong requests;
};

enum step { READING, ARRIVED, HANGING, DONE };

struct visit {
	struct server *server;
	struct MHD_Connection *connection;
	struct request request;
	struct arrival arrival;
	struct reply reply;
	enum step step;
	size_t event, sent; /* of a stream: the next event, bytes gone out */
	bool rested;        /* the drip's wait before this event is over */
};

void
reply_init(struct reply *reply)
{
	*reply = (struct reply){
		.status = 200,
		.type = "application/json",
		.body = BUF_INIT(REPLY_BYTES),
		.cut = -1,
	};
}

void
reply_release(struct reply *reply)
{
	size_t i;

	for (i = 0; i < reply->header_count; i++) {
		free(reply->names[i]);
		free(reply->values[i]);
	}
	reply->header_count = 0;
	free(reply->ends);
	reply->ends = NULL;
	buf_release(&reply->body);
}

void
reply_header(struct reply *reply, const char *name, const char *value)
{
	if (reply->header_count == REPLY_HEADERS)
		return;
	reply->names[reply->header_count] = mem_string(name);
	reply->values[reply->header_count++] = mem_string(value);
}

void
reply_json(struct reply *reply, cJSON *json)
{
	char *text = json_text(json);

	buf_add_string(&reply->body, text);
	free(text);
	cJSON_Delete(json);
}

void
reply_event_end(struct reply *reply)
{
	reply->ends = mem_grow(reply->ends, reply->end_count + 1,
	    sizeof(*reply->ends));
	reply->ends[reply->end_count++] = reply->body.length;
}

const char *
request_header(const struct request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND,
	    name);
}

const char *
request_query(const struct request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection,
	    MHD_GET_ARGUMENT_KIND, name);
}

static int
visit_socket(const struct visit *visit)
{
	const union MHD_ConnectionInfo *info;

	info = MHD_get_connection_info(visit->connection,
	    MHD_CONNECTION_INFO_CONNECTION_FD);
	return info == NULL ? -1 : info->connect_fd;
}

static bool
client_gone(const struct visit *visit)
{
	ssize_t got;
	char byte;

	got = recv(visit_socket(visit), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	return got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
}

/* A request that arrived is carried out although its client has gone meanwhile,
 * as a service does; libmicrohttpd would drop it. */
static void
resume(void *argument)
{
	struct visit *visit = argument;
	const struct server_options *options = &visit->server->options;

	if (visit->step == ARRIVED && !visit->server->ending &&
	    client_gone(visit)) {
		options->answer(options->context, &visit->request,
		    &visit->arrival, &visit->reply);
		visit->step = DONE;
	}
	MHD_resume_connection(visit->connection);
}

static void
rest(struct visit *visit, int64_t delay)
{
	MHD_suspend_connection(visit->connection);
	timer_add(visit->server->timer, delay, resume, visit);
}

/* Resumes a hanging connection when its client has gone. */
static void
look(void *argument)
{
	struct visit *visit = argument;

	if (visit->server->ending || client_gone(visit))
		MHD_resume_connection(visit->connection);
	else
		timer_add(visit->server->timer, HANG_LOOK_MS, look, visit);
}

/* Ends the connection with a reset. libmicrohttpd would shut the socket down
 * first, which is an orderly end; to connect it to nothing resets it. */
static enum MHD_Result
drop(struct visit *visit)
{
	struct sockaddr nothing = { .sa_family = AF_UNSPEC };

	(void)connect(visit_socket(visit), &nothing, sizeof(nothing));
	return MHD_NO;
}

/* The body of a stream, as libmicrohttpd asks for it. */
static ssize_t
stream_more(void *context, uint64_t at, char *space, size_t room)
{
	struct visit *visit = context;
	struct reply *reply = &visit->reply;
	size_t last = reply->end_count, end, size;

	(void)at;
	if (reply->cut >= 0 && (size_t)reply->cut < last)
		last = (size_t)reply->cut;
	if (visit->event >= last) {
		return last == reply->end_count
		    ? MHD_CONTENT_READER_END_OF_STREAM
		    : MHD_CONTENT_READER_END_WITH_ERROR;
	}
	if (reply->drip_ms > 0 && !visit->rested) {
		visit->rested = true;
		rest(visit, reply->drip_ms);
		return 0;
	}
	end = reply->ends[reply->drip_ms > 0 ? visit->event : last - 1];
	size = end - visit->sent;
	if (size > room)
		size = room;
	memcpy(space, reply->body.data + visit->sent, size);
	visit->sent += size;
	if (visit->sent == end) {
		visit->event = reply->drip_ms > 0 ? visit->event + 1 : last;
		visit->rested = false;
	}
	return (ssize_t)size;
}

static enum MHD_Result
send_reply(struct visit *visit)
{
	struct reply *reply = &visit->reply;
	struct MHD_Response *response;
	enum MHD_Result result;
	size_t i;

	if (reply->end_count > 0)
		response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN,
		    16384, stream_more, visit, NULL);
	else
		response = MHD_create_response_from_buffer(reply->body.length,
		    reply->body.data, MHD_RESPMEM_PERSISTENT);
	if (response == NULL)
		return MHD_NO;
	MHD_add_response_header(response, "content-type", reply->type);
	for (i = 0; i < reply->header_count; i++)
		MHD_add_response_header(response, reply->names[i],
		    reply->values[i]);
	result = MHD_queue_response(visit->connection, (unsigned)reply->status,
	    response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result
carry_out(struct visit *visit)
{
	const struct server_options *options = &visit->server->options;

	options->answer(options->context, &visit->request, &visit->arrival,
	    &visit->reply);
	visit->step = DONE;
	if (visit->reply.delay_ms > 0) {
		rest(visit, visit->reply.delay_ms);
		return MHD_YES;
	}
	return visit->reply.reset ? drop(visit) : send_reply(visit);
}

static enum MHD_Result
arrived(struct visit *visit)
{
	const struct server_options *options = &visit->server->options;

	options->arrive(options->context, &visit->request, &visit->arrival);
	if (visit->arrival.reset)
		return drop(visit);
	if (visit->arrival.hang) {
		visit->step = HANGING;
		MHD_suspend_connection(visit->connection);
		timer_add(visit->server->timer, HANG_LOOK_MS, look, visit);
		return MHD_YES;
	}
	visit->step = ARRIVED;
	if (visit->arrival.delay_ms > 0) {
		rest(visit, visit->arrival.delay_ms);
		return MHD_YES;
	}
	return carry_out(visit);
}

static struct visit *
visit_new(struct server *server, struct MHD_Connection *connection,
    const char *method, const char *path)
{
	struct visit *visit = mem_alloc(sizeof(*visit));
	unsigned long long number = ++server->requests;

	visit->server = server;
	visit->connection = connection;
	visit->request.method = method;
	visit->request.path = path;
	visit->request.connection = connection;
	visit->request.body = BUF_INIT(server->options.body_maximum);
	snprintf(visit->request.id, sizeof(visit->request.id),
	    "req_standin%012llu", number);
	reply_init(&visit->reply);
	return visit;
}

static enum MHD_Result
handle(void *context, struct MHD_Connection *connection, const char *path,
    const char *method, const char *version, const char *bytes, size_t *size,
    void **state)
{
	struct visit *visit = *state;

	(void)version;
	if (visit == NULL) {
		*state = visit_new(context, connection, method, path);
		return MHD_YES;
	}
	switch (visit->step) {
	case READING:
		if (*size == 0)
			return arrived(visit);
		buf_add(&visit->request.body, bytes, *size);
		visit->request.too_large = visit->request.body.overflow;
		*size = 0;
		return MHD_YES;
	case ARRIVED:
		if (visit->server->ending)
			return MHD_NO;
		return carry_out(visit);
	case HANGING:
		return MHD_NO;
	case DONE:
		break;
	}
	return visit->reply.reset ? drop(visit) : send_reply(visit);
}

static void
completed(void *context, struct MHD_Connection *connection, void **state,
    enum MHD_RequestTerminationCode why)
{
	struct visit *visit = *state;

	(void)context;
	(void)connection;
	(void)why;
	if (visit == NULL)
		return;
	buf_release(&visit->request.body);
	reply_release(&visit->reply);
	free(visit);
	*state = NULL;
}

/* libmicrohttpd's own messages would break the log's lines. */
static void
silence(void *context, const char *format, va_list arguments)
{
	(void)context;
	(void)format;
	(void)arguments;
}

static int
open_socket(const struct server_options *options, uint16_t *ret_port,
    int *ret_socket, struct fail *fail)
{
	struct addrinfo hints = {
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
		.ai_socktype = SOCK_STREAM,
	};
	struct addrinfo *info = NULL;
	struct sockaddr_storage bound;
	socklen_t length = sizeof(bound);
	char port[8];
	int descriptor = -1, on = 1, result = -1;

	snprintf(port, sizeof(port), "%u", (unsigned)options->port);
	if (getaddrinfo(options->address, port, &hints, &info) != 0) {
		fail_set(fail, FAIL_NEVER, "bad_address",
		    "--listen: %s is not a numeric address", options->address);
		goto out;
	}
	descriptor = socket(info->ai_family,
	    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (descriptor < 0) {
		fail_errno(fail, "cannot make a socket");
		goto out;
	}
	setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(descriptor, info->ai_addr, info->ai_addrlen) < 0 ||
	    listen(descriptor, BACKLOG) < 0 ||
	    getsockname(descriptor, (struct sockaddr *)&bound, &length) < 0) {
		fail_errno(fail, "cannot listen on %s port %s",
		    options->address, port);
		goto out;
	}
	if (bound.ss_family == AF_INET6)
		*ret_port = ntohs(((struct sockaddr_in6 *)&bound)->sin6_port);
	else
		*ret_port = ntohs(((struct sockaddr_in *)&bound)->sin_port);
	*ret_socket = descriptor;
	descriptor = -1;
	result = 0;
out:
	if (descriptor >= 0)
		close(descriptor);
	if (info != NULL)
		freeaddrinfo(info);
	return result;
}

/* Each client is one descriptor: use as many as the machine allows. */
static unsigned
raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 512;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur > CONNECTIONS + 64)
		return CONNECTIONS;
	return limit.rlim_cur > 128 ? (unsigned)limit.rlim_cur - 64 : 64;
}

int
server_start(const struct server_options *options, struct server **ret_server,
    struct fail *fail)
{
	struct server *server = mem_alloc(sizeof(*server));
	unsigned connections = raise_limits();
	int descriptor = -1;

	server->options = *options;
	if (open_socket(options, &server->port, &descriptor, fail) < 0 ||
	    timer_start(&server->timer, fail) < 0)
		goto failed;
	server->daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD |
		MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG,
	    0, NULL, NULL, handle, server, MHD_OPTION_EXTERNAL_LOGGER, silence,
	    NULL, MHD_OPTION_LISTEN_SOCKET, descriptor,
	    MHD_OPTION_NOTIFY_COMPLETED, completed, NULL,
	    MHD_OPTION_THREAD_POOL_SIZE,
	    options->threads > 1 ? options->threads : 0U,
	    MHD_OPTION_CONNECTION_LIMIT, connections,
	    MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS,
	    MHD_OPTION_END);
	if (server->daemon == NULL) {
		fail_errno(fail, "cannot start the HTTP server");
		goto failed;
	}
	*ret_server = server;
	return 0;
failed:
	if (descriptor >= 0)
		close(descriptor);
	if (server->timer != NULL)
		timer_drain(server->timer);
	timer_free(server->timer);
	free(server);
	return -1;
}

uint16_t
server_port(const struct server *server)
{
	return server->port;
}

void
server_stop(struct server *server)
{
	if (server == NULL)
		return;
	/* No connection may be suspended when the daemon stops: the timer
	 * resumes all of them, and resumes at once what rests from now on. */
	server->ending = true;
	timer_drain(server->timer);
	MHD_stop_daemon(server->daemon);
	timer_free(server->timer);
	free(server);
}
