/* SPDX-License-Identifier: ISC */
/*
 * linear: issues in the order of their creation, per user; lists give the
 * newest first.
 */
#include "cmd/standin/tools/linear.h"

#include <string.h>

#include "cmd/standin/script/script.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/json/json.h"

struct team {
	const char *id, *key, *name;
};

struct linear {
	struct team *teams;
	size_t team_count;
	struct records *issues;
};

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

	linear->issues = records_new();
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
	records_free(linear->issues);
	free(linear->teams);
	free(linear);
}

struct records *
linear_issues(struct linear *linear)
{
	return linear->issues;
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

#define ID_SIZE 40

static void
issue_id(const struct record *issue, char id[ID_SIZE])
{
	snprintf(id, ID_SIZE, "9b1d0c2e-0000-4000-8000-%012zx", issue->number);
}

/* Adds the id, and the identifier that people know. Returns the latter. */
static const char *
add_names(cJSON *json, const struct linear *linear, const struct record *issue)
{
	const struct team *team = find_team(linear,
	    json_string(issue->arguments, "team_id"));
	char id[ID_SIZE];
	char *identifier = mem_print("%s-%zu", team != NULL ? team->key : "OLD",
	    issue->number);
	const cJSON *added;

	issue_id(issue, id);
	cJSON_AddStringToObject(json, "id", id);
	added = cJSON_AddStringToObject(json, "identifier", identifier);
	free(identifier);
	return added->valuestring;
}

static cJSON *
create_issue(struct linear *linear, const char *user, const cJSON *arguments,
    char error[300])
{
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
		    "Argument Validation Error: title must not be empty");
		return NULL;
	}
	data = cJSON_CreateObject();
	snprintf(url, sizeof(url), "https://linear.example/issue/%.40s",
	    add_names(data, linear,
		records_add(linear->issues, user, clock_wall(), arguments)));
	cJSON_AddStringToObject(data, "issue_title", title);
	cJSON_AddStringToObject(data, "ticket_url", url);
	return data;
}

static cJSON *
issue_json(const struct linear *linear, const struct record *issue)
{
	static const char *const kept[] = { "title", "description", "priority",
		"team_id", "project_id", "assignee_id", "due_date" };
	cJSON *json = cJSON_CreateObject();
	const cJSON *value;
	char date[CLOCK_TEXT];
	size_t i;

	clock_format(issue->date, date);
	add_names(json, linear, issue);
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
has(const struct record *issue, const cJSON *arguments, const char *name)
{
	const char *wanted = json_string(arguments, name);
	const char *got = json_string(issue->arguments, name);

	return wanted == NULL || (got != NULL && strcmp(wanted, got) == 0);
}

static cJSON *
list_issues(struct linear *linear, const char *user, const cJSON *arguments)
{
	const char *after = json_string(arguments, "after");
	const struct record *issue;
	bool past = after == NULL || *after == '\0', more = false;
	size_t i;
	int64_t first = 10;
	char id[ID_SIZE] = "", last[ID_SIZE] = "";
	cJSON *data = cJSON_CreateObject(), *list, *page;

	json_integer(arguments, "first", &first);
	list = cJSON_AddArrayToObject(data, "issues");
	for (i = 0;
	     !more && (issue = records_newest(linear->issues, user, i)) != NULL;
	     i++) {
		issue_id(issue, id);
		if (!past) {
			past = strcmp(id, after) == 0;
			continue;
		}
		if (!has(issue, arguments, "project_id") ||
		    !has(issue, arguments, "assignee_id"))
			continue;
		if (first-- == 0) {
			more = true;
		} else {
			cJSON_AddItemToArray(list, issue_json(linear, issue));
			memcpy(last, id, sizeof(last));
		}
	}
	page = cJSON_AddObjectToObject(data, "page_info");
	cJSON_AddBoolToObject(page, "hasNextPage", more);
	if (*last == '\0')
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
