/* SPDX-License-Identifier: ISC */
/*
 * linear: issues in the order of their creation, per user; lists give the
 * newest first.
 */
#include "cmd/standin/build.h"
#include "cmd/standin/script/script.h"
#include "cmd/standin/standin.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/json/json.h"

struct team {
	const char *id, *key, *name;
};

struct linear {
	struct team *teams;
	size_t team_count;
};

static int
read_team(const cJSON *entry, struct team *team, struct fail *fail)
{
	const struct script_member members[] = { { "id", .text = &team->id },
		{ "key", .text = &team->key }, { "name", .text = &team->name },
		{ NULL } };

	if (script_members(entry, members, "a team", fail) < 0)
		return -1;
	if (team->id == NULL || team->key == NULL || team->name == NULL)
		return script_refuse(fail,
		    "a team has an \"id\", a \"key\" and a \"name\"");
	return 0;
}

int
linear_new(const cJSON *script, struct linear **ret_linear, struct fail *fail)
{
	struct linear *linear = mem_alloc(sizeof(*linear));
	const cJSON *list = json_item(script, "teams"), *entry;

	linear->teams = script_list(list, sizeof(*linear->teams));
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

cJSON *
linear_list_teams(struct tool_call *call)
{
	const struct linear *linear = call->standin->linear;
	cJSON *list = cJSON_CreateArray();
	size_t i;

	for (i = 0; i < linear->team_count; i++)
		cJSON_AddItemToArray(list,
		    build("{'id':%s,'name':%s,'key':%s}", linear->teams[i].id,
			linear->teams[i].name, linear->teams[i].key));
	return build("{'teams':%j}", list);
}

#define ID_SIZE 40

static void
issue_id(const struct record *issue, char id[ID_SIZE])
{
	snprintf(id, ID_SIZE, "9b1d0c2e-0000-4000-8000-%012zx", issue->number);
}

/* The id, and the identifier that people know. */
static cJSON *
names_json(const struct linear *linear, const struct record *issue)
{
	const struct team *team = find_team(linear,
	    json_string(issue->arguments, "team_id"));
	char id[ID_SIZE],
	    *identifier = mem_print("%s-%zu", team != NULL ? team->key : "OLD",
		issue->number);
	cJSON *json;

	issue_id(issue, id);
	json = build("{'id':%s,'identifier':%s}", id, identifier);
	free(identifier);
	return json;
}

cJSON *
linear_create_issue(struct tool_call *call)
{
	const struct linear *linear = call->standin->linear;
	const char *team = json_string(call->arguments, "team_id");
	const char *title = json_string(call->arguments, "title");
	cJSON *data;
	char url[120];

	if (find_team(linear, team) == NULL)
		return tool_refuse(call,
		    "Entity not found: Team - Could not find referenced Team "
		    "%.60s",
		    team);
	if (*title == '\0')
		return tool_refuse(call,
		    "Argument Validation Error: title must not be empty");
	data = names_json(linear,
	    records_add(call->standin->issues, call->user, clock_wall(),
		call->arguments));
	snprintf(url, sizeof(url), "https://linear.example/issue/%.40s",
	    json_string(data, "identifier"));
	cJSON_AddStringToObject(data, "issue_title", title);
	cJSON_AddStringToObject(data, "ticket_url", url);
	return data;
}

static cJSON *
issue_json(const struct linear *linear, const struct record *issue)
{
	static const char *const kept[] = { "title", "description", "priority",
		"team_id", "project_id", "assignee_id", "due_date" };
	cJSON *json = names_json(linear, issue);
	const cJSON *value;
	char date[CLOCK_TEXT];
	size_t i;

	clock_format(issue->date, date);
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

cJSON *
linear_list_issues(struct tool_call *call)
{
	const cJSON *arguments = call->arguments;
	const char *after = json_string(arguments, "after");
	const struct record *issue;
	bool past = after == NULL || *after == '\0', more = false;
	char id[ID_SIZE] = "", last[ID_SIZE] = "";
	cJSON *list = cJSON_CreateArray();
	int64_t first = 10;
	size_t i;

	json_integer(arguments, "first", &first);
	for (i = 0; !more &&
	     (issue = records_newest(call->standin->issues, call->user, i)) !=
		 NULL;
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
			cJSON_AddItemToArray(list,
			    issue_json(call->standin->linear, issue));
			memcpy(last, id, sizeof(last));
		}
	}
	return build("{'issues':%j,'page_info':{'hasNextPage':%b,"
		     "'endCursor':%s}}",
	    list, more, *last != '\0' ? last : NULL);
}

cJSON *
hackernews_user(struct tool_call *call)
{
	return build("{'username':%s,'karma':4711}",
	    json_string(call->arguments, "username"));
}

cJSON *
linear_current_user(struct tool_call *call)
{
	return build("{'user':{'id':'2c9e64d7-0000-4000-8000-000000000001',"
		     "'name':%s,'email':'me@example.com'}}",
	    call->user);
}
