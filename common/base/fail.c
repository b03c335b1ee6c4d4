/* SPDX-License-Identifier: ISC */
/*
 * A message is first printed to a buffer of its own, so that an argument may
 * be a part of the fail that it is written to, and is cleaned while it is
 * copied.
 */
#include "common/base/fail.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/base/utf8.h"

/* Copies TEXT to TARGET, which has room for SIZE bytes, as something that fits
 * in one line. CUT: the end of TEXT may be half a character. */
static void
copy_clean(char *target, size_t size, const char *text, bool cut)
{
	size_t left = strlen(text), out = 0, step;

	while (left > 0) {
		step = utf8_step(text, left);
		if (step == 0 && cut && left < 4)
			break;
		if (out + (step == 0 ? 1 : step) >= size)
			break;
		if (step == 0 || (unsigned char)*text < 0x20 || *text == 0x7f)
			target[out++] = '?';
		else {
			memcpy(target + out, text, step);
			out += step;
		}
		if (step == 0)
			step = 1;
		text += step;
		left -= step;
	}
	target[out] = '\0';
}

static void __attribute__((format(printf, 4, 0)))
fill(struct fail *fail, enum fail_kind kind, const char *type,
    const char *format, va_list arguments, const char *tail)
{
	char text[sizeof fail->message], word[sizeof fail->type];
	int length;
	size_t used;
	bool cut;

	snprintf(word, sizeof word, "%s", type);
	length = vsnprintf(text, sizeof text, format, arguments);
	if (length < 0) {
		text[0] = '\0';
		length = 0;
	}
	cut = (size_t)length >= sizeof text;
	if (!cut && tail) {
		used = (size_t)length;
		length = snprintf(text + used, sizeof text - used, ": %s",
		    tail);
		cut = length < 0 || (size_t)length >= sizeof text - used;
	}
	fail->kind = kind;
	copy_clean(fail->type, sizeof fail->type, word, false);
	copy_clean(fail->message, sizeof fail->message, text, cut);
}

int
fail_set(struct fail *fail, enum fail_kind kind, const char *type,
    const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fill(fail, kind, type, format, arguments, NULL);
	va_end(arguments);
	return -1;
}

int
fail_errno(struct fail *fail, const char *format, ...)
{
	enum fail_kind kind = FAIL_NOT_NOW;
	const char *type = "system";
	int error = errno;
	va_list arguments;

	if (error == ENOSPC || error == EDQUOT)
		type = "disk_full";
	if (error == EACCES || error == EPERM || error == EROFS) {
		kind = FAIL_NEVER;
		type = "permission";
	}
	va_start(arguments, format);
	fill(fail, kind, type, format, arguments, strerror(error));
	va_end(arguments);
	return -1;
}

int
fail_prefix(struct fail *fail, const char *format, ...)
{
	char old[sizeof fail->message];
	va_list arguments;

	memcpy(old, fail->message, sizeof old);
	va_start(arguments, format);
	fill(fail, fail->kind, fail->type, format, arguments, old);
	va_end(arguments);
	return -1;
}
