/* SPDX-License-Identifier: ISC */
/* What an answer says of trying again, as base/backoff.h wants to know it. */
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/net/http.h"

/* A proxy may add a time of its own: of several numbers the least, else the
 * first value. */
static const char *
shortest(struct http_call *call, const char *name)
{
	const char *best = http_header_at(call, name, 0), *value;
	size_t i = 1;

	while (
	    best != NULL && (value = http_header_at(call, name, i++)) != NULL)
		if (strtod(value, NULL) > 0 &&
		    strtod(value, NULL) < strtod(best, NULL))
			best = value;
	return best;
}

struct backoff_answer
http_backoff(const struct http_answer *answer)
{
	return (struct backoff_answer){
		.status = answer->outcome == HTTP_ANSWERED ? answer->status : 0,
		.should_retry = http_header(answer->call, "x-should-retry"),
		.retry_after = shortest(answer->call, "retry-after"),
		.retry_after_ms = shortest(answer->call, "retry-after-ms"),
		.date = clock_wall(),
	};
}
