/* SPDX-License-Identifier: ISC */
/*
 * How it works: a digit is its place in the list of digits.
 */
#include "common/base/hex.h"

#include <string.h>

static const char digits[] = "0123456789abcdef";

void
hex_write(const void *bytes, size_t size, char *ret)
{
	const unsigned char *byte = bytes;
	size_t i;

	for (i = 0; i < size; i++) {
		*ret++ = digits[byte[i] >> 4];
		*ret++ = digits[byte[i] & 15];
	}
	*ret = '\0';
}

int
hex_number(const char *text, size_t count)
{
	int number = 0;
	const char *at;
	size_t i;
	char c;

	for (i = 0; i < count; i++) {
		c = text[i];
		at = memchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c, 16);
		if (at == NULL)
			return -1;
		number = number << 4 | (int)(at - digits);
	}
	return number;
}

bool
hex_percent_decode(char *text, size_t *length)
{
	char *out = text;
	bool whole = true;
	size_t i;
	int code;

	for (i = 0; i < *length; i++) {
		*out = text[i];
		if (text[i] == '%') {
			code = hex_number(text + i + 1, 2);
			if (code >= 0) {
				*out = (char)code;
				i += 2;
			} else {
				whole = false;
			}
		}
		out++;
	}
	*out = '\0';
	*length = (size_t)(out - text);
	return whole;
}
