/* SPDX-License-Identifier: ISC */
/*
 * getentropy waits for the kernel's pool only after a boot, and fails for no
 * reason that could pass.
 */
#include "common/base/random.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/base/fail.h"
#include "common/base/hex.h"

void
random_bytes(void *bytes, size_t size)
{
	if (getentropy(bytes, size) == 0)
		return;
	fputs("no random bytes from the kernel\n", stderr);
	_exit(FAIL_NOT_NOW);
}

void
random_hex(size_t size, char *ret)
{
	uint8_t bytes[64];

	random_bytes(bytes, size);
	hex_write(bytes, size, ret);
	explicit_bzero(bytes, sizeof(bytes));
}

double
random_fraction(void)
{
	uint32_t number;

	random_bytes(&number, sizeof(number));
	return number / 4294967296.0;
}
