/* SPDX-License-Identifier: ISC */
/*
 * gate: what one call meets at a service, all calls with the same key share.
 * Each call asks before it leaves:
 *
 *	if (gate_enter(gate, &pass))	it may leave at once
 *		...
 *	else				pass.turn is called later, with NULL (it
 *					may leave) or with why it may not
 *
 * and tells what the service said, once: gate_accepted, gate_refused, or
 * gate_leave when it said nothing of the kind or the call was cancelled.
 *
 * After a limit (WAIT_RATE_LIMIT) no call leaves until the time that was named;
 * then one, and when that is accepted the others, at a rate that is half of what
 * it was and grows slowly. After a refusal of the key (WAIT_KEY, WAIT_CREDIT)
 * only a slow probe leaves, until one is accepted or the key is exchanged; all
 * other calls are refused at once. Calls that find the gate closed for a short
 * time are held back, up to GATE_HOLD_MS; nothing of them has been sent.
 *
 * Processes with the same key share a gate when whoever watches it passes on what
 * each has met (gate_watch, gate_met).
 *
 * Before anything is known, calls leave in growing numbers: as many more as were
 * accepted.
 */
#ifndef COMMON_PROVIDER_GATE_H
#define COMMON_PROVIDER_GATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/agent/wait.h"
#include "common/base/loop.h"

#define GATE_HOLD_MS 15000

struct gate;

struct gate_refusal {
	enum wait_kind kind;
	int64_t delay_ms;    /* after which another try makes sense */
	const char *message; /* the service's; "" when it was only a limit */
};

struct gate_pass { /* one call's; zeros, and what is the caller's */
	/* the caller's: */
	void (*turn)(void *context, const struct gate_refusal *refusal);
	void *context;
	bool asked; /* a person wants it tried now */
	/* the gate's: */
	struct gate *gate; /* NULL: it is in none */
	bool queued;
	unsigned burst;
	int64_t at; /* boot time: when it came, or left */
	TAILQ_ENTRY(gate_pass) next;
};

struct gate_state {
	const char *name;    /* of the service, for people */
	const char *key;     /* tells keys at hosts from each other; a digest */
	enum wait_kind kind; /* WAIT_NONE: open */
	bool proven;         /* the service has taken a call with this key */
	bool news;           /* the key was refused, or is accepted again, just
	                      * now */
	int64_t until;       /* wall time: when the next call may leave */
	const char *message; /* why it is closed; "" */
	int64_t scarce_until, scarce_ms; /* wall time; as gate_pace, or 0 */
};

struct gate_watch {
	/* The state has changed; NULL: nobody listens. */
	void (*changed)(void *context, struct gate *gate,
	    const struct gate_state *state);
	/* Whether this process may probe now, of all that have the same key; it
	 * may call gate_met first. NULL: it may. */
	bool (*probe)(void *context, struct gate *gate);
	void *context;
};

/* NAME and WATCH must live as long as the gate. RENEWED tells from time to time,
 * while the key is refused, whether there is another; may be NULL. */
struct gate *
gate_new(struct loop *loop, const char *name, const struct gate_watch *watch,
    bool (*renewed)(void *context), void *context);

void
gate_free(struct gate *gate); /* NULL is fine; nothing is in it any more */

/* Says by which key at which host calls are made; SECRET is not kept. When that
 * is another one than before, the gate opens. */
void
gate_key(struct gate *gate, const char *host, const char *secret);

/* The strings live until the gate's next call. */
void
gate_look(const struct gate *gate, struct gate_state *ret_state);

/* Takes over what another process has met with the same key: all but name, key,
 * proven and news. */
void
gate_met(struct gate *gate, const struct gate_state *state);

/* PEERS processes share what is scarce, this one counted; 1 at first. */
void
gate_peers(struct gate *gate, int64_t peers);

/* One line of the log of WORKER when there is news. */
void
gate_log(const struct gate_state *state, const char *worker);

/* GATE NULL: all may leave. */
bool
gate_enter(struct gate *gate, struct gate_pass *pass);

void
gate_accepted(struct gate_pass *pass);

/* DELAY_MS: what the service named for a limit, 0 for nothing. Returns the delay after which
 * another try makes sense; DELAY_MS when the call is in no gate. */
int64_t
gate_refused(struct gate_pass *pass, enum wait_kind kind, int64_t delay_ms,
    const char *message);

void
gate_leave(struct gate_pass *pass);

/* Little is left of what the service allows: for FOR_MS, calls leave at least
 * STEP_MS apart. */
void
gate_pace(struct gate *gate, int64_t step_ms, int64_t for_ms);

#endif
