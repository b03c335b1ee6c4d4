/* SPDX-License-Identifier: ISC */
/*
 * state: the state that a journal folds to. Only for the files of the fold,
 * which state.c lists.
 */
#ifndef COMMON_AGENT_STATE_H
#define COMMON_AGENT_STATE_H

#include "common/agent/agent.h"

struct pin {
	char *name, *provider, *slug, *toolkit, *version;
	char *account; /* NULL: needs none */
	char *aliases; /* raw JSON, of its properties; NULL: there are none */
	bool repeatable;
	enum on_unknown on_unknown;
};

enum call_status {
	CALL_PENDING, /* it will be run, but not before its time */
	CALL_RUNNING, /* its intent is recorded */
	CALL_DOUBT,   /* its worker is gone, and it must not be repeated */
	CALL_UNKNOWN, /* recorded as unknown: its policy decides */
	CALL_DENIED,  /* a person decided that the model is to be told */
	CALL_DONE,    /* its block is there */
};

struct call {
	char *id, *name;
	const struct pin *pin; /* NULL: no such tool */
	char *input;           /* raw JSON, the properties by their names */
	size_t input_length;
	bool input_valid; /* it is an object */
	char *broken;     /* why it is not run; NULL: it can be */
	enum call_status status;
	unsigned attempt;
	unsigned failed; /* attempts that failed and can be retried */
	unsigned lost;   /* attempts whose outcome is unknown */
	int64_t not_before;
	enum wait_kind wait; /* why not before */
	int64_t sent_at;     /* when its last intent was recorded */
	int64_t settle_at;   /* until then it may be under way at the service
	                      * although its worker has lost it */
	bool ask;            /* the service's log is asked, at ask_at, before
	                      * anybody is told that it is in doubt */
	int64_t ask_at;
	char *evidence;   /* what the log says and does not prove */
	char *connection; /* waits for this toolkit's account */
	bool look;        /* that account is looked up first, at look_at */
	int64_t look_at;
	char *error;   /* why it is not done yet, for people */
	char *failure; /* raw JSON: the error of its last tool.unknown */
	char *block;   /* raw tool_result */
	size_t block_length;
	char *answer; /* read.c: what was asked for of an earlier result */
	bool answer_is_error;
};

/* The next step, which follows from the last reply. */
enum step {
	STEP_PIN,
	STEP_MODEL,
	STEP_TOOLS,
	STEP_SAY, /* a user message of ours */
	STEP_COMPLETE,
	STEP_BLOCKED,
	STEP_FAIL,
};

/* How a conversation that is too long becomes shorter; compact.c says when. */
enum compact {
	COMPACT_NONE,
	COMPACT_SERVICE, /* by the model's service */
	COMPACT_SUMMARY, /* by a summary that the model writes */
	COMPACT_CUT,     /* long results are cut */
};

struct agent {
	uint64_t seq;
	int64_t last_at;    /* of the last event */
	int64_t started_at; /* first start, 0: never */
	int64_t clock_from; /* since then no step of the clock is counted */
	struct task task;
	bool submitted;
	char *request; /* pinned, raw, without its last brace */
	size_t request_length;
	struct pin *pins;
	size_t pin_count;
	char *read_tool; /* NULL: there is none */

	enum task_state state;
	char *reason;
	int64_t due;
	bool paused, cancel_asked;
	struct {
		enum wait_kind kind; /* the last; WAIT_NONE after progress */
		int64_t since;
		char *toolkit, *call, *link;
	} wait;

	enum step step;
	bool model_running;
	unsigned model_attempt;
	unsigned model_failed; /* attempts of this turn that failed and can
	                        * be retried */
	unsigned model_lost;   /* attempts of this turn that ended with their
	                      * worker */
	int64_t model_not_before;
	enum wait_kind model_wait; /* why not before */
	char *error;       /* raw JSON: why STEP_FAIL, or the model's last */
	char *stop_reason; /* of the last reply */
	char *text;        /* the joined text blocks of the last reply, and of
	                     * those that it continues */
	bool text_goes_on; /* the next reply continues this one */
	bool echoed;       /* the last reply is in messages */
	unsigned empty_replies; /* in a row */
	unsigned cut_replies;   /* in a row: at the token limit */
	bool skip_calls;    /* answer the reply's calls without running them */
	struct call *calls; /* of the last reply, while STEP_TOOLS */
	size_t call_count;
	size_t first_open;   /* all calls before this one are done */
	struct buf messages; /* raw, with commas between, no brackets */
	uint64_t *ids;       /* hashes of those of all calls in them */
	uint64_t *results;   /* likewise: the events of their results, or 0 */
	size_t id_count;
	char *said;       /* by a person, for the end of the next user message;
	             * NULL: nothing */
	bool last_user;   /* the last message is a user's */
	int64_t day_ends; /* the day that was told last; 0: none was */

	int64_t window;        /* tokens that the model can take */
	int64_t context;       /* tokens as of the last reply */
	size_t context_bytes;  /* of messages then */
	size_t sent, answered; /* bytes of messages that the last request had,
	                        * and the last that was answered; 0: none */
	bool sent_user;
	size_t marked; /* as answered, when a user's message ends there */
	enum compact compacting; /* what the turn under way does instead */
	size_t compact_from;     /* bytes of messages that the summary is of */
	int64_t compact_after;   /* one failed: no other below so many tokens */
	bool overflow;   /* the service says that the request is too long */
	bool no_service; /* the service does not compact */
	bool by_service; /* messages begin with what it made */
	bool was_cut;    /* results were cut, and nothing was answered since */

	int64_t turns, calls_made, calls_unknown;
	struct {
		int64_t input, output, cache_read, cache_write;
	} tokens;
	int64_t nano_usd;

	struct agent_terms terms;
	/* of the turn under way */
	int64_t max_tokens; /* 0: as it is pinned */
	int64_t reserved_nano_usd, input_nano_usd, input_tokens, asked_bytes;
	/* a prompt whose size the service told; 0: none yet */
	int64_t prompt_tokens, prompt_bytes;
};

/* Of a reply with more calls than this, no call is run. */
#define CALLS_MAX 1000

/* The call of that id among those of the last reply, or NULL. */
struct call *
agent_find_call(const struct agent *agent, const char *id);

/* Whether the call is answered without being run, whatever its arguments. */
bool
agent_call_refused(const struct agent *agent, const struct call *call);

/* Whether the call waits for a person's decision. */
bool
agent_call_asked(const struct call *call);

/* Whether a call is under way that must not be cut off: its result has to be
 * known. */
bool
agent_must_finish(const struct agent *agent);

/* Whether a model's turn or a call is under way. */
bool
agent_under_way(const struct agent *agent);

/* When the task's time is up: wall milliseconds, 0 for never. The clock is BEHIND
 * the last event by so much. */
int64_t
agent_time_limit(const struct agent *agent, int64_t behind);

/* ---- shared by the files that fold ---- */

/* FAIL_NEVER, type "invalid_journal"; returns -1. */
int
agent_misplaced(const struct event *event, const char *why, struct fail *fail);

void
agent_set_string(char **string, const char *value);

/* VALUE is raw JSON; of a value that is no string comes NULL. */
void
agent_set_decoded(char **string, struct span value);

void
agent_set_raw(char **string, struct span value);

/* The member NAME, 0 when there is none. */
int64_t
agent_integer(const struct json_object *object, const char *name);

/* The kind of wait in the member NAME of an event; WAIT_NONE when it is not
 * there, WAIT_TIME for one that this program does not know. */
enum wait_kind
agent_wait(const struct event *event, const char *name);

/* There was progress: what comes is a new wait. */
void
agent_end_wait(struct agent *agent);

/* The time of the event and the milliseconds in its member NAME; -1 without that
 * member. */
int64_t
agent_after(const struct event *event, const char *name);

/* CONTENT is a raw JSON array, copied as it is. */
void
agent_add_message(struct agent *agent, const char *role, struct span content);

/* Adds a user message; while calls are open, it goes behind their results. */
void
agent_say(struct agent *agent, const char *text);

/* Makes the task's next step to fail with this error. */
void
agent_fail_step(struct agent *agent, const char *type, const char *message);

/* The worker died: the calls that it had under way are lost. */
void
agent_lose_calls(struct agent *agent);

void
agent_free_calls(struct agent *agent);

/* Each folds one type of event, as agent_apply: those of the model are in
 * reply.c, those of calls in call.c, signals in signal.c. */
typedef int
event_fold(struct agent *agent, const struct event *event, struct fail *fail);

extern event_fold agent_model_started, agent_model_replied, agent_model_failed,
    agent_tool_started, agent_tool_finished, agent_tool_failed,
    agent_tool_unknown, agent_signalled, agent_account, agent_evidence,
    agent_compacted;

#endif
