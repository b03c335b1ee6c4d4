/* SPDX-License-Identifier: ISC */
/*
 * model: a rule matches when its "when" holds and, if it has calls, at least
 * one call comes out of their loops. So "what is still missing" needs no
 * bookkeeping: the rule that makes what is missing stops matching by itself
 * when nothing is.
 *
 * A selection ("select.NAME") is evaluated when a request first needs it.
 * While it is under way its own name leads to an empty list, so that one that
 * refers to itself ends.
 */
#include "cmd/standin/script/model.h"

#include "cmd/standin/build.h"
#include "cmd/standin/script/script.h"
#include "cmd/standin/script/template.h"
#include "common/base/mem.h"
#include "common/json/json.h"

#define TEXT_BYTES ((size_t)8 << 20)
#define CALLS_MOST 1000

struct count_rule {
	const char *tool;
	struct script_range range;
};

struct call_rule {
	struct loop_over loop;
	const char *tool;
	const cJSON *input;
};

struct rule {
	char *name;
	struct script_range turn;
	regex_t *goal, *results; /* NULL: any */
	const cJSON *tools;      /* globs of the newest turn's tools */
	struct count_rule *counts;
	size_t count_count;
	struct conditions conditions;

	const char *thinking, *stop;
	const cJSON *text, *blocks, *usage, *details;
	struct call_rule *calls;
	size_t call_count;
	struct loop_over *lines; /* of the elements of a list "text" */
	size_t line_count;
	int64_t delay_ms, drip_ms;
};

struct selection {
	const char *name;
	const cJSON *let; /* members that are added to each item, or NULL */
	struct loop_over loop;
};

struct model {
	struct rule *rules;
	size_t rule_count;
	struct selection *selections;
	size_t selection_count;
};

struct thought { /* one request's evaluation */
	const struct model *model;
	struct evaluation evaluation;
	cJSON *selected; /* name -> array of references */
	cJSON *content;
	const struct call_rule *call;
	struct buf text;
	const char *line;
};

static int
parse_when(const cJSON *when, struct rule *rule, struct fail *fail)
{
	const cJSON *counts = NULL, *conditions = NULL, *turn = NULL, *entry;
	const char *goal = NULL, *results = NULL;
	const struct script_member members[] = { { "calls", .value = &counts },
		{ "goal", .text = &goal }, { "if", .value = &conditions },
		{ "results", .text = &results },
		{ "tools", .value = &rule->tools }, { "turn", .value = &turn },
		{ NULL } };

	rule->turn = (struct script_range){ 0, INT64_MAX };
	if (when == NULL)
		return 0;
	if (script_members(when, members, rule->name, fail) < 0 ||
	    script_range(turn, &rule->turn, rule->name, fail) < 0 ||
	    select_regex(goal, rule->name, &rule->goal, fail) < 0 ||
	    select_regex(results, rule->name, &rule->results, fail) < 0 ||
	    conditions_parse(conditions, rule->name, &rule->conditions, fail) <
		0)
		return -1;
	cJSON_ArrayForEach (entry, rule->tools)
		if (!cJSON_IsString(entry))
			return script_refuse(fail,
			    "%s: \"tools\" is a list of patterns", rule->name);
	rule->counts = script_list(counts, sizeof(*rule->counts));
	cJSON_ArrayForEach (entry, counts) {
		if (entry->string == NULL)
			return script_refuse(fail,
			    "%s: \"calls\" is a mapping of tools to numbers",
			    rule->name);
		rule->counts[rule->count_count].tool = entry->string;
		if (script_range(entry,
			&rule->counts[rule->count_count++].range, rule->name,
			fail) < 0)
			return -1;
	}
	return 0;
}

static int
parse_calls(const cJSON *calls, struct rule *rule, struct fail *fail)
{
	const cJSON *entry, *input;
	const char *tool;
	const struct script_member members[] = { { "input", .value = &input },
		{ "tool", .text = &tool }, LOOP_MEMBERS, { NULL } };
	struct call_rule *call;

	if (calls == NULL)
		return 0;
	if (!cJSON_IsArray(calls))
		return script_refuse(fail, "%s: \"calls\" is a list",
		    rule->name);
	rule->calls = script_list(calls, sizeof(*rule->calls));
	cJSON_ArrayForEach (entry, calls) {
		call = &rule->calls[rule->call_count];
		tool = NULL;
		if (script_members(entry, members, rule->name, fail) < 0 ||
		    loop_over_parse(entry, rule->name, &call->loop, fail) < 0)
			return -1;
		rule->call_count++;
		call->tool = tool;
		call->input = input;
		if (tool == NULL || (input != NULL && !cJSON_IsObject(input)))
			return script_refuse(fail,
			    "%s: a call has a \"tool\", and its \"input\" is "
			    "a mapping",
			    rule->name);
	}
	return 0;
}

/* "text" is a template, or a list of templates and loops of them. */
static int
parse_text(struct rule *rule, struct fail *fail)
{
	const cJSON *entry, *text;
	const struct script_member members[] = { { "text", .value = &text },
		LOOP_MEMBERS, { NULL } };

	if (rule->text == NULL || cJSON_IsString(rule->text))
		return 0;
	rule->lines = script_list(rule->text, sizeof(*rule->lines));
	cJSON_ArrayForEach (entry, rule->text) {
		if (!cJSON_IsString(entry)) {
			if (script_members(entry, members, rule->name, fail) <
				0 ||
			    loop_over_parse(entry, rule->name,
				&rule->lines[rule->line_count], fail) < 0)
				return -1;
			if (!cJSON_IsString(text))
				return script_refuse(fail,
				    "%s: a loop in \"text\" has a \"text\" of "
				    "its own",
				    rule->name);
		}
		rule->line_count++;
	}
	return 0;
}

static int
parse_reply(const cJSON *reply, struct rule *rule, struct fail *fail)
{
	const cJSON *calls = NULL;
	const struct script_member members[] = { { "blocks",
						     .value = &rule->blocks },
		{ "calls", .value = &calls },
		{ "delay", .number = &rule->delay_ms, 0, DELAY_MOST },
		{ "drip", .number = &rule->drip_ms, 0, DELAY_MOST },
		{ "stop", .text = &rule->stop },
		{ "stop_details", .value = &rule->details },
		{ "text", .value = &rule->text },
		{ "thinking", .text = &rule->thinking },
		{ "usage", .value = &rule->usage }, { NULL } };

	rule->delay_ms = rule->drip_ms = -1;
	if (script_members(reply, members, rule->name, fail) < 0 ||
	    template_check(reply, fail) < 0)
		return fail_prefix(fail, "%s: reply", rule->name);
	if (parse_calls(calls, rule, fail) < 0)
		return -1;
	if (rule->stop == NULL)
		rule->stop = rule->call_count > 0 ? "tool_use" : "end_turn";
	return parse_text(rule, fail);
}

static int
parse_rules(const cJSON *list, struct model *model, struct fail *fail)
{
	const cJSON *entry, *when, *reply;
	const char *name;
	const struct script_member members[] = { { "name", .text = &name },
		{ "reply", .value = &reply }, { "when", .value = &when },
		{ NULL } };
	struct rule *rule;

	if (list != NULL && !cJSON_IsArray(list))
		return script_refuse(fail, "\"model\" is a list of rules");
	model->rules = script_list(list, sizeof(*model->rules));
	cJSON_ArrayForEach (entry, list) {
		rule = &model->rules[model->rule_count++];
		name = NULL;
		if (script_members(entry, members, "a model rule", fail) < 0)
			return -1;
		rule->name = name != NULL
		    ? mem_string(name)
		    : mem_print("rule %zu", model->rule_count);
		if (parse_when(when, rule, fail) < 0 ||
		    parse_reply(reply, rule, fail) < 0)
			return -1;
	}
	return 0;
}

static int
parse_selections(const cJSON *object, struct model *model, struct fail *fail)
{
	struct selection *selection;
	const cJSON *entry, *let;
	const struct script_member members[] = { { "let", .value = &let },
		LOOP_MEMBERS, { NULL } };

	if (object != NULL && !cJSON_IsObject(object))
		return script_refuse(fail,
		    "\"select\" is a mapping of names to loops");
	model->selections = script_list(object, sizeof(*model->selections));
	cJSON_ArrayForEach (entry, object) {
		selection = &model->selections[model->selection_count];
		if (script_members(entry, members, entry->string, fail) < 0 ||
		    template_check(entry, fail) < 0 ||
		    loop_over_parse(entry, entry->string, &selection->loop,
			fail) < 0)
			return fail_prefix(fail, "select");
		model->selection_count++;
		selection->name = entry->string;
		selection->let = let;
	}
	return 0;
}

int
model_new(const cJSON *script, struct model **ret_model, struct fail *fail)
{
	struct model *model = mem_alloc(sizeof(*model));

	if (parse_selections(json_item(script, "select"), model, fail) < 0 ||
	    parse_rules(json_item(script, "model"), model, fail) < 0) {
		model_free(model);
		return -1;
	}
	*ret_model = model;
	return 0;
}

static void
rule_release(struct rule *rule)
{
	size_t i;

	select_regex_free(rule->goal);
	select_regex_free(rule->results);
	conditions_release(&rule->conditions);
	for (i = 0; i < rule->call_count; i++)
		conditions_release(&rule->calls[i].loop.where);
	for (i = 0; i < rule->line_count; i++)
		conditions_release(&rule->lines[i].where);
	free(rule->calls);
	free(rule->lines);
	free(rule->counts);
	free(rule->name);
}

void
model_free(struct model *model)
{
	size_t i;

	if (model == NULL)
		return;
	for (i = 0; i < model->rule_count; i++)
		rule_release(&model->rules[i]);
	for (i = 0; i < model->selection_count; i++)
		conditions_release(&model->selections[i].loop.where);
	free(model->rules);
	free(model->selections);
	free(model);
}

struct selecting {
	const cJSON *let;
	cJSON *array;
};

static void
add_selected(void *context, struct evaluation *evaluation)
{
	const struct selecting *selecting = context;
	cJSON *item = (cJSON *)(uintptr_t)evaluation->scope.item, *copy;
	cJSON *part;
	const cJSON *let;

	if (selecting->let == NULL) {
		cJSON_AddItemReferenceToArray(selecting->array, item);
		return;
	}
	copy = cJSON_CreateObject();
	cJSON_ArrayForEach (part, item)
		if (part->string != NULL)
			cJSON_AddItemReferenceToObject(copy, part->string,
			    part);
	cJSON_ArrayForEach (let, selecting->let) {
		part = template_value(&evaluation->scope, let);
		if (part == NULL)
			continue;
		cJSON_DeleteItemFromObjectCaseSensitive(copy, let->string);
		cJSON_AddItemToObject(copy, let->string, part);
	}
	cJSON_AddItemToArray(selecting->array, copy);
}

static const cJSON *
run_selection(void *context, const char *name)
{
	struct thought *thought = context;
	const struct model *model = thought->model;
	const cJSON *known = json_item(thought->selected, name);
	struct selecting selecting;
	size_t i;

	if (known != NULL)
		return known;
	for (i = 0; i < model->selection_count; i++)
		if (strcmp(model->selections[i].name, name) == 0)
			break;
	if (i == model->selection_count)
		return NULL;
	selecting.let = model->selections[i].let;
	selecting.array = cJSON_AddArrayToObject(thought->selected, name);
	loop_over_run(&model->selections[i].loop, &thought->evaluation,
	    add_selected, &selecting);
	return selecting.array;
}

static bool
newest_results_match(const struct rule *rule,
    const struct conversation *conversation)
{
	bool tool = rule->tools == NULL, text = rule->results == NULL;
	const struct conversation_call *call;
	const cJSON *glob;
	size_t i;

	for (i = conversation->last; i < conversation->call_count; i++) {
		call = &conversation->calls[i];
		cJSON_ArrayForEach (glob, rule->tools)
			tool = tool ||
			    script_glob(glob->valuestring, call->tool);
		text = text ||
		    (call->text != NULL &&
			regexec(rule->results, call->text, 0, NULL, 0) == 0);
	}
	return tool && text;
}

static bool
rule_matches(const struct rule *rule, const struct conversation *conversation,
    struct evaluation *evaluation)
{
	const cJSON *counts = json_item(conversation->root, "count"), *count;
	size_t i;

	if (!script_in_range(&rule->turn, conversation->turn))
		return false;
	if (rule->goal != NULL &&
	    regexec(rule->goal, conversation->goal, 0, NULL, 0) != 0)
		return false;
	if (!newest_results_match(rule, conversation))
		return false;
	for (i = 0; i < rule->count_count; i++) {
		count = json_item(counts, rule->counts[i].tool);
		if (!script_in_range(&rule->counts[i].range,
			count == NULL ? 0 : (int64_t)count->valuedouble))
			return false;
	}
	return conditions_hold(&rule->conditions, evaluation);
}

static void
add_tool_use(void *context, struct evaluation *evaluation)
{
	struct thought *thought = context;
	const struct call_rule *call = thought->call;
	char *tool;

	if (cJSON_GetArraySize(thought->content) >= CALLS_MOST)
		return;
	tool = template_string(&evaluation->scope, call->tool);
	cJSON_AddItemToArray(thought->content,
	    build("{'type':'tool_use','name':%s,'input':%j}", tool,
		call->input == NULL
		    ? cJSON_CreateObject()
		    : template_value(&evaluation->scope, call->input)));
	free(tool);
}

static void
add_line(void *context, struct evaluation *evaluation)
{
	struct thought *thought = context;

	if (thought->text.length > 0)
		buf_add_string(&thought->text, "\n");
	template_text(&evaluation->scope, thought->line, &thought->text);
}

static void
make_text(const struct rule *rule, struct thought *thought)
{
	const cJSON *entry;
	size_t i = 0;

	if (cJSON_IsString(rule->text)) {
		thought->line = rule->text->valuestring;
		add_line(thought, &thought->evaluation);
	} else {
		cJSON_ArrayForEach (entry, rule->text) {
			thought->line = cJSON_IsString(entry)
			    ? entry->valuestring
			    : json_string(entry, "text");
			if (cJSON_IsString(entry))
				add_line(thought, &thought->evaluation);
			else
				loop_over_run(&rule->lines[i],
				    &thought->evaluation, add_line, thought);
			i++;
		}
	}
}

/* The rule's content into the thought; false when it has calls to make and
 * none came out. */
static bool
make_content(const struct rule *rule, struct thought *thought)
{
	size_t i;

	thought->content = cJSON_CreateArray();
	for (i = 0; i < rule->call_count; i++) {
		thought->call = &rule->calls[i];
		loop_over_run(&thought->call->loop, &thought->evaluation,
		    add_tool_use, thought);
	}
	if (rule->call_count > 0 && thought->content->child == NULL) {
		cJSON_Delete(thought->content);
		thought->content = NULL;
		return false;
	}
	make_text(rule, thought);
	if (thought->text.length > 0) {
		cJSON_InsertItemInArray(thought->content, 0,
		    build("{'type':'text','text':%s}", thought->text.data));
	}
	for (i = (size_t)cJSON_GetArraySize(rule->blocks); i > 0; i--)
		cJSON_InsertItemInArray(thought->content, 0,
		    cJSON_Duplicate(cJSON_GetArrayItem(rule->blocks,
					(int)i - 1),
			true));
	return true;
}

static void
no_rule(struct thought *thought, struct model_reply *reply)
{
	thought->content = build("[{'type':'text','text':'The script of this "
				 "stand-in has no rule for this turn.'}]");
	*reply = (struct model_reply){ .stop = "end_turn",
		.rule = "none",
		.delay_ms = -1,
		.drip_ms = -1 };
}

void
model_answer(const struct model *model, const cJSON *request,
    struct model_reply *ret_reply)
{
	struct conversation *conversation = conversation_read(request);
	struct thought thought = { .model = model,
		.text = BUF_INIT(TEXT_BYTES) };
	const struct rule *rule = NULL;
	size_t i;

	thought.selected = cJSON_CreateObject();
	evaluation_init(&thought.evaluation, conversation->root);
	thought.evaluation.scope.select = run_selection;
	thought.evaluation.scope.context = &thought;
	for (i = 0; i < model->rule_count && thought.content == NULL; i++) {
		rule = &model->rules[i];
		if (rule_matches(rule, conversation, &thought.evaluation) &&
		    make_content(rule, &thought))
			*ret_reply = (struct model_reply){
				.thinking = rule->thinking == NULL
				    ? NULL
				    : template_string(&thought.evaluation.scope,
					  rule->thinking),
				.stop = rule->stop,
				.usage = rule->usage,
				.details = rule->details,
				.rule = rule->name,
				.delay_ms = rule->delay_ms,
				.drip_ms = rule->drip_ms,
			};
	}
	if (thought.content == NULL)
		no_rule(&thought, ret_reply);
	ret_reply->content = thought.content;
	evaluation_release(&thought.evaluation);
	cJSON_Delete(thought.selected);
	buf_release(&thought.text);
	conversation_free(conversation);
}

void
model_compact(const cJSON *request, struct model_reply *ret_reply)
{
	struct conversation *conversation = conversation_read(request);
	char *summary = mem_print("[[turn %lld]] %s",
	    (long long)conversation->turn, conversation->goal);

	*ret_reply = (struct model_reply){
		.content = build("[{'type':'compaction','content':%s,"
				 "'encrypted_content':%s,'signature':%s}]",
		    summary, "c3RhbmQtaW4=", "c2lnbmVk"),
		.stop = "compaction",
		.rule = "compaction",
		.delay_ms = -1,
		.drip_ms = -1,
	};
	free(summary);
	conversation_free(conversation);
}

void
model_reply_release(struct model_reply *reply)
{
	cJSON_Delete(reply->content);
	free(reply->thinking);
}
