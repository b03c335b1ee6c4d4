/* SPDX-License-Identifier: ISC */
/*
 * agent: the agent loop as a fold over a journal. Pure: no I/O, no clock, no
 * randomness, no globals. Both engines drive it.
 *
 *	agent = agent_new();
 *	for each event of the journal, in order:
 *		agent_apply(agent, &event, &fail);
 *	agent_next(agent, now, &plan);
 *
 * The plan says what must happen now. The driver records plan.record (an
 * event) first, if there is one, applies it and asks again; then it records
 * the intents of all actions, applies them, makes them durable, and only then
 * performs them; the outcome of each is one more event. An action whose intent
 * was applied is under way and is not in the next plan (ACTION_PIN has no
 * intent: the driver knows whether one is under way). When the state is final,
 * what is under way is cut off: only the model's turn and repeatable calls
 * can be.
 */
#ifndef COMMON_AGENT_AGENT_H
#define COMMON_AGENT_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/agent/journal.h"
#include "common/agent/task.h"
#include "common/agent/wait.h"
#include "common/base/buf.h"
#include "common/base/fail.h"

struct agent;

/* The most attempts of a call, and of a model's turn, of which each ended with
 * its worker or lost its answer. */
#define CALL_LOST_MAX 10
#define MODEL_LOST_MAX 50

enum action_type {
	ACTION_PIN,   /* gather facts and pin, or look up what agent_lookup
	                 * names: no intent is recorded */
	ACTION_MODEL, /* one model turn */
	ACTION_TOOL,  /* one tool call */
};

struct action {
	enum action_type type;
	enum event_type intent;
	struct buf members;  /* of the intent */
	char *call;          /* ACTION_TOOL: the id of the tool_use */
	const char *compact; /* ACTION_MODEL: "service" or "summary" when the
	                      * turn compacts the conversation, else NULL */
	unsigned attempt;    /* from 1; attempts that ended with their worker,
	                       * or waited for a connection, count */
	unsigned tries;      /* from 1; counts only attempts that ended and can
	                       * be retried: for limits and delays */
	/* ACTION_MODEL: what attempts have sent of which the journal knows
	 * nothing, and its price */
	int64_t lost_tokens, lost_nano_usd;
	bool date;  /* ACTION_MODEL: the model is to be told the day: the driver
	            * adds the member "date" to the intent */
	bool asked; /* a person wants it tried now, although it was refused */
};

struct plan {
	bool has_record; /* record this, apply it, ask again */
	enum event_type record;
	struct buf record_members;

	struct action *actions;
	size_t count;

	int64_t wake_at; /* wall milliseconds: ask again then; 0: not by time */
	int64_t behind;  /* by how much the clock has been set back since the
	                  * last event */
};

/* A summary of a task; its strings live until the next apply. */
struct agent_summary {
	enum task_state state;
	const char *reason; /* waiting, blocked, failed, cancelled; else NULL */
	int64_t due;        /* waiting: when it goes on by itself, 0: never */
	enum wait_kind wait; /* waiting: for what; else WAIT_NONE */
	int64_t since;       /* waiting: since when it does for that */
	const char *toolkit, *call, *link; /* waiting: of what; may be NULL */
	int64_t turns, calls, calls_unknown;
	int64_t input_tokens, output_tokens, cache_read_tokens,
	    cache_write_tokens;
	int64_t nano_usd;
	int64_t reserved_nano_usd; /* for the turn under way */
	uint64_t seq;              /* of the last event applied */
	int64_t clock_from; /* since this wall time no step of the clock is in
	                     * the journal; 0: the task needs none */
	bool paused, cancel_asked;
};

/* One tool call as its executor needs it; borrowed until the next apply. */
struct agent_call {
	const char *id,
	    *name; /* tool_use id, and the name that the model used */
	const char *provider, *slug, *toolkit, *version,
	    *account; /* account may be NULL */
	const char *user;
	struct span input; /* raw JSON object, as the model wrote it */
	bool repeatable;
	unsigned attempt;
	const char *request; /* its name at the service, which effect gives;
	                      * NULL: none */
	int64_t sent_at;     /* wall milliseconds, when it is in doubt */
};

struct agent *
agent_new(void);

void
agent_free(struct agent *agent); /* NULL is fine */

/* Folds one event. FAIL_NEVER, type "invalid_journal", when it cannot follow
 * the events before it (wrong seq, a reply without a request): the agent is
 * then unusable. */
int
agent_apply(struct agent *agent, const struct event *event, struct fail *fail);

void
agent_next(const struct agent *agent, int64_t now, struct plan *ret_plan);

/* What the driver knows of money, for agent_next: the price of the task's model
 * (NULL: none is known, and a turn reserves nothing), and what is left of a
 * ceiling that other tasks share. */
struct agent_terms {
	const struct price *price; /* borrowed, as left_of */
	bool limited;              /* there is such a ceiling */
	int64_t left_nano_usd;
	int64_t until;       /* wall milliseconds: then it begins anew */
	const char *left_of; /* for people: "the user's dollars of a day" */
};

void
agent_set_terms(struct agent *agent, const struct agent_terms *terms);

void
plan_release(struct plan *plan);

void
agent_summary(const struct agent *agent, struct agent_summary *ret);

const struct task *
agent_task(const struct agent *agent); /* NULL before "submitted" */

/* Adds the calls that a person has to decide about to BUF, as an array of
 * {"call","tool","input"}; an input that is very long is left out. Returns how
 * many they are; when there is none, nothing is added. */
size_t
agent_decisions(const struct agent *agent, struct buf *buf);

/* The body of the next model request, for the turn that the last plan asked
 * for: the pinned first bytes and every message, spliced. The caller frees. */
char *
agent_request(const struct agent *agent, size_t *ret_length);

/* What the model's turn under way does, if it compacts the conversation. */
enum agent_compaction {
	AGENT_COMPACTS_NOT,
	AGENT_COMPACTS_BY_SERVICE,
	AGENT_COMPACTS_BY_SUMMARY,
};

/* *RET_KEPT gets how many messages at the end stay as they are. */
enum agent_compaction
agent_compaction(const struct agent *agent, int64_t *ret_kept);

/* Whether the request needs the beta of the service's compaction. */
bool
agent_compact_beta(const struct agent *agent);

/* The ids of all calls in the conversation, as hashes; borrowed until the next
 * apply. */
const uint64_t *
agent_ids(const struct agent *agent, size_t *ret_count);

uint64_t
agent_id_hash(const char *id);

/* False when there is no such call. */
bool
agent_call(const struct agent *agent, const char *id, struct agent_call *ret);

/* What ACTION_PIN looks up before the calls go on; borrowed until the next
 * apply. A call in doubt, about which the service's log is asked: the outcome is
 * its "tool.finished", or an "evidence". Or, without a call, the live account of
 * a toolkit whose calls wait for one; ACCOUNT is the one that they used last: the
 * outcome is an "account". False when there is none. */
struct agent_lookup {
	const char *call; /* NULL: an account */
	const char *toolkit, *account;
	int64_t at; /* not before this wall time */
};

bool
agent_lookup(const struct agent *agent, struct agent_lookup *ret);

/* Whether SIGNAL makes sense now; MEMBERS are its further members, raw JSON
 * without braces, or "". "approve" and "deny" need "call" when several calls
 * wait, or "all". FAIL_NO, type "task_ended" or "wrong_state"; FAIL_NEVER,
 * type "unknown_signal" or "invalid_signal". */
int
agent_accepts(const struct agent *agent, const char *signal,
    struct span members, struct fail *fail);

/* Adds the members of the event of a SIGNAL that was accepted to BUF. With "all"
 * there is one event for each call that waits: true when, once this one is
 * applied, there is one more. */
bool
agent_signal(const struct agent *agent, const char *signal, struct span members,
    struct buf *buf);

/* What begins the mark behind a result that was cut. */
#define AGENT_CUT_MARK "\n[cut here: "

/* How the mark tells of the rest: the tool, the call, the bytes before it. */
#define AGENT_READ_ON "%s with call \"%s\" and from %zu shows what follows"

/* Adds a "tool_result" block for CALL with TEXT (cut to LIMIT bytes with a
 * visible mark; 0: not) to BUF. The mark says that READ_TOOL shows the rest; NULL:
 * nothing does. Returns whether it was cut. */
bool
agent_result_block(struct buf *buf, const char *call, const char *text,
    size_t length, size_t limit, bool is_error, const char *read_tool);

/* The whole state as text, for tests: two agents with the same text are in the
 * same state. The caller frees. */
char *
agent_dump(const struct agent *agent);

#endif
