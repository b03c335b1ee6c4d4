/* SPDX-License-Identifier: ISC */
/* A stream has the same events wherever it is cut. */
#include "common/net/sse.h"
#include "tests/fuzz/fuzz.h"

static bool
note(void *context, const char *name, const char *data, size_t length)
{
	struct buf *log = context;

	assert(strlen(name) < sizeof(((struct sse *)0)->name));
	buf_add(log, name, strlen(name) + 1);
	buf_add(log, data, length + 1);
	return memcmp(data, "stop", length < 4 ? length + 1 : 4) != 0;
}

static bool
read_by(size_t step, const char *bytes, size_t size, struct buf *log)
{
	bool going = true;
	struct sse sse;
	size_t at, part;

	sse_init(&sse, 200);
	for (at = 0; going && at < size; at += part) {
		part = size - at < step ? size - at : step;
		going = sse_feed(&sse, bytes + at, part, note, log);
	}
	sse_release(&sse);
	return going;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf one = BUF_INIT(64u << 20), other = BUF_INIT(64u << 20);
	const char *bytes = (const char *)data;
	bool going = read_by(size + 1, bytes, size, &one);

	assert(read_by(1, bytes, size, &other) == going);
	assert(one.length == other.length);
	assert(!one.length || memcmp(one.data, other.data, one.length) == 0);
	buf_release(&one);
	buf_release(&other);
	return 0;
}
