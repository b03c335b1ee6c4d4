/* SPDX-License-Identifier: ISC */
/*
 * mem: allocation that succeeds, or ends the process with 111.
 *
 * The journal makes sudden death safe, so the library does not pass "out of
 * memory" to its callers: these functions print one line to stderr and exit
 * with 111. The caller frees what they return with free().
 */
#ifndef COMMON_BASE_MEM_H
#define COMMON_BASE_MEM_H

#include <stddef.h>

void *
mem_alloc(size_t size); /* zeroed */

void *
mem_grow(void *old, size_t count, size_t size); /* new bytes not zeroed */

char *
mem_copy(const void *bytes, size_t size); /* with a NUL behind it */

char *
mem_string(const char *string); /* NULL gives NULL */

char *
mem_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
