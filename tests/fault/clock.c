/* SPDX-License-Identifier: ISC */
/* Sets the wall clock wrong by CLOCK_OFFSET seconds, and no other clock. */
#include <dlfcn.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

int
clock_gettime(clockid_t clock, struct timespec *ret)
{
	static int (*real)(clockid_t clock, struct timespec * ret);
	const char *offset = getenv("CLOCK_OFFSET");
	int result;

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
	result = real(clock, ret);
	if (result == 0 && clock == CLOCK_REALTIME && offset != NULL)
		ret->tv_sec += strtol(offset, NULL, 10);
	return result;
}
