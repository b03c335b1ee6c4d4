/*
 * agent_internal: the state that agent.c folds and agent_next.c reads. For
 * these two files only.
 */
#ifndef COMMON_AGENT_INTERNAL_H
#define COMMON_AGENT_INTERNAL_H

#include "common/agent.h"

struct pin {
	char *name, *slug, *toolkit, *version;
	char *account; /* NULL: needs none */
	bool repeatable;
	enum on_unknown on_unknown;
};

enum call_status {
	CALL_PENDING, /* to be run, not before its time */
	CALL_RUNNING, /* its intent is recorded */
	CALL_DOUBT,   /* its worker is gone, and it must not be repeated */
	CALL_UNKNOWN, /* recorded as unknown: what now, the policy says */
	CALL_DENIED,  /* a person decided that the model is to be told */
	CALL_DONE,    /* its block is there */
};

struct call {
	char *id, *name;
	const struct pin *pin; /* NULL: no such tool */
	char *input;           /* raw JSON */
	size_t input_length;
	bool input_valid;      /* it is an object */
	enum call_status status;
	unsigned attempt;
	int64_t not_before;
	char *connection;      /* waits for this toolkit's account */
	char *error;           /* why it is not done yet, for people */
	char *block;           /* raw tool_result */
	size_t block_length;
};

/* What has to come next, as the last reply decides it. */
enum step {
	STEP_PIN,
	STEP_MODEL,
	STEP_TOOLS,
	STEP_SAY,      /* a user message of ours */
	STEP_COMPLETE,
	STEP_BLOCKED,
	STEP_FAIL,
};

struct agent {
	uint64_t seq;
	int64_t started_at; /* first start, 0: never */
	struct task task;
	bool submitted;
	char *request;      /* pinned, raw, without its last brace */
	size_t request_length;
	struct pin *pins;
	size_t pin_count;

	enum task_state state;
	char *reason;
	int64_t due;
	bool paused, cancel_asked;

	enum step step;
	bool model_running;
	unsigned model_attempt;
	int64_t model_not_before;
	char *error;        /* raw JSON: why STEP_FAIL, or the model's last */
	char *stop_reason;  /* of the last reply */
	char *text;         /* of the last reply: its text blocks joined */
	unsigned empty_replies; /* in a row */
	bool skip_calls;    /* the reply did not end in tool_use: answer its
	                     * calls without running them */
	struct call *calls; /* of the last reply, while STEP_TOOLS */
	size_t call_count;
	struct buf messages; /* raw, with commas between, no brackets */

	int64_t turns, calls_made, calls_unknown;
	struct {
		int64_t input, output, cache_read, cache_write;
	} tokens;
	int64_t nano_usd;
};

/* The call of that id among those of the last reply, or NULL. */
struct call *
agent_find_call(const struct agent *agent, const char *id);

/* The call that waits for a person's decision: that of the id, or, for NULL,
 * the only one; else NULL. */
struct call *
agent_asked_call(const struct agent *agent, const char *id);

/* When the task's time is up: wall milliseconds, 0 for never. */
int64_t
agent_time_limit(const struct agent *agent);

#endif
