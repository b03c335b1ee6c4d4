/* SPDX-License-Identifier: ISC */
/*
 * How sse works: bytes are collected up to the end of a line, which may be
 * "\n", "\r\n" or "\r". A "\r" ends its line at once, and a "\n" that follows
 * it, perhaps in the next piece, is dropped: waiting for it would hold back
 * the event. A complete line is one field; an empty one ends the event.
 */
#include "common/net/sse.h"

#include <string.h>

void
sse_init(struct sse *sse, size_t maximum)
{
	*sse = (struct sse){
		.line = BUF_INIT(maximum),
		.data = BUF_INIT(maximum),
	};
}

void
sse_release(struct sse *sse)
{
	buf_release(&sse->line);
	buf_release(&sse->data);
}

static void
take_field(struct sse *sse)
{
	const char *name = sse->line.data, *value;
	size_t length = sse->line.length, name_length;

	value = memchr(name, ':', length);
	name_length = value != NULL ? (size_t)(value - name) : length;
	value = value != NULL ? value + 1 : name + length;
	length -= (size_t)(value - name);
	if (length > 0 && *value == ' ') {
		value++;
		length--;
	}
	if (name_length == 5 && memcmp(name, "event", 5) == 0) {
		if (length >= sizeof(sse->name))
			length = sizeof(sse->name) - 1;
		memcpy(sse->name, value, length);
		sse->name[length] = '\0';
	} else if (name_length == 4 && memcmp(name, "data", 4) == 0) {
		/* each line gets a newline; the last one goes at the end */
		buf_add(&sse->data, value, length);
		buf_add(&sse->data, "\n", 1);
	}
}

static bool
end_line(struct sse *sse,
    bool (*event)(void *context, const char *name, const char *data,
	size_t length),
    void *context)
{
	bool go_on = true;

	if (sse->line.overflow)
		return false;
	if (sse->line.length > 0) {
		take_field(sse);
		buf_reset(&sse->line);
		return !sse->data.overflow;
	}
	if (sse->data.length > 1) {
		sse->data.data[--sse->data.length] = '\0';
		go_on = event(context, sse->name, sse->data.data,
		    sse->data.length);
	}
	buf_reset(&sse->data);
	sse->name[0] = '\0';
	return go_on;
}

/* A byte order mark, which may come in pieces, is not of the line. */
static void
add_to_line(struct sse *sse, const char *bytes, size_t length)
{
	size_t first = 0;

	if (!sse->begun) {
		first = 3 - sse->line.length;
		if (first > length)
			first = length;
		buf_add(&sse->line, bytes, first);
		sse->begun = sse->line.length == 3;
		if (sse->begun &&
		    memcmp(sse->line.data, "\xef\xbb\xbf", 3) == 0)
			buf_reset(&sse->line);
	}
	buf_add(&sse->line, bytes + first, length - first);
}

bool
sse_feed(struct sse *sse, const char *bytes, size_t length,
    bool (*event)(void *context, const char *name, const char *data,
	size_t length),
    void *context)
{
	const char *end = bytes + length, *stop, *carriage;

	while (bytes < end) {
		if (sse->carriage && *bytes == '\n')
			bytes++;
		sse->carriage = false;
		stop = memchr(bytes, '\n', (size_t)(end - bytes));
		if (stop == NULL)
			stop = end;
		carriage = memchr(bytes, '\r', (size_t)(stop - bytes));
		if (carriage != NULL)
			stop = carriage;
		add_to_line(sse, bytes, (size_t)(stop - bytes));
		if (stop == end)
			return !sse->line.overflow;
		sse->begun = true;
		sse->carriage = *stop == '\r';
		bytes = stop + 1;
		if (!end_line(sse, event, context))
			return false;
	}
	return true;
}
