/* SPDX-License-Identifier: ISC */
/*
 * How it works: during a wait this process sleeps. Each commit wakes it, but it
 * probes the store ten times a second at most, and reads its task only when a
 * probe shows that it has changed. The resident server does this better. The
 * processes that may wait are limited by locks, each on one byte of a file.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "common/api/read_api.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/json/log.h"

#define USUAL_WAITING 64
#define WAITING_MAX 100000
#define LOOK_MS 100
#define POLL_MS 1000

/* Locks a byte until the process ends; false when all are locked. */
static int
take_place(bool *ret_taken, struct fail *fail)
{
	const char *folder = getenv("AGENT_GATEWAY_FOLDER");
	struct flock lock = { .l_type = F_WRLCK, .l_len = 1 };
	int64_t most, i;
	char *path;
	int fd;

	*ret_taken = true;
	if (callers_number("AGENT_GATEWAY_WAITING", WAITING_MAX, USUAL_WAITING,
		&most, fail) < 0)
		return -1;
	if (!folder || !*folder)
		return 0;
	path = mem_print("%s/waiting", folder);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		fail_errno(fail, "unable to open %s", path);
	free(path);
	if (fd < 0)
		return -1;
	for (i = 0; i < most; i++) {
		lock.l_start = (getpid() + i) % most;
		if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
			return 0;
	}
	close(fd);
	*ret_taken = false;
	return 0;
}

static bool
reader_gone(void)
{
	struct pollfd poll_on = { .fd = STDOUT_FILENO };

	return poll(&poll_on, 1, 0) > 0 &&
	    poll_on.revents & (POLLERR | POLLHUP);
}

/* Waits until the task has changed, the time is over, or the client is gone. */
static int
await(struct read_api *api, const struct read_request *request, bool *ret_gone,
    struct fail *fail)
{
	const struct timespec rest = { .tv_nsec = LOOK_MS * 1000000 };
	struct engine_probe probe = { .id = request->probe.id };
	int64_t left;

	for (;;) {
		*ret_gone = reader_gone();
		left = request->until - clock_boot();
		if (*ret_gone || left <= 0)
			return 0;
		if (api->engine->ops->probe(api->engine, &probe, 1, fail) < 0)
			return -1;
		if (!probe.found || probe.version != request->probe.version)
			return 0;
		if (api->engine->ops->wait(api->engine,
			left < POLL_MS ? left : POLL_MS, fail) < 0)
			return -1;
		nanosleep(&rest, NULL);
	}
}

static int
send_out(struct read_request *request, struct fail *fail)
{
	int result = file_write(STDOUT_FILENO, request->out.data,
	    request->out.length, "the answer", fail);

	buf_reset(&request->out);
	return result;
}

static int
go_on(struct read_api *api, struct read_request *request, struct fail *fail)
{
	bool taken, gone;

	if (request->next == READ_WAIT) {
		if (take_place(&taken, fail) < 0)
			return -1;
		if (!taken)
			read_request_refuse(request);
	}
	while (request->next != READ_DONE) {
		if (send_out(request, fail) < 0)
			return errno == EPIPE ? 0 : -1;
		if (request->next == READ_WAIT) {
			if (await(api, request, &gone, fail) < 0)
				return -1;
			if (gone)
				return 0;
		}
		read_request_go_on(api, request);
	}
	return 0;
}

int
cgi_once(struct read_api *api, struct fail *fail)
{
	struct read_request *request = read_request_new(api, environ);
	int result = go_on(api, request, fail);

	if (request->fail.kind)
		log_line("error", "request", "type", request->fail.type,
		    "message", request->fail.message, NULL);
	if (result == 0)
		result = send_out(request, fail);
	if (result < 0 && errno == EPIPE)
		result = 0;
	read_request_free(request);
	return result;
}
