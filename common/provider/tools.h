/* SPDX-License-Identifier: ISC */
/*
 * tools: all providers of tools. A pin names the one that its tool is called
 * through; each is opened when it is needed first.
 */
#ifndef COMMON_PROVIDER_TOOLS_H
#define COMMON_PROVIDER_TOOLS_H

#include "common/agent/preflight.h"
#include "common/provider/tool_provider.h"

struct tools; /* the providers of one process */

/* HTTP, CONFIG and WATCH (NULL: calls go through no gate) must outlive them. */
struct tools *
tools_new(struct http *http, const struct config *config,
    const struct gate_watch *watch);

void
tools_free(struct tools *tools); /* NULL is fine */

/* Opens those that have what they need, so that WATCH hears of their gates. */
void
tools_open(struct tools *tools);

/* Whether TASK needs any of them. */
bool
tools_concern(const struct task *task);

/* The facts about TASK, which must live until done: each provider that it
 * concerns is asked, one after the other. Ends with the facts (the callee
 * frees), or with NULL and the fail of the first that has one. */
void
tools_facts(struct tools *tools, const struct task *task,
    void (*done)(void *context, cJSON *facts, const struct fail *fail),
    void *context, struct tool_call **ret_call);

/* One call, through the provider of its pin. FAIL_NOT_NOW, type
 * "unknown_provider", when this program has none of that name. */
int
tools_execute(struct tools *tools, const struct tool_request *request,
    struct tool_call **ret_call, struct fail *fail);

/* What the provider's log says of a call in doubt, as struct tool_provider says.
 * FAIL_NEVER, type "no_log", when it keeps none. */
int
tools_evidence(struct tools *tools, const struct tool_request *request,
    struct tool_call **ret_call, struct fail *fail);

/* LINK, for USER, as struct tool_provider says. */
int
tools_link(struct tools *tools, const struct preflight_link *link,
    const char *user,
    void (*done)(void *context, cJSON *link, const struct fail *fail),
    void *context, struct tool_call **ret_call, struct fail *fail);

/* Ends what is under way, as struct tool_call says. NULL is gone at once. */
void
tools_cancel(struct tool_call *call, void (*gone)(void *context),
    void *context);

#endif
