/*
 * For LD_PRELOAD: what FAULT says happens at the Nth call of a function.
 *
 *	FAULT=fdatasync:3:kill    SIGKILL before the third fdatasync
 *	FAULT=pwrite:1:after      SIGKILL after the first pwrite
 *	FAULT=send:2:EIO          the second send fails with EIO (or ENOSPC, ...)
 *
 * pwrite counts writev too, fdatasync counts fsync and msync. When FAULT_FIRED
 * names a file, it is made at that moment.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static const struct {
	const char *name;
	int number;
} errors[] = {
	{ "EIO", EIO },
	{ "ENOSPC", ENOSPC },
	{ "ECONNRESET", ECONNRESET },
	{ "EDQUOT", EDQUOT },
};

static int count;

static void
fired(void)
{
	const char *path = getenv("FAULT_FIRED");
	int fd;

	if (!path)
		return;
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
}

static void
die(void)
{
	fired();
	(void)kill(getpid(), SIGKILL);
	for (;;)
		(void)pause();
}

/* Called before and after each call of the group. True: the call is to fail,
 * errno says with what. */
static bool
fault(const char *group, bool after)
{
	const char *text = getenv("FAULT"), *kind;
	size_t length = strlen(group), i;
	char *end;
	long at;

	if (!text || strncmp(text, group, length) != 0 || text[length] != ':')
		return false;
	at = strtol(text + length + 1, &end, 10);
	kind = *end == ':' ? end + 1 : "kill";
	if (!after)
		count++;
	if (count != at)
		return false;
	if (strcmp(kind, after ? "after" : "kill") == 0)
		die();
	for (i = 0; !after && i < sizeof(errors) / sizeof(*errors); i++)
		if (strcmp(kind, errors[i].name) == 0) {
			fired();
			errno = errors[i].number;
			return true;
		}
	return false;
}

int
fdatasync(int fd)
{
	int (*call)(int);
	int result;

	*(void **)(&call) = dlsym(RTLD_NEXT, "fdatasync");
	if (fault("fdatasync", false))
		return -1;
	result = call(fd);
	(void)fault("fdatasync", true);
	return result;
}

int
fsync(int fd)
{
	int (*call)(int);
	int result;

	*(void **)(&call) = dlsym(RTLD_NEXT, "fsync");
	if (fault("fdatasync", false))
		return -1;
	result = call(fd);
	(void)fault("fdatasync", true);
	return result;
}

int
msync(void *at, size_t length, int flags)
{
	int (*call)(void *, size_t, int);
	int result;

	*(void **)(&call) = dlsym(RTLD_NEXT, "msync");
	if (fault("fdatasync", false))
		return -1;
	result = call(at, length, flags);
	(void)fault("fdatasync", true);
	return result;
}

ssize_t
pwrite(int fd, const void *bytes, size_t length, off_t offset)
{
	ssize_t (*call)(int, const void *, size_t, off_t);
	ssize_t result;

	*(void **)(&call) = dlsym(RTLD_NEXT, "pwrite");
	if (fault("pwrite", false))
		return -1;
	result = call(fd, bytes, length, offset);
	(void)fault("pwrite", true);
	return result;
}

ssize_t
writev(int fd, const struct iovec *parts, int parts_count)
{
	ssize_t (*call)(int, const struct iovec *, int);
	ssize_t result;

	*(void **)(&call) = dlsym(RTLD_NEXT, "writev");
	if (fault("pwrite", false))
		return -1;
	result = call(fd, parts, parts_count);
	(void)fault("pwrite", true);
	return result;
}

ssize_t
send(int fd, const void *bytes, size_t length, int flags)
{
	ssize_t (*call)(int, const void *, size_t, int);
	ssize_t result;

	*(void **)(&call) = dlsym(RTLD_NEXT, "send");
	if (fault("send", false))
		return -1;
	result = call(fd, bytes, length, flags);
	(void)fault("send", true);
	return result;
}
