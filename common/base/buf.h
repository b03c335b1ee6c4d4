/* SPDX-License-Identifier: ISC */
/*
 * buf: a growing array of bytes that is created with a maximum.
 *
 * The bytes are always followed by a NUL that length does not count, so data
 * may be used as a string; data is NULL until the first byte is added.
 * Adding beyond the maximum adds nothing and sets overflow, which stays set:
 * one check at the end is enough. Out of memory ends the process (mem.h).
 */
#ifndef COMMON_BASE_BUF_H
#define COMMON_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct buf {
	char *data;
	size_t length;
	size_t capacity;
	size_t maximum;
	bool overflow;
};

#define BUF_INIT(max) ((struct buf){ .maximum = (max) })

void
buf_release(struct buf *buf); /* frees; the buf is empty and usable again */

void
buf_reset(struct buf *buf); /* length 0, memory kept, overflow cleared */

void
buf_add(struct buf *buf, const void *bytes, size_t size);

void
buf_add_string(struct buf *buf, const char *string);

void
buf_print(struct buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Takes the bytes out, NUL-terminated; the caller frees. Never NULL. */
char *
buf_detach(struct buf *buf, size_t *ret_size);

/* Drops the first SIZE bytes. */
void
buf_consume(struct buf *buf, size_t size);

#endif
