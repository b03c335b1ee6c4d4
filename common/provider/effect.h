/* SPDX-License-Identifier: ISC */
/*
 * effect: performs one action of a plan without blocking; its outcome is one
 * event. It is the only caller of claude and tools; both engines use it.
 */
#ifndef COMMON_PROVIDER_EFFECT_H
#define COMMON_PROVIDER_EFFECT_H

#include "common/agent/agent.h"
#include "common/agent/config.h"
#include "common/base/fail.h"
#include "common/base/loop.h"
#include "common/provider/gate.h"

struct effects; /* the providers, one per process */
struct effect;  /* one action under way */

/* Reads the key with file_secret: without ANTHROPIC_API_KEY FAIL_NEVER, type
 * "missing_key"; a tool provider's key is read when it is needed. CONFIG must
 * outlive the effects. */
int
effects_open(struct loop *loop, const struct config *config,
    struct effects **ret_effects, struct fail *fail);

/* The gate of the model, which every task needs. */
struct gate *
effects_gate(const struct effects *effects);

/* From now on WATCH, which is copied, hears what all calls with a key meet at
 * their service. */
void
effects_watch(struct effects *effects, const struct gate_watch *watch);

void
effects_close(struct effects *effects);

/* Adds to the intent of ACTION what the settings and the clock NOW say. */
void
effect_complete(const struct config *config, struct action *action,
    const struct task *task, int64_t now);

struct effect_request {
	const char *id;              /* of the task; its calls' names have it */
	const struct agent *agent;   /* not used after effect_start returns */
	const struct action *action; /* likewise */
	/* The boot time from which on the task may be another worker's: a tool
	 * call that has not left by then does not leave, and that is no attempt.
	 * It is read at the last moment, until done or the cancel. NULL: none */
	const int64_t *not_after;
	/* progress of a model turn: the next piece of its text; may be NULL */
	void (*text)(void *context, const char *bytes, size_t length);
	/* once, from the loop and never from within effect_start: TYPE and
	 * MEMBERS of the event (taken over: detach or release) */
	void (*done)(void *context, enum event_type type, struct buf *members);
	void *context;
};

/* Fails only when no action can be started at all (because of a bad URL, for
 * example): the failure of one action is its event. */
int
effect_start(struct effects *effects, const struct effect_request *request,
    struct effect **ret_effect, struct fail *fail);

/* Cuts it off; done is not called. */
void
effect_cancel(struct effect *effect);

#endif
