/* SPDX-License-Identifier: ISC */
/*
 * random: bytes of the kernel. When it has none the process ends with 111: an
 * id or a secret that is not random must never get out.
 */
#ifndef COMMON_BASE_RANDOM_H
#define COMMON_BASE_RANDOM_H

#include <stddef.h>

/* Fills SIZE (at most 256) BYTES. */
void
random_bytes(void *bytes, size_t size);

/* Writes SIZE (at most 64) random bytes as 2 * SIZE hexadecimal digits and a
 * NUL. */
void
random_hex(size_t size, char *ret);

/* A number of at least 0 and less than 1, which spreads tries in time. */
double
random_fraction(void);

#endif
