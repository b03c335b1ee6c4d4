/* SPDX-License-Identifier: ISC */
/*
 * A line that is a URL to which a key may be sent, what of a page is told, and
 * a component of a URL.
 */
#include "common/net/http.h"
#include "tests/fuzz/fuzz.h"

static bool
has_only(const struct buf *buf, const char *also, bool blanks)
{
	size_t i;
	char c;

	for (i = 0; i < buf->length; i++) {
		c = buf->data[i];
		if (c <= ' ' || c > '~' ? !blanks || c != ' '
					: also && !strchr(also, c))
			return false;
	}
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = { (const char *)data, size };
	struct buf buf = BUF_INIT(64u << 20);
	char *line = fuzz_line(&rest);
	bool loopback, secure;
	struct fail fail;

	if (http_check_url(line, NULL, &loopback, &secure, &fail) == 0)
		assert(loopback || secure);
	else
		assert(fail.kind == FAIL_NEVER);
	http_escape(&buf, line);
	assert(has_only(&buf,
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	    "-._~%",
	    false));
	buf_reset(&buf);
	http_excerpt(&buf, rest.at, rest.length);
	assert(buf.length < 400 && has_only(&buf, NULL, true));
	buf_release(&buf);
	free(line);
	return 0;
}
