/* SPDX-License-Identifier: ISC */
/*
 * claude_check: checks whether the real API would accept a Messages request.
 */
#ifndef CMD_STANDIN_CLAUDE_CHECK_H
#define CMD_STANDIN_CLAUDE_CHECK_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "cmd/standin/claude/models.h"
#include "cmd/standin/claude/prefix.h"

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
	bool strict;     /* version 2026-10-21 or later */
	bool counting;   /* count_tokens: no max_tokens */
	bool drop_block; /* the beta thinking-binding-controls */
};

/* Checks everything but the messages. Fills the model. */
int
claude_check_request(const cJSON *request, const struct claude_rules *rules,
    const struct claude_model **ret_model, struct claude_error *error);

/* Checks the messages, after claude_check_request. */
int
claude_check_messages(const cJSON *request, const struct claude_rules *rules,
    const struct claude_model *model, struct claude_error *error);

/* Checks the thinking blocks against what precedes them, after both. */
int
claude_check_thinking(const cJSON *request, const struct claude_rules *rules,
    const struct claude_model *model, const struct prefix *prefix,
    struct claude_error *error);

/* A cache_control marker, at WHERE ("system.0"). */
int
claude_check_marker(const cJSON *object, const char *where,
    struct claude_error *error);

#endif
