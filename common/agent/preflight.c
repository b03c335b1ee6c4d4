/* SPDX-License-Identifier: ISC */
/*
 * There are three passes over the facts: which tools the task uses, which
 * toolkits those need and whether each has an active account, and whether the
 * budget can be enforced. Every pass adds its reasons and goes on; only missing
 * or malformed facts end the check at once, because no task may pass on them.
 *
 * The order of reasons follows the task file, then the facts, so equal input
 * gives equal output.
 */
#include "common/agent/preflight.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/agent/pins.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/json/json.h"

#define PINS_MAX (24u << 20) /* the model's API takes 32 MB a request */
#define TOOLS_MAX 128        /* more would confuse the model, and cost */

struct chosen_tool {
	const cJSON *fact;
	const char *slug, *toolkit;
};

struct check {
	const struct task *task;
	const struct config *config;
	const cJSON *tools, *missing, *toolkits, *accounts, *auth_configs;
	struct chosen_tool *chosen;
	size_t count;
	struct preflight *out;
	struct fail *fail;
};

static const cJSON *
get(const cJSON *object, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(object, name);
}

static const char *
toolkit_of(const cJSON *fact)
{
	return json_string(get(fact, "toolkit"), "slug");
}

static int
bad_facts(struct fail *fail, const char *what)
{
	return fail_set(fail, FAIL_NOT_NOW, "upstream",
	    "unable to check the task: Composio's answer has %s; "
	    "try again later",
	    what);
}

/* Adds a reason; ABOUT names the member that SUBJECT is put in ("tool",
 * "toolkit", "member"). */
static cJSON *
add_reason(struct check *check, const char *type, const char *about,
    const char *subject, char *message)
{
	cJSON *reason = cJSON_CreateObject();

	cJSON_AddStringToObject(reason, "type", type);
	cJSON_AddStringToObject(reason, "message", message);
	cJSON_AddStringToObject(reason, about, subject);
	cJSON_AddItemToArray(check->out->reasons, reason);
	free(message);
	return reason;
}

static int
check_shape(const struct check *check)
{
	const cJSON *item;

	if (!cJSON_IsArray(check->tools) || !cJSON_IsArray(check->missing) ||
	    !cJSON_IsObject(check->toolkits) ||
	    !cJSON_IsArray(check->accounts) ||
	    !cJSON_IsObject(check->auth_configs))
		return bad_facts(check->fail, "not all of what was asked");
	cJSON_ArrayForEach (item, check->tools)
		if (json_string(item, "slug") == NULL ||
		    toolkit_of(item) == NULL ||
		    json_string(item, "version") == NULL ||
		    !cJSON_IsObject(get(item, "input_parameters")))
			return bad_facts(check->fail,
			    "a tool without slug, "
			    "toolkit, version or parameters");
	cJSON_ArrayForEach (item, check->accounts)
		if (json_string(item, "id") == NULL ||
		    json_string(item, "status") == NULL ||
		    toolkit_of(item) == NULL)
			return bad_facts(check->fail,
			    "a connected account "
			    "without id, status or toolkit");
	cJSON_ArrayForEach (item, check->toolkits)
		if (!cJSON_IsBool(get(item, "found")))
			return bad_facts(check->fail,
			    "a toolkit of which "
			    "nothing is known");
	return 0;
}

static bool
has_tag(const cJSON *fact, const char *tag)
{
	const cJSON *item;

	cJSON_ArrayForEach (item, get(fact, "tags"))
		if (cJSON_IsString(item) && strcmp(item->valuestring, tag) == 0)
			return true;
	return false;
}

static bool
in_list(const cJSON *list, const char *word)
{
	const cJSON *item;

	cJSON_ArrayForEach (item, list)
		if (cJSON_IsString(item) &&
		    strcmp(item->valuestring, word) == 0)
			return true;
	return false;
}

/* Adds the tool unless it is there already (two patterns may match it). */
static void
choose(struct check *check, const cJSON *fact)
{
	const char *slug = json_string(fact, "slug");
	size_t i;

	for (i = 0; i < check->count; i++)
		if (strcmp(check->chosen[i].slug, slug) == 0)
			return;
	check->chosen = mem_grow(check->chosen, check->count + 1,
	    sizeof(*check->chosen));
	check->chosen[check->count++] = (struct chosen_tool){
		.fact = fact,
		.slug = slug,
		.toolkit = toolkit_of(fact),
	};
}

static int
choose_named(struct check *check, const char *name)
{
	const cJSON *fact;

	cJSON_ArrayForEach (fact, check->tools)
		if (strcmp(json_string(fact, "slug"), name) == 0)
			break;
	if (fact == NULL && !in_list(check->missing, name))
		return bad_facts(check->fail,
		    "nothing about a tool that the "
		    "task names");
	if (fact == NULL)
		add_reason(check, "unknown_tool", "tool", name,
		    mem_print("there is no tool %s: tools are renamed at "
			      "times, look it up at Composio",
			name));
	else if (json_true(fact, "is_deprecated"))
		add_reason(check, "deprecated_tool", "tool", name,
		    mem_print(
			"the tool %s is deprecated and may go away "
			"while the task runs: name the one that replaces it",
			name));
	else
		choose(check, fact);
	return 0;
}

static void
choose_matching(struct check *check, const char *glob)
{
	const cJSON *fact;
	bool found = false;

	cJSON_ArrayForEach (fact, check->tools) {
		if (json_true(fact, "is_deprecated") ||
		    !config_glob(glob, json_string(fact, "slug")) ||
		    !in_list(check->task->toolkits, toolkit_of(fact)))
			continue;
		choose(check, fact);
		found = true;
	}
	if (!found)
		add_reason(check, "no_tool_matches", "tool", glob,
		    mem_print("no tool of the task's toolkits matches %s%s",
			glob,
			check->task->toolkits->child == NULL
			    ? ": name the toolkit in toolkits"
			    : ""));
}

static int
choose_tools(struct check *check)
{
	const cJSON *item;
	const char *name;

	if (check->task->tools->child == NULL) {
		cJSON_ArrayForEach (item, check->tools)
			if (!json_true(item, "is_deprecated") &&
			    in_list(check->task->toolkits, toolkit_of(item)))
				choose(check, item);
	}
	cJSON_ArrayForEach (item, check->task->tools) {
		name = item->valuestring;
		if (strpbrk(name, "*?[") != NULL)
			choose_matching(check, name);
		else if (choose_named(check, name) < 0)
			return -1;
	}
	if (check->count > TOOLS_MAX)
		add_reason(check, "too_many_tools", "member", "tools",
		    mem_print(
			"the task would offer %zu tools to the model, "
			"and at most %d are allowed: name the ones it needs in "
			"tools",
			check->count, TOOLS_MAX));
	return 0;
}

/* When the account was connected; one without a time is the oldest. */
static int64_t
connected_at(const cJSON *account)
{
	const char *text = json_string(account, "created_at");
	struct fail ignored;
	int64_t wall;

	if (text == NULL || clock_parse(text, &wall, &ignored) < 0)
		return 0;
	return wall;
}

static bool
disabled(const cJSON *account)
{
	return json_true(account, "is_disabled") ||
	    json_true(get(account, "auth_config"), "is_disabled");
}

/* How near an account is to being usable: 2 is usable. */
static int
account_rank(const cJSON *account)
{
	if (strcmp(json_string(account, "status"), "ACTIVE") != 0)
		return 0;
	return disabled(account) ? 1 : 2;
}

/* The account to use or to report: the best rank, then the one connected last,
 * then the greatest id. */
static const cJSON *
best_account(const struct check *check, const char *toolkit)
{
	const cJSON *account, *best = NULL;
	int64_t at, best_at = 0;
	int rank, best_rank = 0;

	cJSON_ArrayForEach (account, check->accounts) {
		if (strcmp(toolkit_of(account), toolkit) != 0)
			continue;
		rank = account_rank(account);
		at = connected_at(account);
		if (best == NULL || rank > best_rank ||
		    (rank == best_rank &&
			(at > best_at ||
			    (at == best_at &&
				strcmp(json_string(account, "id"),
				    json_string(best, "id")) > 0)))) {
			best = account;
			best_rank = rank;
			best_at = at;
		}
	}
	return best;
}

static const char *
status_meaning(const char *status)
{
	static const char *const meanings[][2] = {
		{ "INITIALIZING", "was begun but never opened" },
		{ "INITIATED", "was begun but not finished" },
		{ "EXPIRED", "has expired" },
		{ "FAILED", "failed when it was made" },
		{ "INACTIVE", "is switched off" },
		{ "REVOKED", "was revoked" },
	};
	size_t i;

	for (i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (strcmp(meanings[i][0], status) == 0)
			return meanings[i][1];
	return "has a status that is not known here";
}

/* The auth config for a new connection: the failing account's own, else any of
 * the toolkit's, else "". */
static const char *
auth_config_for(const struct check *check, const char *toolkit,
    const cJSON *account)
{
	const cJSON *own = get(account, "auth_config"), *first;

	if (json_string(own, "id") != NULL && !json_true(own, "is_disabled"))
		return json_string(own, "id");
	first = cJSON_GetArrayItem(get(check->auth_configs, toolkit), 0);
	return cJSON_IsString(first) ? first->valuestring : "";
}

static void
add_link(struct check *check, const char *toolkit, const cJSON *account)
{
	struct preflight *out = check->out;
	struct preflight_link *link;

	out->links = mem_grow(out->links, out->link_count + 1,
	    sizeof(*out->links));
	link = &out->links[out->link_count++];
	snprintf(link->toolkit, sizeof(link->toolkit), "%s", toolkit);
	snprintf(link->auth_config, sizeof(link->auth_config), "%s",
	    auth_config_for(check, toolkit, account));
	link->reason = (size_t)cJSON_GetArraySize(out->reasons) - 1;
}

static void
tell_disabled(struct check *check, const char *toolkit, const cJSON *account)
{
	bool own = json_true(account, "is_disabled");
	cJSON *reason;

	reason = add_reason(check, "connection_disabled", "toolkit", toolkit,
	    mem_print("%s: the connection %s is active but %s disabled: "
		      "enable it at Composio%s",
		toolkit, json_string(account, "id"),
		own ? "is" : "its auth config is",
		own ? "" : ", or connect again with another one"));
	cJSON_AddStringToObject(reason, "account", json_string(account, "id"));
	if (!own && auth_config_for(check, toolkit, account)[0] != '\0')
		add_link(check, toolkit, account);
}

static void
tell_not_active(struct check *check, const char *toolkit, const cJSON *account)
{
	const char *status = json_string(account, "status");
	const char *why = json_string(account, "status_reason");
	cJSON *reason;

	reason = add_reason(check, "connection_not_active", "toolkit", toolkit,
	    mem_print("%s: the connection %s %s (%s%s%s): %s", toolkit,
		json_string(account, "id"), status_meaning(status), status,
		why != NULL ? ", " : "", why != NULL ? why : "",
		strcmp(status, "INACTIVE") == 0
		    ? "switch it on at Composio, or connect again"
		    : "connect again"));
	cJSON_AddStringToObject(reason, "account", json_string(account, "id"));
	cJSON_AddStringToObject(reason, "status", status);
	if (why != NULL)
		cJSON_AddStringToObject(reason, "status_reason", why);
	add_link(check, toolkit, account);
}

/* Whether the task's tools of this toolkit need a connection; a toolkit that
 * was asked for without any of its tools does. */
static bool
needs_account(const struct check *check, const char *toolkit)
{
	bool any = false;
	size_t i;

	if (json_true(get(check->toolkits, toolkit), "no_auth"))
		return false;
	for (i = 0; i < check->count; i++) {
		if (strcmp(check->chosen[i].toolkit, toolkit) != 0)
			continue;
		if (!json_true(check->chosen[i].fact, "no_auth"))
			return true;
		any = true;
	}
	return !any;
}

static void
check_toolkit(struct check *check, const char *toolkit)
{
	const cJSON *account;

	if (!needs_account(check, toolkit))
		return;
	account = best_account(check, toolkit);
	if (account == NULL) {
		add_reason(check, "connection_missing", "toolkit", toolkit,
		    mem_print("%s: the user %s has not connected it", toolkit,
			check->task->user));
		add_link(check, toolkit, NULL);
		return;
	}
	switch (account_rank(account)) {
	case 0:
		tell_not_active(check, toolkit, account);
		break;
	case 1:
		tell_disabled(check, toolkit, account);
		break;
	default:
		cJSON_AddStringToObject(check->out->accounts, toolkit,
		    json_string(account, "id"));
		break;
	}
}

static int
check_toolkits(struct check *check)
{
	const cJSON *item, *fact;
	const char *toolkit;
	size_t i, j;

	cJSON_ArrayForEach (item, check->task->toolkits) {
		toolkit = item->valuestring;
		fact = get(check->toolkits, toolkit);
		if (fact == NULL)
			return bad_facts(check->fail,
			    "nothing about a "
			    "toolkit that the task names");
		if (json_true(fact, "found"))
			check_toolkit(check, toolkit);
		else
			add_reason(check, "unknown_toolkit", "toolkit", toolkit,
			    mem_print("there is no toolkit %s: see "
				      "the list at Composio for its name",
				toolkit));
	}
	for (i = 0; i < check->count; i++) {
		toolkit = check->chosen[i].toolkit;
		if (in_list(check->task->toolkits, toolkit))
			continue;
		for (j = 0; j < i; j++)
			if (strcmp(check->chosen[j].toolkit, toolkit) == 0)
				break;
		if (j == i)
			check_toolkit(check, toolkit);
	}
	return 0;
}

static void
check_budget(struct check *check)
{
	const struct task *task = check->task;

	if (task->budget_nano_usd > 0 &&
	    config_price(check->config, task->model) == NULL)
		add_reason(check, "budget", "member", "budget.usd",
		    mem_print(
			"budget.usd cannot be kept: the price of %s is "
			"not known; add it to prices in the configuration",
			task->model));
	if (task->budget_tokens > 0 && task->budget_tokens < task->max_tokens)
		add_reason(check, "budget", "member", "budget.tokens",
		    mem_print(
			"budget.tokens is %lld, and one reply alone "
			"may take max_tokens, %lld: raise the one or lower the "
			"other",
			(long long)task->budget_tokens,
			(long long)task->max_tokens));
}

static void
fill_pin(const struct check *check, const struct chosen_tool *chosen,
    struct pin_tool *pin)
{
	const cJSON *fact = chosen->fact;

	*pin = (struct pin_tool){
		.provider = "composio",
		.slug = chosen->slug,
		.toolkit = chosen->toolkit,
		.version = json_string(fact, "version"),
		.description = json_string(fact, "description"),
		.input_schema = json_text(get(fact, "input_parameters")),
		.repeatable = !has_tag(fact, "destructiveHint") &&
		    (has_tag(fact, "readOnlyHint") ||
			has_tag(fact, "idempotentHint")),
	};
	if (!json_true(fact, "no_auth"))
		pin->account = json_string(check->out->accounts,
		    chosen->toolkit);
}

static void
free_pins(struct pin_tool *pins, size_t count)
{
	char *schema;
	size_t i;

	for (i = 0; i < count; i++) {
		/* the only string of a pin that is not borrowed */
		memcpy(&schema, &pins[i].input_schema, sizeof(schema));
		free(schema);
	}
	free(pins);
}

/* Checks each tool alone first, to find every reason; then all together. */
static void
make_pins(struct check *check)
{
	struct preflight *out = check->out;
	struct pin_tool *pins;
	struct fail fail;
	size_t i, refused = 0;

	pins = mem_alloc((check->count + 1) * sizeof(*pins));
	for (i = 0; i < check->count; i++) {
		fill_pin(check, &check->chosen[i], &pins[i]);
		if (pins_check_tool(&pins[i], &fail) < 0) {
			add_reason(check, "tool_refused", "tool", pins[i].slug,
			    mem_string(fail.message));
			refused++;
		}
	}
	if (pins_make(check->task, check->config, pins,
		refused == 0 ? check->count : 0, &out->pins, &fail) < 0)
		add_reason(check, "request_refused", "member", "model",
		    mem_string(fail.message));
	free_pins(pins, check->count);
}

/* Checks every toolkit for which there is an account. */
static void
check_accounts(struct check *check)
{
	const cJSON *account;
	const char *toolkit;

	cJSON_ArrayForEach (account, check->accounts) {
		toolkit = toolkit_of(account);
		if (get(check->out->accounts, toolkit) != NULL ||
		    preflight_reason(check->out, toolkit) != NULL)
			continue;
		check_toolkit(check, toolkit);
	}
}

static struct check
begin(const struct task *task, const cJSON *facts, struct preflight *out,
    struct fail *fail)
{
	*out = (struct preflight){
		.pins = BUF_INIT(PINS_MAX),
		.reasons = cJSON_CreateArray(),
		.accounts = cJSON_CreateObject(),
	};
	return (struct check){
		.task = task,
		.tools = get(facts, "tools"),
		.missing = get(facts, "missing_tools"),
		.toolkits = get(facts, "toolkits"),
		.accounts = get(facts, "accounts"),
		.auth_configs = get(facts, "auth_configs"),
		.out = out,
		.fail = fail,
	};
}

int
preflight_connections(const struct task *task, const cJSON *facts,
    struct preflight *ret, struct fail *fail)
{
	struct preflight out;
	struct check check = begin(task, facts, &out, fail);

	if (check_shape(&check) < 0 ||
	    (task->toolkits->child != NULL && check_toolkits(&check) < 0)) {
		preflight_release(&out);
		return -1;
	}
	if (task->toolkits->child == NULL)
		check_accounts(&check);
	*ret = out;
	return 0;
}

const cJSON *
preflight_reason(const struct preflight *preflight, const char *toolkit)
{
	const cJSON *reason;
	const char *about;

	cJSON_ArrayForEach (reason, preflight->reasons) {
		about = json_string(reason, "toolkit");
		if (about != NULL && strcmp(about, toolkit) == 0)
			return reason;
	}
	return NULL;
}

int
preflight_check(const struct task *task, const struct config *config,
    const cJSON *facts, struct preflight *ret, struct fail *fail)
{
	struct preflight out;
	struct check check = begin(task, facts, &out, fail);
	int result = -1;

	check.config = config;
	if (check_shape(&check) < 0 || choose_tools(&check) < 0 ||
	    check_toolkits(&check) < 0)
		goto out;
	check_budget(&check);
	make_pins(&check);
	if (out.reasons->child != NULL)
		buf_release(&out.pins);
	*ret = out;
	result = 0;
out:
	if (result < 0)
		preflight_release(&out);
	free(check.chosen);
	return result;
}

void
preflight_summary(const struct preflight *preflight, struct buf *buf)
{
	char *accounts = json_text(preflight->accounts);
	char *whole = mem_print("{%s}", preflight->pins.data);
	const char *before = "", *slug;
	const cJSON *tool;
	struct fail fail;
	cJSON *pinned;

	pinned = json_parse(whole, strlen(whole), &json_limits_upstream, &fail);
	buf_print(buf, "{\"ok\":true,\"accounts\":%s,\"tools\":[", accounts);
	cJSON_ArrayForEach (tool, get(pinned, "tools")) {
		slug = json_string(tool, "slug");
		if (slug == NULL)
			continue;
		buf_add_string(buf, before);
		json_quote(buf, slug, strlen(slug));
		before = ",";
	}
	buf_add_string(buf, "]}");
	cJSON_Delete(pinned);
	free(whole);
	free(accounts);
}

void
preflight_release(struct preflight *preflight)
{
	cJSON_Delete(preflight->reasons);
	cJSON_Delete(preflight->accounts);
	free(preflight->links);
	buf_release(&preflight->pins);
	*preflight = (struct preflight){ .reasons = NULL };
}
