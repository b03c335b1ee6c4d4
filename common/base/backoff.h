/* SPDX-License-Identifier: ISC */
/*
 * backoff: which answers of a service may be retried, and when. The policy is
 * that of the official SDKs (one generator makes both services' clients):
 * x-should-retry decides when it is there; else connection errors, 408, 409,
 * 429 and 5xx are retried. The delay is retry-after-ms, else retry-after
 * (seconds or an HTTP date), else it doubles from half a second, like theirs,
 * up to a quarter of an hour, which they do not reach; less up to a quarter of
 * jitter. Pure.
 */
#ifndef COMMON_BASE_BACKOFF_H
#define COMMON_BASE_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

struct backoff_answer {
	int status;               /* HTTP status; 0: no answer came */
	const char *should_retry; /* header values, NULL when missing */
	const char *retry_after;
	const char *retry_after_ms;
	int64_t date; /* now, wall milliseconds */
};

bool
backoff_retryable(const struct backoff_answer *answer);

/* The delay that the answer names, 0 for none. Capped at an hour. */
int64_t
backoff_named(const struct backoff_answer *answer);

/* Milliseconds until the try after TRIES (from 1) of something that only a
 * person mends: a minute, which doubles up to a quarter of an hour. */
int64_t
backoff_slow(unsigned tries);

/* Milliseconds until the try after ATTEMPT (1 is the first). RANDOM is any
 * number from 0 to 1. Capped at an hour. */
int64_t
backoff_delay(const struct backoff_answer *answer, unsigned attempt,
    double random);

#endif
