/* SPDX-License-Identifier: ISC */
/*
 * A checked task is built anew, member by member in one fixed order, rather
 * than corrected in place: nothing else can get into it, and two tasks that
 * mean the same have the same text (times in UTC, money rounded to the
 * billionth, defaults written out). --key compares that text.
 *
 * The doc from the journal goes through the same checks without a
 * configuration, so that a default that is missing there is a fault.
 */
#include "common/agent/task.h"

#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/json/json.h"
#include "common/json/shape.h"

#define SHORT_TOKENS 512 /* the shortest reply that is of use */
#define NAME_MAX 64      /* of a member of a map */
#define MONEY_SCALE 1000000000

static const char *const state_names[] = {
	[TASK_QUEUED] = "queued",
	[TASK_RUNNING] = "running",
	[TASK_WAITING] = "waiting",
	[TASK_COMPLETED] = "completed",
	[TASK_BLOCKED] = "blocked",
	[TASK_FAILED] = "failed",
	[TASK_CANCELLED] = "cancelled",
};
_Static_assert(sizeof(state_names) / sizeof(*state_names) == TASK_STATES,
    "each state has a name");

static const char *const members[] = { "user", "goal", "toolkits", "tools",
	"accounts", "model", "effort", "max_tokens", "system", "timezone",
	"key", "queue", "priority", "not_before", "deadline", "budget",
	"on_budget", "labels", "preflight", NULL };

static const char *const budget_members[] = { "turns", "tokens", "usd",
	"seconds", NULL };

#define SMALL "abcdefghijklmnopqrstuvwxyz"
#define LARGE "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

struct check {
	const cJSON *in;
	const struct config *config; /* NULL: a doc, which has every default */
	struct task *task;
	struct fail *fail;
};

const char *
task_state_name(enum task_state state)
{
	return state_names[state];
}

bool
task_state_parse(const char *name, enum task_state *ret_state)
{
	size_t i;

	for (i = 0; i < TASK_STATES; i++) {
		if (strcmp(state_names[i], name) == 0) {
			*ret_state = (enum task_state)i;
			return true;
		}
	}
	return false;
}

bool
task_state_final(enum task_state state)
{
	return state >= TASK_COMPLETED && state < TASK_STATES;
}

static bool
only(const char *text, const char *set)
{
	return text[strspn(text, set)] == '\0';
}

/* C0, DEL and C1, which is 0xc2 0x80 to 0xc2 0x9f in UTF-8. */
static bool
has_controls(const char *text)
{
	const unsigned char *at;

	for (at = (const unsigned char *)text; *at != '\0'; at++)
		if (*at < 0x20 || *at == 0x7f ||
		    (*at == 0xc2 && at[1] >= 0x80 && at[1] <= 0x9f))
			return true;
	return false;
}

bool
task_user_fine(const char *text)
{
	return text[0] != '\0' && json_utf8(text, strlen(text)) &&
	    !has_controls(text) && strchr(text, ',') == NULL &&
	    text[0] != ' ' && text[strlen(text) - 1] != ' ';
}

static bool
printable(const char *text)
{
	return !has_controls(text);
}

static bool
not_blank(const char *text)
{
	return text[strspn(text, " \t\r\n\v\f")] != '\0';
}

/* Strings and lists of strings. */
struct text_rule {
	const char *name;
	size_t most;
	bool (*fine)(const char *text);
	const char *must;
	const char *set; /* of its characters; NULL: any */
	size_t entries;  /* the most of a list */
};

static const struct text_rule user_rule = { "user", TASK_USER_MAX,
	task_user_fine,
	"a user id without commas, control characters or spaces at its ends" };
static const struct text_rule goal_rule = { "goal", TASK_GOAL_MAX, not_blank,
	"a text that says what is to be done" };
static const struct text_rule model_rule = { "model", TASK_MODEL_MAX, NULL,
	"the name of a model (letters, digits, . _ : @ / -)",
	SMALL LARGE DIGITS "._:@/-" };
static const struct text_rule system_rule = { "system", TASK_SYSTEM_MAX,
	not_blank, "a text" };
static const struct text_rule timezone_rule = { "timezone", TASK_TIMEZONE_MAX,
	NULL, "the IANA name of a time zone, as Europe/Berlin",
	SMALL LARGE DIGITS "_+-/" };
static const struct text_rule key_rule = { "key", TASK_KEY_MAX, printable,
	"a text without control characters" };
static const struct text_rule queue_rule = { "queue", TASK_QUEUE_MAX, NULL,
	"a name of small letters, digits and . _ -", SMALL DIGITS "._-" };
static const struct text_rule toolkits_rule = { "toolkits", TASK_TOOLKIT_MAX,
	NULL, "the name of a toolkit (small letters, digits, _ -)",
	SMALL DIGITS "_-", TASK_TOOLKITS_MAX };
static const struct text_rule tools_rule = { "tools", TASK_TOOL_MAX, NULL,
	"the name of a tool, or a pattern with * ? [...]",
	SMALL LARGE DIGITS "_*?[]-", TASK_TOOLS_MAX };

struct map_rule {
	const char *name, *what, *must, *set; /* of the members' names */
	int entries;
	size_t least, most; /* of a value */
};

static const struct map_rule accounts_rule = { "accounts", "a toolkit",
	"small letters, digits, _ and -", SMALL DIGITS "_-", TASK_TOOLKITS_MAX,
	1, TASK_ACCOUNT_MAX };
static const struct map_rule labels_rule = { "labels", "a label",
	"letters, digits and . _ / -", SMALL LARGE DIGITS "._/-",
	TASK_LABELS_MAX, 0, 256 };

static int
read_text(const cJSON *value, const char *path, const struct text_rule *rule,
    const char **ret_text, struct fail *fail)
{
	if (shape_string(value, path, 1, rule->most, rule->fine, rule->must,
		ret_text, fail) < 0)
		return -1;
	return rule->set == NULL || only(*ret_text, rule->set)
	    ? 0
	    : shape_refuse(fail, value, path, "%s", rule->must);
}

/* Copies a string member, or its default (NULL: none, and left out). */
static int
take_text(const struct check *check, const struct text_rule *rule,
    bool required, const char *otherwise, const char **ret_text)
{
	const cJSON *value;
	const char *text = otherwise;

	value = json_item(check->in, rule->name);
	if (value == NULL && text == NULL && required)
		return shape_refuse(check->fail, NULL, rule->name, "%s",
		    rule->must);
	if (value != NULL &&
	    read_text(value, rule->name, rule, &text, check->fail) < 0)
		return -1;
	if (text != NULL)
		*ret_text = cJSON_AddStringToObject(check->task->doc,
		    rule->name, text)
				->valuestring;
	return 0;
}

static int
take_effort(const struct check *check)
{
	const cJSON *value;
	const char *effort = NULL;
	size_t index;

	value = json_item(check->in, "effort");
	if (value != NULL) {
		if (shape_choice(value, "effort", config_efforts, &index,
			check->fail) < 0)
			return -1;
		effort = config_efforts[index];
	} else if (check->config != NULL) {
		effort = check->config->effort;
	}
	if (effort != NULL)
		check->task->effort = cJSON_AddStringToObject(check->task->doc,
		    "effort", effort)
					  ->valuestring;
	return 0;
}

static int
take_on_budget(const struct check *check)
{
	static const char *const choices[] = { "wait", "fail", NULL };
	const cJSON *value = json_item(check->in, "on_budget");
	size_t index = 0;

	if (value != NULL &&
	    shape_choice(value, "on_budget", choices, &index, check->fail) < 0)
		return -1;
	check->task->fails_on_budget = index == 1;
	if (index == 1)
		cJSON_AddStringToObject(check->task->doc, "on_budget", "fail");
	return 0;
}

static int
take_integer(const struct check *check, const char *name, int64_t least,
    int64_t most, int64_t otherwise, int64_t *ret_number)
{
	const cJSON *value;
	int64_t number = otherwise;

	value = json_item(check->in, name);
	if ((value != NULL || check->config == NULL) &&
	    shape_integer(value, name, least, most, &number, check->fail) < 0)
		return -1;
	cJSON_AddNumberToObject(check->task->doc, name, (double)number);
	*ret_number = number;
	return 0;
}

static int
take_time(const struct check *check, const char *name, int64_t *ret_time)
{
	const cJSON *value;
	struct fail ignored;
	const char *text;
	char canonical[CLOCK_TEXT];
	int64_t wall;

	value = json_item(check->in, name);
	if (value == NULL)
		return 0;
	if (!cJSON_IsString(value))
		goto refuse;
	text = value->valuestring;
	if (clock_parse(text, &wall, &ignored) < 0 || wall <= 0)
		goto refuse;
	clock_format(wall, canonical);
	cJSON_AddStringToObject(check->task->doc, name, canonical);
	*ret_time = wall;
	return 0;
refuse:
	return shape_refuse(check->fail, value, name,
	    "a time after 1970 as in \"2026-11-23T20:01:02Z\" (RFC 3339)");
}

static int
take_list(const struct check *check, const struct text_rule *rule,
    const cJSON **ret_list)
{
	const cJSON *value, *item, *before;
	const char *text;
	char path[SHAPE_PATH];
	cJSON *list;
	size_t i = 0;

	value = json_item(check->in, rule->name);
	list = cJSON_AddArrayToObject(check->task->doc, rule->name);
	*ret_list = list;
	if (value == NULL)
		return 0;
	if (!cJSON_IsArray(value))
		return shape_refuse(check->fail, value, rule->name,
		    "a list of strings");
	if ((size_t)cJSON_GetArraySize(value) > rule->entries)
		return fail_set(check->fail, FAIL_NEVER, "invalid_value",
		    "%s has %d entries, and may have at most %zu", rule->name,
		    cJSON_GetArraySize(value), rule->entries);
	cJSON_ArrayForEach (item, value) {
		snprintf(path, sizeof(path), "%s[%zu]", rule->name, i++);
		if (read_text(item, path, rule, &text, check->fail) < 0)
			return -1;
		cJSON_ArrayForEach (before, list)
			if (strcmp(before->valuestring, text) == 0)
				return fail_set(check->fail, FAIL_NEVER,
				    "invalid_value", "%s repeats %s", path,
				    text);
		cJSON_AddItemToArray(list, cJSON_CreateString(text));
	}
	return 0;
}

static int
take_budget(const struct check *check)
{
	struct task *task = check->task;
	const struct {
		int64_t most, scale; /* 1: whole numbers */
		int64_t *number;
	} rows[] = {
		{ TASK_TURNS_MAX, 1, &task->budget_turns },
		{ TASK_TOKENS_MAX, 1, &task->budget_tokens },
		{ TASK_USD_MAX, MONEY_SCALE, &task->budget_nano_usd },
		{ TASK_SECONDS_MAX, 1, &task->budget_seconds },
	};
	const cJSON *budget = json_item(check->in, "budget"), *value;
	char path[SHAPE_PATH];
	cJSON *out;

	if (budget != NULL &&
	    shape_object(budget, "budget", budget_members, check->fail) < 0)
		return -1;
	task->budget_turns = TASK_TURNS_DEFAULT;
	out = cJSON_AddObjectToObject(task->doc, "budget");
	for (size_t i = 0; budget_members[i] != NULL; i++) {
		snprintf(path, sizeof(path), "budget.%s", budget_members[i]);
		value = json_item(budget, budget_members[i]);
		if (value != NULL &&
		    (rows[i].scale == 1
			    ? shape_integer(value, path, 1, rows[i].most,
				  rows[i].number, check->fail)
			    : shape_decimal(value, path,
				  1.0 / (double)rows[i].scale,
				  (double)rows[i].most, rows[i].scale,
				  rows[i].number, check->fail)) < 0)
			return -1;
		if (*rows[i].number > 0)
			cJSON_AddNumberToObject(out, budget_members[i],
			    (double)*rows[i].number / (double)rows[i].scale);
	}
	return 0;
}

/* Copies a map of names to texts; one without any member is left out. */
static int
take_map(const struct check *check, const struct map_rule *rule,
    const cJSON **ret_map)
{
	const cJSON *map = json_item(check->in, rule->name), *item;
	const char *text;
	char path[SHAPE_PATH];
	cJSON *out;

	if (map == NULL)
		return 0;
	if (shape_object(map, rule->name, NULL, check->fail) < 0)
		return -1;
	if (cJSON_GetArraySize(map) > rule->entries)
		return fail_set(check->fail, FAIL_NEVER, "invalid_value",
		    "%s has %d members, and may have at most %d", rule->name,
		    cJSON_GetArraySize(map), rule->entries);
	if (map->child == NULL)
		return 0;
	out = cJSON_AddObjectToObject(check->task->doc, rule->name);
	if (ret_map != NULL)
		*ret_map = out;
	cJSON_ArrayForEach (item, map) {
		if (item->string[0] == '\0' ||
		    strlen(item->string) > NAME_MAX ||
		    !only(item->string, rule->set))
			return fail_set(check->fail, FAIL_NEVER,
			    "invalid_value",
			    "%s has a member \"%.80s\": the name of %s is 1 "
			    "to %d %s",
			    rule->name, item->string, rule->what, NAME_MAX,
			    rule->must);
		snprintf(path, sizeof(path), "%s.%s", rule->name, item->string);
		if (shape_string(item, path, rule->least, rule->most, printable,
			"a text without control characters", &text,
			check->fail) < 0)
			return -1;
		cJSON_AddStringToObject(out, item->string, text);
	}
	return 0;
}

/* Its bytes are copied into the journal as they are, so only its outline is
 * checked here; the program that adds them takes them from the text. */
static int
take_preflight(const struct check *check)
{
	const cJSON *value, *pins;

	value = json_item(check->in, "preflight");
	if (value == NULL)
		return 0;
	if (shape_object(value, "preflight", NULL, check->fail) < 0)
		return -1;
	pins = json_item(value, "pins");
	if (!cJSON_IsObject(pins) ||
	    !cJSON_IsObject(json_item(pins, "request")) ||
	    !cJSON_IsArray(json_item(pins, "tools")))
		return shape_refuse(check->fail, value, "preflight",
		    "what agent-preflight added, unchanged");
	check->task->preflight = cJSON_Duplicate(value, true);
	return 0;
}

static int
take_members(const struct check *check)
{
	const struct config *config = check->config;
	struct task *task = check->task;

	if (shape_object(check->in, "", members, check->fail) < 0 ||
	    take_text(check, &user_rule, true, NULL, &task->user) < 0 ||
	    take_text(check, &goal_rule, true, NULL, &task->goal) < 0 ||
	    take_list(check, &toolkits_rule, &task->toolkits) < 0 ||
	    take_list(check, &tools_rule, &task->tools) < 0 ||
	    take_map(check, &accounts_rule, &task->accounts) < 0 ||
	    take_text(check, &model_rule, true,
		config != NULL ? config->model : NULL, &task->model) < 0 ||
	    take_effort(check) < 0 ||
	    take_integer(check, "max_tokens", 1, TASK_REPLY_MAX,
		config != NULL ? config->max_tokens : 0,
		&task->max_tokens) < 0 ||
	    take_text(check, &system_rule, false, NULL, &task->system) < 0 ||
	    take_text(check, &timezone_rule, false,
		config != NULL ? config->timezone : NULL,
		&task->timezone) < 0 ||
	    take_text(check, &key_rule, false, NULL, &task->key) < 0 ||
	    take_text(check, &queue_rule, true,
		config != NULL ? "default" : NULL, &task->queue) < 0 ||
	    take_integer(check, "priority", 0, TASK_PRIORITY_MAX,
		TASK_PRIORITY_DEFAULT, &task->priority) < 0 ||
	    take_time(check, "not_before", &task->not_before) < 0 ||
	    take_time(check, "deadline", &task->deadline) < 0 ||
	    take_budget(check) < 0 || take_on_budget(check) < 0 ||
	    take_map(check, &labels_rule, NULL) < 0 ||
	    take_preflight(check) < 0)
		return -1;
	if (task->deadline != 0 && task->deadline <= task->not_before)
		return fail_set(check->fail, FAIL_NEVER, "invalid_value",
		    "deadline must be later than not_before");
	return 0;
}

static int
run_check(const cJSON *in, const struct config *config, struct task *task,
    struct fail *fail)
{
	struct task made = { .doc = NULL };
	struct check check = { in, config, &made, fail };

	made.doc = cJSON_CreateObject();
	if (take_members(&check) < 0) {
		snprintf(fail->type, sizeof(fail->type), "invalid_task");
		task_release(&made);
		return -1;
	}
	*task = made;
	return 0;
}

int
task_check(cJSON *value, const struct config *config, struct task *task,
    struct fail *fail)
{
	int result;

	result = run_check(value, config, task, fail);
	cJSON_Delete(value);
	return result;
}

int
task_read(const cJSON *doc, struct task *task, struct fail *fail)
{
	return run_check(doc, NULL, task, fail);
}

void
task_connections(struct task *task, const char *toolkit)
{
	cJSON *list;

	task->tools = NULL;
	if (toolkit == NULL)
		return;
	list = cJSON_CreateArray();
	cJSON_AddItemToArray(list, cJSON_CreateString(toolkit));
	cJSON_ReplaceItemInObjectCaseSensitive(task->doc, "toolkits", list);
	task->toolkits = list;
}

int64_t
task_shortest_reply(const struct task *task)
{
	return task->max_tokens < SHORT_TOKENS ? task->max_tokens
					       : SHORT_TOKENS;
}

void
task_release(struct task *task)
{
	cJSON_Delete(task->doc);
	cJSON_Delete(task->preflight);
	*task = (struct task){ .doc = NULL };
}
