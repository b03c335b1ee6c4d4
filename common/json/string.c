/* SPDX-License-Identifier: ISC */
/*
 * How it works: most bytes of a text are within strings and stand for
 * themselves. They are found eight at a time.
 */
#include <endian.h>
#include <stdint.h>
#include <string.h>

#include "common/base/hex.h"
#include "common/base/utf8.h"
#include "common/json/internal.h"

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* The highest bit of each byte of eight that is not plain, and perhaps of bytes
 * behind the first such one: a byte below the one that is subtracted, or equal
 * to the one that it is compared with, gets that bit, and borrows from the
 * next. */
static uint64_t
not_plain(uint64_t bytes)
{
	return (bytes | (bytes - EACH(0x20)) | ((bytes ^ EACH('"')) - EACH(1)) |
		   ((bytes ^ EACH('\\')) - EACH(1))) &
	    EACH(0x80);
}

size_t
json_plain(const char *at, size_t length)
{
	size_t run = 0;
	uint64_t bytes;
	unsigned char c;

	for (; length - run >= sizeof(bytes); run += sizeof(bytes)) {
		memcpy(&bytes, at + run, sizeof(bytes));
		bytes = not_plain(le64toh(bytes));
		if (bytes)
			return run + (size_t)__builtin_ctzll(bytes) / 8;
	}
	for (; run < length; run++) {
		c = (unsigned char)at[run];
		if (c < 0x20 || c == '"' || c == '\\' || c >= 0x80)
			break;
	}
	return run;
}

/* Writes CODE as UTF-8 and returns its length. */
static size_t
put_character(unsigned code, char *out)
{
	size_t length = 1 + (code >= 0x80) + (code >= 0x800) +
	    (code >= 0x10000);
	size_t i;

	for (i = length - 1; i > 0; i--, code >>= 6)
		out[i] = (char)(0x80 | (code & 0x3f));
	out[0] = (char)(length == 1 ? code : (0xf00U >> length & 0xf0) | code);
	return length;
}

/* The character of the escape at TEXT, which has been judged, and its size. */
static unsigned
read_escape(const char *text, size_t *ret_size)
{
	static const char letters[] = "bfnrt", codes[] = "\b\f\n\r\t";
	const char *letter = strchr(letters, text[1]);
	unsigned unit, low;

	*ret_size = 2;
	if (text[1] != 'u')
		return (
		    unsigned char)(letter ? codes[letter - letters] : text[1]);
	*ret_size = 6;
	unit = (unsigned)hex_number(text + 2, 4);
	if (unit < 0xd800 || unit > 0xdfff)
		return unit;
	*ret_size = 12;
	low = (unsigned)hex_number(text + 8, 4);
	return 0x10000 + ((unit & 0x3ff) << 10 | (low & 0x3ff));
}

size_t
json_unescape(struct span raw, char *out)
{
	const char *at = raw.at, *end = raw.at + raw.length, *slash;
	char *start = out;
	size_t run;

	while (at < end) {
		slash = memchr(at, '\\', (size_t)(end - at));
		run = (size_t)((slash ? slash : end) - at);
		memmove(out, at, run);
		out += run;
		at += run;
		if (slash) {
			out += put_character(read_escape(at, &run), out);
			at += run;
		}
	}
	return (size_t)(out - start);
}

/* Adds the escape of one character that a string may not contain. */
static void
quote_control(struct buf *buf, unsigned char c)
{
	static const char plain[] = "\"\\\b\f\n\r\t", letter[] = "\"\\bfnrt";
	const char *found = c != 0 ? strchr(plain, c) : NULL;
	char escape[2] = { '\\', 0 };

	if (!found) {
		buf_print(buf, "\\u%04x", c);
		return;
	}
	escape[1] = letter[found - plain];
	buf_add(buf, escape, sizeof escape);
}

void
json_quote(struct buf *buf, const char *string, size_t length)
{
	size_t run = 0, step;
	unsigned char c;

	buf_add(buf, "\"", 1);
	while (run < length) {
		run += json_plain(string + run, length - run);
		if (run == length)
			break;
		c = (unsigned char)string[run];
		step = utf8_step(string + run, length - run);
		if (step > 1 ||
		    (step == 1 && c >= 0x20 && c != '"' && c != '\\')) {
			run += step;
			continue;
		}
		buf_add(buf, string, run);
		if (step == 0)
			buf_add(buf, "\xef\xbf\xbd", 3);
		else
			quote_control(buf, c);
		string += run + 1;
		length -= run + 1;
		run = 0;
	}
	buf_add(buf, string, run);
	buf_add(buf, "\"", 1);
}

bool
json_utf8(const char *bytes, size_t length)
{
	size_t step;

	for (; length > 0; bytes += step, length -= step) {
		step = utf8_step(bytes, length);
		if (step == 0)
			return false;
	}
	return true;
}
