/* SPDX-License-Identifier: ISC */
/*
 * How it works: an answer is a block of headers, a body and a block of
 * trailers; a failure often has only one block. It does not matter which block
 * a line is in; the last status counts.
 */
#include "common/net/grpc_internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/hex.h"

/* Either alphabet, padded or not; ends at the first byte of neither (a comma
 * between two values, too). */
static void
base64_decode(struct buf *buf, const char *text, size_t length)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "abcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned bits = 0, count = 0;
	const char *at;
	char c;
	size_t i;

	for (i = 0; i < length; i++) {
		c = text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i];
		at = c != '\0' ? strchr(alphabet, c) : NULL;
		if (at == NULL)
			return;
		bits = bits << 6 | (unsigned)(at - alphabet);
		count += 6;
		if (count >= 8) {
			count -= 8;
			c = (char)(bits >> count & 0xff);
			buf_add(buf, &c, 1);
		}
	}
}

static bool
is_header(const char *name, const char **text, size_t *length)
{
	size_t size = strlen(name);

	if (*length <= size || (*text)[size] != ':' ||
	    strncasecmp(*text, name, size) != 0)
		return false;
	*text += size + 1;
	*length -= size + 1;
	while (*length > 0 && (*text)[0] == ' ') {
		(*text)++;
		(*length)--;
	}
	return true;
}

static int
status_number(const char *text, size_t length)
{
	int number = 0;
	size_t i;

	for (i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9' || number > 99)
			return GRPC_UNKNOWN;
		number = number * 10 + (text[i] - '0');
	}
	return length == 0 || number > GRPC_UNAUTHENTICATED ? GRPC_UNKNOWN
							    : number;
}

void
grpc_header(struct grpc_trailer *trailer, const char *line, size_t length)
{
	static const char content[] = "application/grpc";

	if (is_header("grpc-status", &line, &length)) {
		trailer->status = status_number(line, length);
	} else if (is_header("grpc-message", &line, &length)) {
		buf_reset(&trailer->message);
		buf_add(&trailer->message, line, length);
		if (length > 0)
			hex_percent_decode(trailer->message.data,
			    &trailer->message.length);
	} else if (is_header("grpc-status-details-bin", &line, &length)) {
		buf_reset(&trailer->details);
		base64_decode(&trailer->details, line, length);
	} else if (is_header("content-type", &line, &length)) {
		trailer->grpc = length >= sizeof(content) - 1 &&
		    strncasecmp(line, content, sizeof(content) - 1) == 0;
	}
}

enum grpc_status
grpc_http_status(int status)
{
	switch (status) {
	case 400:
		return GRPC_INTERNAL;
	case 401:
		return GRPC_UNAUTHENTICATED;
	case 403:
		return GRPC_PERMISSION_DENIED;
	case 404:
		return GRPC_UNIMPLEMENTED;
	case 429:
	case 502:
	case 503:
	case 504:
		return GRPC_UNAVAILABLE;
	}
	return GRPC_UNKNOWN;
}

size_t
grpc_announced(const struct buf *body)
{
	const unsigned char *head = (const unsigned char *)body->data;

	if (body->length < GRPC_HEAD)
		return 0;
	return (size_t)head[1] << 24 | (size_t)head[2] << 16 |
	    (size_t)head[3] << 8 | head[4];
}

bool
grpc_body(const struct buf *body, const char **ret_fault)
{
	if (body->length < GRPC_HEAD)
		*ret_fault = "the answer holds no whole message";
	else if (body->data[0] != 0)
		*ret_fault =
		    "the answer is compressed, which was not asked for";
	else if (grpc_announced(body) != body->length - GRPC_HEAD)
		*ret_fault = "the answer is not exactly one message";
	else
		return true;
	return false;
}

const char *
grpc_status_name(enum grpc_status status)
{
	static const char *const names[] = { "OK", "CANCELLED", "UNKNOWN",
		"INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
		"ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED",
		"FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE",
		"UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS",
		"UNAUTHENTICATED" };

	return names[(unsigned)status < sizeof(names) / sizeof(names[0])
		? status
		: GRPC_UNKNOWN];
}
