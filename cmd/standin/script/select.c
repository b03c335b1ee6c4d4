/* SPDX-License-Identifier: ISC */
/*
 * select: "none", "some" and "few" compare an item with a list by the values
 * of some members. The list is hashed by these values when it is first asked
 * for in an evaluation, never searched.
 */
#include "cmd/standin/script/template.h"

#include "cmd/standin/script/script.h"
#include "common/base/mem.h"
#include "common/json/json.h"

#define KEY_BYTES ((size_t)4 << 20)
#define WITH_MOST 8
#define LIMIT_MOST 10000

enum condition_kind { MATCHES, LACKS, IS, COUNTED, ANY, ALL };

struct condition {
	enum condition_kind kind;
	const char *value, *other;
	regex_t *regex;
	const char *path;          /* COUNTED: of the list */
	struct script_range range; /* how many are to be found */
	char *fields[WITH_MOST];   /* "item.subject" */
	const char *templates[WITH_MOST];
	size_t with_count;
	struct conditions children; /* ANY, ALL */
};

void
evaluation_init(struct evaluation *evaluation, cJSON *root)
{
	*evaluation = (struct evaluation){ .scope = { .root = root } };
	evaluation->indexes = g_hash_table_new_full(g_direct_hash,
	    g_direct_equal, NULL, (GDestroyNotify)g_hash_table_destroy);
}

void
evaluation_release(struct evaluation *evaluation)
{
	g_hash_table_destroy(evaluation->indexes);
	scope_release(&evaluation->scope);
}

int
select_regex(const char *pattern, const char *where, regex_t **ret_regex,
    struct fail *fail)
{
	regex_t *regex;
	char text[200];
	int error;

	*ret_regex = NULL;
	if (pattern == NULL)
		return 0;
	regex = mem_alloc(sizeof(*regex));
	error = regcomp(regex, pattern, REG_EXTENDED | REG_ICASE | REG_NOSUB);
	if (error == 0) {
		*ret_regex = regex;
		return 0;
	}
	regerror(error, regex, text, sizeof(text));
	free(regex);
	return script_refuse(fail, "%s: bad regular expression \"%s\": %s",
	    where, pattern, text);
}

void
select_regex_free(regex_t *regex)
{
	if (regex != NULL)
		regfree(regex);
	free(regex);
}

static int
parse_with(const cJSON *with, const char *where, struct condition *condition,
    struct fail *fail)
{
	const cJSON *member;

	cJSON_ArrayForEach (member, with) {
		if (!cJSON_IsString(member) || member->string == NULL ||
		    condition->with_count == WITH_MOST)
			return script_refuse(fail,
			    "%s: \"with\" is a mapping of at most %d members "
			    "to templates",
			    where, WITH_MOST);
		condition->fields[condition->with_count] = mem_print("item.%s",
		    member->string);
		condition
		    ->templates[condition->with_count++] = member->valuestring;
	}
	return 0;
}

static int
parse_counted(const cJSON *object, const char *where,
    struct condition *condition, struct fail *fail)
{
	const char *none = NULL, *some = NULL, *few = NULL;
	const cJSON *with = NULL;
	int64_t than = 1;
	const struct script_member members[] = { { "few", .text = &few },
		{ "none", .text = &none }, { "some", .text = &some },
		{ "than", .number = &than, 1, 1000000 },
		{ "with", .value = &with }, { NULL } };

	if (script_members(object, members, where, fail) < 0)
		return -1;
	condition->kind = COUNTED;
	condition->path = none != NULL ? none : some != NULL ? some : few;
	condition->range.from = none == NULL && some != NULL ? 1 : 0;
	condition->range.to = none != NULL ? 0
	    : some != NULL                 ? INT64_MAX
					   : than - 1;
	if (condition->path == NULL)
		return script_refuse(fail,
		    "%s: a condition has \"value\", \"none\", \"some\", "
		    "\"few\", \"any\" or \"all\"",
		    where);
	if (strncmp(condition->path, "item.", 5) == 0)
		return script_refuse(fail,
		    "%s: \"%s\" is not the same list for every item", where,
		    condition->path);
	return parse_with(with, where, condition, fail);
}

static int
parse_value(const cJSON *object, const char *where, struct condition *condition,
    struct fail *fail)
{
	const char *matches = NULL, *lacks = NULL;
	const struct script_member members[] = {
		{ "is", .text = &condition->other },
		{ "lacks", .text = &lacks }, { "matches", .text = &matches },
		{ "value", .text = &condition->value }, { NULL }
	};

	if (script_members(object, members, where, fail) < 0)
		return -1;
	if ((condition->other != NULL) + (matches != NULL) + (lacks != NULL) !=
	    1)
		return script_refuse(fail,
		    "%s: \"value\" goes with one of \"matches\", \"lacks\" "
		    "and \"is\"",
		    where);
	condition->kind = matches != NULL ? MATCHES
	    : lacks != NULL               ? LACKS
					  : IS;
	return select_regex(matches != NULL ? matches : lacks, where,
	    &condition->regex, fail);
}

static int
parse_one(const cJSON *object, const char *where, struct condition *condition,
    struct fail *fail)
{
	const cJSON *children;

	if (json_item(object, "value") != NULL)
		return parse_value(object, where, condition, fail);
	condition->kind = ANY;
	children = json_item(object, "any");
	if (children == NULL) {
		condition->kind = ALL;
		children = json_item(object, "all");
	}
	if (children == NULL)
		return parse_counted(object, where, condition, fail);
	return conditions_parse(children, where, &condition->children, fail);
}

int
conditions_parse(const cJSON *value, const char *where,
    struct conditions *ret_conditions, struct fail *fail)
{
	struct conditions conditions = { NULL, 0 };
	const cJSON *object;

	*ret_conditions = conditions;
	if (value == NULL)
		return 0;
	if (!cJSON_IsArray(value))
		return script_refuse(fail, "%s: conditions are a list", where);
	if (template_check(value, fail) < 0)
		return fail_prefix(fail, "%s", where);
	conditions.list = script_list(value, sizeof(*conditions.list));
	cJSON_ArrayForEach (object, value) {
		if (parse_one(object, where,
			&conditions.list[conditions.count++], fail) < 0) {
			conditions_release(&conditions);
			return -1;
		}
	}
	*ret_conditions = conditions;
	return 0;
}

void
conditions_release(struct conditions *conditions)
{
	struct condition *condition;
	size_t i, j;

	for (i = 0; i < conditions->count; i++) {
		condition = &conditions->list[i];
		select_regex_free(condition->regex);
		for (j = 0; j < condition->with_count; j++)
			free(condition->fields[j]);
		conditions_release(&condition->children);
	}
	free(conditions->list);
	*conditions = (struct conditions){ NULL, 0 };
}

/* The values that "with" compares, of an entry of the list. */
static char *
entry_key(const struct condition *condition, struct scope *scope)
{
	struct buf key = BUF_INIT(KEY_BYTES);
	const cJSON *value;
	char *text;
	size_t i;

	for (i = 0; i < condition->with_count; i++) {
		value = scope_find(scope, condition->fields[i]);
		if (cJSON_IsString(value)) {
			buf_add_string(&key, value->valuestring);
		} else if (value != NULL) {
			text = cJSON_PrintUnformatted(value);
			buf_add_string(&key, text);
			cJSON_free(text);
		}
		buf_add(&key, "\37", 1);
	}
	return buf_detach(&key, NULL);
}

static char *
item_key(const struct condition *condition, struct scope *scope)
{
	struct buf key = BUF_INIT(KEY_BYTES);
	size_t i;

	for (i = 0; i < condition->with_count; i++) {
		template_text(scope, condition->templates[i], &key);
		buf_add(&key, "\37", 1);
	}
	return buf_detach(&key, NULL);
}

static GHashTable *
index_of(const struct condition *condition, struct evaluation *evaluation)
{
	struct scope *scope = &evaluation->scope;
	const cJSON *item = scope->item, *entry, *list;
	GHashTable *index;
	gpointer count;
	char *key;

	index = g_hash_table_lookup(evaluation->indexes, condition);
	if (index != NULL)
		return index;
	index = g_hash_table_new_full(g_str_hash, g_str_equal, free, NULL);
	list = scope_find(scope, condition->path);
	if (cJSON_IsArray(list)) {
		cJSON_ArrayForEach (entry, list) {
			scope->item = entry;
			key = entry_key(condition, scope);
			count = g_hash_table_lookup(index, key);
			g_hash_table_replace(index, key,
			    GSIZE_TO_POINTER(GPOINTER_TO_SIZE(count) + 1));
		}
	}
	scope->item = item;
	g_hash_table_insert(evaluation->indexes, (void *)(uintptr_t)condition,
	    index);
	return index;
}

static bool
holds(const struct condition *condition, struct evaluation *evaluation)
{
	size_t found, i;
	bool result = false;
	char *text, *other;

	switch (condition->kind) {
	case MATCHES:
	case LACKS:
		text = template_string(&evaluation->scope, condition->value);
		result = (regexec(condition->regex, text, 0, NULL, 0) == 0) ==
		    (condition->kind == MATCHES);
		free(text);
		return result;
	case IS:
		text = template_string(&evaluation->scope, condition->value);
		other = template_string(&evaluation->scope, condition->other);
		result = strcmp(text, other) == 0;
		free(text);
		free(other);
		return result;
	case COUNTED:
		text = item_key(condition, &evaluation->scope);
		found = GPOINTER_TO_SIZE(
		    g_hash_table_lookup(index_of(condition, evaluation), text));
		free(text);
		return script_in_range(&condition->range, (int64_t)found);
	case ANY:
		for (i = 0; i < condition->children.count && !result; i++)
			result = holds(&condition->children.list[i],
			    evaluation);
		return result;
	case ALL:
		break;
	}
	return conditions_hold(&condition->children, evaluation);
}

bool
conditions_hold(const struct conditions *conditions,
    struct evaluation *evaluation)
{
	size_t i;

	for (i = 0; i < conditions->count; i++)
		if (!holds(&conditions->list[i], evaluation))
			return false;
	return true;
}

int
loop_over_parse(const cJSON *object, const char *where,
    struct loop_over *ret_loop, struct fail *fail)
{
	struct loop_over loop = { NULL, NULL, 0, { NULL, 0 } };

	if (script_string(object, "for_each", NULL, &loop.path, where, fail) <
		0 ||
	    script_string(object, "unique", NULL, &loop.unique, where, fail) <
		0 ||
	    script_number(object, "limit", 1, LIMIT_MOST, LIMIT_MOST,
		&loop.limit, where, fail) < 0 ||
	    conditions_parse(json_item(object, "where"), where, &loop.where,
		fail) < 0)
		return -1;
	*ret_loop = loop;
	return 0;
}

void
loop_over_run(const struct loop_over *loop, struct evaluation *evaluation,
    void (*each)(void *context, struct evaluation *evaluation), void *context)
{
	const cJSON *before = evaluation->scope.item, *list, *item;
	GHashTable *seen = NULL;
	int64_t left = loop->limit;
	char *key;

	if (loop->path == NULL) {
		if (conditions_hold(&loop->where, evaluation))
			each(context, evaluation);
		return;
	}
	list = scope_find(&evaluation->scope, loop->path);
	if (!cJSON_IsArray(list))
		return;
	seen = g_hash_table_new_full(g_str_hash, g_str_equal, free, NULL);
	cJSON_ArrayForEach (item, list) {
		evaluation->scope.item = item;
		if (!conditions_hold(&loop->where, evaluation))
			continue;
		if (loop->unique != NULL) {
			key = template_string(&evaluation->scope, loop->unique);
			if (!g_hash_table_add(seen, key))
				continue;
		}
		if (left-- == 0)
			break;
		each(context, evaluation);
	}
	evaluation->scope.item = before;
	g_hash_table_destroy(seen);
}
