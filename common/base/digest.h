/* SPDX-License-Identifier: ISC */
/*
 * digest: SHA-256, and a comparison in constant time.
 * The only module that sees nettle, which is linked statically: loading
 * libcrypto takes two milliseconds at every start (BENCH.md).
 */
#ifndef COMMON_BASE_DIGEST_H
#define COMMON_BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIGEST_SIZE 32
#define DIGEST_TEXT 65 /* 64 hexadecimal digits and a NUL */

void
digest_bytes(const void *bytes, size_t size, uint8_t ret[DIGEST_SIZE]);

void
digest_hex(const void *bytes, size_t size, char ret[DIGEST_TEXT]);

/* Whether two digests are the same, in constant time. */
bool
digest_same(const char one[DIGEST_TEXT], const char other[DIGEST_TEXT]);

#endif
