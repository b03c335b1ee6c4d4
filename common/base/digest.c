/* SPDX-License-Identifier: ISC */
/*
 * This file only calls nettle.
 */
#include "common/base/digest.h"

#include <nettle/memops.h>
#include <nettle/sha2.h>

#include "common/base/hex.h"

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
	hex_write(digest, sizeof(digest), ret);
}

bool
digest_same(const char one[DIGEST_TEXT], const char other[DIGEST_TEXT])
{
	return memeql_sec(one, other, DIGEST_TEXT - 1) != 0;
}
