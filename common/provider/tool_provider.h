/* SPDX-License-Identifier: ISC */
/*
 * tool_provider: the interface of all providers of tools. tools.h knows them
 * all, opens them and finds the one of a pin; code that calls tools needs only
 * the types from here.
 *
 * A provider serves one process and works in its event loop: nothing blocks,
 * and each call ends with one done, which is never called from within the
 * function that starts the call.
 */
#ifndef COMMON_PROVIDER_TOOL_PROVIDER_H
#define COMMON_PROVIDER_TOOL_PROVIDER_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/agent/agent.h"
#include "common/agent/config.h"
#include "common/agent/preflight.h"
#include "common/agent/task.h"
#include "common/base/fail.h"
#include "common/net/http.h"
#include "common/provider/gate.h"

enum tool_outcome {
	TOOL_DONE,       /* executed, successful */
	TOOL_ERROR,      /* it failed; the text tells the model why */
	TOOL_LATER,      /* certainly not executed; may be tried again */
	TOOL_CONNECTION, /* certainly not executed: no active account */
	TOOL_UNKNOWN,    /* sent, but no answer says whether it ran */
};

struct tool_result { /* borrowed until done returns */
	enum tool_outcome outcome;
	const char *text; /* DONE: raw JSON; else an error text that helps the
	                   * model */
	size_t length;
	bool loose;   /* the text may be no JSON after all */
	size_t whole; /* DONE: when it was longer than what was kept, how long;
	               * the text is then its beginning. Else 0 */
	const char *request_id, *log_id; /* the service's; "" when none */
	int status;                      /* of HTTP; 0: none */
	int64_t delay_ms;    /* before another try: LATER, and UNKNOWN when the
	                   * tool may be run again */
	enum wait_kind wait; /* LATER: what has to be waited for; such a try
	                      * is no attempt. delay_ms may then be 0 */
};

struct tool_request {
	const struct agent_call *call; /* not used after the start */
	bool asked;                    /* a person wants it tried now */
	int64_t limit_ms;              /* how long the call may take */
	size_t limit_bytes;            /* how much of a result is kept */
	const int64_t *not_after;      /* of struct effect_request */
	void (*done)(void *context, const struct tool_result *result);
	void *context;
};

/* Every call of a provider that is under way begins with this. The provider
 * frees it when it calls done. */
struct tool_call {
	/* Ends and frees it: done is not called any more, but gone, when
	 * nothing of it is left; from within this call if that is at once. */
	void (*cancel)(struct tool_call *call, void (*gone)(void *context),
	    void *context);
};

/* STATE is what open made. When a function returns -1, done is not called. */
struct tool_provider {
	const char *name; /* as a pin has it */

	/* The event loop is http_loop(HTTP). WATCH hears of the provider's
	 * gate (gate.h); NULL: there is none. The state is never NULL. */
	int (*open)(struct http *http, const struct config *config,
	    const struct gate_watch *watch, void **ret_state,
	    struct fail *fail);

	void (*close)(void *state);

	/* Whether the facts about TASK need this provider. One that they do
	 * not need is not opened for them. */
	bool (*concerns)(const struct task *task);

	/* Adds what preflight.h needs to know about TASK to FACTS; both are the
	 * caller's and live until done. Calls DONE with NULL, or with a fail:
	 * FAIL_NOT_NOW when the facts could not be had now. */
	int (*facts)(void *state, const struct task *task, cJSON *facts,
	    void (*done)(void *context, const struct fail *fail), void *context,
	    struct tool_call **ret_call, struct fail *fail);

	/* One call, never repeated. */
	int (*execute)(void *state, const struct tool_request *request,
	    struct tool_call **ret_call, struct fail *fail);

	/* Asks the service's log about a call in doubt that has a request
	 * name; NULL: it keeps none. DONE and ERROR are the outcome as the log
	 * has it, with its log_id. UNKNOWN proves nothing: the text, which may
	 * be "", says for people and the model what the log has, and without
	 * delay_ms it makes no sense to ask again. */
	int (*evidence)(void *state, const struct tool_request *request,
	    struct tool_call **ret_call, struct fail *fail);

	/* Makes the link that lets USER connect LINK's toolkit; its from comes
	 * from the facts, and without a "link" in them this may be NULL. Calls
	 * DONE with {"url","expires_at","account"} (the callee frees), or with NULL
	 * and a fail. */
	int (*link)(void *state, const char *user,
	    const struct preflight_link *link,
	    void (*done)(void *context, cJSON *link, const struct fail *fail),
	    void *context, struct tool_call **ret_call, struct fail *fail);
};

#endif
