/* SPDX-License-Identifier: ISC */
/*
 * caller: identifies the user who sends a request, and limits the rate of each
 * user's requests.
 *
 * A request is the variables of CGI/1.1 (cgi.h). A bearer token (token.h) in
 * HTTP_AUTHORIZATION identifies its user; or, if that is configured, a header
 * that an authenticating proxy sets, which counts only when the request comes
 * from one of the configured addresses (REMOTE_ADDR).
 *
 * The settings are this process's own environment:
 *
 *	AGENT_TOKENS_FILE           the tokens
 *	AGENT_GATEWAY_USER_HEADER   the proxy's header, "X-Forwarded-User"
 *	AGENT_GATEWAY_PROXIES       addresses or networks, "127.0.0.1 10.0.0.0/8"
 *	AGENT_GATEWAY_RATE          requests a minute of one caller, 0: no limit
 *	AGENT_GATEWAY_BURST         how many of them at once
 *	AGENT_GATEWAY_FOLDER        the folder of the counts
 */
#ifndef COMMON_API_CALLER_H
#define COMMON_API_CALLER_H

#include <stdint.h>

#include "common/agent/task.h"
#include "common/base/fail.h"

struct callers;

/* FAIL_NEVER, type "invalid_gateway", when the settings are not valid. */
int
callers_open(struct callers **ret_callers, struct fail *fail);

void
callers_close(struct callers *callers); /* NULL is fine */

/* FAIL_NO, type "unauthorized"; FAIL_NOT_NOW, type "rate_limited", with the
 * seconds to wait in *RET_RETRY; and the errors of token.h. ENV is the
 * request, which is counted. */
int
callers_identify(struct callers *callers, char *const *env,
    char ret_user[TASK_USER_MAX + 1], int64_t *ret_retry, struct fail *fail);

/* The environment variable NAME as a whole number up to MOST, OTHERWISE when
 * it is not set. FAIL_NEVER, type "invalid_gateway". */
int
callers_number(const char *name, int64_t most, int64_t otherwise,
    int64_t *ret_number, struct fail *fail);

/* ---- rate.c: requests, counted across the processes that share a folder ---- */

struct rate_limit {
	int64_t per_minute; /* on the long run; 0: no limit */
	int64_t burst;      /* at once, at least 1 */
};

/* Counts one request of CALLER at NOW (wall milliseconds) in FOLDER/rate.
 * FAIL_NOT_NOW, type "rate_limited", when it is one too many; then it is not
 * counted, and *RET_WAIT is the number of milliseconds to wait. */
int
rate_take(const char *folder, const struct rate_limit *limit,
    const char *caller, int64_t now, int64_t *ret_wait, struct fail *fail);

#endif
