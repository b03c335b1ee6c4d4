/* SPDX-License-Identifier: ISC */
/*
 * The headers that say when to try again, a line each: nobody is made to wait
 * longer than an hour, or to run in a circle.
 */
#include "common/base/backoff.h"
#include "tests/fuzz/fuzz.h"

static char *
header(struct span *rest)
{
	return rest->length ? fuzz_line(rest) : NULL;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = { (const char *)data, size };
	char *should = header(&rest), *after = header(&rest),
	     *after_ms = header(&rest);
	struct backoff_answer answer = { .status = 429,
		.should_retry = should,
		.retry_after = after,
		.retry_after_ms = after_ms,
		.date = 1764000000000 };
	int64_t delay;
	unsigned attempt;

	(void)backoff_retryable(&answer);
	for (attempt = 1; attempt < 70; attempt += 23) {
		delay = backoff_delay(&answer, attempt, 0.5);
		assert(delay >= 0 && delay <= 3600000);
	}
	free(should);
	free(after);
	free(after_ms);
	return 0;
}
