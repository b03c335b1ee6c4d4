/* SPDX-License-Identifier: ISC */
/*
 * A line has at most PIPE_BUF bytes, so that lines of several processes that
 * share a stderr never mix: a longer one is built again with every value cut
 * shorter.
 *
 * Writing must neither stop nor end the process. When a pipe is full, the line
 * is dropped (the next one that is written says how many were); a pipe without
 * a reader would raise SIGPIPE, which is blocked and then discarded.
 */
#include "common/json/log.h"

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/utf8.h"
#include "common/json/internal.h"
#include "common/json/json.h"

static bool verbose;
static unsigned long dropped;

/* Needs no escapes. */
static void
add_plain(struct buf *line, const char *text, size_t size)
{
	buf_add(line, "\"", 1);
	buf_add(line, text, size);
	buf_add(line, "\"", 1);
}

/* A terminal may read the log: what it would obey is made visible. */
static void
add_value(struct buf *line, const char *value, size_t size)
{
	struct buf quoted = BUF_INIT(1 << 20);

	if (json_plain(value, size) == size && !memchr(value, 0x7f, size)) {
		add_plain(line, value, size);
		return;
	}
	json_quote(&quoted, value, size);
	utf8_visible(line, quoted.data, quoted.length);
	buf_release(&quoted);
}

static void
add_member(struct buf *line, const char *name, const char *value, size_t most)
{
	size_t length = strlen(name), size = strlen(value);
	bool raw = length > 0 && name[length - 1] == '#';

	buf_add(line, ",", 1);
	add_plain(line, name, raw ? length - 1 : length);
	buf_add(line, ":", 1);
	if (raw) {
		buf_add(line, value, size);
		return;
	}
	add_value(line, value, utf8_cut(value, size, most));
}

static void
add_line(struct buf *line, const char *level, const char *event,
    va_list arguments, size_t most)
{
	const char *name, *value;
	char now[CLOCK_TEXT];

	clock_format(clock_wall(), now);
	buf_print(line, "{\"at\":\"%s\"", now);
	add_member(line, "level", level, most);
	add_member(line, "event", event, most);
	while ((name = va_arg(arguments, const char *)) != NULL) {
		value = va_arg(arguments, const char *);
		if (value)
			add_member(line, name, value, most);
	}
	if (dropped > 0)
		buf_print(line, ",\"dropped_lines\":%lu", dropped);
	buf_add(line, "}\n", 2);
}

static void
put_line(const struct buf *line)
{
	struct pollfd room = { .fd = STDERR_FILENO, .events = POLLOUT };
	const struct timespec at_once = { 0 };
	sigset_t pipe, pending, old;

	if (poll(&room, 1, 0) != 1 || !(room.revents & POLLOUT)) {
		dropped++;
		return;
	}
	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	sigpending(&pending);
	sigprocmask(SIG_BLOCK, &pipe, &old);
	if (write(STDERR_FILENO, line->data, line->length) < 0)
		dropped++;
	else
		dropped = 0;
	if (!sigismember(&pending, SIGPIPE))
		sigtimedwait(&pipe, NULL, &at_once);
	sigprocmask(SIG_SETMASK, &old, NULL);
}

void
log_line(const char *level, const char *event, ...)
{
	struct buf line = BUF_INIT(1 << 20);
	size_t most = PIPE_BUF;
	va_list arguments;

	if (!verbose && strcmp(level, "debug") == 0)
		return;
	do {
		buf_reset(&line);
		va_start(arguments, event);
		add_line(&line, level, event, arguments, most);
		va_end(arguments);
		most /= 4;
	} while (line.length > PIPE_BUF && most >= 16);
	if (line.overflow)
		dropped++;
	else
		put_line(&line);
	buf_release(&line);
}

void
log_verbose(bool on)
{
	verbose = on;
}
