/* SPDX-License-Identifier: ISC */
/*
 * composio: executing a tool, and the facts for a pre-flight check. REST API
 * v3.1 with the header x-api-key and no other credential.
 */
#ifndef COMMON_PROVIDER_COMPOSIO_H
#define COMMON_PROVIDER_COMPOSIO_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/agent/agent.h"
#include "common/agent/config.h"
#include "common/agent/task.h"
#include "common/base/fail.h"
#include "common/net/http.h"

struct composio;
struct composio_call;

enum composio_outcome {
	COMPOSIO_DONE,       /* executed, successful */
	COMPOSIO_ERROR,      /* it failed; the text tells the model why */
	COMPOSIO_LATER,      /* certainly not executed; may be tried again */
	COMPOSIO_CONNECTION, /* certainly not executed: no active account */
	COMPOSIO_UNKNOWN,    /* sent, but no answer says whether it ran */
};

struct composio_result {
	enum composio_outcome outcome;
	const char *text; /* DONE: the raw JSON of "data"; else an error text
	                        * that helps the model. Borrowed. */
	size_t length;
	const char *request_id, *log_id; /* "" when none */
	int status;
	int64_t delay_ms; /* before another try: LATER, and UNKNOWN when the
	                        * tool may be run again */
};

int
composio_open(struct http *http, const char *url, const char *key,
    const struct config *config, struct composio **ret_composio,
    struct fail *fail);

void
composio_close(struct composio *composio);

/* One POST, never repeated. The call's strings are copied. */
int
composio_execute(struct composio *composio, const struct agent_call *call,
    void (*done)(void *context, const struct composio_result *result),
    void *context, struct composio_call **ret_call, struct fail *fail);

/* Gathers the facts that preflight.h describes: every page, GETs repeated as
 * backoff.h says. For a task whose tools are NULL only accounts are asked for:
 * those of its toolkits, or without any, all that the user has. Calls DONE
 * with the facts (the callee frees), or with NULL and a fail: FAIL_NOT_NOW when
 * they could not be had, FAIL_NEVER for a bad key. */
int
composio_facts(struct composio *composio, const struct task *task,
    void (*done)(void *context, cJSON *facts, const struct fail *fail),
    void *context, struct composio_call **ret_call, struct fail *fail);

/* Makes the link that lets USER connect (POST connected_accounts/link; makes
 * the auth config first when AUTH_CONFIG is ""). Calls DONE with {"url",
 * "expires_at","account"}, or with NULL and a fail. */
int
composio_link(struct composio *composio, const char *user, const char *toolkit,
    const char *auth_config,
    void (*done)(void *context, cJSON *link, const struct fail *fail),
    void *context, struct composio_call **ret_call, struct fail *fail);

void
composio_cancel(struct composio_call *call);

#endif
