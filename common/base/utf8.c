/* SPDX-License-Identifier: ISC */
/*
 * The second byte's range depends on the first one, which excludes overlong
 * forms, surrogates and numbers beyond U+10FFFF. Every further byte is 80 to
 * BF.
 */
#include "common/base/utf8.h"

#include <stdbool.h>

size_t
utf8_step(const char *bytes, size_t length)
{
	const unsigned char *byte = (const unsigned char *)bytes;
	unsigned char low = 0x80, high = 0xbf;
	size_t size, i;

	if (length == 0)
		return 0;
	if (byte[0] < 0x80)
		return 1;
	if (byte[0] < 0xc2 || byte[0] > 0xf4)
		return 0;
	size = byte[0] < 0xe0 ? 2 : byte[0] < 0xf0 ? 3 : 4;
	if (length < size)
		return 0;
	if (byte[0] == 0xe0)
		low = 0xa0;
	else if (byte[0] == 0xed)
		high = 0x9f;
	else if (byte[0] == 0xf0)
		low = 0x90;
	else if (byte[0] == 0xf4)
		high = 0x8f;
	if (byte[1] < low || byte[1] > high)
		return 0;
	for (i = 2; i < size; i++)
		if (byte[i] < 0x80 || byte[i] > 0xbf)
			return 0;
	return size;
}

size_t
utf8_cut(const char *text, size_t length, size_t most)
{
	if (length <= most)
		return length;
	while (most > 0 && ((unsigned char)text[most] & 0xc0) == 0x80)
		most--;
	return most;
}

/* The number of the valid character of SIZE bytes at TEXT. */
static unsigned
number_of(const char *text, size_t size)
{
	unsigned number = (unsigned char)*text;
	size_t i;

	if (size > 1)
		number &= 0x7fU >> size;
	for (i = 1; i < size; i++)
		number = number << 6 | ((unsigned char)text[i] & 0x3f);
	return number;
}

static bool
steers(unsigned number)
{
	return (number < 0x20 && number != '\t' && number != '\n') ||
	    (number >= 0x7f && number < 0xa0) || number == 0x61c ||
	    number == 0x200e || number == 0x200f ||
	    (number >= 0x202a && number <= 0x202e) ||
	    (number >= 0x2066 && number <= 0x2069);
}

void
utf8_visible(struct buf *buf, const char *text, size_t length)
{
	size_t at, step, added = 0;

	for (at = 0; at < length; at += step) {
		step = utf8_step(text + at, length - at);
		if (step > 0 && !steers(number_of(text + at, step)))
			continue;
		buf_add(buf, text + added, at - added);
		if (step > 0) {
			buf_print(buf, "\\u%04x", number_of(text + at, step));
		} else {
			step = 1;
			buf_print(buf, "\\x%02x", (unsigned char)text[at]);
		}
		added = at + step;
	}
	buf_add(buf, text + added, length - added);
}
