/* SPDX-License-Identifier: ISC */
/*
 * Lets the process die, or one call fail, at a chosen call of a function:
 *
 *	FAULT_CALL=fdatasync FAULT_AT=3 FAULT_HOW=kill LD_PRELOAD=fault.so ...
 *
 * FAULT_CALL is fdatasync, fsync, pwrite, recv, send, unlink, write or writev.
 * write and writev leave out the standard streams, so that what a program says
 * of the fault can be read. FAULT_HOW is kill (SIGKILL before the call), after
 * (SIGKILL when it is done), enospc or eio (the call does nothing and fails;
 * FAULT_ONWARD=1: all later ones too). At the N-th call one byte is added to
 * the file FAULT_FILE, so that a test sees whether it came to that.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static const char *chosen, *how;
static long at, count;
static bool onward;

__attribute__((constructor)) static void
start(void)
{
	const char *number = getenv("FAULT_AT");

	chosen = getenv("FAULT_CALL");
	how = getenv("FAULT_HOW");
	onward = getenv("FAULT_ONWARD") != NULL;
	at = number == NULL ? 0 : strtol(number, NULL, 10);
	if (how == NULL || at < 1)
		chosen = NULL;
}

/* dlsym gives functions as pointers to data. */
static void
find(const char *name, void *ret_function)
{
	*(void **)ret_function = dlsym(RTLD_NEXT, name);
}

static void
leave_trace(void)
{
	static ssize_t (*next)(int, const void *, size_t);
	const char *path = getenv("FAULT_FILE");
	int fd;

	if (path == NULL)
		return;
	find("write", &next);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0 || next(fd, "x", 1) != 1)
		abort();
	close(fd);
}

static void
die(void)
{
	(void)raise(SIGKILL);
}

/* Whether this call is to fail, with errno set. */
static bool
fails(const char *name)
{
	if (chosen == NULL || strcmp(chosen, name) != 0)
		return false;
	count++;
	if (count == at)
		leave_trace();
	if (count != at && !(onward && count > at))
		return false;
	if (strcmp(how, "kill") == 0)
		die();
	if (strcmp(how, "after") == 0)
		return false;
	errno = strcmp(how, "enospc") == 0 ? ENOSPC : EIO;
	return true;
}

/* After the call. */
static void
end(const char *name)
{
	if (chosen != NULL && count == at && strcmp(chosen, name) == 0 &&
	    strcmp(how, "after") == 0)
		die();
}

int
fdatasync(int fd)
{
	static int (*next)(int);
	int result;

	if (fails("fdatasync"))
		return -1;
	find("fdatasync", &next);
	result = next(fd);
	end("fdatasync");
	return result;
}

int
fsync(int fd)
{
	static int (*next)(int);
	int result;

	if (fails("fsync"))
		return -1;
	find("fsync", &next);
	result = next(fd);
	end("fsync");
	return result;
}

ssize_t
pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
	static ssize_t (*next)(int, const void *, size_t, off_t);
	ssize_t result;

	if (fails("pwrite"))
		return -1;
	find("pwrite", &next);
	result = next(fd, bytes, size, offset);
	end("pwrite");
	return result;
}

ssize_t
recv(int fd, void *bytes, size_t size, int flags)
{
	static ssize_t (*next)(int, void *, size_t, int);
	ssize_t result;

	if (fails("recv"))
		return -1;
	find("recv", &next);
	result = next(fd, bytes, size, flags);
	end("recv");
	return result;
}

ssize_t
send(int fd, const void *bytes, size_t size, int flags)
{
	static ssize_t (*next)(int, const void *, size_t, int);
	ssize_t result;

	if (fails("send"))
		return -1;
	find("send", &next);
	result = next(fd, bytes, size, flags);
	end("send");
	return result;
}

int
unlink(const char *path)
{
	static int (*next)(const char *);
	int result;

	if (fails("unlink"))
		return -1;
	find("unlink", &next);
	result = next(path);
	end("unlink");
	return result;
}

ssize_t
write(int fd, const void *bytes, size_t size)
{
	static ssize_t (*next)(int, const void *, size_t);
	ssize_t result;

	if (fd > STDERR_FILENO && fails("write"))
		return -1;
	find("write", &next);
	result = next(fd, bytes, size);
	if (fd > STDERR_FILENO)
		end("write");
	return result;
}

ssize_t
writev(int fd, const struct iovec *parts, int parts_count)
{
	static ssize_t (*next)(int, const struct iovec *, int);
	ssize_t result;

	if (fd > STDERR_FILENO && fails("writev"))
		return -1;
	find("writev", &next);
	result = next(fd, parts, parts_count);
	if (fd > STDERR_FILENO)
		end("writev");
	return result;
}
