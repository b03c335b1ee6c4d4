/* SPDX-License-Identifier: ISC */
/*
 * How it works: one thread and one epoll loop. libfcgi reads and writes the
 * records; it does so blocking, so it is called only when a request's bytes
 * are there, and with a piece of answer that the socket has room for. The web
 * server sends a request at once and takes what it is sent, so none of these
 * calls waits for a browser.
 *
 * Requests that wait hold a descriptor and a struct. One watch tells that the
 * store has changed; some milliseconds later, so that many commits are one
 * probe, all of their tasks are probed in few transactions, and those go on
 * whose task has another version. As a safety net this happens every second.
 *
 * Where there is nothing to watch, each probe is a question to a server: then
 * it is every second too, some at a time, for a fifth of the time at most, and
 * who was not probed is next.
 */
#include "common/api/fastcgi_server.h"

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
#define ASK_COUNT 8     /* the same, where there is nothing to watch */
#define ASK_MS (POLL_MS / 5)
#define PIECE 16384    /* of an answer; a socket that can be written has it */
#define READ_SECONDS 5 /* for the rest of a request that has begun */
#define STDIN_MAX (1u << 20)

struct request {
	struct responder *responder;
	struct request *next, *previous;
	struct watch watch;
	struct timer timer; /* while it waits */
	FCGX_Request fcgi;
	struct reading *reading; /* NULL: not read yet */
	size_t sent;             /* of reading->out */
	bool waiting;            /* is counted as that */
	bool changed;            /* go on, once everything is sent */
	uint64_t round;          /* in which it was probed last */
};

struct responder {
	struct readings *readings;
	struct loop *loop;
	struct watch door, change;
	struct timer probe;
	struct request *requests;
	int64_t open, most_open, waiting, most_waiting;
	bool shut; /* no more come in until one has ended */
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
watch_door(struct responder *responder)
{
	struct fail fail;

	if (!responder->closing &&
	    loop_watch(responder->loop, &responder->door, &fail) < 0)
		tell(&fail);
}

/* ---- a request's end ---- */

static void
request_free(struct request *request)
{
	struct responder *responder = request->responder;

	loop_unwatch(responder->loop, &request->watch);
	loop_cancel(responder->loop, &request->timer);
	if (request->previous)
		request->previous->next = request->next;
	else
		responder->requests = request->next;
	if (request->next)
		request->next->previous = request->previous;
	responder->waiting -= request->waiting;
	if (responder->open-- == responder->most_open && responder->shut) {
		responder->shut = false;
		watch_door(responder);
	}
	FCGX_Free(&request->fcgi, 0);
	close(request->watch.fd);
	reading_free(request->reading);
	free(request);
}

/* libfcgi would wait here until the web server has closed its end. */
static void
request_finish(struct request *request)
{
	if (request->reading->fail.kind)
		tell(&request->reading->fail);
	FCGX_FClose(request->fcgi.err);
	FCGX_FClose(request->fcgi.out);
	request_free(request);
}

/* ---- sending ---- */

/* WANTED: EPOLLOUT while there is something to send; the peer's end is always
 * told. False when the request is gone. */
static bool
watch_request(struct request *request, uint32_t wanted)
{
	struct fail fail;

	request->watch.events = wanted | EPOLLRDHUP;
	if (loop_watch(request->responder->loop, &request->watch, &fail) == 0)
		return true;
	tell(&fail);
	request_free(request);
	return false;
}

/* Sends one piece. False when the request is gone. */
static bool
send_piece(struct request *request)
{
	struct buf *out = &request->reading->out;
	size_t size = out->length - request->sent;

	if (size > PIECE)
		size = PIECE;
	if (size &&
	    (FCGX_PutStr(out->data + request->sent, (int)size,
		 request->fcgi.out) < 0 ||
		(request->reading->next != READING_DONE &&
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
waiting_of(const struct responder *responder, const char *user)
{
	const struct request *request;
	int64_t count = 0;

	for (request = responder->requests; request; request = request->next)
		count += request->waiting &&
		    strcmp(request->reading->user, user) == 0;
	return count;
}

/* Counts a request that does not end at once, or refuses it. */
static void
start_waiting(struct request *request)
{
	struct responder *responder = request->responder;
	int64_t most = responder->most_waiting;

	if (responder->closing || responder->waiting >= most ||
	    waiting_of(responder, request->reading->user) >= most / 4) {
		reading_refuse(request->reading);
		return;
	}
	request->waiting = true;
	responder->waiting++;
}

/* Does all that can be done now. */
static void
request_go_on(struct request *request)
{
	struct responder *responder = request->responder;
	struct reading *reading = request->reading;
	bool first = true;

	if (reading->next != READING_DONE && !request->waiting)
		start_waiting(request);
	/* the first piece always has room; more only when the socket says so */
	while (reading->out.length > request->sent ||
	    reading->next != READING_WAIT || request->changed) {
		if (reading->out.length > request->sent) {
			if (!first) {
				watch_request(request, EPOLLOUT);
				return;
			}
			if (!send_piece(request))
				return;
			first = false;
		} else if (reading->next == READING_DONE) {
			request_finish(request);
			return;
		} else {
			request->changed = false;
			reading_go_on(responder->readings, reading);
		}
	}
	if (watch_request(request, 0))
		loop_timer(responder->loop, &request->timer, reading->until);
}

static void
request_time(void *context)
{
	struct request *request = context;

	if (!request->reading) { /* connected, and said nothing */
		request_free(request);
		return;
	}
	request->changed = true;
	if (request->sent == request->reading->out.length)
		request_go_on(request);
}

/* ---- a new request ---- */

/* False when there is none: the peer sent something else, or nothing. */
static bool
request_read(struct request *request)
{
	char ignored[4096];
	int left = STDIN_MAX / sizeof(ignored);

	/* libfcgi takes a request that has a connection from there, and would
	 * close it first as that of a request before, were it not to be kept */
	FCGX_InitRequest(&request->fcgi, -1, FCGI_FAIL_ACCEPT_ON_INTR);
	request->fcgi.ipcFd = request->watch.fd;
	request->fcgi.keepConnection = 1;
	if (FCGX_Accept_r(&request->fcgi) < 0)
		return false;
	/* a body left unread would cut the answer off */
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
	if (!request->reading) {
		loop_unwatch(request->responder->loop, &request->watch);
		loop_cancel(request->responder->loop, &request->timer);
		if (!request_read(request)) {
			request_free(request);
			return;
		}
		request->reading = reading_new(request->responder->readings,
		    request->fcgi.envp);
	}
	request_go_on(request);
}

static void
request_new(struct responder *responder, int fd)
{
	const struct timeval limit = { .tv_sec = READ_SECONDS };
	struct request *request = mem_alloc(sizeof(*request));

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	*request = (struct request){ .responder = responder,
		.next = responder->requests };
	request->watch = (struct watch){ .fd = fd,
		.ready = request_ready,
		.context = request };
	request->timer = (struct timer){ .fire = request_time,
		.context = request };
	if (responder->requests)
		responder->requests->previous = request;
	responder->requests = request;
	responder->open++;
	if (watch_request(request, EPOLLIN))
		loop_timer(responder->loop, &request->timer,
		    clock_boot() + READ_SECONDS * 1000);
}

static void
door_ready(void *context, uint32_t events)
{
	struct responder *responder = context;
	int fd, left = 64;

	(void)events;
	while (left-- && responder->open < responder->most_open) {
		fd = accept4(responder->door.fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			return;
		request_new(responder, fd);
	}
	if (responder->open >= responder->most_open) {
		responder->shut = true;
		loop_unwatch(responder->loop, &responder->door);
	}
}

/* ---- changes ---- */

/* Up to MOST requests that wait and were not probed in this round. */
static size_t
gather(struct responder *responder, struct request **next, struct request **ret,
    struct engine_probe *probes, size_t most)
{
	struct request *request = *next;
	size_t count = 0;

	for (; request && count < most; request = request->next) {
		if (!request->waiting || request->round == responder->round ||
		    request->reading->next != READING_WAIT)
			continue;
		request->round = responder->round;
		ret[count] = request;
		probes[count++].id = request->reading->probe.id;
	}
	*next = request;
	return count;
}

/* Marks those that have changed. False when the time was over before all were
 * probed. */
static bool
probe_all(struct responder *responder)
{
	bool watched = responder->change.fd >= 0;
	struct engine_probe *probes = mem_alloc(PROBE_COUNT * sizeof(*probes));
	struct request *request = responder->requests;
	struct request *probed[PROBE_COUNT];
	int64_t until = clock_boot() + ASK_MS;
	struct fail fail;
	size_t count, i;

	while (request && (watched || clock_boot() < until)) {
		count = gather(responder, &request, probed, probes,
		    watched ? PROBE_COUNT : ASK_COUNT);
		if (count &&
		    engine_probe(responder->readings->engine, probes, count,
			&fail) < 0) {
			tell(&fail);
			break;
		}
		for (i = 0; i < count; i++)
			probed[i]->changed = probed[i]->changed ||
			    !probes[i].found ||
			    probes[i].version !=
				probed[i]->reading->probe.version;
	}
	free(probes);
	return request == NULL;
}

/* First all are marked, then they go on: that frees some. */
static void
wake_changed(struct responder *responder)
{
	struct request *request, *next;

	if (probe_all(responder))
		responder->round++;
	for (request = responder->requests; request; request = next) {
		next = request->next;
		if (request->changed &&
		    request->sent == request->reading->out.length)
			request_go_on(request);
	}
}

/* The engine is opened by the first request that needs it. */
static void
watch_engine(struct responder *responder)
{
	struct fail fail;

	if (!responder->readings->engine || responder->change.fd >= 0)
		return;
	if (engine_watch(responder->readings->engine, &responder->change.fd,
		&fail) < 0 ||
	    (responder->change.fd >= 0 &&
		loop_watch(responder->loop, &responder->change, &fail) < 0))
		tell(&fail);
}

static void
probe_now(void *context)
{
	struct responder *responder = context;

	responder->probe_soon = false;
	watch_engine(responder);
	wake_changed(responder);
	if (!responder->probe_soon)
		loop_timer(responder->loop, &responder->probe,
		    clock_boot() + POLL_MS);
}

static void
store_changed(void *context, uint32_t events)
{
	struct responder *responder = context;
	struct fail fail;

	(void)events;
	if (engine_wait(responder->readings->engine, 0, &fail) < 0)
		tell(&fail);
	if (responder->probe_soon)
		return;
	responder->probe_soon = true;
	loop_timer(responder->loop, &responder->probe,
	    clock_boot() + GATHER_MS);
}

/* ---- begin and end ---- */

static void
close_door(void *context, int number)
{
	struct responder *responder = context;
	struct request *request, *next;
	bool idle;

	(void)number;
	if (responder->closing)
		return;
	responder->closing = true;
	loop_unwatch(responder->loop, &responder->door);
	for (request = responder->requests; request; request = next) {
		next = request->next;
		if (!request->waiting || request->reading->next != READING_WAIT)
			continue;
		idle = request->sent == request->reading->out.length;
		reading_end(responder->readings, request->reading);
		if (idle)
			request_go_on(request);
	}
}

static int
begin(struct responder *responder, struct fail *fail)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGUSR1, 0 };
	struct rlimit files;
	int listening = 0;
	socklen_t size = sizeof(listening);

	if (getsockopt(STDIN_FILENO, SOL_SOCKET, SO_ACCEPTCONN, &listening,
		&size) < 0 ||
	    !listening)
		return fail_set(fail, FAIL_NEVER, "usage",
		    "standard input is no listening socket: let the web "
		    "server start it, or spawn-fcgi");
	if (callers_number("AGENT_GATEWAY_WAITING", WAITING_MAX, USUAL_WAITING,
		&responder->most_waiting, fail) < 0)
		return -1;
	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return fail_errno(fail,
		    "unable to see how many files may be "
		    "open");
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	responder->most_open = files.rlim_cur > WAITING_MAX
	    ? WAITING_MAX
	    : (int64_t)files.rlim_cur - OWN_FILES;
	fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
	FCGX_Init();
	responder->door = (struct watch){ .fd = STDIN_FILENO,
		.events = EPOLLIN,
		.ready = door_ready,
		.context = responder };
	responder->change = (struct watch){ .fd = -1,
		.events = EPOLLIN,
		.ready = store_changed,
		.context = responder };
	responder->probe = (struct timer){ .fire = probe_now,
		.context = responder };
	if (loop_open(&responder->loop, fail) < 0 ||
	    loop_signals(responder->loop, signals, close_door, responder,
		fail) < 0 ||
	    loop_watch(responder->loop, &responder->door, fail) < 0)
		return -1;
	loop_timer(responder->loop, &responder->probe, clock_boot() + POLL_MS);
	return 0;
}

int
responder_serve(struct readings *readings, struct fail *fail)
{
	struct responder responder = { .readings = readings, .round = 1 };
	int result = begin(&responder, fail);

	while (result == 0 && (!responder.closing || responder.requests))
		if (loop_turn(responder.loop, -1, fail) < 0)
			result = -1;
	while (responder.requests)
		request_free(responder.requests);
	loop_close(responder.loop);
	return result;
}
