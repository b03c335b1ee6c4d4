/* SPDX-License-Identifier: ISC */
/*
 * hex: bytes as hexadecimal digits, and the escapes of URLs. Pure.
 */
#ifndef COMMON_BASE_HEX_H
#define COMMON_BASE_HEX_H

#include <stdbool.h>
#include <stddef.h>

/* Writes 2 * SIZE small digits and a NUL. */
void
hex_write(const void *bytes, size_t size, char *ret);

/* The number that the first COUNT (at most 7) characters are, or -1 when one of
 * them is no digit. TEXT may end before COUNT with a NUL. */
int
hex_number(const char *text, size_t count);

/* Replaces each %XX of TEXT, which has a NUL behind *LENGTH bytes and gets one
 * again. False when a '%' is without two digits; it stays as it is. */
bool
hex_percent_decode(char *text, size_t *length);

#endif
