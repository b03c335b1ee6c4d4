/* SPDX-License-Identifier: ISC */
/*
 * What the service's refusals mean: a wait for what time or a person can mend.
 * The service tells its limits with each answer, too (a bucket that is filled
 * again evenly, until "reset"), so that calls can be spread before they are
 * refused.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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

#define PREFIX "anthropic-ratelimit-"

void
claude_limits_read(struct claude_limits *limits, const char *line,
    size_t length)
{
	const struct {
		const char *name;
		char *text;
	} known[] = {
		{ "requests-limit:", limits->requests.limit },
		{ "requests-remaining:", limits->requests.remaining },
		{ "requests-reset:", limits->requests.reset },
		{ "input-tokens-limit:", limits->tokens.limit },
		{ "input-tokens-remaining:", limits->tokens.remaining },
		{ "input-tokens-reset:", limits->tokens.reset },
	};
	size_t i, name, prefix = strlen(PREFIX);

	if (length <= prefix || strncasecmp(line, PREFIX, prefix) != 0)
		return;
	line += prefix;
	length -= prefix;
	if (strchr("rRiI", *line) == NULL) /* no other limit counts */
		return;
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		name = strlen(known[i].name);
		if (length <= name ||
		    strncasecmp(line, known[i].name, name) != 0)
			continue;
		while (name < length && strchr(" \t", line[name]))
			name++;
		length -= name;
		if (length >= CLAUDE_LIMIT_TEXT)
			length = CLAUDE_LIMIT_TEXT - 1;
		memcpy(known[i].text, line + name, length);
		known[i].text[length] = '\0';
		return;
	}
}

static bool
read_number(const char *text, int64_t *ret)
{
	char *end;

	*ret = strtoll(text, &end, 10);
	return end != text && *end == '\0' && *ret >= 0 &&
	    *ret < INT64_MAX / 100;
}

/* NEEDED: what one call takes of it. */
static void
pace(const struct claude_limit *told, int64_t needed, int64_t now,
    int64_t *step, int64_t *time)
{
	int64_t limit, remaining, reset, at;
	struct fail fail;

	if (!read_number(told->limit, &limit) ||
	    !read_number(told->remaining, &remaining) || remaining >= limit ||
	    remaining > limit / SCARCE ||
	    clock_parse(told->reset, &reset, &fail) < 0 || reset - now <= 0 ||
	    reset - now > 3600000)
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
claude_pace(const struct claude_limits *limits, int64_t tokens, int64_t now,
    int64_t *ret_step_ms, int64_t *ret_for_ms)
{
	*ret_step_ms = *ret_for_ms = 0;
	pace(&limits->requests, 1, now, ret_step_ms, ret_for_ms);
	pace(&limits->tokens, tokens, now, ret_step_ms, ret_for_ms);
	return *ret_step_ms > 0;
}
