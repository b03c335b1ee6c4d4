/* SPDX-License-Identifier: ISC */
/*
 * utf8: steps through UTF-8 as RFC 3629 has it, and cuts between characters.
 * Pure.
 */
#ifndef COMMON_BASE_UTF8_H
#define COMMON_BASE_UTF8_H

#include <stddef.h>

/* How many bytes (1 to 4) the character at BYTES has, of the LENGTH that are
 * there; 0 when they do not start with a whole, valid character. */
size_t
utf8_step(const char *bytes, size_t length);

/* How many of LENGTH bytes of UTF-8 are whole characters within MOST bytes. */
size_t
utf8_cut(const char *text, size_t length, size_t most);

#endif
