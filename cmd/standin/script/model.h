/* SPDX-License-Identifier: ISC */
/*
 * model: the stand-in's model. The rules of a script, tried in order on what a
 * request's conversation says; the first that matches makes the reply.
 *
 * A conversation is the work so far as a Messages request shows it.
 * Everything comes from the request and nothing is remembered: the same request
 * always gives the same. The cost grows with the length of the request.
 *
 * The root for templates (template.h) has
 *	goal     the text of the first user message
 *	said     the text of the last message
 *	user     metadata.user_id, or ""
 *	turn     1 for the first model turn, 2 for the next; where a summary stands
 *	         for earlier turns, it says "[[turn N]]"
 *	count    {TOOL: calls so far}
 *	ok       {TOOL: calls so far that succeeded}
 *	calls    {TOOL: [{id, ok, input, result, text}]}
 *	results  {TOOL: the successful results as one: arrays are joined,
 *	          of other members the newest counts}
 *	last     {TOOL: the newest successful result}
 */
#ifndef CMD_STANDIN_SCRIPT_MODEL_H
#define CMD_STANDIN_SCRIPT_MODEL_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/fail.h"

struct conversation_call {
	const char *id, *tool;
	const cJSON *input;
	char *text;    /* of the result; NULL: none yet */
	cJSON *parsed; /* the result when it is JSON */
	bool ok;
};

struct conversation {
	cJSON *root;
	char *goal;
	int64_t turn;
	struct conversation_call *calls;
	size_t call_count;
	size_t last; /* calls from here on are of the newest turn */
};

/* REQUEST has passed the checks of claude.h and must live longer. */
struct conversation *
conversation_read(const cJSON *request);

void
conversation_free(struct conversation *conversation); /* NULL is fine */

struct model;

struct model_reply {
	char *thinking;   /* NULL: none */
	cJSON *content;   /* text and tool_use blocks, without ids */
	const char *stop; /* borrowed from the model */
	const cJSON *usage, *details; /* what the script overrides, or NULL */
	const char *rule;             /* its name */
	int64_t delay_ms;             /* -1: as the script's latency says */
	int64_t drip_ms;              /* -1: as the script's drip says */
};

/* Reads the sections "model" and "select" of SCRIPT, which must live longer. */
int
model_new(const cJSON *script, struct model **ret_model, struct fail *fail);

void
model_free(struct model *model); /* NULL is fine */

/* REQUEST has passed the checks. Many threads may ask at once. */
void
model_answer(const struct model *model, const cJSON *request,
    struct model_reply *ret_reply);

/* What stands for the conversation of REQUEST from now on: one block, from which
 * conversation_read knows the goal and the turn. */
void
model_compact(const cJSON *request, struct model_reply *ret_reply);

void
model_reply_release(struct model_reply *reply);

#endif
