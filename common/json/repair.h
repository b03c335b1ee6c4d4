/* SPDX-License-Identifier: ISC */
/*
 * repair: JSON text of a service, made fit for json_parse. Pure.
 *
 * Services pass on what others wrote: half of an emoji where a text was cut,
 * a zero byte from somebody's mail. A whole answer must not be lost for that.
 */
#ifndef COMMON_JSON_REPAIR_H
#define COMMON_JSON_REPAIR_H

#include <stddef.h>

/* In place, and every byte keeps its place: escapes of a zero byte and of
 * lone surrogates become \ufffd, bytes that are not UTF-8 become '?', and line
 * breaks become spaces, so that it can be a line of a journal. Text without
 * any of these stays as it is. */
void
repair_json(char *text, size_t length);

#endif
