/* SPDX-License-Identifier: ISC */
/*
 * How it works: effects end in callbacks, which only store the outcome as a fact
 * and mark the run; everything else happens in the worker's tick. A run whose
 * lease another worker has taken records nothing any more: the outcomes of its
 * effects are dropped, since the other worker already counts them as in doubt.
 */
#include "common/store/worker_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/agent/read.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/json/log.h"
#include "common/store/internal.h"
#include "common/store/numbers.h"

#define UNREADABLE_MS (5 * 60 * 1000)
#define EVENT_ROOM ((size_t)EVENT_MAX)
#define REFUSED_MS \
	1000        /* before a turn that could not be folded is tried again */
#define LOOK_MS 100 /* how old the text in the progress file may be */

int
worker_park(struct worker *own, struct task_row *row, int64_t now,
    const struct fail *why, struct fail *fail)
{
	char id[ID_TEXT];

	if (why->kind != FAIL_NEVER) {
		*fail = *why;
		return -1;
	}
	id_format(&row->id, id);
	log_line("error", "unreadable", "task", id, "reason", why->message,
	    NULL);
	row->state = TASK_WAITING;
	row->due = now + UNREADABLE_MS;
	row_wait(row, WAIT_TIME, now, why->message);
	return store_put(own->store, row, fail);
}

static void
log_event(void *context, const struct event *event)
{
	const struct run *run = context;
	static const char *const names[] = { "call", "tool", "stop_reason",
		"request_id" };
	char *values[4], *reason = json_decode(event_reason(&event->members));
	size_t i;

	for (i = 0; i < 4; i++)
		values[i] = json_decode(json_get(&event->members, names[i]));
	log_line("info", event_type_name(event->type), "task", run->id,
	    "worker", run->worker->name, names[0], values[0], names[1],
	    values[1], names[2], values[2], names[3], values[3], "reason",
	    reason, NULL);
	for (i = 0; i < 4; i++)
		free(values[i]);
	free(reason);
}

static void
run_timer(void *context)
{
	struct run *run = context;

	run->dirty = true;
	run->worker->dirty = true;
}

/* Appends the new text to the progress file. The work does not depend on it. */
static void
write_progress(void *context)
{
	struct run *run = context;
	char *path;

	if (run->progress < 0) {
		path = store_progress_path(run->worker->store,
		    &run->session.row.id);
		/* Truncating the old file would make some file systems write
		 * the new one to disk when it is closed. */
		(void)unlink(path);
		run->progress = open(path,
		    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		run->has_progress = run->has_progress || run->progress >= 0;
		free(path);
	}
	if (run->progress >= 0 && run->text.length > 0 &&
	    write(run->progress, run->text.data, run->text.length) < 0)
		log_line("debug", "progress", "task", run->id, "reason",
		    strerror(errno), NULL);
	buf_reset(&run->text);
}

/* The text of a short reply is not written at all. */
static void
end_progress(struct run *run)
{
	loop_cancel(run->worker->loop, &run->look);
	buf_release(&run->text);
	if (run->progress >= 0)
		close(run->progress);
	run->progress = -1;
}

/* Notes in the journal that the clock was set forward, before anything is decided
 * by it. */
static int
note_clock(struct run *run, int64_t now, struct fail *fail)
{
	struct buf members = BUF_INIT(EVENT_ROOM);
	struct agent_summary summary;
	int64_t by;
	int result;

	if (!run->worker->clock.count)
		return 0;
	agent_summary(run->session.agent, &summary);
	by = summary.clock_from
	    ? clock_stepped(&run->worker->clock, summary.clock_from)
	    : 0;
	if (!by)
		return 0;
	member_integer(&members, "stepped_ms", by);
	result = session_record(&run->session, run->worker->store, now,
	    EVENT_CLOCK, members.data, members.length, fail);
	buf_release(&members);
	return result;
}

int
run_open(struct worker *worker, const struct task_row *row, int64_t now,
    struct run **ret_run, struct fail *fail)
{
	struct run *run = mem_alloc(sizeof(*run));
	struct buf members = BUF_INIT(EVENT_ROOM);
	int result;

	run->worker = worker;
	run->fence = row->fence;
	run->dirty = true;
	run->progress = -1;
	run->timer.fire = run_timer;
	run->timer.context = run;
	run->text = BUF_INIT(EVENT_ROOM);
	run->look.fire = write_progress;
	run->look.context = run;
	run->session.recorded = log_event;
	run->session.context = run;
	id_format(&row->id, run->id);
	if (session_open(&run->session, worker->store, row, fail) < 0) {
		free(run);
		return -1;
	}
	/* Of a worker that died in the middle of it. */
	store_progress_remove(worker->store, &row->id);
	member_string(&members, "worker", worker->name);
	member_integer(&members, "fence", (int64_t)row->fence);
	result = note_clock(run, now, fail);
	if (result == 0)
		result = session_record(&run->session, worker->store, now,
		    EVENT_STARTED, members.data, members.length, fail);
	if (result == 0)
		result = session_save(&run->session, worker->store, now, fail);
	buf_release(&members);
	if (result < 0)
		run_close(run);
	else
		*ret_run = run;
	return result;
}

void
run_close(struct run *run)
{
	struct effect_slot *slot;
	size_t i;

	if (!run)
		return;
	while ((slot = run->slots)) {
		run->slots = slot->next;
		effect_cancel(slot->effect);
		free(slot);
	}
	for (i = 0; i < run->fact_count; i++)
		buf_release(&run->facts[i].members);
	free(run->facts);
	if (run->has_progress && !run->lost)
		store_progress_remove(run->worker->store, &run->session.row.id);
	end_progress(run);
	loop_cancel(run->worker->loop, &run->timer);
	plan_release(&run->plan);
	session_close(&run->session);
	free(run);
}

size_t
run_room(const struct run *run)
{
	const char *tool = agent_read_tool(run->session.agent);
	size_t i, room = 8192;

	/* A reply can ask for many calls, each of which is recorded, and for
	 * pieces of results. */
	for (i = 0; i < run->fact_count; i++) {
		room += 1024 +
		    run->facts[i].members.length *
			(run->facts[i].type == EVENT_MODEL_REPLIED ? 64 : 1);
		if (tool != NULL && run->facts[i].type == EVENT_MODEL_REPLIED &&
		    strstr(run->facts[i].members.data, tool) != NULL)
			room += READ_RECORDED_MAX;
	}
	return room;
}

/* What is recorded instead of an outcome that the fold does not take: an attempt
 * that failed, with what it cost. False when there is nothing like that. */
static bool
instead(const struct run *run, const struct fact *fact, const struct fail *why,
    struct buf *members, enum event_type *ret_type)
{
	static const char *const kept[] = { "turn", "call", "attempt", "usage",
		"nano_usd" };
	bool replied = fact->type == EVENT_MODEL_REPLIED;
	struct json_object object;
	struct span value;
	int64_t attempt = 0;
	char *text;
	size_t i;

	if (!replied && fact->type != EVENT_TOOL_FINISHED)
		return false;
	*ret_type = replied ? EVENT_MODEL_FAILED : EVENT_TOOL_UNKNOWN;
	text = event_members((struct span){ fact->members.data,
				 fact->members.length },
	    &object);
	for (i = 0; i < sizeof(kept) / sizeof(*kept); i++) {
		value = json_get(&object, kept[i]);
		if (value.length > 0)
			member_raw(members, kept[i], value.at, value.length);
	}
	member_error(members, "invalid_outcome", why->message, NULL);
	(void)json_whole(json_get(&object, "attempt"), &attempt);
	if (replied && attempt < run->worker->config->attempts)
		member_integer(members, "delay_ms", REFUSED_MS);
	free(text);
	return true;
}

static int
record_fact(struct run *run, int64_t now, const struct fact *fact,
    struct fail *fail)
{
	struct task_session *session = &run->session;
	struct store *store = run->worker->store;
	struct buf members = BUF_INIT(EVENT_ROOM);
	struct task_row row;
	enum event_type type;
	int result = session_record(session, store, now, fact->type,
	    fact->members.data, fact->members.length, fail);

	if (result < 0 && fail->kind == FAIL_NEVER &&
	    instead(run, fact, fail, &members, &type)) {
		log_line("error", "refused", "task", run->id, "reason",
		    fail->message, NULL);
		row = session->row;
		session_close(session);
		result = session_open(session, store, &row, fail);
		if (result == 0)
			result = session_record(session, store, now, type,
			    members.data, members.length, fail);
	}
	buf_release(&members);
	return result;
}

static int
record_facts(struct run *run, int64_t now, struct fail *fail)
{
	size_t i;
	int result = 0;

	for (i = 0; i < run->fact_count; i++) {
		if (result == 0)
			result = record_fact(run, now, &run->facts[i], fail);
		buf_release(&run->facts[i].members);
	}
	run->fact_count = 0;
	return result;
}

static bool
pinning(const struct run *run)
{
	const struct effect_slot *slot;

	for (slot = run->slots; slot; slot = slot->next)
		if (slot->type == ACTION_PIN)
			return true;
	return false;
}

static int
record_intents(struct run *run, int64_t now, struct fail *fail)
{
	struct action *action;
	size_t i;

	for (i = 0; i < run->plan.count; i++) {
		action = &run->plan.actions[i];
		if (action->type == ACTION_PIN)
			continue;
		effect_complete(run->worker->config, action,
		    agent_task(run->session.agent), now);
		if (session_record(&run->session, run->worker->store, now,
			action->intent, action->members.data,
			action->members.length, fail) < 0)
			return -1;
	}
	return 0;
}

/* The worker drains: nothing new is begun, and the lease is released as soon as
 * nothing is under way, or when the grace is over. */
static int
release(struct run *run, int64_t now, struct fail *fail)
{
	struct agent_summary summary;

	plan_release(&run->plan);
	agent_summary(run->session.agent, &summary);
	if (summary.state != TASK_RUNNING ||
	    (run->slots && !run->worker->grace_over))
		return 0;
	return session_release(&run->session, run->worker->store, now,
	    run->worker->name, "drained", fail);
}

static bool
is_ours(const struct run *run)
{
	const struct task_row *row = &run->session.row;

	return row->state == TASK_RUNNING && row->fence == run->fence &&
	    memcmp(&row->worker, &run->worker->id, sizeof(row->worker)) == 0;
}

/* Takes what is left of a ceiling of MOST (0: none) dollars for today. The row
 * does not have yet what the agent has learned since it was saved. */
static int
limit_terms(struct run *run, const char *user, int64_t most, int64_t now,
    const char *of, struct agent_terms *terms, struct fail *fail)
{
	const struct task_row *row = &run->session.row;
	struct agent_summary summary;
	int64_t left;

	if (!most)
		return 0;
	if (store_spent(run->worker->store, user, now, &left, fail) < 0)
		return -1;
	agent_summary(run->session.agent, &summary);
	left = most - left - (summary.nano_usd - row->nano_usd) -
	    (summary.reserved_nano_usd - row->reserved_nano_usd);
	if (!terms->limited || left < terms->left_nano_usd) {
		terms->left_nano_usd = left;
		terms->left_of = of;
	}
	terms->limited = true;
	return 0;
}

static int
set_terms(struct run *run, int64_t now, struct fail *fail)
{
	const struct config *config = run->worker->config;
	const struct task *task = agent_task(run->session.agent);
	struct agent_terms terms = {
		.price = config_price(config, task->model),
		.until = (now / STORE_DAY_MS + 1) * STORE_DAY_MS,
	};

	if (limit_terms(run, task->user, config->user_day_nano_usd, now,
		"what the user may spend today", &terms, fail) < 0 ||
	    limit_terms(run, "", config->day_nano_usd, now,
		"what may be spent today", &terms, fail) < 0)
		return -1;
	agent_set_terms(run->session.agent, &terms);
	return 0;
}

int
run_advance(struct run *run, int64_t now, struct fail *fail)
{
	struct store *store = run->worker->store;
	uint64_t seq;

	plan_release(&run->plan);
	if (store_get(store, &run->session.row.id, &run->session.row, fail) < 0)
		return -1;
	seq = run->session.row.seq;
	if (!is_ours(run)) {
		run->lost = true;
		log_line("warning", "fenced", "task", run->id, "worker",
		    run->worker->name, "reason",
		    "the lease ran out and another worker has the task; what "
		    "this one brought is dropped",
		    NULL);
		return 0;
	}
	if (session_catch_up(&run->session, store, fail) < 0 ||
	    note_clock(run, now, fail) < 0 || record_facts(run, now, fail) < 0)
		return -1;
	if (set_terms(run, now, fail) < 0 ||
	    session_plan(&run->session, store, now, &run->plan, fail) < 0)
		return -1;
	if (run->worker->draining ? release(run, now, fail) < 0
				  : record_intents(run, now, fail) < 0)
		return -1;
	/* The row must agree with the events, so it is saved after appending. */
	return run->session.row.seq == seq
	    ? 0
	    : session_save(&run->session, store, now, fail);
}

/* ---- effects ---- */

static void
effect_text(void *context, const char *bytes, size_t length)
{
	struct run *run = ((struct effect_slot *)context)->run;

	if (run->text.length == 0)
		loop_timer(run->worker->loop, &run->look,
		    clock_boot() + LOOK_MS);
	buf_add(&run->text, bytes, length);
}

static void
effect_done(void *context, enum event_type type, struct buf *members)
{
	struct effect_slot *slot = context, **at;
	struct run *run = slot->run;
	struct fact *fact;

	for (at = &run->slots; *at != slot; at = &(*at)->next)
		;
	*at = slot->next;
	if (slot->type == ACTION_MODEL)
		end_progress(run);
	free(slot);
	run->facts = mem_grow(run->facts, run->fact_count + 1,
	    sizeof(*run->facts));
	fact = &run->facts[run->fact_count++];
	fact->type = type;
	fact->members = *members;
	*members = BUF_INIT(members->maximum);
	run->dirty = true;
	run->worker->dirty = true;
}

static int
start_effect(struct run *run, const struct action *action, struct fail *fail)
{
	struct effect_slot *slot = mem_alloc(sizeof(*slot));
	struct effect_request request = {
		.id = run->id,
		.agent = run->session.agent,
		.action = action,
		.not_after = &run->worker->lease_end,
		.text = effect_text,
		.done = effect_done,
		.context = slot,
	};

	slot->run = run;
	slot->type = action->type;
	slot->next = run->slots;
	run->slots = slot;
	if (effect_start(run->worker->effects, &request, &slot->effect, fail) <
	    0) {
		run->slots = slot->next;
		free(slot);
		return -1;
	}
	return 0;
}

int
run_start_effects(struct run *run, struct fail *fail)
{
	int64_t wait;
	size_t i;

	for (i = 0; i < run->plan.count; i++) {
		if (run->plan.actions[i].type == ACTION_PIN && pinning(run))
			continue;
		if (start_effect(run, &run->plan.actions[i], fail) < 0)
			return -1;
	}
	if (run->plan.wake_at) {
		wait = run->plan.wake_at - clock_wall();
		loop_timer(run->worker->loop, &run->timer,
		    clock_boot() + (wait > 0 ? wait : 0));
	} else {
		loop_cancel(run->worker->loop, &run->timer);
	}
	plan_release(&run->plan);
	return 0;
}
