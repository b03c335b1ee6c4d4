/* SPDX-License-Identifier: ISC */
/*
 * Each call has an answer that its callback fills in; the loop runs until it is
 * filled or the time is over. A late call is cancelled, so no callback is called
 * for an answer that no longer exists.
 */
#include "common/provider/facts_internal.h"

#include <stdbool.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/loop.h"
#include "common/base/mem.h"
#include "common/json/json.h"
#include "common/provider/tools.h"

#define LOOK_MS 1000        /* between looks at links */
#define LINK_LIFE_MS 600000 /* of a link */

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

	facts->config = config;
	facts->until = until;
	if (loop_open(&facts->loop, fail) < 0 ||
	    http_open(facts->loop, &facts->http, fail) < 0) {
		facts_close(facts);
		return -1;
	}
	http_plain(facts->http, config->plain_http);
	facts->tools = tools_new(facts->http, config, NULL);
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
		if (link->open != NULL) {
			answers[i].done = true;
			answers[i].value = cJSON_Duplicate(link->open, true);
		} else if (tools_link(facts->tools, link, user, take_answer,
			       &answers[i], &answers[i].call,
			       &answers[i].fail) < 0) {
			answers[i].done = true;
		}
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

/* A task that asks only for the accounts that the links are for. */
static cJSON *
linked_task(const char *user, const struct preflight *preflight)
{
	cJSON *value = cJSON_CreateObject(), *toolkits, *accounts;
	const char *toolkit, *account;
	const cJSON *reason;

	cJSON_AddStringToObject(value, "user", user);
	cJSON_AddStringToObject(value, "goal", "-");
	toolkits = cJSON_AddArrayToObject(value, "toolkits");
	accounts = cJSON_AddObjectToObject(value, "accounts");
	cJSON_ArrayForEach (reason, preflight->reasons) {
		toolkit = json_string(reason, "toolkit");
		account = json_string(json_item(reason, "link"), "account");
		if (toolkit == NULL || account == NULL)
			continue;
		cJSON_AddItemToArray(toolkits, cJSON_CreateString(toolkit));
		cJSON_AddStringToObject(accounts, toolkit, account);
	}
	return value;
}

/* How many of the links are used, and how many may still be. */
static int
count_links(struct facts *facts, const struct task *task, int *ret_used,
    int *ret_open, struct fail *fail)
{
	struct preflight now;
	const cJSON *item, *reason;
	cJSON *answer = NULL;
	int result = -1;

	*ret_used = *ret_open = 0;
	if (facts_get(facts, task, &answer, fail) < 0 ||
	    preflight_connections(task, answer, &now, fail) < 0)
		goto out;
	cJSON_ArrayForEach (item, task->toolkits) {
		reason = preflight_reason(&now, item->valuestring);
		*ret_used += reason == NULL;
		*ret_open += reason != NULL && json_true(reason, "pending");
	}
	preflight_release(&now);
	result = 0;
out:
	cJSON_Delete(answer);
	return result;
}

int
facts_pause(struct facts *facts, int64_t delay, struct fail *fail)
{
	int64_t until = clock_boot() + delay;

	if (until > facts->until)
		until = facts->until;
	while (clock_boot() < until)
		if (loop_turn(facts->loop, until, fail) < 0)
			return -1;
	return 0;
}

int
facts_wait(struct facts *facts, const char *user,
    const struct preflight *preflight, struct fail *fail)
{
	int64_t until = clock_boot() + LINK_LIFE_MS;
	struct task task;
	int used = 0, open, result;

	if (task_check(linked_task(user, preflight), facts->config, &task,
		fail) < 0)
		return -1;
	task_connections(&task, NULL);
	do {
		facts->until = clock_boot() + LINK_LIFE_MS;
		result = facts_pause(facts, LOOK_MS, fail);
		if (result == 0)
			result = count_links(facts, &task, &used, &open, fail);
	} while (result == 0 && open > 0 && clock_boot() < until);
	task_release(&task);
	return result < 0 ? -1 : used > 0;
}
