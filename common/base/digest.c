/* SPDX-License-Identifier: ISC */
/*
 * This file only calls nettle and writes bytes as digits.
 */
#include "common/base/digest.h"

#include <nettle/memops.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/base/fail.h"

#define RANDOM_MAX 64

static void
write_hex(const uint8_t *bytes, size_t size, char *ret)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < size; i++) {
		ret[2 * i] = digits[bytes[i] >> 4];
		ret[2 * i + 1] = digits[bytes[i] & 15];
	}
	ret[2 * size] = '\0';
}

void
digest_bytes(const void *bytes, size_t size, uint8_t ret[DIGEST_SIZE])
{
	struct sha256_ctx context;

	sha256_init(&context);
	sha256_update(&context, size, bytes);
	sha256_digest(&context, DIGEST_SIZE, ret);
}

void
digest_hex(const void *bytes, size_t size, char ret[DIGEST_TEXT])
{
	uint8_t digest[DIGEST_SIZE];

	digest_bytes(bytes, size, digest);
	write_hex(digest, sizeof(digest), ret);
}

bool
digest_same(const char one[DIGEST_TEXT], const char other[DIGEST_TEXT])
{
	return memeql_sec(one, other, DIGEST_TEXT - 1) != 0;
}

/* getentropy fails for no reason that could pass. */
void
digest_random(size_t size, char *ret)
{
	uint8_t bytes[RANDOM_MAX];

	if (size > sizeof(bytes) || getentropy(bytes, size) < 0) {
		fputs("no random bytes from the kernel\n", stderr);
		_exit(FAIL_NOT_NOW);
	}
	write_hex(bytes, size, ret);
	explicit_bzero(bytes, sizeof(bytes));
}
