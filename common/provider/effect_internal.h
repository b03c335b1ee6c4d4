/* SPDX-License-Identifier: ISC */
/* effect_internal: shared by the files of effect. */
#ifndef COMMON_PROVIDER_EFFECT_INTERNAL_H
#define COMMON_PROVIDER_EFFECT_INTERNAL_H

#include "common/provider/claude.h"
#include "common/provider/effect.h"
#include "common/provider/tools.h"

struct effects {
	struct loop *loop;
	const struct config *config;
	struct http *http;
	struct claude *claude;
	struct tools *tools;
	struct gate_watch watch;
};

struct effect {
	struct effects *effects;
	struct claude_call *claude_call;
	struct tool_call *tool_call;
	struct timer now;    /* tells the failure, from the loop */
	struct fail failure; /* of a call that could not be started */
	int64_t turn, attempt, tries, lost_nano_usd, lost_tokens;
	enum agent_compaction compaction;
	int64_t kept;
	char *goal;
	char *model; /* for the price */
	char *call, *toolkit;
	char *read_tool;  /* with which the model can read on, or NULL */
	char *account;    /* whose successor is looked up; NULL: none */
	int64_t sent_at;  /* of the call in doubt */
	struct task task; /* for the check of the facts */
	bool has_task;
	void (*text)(void *context, const char *bytes, size_t length);
	void (*done)(void *context, enum event_type type, struct buf *members);
	void *context;
};

/* Hands the event over and frees the effect. */
void
effect_end(struct effect *effect, enum event_type type, struct buf *members);

/* Adds the block that the model sees of a result, and is_error; returns whether
 * the text was cut. */
bool
effect_add_block(const struct effect *effect, struct buf *members,
    const char *text, size_t length, size_t limit, bool is_error);

/* The name that the request of a call has at the service, in NAME; no other has
 * it. NULL without a TASK. */
#define EFFECT_NAME 160
const char *
effect_name(char name[EFFECT_NAME], const char *task, const char *call,
    unsigned attempt);

/* Asks the provider's log about the call in doubt CALL, for ACTION_PIN. */
void
effect_start_evidence(struct effect *effect,
    const struct effect_request *request, const char *call);

/* Asks for the facts about the task, for ACTION_PIN and its like. */
int
effect_start_pin(struct effect *effect, const struct effect_request *request,
    struct fail *fail);

#endif
