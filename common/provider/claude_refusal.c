/* SPDX-License-Identifier: ISC */
/*
 * What the service's refusals mean: a wait for what time or a person can mend.
 * The service tells its limits with each answer, too (a bucket that is filled
 * again evenly, until "reset"), so that calls can be spread before they are
 * refused.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/provider/claude_internal.h"

#define SCARCE 10 /* a tenth of the limit is left */

/* Money: a spending limit ends when a person changes it. */
static bool
is_about_money(const struct claude_reply *reply)
{
	static const char *const codes[] = { "enforced_spend_limit_reached",
		"contract_spend_limit_reached" };
	static const char *const words[] = { "credit balance", "spend limit",
		"spending limit", "usage limits" };
	size_t i;

	for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (strcmp(reply->error_code, codes[i]) == 0)
			return true;
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasestr(reply->error_message, words[i]) != NULL)
			return true;
	return strcmp(reply->error_type, "billing_error") == 0;
}

enum wait_kind
claude_wait(const struct claude_reply *reply, int status, bool *ret_of_key)
{
	bool of_model = strcasestr(reply->error_message, "model") != NULL;

	*ret_of_key = false;
	if (status == 402 ||
	    ((status == 400 || status == 403 || status == 429) &&
		is_about_money(reply))) {
		*ret_of_key = true;
		return WAIT_CREDIT;
	}
	if (status == 429 || status == 529 || status == 503)
		return WAIT_RATE_LIMIT;
	if (status == 401 || status == 403) {
		*ret_of_key = status == 401 || !of_model;
		return WAIT_KEY;
	}
	/* the model or the address: set up wrongly */
	if (status == 404 || status / 100 == 3 ||
	    (status == 400 && strncmp(reply->error_message, "model:", 6) == 0))
		return WAIT_KEY;
	return WAIT_NONE;
}

static bool
read_limit(struct http_call *call, const char *what, const char *part,
    int64_t *ret)
{
	char name[64];
	const char *value;
	char *end;

	(void)snprintf(name, sizeof(name), "anthropic-ratelimit-%s-%s", what,
	    part);
	value = http_header(call, name);
	if (value == NULL)
		return false;
	*ret = strtoll(value, &end, 10);
	return end != value && *end == '\0' && *ret >= 0 &&
	    *ret < INT64_MAX / 100;
}

/* NEEDED: what one call takes of it. */
static void
pace(struct http_call *call, const char *what, int64_t needed, int64_t now,
    int64_t *step, int64_t *time)
{
	int64_t limit, remaining, reset, at;
	char name[64];
	const char *value;
	struct fail fail;

	(void)snprintf(name, sizeof(name), "anthropic-ratelimit-%s-reset",
	    what);
	value = http_header(call, name);
	if (value == NULL || clock_parse(value, &reset, &fail) < 0 ||
	    !read_limit(call, what, "limit", &limit) ||
	    !read_limit(call, what, "remaining", &remaining) ||
	    remaining >= limit || remaining > limit / SCARCE ||
	    reset - now <= 0 || reset - now > 3600000)
		return;
	at = (reset - now) * needed / (limit - remaining);
	if (at > reset - now)
		at = reset - now;
	if (at <= *step)
		return;
	*step = at;
	*time = reset - now;
}

bool
claude_pace(struct http_call *call, int64_t tokens, int64_t now,
    int64_t *ret_step_ms, int64_t *ret_for_ms)
{
	*ret_step_ms = *ret_for_ms = 0;
	pace(call, "requests", 1, now, ret_step_ms, ret_for_ms);
	pace(call, "input-tokens", tokens, now, ret_step_ms, ret_for_ms);
	return *ret_step_ms > 0;
}
