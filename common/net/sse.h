/* SPDX-License-Identifier: ISC */
/*
 * sse: a reader of server-sent events (the event-stream format of the HTML
 * standard) that takes bytes as they come, cut anywhere.
 */
#ifndef COMMON_NET_SSE_H
#define COMMON_NET_SSE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"

struct sse {
	struct buf line, data;
	char name[64]; /* a longer one is cut: no known event has one */
	bool carriage; /* the last byte was a carriage return */
	bool begun;    /* past the position of a byte order mark */
};

/* No line and no event may be longer than MAXIMUM bytes. */
void
sse_init(struct sse *sse, size_t maximum);

void
sse_release(struct sse *sse);

/* Reads BYTES and calls EVENT for each event that they complete; events
 * without data are skipped, as the standard says. NAME is "" when the event
 * has none; both are borrowed until EVENT returns. False when EVENT returned
 * false, or when something is longer than the maximum: call it no more then. */
bool
sse_feed(struct sse *sse, const char *bytes, size_t length,
    bool (*event)(void *context, const char *name, const char *data,
	size_t length),
    void *context);

#endif
