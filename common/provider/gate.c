/* SPDX-License-Identifier: ISC */
/*
 * How it works: calls that may not leave are in one queue, and one timer looks
 * at its head when the next may leave or has been held back for too long. No
 * callback comes from within a call of the gate: the timer calls them.
 *
 * The rate follows the rule by which senders share a network: it grows by a step
 * with each call that is accepted, and is halved by a refusal, once for all calls
 * that had left before.
 */
#include "common/provider/gate.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/backoff.h"
#include "common/base/clock.h"
#include "common/base/digest.h"
#include "common/base/id.h"
#include "common/base/mem.h"
#include "common/json/log.h"

#define BURST 8            /* calls that leave before one is accepted */
#define BURST_MS 1000      /* how long a call without an answer counts */
#define MEASURE_MS 10000   /* over which the first rate is measured */
#define FORGET_MS 60000    /* without a refusal: no limit is known any more */
#define RENEW_MS 2000      /* how often another key is looked for */
#define BELIEVED 3         /* refusals in a row for which a named time counts */
#define RATE_LEAST 0.1     /* calls a second */
#define LONGEST_MS 3600000 /* no delay is longer (backoff.h) */
#define DELAY_MIN_MS 1000
#define DELAY_MAX_MS 10000 /* of calls that were held back for too long */

struct gate {
	struct loop *loop;
	const struct gate_watch *watch;
	bool (*renewed)(void *context);
	void *context;
	TAILQ_HEAD(passes, gate_pass) queue;
	int64_t queued;
	struct timer timer, renewal;
	struct gate_state state;
	char key[17];  /* tells keys at hosts from each other */
	int64_t until; /* boot time */
	char *message;
	unsigned refusals;       /* in a row */
	struct gate_pass *probe; /* that has left; while it is closed */
	double rate;             /* calls a second; 0: no limit is known */
	int64_t next;            /* boot time: when the rate lets one leave */
	int64_t halved_at;
	unsigned window, burst_count, burst; /* the number of this burst */
	int64_t burst_at;                    /* when its last call left */
	int64_t measured_at, measured;       /* calls accepted since then */
	int64_t scarce_until, scarce_ms;     /* gate_pace */
	int64_t told_scarce, peers;
};

static bool
is_refused(const struct gate *gate)
{
	return wait_of_key(gate->state.kind);
}

void
gate_look(const struct gate *gate, struct gate_state *ret_state)
{
	int64_t boot = clock_boot(), wall = clock_wall();

	*ret_state = gate->state;
	ret_state->key = gate->key;
	ret_state->until = gate->until - boot + wall;
	ret_state->message = gate->message != NULL ? gate->message : "";
	if (gate->scarce_until > boot) {
		ret_state->scarce_until = gate->scarce_until - boot + wall;
		ret_state->scarce_ms = gate->scarce_ms;
	}
}

static void
tell(struct gate *gate, bool news)
{
	struct gate_state state;

	if (gate->watch == NULL || gate->watch->changed == NULL)
		return;
	gate_look(gate, &state);
	state.news = news;
	gate->watch->changed(gate->watch->context, gate, &state);
}

static void
look_soon(struct gate *gate)
{
	if (!TAILQ_EMPTY(&gate->queue))
		loop_timer(gate->loop, &gate->timer, clock_boot());
}

static void
open_gate(struct gate *gate)
{
	bool news = is_refused(gate);

	loop_cancel(gate->loop, &gate->renewal);
	gate->state.kind = WAIT_NONE;
	gate->refusals = 0;
	gate->probe = NULL;
	gate->window = BURST;
	free(gate->message);
	gate->message = NULL;
	tell(gate, news);
	look_soon(gate);
}

static void
take_out(struct gate *gate, struct gate_pass *pass)
{
	TAILQ_REMOVE(&gate->queue, pass, next);
	pass->queued = false;
	gate->queued--;
}

/* When the next call may leave: boot time, 0 for now, -1 when something else
 * has to happen first. */
static int64_t
leaves_at(const struct gate *gate, const struct gate_pass *pass, int64_t now)
{
	int64_t at = gate->until;

	if (gate->state.kind != WAIT_NONE) {
		if (gate->probe != NULL)
			return -1;
		return now >= at || (pass->asked && is_refused(gate)) ? 0 : at;
	}
	if (gate->burst_count >= gate->window &&
	    now < gate->burst_at + BURST_MS)
		return gate->burst_at + BURST_MS;
	at = gate->rate > 0 || gate->scarce_until > now ? gate->next : 0;
	return now < at ? at : 0;
}

/* The same, and of all processes only one probes. */
static int64_t
may_leave(struct gate *gate, const struct gate_pass *pass, int64_t now)
{
	const struct gate_watch *watch = gate->watch;
	int64_t at = leaves_at(gate, pass, now);

	if (at != 0 || gate->state.kind == WAIT_NONE || now < gate->until ||
	    watch == NULL || watch->probe == NULL ||
	    watch->probe(watch->context, gate))
		return at;
	return leaves_at(gate, pass, now);
}

static void
let_leave(struct gate *gate, struct gate_pass *pass, int64_t now)
{
	int64_t step = gate->rate > 0 ? (int64_t)(1000 / gate->rate) : 0;

	if (gate->state.kind != WAIT_NONE)
		gate->probe = pass;
	if (gate->burst_count >= gate->window) {
		gate->burst++;
		gate->burst_count = 0;
	}
	gate->burst_count++;
	gate->burst_at = now;
	if (gate->scarce_until > now && step < gate->scarce_ms * gate->peers)
		step = gate->scarce_ms * gate->peers;
	gate->next = (gate->next > now ? gate->next : now) + step;
	pass->at = now;
	pass->burst = gate->burst;
}

/* After how long a call that does not leave now should come again. */
static int64_t
delay_of(const struct gate *gate, int64_t now)
{
	int64_t delay = gate->rate > 0
	    ? (int64_t)((double)gate->queued * 1000 / gate->rate)
	    : 0;

	if (delay > DELAY_MAX_MS)
		delay = DELAY_MAX_MS;
	if (gate->state.kind != WAIT_NONE && now < gate->until) {
		if (delay < gate->until - now)
			delay = gate->until - now;
	} else if (delay < DELAY_MIN_MS) {
		delay = DELAY_MIN_MS;
	}
	return delay + (int64_t)((double)delay * 0.25 * random_fraction());
}

static bool
gives_up(const struct gate *gate, const struct gate_pass *pass, int64_t now)
{
	if (gate->probe == NULL && !pass->asked && now < gate->until &&
	    (is_refused(gate) ||
		(gate->state.kind == WAIT_RATE_LIMIT &&
		    gate->until - now > GATE_HOLD_MS)))
		return true;
	return now >= pass->at + GATE_HOLD_MS;
}

static void
look(void *context)
{
	struct gate *gate = context;
	struct gate_refusal refusal;
	struct gate_pass *pass;
	int64_t now = clock_boot(), at;

	while ((pass = TAILQ_FIRST(&gate->queue)) != NULL) {
		at = may_leave(gate, pass, now);
		if (at != 0 && !gives_up(gate, pass, now))
			break;
		take_out(gate, pass);
		if (at == 0) {
			let_leave(gate, pass, now);
			pass->turn(pass->context, NULL);
			continue;
		}
		refusal = (struct gate_refusal){
			.kind = is_refused(gate) ? gate->state.kind
						 : WAIT_RATE_LIMIT,
			.delay_ms = delay_of(gate, now),
			.message = gate->message != NULL ? gate->message : "",
		};
		pass->gate = NULL;
		pass->turn(pass->context, &refusal);
	}
	if (pass == NULL)
		return;
	if (at < 0 || at > pass->at + GATE_HOLD_MS)
		at = pass->at + GATE_HOLD_MS;
	loop_timer(gate->loop, &gate->timer, at);
}

static void
look_for_key(void *context)
{
	struct gate *gate = context;

	loop_timer(gate->loop, &gate->renewal, clock_boot() + RENEW_MS);
	if (gate->renewed(gate->context) && is_refused(gate))
		open_gate(gate);
}

struct gate *
gate_new(struct loop *loop, const char *name, const struct gate_watch *watch,
    bool (*renewed)(void *context), void *context)
{
	struct gate *gate = mem_alloc(sizeof(*gate));

	TAILQ_INIT(&gate->queue);
	gate->loop = loop;
	gate->watch = watch;
	gate->renewed = renewed;
	gate->context = context;
	gate->timer = (struct timer){ .fire = look, .context = gate };
	gate->renewal = (struct timer){ .fire = look_for_key, .context = gate };
	gate->state.name = name;
	gate->window = BURST;
	gate->halved_at = -FORGET_MS;
	gate->peers = 1;
	return gate;
}

void
gate_free(struct gate *gate)
{
	if (gate == NULL)
		return;
	loop_cancel(gate->loop, &gate->timer);
	loop_cancel(gate->loop, &gate->renewal);
	free(gate->message);
	free(gate);
}

void
gate_key(struct gate *gate, const char *host, const char *secret)
{
	char *text = mem_print("%s %s", host, secret), digest[DIGEST_TEXT];
	bool first = gate->key[0] == '\0';

	digest_hex(text, strlen(text), digest);
	explicit_bzero(text, strlen(text));
	free(text);
	digest[sizeof(gate->key) - 1] = '\0';
	if (strcmp(gate->key, digest) == 0)
		return;
	memcpy(gate->key, digest, sizeof(gate->key));
	gate->rate = 0;
	gate->state.proven = false;
	if (first)
		tell(gate, false);
	else
		open_gate(gate);
}

void
gate_log(const struct gate_state *state, const char *worker)
{
	if (!state->news)
		return;
	if (state->kind == WAIT_NONE)
		log_line("info", "key.accepted", "worker", worker, "service",
		    state->name, NULL);
	else
		log_line("error", "key.refused", "worker", worker, "service",
		    state->name, "reason", state->message, NULL);
}

bool
gate_enter(struct gate *gate, struct gate_pass *pass)
{
	int64_t now = clock_boot();

	pass->gate = gate;
	pass->queued = false;
	if (gate == NULL)
		return true;
	if (gate->rate > 0 && gate->state.kind == WAIT_NONE &&
	    TAILQ_EMPTY(&gate->queue) && now - gate->halved_at > FORGET_MS)
		gate->rate = 0;
	if (TAILQ_EMPTY(&gate->queue) && may_leave(gate, pass, now) == 0) {
		let_leave(gate, pass, now);
		return true;
	}
	pass->at = now;
	pass->queued = true;
	gate->queued++;
	if (pass->asked)
		TAILQ_INSERT_HEAD(&gate->queue, pass, next);
	else
		TAILQ_INSERT_TAIL(&gate->queue, pass, next);
	if (TAILQ_FIRST(&gate->queue) == pass)
		look_soon(gate);
	return false;
}

/* The call is not in the gate any more. Returns the gate that it was in, and
 * whether it was its probe. */
static struct gate *
end_pass(struct gate_pass *pass, bool *ret_probe)
{
	struct gate *gate = pass->gate;

	*ret_probe = false;
	pass->gate = NULL;
	if (gate == NULL)
		return NULL;
	if (pass->queued) {
		take_out(gate, pass);
		return NULL;
	}
	*ret_probe = gate->probe == pass;
	if (*ret_probe)
		gate->probe = NULL;
	if (pass->burst == gate->burst && gate->burst_count > 0)
		gate->burst_count--;
	look_soon(gate);
	return gate;
}

void
gate_accepted(struct gate_pass *pass)
{
	int64_t now = clock_boot();
	bool probe;
	struct gate *gate = end_pass(pass, &probe);

	if (gate == NULL)
		return;
	if (now - gate->measured_at > MEASURE_MS) {
		gate->measured_at = now;
		gate->measured = 0;
	}
	gate->measured++;
	gate->window++;
	if (gate->rate > 0)
		gate->rate += 0.5 / (gate->rate > 0.5 ? gate->rate : 0.5) +
		    0.02;
	if (probe && gate->rate > 0 &&
	    gate->next > now + (int64_t)(1000 / gate->rate))
		gate->next = now + (int64_t)(1000 / gate->rate);
	if (!probe && (gate->state.proven || gate->state.kind != WAIT_NONE))
		return;
	gate->state.proven = true;
	if (probe)
		open_gate(gate);
	else
		tell(gate, false);
}

static void
halve(struct gate *gate, const struct gate_pass *pass, int64_t now)
{
	double seconds = (double)(now - gate->measured_at) / 1000;

	if (gate->rate > 0 && pass->at < gate->halved_at)
		return;
	gate->halved_at = now;
	gate->window = BURST;
	if (gate->rate <= 0)
		gate->rate = (double)gate->measured /
		    (seconds > 1 ? seconds : 1);
	gate->rate = gate->rate / 2 > RATE_LEAST ? gate->rate / 2 : RATE_LEAST;
}

static void
close_gate(struct gate *gate, enum wait_kind kind, int64_t until,
    const char *message)
{
	bool was = is_refused(gate);

	if (gate->state.kind == WAIT_NONE || until > gate->until ||
	    gate->state.kind != kind)
		gate->until = until;
	gate->state.kind = kind;
	gate->state.proven = gate->state.proven && !is_refused(gate);
	free(gate->message);
	gate->message = mem_string(message);
	if (is_refused(gate) && gate->renewed != NULL)
		loop_timer(gate->loop, &gate->renewal, clock_boot() + RENEW_MS);
	tell(gate, is_refused(gate) && !was);
	look_soon(gate);
}

int64_t
gate_refused(struct gate_pass *pass, enum wait_kind kind, int64_t delay_ms,
    const char *message)
{
	struct backoff_answer unnamed = { .status = 0 };
	int64_t now = clock_boot(), own;
	bool probe;
	struct gate *gate = end_pass(pass, &probe);
	bool limit = kind == WAIT_RATE_LIMIT;

	if (gate == NULL)
		return delay_ms;
	/* what left before the gate closed says nothing new */
	if (probe || gate->state.kind == WAIT_NONE)
		gate->refusals++;
	own = limit ? backoff_delay(&unnamed, gate->refusals, random_fraction())
		    : backoff_slow(gate->refusals);
	/* a time that was named and did not help is not believed for ever */
	if (!limit || delay_ms <= 0 ||
	    (gate->refusals > BELIEVED && delay_ms < own))
		delay_ms = own;
	else
		delay_ms += (int64_t)(0.1 * random_fraction() *
		    (double)delay_ms);
	if (limit)
		halve(gate, pass, now);
	if (probe)
		gate->until = now;
	if (!limit || probe || !is_refused(gate))
		close_gate(gate, kind, now + delay_ms, message);
	return delay_of(gate, now);
}

void
gate_leave(struct gate_pass *pass)
{
	bool probe;
	struct gate *gate = end_pass(pass, &probe);

	if (gate != NULL && probe)
		gate->until = clock_boot() +
		    (is_refused(gate) ? backoff_slow(1) : DELAY_MIN_MS);
}

void
gate_pace(struct gate *gate, int64_t step_ms, int64_t for_ms)
{
	int64_t now = clock_boot();

	if (gate == NULL)
		return;
	gate->scarce_until = now + for_ms;
	gate->scarce_ms = step_ms;
	if (now < gate->told_scarce)
		return;
	gate->told_scarce = gate->scarce_until;
	tell(gate, false);
}

void
gate_met(struct gate *gate, const struct gate_state *state)
{
	int64_t boot = clock_boot(), shift = boot - clock_wall();
	int64_t until = state->until + shift;
	const struct gate_pass pass = { .at = boot };

	if (state->scarce_until + shift > gate->scarce_until) {
		gate->scarce_until = state->scarce_until + shift;
		gate->scarce_ms = state->scarce_ms;
		gate->told_scarce = gate->scarce_until;
	}
	if (state->kind == WAIT_NONE) {
		if (gate->state.kind != WAIT_NONE)
			open_gate(gate);
		return;
	}
	if (until > boot + LONGEST_MS) /* the clock was set back */
		until = boot + LONGEST_MS;
	if (gate->state.kind == WAIT_NONE && state->kind == WAIT_RATE_LIMIT &&
	    gate->measured > 0)
		halve(gate, &pass, boot);
	gate->until = until;
	close_gate(gate, state->kind, until, state->message);
}

void
gate_peers(struct gate *gate, int64_t peers)
{
	gate->peers = peers > 1 ? peers : 1;
}
