/* SPDX-License-Identifier: ISC */
/*
 * utf8: one step through UTF-8 as RFC 3629 has it. Pure.
 */
#ifndef COMMON_BASE_UTF8_H
#define COMMON_BASE_UTF8_H

#include <stddef.h>

/* How many bytes (1 to 4) the character at BYTES has, of the LENGTH that are
 * there; 0 when they do not start with a whole, valid character. */
size_t
utf8_step(const char *bytes, size_t length);

#endif
