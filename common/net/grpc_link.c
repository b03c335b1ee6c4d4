/* SPDX-License-Identifier: ISC */
/*
 * How it works: libcurl says which sockets and which time it waits for, and
 * both live in the loop.
 */
#include "common/net/grpc_link.h"

#include <stdlib.h>
#include <sys/epoll.h>

#include "common/base/clock.h"
#include "common/base/mem.h"

/* Calls on one connection; libcurl's own limit is too low for long polls. */
#define STREAMS_MAX 10000L

struct grpc_link {
	struct loop *loop;
	CURLM *multi;
	struct timer timer;
	struct grpc_link_owner owner;
};

struct link_socket {
	struct watch watch;
	struct grpc_link *link;
};

static void
link_action(struct grpc_link *link, curl_socket_t fd, int events)
{
	CURLMsg *message;
	CURL *easy;
	CURLcode code;
	int count;

	curl_multi_socket_action(link->multi, fd, events, &count);
	while ((message = curl_multi_info_read(link->multi, &count)) != NULL) {
		if (message->msg != CURLMSG_DONE)
			continue;
		easy = message->easy_handle;
		code = message->data.result;
		link->owner.ended(link->owner.context, easy, code);
	}
	link->owner.settled(link->owner.context);
}

static void
socket_ready(void *context, uint32_t events)
{
	struct link_socket *socket = context;
	int action = 0;

	if (events & EPOLLIN)
		action |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		action |= CURL_CSELECT_OUT;
	if (events & (EPOLLERR | EPOLLHUP))
		action |= CURL_CSELECT_ERR;
	link_action(socket->link, socket->watch.fd, action);
}

static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *mine)
{
	struct grpc_link *link = context;
	struct link_socket *socket = mine;
	struct fail fail;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (socket != NULL) {
			loop_unwatch(link->loop, &socket->watch);
			curl_multi_assign(link->multi, fd, NULL);
			free(socket);
		}
		return 0;
	}
	if (socket == NULL) {
		socket = mem_alloc(sizeof(*socket));
		socket->link = link;
		socket->watch.fd = fd;
		socket->watch.ready = socket_ready;
		socket->watch.context = socket;
		curl_multi_assign(link->multi, fd, socket);
	}
	socket->watch.events = (what & CURL_POLL_IN ? EPOLLIN : 0) |
	    (what & CURL_POLL_OUT ? EPOLLOUT : 0);
	/* a failed watch leaves the calls to their time limits */
	loop_watch(link->loop, &socket->watch, &fail);
	return 0;
}

static void
timer_fire(void *context)
{
	link_action(context, CURL_SOCKET_TIMEOUT, 0);
}

static int
on_timer(CURLM *multi, long milliseconds, void *context)
{
	struct grpc_link *link = context;

	(void)multi;
	if (milliseconds < 0)
		loop_cancel(link->loop, &link->timer);
	else
		loop_timer(link->loop, &link->timer,
		    clock_boot() + milliseconds);
	return 0;
}

int
link_open(struct loop *loop, const struct grpc_link_owner *owner,
    struct grpc_link **ret_link, struct fail *fail)
{
	CURLM *multi = curl_multi_init();
	struct grpc_link *link;

	if (multi == NULL)
		return fail_set(fail, FAIL_NOT_NOW, "system",
		    "cannot initialise libcurl");
	link = mem_alloc(sizeof(*link));
	link->loop = loop;
	link->multi = multi;
	link->owner = *owner;
	link->timer.fire = timer_fire;
	link->timer.context = link;
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, link);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(multi, CURLMOPT_TIMERDATA, link);
	curl_multi_setopt(multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
	curl_multi_setopt(multi, CURLMOPT_MAX_CONCURRENT_STREAMS, STREAMS_MAX);
	*ret_link = link;
	return 0;
}

void
link_close(struct grpc_link *link)
{
	if (link == NULL)
		return;
	curl_multi_cleanup(link->multi);
	loop_cancel(link->loop, &link->timer);
	free(link);
}

bool
link_add(struct grpc_link *link, CURL *easy)
{
	return curl_multi_add_handle(link->multi, easy) == CURLM_OK;
}

void
link_remove(struct grpc_link *link, CURL *easy)
{
	curl_multi_remove_handle(link->multi, easy);
}
