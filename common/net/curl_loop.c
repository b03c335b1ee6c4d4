/* SPDX-License-Identifier: ISC */
/*
 * How it works: libcurl says which sockets and which time it waits for, and
 * both live in the loop.
 */
#include "common/net/curl_loop.h"

#include <stdlib.h>
#include <sys/epoll.h>

#include "common/base/clock.h"
#include "common/base/mem.h"

#define CONNECT_MS 5000L

struct curl_loop {
	struct loop *loop;
	CURLM *multi;
	struct timer timer;
	struct curl_loop_owner owner;
	bool inside; /* libcurl is on the stack */
};

struct curl_socket {
	struct watch watch;
	struct curl_loop *curl;
};

int
curl_loop_share(CURLSH **ret_share, struct fail *fail)
{
	CURLSH *share = NULL;

	if (curl_global_init(CURL_GLOBAL_NOTHING) == CURLE_OK) {
		share = curl_share_init();
		if (share == NULL)
			curl_global_cleanup();
	}
	if (share == NULL)
		return fail_set(fail, FAIL_NOT_NOW, "system",
		    "cannot initialise libcurl");
	curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
	*ret_share = share;
	return 0;
}

void
curl_loop_unshare(CURLSH *share)
{
	curl_share_cleanup(share);
	curl_global_cleanup();
}

void
curl_loop_setup(CURL *easy, CURLSH *share, void *call, char *error)
{
	curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error);
	curl_easy_setopt(easy, CURLOPT_SHARE, share);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "agent-utils/" AGENT_VERSION);
	curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, 30L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, 15L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, call);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
}

static void
curl_action(struct curl_loop *curl, curl_socket_t fd, int events)
{
	CURLMsg *message;
	CURLcode code;
	void *call;
	int count;

	curl->inside = true;
	curl_multi_socket_action(curl->multi, fd, events, &count);
	curl->inside = false;
	if (curl->owner.returned != NULL)
		curl->owner.returned(curl->owner.context);
	while ((message = curl_multi_info_read(curl->multi, &count)) != NULL) {
		if (message->msg != CURLMSG_DONE)
			continue;
		/* the message does not outlive the transfer */
		code = message->data.result;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE,
		    &call);
		curl->owner.ended(curl->owner.context, call, code);
	}
	if (curl->owner.settled != NULL)
		curl->owner.settled(curl->owner.context);
}

static void
socket_ready(void *context, uint32_t events)
{
	struct curl_socket *socket = context;
	int action = 0;

	if (events & EPOLLIN)
		action |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		action |= CURL_CSELECT_OUT;
	if (events & (EPOLLERR | EPOLLHUP))
		action |= CURL_CSELECT_ERR;
	curl_action(socket->curl, socket->watch.fd, action);
}

static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *mine)
{
	struct curl_loop *curl = context;
	struct curl_socket *socket = mine;
	struct fail fail;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (socket != NULL) {
			loop_unwatch(curl->loop, &socket->watch);
			curl_multi_assign(curl->multi, fd, NULL);
			free(socket);
		}
		return 0;
	}
	if (socket == NULL) {
		socket = mem_alloc(sizeof(*socket));
		socket->curl = curl;
		socket->watch.fd = fd;
		socket->watch.ready = socket_ready;
		socket->watch.context = socket;
		curl_multi_assign(curl->multi, fd, socket);
	}
	socket->watch.events = (what & CURL_POLL_IN ? EPOLLIN : 0) |
	    (what & CURL_POLL_OUT ? EPOLLOUT : 0);
	/* a failed watch leaves the calls to their time limits */
	loop_watch(curl->loop, &socket->watch, &fail);
	return 0;
}

static void
timer_fire(void *context)
{
	curl_action(context, CURL_SOCKET_TIMEOUT, 0);
}

static int
on_timer(CURLM *multi, long milliseconds, void *context)
{
	struct curl_loop *curl = context;

	(void)multi;
	if (milliseconds < 0)
		loop_cancel(curl->loop, &curl->timer);
	else
		loop_timer(curl->loop, &curl->timer,
		    clock_boot() + milliseconds);
	return 0;
}

int
curl_loop_open(struct loop *loop, const struct curl_loop_owner *owner,
    struct curl_loop **ret_curl, struct fail *fail)
{
	CURLM *multi = curl_multi_init();
	struct curl_loop *curl;

	if (multi == NULL)
		return fail_set(fail, FAIL_NOT_NOW, "system",
		    "cannot initialise libcurl");
	curl = mem_alloc(sizeof(*curl));
	curl->loop = loop;
	curl->multi = multi;
	curl->owner = *owner;
	curl->timer.fire = timer_fire;
	curl->timer.context = curl;
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, curl);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(multi, CURLMOPT_TIMERDATA, curl);
	if (owner->connections > 0)
		curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS,
		    owner->connections);
	if (owner->streams > 0)
		curl_multi_setopt(multi, CURLMOPT_MAX_CONCURRENT_STREAMS,
		    owner->streams);
	*ret_curl = curl;
	return 0;
}

void
curl_loop_close(struct curl_loop *curl)
{
	if (curl == NULL)
		return;
	curl_multi_cleanup(curl->multi);
	loop_cancel(curl->loop, &curl->timer);
	free(curl);
}

bool
curl_loop_inside(const struct curl_loop *curl)
{
	return curl->inside;
}

bool
curl_loop_add(struct curl_loop *curl, CURL *easy)
{
	return curl_multi_add_handle(curl->multi, easy) == CURLM_OK;
}

void
curl_loop_remove(struct curl_loop *curl, CURL *easy)
{
	curl_multi_remove_handle(curl->multi, easy);
}
