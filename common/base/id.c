/* SPDX-License-Identifier: ISC */
/*
 * The 74 bits behind the time are random for the first id of a millisecond.
 * For the next ones, and while the clock is behind the last id, they are
 * raised by a random step: ids stay in order and cannot be guessed from one
 * another. The process id is remembered, so that a child after fork does not
 * go on with its parent's numbers.
 */
#include "common/base/id.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/base/clock.h"

static struct {
	pid_t process;
	int64_t time;  /* milliseconds of the last id */
	uint16_t high; /* its 12 random bits behind the version */
	uint64_t low;  /* its 62 random bits behind the variant */
} last;

#define LOW_MAX ((UINT64_C(1) << 62) - 1)

static void
random_bytes(void *bytes, size_t size)
{
	char *at = bytes;
	ssize_t got;

	while (size > 0) {
		got = getrandom(at, size, 0);
		if (got < 0 && errno == EINTR)
			continue;
		/* An id that is not random must never be used. */
		if (got <= 0)
			abort();
		at += got;
		size -= (size_t)got;
	}
}

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
id_format(const struct id *id, char ret[ID_TEXT])
{
	static const char hex[] = "0123456789abcdef";
	size_t i, at = 0;

	for (i = 0; i < ID_SIZE; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			ret[at++] = '-';
		ret[at++] = hex[id->bytes[i] >> 4];
		ret[at++] = hex[id->bytes[i] & 15];
	}
	ret[at] = '\0';
}

static int
hex_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return -1;
}

bool
id_parse(const char *text, struct id *ret_id)
{
	struct id id;
	int high, low;
	size_t i;

	for (i = 0; i < ID_SIZE; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			if (*text++ != '-')
				return false;
		high = hex_value(text[0]);
		if (high < 0)
			return false;
		low = hex_value(text[1]);
		if (low < 0)
			return false;
		id.bytes[i] = (uint8_t)(high << 4 | low);
		text += 2;
	}
	if (*text != '\0')
		return false;
	*ret_id = id;
	return true;
}
