/* SPDX-License-Identifier: ISC */
/*
 * model: the stand-in's model. The rules of a script, tried in order on what a
 * request's conversation says; the first that matches makes the reply.
 */
#ifndef CMD_STANDIN_SCRIPT_MODEL_H
#define CMD_STANDIN_SCRIPT_MODEL_H

#include <cjson/cJSON.h>
#include <stdint.h>

#include "common/base/fail.h"

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

void
model_reply_release(struct model_reply *reply);

#endif
