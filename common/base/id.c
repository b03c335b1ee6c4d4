/* SPDX-License-Identifier: ISC */
/*
 * The 74 bits behind the time are random for the first id of a millisecond.
 * For the next ones, and while the clock is behind the last id, they are
 * raised by a random step: ids stay in order and cannot be guessed from one
 * another. The process id is remembered, so that a child after fork does not
 * go on with its parent's numbers.
 */
#include "common/base/id.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/fail.h"
#include "common/base/hex.h"

/* getentropy waits for the kernel's pool only after a boot, and fails for no
 * reason that could pass. */
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

static struct {
	pid_t process;
	int64_t time;  /* milliseconds of the last id */
	uint16_t high; /* its 12 random bits behind the version */
	uint64_t low;  /* its 62 random bits behind the variant */
} last;

#define LOW_MAX ((UINT64_C(1) << 62) - 1)

static void
draw(int64_t now)
{
	random_bytes(&last.high, sizeof last.high);
	random_bytes(&last.low, sizeof last.low);
	last.high &= 0xfff;
	last.low &= LOW_MAX;
	last.time = now;
}

static void
advance(void)
{
	uint32_t step;

	random_bytes(&step, sizeof step);
	last.low += (uint64_t)step + 1;
	if (last.low <= LOW_MAX)
		return;
	last.low &= LOW_MAX;
	last.high++;
	if (last.high > 0xfff)
		draw(last.time + 1);
}

struct id
id_new(void)
{
	int64_t now = clock_wall();
	struct id id;
	int i;

	if (now > last.time || last.process != getpid()) {
		draw(now);
		last.process = getpid();
	} else
		advance();
	for (i = 0; i < 6; i++)
		id.bytes[i] = (uint8_t)((uint64_t)last.time >> (40 - 8 * i));
	id.bytes[6] = (uint8_t)(0x70 | last.high >> 8);
	id.bytes[7] = (uint8_t)last.high;
	for (i = 0; i < 8; i++)
		id.bytes[8 + i] = (uint8_t)(last.low >> (56 - 8 * i));
	id.bytes[8] |= 0x80;
	return id;
}

void
id_new_text(char ret[ID_TEXT])
{
	struct id id = id_new();

	id_format(&id, ret);
}

void
id_format(const struct id *id, char ret[ID_TEXT])
{
	size_t i;

	for (i = 0; i < ID_SIZE; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*ret++ = '-';
		hex_write(&id->bytes[i], 1, ret);
		ret += 2;
	}
}

bool
id_parse(const char *text, struct id *ret_id)
{
	struct id id;
	int value;
	size_t i;

	for (i = 0; i < ID_SIZE; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			if (*text++ != '-')
				return false;
		value = hex_number(text, 2);
		if (value < 0)
			return false;
		id.bytes[i] = (uint8_t)value;
		text += 2;
	}
	if (*text != '\0')
		return false;
	*ret_id = id;
	return true;
}
