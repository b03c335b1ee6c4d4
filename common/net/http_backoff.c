/* SPDX-License-Identifier: ISC */
/* What an answer says of trying again, as base/backoff.h wants to know it. */
#include "common/base/clock.h"
#include "common/net/http.h"

struct backoff_answer
http_backoff(const struct http_answer *answer)
{
	return (struct backoff_answer){
		.status = answer->outcome == HTTP_ANSWERED ? answer->status : 0,
		.should_retry = http_header(answer->call, "x-should-retry"),
		.retry_after = http_header(answer->call, "retry-after"),
		.retry_after_ms = http_header(answer->call, "retry-after-ms"),
		.date = clock_wall(),
	};
}
