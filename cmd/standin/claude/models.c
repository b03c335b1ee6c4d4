/* SPDX-License-Identifier: ISC */
/*
 * claude_models: a table by generation. Columns of "thinking": what each value
 * of thinking.type does with the model.
 */
#include "cmd/standin/build.h"
#include "cmd/standin/claude/claude.h"

#define MILLION 1000000
#define LONG_OUTPUT 128000

#define NEWEST \
	.context = MILLION, .output = LONG_OUTPUT, .adaptive = true, \
	.thinks = true, .effort = true, .binds = true, .omits = true, \
	.cache_least = 512
#define FIFTH \
	.context = MILLION, .output = LONG_OUTPUT, .adaptive = true, \
	.thinks = true, .effort = true, .forced = true, .omits = true
#define FOURTH \
	.context = MILLION, .output = LONG_OUTPUT, .adaptive = true, \
	.disabled = true, .effort = true, .forced = true
#define OLDEST \
	.context = 200000, .output = 64000, .enabled = true, .disabled = true, \
	.forced = true, .prefill = true, .cache_least = 4096

static const struct claude_model models[] = {
	{ "claude-fable-5-2", "Claude Fable 5.2", "fable",
	    "2026-11-09T00:00:00Z", NEWEST },
	{ "claude-mythos-5-2", "Claude Mythos 5.2", "mythos",
	    "2026-11-09T00:00:00Z", NEWEST },
	{ "claude-haiku-5-5", "Claude Haiku 5.5", "haiku",
	    "2026-10-08T00:00:00Z", NEWEST, .disabled = true, .forced = true },
	{ "claude-sonnet-5-5", "Claude Sonnet 5.5", "sonnet",
	    "2026-10-07T00:00:00Z", NEWEST, .between_tools = true },
	{ "claude-opus-5-5", "Claude Opus 5.5", "opus", "2026-09-22T00:00:00Z",
	    NEWEST },
	{ "claude-fable-5-1", "Claude Fable 5.1", "fable",
	    "2026-09-01T00:00:00Z", NEWEST },
	{ "claude-mythos-5-1", "Claude Mythos 5.1", "mythos",
	    "2026-09-01T00:00:00Z", NEWEST },
	{ "claude-sonnet-5", "Claude Sonnet 5", "sonnet",
	    "2026-06-01T00:00:00Z", FIFTH, .disabled = true,
	    .cache_least = 1024 },
	{ "claude-fable-5", "Claude Fable 5", "fable", "2026-06-01T00:00:00Z",
	    FIFTH, .cache_least = 512 },
	{ "claude-mythos-5", "Claude Mythos 5", "mythos",
	    "2026-06-01T00:00:00Z", FIFTH, .cache_least = 512 },
	{ "claude-opus-5", "Claude Opus 5", "opus", "2026-06-01T00:00:00Z",
	    FIFTH, .disabled = true, .cache_least = 512 },
	{ "claude-opus-4-8", "Claude Opus 4.8", "opus", "2026-04-01T00:00:00Z",
	    FOURTH, .omits = true, .cache_least = 1024 },
	{ "claude-opus-4-7", "Claude Opus 4.7", "opus", "2026-03-01T00:00:00Z",
	    FOURTH, .omits = true, .cache_least = 2048 },
	{ "claude-opus-4-6", "Claude Opus 4.6", "opus", "2026-02-01T00:00:00Z",
	    FOURTH, .enabled = true, .cache_least = 4096 },
	{ "claude-sonnet-4-6", "Claude Sonnet 4.6", "sonnet",
	    "2026-02-01T00:00:00Z", FOURTH, .enabled = true,
	    .cache_least = 1024 },
	{ "claude-opus-4-5-20251101", "Claude Opus 4.5", "opus",
	    "2025-11-01T00:00:00Z", OLDEST },
	{ "claude-opus-4-5", "Claude Opus 4.5", "opus", "2025-11-01T00:00:00Z",
	    OLDEST },
	{ "claude-haiku-4-5-20251001", "Claude Haiku 4.5", "haiku",
	    "2025-10-01T00:00:00Z", OLDEST },
	{ "claude-haiku-4-5", "Claude Haiku 4.5", "haiku",
	    "2025-10-01T00:00:00Z", OLDEST },
	{ "claude-sonnet-4-5-20250929", "Claude Sonnet 4.5", "sonnet",
	    "2025-09-29T00:00:00Z", OLDEST },
	{ "claude-sonnet-4-5", "Claude Sonnet 4.5", "sonnet",
	    "2025-09-29T00:00:00Z", OLDEST },
};

#define MODELS (sizeof(models) / sizeof(models[0]))

const struct claude_model *
claude_model(const char *id)
{
	size_t i;

	for (i = 0; i < MODELS; i++)
		if (strcmp(models[i].id, id) == 0)
			return &models[i];
	return NULL;
}

const struct claude_model *
claude_model_at(size_t index)
{
	return index < MODELS ? &models[index] : NULL;
}

/* Whether something is supported: always, never, or as an argument says. */
#define YES "{'supported':true}"
#define NO "{'supported':false}"
#define IF "{'supported':%b}"

cJSON *
claude_model_json(const struct claude_model *model)
{
	return build("{'type':'model','id':%s,'display_name':%s,"
		     "'created_at':%s,'lifecycle':'active',"
		     "'deprecated_at':null,'retires_at':null,'line':%s,"
		     "'max_input_tokens':%n,'max_tokens':%n,'capabilities':{"
		     "'batch':" YES ",'citations':" YES ",'code_execution':" YES
		     ",'image_input':" YES ",'pdf_input':" YES
		     ",'structured_outputs':" YES
		     ",'context_management':{'supported':true,"
		     "'clear_thinking_20251015':" YES
		     ",'clear_tool_uses_20250919':" YES
		     ",'compact_20260112':" IF "},'effort':{'supported':%b,"
		     "'low':" IF ",'medium':" IF ",'high':" IF ",'xhigh':" IF
		     ",'max':" IF "},'server_tools':{'supported':false,"
		     "'code_execution':" NO ",'web_fetch':" NO
		     ",'web_search':" NO "},'thinking':{'supported':true,"
		     "'types':{'adaptive':" IF ",'between_tools':" IF
		     ",'disabled':" IF ",'enabled':" IF "}}}}",
	    model->id, model->name, model->created, model->line, model->context,
	    model->output, model->adaptive, model->effort, model->effort,
	    model->effort, model->effort, model->effort, model->effort,
	    model->adaptive, model->between_tools, model->disabled,
	    model->enabled);
}
