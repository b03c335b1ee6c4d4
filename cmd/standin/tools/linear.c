/* SPDX-License-Identifier: ISC */
/*
 * linear: issues in the order of their creation, per user; lists give the
 * newest first.
 */
#include "cmd/standin/tools/linear.h"

#include <glib.h>

#include "cmd/standin/script/script.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/json/json.h"

struct team {
	const char *id, *key, *name;
};

struct issue {
	char *id, *identifier, *user;
	int64_t date;
	cJSON *arguments;
};

struct linear {
	struct team *teams;
	size_t team_count;
	GPtrArray *issues; /* all, oldest first */
	GHashTable *users; /* user -> GPtrArray of issues, not owned */
};

static void
issue_free(gpointer pointer)
{
	struct issue *issue = pointer;

	free(issue->id);
	free(issue->identifier);
	free(issue->user);
	cJSON_Delete(issue->arguments);
	free(issue);
}

static void
array_free(gpointer array)
{
	g_ptr_array_free(array, TRUE);
}

static int
read_team(const cJSON *entry, struct team *team, struct fail *fail)
{
	static const char *const names[] = { "id", "key", "name", NULL };

	if (script_known(entry, names, "a team", fail) < 0 ||
	    script_string(entry, "id", NULL, &team->id, "a team", fail) < 0 ||
	    script_string(entry, "key", NULL, &team->key, "a team", fail) < 0 ||
	    script_string(entry, "name", NULL, &team->name, "a team", fail) < 0)
		return -1;
	if (team->id == NULL || team->key == NULL || team->name == NULL)
		return fail_set(fail, FAIL_NEVER, "invalid_script",
		    "a team has an \"id\", a \"key\" and a \"name\"");
	return 0;
}

int
linear_new(const cJSON *script, struct linear **ret_linear, struct fail *fail)
{
	struct linear *linear = mem_alloc(sizeof(*linear));
	const cJSON *list = json_item(script, "teams"), *entry;

	linear->issues = g_ptr_array_new_with_free_func(issue_free);
	linear->users = g_hash_table_new_full(g_str_hash, g_str_equal, NULL,
	    array_free);
	linear->teams = mem_alloc(
	    ((size_t)cJSON_GetArraySize(list) + 1) * sizeof(*linear->teams));
	cJSON_ArrayForEach (entry, list) {
		if (read_team(entry, &linear->teams[linear->team_count++],
			fail) < 0) {
			linear_free(linear);
			return fail_prefix(fail, "teams");
		}
	}
	if (linear->team_count == 0)
		linear->teams[linear->team_count++] = (struct team){
			"7f0c1f64-0000-4000-8000-0000000000e1", "ENG",
			"Engineering"
		};
	*ret_linear = linear;
	return 0;
}

void
linear_free(struct linear *linear)
{
	if (linear == NULL)
		return;
	g_hash_table_destroy(linear->users);
	g_ptr_array_free(linear->issues, TRUE);
	free(linear->teams);
	free(linear);
}

static const struct team *
find_team(const struct linear *linear, const char *id)
{
	size_t i;

	for (i = 0; i < linear->team_count; i++)
		if (id != NULL && strcmp(linear->teams[i].id, id) == 0)
			return &linear->teams[i];
	return NULL;
}

static cJSON *
list_teams(const struct linear *linear)
{
	cJSON *data = cJSON_CreateObject(), *list, *one;
	size_t i;

	list = cJSON_AddArrayToObject(data, "teams");
	for (i = 0; i < linear->team_count; i++) {
		one = cJSON_CreateObject();
		cJSON_AddStringToObject(one, "id", linear->teams[i].id);
		cJSON_AddStringToObject(one, "name", linear->teams[i].name);
		cJSON_AddStringToObject(one, "key", linear->teams[i].key);
		cJSON_AddItemToArray(list, one);
	}
	return data;
}

static struct issue *
add_issue(struct linear *linear, const char *user, int64_t date,
    const cJSON *arguments)
{
	struct issue *issue = mem_alloc(sizeof(*issue));
	const struct team *team = find_team(linear,
	    json_string(arguments, "team_id"));
	size_t number = linear->issues->len + 1;
	GPtrArray *own;

	issue->id = mem_print("9b1d0c2e-0000-4000-8000-%012zx", number);
	issue->identifier = mem_print("%s-%zu",
	    team != NULL ? team->key : "OLD", number);
	issue->user = mem_string(user);
	issue->date = date;
	issue->arguments = cJSON_Duplicate(arguments, true);
	g_ptr_array_add(linear->issues, issue);
	own = g_hash_table_lookup(linear->users, user);
	if (own == NULL) {
		own = g_ptr_array_new();
		g_hash_table_insert(linear->users, issue->user, own);
	}
	g_ptr_array_add(own, issue);
	return issue;
}

static cJSON *
create_issue(struct linear *linear, const char *user, const cJSON *arguments,
    char error[300])
{
	const struct issue *issue;
	const char *team = json_string(arguments, "team_id");
	const char *title = json_string(arguments, "title");
	cJSON *data;
	char url[120];

	if (find_team(linear, team) == NULL) {
		snprintf(error, 300,
		    "Entity not found: Team - Could not find "
		    "referenced Team %.60s",
		    team);
		return NULL;
	}
	if (*title == '\0') {
		snprintf(error, 300,
		    "Argument Validation Error: title must "
		    "not be empty");
		return NULL;
	}
	issue = add_issue(linear, user, clock_wall(), arguments);
	snprintf(url, sizeof(url), "https://linear.example/issue/%.40s",
	    issue->identifier);
	data = cJSON_CreateObject();
	cJSON_AddStringToObject(data, "id", issue->id);
	cJSON_AddStringToObject(data, "identifier", issue->identifier);
	cJSON_AddStringToObject(data, "issue_title", title);
	cJSON_AddStringToObject(data, "ticket_url", url);
	return data;
}

static cJSON *
issue_json(const struct issue *issue)
{
	static const char *const kept[] = { "title", "description", "priority",
		"team_id", "project_id", "assignee_id", "due_date" };
	cJSON *json = cJSON_CreateObject();
	const cJSON *value;
	char date[CLOCK_TEXT];
	size_t i;

	clock_format(issue->date, date);
	cJSON_AddStringToObject(json, "id", issue->id);
	cJSON_AddStringToObject(json, "identifier", issue->identifier);
	for (i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		value = json_item(issue->arguments, kept[i]);
		if (value != NULL)
			cJSON_AddItemToObject(json, kept[i],
			    cJSON_Duplicate(value, true));
	}
	cJSON_AddStringToObject(json, "created_at", date);
	return json;
}

static bool
has(const struct issue *issue, const cJSON *arguments, const char *name)
{
	const char *wanted = json_string(arguments, name);
	const char *got = json_string(issue->arguments, name);

	return wanted == NULL || (got != NULL && strcmp(wanted, got) == 0);
}

static cJSON *
list_issues(struct linear *linear, const char *user, const cJSON *arguments)
{
	const GPtrArray *own = g_hash_table_lookup(linear->users, user);
	const char *after = json_string(arguments, "after"), *last = NULL;
	const struct issue *issue;
	bool past = after == NULL || *after == '\0', more = false;
	size_t i, total = own == NULL ? 0 : own->len;
	int64_t first = 10;
	cJSON *data = cJSON_CreateObject(), *list, *page;

	json_integer(arguments, "first", &first);
	list = cJSON_AddArrayToObject(data, "issues");
	for (i = total; i > 0 && !more; i--) {
		issue = g_ptr_array_index(own, i - 1);
		if (!past) {
			past = strcmp(issue->id, after) == 0;
			continue;
		}
		if (!has(issue, arguments, "project_id") ||
		    !has(issue, arguments, "assignee_id"))
			continue;
		if (first-- == 0) {
			more = true;
		} else {
			cJSON_AddItemToArray(list, issue_json(issue));
			last = issue->id;
		}
	}
	page = cJSON_AddObjectToObject(data, "page_info");
	cJSON_AddBoolToObject(page, "hasNextPage", more);
	if (last == NULL)
		cJSON_AddNullToObject(page, "endCursor");
	else
		cJSON_AddStringToObject(page, "endCursor", last);
	return data;
}

static cJSON *
current_user(const char *user)
{
	cJSON *data = cJSON_CreateObject(), *one;

	one = cJSON_AddObjectToObject(data, "user");
	cJSON_AddStringToObject(one, "id",
	    "2c9e64d7-0000-4000-8000-000000000001");
	cJSON_AddStringToObject(one, "name", user);
	cJSON_AddStringToObject(one, "email", "me@example.com");
	return data;
}

bool
linear_run(struct linear *linear, const char *slug, const char *user,
    const cJSON *arguments, cJSON **ret_data, char error[300])
{
	if (strcmp(slug, "LINEAR_LIST_LINEAR_TEAMS") == 0)
		*ret_data = list_teams(linear);
	else if (strcmp(slug, "LINEAR_CREATE_LINEAR_ISSUE") == 0)
		*ret_data = create_issue(linear, user, arguments, error);
	else if (strcmp(slug, "LINEAR_LIST_LINEAR_ISSUES") == 0)
		*ret_data = list_issues(linear, user, arguments);
	else if (strcmp(slug, "LINEAR_GET_CURRENT_USER") == 0)
		*ret_data = current_user(user);
	else
		return false;
	return true;
}

cJSON *
linear_save(const struct linear *linear)
{
	cJSON *saved = cJSON_CreateArray(), *one;
	const struct issue *issue;
	guint i;

	for (i = 0; i < linear->issues->len; i++) {
		issue = g_ptr_array_index(linear->issues, i);
		one = cJSON_CreateObject();
		cJSON_AddStringToObject(one, "user", issue->user);
		cJSON_AddNumberToObject(one, "date", (double)issue->date);
		cJSON_AddItemToObject(one, "arguments",
		    cJSON_Duplicate(issue->arguments, true));
		cJSON_AddItemToArray(saved, one);
	}
	return saved;
}

void
linear_restore(struct linear *linear, const cJSON *saved)
{
	const cJSON *one;
	const char *user;
	int64_t date;

	cJSON_ArrayForEach (one, saved) {
		user = json_string(one, "user");
		if (user != NULL && json_integer(one, "date", &date) &&
		    cJSON_IsObject(json_item(one, "arguments")))
			add_issue(linear, user, date,
			    json_item(one, "arguments"));
	}
}
