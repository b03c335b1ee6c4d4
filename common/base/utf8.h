/* SPDX-License-Identifier: ISC */
/*
 * utf8: steps through UTF-8 as RFC 3629 has it, and cuts between characters.
 * Pure.
 */
#ifndef COMMON_BASE_UTF8_H
#define COMMON_BASE_UTF8_H

#include <stddef.h>

/* The size (1 to 4 bytes) of the character at the start of BYTES, which has
 * LENGTH bytes; 0 when it does not start with a whole, valid character. */
size_t
utf8_step(const char *bytes, size_t length);

/* How many of LENGTH bytes of UTF-8 are whole characters within MOST bytes. */
size_t
utf8_cut(const char *text, size_t length, size_t most);

#endif
