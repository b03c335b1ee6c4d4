/* SPDX-License-Identifier: ISC */
/*
 * How it works: this is the generic cell rate algorithm. One time is stored for
 * each caller: when the caller's whole burst will be available again. A request
 * moves it ahead by the time that one request costs, and is refused when the
 * time is further ahead than the burst allows.
 *
 * The times are in a table of fixed size in one file, so nothing grows with the
 * number of callers: 16 bytes each, found by a digest of the name in PROBE
 * buckets in a row. A bucket whose time has passed is free. When other callers
 * use all of these buckets, the request passes, because limiting too little
 * does less harm than locking a caller out.
 */
#include "common/api/caller.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/digest.h"
#include "common/base/lock.h"
#include "common/base/mem.h"

#define BUCKETS 16384
#define PROBE 8
#define LOCK_MS 2000

struct bucket {
	uint64_t caller;
	int64_t until; /* wall microseconds */
};

static uint64_t
number_of(const char *caller)
{
	char digest[DIGEST_TEXT];

	digest_hex(caller, strlen(caller), digest);
	digest[16] = '\0';
	return strtoull(digest, NULL, 16) | 1; /* 0 is nobody */
}

/* The caller's bucket, or a free one, or NULL. */
static struct bucket *
find_bucket(struct bucket *buckets, uint64_t caller, int64_t now)
{
	struct bucket *free_one = NULL;
	size_t i;

	for (i = 0; i < PROBE; i++) {
		if (buckets[i].caller == caller)
			return &buckets[i];
		if (!free_one &&
		    (!buckets[i].caller || buckets[i].until <= now))
			free_one = &buckets[i];
	}
	return free_one;
}

/* Counts in BUCKET; returns how many microseconds to wait, 0 when it passed. */
static int64_t
count(struct bucket *bucket, const struct rate_limit *limit, uint64_t caller,
    int64_t now)
{
	int64_t worth = 60000000 / limit->per_minute;
	int64_t room = worth * (limit->burst - 1), until = now;

	if (bucket->caller == caller && bucket->until > now)
		until = bucket->until;
	/* a clock that was set back must not lock a caller out */
	if (until - now > room + worth)
		until = now + room;
	if (until - now > room)
		return until - now - room;
	*bucket = (struct bucket){ caller, until + worth };
	return 0;
}

int
rate_take(const char *folder, const struct rate_limit *limit,
    const char *caller, int64_t now, int64_t *ret_wait, struct fail *fail)
{
	char *path = mem_print("%s/rate", folder);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct bucket buckets[PROBE] = { { 0 } }, *bucket;
	uint64_t number = number_of(caller);
	off_t at = (off_t)(number / 2 % BUCKETS * sizeof(*buckets));
	int64_t wait = 0;
	int result = -1;

	if (fd < 0) {
		fail_errno(fail, "unable to open %s", path);
		goto out;
	}
	if (lock_take(fd, true, LOCK_MS, path, fail) < 0)
		goto out;
	if (pread(fd, buckets, sizeof(buckets), at) < 0) {
		fail_errno(fail, "unable to read %s", path);
		goto out;
	}
	bucket = find_bucket(buckets, number, now * 1000);
	if (bucket) {
		at += (bucket - buckets) * (off_t)sizeof(*buckets);
		wait = count(bucket, limit, number, now * 1000);
	}
	if (bucket && !wait && pwrite(fd, bucket, sizeof(*bucket), at) < 0) {
		fail_errno(fail, "unable to write %s", path);
		goto out;
	}
	if (wait) {
		*ret_wait = (wait + 999) / 1000;
		fail_set(fail, FAIL_NOT_NOW, "rate_limited",
		    "too many requests: at most %lld a minute are answered, "
		    "%lld at once",
		    (long long)limit->per_minute, (long long)limit->burst);
	} else {
		result = 0;
	}
out:
	if (fd >= 0)
		close(fd);
	free(path);
	return result;
}
