/* SPDX-License-Identifier: ISC */
/*
 * An account that the service calls active may be dead at the tool's own
 * service. A probe is a call that only reads, made over the account as the task
 * will use it; what it answers also says whose account that is. The tools of all
 * probes are looked up with one question.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/loop.h"
#include "common/base/mem.h"
#include "common/json/json.h"
#include "common/provider/facts_internal.h"
#include "common/provider/tools.h"

#define RESULT_MAX 262144
#define DEPTH_MAX 6

struct probe_answer {
	bool done;
	enum tool_outcome outcome;
	char *text;
};

static void
on_result(void *context, const struct tool_result *result)
{
	struct probe_answer *answer = context;

	answer->done = true;
	answer->outcome = result->outcome;
	answer->text = mem_copy(result->text, result->length);
}

/* The facts about the probes of the accounts that PREFLIGHT has chosen; NULL
 * when there are none, and *RET_RESULT is then 0. */
static cJSON *
probe_facts(struct facts *facts, const struct task *task,
    const struct preflight *preflight, int *ret_result, struct fail *fail)
{
	cJSON *value = cJSON_CreateObject(), *answer = NULL, *tools;
	const char *tool;
	const cJSON *account;
	struct task asked;

	cJSON_AddStringToObject(value, "user", task->user);
	cJSON_AddStringToObject(value, "goal", "-");
	tools = cJSON_AddArrayToObject(value, "tools");
	cJSON_ArrayForEach (account, preflight->accounts) {
		tool = config_probe(facts->config, account->string);
		if (tool != NULL)
			cJSON_AddItemToArray(tools, cJSON_CreateString(tool));
	}
	*ret_result = 0;
	if (tools->child == NULL) {
		cJSON_Delete(value);
		return NULL;
	}
	*ret_result = task_check(value, facts->config, &asked, fail);
	if (*ret_result == 0) {
		*ret_result = facts_get(facts, &asked, &answer, fail);
		task_release(&asked);
	}
	return answer;
}

static int
call(struct facts *facts, const char *user, const char *account,
    const cJSON *tool, struct probe_answer *answer, struct fail *fail)
{
	struct agent_call wanted = {
		.id = "probe",
		.name = json_string(tool, "name"),
		.provider = json_string(tool, "provider"),
		.slug = json_string(tool, "name"),
		.toolkit = json_string(tool, "toolkit"),
		.version = json_string(tool, "version"),
		.account = account,
		.user = user,
		.input = { "{}", 2 },
		.repeatable = true,
		.attempt = 1,
	};
	struct tool_request request = { .call = &wanted,
		.limit_ms = facts->config->call_ms,
		.limit_bytes = RESULT_MAX,
		.done = on_result,
		.context = answer };
	struct tool_call *under_way;

	if (tools_execute(facts->tools, &request, &under_way, fail) < 0)
		return -1;
	while (!answer->done) {
		if (clock_boot() >= facts->until ||
		    loop_turn(facts->loop, facts->until, fail) < 0) {
			tools_cancel(under_way, NULL, NULL);
			return fail_set(fail, FAIL_NOT_NOW, "timeout",
			    "the probe %s did not answer in time", wanted.name);
		}
	}
	return 0;
}

/* The member NAME, a string, wherever it is. */
static const char *
find_string(const cJSON *value, const char *name, int depth)
{
	const char *found = json_string(value, name);
	const cJSON *item;

	cJSON_ArrayForEach (item, value)
		if ((found == NULL || *found == '\0') && depth > 0)
			found = find_string(item, name, depth - 1);
	return found;
}

/* Adds whose account it is, if the answer says that. */
static void
add_owner(struct preflight *preflight, const char *toolkit, const char *text)
{
	static const char *const names[] = { "emailAddress", "email", "login",
		"displayName", "name" };
	const char *owner = NULL;
	struct fail fail;
	cJSON *data;
	size_t i;

	data = json_parse(text, strlen(text), &json_limits_upstream, &fail);
	for (i = 0; i < sizeof(names) / sizeof(names[0]) && owner == NULL; i++)
		owner = find_string(data, names[i], DEPTH_MAX);
	if (owner != NULL)
		cJSON_AddStringToObject(preflight->owners, toolkit, owner);
	cJSON_Delete(data);
}

static void
judge(const struct task *task, const cJSON *known, struct preflight *preflight,
    const cJSON *account, const struct probe_answer *answer)
{
	char *message = NULL;

	switch (answer->outcome) {
	case TOOL_DONE:
		add_owner(preflight, account->string, answer->text);
		return;
	case TOOL_CONNECTION:
		message = mem_print(
		    "%s: the connection %s is active, but it is "
		    "refused: %.500s: connect again",
		    account->string, account->valuestring, answer->text);
		preflight_refused(task, known, account->string, message,
		    preflight);
		break;
	case TOOL_ERROR:
	case TOOL_LATER:
	case TOOL_UNKNOWN:
		message = mem_print(
		    "%s: nobody knows whether the connection %s "
		    "works: %.500s",
		    account->string, account->valuestring, answer->text);
		preflight_warning(preflight, "probe", account->string, message);
		break;
	}
	free(message);
}

static const cJSON *
find_tool(const cJSON *known, const char *name)
{
	const cJSON *tool;

	cJSON_ArrayForEach (tool, json_item(known, "tools"))
		if (strcmp(json_string(tool, "name"), name) == 0)
			return tool;
	return NULL;
}

int
facts_probe(struct facts *facts, const struct task *task, const cJSON *known,
    struct preflight *preflight, struct fail *fail)
{
	const cJSON *account, *tool, *hints;
	const char *name;
	cJSON *tools;
	int result;

	tools = probe_facts(facts, task, preflight, &result, fail);
	cJSON_ArrayForEach (account, preflight->accounts) {
		struct probe_answer answer = { .done = false };

		name = config_probe(facts->config, account->string);
		if (result < 0 || name == NULL)
			continue;
		tool = find_tool(tools, name);
		hints = json_item(tool, "hints");
		if (!json_true(hints, "read_only") ||
		    strcmp(json_string(tool, "toolkit"), account->string) !=
			0) {
			result = fail_set(fail, FAIL_NEVER, "invalid_config",
			    "probes.%s: %s is not a tool of %s that only reads",
			    account->string, name, account->string);
			continue;
		}
		result = call(facts, task->user, account->valuestring, tool,
		    &answer, fail);
		if (result == 0)
			judge(task, known, preflight, account, &answer);
		free(answer.text);
	}
	cJSON_Delete(tools);
	return result;
}
