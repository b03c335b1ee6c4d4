/* SPDX-License-Identifier: ISC */
/*
 * A header that cannot be read, or that gives no time in the future, is
 * ignored.
 */
#include "common/base/backoff.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"

#define HOUR_MS 3600000.0
#define FIRST_MS 500.0
#define LAST_MS 900000.0

bool
backoff_retryable(const struct backoff_answer *answer)
{
	if (answer->should_retry && strcmp(answer->should_retry, "true") == 0)
		return true;
	if (answer->should_retry && strcmp(answer->should_retry, "false") == 0)
		return false;
	return answer->status == 0 || answer->status == 408 ||
	    answer->status == 409 || answer->status == 429 ||
	    answer->status >= 500;
}

/* A decimal number, or -1. */
static double
read_number(const char *text)
{
	size_t length;

	text += strspn(text, " \t");
	length = strspn(text, "0123456789.");
	if (length == 0 || text[length + strspn(text + length, " \t")] != '\0')
		return -1;
	return strtod(text, NULL);
}

/* Milliseconds from DATE to the HTTP date TEXT, or -1. RFC 9110 requires a
 * recipient to understand these three forms. */
static double
read_date(const char *text, int64_t date)
{
	static const char *const forms[] = {
		"%a, %d %b %Y %H:%M:%S GMT",
		"%A, %d-%b-%y %H:%M:%S GMT",
		"%a %b %d %H:%M:%S %Y",
	};
	struct fail unused;
	struct tm time;
	const char *end;
	char plain[96];
	int64_t wall;
	size_t i;

	for (i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		memset(&time, 0, sizeof time);
		end = strptime(text, forms[i], &time);
		if (!end || end[strspn(end, " \t")] != '\0')
			continue;
		snprintf(plain, sizeof plain, "%04d-%02d-%02dT%02d:%02d:%02dZ",
		    time.tm_year + 1900, time.tm_mon + 1, time.tm_mday,
		    time.tm_hour, time.tm_min, time.tm_sec);
		if (clock_parse(plain, &wall, &unused) < 0)
			return -1;
		return (double)(wall - date);
	}
	return -1;
}

int64_t
backoff_slow(unsigned tries)
{
	int64_t delay = 60000;

	while (tries-- > 1 && delay < (int64_t)LAST_MS)
		delay *= 2;
	return delay < (int64_t)LAST_MS ? delay : (int64_t)LAST_MS;
}

int64_t
backoff_named(const struct backoff_answer *answer)
{
	double delay = -1;

	if (answer->retry_after_ms)
		delay = read_number(answer->retry_after_ms);
	if (!(delay > 0) && answer->retry_after) {
		delay = read_number(answer->retry_after) * 1000;
		if (!(delay > 0))
			delay = read_date(answer->retry_after, answer->date);
	}
	return delay > 0 ? (int64_t)ceil(fmin(delay, HOUR_MS)) : 0;
}

int64_t
backoff_delay(const struct backoff_answer *answer, unsigned attempt,
    double random)
{
	int64_t named = backoff_named(answer);
	double delay = FIRST_MS;

	if (named > 0)
		return named;
	while (attempt-- > 1 && delay < LAST_MS)
		delay *= 2;
	return (int64_t)(fmin(delay, LAST_MS) * (1 - 0.25 * random));
}
