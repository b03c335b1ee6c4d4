/* SPDX-License-Identifier: ISC */
/*
 * Each call has an answer that its callback fills in; the loop runs until it is
 * filled or the time is over. A late call is cancelled, so no callback is called
 * for an answer that no longer exists.
 */
#include "common/provider/facts.h"

#include <stdbool.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/loop.h"
#include "common/base/mem.h"
#include "common/net/http.h"
#include "common/provider/tools.h"

struct facts {
	struct loop *loop;
	struct http *http;
	struct tools *tools;
	int64_t until;
};

struct answer {
	bool done;
	cJSON *value;
	struct fail fail;
	struct tool_call *call;
};

int
facts_open(const struct config *config, int64_t until, struct facts **ret_ask,
    struct fail *fail)
{
	struct facts *facts = mem_alloc(sizeof(*facts));

	facts->until = until;
	if (loop_open(&facts->loop, fail) < 0 ||
	    http_open(facts->loop, &facts->http, fail) < 0) {
		facts_close(facts);
		return -1;
	}
	http_plain(facts->http, config->plain_http);
	facts->tools = tools_new(facts->http, config);
	*ret_ask = facts;
	return 0;
}

void
facts_close(struct facts *facts)
{
	if (facts == NULL)
		return;
	tools_free(facts->tools);
	http_close(facts->http);
	loop_close(facts->loop);
	free(facts);
}

static void
take_answer(void *context, cJSON *value, const struct fail *fail)
{
	struct answer *answer = context;

	answer->done = true;
	answer->value = value;
	if (value == NULL)
		answer->fail = *fail;
}

static int
await_answer(struct facts *facts, struct answer *answer, struct fail *fail)
{
	while (!answer->done) {
		if (clock_boot() >= facts->until) {
			tools_cancel(answer->call, NULL, NULL);
			return fail_set(fail, FAIL_NOT_NOW, "timeout",
			    "Composio did not answer in time: try again, or "
			    "allow more time");
		}
		if (loop_turn(facts->loop, facts->until, fail) < 0) {
			tools_cancel(answer->call, NULL, NULL);
			return -1;
		}
	}
	if (answer->value == NULL) {
		*fail = answer->fail;
		return -1;
	}
	return 0;
}

int
facts_get(struct facts *facts, const struct task *task, cJSON **ret_facts,
    struct fail *fail)
{
	struct answer answer = { .done = false };

	tools_facts(facts->tools, task, take_answer, &answer, &answer.call);
	if (await_answer(facts, &answer, fail) < 0)
		return -1;
	*ret_facts = answer.value;
	return 0;
}

void
facts_links(struct facts *facts, const char *user, struct preflight *preflight)
{
	const struct preflight_link *link;
	struct answer *answers;
	struct fail fail;
	cJSON *reason;
	size_t i;

	answers = mem_alloc((preflight->link_count + 1) * sizeof(*answers));
	for (i = 0; i < preflight->link_count; i++) {
		link = &preflight->links[i];
		if (tools_link(facts->tools, link, user, take_answer,
			&answers[i], &answers[i].call, &answers[i].fail) < 0)
			answers[i].done = true;
	}
	for (i = 0; i < preflight->link_count; i++) {
		reason = cJSON_GetArrayItem(preflight->reasons,
		    (int)preflight->links[i].reason);
		if (await_answer(facts, &answers[i], &fail) == 0)
			cJSON_AddItemToObject(reason, "link", answers[i].value);
		else
			cJSON_AddStringToObject(reason, "link_error",
			    fail.message);
	}
	free(answers);
}
