/* SPDX-License-Identifier: ISC */
/*
 * The capacity is doubled, so that adding takes constant time on average. The
 * NUL behind the bytes is counted in capacity, never in length or maximum.
 */
#include "common/base/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

/* Ensures room for SIZE more bytes and the NUL; false: over the maximum. */
static bool
reserve(struct buf *buf, size_t size)
{
	size_t needed, capacity;

	if (buf->overflow)
		return false;
	if (buf->length > buf->maximum || size > buf->maximum - buf->length ||
	    __builtin_add_overflow(buf->length + 1, size, &needed)) {
		buf->overflow = true;
		return false;
	}
	if (needed <= buf->capacity)
		return true;
	capacity = buf->capacity < 256 ? 256 : buf->capacity;
	while (capacity < needed)
		capacity = capacity > SIZE_MAX / 2 ? needed : capacity * 2;
	buf->data = mem_grow(buf->data, capacity, 1);
	buf->capacity = capacity;
	return true;
}

void
buf_release(struct buf *buf)
{
	free(buf->data);
	*buf = BUF_INIT(buf->maximum);
}

void
buf_reset(struct buf *buf)
{
	buf->length = 0;
	buf->overflow = false;
	if (buf->data)
		buf->data[0] = '\0';
}

void
buf_add(struct buf *buf, const void *bytes, size_t size)
{
	if (size == 0 || !reserve(buf, size))
		return;
	memcpy(buf->data + buf->length, bytes, size);
	buf->length += size;
	buf->data[buf->length] = '\0';
}

void
buf_add_string(struct buf *buf, const char *string)
{
	buf_add(buf, string, strlen(string));
}

void
buf_print(struct buf *buf, const char *format, ...)
{
	va_list arguments;
	int length;

	size_t room = buf->overflow ? 0 : buf->capacity - buf->length;

	va_start(arguments, format);
	length = vsnprintf(room ? buf->data + buf->length : NULL, room, format,
	    arguments);
	va_end(arguments);
	if (length >= 0 && (size_t)length < room &&
	    (size_t)length <= buf->maximum - buf->length) {
		buf->length += (size_t)length;
		return;
	}
	if (room)
		buf->data[buf->length] = '\0';
	if (length < 0) {
		buf->overflow = true;
		return;
	}
	if (length == 0 || !reserve(buf, (size_t)length))
		return;
	va_start(arguments, format);
	vsnprintf(buf->data + buf->length, (size_t)length + 1, format,
	    arguments);
	va_end(arguments);
	buf->length += (size_t)length;
}

char *
buf_detach(struct buf *buf, size_t *ret_size)
{
	char *data = buf->data ? buf->data : mem_copy("", 0);

	if (ret_size)
		*ret_size = buf->length;
	*buf = BUF_INIT(buf->maximum);
	return data;
}

void
buf_consume(struct buf *buf, size_t size)
{
	if (size == 0 || !buf->data)
		return;
	if (size > buf->length)
		size = buf->length;
	buf->length -= size;
	memmove(buf->data, buf->data + size, buf->length + 1);
}
