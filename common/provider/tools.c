/* SPDX-License-Identifier: ISC */
/*
 * How tools works: a table of the providers that there are, and what each of
 * them made when it was opened.
 */
#include "common/provider/tools.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/provider/composio.h"

static const struct tool_provider *const providers[] = { &composio_provider };
#define COUNT (sizeof(providers) / sizeof(providers[0]))

struct tools {
	struct http *http;
	const struct config *config;
	void *states[COUNT]; /* NULL: not needed yet */
};

struct tools *
tools_new(struct http *http, const struct config *config)
{
	struct tools *tools = mem_alloc(sizeof(*tools));

	tools->http = http;
	tools->config = config;
	return tools;
}

void
tools_free(struct tools *tools)
{
	size_t i;

	if (tools == NULL)
		return;
	for (i = 0; i < COUNT; i++)
		if (tools->states[i] != NULL)
			providers[i]->close(tools->states[i]);
	free(tools);
}

static int
open_provider(struct tools *tools, size_t i, struct fail *fail)
{
	if (tools->states[i] != NULL)
		return 0;
	return providers[i]->open(tools->http, tools->config, &tools->states[i],
	    fail);
}

int
tools_facts(struct tools *tools, const struct task *task,
    void (*done)(void *context, cJSON *facts, const struct fail *fail),
    void *context, struct tool_call **ret_call, struct fail *fail)
{
	if (open_provider(tools, 0, fail) < 0)
		return -1;
	return providers[0]->facts(tools->states[0], task, done, context,
	    ret_call, fail);
}

int
tools_execute(struct tools *tools, const struct tool_request *request,
    struct tool_call **ret_call, struct fail *fail)
{
	const struct agent_call *call = request->call;
	size_t i;

	for (i = 0; i < COUNT; i++)
		if (strcmp(providers[i]->name, call->provider) == 0)
			break;
	if (i == COUNT)
		return fail_set(fail, FAIL_NOT_NOW, "unknown_provider",
		    "the tool %s comes from the provider \"%.100s\", which "
		    "this program does not have: a newer one may",
		    call->name, call->provider);
	if (open_provider(tools, i, fail) < 0)
		return -1;
	return providers[i]->execute(tools->states[i], request, ret_call, fail);
}

int
tools_link(struct tools *tools, const char *user, const char *toolkit,
    const char *from,
    void (*done)(void *context, cJSON *link, const struct fail *fail),
    void *context, struct tool_call **ret_call, struct fail *fail)
{
	if (open_provider(tools, 0, fail) < 0)
		return -1;
	return providers[0]->link(tools->states[0], user, toolkit, from, done,
	    context, ret_call, fail);
}

static void
gone_unheard(void *context)
{
	(void)context;
}

void
tools_cancel(struct tool_call *call, void (*gone)(void *context), void *context)
{
	if (gone == NULL)
		gone = gone_unheard;
	if (call != NULL)
		call->cancel(call, gone, context);
	else
		gone(context);
}
