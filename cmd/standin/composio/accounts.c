/* SPDX-License-Identifier: ISC */
/*
 * accounts: an array, in the order of the script, then as they were linked.
 */
#include "cmd/standin/composio/accounts.h"

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
		return fail_set(fail, FAIL_NEVER, "invalid_script",
		    "an account has the status \"%s\"; did you mean \"%s\"?",
		    status, near);
	return 0;
}

static int
read_after(const cJSON *after, struct account *account, struct fail *fail)
{
	static const char *const names[] = { "calls", "status", "status_reason",
		NULL };

	if (after == NULL)
		return 0;
	if (script_known(after, names, "accounts: after", fail) < 0 ||
	    script_number(after, "calls", 0, 1000000000, 0,
		&account->after_calls, "accounts: after", fail) < 0 ||
	    script_string(after, "status", "EXPIRED", &account->later,
		"accounts: after", fail) < 0 ||
	    script_string(after, "status_reason",
		"permanent auth error during token refresh",
		&account->later_reason, "accounts: after", fail) < 0)
		return -1;
	return check_status(account->later, fail);
}

static int
read_one(const cJSON *entry, struct account *account, struct fail *fail)
{
	static const char *const names[] = { "after", "alias", "auth_config",
		"disabled", "id", "status", "status_reason", "toolkit", "user",
		NULL };
	const char *user, *toolkit, *id, *status, *reason, *config, *alias;

	if (script_known(entry, names, "an account", fail) < 0 ||
	    script_string(entry, "user", NULL, &user, "an account", fail) < 0 ||
	    script_string(entry, "toolkit", NULL, &toolkit, "an account",
		fail) < 0 ||
	    script_string(entry, "id", NULL, &id, "an account", fail) < 0 ||
	    script_string(entry, "status", "ACTIVE", &status, "an account",
		fail) < 0 ||
	    script_string(entry, "status_reason", NULL, &reason, "an account",
		fail) < 0 ||
	    script_string(entry, "auth_config", NULL, &config, "an account",
		fail) < 0 ||
	    script_string(entry, "alias", NULL, &alias, "an account", fail) <
		0 ||
	    check_status(status, fail) < 0 ||
	    read_after(json_item(entry, "after"), account, fail) < 0)
		return -1;
	if (user == NULL || toolkit == NULL)
		return fail_set(fail, FAIL_NEVER, "invalid_script",
		    "an account has a \"user\" and a \"toolkit\"");
	account->user = mem_string(user);
	account->toolkit = mem_string(toolkit);
	account->id = id != NULL ? mem_string(id)
				 : mem_print("ca_%s_%s", toolkit, user);
	account->auth_config = config != NULL ? mem_string(config)
					      : mem_print("ac_%s", toolkit);
	account->alias = mem_string(alias);
	account->reason = mem_string(reason);
	account->status = status;
	account->disabled = json_true(entry, "disabled");
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
    const char *auth_config)
{
	struct account *account = add(accounts);

	account->id = mem_print("ca_linked%04zu", accounts->count);
	account->token = mem_print("lk_standin%04zu", accounts->count);
	account->user = mem_string(user);
	account->toolkit = mem_string(toolkit);
	account->auth_config = mem_string(auth_config);
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

static void
add_nullable(cJSON *json, const char *name, const char *text)
{
	if (text == NULL)
		cJSON_AddNullToObject(json, name);
	else
		cJSON_AddStringToObject(json, name, text);
}

cJSON *
account_json(const struct account *account, bool whole)
{
	cJSON *json = cJSON_CreateObject(), *part;
	char made[CLOCK_TEXT], *word;

	clock_format(account->made, made);
	cJSON_AddStringToObject(json, "id", account->id);
	part = cJSON_AddObjectToObject(json, "toolkit");
	cJSON_AddStringToObject(part, "slug", account->toolkit);
	part = cJSON_AddObjectToObject(json, "auth_config");
	cJSON_AddStringToObject(part, "id", account->auth_config);
	cJSON_AddStringToObject(part, "auth_scheme", "OAUTH2");
	cJSON_AddTrueToObject(part, "is_composio_managed");
	cJSON_AddFalseToObject(part, "is_disabled");
	cJSON_AddStringToObject(json, "status", account->status);
	add_nullable(json, "status_reason", account->reason);
	cJSON_AddBoolToObject(json, "is_disabled", account->disabled);
	part = cJSON_AddObjectToObject(json, "state");
	cJSON_AddStringToObject(part, "authScheme", "OAUTH2");
	part = cJSON_AddObjectToObject(part, "val");
	cJSON_AddStringToObject(part, "status", account->status);
	cJSON_AddStringToObject(part, "access_token", "REDACTED");
	cJSON_AddItemToObject(json, "data", cJSON_CreateObject());
	cJSON_AddStringToObject(json, "user_id", account->user);
	add_nullable(json, "alias", account->alias);
	word = mem_print("%s_stand-in", account->toolkit);
	cJSON_AddStringToObject(json, "word_id", word);
	free(word);
	cJSON_AddStringToObject(json, "created_at", made);
	cJSON_AddStringToObject(json, "updated_at", made);
	cJSON_AddStringToObject(json, "test_request_endpoint", "");
	if (whole) {
		cJSON_AddItemToObject(json, "params", cJSON_CreateObject());
		cJSON_AddArrayToObject(json, "requested_scopes");
		cJSON_AddArrayToObject(json, "requested_user_scopes");
	}
	return json;
}
