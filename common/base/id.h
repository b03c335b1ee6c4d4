/* SPDX-License-Identifier: ISC */
/*
 * id: names for tasks and workers. A UUID of version 7 (RFC 9562): the first
 * 48 bits are the time in milliseconds, so that ids sort by age; the rest is
 * from the kernel's random source. Ids made by one process strictly increase.
 */
#ifndef COMMON_BASE_ID_H
#define COMMON_BASE_ID_H

#include <stdbool.h>
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

#endif
