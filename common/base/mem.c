/* SPDX-License-Identifier: ISC */
/*
 * The message is written with write(2): stdio might need memory, and the data
 * in stdout's buffer is an incomplete result that must not be written.
 */
#include "common/base/mem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void __attribute__((noreturn)) out_of_memory(void)
{
	char line[128];
	int length = snprintf(line, sizeof line,
	    "%.60s: out of memory: try again when more is free\n",
	    program_invocation_short_name);

	if (length > 0 && write(STDERR_FILENO, line, (size_t)length) < 0)
		_exit(111);
	_exit(111);
}

void *
mem_alloc(size_t size)
{
	void *memory = calloc(1, size > 0 ? size : 1);

	if (!memory)
		out_of_memory();
	return memory;
}

void *
mem_grow(void *old, size_t count, size_t size)
{
	void *memory;
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes))
		out_of_memory();
	memory = realloc(old, bytes > 0 ? bytes : 1);
	if (!memory)
		out_of_memory();
	return memory;
}

char *
mem_copy(const void *bytes, size_t size)
{
	char *copy;

	if (size == SIZE_MAX)
		out_of_memory();
	copy = malloc(size + 1);
	if (!copy)
		out_of_memory();
	if (size > 0)
		memcpy(copy, bytes, size);
	copy[size] = '\0';
	return copy;
}

char *
mem_string(const char *string)
{
	return string ? mem_copy(string, strlen(string)) : NULL;
}

char *
mem_print(const char *format, ...)
{
	va_list arguments;
	char *text = NULL;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		out_of_memory();
	va_end(arguments);
	return text;
}
