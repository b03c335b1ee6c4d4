/* SPDX-License-Identifier: ISC */
/*
 * conversation: the work so far as a Messages request shows it, for the
 * rules of a script.
 *
 * Everything comes from the request and nothing is remembered: the same request
 * always gives the same. The cost grows with the length of the request.
 *
 * The root for templates (template.h) has
 *	goal     the text of the first user message
 *	user     metadata.user_id, or ""
 *	turn     1 for the first model turn, 2 for the next
 *	count    {TOOL: calls so far}
 *	ok       {TOOL: calls so far that succeeded}
 *	calls    {TOOL: [{id, ok, input, result, text}]}
 *	results  {TOOL: the successful results as one: arrays are joined,
 *	          of other members the newest counts}
 *	last     {TOOL: the newest successful result}
 */
#ifndef CMD_STANDIN_SCRIPT_CONVERSATION_H
#define CMD_STANDIN_SCRIPT_CONVERSATION_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conversation_call {
	const char *id, *tool;
	const cJSON *input;
	char *text;    /* of the result; NULL: none yet */
	cJSON *parsed; /* the result when it is JSON */
	bool ok;
	int64_t turn; /* that made the call */
};

struct conversation {
	cJSON *root;
	char *goal;
	int64_t turn;
	struct conversation_call *calls;
	size_t call_count;
	size_t last; /* calls from here on are of the newest turn */
};

/* REQUEST has passed the checks of claude_check.h and must live longer. */
struct conversation *
conversation_read(const cJSON *request);

void
conversation_free(struct conversation *conversation); /* NULL is fine */

#endif
