/* SPDX-License-Identifier: ISC */
/*
 * Has the calls of one gRPC method fail for as long as a file is there:
 *
 *	FAULT_METHOD=GetWorkflowExecutionHistory FAULT_WHILE=FILE \
 *		LD_PRELOAD=grpc_fault.so ...
 *
 * They go to a method that no server has. Other calls are left alone.
 */
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OPTION_URL 10002 /* CURLOPT_URL: curl.h makes a macro of the function */

int
curl_easy_setopt(void *easy, int option, ...);

int
curl_easy_setopt(void *easy, int option, ...)
{
	static int (*next)(void *, int, ...);
	const char *method = getenv("FAULT_METHOD"),
		   *path = getenv("FAULT_WHILE"), *name;
	char url[1000];
	va_list values;
	void *value;

	if (next == NULL)
		*(void **)&next = dlsym(RTLD_NEXT, "curl_easy_setopt");
	va_start(values, option);
	value = va_arg(values, void *);
	va_end(values);
	if (option != OPTION_URL || method == NULL || path == NULL)
		return next(easy, option, value);
	name = strrchr(value, '/');
	if (name == NULL || strcmp(name + 1, method) != 0 ||
	    access(path, F_OK) < 0)
		return next(easy, option, value);
	snprintf(url, sizeof(url), "%sFault", (const char *)value);
	return next(easy, option, url);
}
