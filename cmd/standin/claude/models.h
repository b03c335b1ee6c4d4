/* SPDX-License-Identifier: ISC */
/*
 * claude_models: the models that the stand-in knows, and what each accepts.
 */
#ifndef CMD_STANDIN_CLAUDE_MODELS_H
#define CMD_STANDIN_CLAUDE_MODELS_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct claude_model {
	const char *id, *name, *line, *created;
	int64_t context, output;
	/* values of thinking.type */
	bool adaptive, enabled, between_tools, disabled;
	bool thinks;  /* by itself, when the request does not say */
	bool effort;  /* output_config.effort is known */
	bool binds;   /* thinking blocks are bound to what precedes them */
	bool forced;  /* tool_choice any and tool */
	bool prefill; /* the last message may be the assistant's */
	bool omits;   /* thinking text is omitted unless asked for */
	int64_t cache_least; /* tokens */
};

/* NULL when there is no such model. */
const struct claude_model *
claude_model(const char *id);

/* The INDEX-th model, newest first, or NULL. */
const struct claude_model *
claude_model_at(size_t index);

/* As GET /v1/models/{id} gives it; the caller frees. */
cJSON *
claude_model_json(const struct claude_model *model);

#endif
