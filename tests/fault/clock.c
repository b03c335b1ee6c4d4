/* SPDX-License-Identifier: ISC */
/* Sets the wall clock wrong by CLOCK_OFFSET seconds, or by as many as the file
 * CLOCK_FILE says at that moment, and no other clock. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void
read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && read(fd, text, size) < 0)
		*text = '\0';
	if (fd >= 0)
		close(fd);
}

int
clock_gettime(clockid_t clock, struct timespec *ret)
{
	static int (*real)(clockid_t clock, struct timespec * ret);
	const char *offset = getenv("CLOCK_OFFSET");
	const char *path = getenv("CLOCK_FILE");
	char text[32] = "";
	int result;

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
	result = real(clock, ret);
	if (clock == CLOCK_REALTIME && path != NULL) {
		read_file(path, text, sizeof(text) - 1);
		offset = text;
	}
	if (result == 0 && clock == CLOCK_REALTIME && offset != NULL)
		ret->tv_sec += strtol(offset, NULL, 10);
	return result;
}
