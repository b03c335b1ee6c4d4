/* SPDX-License-Identifier: ISC */
/*
 * How it works: a repair walks over the bytes once. In JSON a backslash occurs
 * only within strings, and a line break only between tokens, so both can be
 * replaced without knowing the context. Text that is not JSON stays so.
 */
#include <stdint.h>
#include <string.h>

#include "common/base/hex.h"
#include "common/base/mem.h"
#include "common/base/utf8.h"
#include "common/json/internal.h"

/* The code of an escape "\uXXXX" at TEXT, or -1 when there is none. */
static int
escape_code(const char *text, size_t length)
{
	if (length < 6 || text[0] != '\\' || text[1] != 'u')
		return -1;
	return hex_number(text + 2, 4);
}

/* Repairs the escape at TEXT; returns how many bytes it has handled. */
static size_t
repair_escape(char *text, size_t length)
{
	static const char unknown[6] = { '\\', 'u', 'f', 'f', 'f', 'd' };
	int code = escape_code(text, length), low;

	if (code < 0)
		return length > 1 && text[1] == '\\' ? 2 : 1;
	if (code >= 0xd800 && code < 0xdc00) {
		low = escape_code(text + 6, length - 6);
		if (low >= 0xdc00 && low < 0xe000)
			return 12;
	}
	if (code == 0 || (code >= 0xd800 && code < 0xe000))
		memcpy(text, unknown, sizeof(unknown));
	return 6;
}

void
json_repair(char *text, size_t length)
{
	size_t at = 0, size;

	while ((at += json_plain(text + at, length - at)) < length) {
		if (text[at] == '\\') {
			at += repair_escape(text + at, length - at);
			continue;
		}
		if (text[at] == '\n' || text[at] == '\r')
			text[at] = ' ';
		size = 1;
		if ((unsigned char)text[at] >= 0x80) {
			size = utf8_step(text + at, length - at);
			if (size == 0) {
				text[at] = '?';
				size = 1;
			}
		}
		at += size;
	}
}

int
json_check_repaired(struct span *text, const struct json_limits *limits,
    struct json_object *ret_object, char **ret_copy, struct fail *fail)
{
	*ret_copy = NULL;
	if (!memchr(text->at, '\n', text->length) &&
	    !memchr(text->at, '\r', text->length) &&
	    json_check(*text, limits, ret_object, fail) == 0)
		return 0;
	*ret_copy = mem_copy(text->at, text->length);
	json_repair(*ret_copy, text->length);
	text->at = *ret_copy;
	return json_check(*text, limits, ret_object, fail);
}
