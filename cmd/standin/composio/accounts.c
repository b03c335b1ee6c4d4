/* SPDX-License-Identifier: ISC */
/*
 * accounts: an array, in the order of the script, then as they were linked.
 */
#include "cmd/standin/composio/composio.h"

#include "cmd/standin/build.h"
#include "cmd/standin/script/script.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/json/json.h"

#define FIRST_MADE 1793520000000 /* accounts of the script: 2026-11-01 */
#define MINUTE 60000

struct accounts {
	struct account **list;
	size_t count;
};

static const char *const statuses[] = { "ACTIVE", "EXPIRED", "FAILED",
	"INACTIVE", "INITIALIZING", "INITIATED", "REVOKED", NULL };

static void
account_free(struct account *account)
{
	free(account->id);
	free(account->user);
	free(account->toolkit);
	free(account->auth_config);
	free(account->alias);
	free(account->reason);
	free(account->token);
	free(account->url);
	free(account);
}

static struct account *
add(struct accounts *accounts)
{
	struct account *account = mem_alloc(sizeof(*account));

	accounts->list = mem_grow(accounts->list, accounts->count + 1,
	    sizeof(*accounts->list));
	accounts->list[accounts->count++] = account;
	account->after_calls = -1;
	return account;
}

/* A status that clients don't know is accepted, but one that is nearly a known
 * one is refused as a mistake. */
static int
check_status(const char *status, struct fail *fail)
{
	const char *near = json_nearest(status, statuses);

	if (near != NULL && strcmp(near, status) != 0)
		return script_refuse(fail,
		    "an account has the status \"%s\"; did you mean \"%s\"?",
		    status, near);
	return 0;
}

static int
read_after(const cJSON *after, struct account *account, struct fail *fail)
{
	const struct script_member members[] = {
		{ "calls", .number = &account->after_calls, 0, 1000000000 },
		{ "status", .text = &account->later },
		{ "status_reason", .text = &account->later_reason }, { NULL }
	};

	if (after == NULL)
		return 0;
	account->after_calls = 0;
	account->later = "EXPIRED";
	account->later_reason = "permanent auth error during token refresh";
	if (script_members(after, members, "accounts: after", fail) < 0)
		return -1;
	return check_status(account->later, fail);
}

static int
read_one(const cJSON *entry, struct account *account, struct fail *fail)
{
	const char *user = NULL, *toolkit = NULL, *id = NULL, *reason = NULL;
	const char *config = NULL, *alias = NULL;
	const cJSON *after = NULL;
	const struct script_member members[] = { { "after", .value = &after },
		{ "alias", .text = &alias }, { "auth_config", .text = &config },
		{ "disabled", .flag = &account->disabled },
		{ "id", .text = &id }, { "scope", .text = &account->scope },
		{ "status", .text = &account->status },
		{ "status_reason", .text = &reason },
		{ "toolkit", .text = &toolkit }, { "user", .text = &user },
		{ NULL } };

	account->status = "ACTIVE";
	if (script_members(entry, members, "an account", fail) < 0 ||
	    check_status(account->status, fail) < 0 ||
	    read_after(after, account, fail) < 0)
		return -1;
	if (user == NULL || toolkit == NULL)
		return script_refuse(fail,
		    "an account has a \"user\" and a \"toolkit\"");
	account->user = mem_string(user);
	account->toolkit = mem_string(toolkit);
	account->id = id != NULL ? mem_string(id)
				 : mem_print("ca_%s_%s", toolkit, user);
	account->auth_config = config != NULL ? mem_string(config)
					      : mem_print("ac_%s", toolkit);
	account->alias = mem_string(alias);
	account->reason = mem_string(reason);
	return 0;
}

int
accounts_new(const cJSON *script, struct accounts **ret_accounts,
    struct fail *fail)
{
	struct accounts *accounts = mem_alloc(sizeof(*accounts));
	const cJSON *entry;
	struct account *account;

	cJSON_ArrayForEach (entry, json_item(script, "accounts")) {
		account = add(accounts);
		account->made = FIRST_MADE + (int64_t)accounts->count * MINUTE;
		if (read_one(entry, account, fail) < 0) {
			accounts_free(accounts);
			return fail_prefix(fail, "accounts");
		}
	}
	*ret_accounts = accounts;
	return 0;
}

void
accounts_free(struct accounts *accounts)
{
	size_t i;

	if (accounts == NULL)
		return;
	for (i = 0; i < accounts->count; i++)
		account_free(accounts->list[i]);
	free(accounts->list);
	free(accounts);
}

struct account *
accounts_at(struct accounts *accounts, size_t index)
{
	return index < accounts->count ? accounts->list[index] : NULL;
}

struct account *
accounts_find(struct accounts *accounts, const char *id)
{
	size_t i;

	for (i = 0; i < accounts->count; i++)
		if (strcmp(accounts->list[i]->id, id) == 0)
			return accounts->list[i];
	return NULL;
}

bool
account_of(const struct account *account, const char *user)
{
	return strcmp(account->user, "*") == 0 ||
	    strcmp(account->user, user) == 0;
}

struct account *
accounts_active(struct accounts *accounts, const char *user,
    const char *toolkit)
{
	struct account *account;
	size_t i;

	for (i = accounts->count; i > 0; i--) {
		account = accounts->list[i - 1];
		if (account_of(account, user) &&
		    strcmp(account->toolkit, toolkit) == 0 &&
		    strcmp(account->status, "ACTIVE") == 0 &&
		    !account->disabled)
			return account;
	}
	return NULL;
}

struct account *
accounts_link(struct accounts *accounts, const char *user, const char *toolkit,
    const char *auth_config, const char *base, const char *alias)
{
	struct account *account = add(accounts);

	account->id = mem_print("ca_linked%04zu", accounts->count);
	account->token = mem_print("lk_standin%04zu", accounts->count);
	account->url = mem_print("%s/link/%s", base, account->token);
	account->user = mem_string(user);
	account->toolkit = mem_string(toolkit);
	account->auth_config = mem_string(auth_config);
	account->alias = mem_string(alias);
	account->status = "INITIALIZING";
	account->made = clock_wall();
	return account;
}

struct account *
accounts_connect(struct accounts *accounts, const char *token)
{
	struct account *account;
	size_t i;

	for (i = 0; i < accounts->count; i++) {
		account = accounts->list[i];
		if (account->token != NULL &&
		    strcmp(account->token, token) == 0) {
			account->status = "ACTIVE";
			free(account->url);
			account->url = NULL;
			return account;
		}
	}
	return NULL;
}

void
account_called(struct account *account)
{
	account->calls++;
	if (account->after_calls < 0 || account->calls < account->after_calls)
		return;
	account->after_calls = -1;
	account->status = account->later;
	free(account->reason);
	account->reason = mem_string(account->later_reason);
}

cJSON *
account_json(const struct account *account, bool whole)
{
	char made[CLOCK_TEXT];
	char *word = mem_print("%s_stand-in", account->toolkit);
	cJSON *json;

	clock_format(account->made, made);
	json = build("{'id':%s,'toolkit':{'slug':%s},'auth_config':{'id':%s,"
		     "'auth_scheme':'OAUTH2','is_composio_managed':true,"
		     "'is_disabled':false},'status':%s,'status_reason':%s,"
		     "'is_disabled':%b,'state':{'authScheme':'OAUTH2','val':"
		     "{'status':%s,'access_token':'REDACTED'}},'data':{},"
		     "'user_id':%s,'alias':%s,'word_id':%s,'created_at':%s,"
		     "'updated_at':%s,'test_request_endpoint':''}",
	    account->id, account->toolkit, account->auth_config,
	    account->status, account->reason, account->disabled,
	    account->status, account->user, account->alias, word, made, made);
	free(word);
	if (account->scope != NULL)
		cJSON_AddStringToObject(json_item(json_item(json, "state"),
					    "val"),
		    "scope", account->scope);
	if (account->url != NULL)
		cJSON_AddStringToObject(json_item(json_item(json, "state"),
					    "val"),
		    "redirectUrl", account->url);
	if (whole) {
		cJSON_AddItemToObject(json, "params", cJSON_CreateObject());
		cJSON_AddArrayToObject(json, "requested_scopes");
		cJSON_AddArrayToObject(json, "requested_user_scopes");
	}
	return json;
}
