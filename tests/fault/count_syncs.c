/* SPDX-License-Identifier: ISC */
/*
 * Counts the calls that put data on the disk: fdatasync, fsync and msync add
 * one each to the first eight bytes of the file COUNT_FILE, which the reader
 * maps or reads at any time. LMDB calls one of them for each commit.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int
fdatasync(int fd);
int
fsync(int fd);
int
msync(void *address, size_t length, int flags);

static _Atomic uint64_t *count;

__attribute__((constructor)) static void
start(void)
{
	const char *path = getenv("COUNT_FILE");
	void *map;
	int fd;

	if (path == NULL)
		return;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, sizeof(*count)) < 0)
		_exit(111);
	map = mmap(NULL, sizeof(*count), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
	    0);
	if (map == MAP_FAILED)
		_exit(111);
	close(fd);
	count = map;
}

static void
add_one(void)
{
	if (count != NULL)
		atomic_fetch_add(count, 1);
}

/* dlsym gives functions as pointers to data. */
static void
find(const char *name, void *ret_function)
{
	*(void **)ret_function = dlsym(RTLD_NEXT, name);
}

int
fdatasync(int fd)
{
	static int (*next)(int);

	if (next == NULL)
		find("fdatasync", &next);
	add_one();
	return next(fd);
}

int
fsync(int fd)
{
	static int (*next)(int);

	if (next == NULL)
		find("fsync", &next);
	add_one();
	return next(fd);
}

int
msync(void *address, size_t length, int flags)
{
	static int (*next)(void *, size_t, int);

	if (next == NULL)
		find("msync", &next);
	add_one();
	return next(address, length, flags);
}
