/* SPDX-License-Identifier: ISC */
/* composio_internal: shared by the files of composio. */
#ifndef COMMON_PROVIDER_COMPOSIO_INTERNAL_H
#define COMMON_PROVIDER_COMPOSIO_INTERNAL_H

#include "common/provider/composio.h"

struct composio {
	struct http *http;
	char *base; /* up to and with "/api/v3.1/" */
	char *key;  /* the whole header */
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

/* As struct tool_provider says. */
int
composio_facts(void *state, const struct task *task,
    void (*done)(void *context, cJSON *facts, const struct fail *fail),
    void *context, struct tool_call **ret_call, struct fail *fail);

/* FROM is an auth config; when it is "", one is made first. */
int
composio_link(void *state, const char *user, const char *toolkit,
    const char *from,
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

/* PATH is what follows the base. DONE gets the answer, which it frees, or NULL
 * and a fail; status is 0 when none came. DONE is not called from within. */
int
query_start(struct composio *composio, const char *method, const char *path,
    char *body,
    void (*done)(void *context, cJSON *answer, int status,
	const struct fail *fail),
    void *context, struct query **ret_query, struct fail *fail);

void
query_cancel(struct query *query);

#endif
