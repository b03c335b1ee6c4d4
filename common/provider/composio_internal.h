/* SPDX-License-Identifier: ISC */
/* composio_internal: shared by the files of composio. */
#ifndef COMMON_PROVIDER_COMPOSIO_INTERNAL_H
#define COMMON_PROVIDER_COMPOSIO_INTERNAL_H

#include "common/provider/composio.h"
#include "common/provider/key.h"

#define COMPOSIO_NAME "composio" /* in pins and facts */

struct composio {
	struct http *http;
	char *base; /* up to and with "/api/v3.1/" */
	struct key key;
	struct gate *gate; /* NULL: none */
	int64_t call_ms;
};

/* Every kind of call begins with this. */
struct composio_call {
	struct tool_call call;
	struct composio *composio;
	void (*release)(struct composio_call *call); /* cuts off and frees */
};

void
composio_call_init(struct composio_call *call, struct composio *composio,
    void (*release)(struct composio_call *call));

/* Reads the key again if it was exchanged; returns whether it was. */
bool
composio_renew_key(void *composio);

/* Tells the gate what STATUS says of all calls with this key, and returns the
 * wait that follows, WAIT_NONE for none. *DELAY: what the service named, and then
 * after how long another try makes sense; KEY_VERSION is that of the call. */
enum wait_kind
composio_met(struct composio *composio, struct gate_pass *pass, int status,
    unsigned key_version, const char *message, int64_t *delay);

/* Gathers the service's own objects for the facts:
 *	{"tools":[<tools>],"missing_tools":["SLUG", ...],
 *	 "toolkits":{"gmail":{"found":true,"no_auth":false}, ...},
 *	 "accounts":[<connected accounts of the user>],
 *	 "auth_configs":{"linear":["ac_1", ...], ...}}
 * Every page is read. TASK must live until done. For one whose tools are NULL
 * only accounts are asked for: those of its toolkits, or without any, all that
 * the user has. Calls DONE with the object (the callee frees), or with NULL and
 * a fail. */
int
composio_gather(struct composio *composio, const struct task *task,
    void (*done)(void *context, cJSON *raw, const struct fail *fail),
    void *context, struct composio_call **ret_call, struct fail *fail);

/* Adds to FACTS what RAW, which is as above, and whose schemas are moved, says
 * for TASK's user and choice of accounts at NOW, wall time.
 * FAIL_NOT_NOW, type "upstream", when an object has not what every one of its
 * kind has. */
int
composio_translate(cJSON *raw, const struct task *task, int64_t now,
    cJSON *facts, struct fail *fail);

/* The slug of the toolkit that a tool or an account belongs to, or NULL. */
const char *
composio_toolkit(const cJSON *object);

enum account_state { /* the later, the nearer to being usable */
	ACCOUNT_MISSING,
	ACCOUNT_BEGUN, /* a link was made for it, and it was never used */
	ACCOUNT_NOT_ACTIVE,
	ACCOUNT_DISABLED,
	ACCOUNT_ACTIVE,
};

/* The account of TOOLKIT that is to be used or told about, among those of TASK's
 * user that TASK chooses: the one nearest to being usable; of equals the one
 * connected last; of equals the greatest id. NULL when there is none. */
const cJSON *
composio_account(const cJSON *accounts, const struct task *task,
    const char *toolkit, enum account_state *ret_state);

/* As struct tool_provider says of evidence. */
int
composio_evidence(void *state, const struct tool_request *request,
    struct tool_call **ret_call, struct fail *fail);

/* LINK's from is an auth config; when it is "", one is made first. */
int
composio_link(void *state, const char *user, const struct preflight_link *link,
    void (*done)(void *context, cJSON *link, const struct fail *fail),
    void *context, struct tool_call **ret_call, struct fail *fail);

/* The service's name for the request, "" when it gave none; borrowed. ERROR is
 * the error's object in the answer. */
const char *
composio_request_id(const struct http_answer *answer, const cJSON *error);

/* An error answer: a sentence in the service's own words, followed by the
 * request id. SLUG and CODE are the service's, "" and 0 when it gave none. */
struct composio_error {
	struct buf text;
	char slug[80];
	int64_t code;
};

void
composio_error_read(const struct http_answer *answer,
    struct composio_error *ret);

/* One request with a JSON answer. A GET is made up to three times. */
struct query;

/* PATH is what follows the base. BODY (taken over) is POSTed; without one it is
 * a GET. DONE gets the answer, which it frees, or NULL
 * and a fail; status is 0 when none came. DONE is not called from within. */
int
query_start(struct composio *composio, const char *path, char *body,
    void (*done)(void *context, cJSON *answer, int status,
	const struct fail *fail),
    void *context, struct query **ret_query, struct fail *fail);

void
query_cancel(struct query *query);

#endif
