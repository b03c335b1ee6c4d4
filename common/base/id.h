/* SPDX-License-Identifier: ISC */
/*
 * id: names for tasks and workers, and the random bytes of which they and
 * secrets are made. When the kernel has none the process ends with 111: an id or
 * a secret that is not random must never get out.
 *
 * An id is a UUID of version 7 (RFC 9562): the first 48 bits are the time in
 * milliseconds, so that ids sort by age; the rest is random. Ids made by one
 * process strictly increase.
 */
#ifndef COMMON_BASE_ID_H
#define COMMON_BASE_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ID_SIZE 16
#define ID_TEXT 37 /* 36 characters and a NUL */

struct id {
	uint8_t bytes[ID_SIZE];
};

struct id
id_new(void);

void
id_new_text(char ret[ID_TEXT]);

void
id_format(const struct id *id, char ret[ID_TEXT]);

/* Lower or upper case; false for anything but a UUID. */
bool
id_parse(const char *text, struct id *ret_id);

/* Fills SIZE (at most 256) BYTES. */
void
random_bytes(void *bytes, size_t size);

/* Writes SIZE (at most 64) random bytes as 2 * SIZE hexadecimal digits and a
 * NUL. */
void
random_hex(size_t size, char *ret);

/* A number of at least 0 and less than 1, which spreads tries in time. */
double
random_fraction(void);

#endif
