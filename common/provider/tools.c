/* SPDX-License-Identifier: ISC */
/*
 * There is a table of the providers, and what each of them made when it was
 * opened. Facts go from one to the next, and each adds what it knows.
 */
#include "common/provider/tools.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/loop.h"
#include "common/base/mem.h"
#include "common/provider/composio.h"

static const struct tool_provider *const providers[] = { &composio_provider };
#define COUNT (sizeof(providers) / sizeof(providers[0]))

struct tools {
	struct http *http;
	const struct config *config;
	const struct gate_watch *watch;
	void *states[COUNT]; /* NULL: not needed yet */
};

/* Facts that are put together. */
struct gathering {
	struct tool_call call;
	struct tools *tools;
	struct tool_call *current; /* of the provider that is asked */
	size_t next;               /* the one to ask after it */
	struct timer now;
	const struct task *task;
	cJSON *facts;
	void (*done)(void *context, cJSON *facts, const struct fail *fail);
	void *context;
	void (*gone)(void *context); /* when it is cancelled */
};

struct tools *
tools_new(struct http *http, const struct config *config,
    const struct gate_watch *watch)
{
	struct tools *tools = mem_alloc(sizeof(*tools));

	tools->http = http;
	tools->config = config;
	tools->watch = watch;
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

bool
tools_concern(const struct task *task)
{
	size_t i;

	for (i = 0; i < COUNT; i++)
		if (providers[i]->concerns(task))
			return true;
	return false;
}

static int
open_provider(struct tools *tools, size_t i, struct fail *fail)
{
	if (tools->states[i] != NULL)
		return 0;
	return providers[i]->open(tools->http, tools->config, tools->watch,
	    &tools->states[i], fail);
}

void
tools_open(struct tools *tools)
{
	struct fail unused;
	size_t i;

	for (i = 0; i < COUNT; i++)
		(void)open_provider(tools, i, &unused);
}

/* ---- facts ---- */

static void
gathering_free(struct gathering *gathering)
{
	loop_cancel(http_loop(gathering->tools->http), &gathering->now);
	cJSON_Delete(gathering->facts);
	free(gathering);
}

static void
gathering_end(struct gathering *gathering, const struct fail *fail)
{
	void (*done)(void *, cJSON *, const struct fail *) = gathering->done;
	void *context = gathering->context;
	cJSON *facts = NULL;

	if (fail == NULL) {
		facts = gathering->facts;
		gathering->facts = NULL;
	}
	gathering_free(gathering);
	done(context, facts, fail);
}

static void
on_facts(void *context, const struct fail *fail);

static void
ask_next(void *context)
{
	struct gathering *gathering = context;
	struct tools *tools = gathering->tools;
	struct fail fail;
	size_t i;

	while (gathering->next < COUNT) {
		i = gathering->next++;
		if (!providers[i]->concerns(gathering->task))
			continue;
		if (open_provider(tools, i, &fail) < 0 ||
		    providers[i]->facts(tools->states[i], gathering->task,
			gathering->facts, on_facts, gathering,
			&gathering->current, &fail) < 0)
			gathering_end(gathering, &fail);
		return;
	}
	gathering_end(gathering, NULL);
}

static void
on_facts(void *context, const struct fail *fail)
{
	struct gathering *gathering = context;

	gathering->current = NULL;
	if (fail != NULL)
		gathering_end(gathering, fail);
	else
		ask_next(gathering);
}

static void
gathering_gone(void *context)
{
	struct gathering *gathering = context;
	void (*gone)(void *) = gathering->gone;

	context = gathering->context;
	gathering_free(gathering);
	gone(context);
}

static void
gathering_cancel(struct tool_call *call, void (*gone)(void *context),
    void *context)
{
	struct gathering *gathering = (struct gathering *)(void *)call;

	gathering->gone = gone;
	gathering->context = context;
	tools_cancel(gathering->current, gathering_gone, gathering);
}

void
tools_facts(struct tools *tools, const struct task *task,
    void (*done)(void *context, cJSON *facts, const struct fail *fail),
    void *context, struct tool_call **ret_call)
{
	struct gathering *gathering = mem_alloc(sizeof(*gathering));

	gathering->call.cancel = gathering_cancel;
	gathering->tools = tools;
	gathering->task = task;
	gathering->facts = preflight_no_facts();
	gathering->done = done;
	gathering->context = context;
	gathering->now.fire = ask_next;
	gathering->now.context = gathering;
	loop_timer(http_loop(tools->http), &gathering->now, clock_boot());
	*ret_call = &gathering->call;
}

/* ---- calls and links ---- */

/* The provider of that name, open. */
static int
find_provider(struct tools *tools, const char *name, size_t *ret_i,
    struct fail *fail)
{
	size_t i;

	for (i = 0; i < COUNT; i++)
		if (strcmp(providers[i]->name, name) == 0)
			break;
	if (i == COUNT)
		return fail_set(fail, FAIL_NOT_NOW, "unknown_provider",
		    "this program has no provider of tools \"%.100s\": a "
		    "newer one may",
		    name);
	*ret_i = i;
	return open_provider(tools, i, fail);
}

int
tools_execute(struct tools *tools, const struct tool_request *request,
    struct tool_call **ret_call, struct fail *fail)
{
	size_t i;

	if (find_provider(tools, request->call->provider, &i, fail) < 0)
		return -1;
	return providers[i]->execute(tools->states[i], request, ret_call, fail);
}

int
tools_evidence(struct tools *tools, const struct tool_request *request,
    struct tool_call **ret_call, struct fail *fail)
{
	size_t i;

	if (find_provider(tools, request->call->provider, &i, fail) < 0)
		return -1;
	if (providers[i]->evidence == NULL)
		return fail_set(fail, FAIL_NEVER, "no_log",
		    "%s keeps no log of calls", providers[i]->name);
	return providers[i]->evidence(tools->states[i], request, ret_call,
	    fail);
}

int
tools_link(struct tools *tools, const struct preflight_link *link,
    const char *user,
    void (*done)(void *context, cJSON *link, const struct fail *fail),
    void *context, struct tool_call **ret_call, struct fail *fail)
{
	size_t i;

	if (find_provider(tools, link->provider, &i, fail) < 0)
		return -1;
	return providers[i]->link(tools->states[i], user, link, done, context,
	    ret_call, fail);
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
