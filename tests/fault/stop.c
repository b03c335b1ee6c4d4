/* SPDX-License-Identifier: ISC */
/*
 * Stops the process (SIGSTOP) when it has decided to send its first request to
 * a URL that has FAULT_STOP in it, and has sent nothing of it:
 *
 *	FAULT_STOP=/tools/execute/SLUG LD_PRELOAD=stop.so ...
 */
#include <dlfcn.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define OPTION_URL 10002 /* CURLOPT_URL: curl.h makes a macro of the function */

int
curl_easy_setopt(void *easy, int option, ...);

int
curl_easy_setopt(void *easy, int option, ...)
{
	static int (*next)(void *, int, ...);
	static bool stopped;
	const char *part = getenv("FAULT_STOP");
	va_list values;
	void *value;

	if (next == NULL)
		*(void **)&next = dlsym(RTLD_NEXT, "curl_easy_setopt");
	va_start(values, option);
	value = va_arg(values, void *);
	va_end(values);
	if (option == OPTION_URL && part != NULL && !stopped &&
	    strstr(value, part) != NULL) {
		stopped = true;
		(void)raise(SIGSTOP);
	}
	return next(easy, option, value);
}
