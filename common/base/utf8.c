/* SPDX-License-Identifier: ISC */
/*
 * The second byte's range depends on the first one, which excludes overlong
 * forms, surrogates and numbers beyond U+10FFFF. Every further byte is 80 to
 * BF.
 */
#include "common/base/utf8.h"

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
