/* SPDX-License-Identifier: ISC */
/*
 * claude: what the Messages API of the stand-in is made of: the models and what
 * each accepts, the checks whether the real API would accept a request, and
 * a reply as the events of the streaming API.
 */
#ifndef CMD_STANDIN_CLAUDE_CLAUDE_H
#define CMD_STANDIN_CLAUDE_CLAUDE_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/standin/claude/prefix.h"
#include "cmd/standin/server/server.h"

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

struct claude_error {
	int status;
	const char *type; /* a literal: "invalid_request_error" */
	const char *code; /* details.error_code, or NULL */
	char message[1000];
};

/* Fills ERROR with status 400, "invalid_request_error", and returns -1. */
int
claude_refuse(struct claude_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

struct claude_rules {
	bool strict;      /* version 2026-10-21 or later */
	bool counting;    /* count_tokens: no max_tokens */
	bool drop_block;  /* the beta thinking-binding-controls */
	bool compact;     /* the beta compact-2026-09-04 */
	const char *beta; /* the header with betas, or NULL */
};

bool
claude_one_of(const char *word, const char *const *words); /* ends with NULL */

/* Checks everything but the messages. Fills the model. */
int
claude_check_request(const cJSON *request, const struct claude_rules *rules,
    const struct claude_model **ret_model, struct claude_error *error);

/* The part of it that checks the tools. */
int
claude_check_tools(const cJSON *request, struct claude_error *error);

/* Checks the messages, after claude_check_request. */
int
claude_check_messages(const cJSON *request, const struct claude_rules *rules,
    const struct claude_model *model, struct claude_error *error);

/* Checks the thinking blocks against what precedes them, after both. */
int
claude_check_thinking(const cJSON *request, const struct claude_rules *rules,
    const struct claude_model *model, const struct prefix *prefix,
    struct claude_error *error);

/* The member "compaction". */
int
claude_check_compaction(const cJSON *request, const struct claude_rules *rules,
    struct claude_error *error);

/* A cache_control marker, at WHERE ("system.0"). */
int
claude_check_marker(const cJSON *object, const char *where,
    struct claude_error *error);

/* MESSAGE is the whole message as it is given without streaming. */
void
claude_stream(struct reply *reply, const cJSON *message);

/* Adds an error event of TYPE behind the first COUNT events, and nothing
 * after it. */
void
claude_stream_error(struct reply *reply, size_t count, const char *type,
    const char *text);

#endif
