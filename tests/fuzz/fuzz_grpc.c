/* SPDX-License-Identifier: ISC */
/* An answer of a gRPC server: lines of headers, an empty one, the body. */
#include "common/net/grpc_internal.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = { (const char *)data, size };
	struct grpc_trailer trailer = { .status = -1,
		.message = BUF_INIT(4096),
		.details = BUF_INIT(4096) };
	struct buf body = BUF_INIT(64u << 20);
	const char *fault = NULL;
	char *line;
	bool more;

	do {
		line = fuzz_line(&rest);
		more = *line != '\0';
		if (more)
			grpc_header(&trailer, line, strlen(line));
		free(line);
	} while (more);
	assert(trailer.status >= -1 && trailer.status <= GRPC_UNAUTHENTICATED);
	assert(trailer.details.length <= 3072 + 3);
	buf_add(&body, rest.at, rest.length);
	if (grpc_body(&body, &fault))
		assert(grpc_announced(&body) == rest.length - GRPC_HEAD);
	else
		assert(fault);
	buf_release(&body);
	buf_release(&trailer.message);
	buf_release(&trailer.details);
	return 0;
}
