/* SPDX-License-Identifier: ISC */
/*
 * utf8: steps through UTF-8 as RFC 3629 has it, cuts between characters, and
 * makes visible what a terminal would obey. Pure.
 */
#ifndef COMMON_BASE_UTF8_H
#define COMMON_BASE_UTF8_H

#include <stddef.h>

#include "common/base/buf.h"

/* The size (1 to 4 bytes) of the character at the start of BYTES, which has
 * LENGTH bytes; 0 when it does not start with a whole, valid character. */
size_t
utf8_step(const char *bytes, size_t length);

/* How many of LENGTH bytes of UTF-8 are whole characters within MOST bytes. */
size_t
utf8_cut(const char *text, size_t length, size_t most);

/* Adds TEXT as a terminal may get it: controls other than tab and line end, and
 * the marks that change the direction of writing, become \u and four digits,
 * so that JSON stays the same JSON; bytes that are no UTF-8 become \x and two. */
void
utf8_visible(struct buf *buf, const char *text, size_t length);

#endif
