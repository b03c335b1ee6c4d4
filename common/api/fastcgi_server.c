/* SPDX-License-Identifier: ISC */
/*
 * How it works: there is one thread and one epoll loop. libfcgi reads and writes
 * the records; it blocks, so it is called only when a request's bytes are there,
 * and with a piece of answer that the socket has room for. The web server sends
 * a request at once and reads the answer at once, so none of these calls waits
 * for a browser.
 *
 * A waiting request is a descriptor and a struct. One watch reports that the
 * store has changed. Some milliseconds later, so that many commits need one
 * probe, the tasks of all waiting requests are probed in few transactions, and
 * the requests whose task has another version go on. As a safety net this
 * happens every second, too.
 *
 * If there is nothing to watch, each probe is a request to a server: then they
 * are made every second, some at a time, for at most a fifth of the time; tasks
 * that were not probed are next.
 */
#include "common/api/read_api.h"

#include <errno.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/loop.h"
#include "common/base/mem.h"
#include "common/json/log.h"

#define USUAL_WAITING 1024
#define WAITING_MAX 100000
#define OWN_FILES 64    /* descriptors that are not requests */
#define GATHER_MS 25    /* from a change until the probe */
#define POLL_MS 1000    /* between probes without a change */
#define PROBE_COUNT 256 /* tasks in one transaction */
#define ASK_COUNT 8     /* the same, if there is nothing to watch */
#define ASK_MS (POLL_MS / 5)
#define PIECE 16384    /* of an answer; a socket that can be written has it */
#define READ_SECONDS 5 /* for the rest of a request that has begun */
#define STDIN_MAX (1u << 20)

struct request {
	struct fastcgi_server *server;
	struct request *next, *previous;
	struct watch watch;
	struct timer timer; /* while it waits */
	FCGX_Request fcgi;
	struct read_request *read_request; /* NULL: not read yet */
	size_t sent;                       /* of read_request->out */
	bool waiting;                      /* is counted as that */
	bool changed;                      /* it goes on when all is sent */
	uint64_t round;                    /* in which it was probed last */
};

struct fastcgi_server {
	struct read_api *api;
	struct loop *loop;
	struct watch door, change;
	struct timer probe;
	struct request *requests;
	int64_t open, most_open, waiting, most_waiting;
	bool shut; /* accepts no request until one has ended */
	bool closing, probe_soon;
	uint64_t round; /* of probes of all that wait */
};

static void
tell(const struct fail *fail)
{
	log_line("error", "request", "type", fail->type, "message",
	    fail->message, NULL);
}

static void
watch_door(struct fastcgi_server *server)
{
	struct fail fail;

	if (!server->closing &&
	    loop_watch(server->loop, &server->door, &fail) < 0)
		tell(&fail);
}

/* ---- a request's end ---- */

static void
request_free(struct request *request)
{
	struct fastcgi_server *server = request->server;

	loop_unwatch(server->loop, &request->watch);
	loop_cancel(server->loop, &request->timer);
	if (request->previous)
		request->previous->next = request->next;
	else
		server->requests = request->next;
	if (request->next)
		request->next->previous = request->previous;
	server->waiting -= request->waiting;
	if (server->open-- == server->most_open && server->shut) {
		server->shut = false;
		watch_door(server);
	}
	FCGX_Free(&request->fcgi, 0);
	close(request->watch.fd);
	read_request_free(request->read_request);
	free(request);
}

/* libfcgi would wait here until the web server has closed its end. */
static void
request_finish(struct request *request)
{
	if (request->read_request->fail.kind)
		tell(&request->read_request->fail);
	FCGX_FClose(request->fcgi.err);
	FCGX_FClose(request->fcgi.out);
	request_free(request);
}

/* ---- sending ---- */

/* WANTED: EPOLLOUT while there is something to send; the peer's close is always
 * reported. False when the request is gone. */
static bool
watch_request(struct request *request, uint32_t wanted)
{
	struct fail fail;

	request->watch.events = wanted | EPOLLRDHUP;
	if (loop_watch(request->server->loop, &request->watch, &fail) == 0)
		return true;
	tell(&fail);
	request_free(request);
	return false;
}

/* Sends one piece. False when the request is gone. */
static bool
send_piece(struct request *request)
{
	struct buf *out = &request->read_request->out;
	size_t size = out->length - request->sent;

	if (size > PIECE)
		size = PIECE;
	if (size &&
	    (FCGX_PutStr(out->data + request->sent, (int)size,
		 request->fcgi.out) < 0 ||
		(request->read_request->next != READ_DONE &&
		    FCGX_FFlush(request->fcgi.out) < 0))) {
		request_free(request);
		return false;
	}
	request->sent += size;
	if (request->sent == out->length) {
		buf_reset(out);
		request->sent = 0;
	}
	return true;
}

static int64_t
waiting_of(const struct fastcgi_server *server, const char *user)
{
	const struct request *request;
	int64_t count = 0;

	for (request = server->requests; request; request = request->next)
		count += request->waiting &&
		    strcmp(request->read_request->user, user) == 0;
	return count;
}

/* Counts a request that does not end at once, or refuses it. */
static void
start_waiting(struct request *request)
{
	struct fastcgi_server *server = request->server;
	int64_t most = server->most_waiting;

	if (server->closing || server->waiting >= most ||
	    waiting_of(server, request->read_request->user) >= most / 4) {
		read_request_refuse(request->read_request);
		return;
	}
	request->waiting = true;
	server->waiting++;
}

/* Goes on with a request as far as possible now. */
static void
request_go_on(struct request *request)
{
	struct fastcgi_server *server = request->server;
	struct read_request *read_request = request->read_request;
	bool first = true;

	if (read_request->next != READ_DONE && !request->waiting)
		start_waiting(request);
	/* there is always room for the first piece; more must be polled for */
	while (read_request->out.length > request->sent ||
	    read_request->next != READ_WAIT || request->changed) {
		if (read_request->out.length > request->sent) {
			if (!first) {
				watch_request(request, EPOLLOUT);
				return;
			}
			if (!send_piece(request))
				return;
			first = false;
		} else if (read_request->next == READ_DONE) {
			request_finish(request);
			return;
		} else {
			request->changed = false;
			read_request_go_on(server->api, read_request);
		}
	}
	if (watch_request(request, 0))
		loop_timer(server->loop, &request->timer, read_request->until);
}

static void
request_time(void *context)
{
	struct request *request = context;

	if (!request->read_request) { /* connected, but sent nothing */
		request_free(request);
		return;
	}
	request->changed = true;
	if (request->sent == request->read_request->out.length)
		request_go_on(request);
}

/* ---- a new request ---- */

/* False when there is none: the peer sent something else, or nothing. */
static bool
request_read(struct request *request)
{
	char ignored[4096];
	int left = STDIN_MAX / sizeof(ignored);

	/* libfcgi reads a request from the connection that the struct has; it
	 * would first close that as an old one if it were not to be kept open */
	FCGX_InitRequest(&request->fcgi, -1, FCGI_FAIL_ACCEPT_ON_INTR);
	request->fcgi.ipcFd = request->watch.fd;
	request->fcgi.keepConnection = 1;
	if (FCGX_Accept_r(&request->fcgi) < 0)
		return false;
	/* an unread body would make the answer break off */
	while (left-- &&
	    FCGX_GetStr(ignored, sizeof(ignored), request->fcgi.in) ==
		sizeof(ignored))
		;
	return left > 0;
}

static void
request_ready(void *context, uint32_t events)
{
	struct request *request = context;

	if (events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) {
		request_free(request);
		return;
	}
	if (!request->read_request) {
		loop_unwatch(request->server->loop, &request->watch);
		loop_cancel(request->server->loop, &request->timer);
		if (!request_read(request)) {
			request_free(request);
			return;
		}
		request->read_request = read_request_new(request->server->api,
		    request->fcgi.envp);
	}
	request_go_on(request);
}

static void
request_new(struct fastcgi_server *server, int fd)
{
	const struct timeval limit = { .tv_sec = READ_SECONDS };
	struct request *request = mem_alloc(sizeof(*request));

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	*request = (struct request){ .server = server,
		.next = server->requests };
	request->watch = (struct watch){ .fd = fd,
		.ready = request_ready,
		.context = request };
	request->timer = (struct timer){ .fire = request_time,
		.context = request };
	if (server->requests)
		server->requests->previous = request;
	server->requests = request;
	server->open++;
	if (watch_request(request, EPOLLIN))
		loop_timer(server->loop, &request->timer,
		    clock_boot() + READ_SECONDS * 1000);
}

static void
door_ready(void *context, uint32_t events)
{
	struct fastcgi_server *server = context;
	int fd, left = 64;

	(void)events;
	while (left-- && server->open < server->most_open) {
		fd = accept4(server->door.fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			return;
		request_new(server, fd);
	}
	if (server->open >= server->most_open) {
		server->shut = true;
		loop_unwatch(server->loop, &server->door);
	}
}

/* ---- changes ---- */

/* Up to MOST waiting requests that were not probed in this round. */
static size_t
gather(struct fastcgi_server *server, struct request **next,
    struct request **ret, struct engine_probe *probes, size_t most)
{
	struct request *request = *next;
	size_t count = 0;

	for (; request && count < most; request = request->next) {
		if (!request->waiting || request->round == server->round ||
		    request->read_request->next != READ_WAIT)
			continue;
		request->round = server->round;
		ret[count] = request;
		probes[count++].id = request->read_request->probe.id;
	}
	*next = request;
	return count;
}

/* Marks those that have changed. False when the time was over before all were
 * probed. */
static bool
probe_all(struct fastcgi_server *server)
{
	bool watched = server->change.fd >= 0;
	struct engine_probe *probes = mem_alloc(PROBE_COUNT * sizeof(*probes));
	struct request *request = server->requests;
	struct request *probed[PROBE_COUNT];
	int64_t until = clock_boot() + ASK_MS;
	struct fail fail;
	size_t count, i;

	while (request && (watched || clock_boot() < until)) {
		count = gather(server, &request, probed, probes,
		    watched ? PROBE_COUNT : ASK_COUNT);
		if (count &&
		    server->api->engine->ops->probe(server->api->engine, probes,
			count, &fail) < 0) {
			tell(&fail);
			break;
		}
		for (i = 0; i < count; i++)
			probed[i]->changed = probed[i]->changed ||
			    !probes[i].found ||
			    probes[i].version !=
				probed[i]->read_request->probe.version;
	}
	free(probes);
	return request == NULL;
}

/* Marks all of them before they go on, because going on frees some. */
static void
wake_changed(struct fastcgi_server *server)
{
	struct request *request, *next;

	if (probe_all(server))
		server->round++;
	for (request = server->requests; request; request = next) {
		next = request->next;
		if (request->changed &&
		    request->sent == request->read_request->out.length)
			request_go_on(request);
	}
}

/* The engine is opened by the first request that needs it. */
static void
watch_engine(struct fastcgi_server *server)
{
	struct engine *engine = server->api->engine;
	struct fail fail;

	if (!engine || !engine->ops->watch || server->change.fd >= 0)
		return;
	if (engine->ops->watch(engine, &server->change.fd, &fail) < 0 ||
	    (server->change.fd >= 0 &&
		loop_watch(server->loop, &server->change, &fail) < 0))
		tell(&fail);
}

static void
probe_now(void *context)
{
	struct fastcgi_server *server = context;

	server->probe_soon = false;
	watch_engine(server);
	wake_changed(server);
	if (!server->probe_soon)
		loop_timer(server->loop, &server->probe,
		    clock_boot() + POLL_MS);
}

static void
store_changed(void *context, uint32_t events)
{
	struct fastcgi_server *server = context;
	struct fail fail;

	(void)events;
	if (server->api->engine->ops->wait(server->api->engine, 0, &fail) < 0)
		tell(&fail);
	if (server->probe_soon)
		return;
	server->probe_soon = true;
	loop_timer(server->loop, &server->probe, clock_boot() + GATHER_MS);
}

/* ---- begin and end ---- */

static void
close_door(void *context, int number)
{
	struct fastcgi_server *server = context;
	struct request *request, *next;
	bool idle;

	(void)number;
	if (server->closing)
		return;
	server->closing = true;
	loop_unwatch(server->loop, &server->door);
	for (request = server->requests; request; request = next) {
		next = request->next;
		if (!request->waiting ||
		    request->read_request->next != READ_WAIT)
			continue;
		idle = request->sent == request->read_request->out.length;
		read_request_end(server->api, request->read_request);
		if (idle)
			request_go_on(request);
	}
}

static int
begin(struct fastcgi_server *server, struct fail *fail)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGUSR1, 0 };
	struct rlimit files;
	int listening = 0;
	socklen_t size = sizeof(listening);

	if (getsockopt(STDIN_FILENO, SOL_SOCKET, SO_ACCEPTCONN, &listening,
		&size) < 0 ||
	    !listening)
		return fail_set(fail, FAIL_NEVER, "usage",
		    "standard input is not a listening socket: let the web "
		    "server start it, or spawn-fcgi");
	if (callers_number("AGENT_GATEWAY_WAITING", WAITING_MAX, USUAL_WAITING,
		&server->most_waiting, fail) < 0)
		return -1;
	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return fail_errno(fail,
		    "unable to see how many files may be "
		    "open");
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	server->most_open = files.rlim_cur > WAITING_MAX
	    ? WAITING_MAX
	    : (int64_t)files.rlim_cur - OWN_FILES;
	fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
	FCGX_Init();
	server->door = (struct watch){ .fd = STDIN_FILENO,
		.events = EPOLLIN,
		.ready = door_ready,
		.context = server };
	server->change = (struct watch){ .fd = -1,
		.events = EPOLLIN,
		.ready = store_changed,
		.context = server };
	server->probe = (struct timer){ .fire = probe_now, .context = server };
	if (loop_open(&server->loop, fail) < 0 ||
	    loop_signals(server->loop, signals, close_door, server, fail) < 0 ||
	    loop_watch(server->loop, &server->door, fail) < 0)
		return -1;
	loop_timer(server->loop, &server->probe, clock_boot() + POLL_MS);
	return 0;
}

int
fastcgi_serve(struct read_api *api, struct fail *fail)
{
	struct fastcgi_server server = { .api = api, .round = 1 };
	int result = begin(&server, fail);

	while (result == 0 && (!server.closing || server.requests))
		if (loop_turn(server.loop, -1, fail) < 0)
			result = -1;
	while (server.requests)
		request_free(server.requests);
	loop_close(server.loop);
	return result;
}
