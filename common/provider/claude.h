/* SPDX-License-Identifier: ISC */
/*
 * claude: one attempt at one turn of the Messages API, streamed.
 *
 * A call ends with one done, unless it is cancelled. It is not retried here:
 * the agent decides that from the journal. Calls go through one gate (gate.h),
 * so that one that does not leave ends in a wait without having been sent. The
 * request is POST /v1/messages under the base URL, with "Authorization: Bearer"
 * and anthropic-version 2026-10-21.
 */
#ifndef COMMON_PROVIDER_CLAUDE_H
#define COMMON_PROVIDER_CLAUDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/agent/config.h"
#include "common/agent/wait.h"
#include "common/base/fail.h"
#include "common/net/http.h"
#include "common/provider/gate.h"

#define CLAUDE_VERSION_HEADER "anthropic-version: 2026-10-21"

struct claude;
struct claude_call;

struct claude_usage { /* tokens */
	int64_t input, output, cache_read, cache_write_5m, cache_write_1h;
};

struct claude_reply { /* borrowed until done returns */
	bool ok;
	/* when ok */
	const char *content; /* raw JSON array: the blocks as they came, but for
	                      * what could not be sent back */
	size_t content_length;
	const char *broken; /* raw JSON: why calls, by id, are not run; or "" */
	const char *stop_reason;  /* "" when null */
	const char *stop_details; /* raw JSON, or "" */
	const char *message_id, *model;
	struct claude_usage usage; /* what is known, when not ok too */
	/* always */
	const char *request_id; /* "" when none came */
	/* when not ok */
	int status;                                          /* 0: no answer */
	const char *error_type, *error_message, *error_code; /* "" when none */
	bool error_sent;     /* by the service, as an event of the stream */
	enum wait_kind wait; /* what has to be waited for: no attempt */
	bool retryable;      /* may be tried again: an attempt */
	int64_t delay_ms;    /* how long to wait first; 0 with a wait: not
	                      * known */
};

/* Reads the key with key.h: without ANTHROPIC_API_KEY FAIL_NEVER, type
 * "missing_key". WATCH (may be NULL) hears of the gate; it and CONFIG must
 * outlive the result. */
int
claude_open(struct http *http, const char *url, const struct config *config,
    const struct gate_watch *watch, struct claude **ret_claude,
    struct fail *fail);

struct gate *
claude_gate(struct claude *claude);

void
claude_close(struct claude *claude);

/* What the header anthropic-beta has to name when the body has a compaction. */
#define CLAUDE_COMPACT "compact-2026-09-04"

/* BODY is the whole request, taken over; BETA (NULL: none; a constant) is what
 * the header anthropic-beta names. ASKED: a person wants it tried now,
 * although the key was refused. text, which may be NULL, is called
 * with each new piece of the decoded text, to show progress. */
int
claude_start(struct claude *claude, char *body, size_t length, const char *beta,
    unsigned attempt, bool asked,
    void (*text)(void *context, const char *bytes, size_t length),
    void (*done)(void *context, const struct claude_reply *reply),
    void *context, struct claude_call **ret_call, struct fail *fail);

/* The reply will be of turn TURN; a call in it with an id of which the hash is
 * among IDS (copied) gets another id. */
void
claude_judge_by(struct claude_call *call, int64_t turn, const uint64_t *ids,
    size_t count);

void
claude_cancel(struct claude_call *call);

/* What the usage costs, in nano-dollars; 0 without a price. */
int64_t
claude_cost(const struct claude_usage *usage, const struct price *price);

bool
claude_billed(const struct claude_usage *usage);

/* Adds the members "usage" and "nano_usd"; MODEL is the one that was asked for,
 * for when the reply names one without a price. LOST_NANO_USD is added to the
 * cost. */
void
claude_usage_members(const struct claude_reply *reply,
    const struct config *config, const char *model, int64_t lost_nano_usd,
    struct buf *members);

#endif
