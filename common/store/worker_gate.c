/* SPDX-License-Identifier: ISC */
/*
 * How it works: what a gate of this process meets is written to its row in the
 * next tick, when that says more than the row; a file in wake/ tells the other
 * workers to read it, and the slow poll is the safety net. Who probes first
 * moves the time of the row, in a transaction of its own, so that the others do
 * not.
 *
 * Rows are kept while a key is refused or little is left, so most stores have
 * none. When workers have different keys, one that is accepted has a row as well,
 * newer than that of one that is refused: whether tasks can be done is what the
 * newest says.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/json/log.h"
#include "common/provider/tools.h"
#include "common/store/internal.h"
#include "common/store/worker_internal.h"

#define SAME_MS 250      /* times that differ by less are the same */
#define STALE_MS 3600000 /* a worker that has the key probes more often */
#define CLAIM_ROOM 8192
#define WAKE_PAGE 64

static struct shared_gate *
find_gate(struct worker *own, struct gate *gate)
{
	size_t i;

	for (i = 0; i < own->gate_count; i++)
		if (own->gates[i].gate == gate)
			return &own->gates[i];
	if (own->gate_count == WORKER_GATES)
		return NULL;
	own->gates[own->gate_count] = (struct shared_gate){ .gate = gate };
	return &own->gates[own->gate_count++];
}

static void
wake(struct worker *own, int count)
{
	own->wake_keys = count;
	memset(&own->wake_from, 0, sizeof(own->wake_from));
}

/* While the key of the model is refused, only a task that probes it is leased;
 * when it is accepted again, what waits for it goes on. */
static void
on_gate(void *context, struct gate *gate, const struct gate_state *state)
{
	struct worker *own = context;
	struct shared_gate *shared = find_gate(own, gate);
	bool refused = wait_of_key(state->kind);

	gate_log(state, own->name);
	if (shared == NULL)
		return;
	*(shared == own->gates
		? &own->held_until
		: &own->tools_held_until) = refused ? state->until : 0;
	if (state->news && !refused)
		wake(own, INT_MAX);
	shared->told = state->kind != WAIT_NONE || state->proven;
	own->look_gates = own->dirty = true;
}

/* ---- rows ---- */

static int
read_gate(struct worker *own, struct shared_gate *shared, int64_t now,
    struct store_gate *ret_row, struct fail *fail)
{
	int found = store_gate_get(own->store, shared->key, ret_row, fail);

	if (found != 1 || ret_row->at <= now + SAME_MS)
		return found;
	shared->seen = false; /* the clock was set back: it is of no use */
	return store_gate_drop(own->store, shared->key, fail) < 0 ? -1 : 0;
}

static int
write_gate(struct worker *own, struct shared_gate *shared,
    const struct gate_state *state, int64_t now, int64_t until,
    struct fail *fail)
{
	struct store_gate row = {
		.kind = state->kind,
		.needed = shared == own->gates,
		.until = until,
		.scarce_until = state->scarce_until,
		.scarce_ms = state->scarce_ms,
		.at = now,
	};

	(void)snprintf(row.key, sizeof(row.key), "%s", state->key);
	(void)snprintf(row.service, sizeof(row.service), "%s", state->name);
	row_cut(row.message, sizeof(row.message), state->message);
	own->wrote_gates = shared->seen = true;
	shared->written = until;
	return store_gate_put(own->store, &row, fail);
}

static int
drop_gate(struct worker *own, const char *key, struct fail *fail)
{
	int found = store_gate_drop(own->store, key, fail);

	own->wrote_gates = own->wrote_gates || found == 1;
	return found < 0 ? -1 : 0;
}

static bool
differs(int64_t one, int64_t other)
{
	return one > other + SAME_MS || one < other - SAME_MS;
}

static bool
says_other(const struct store_gate *row, const struct gate_state *state)
{
	return row->kind != state->kind ||
	    (row->kind != WAIT_NONE && differs(row->until, state->until)) ||
	    row->scarce_until > state->scarce_until + SAME_MS;
}

/* ROW NULL: another worker's call was accepted. */
static void
meet(struct shared_gate *shared, const struct store_gate *row)
{
	struct gate_state state = { .kind = WAIT_NONE };

	if (row != NULL)
		state = (struct gate_state){ .kind = row->kind,
			.until = row->until,
			.message = row->message,
			.scarce_until = row->scarce_until,
			.scarce_ms = row->scarce_ms };
	gate_met(shared->gate, &state);
	shared->told = false;
}

static int
count_peers(struct worker *own, struct gate *gate, struct fail *fail)
{
	struct key next = { .length = 0 };
	struct table_row row;
	int64_t count = 0;
	int found;

	while ((found = table_next(own->store, TABLE_WORKERS, &next, NULL, &row,
		    fail)) > 0)
		count++;
	gate_peers(gate, count);
	return found;
}

/* This process may go first when the time of the row is over. */
static bool
claim(void *context, struct gate *gate)
{
	struct worker *own = context;
	struct shared_gate *shared = find_gate(own, gate);
	int64_t now = clock_wall();
	struct gate_state state;
	struct store_gate row;
	struct fail fail;
	int found;

	if (shared == NULL || *shared->key == '\0' ||
	    store_begin(own->store, true, CLAIM_ROOM, &fail) < 0)
		return true;
	found = read_gate(own, shared, now, &row, &fail);
	if ((found == 1 && (row.kind == WAIT_NONE || row.until > now)) ||
	    (found == 0 && shared->seen && !shared->told)) {
		store_abort(own->store);
		meet(shared, found == 1 ? &row : NULL);
		return false;
	}
	gate_look(gate, &state);
	if (found < 0 ||
	    write_gate(own, shared, &state, now, now + GATE_HOLD_MS, &fail) < 0)
		store_abort(own->store);
	else if (store_commit(own->store, &fail) == 0)
		store_wake(own->store, STORE_GATES_WAKE);
	return true;
}

void
worker_gates_begin(struct worker *own)
{
	const struct gate_watch watch = { on_gate, claim, own };

	(void)find_gate(own, effects_gate(own->effects)); /* the first */
	effects_watch(own->effects, &watch);
	own->look_gates = true;
}

/* ---- in the tick ---- */

/* Another key for SHARED's service is refused (OTHER), while this one is open: the
 * row says whether it is accepted. */
static int
follow_rival(struct worker *own, struct shared_gate *shared,
    const struct gate_state *state, const struct store_gate *row,
    const struct store_gate *other, int64_t now, struct fail *fail)
{
	if (!state->proven) {
		if (!shared->looked)
			wake(own, 1);
		return 0;
	}
	if (other->at + STALE_MS < now && drop_gate(own, other->key, fail) < 0)
		return -1;
	if (row != NULL && row->at > other->at)
		return 0;
	if (row == NULL)
		wake(own, INT_MAX);
	return write_gate(own, shared, state, now, 0, fail);
}

static int
follow_gate(struct worker *own, struct shared_gate *shared, int64_t now,
    struct fail *fail)
{
	struct store_gate row, other;
	struct gate_state state;
	int found, rival, result = 0;
	bool told;

	gate_look(shared->gate, &state);
	if (strcmp(shared->key, state.key) != 0) {
		if (*shared->key != '\0' &&
		    drop_gate(own, shared->key, fail) < 0)
			return -1;
		memcpy(shared->key, state.key, sizeof(shared->key));
		shared->seen = false;
	}
	found = read_gate(own, shared, now, &row, fail);
	if (found < 0)
		return -1;
	if (!shared->told &&
	    (found ? row.until != shared->written && says_other(&row, &state)
		   : shared->seen && state.kind != WAIT_NONE)) {
		meet(shared, found ? &row : NULL);
		gate_look(shared->gate, &state);
	}
	told = shared->told;
	shared->told = false;
	shared->seen = found == 1;
	rival = store_gate_newest(own->store, state.name, false, state.key,
	    &other, fail);
	if (rival < 0)
		return -1;
	if (state.scarce_until && count_peers(own, shared->gate, fail) < 0)
		return -1;
	if (state.kind == WAIT_NONE && rival && wait_of_key(other.kind)) {
		result = follow_rival(own, shared, &state, found ? &row : NULL,
		    &other, now, fail);
	} else if (state.kind == WAIT_NONE && !state.scarce_until) {
		shared->seen = false;
		result = found ? drop_gate(own, shared->key, fail) : 0;
	} else if (!found ||
	    (told &&
		(says_other(&row, &state) ||
		    state.scarce_until > row.scarce_until + SAME_MS))) {
		result = write_gate(own, shared, &state, now, state.until,
		    fail);
	}
	shared->looked = true;
	return result;
}

int
worker_hold(struct worker *own, struct task_row *row, int64_t now,
    bool *ret_held, struct fail *fail)
{
	struct task_session session = { .agent = NULL };
	struct buf members = BUF_INIT(8192);
	struct gate_state state = { .message = "", .name = "" };
	char until[CLOCK_TEXT], id[ID_TEXT], *message;
	struct fail why;
	int result = 0;
	size_t i;

	*ret_held = false;
	if (!own->tools_held_until ||
	    session_open(&session, own->store, row, &why) < 0)
		return 0;
	*ret_held = tools_concern(agent_task(session.agent));
	if (*ret_held && now >= own->tools_held_until) {
		own->tools_held_until = now + GATE_HOLD_MS;
		*ret_held = false;
	}
	if (*ret_held) {
		for (i = 1; i < own->gate_count; i++)
			gate_look(own->gates[i].gate, &state);
		message = mem_print("%s refuses the key: %.2000s", state.name,
		    state.message);
		clock_format(own->tools_held_until, until);
		member_wait(&members, WAIT_KEY, message, until);
		result = session_record(&session, own->store, now,
		    EVENT_WAITING, members.data, members.length, fail);
		*ret_held = result == 0 || fail->kind != FAIL_NEVER;
		if (!*ret_held) /* something is under way */
			result = 0;
		else if (result == 0)
			result = session_save(&session, own->store, now, fail);
		id_format(&row->id, id);
		if (*ret_held)
			log_line("info", "waiting", "task", id, "worker",
			    own->name, "reason", message, NULL);
		free(message);
	}
	buf_release(&members);
	session_close(&session);
	return result;
}

/* Tells tasks that wait for a key to go on; the next tick those that are left. */
static int
wake_keys(struct worker *own, int64_t now, struct fail *fail)
{
	static const char resume[] = "\"signal\":\"resume\",\"by\":\"worker\"";
	struct task_session session = { .agent = NULL };
	int most = own->wake_keys < WAKE_PAGE ? own->wake_keys : WAKE_PAGE;
	struct task_row *rows = mem_alloc((size_t)most * sizeof(*rows));
	struct fail why;
	int count, i, result = 0;
	bool end = false;

	count = store_wait_keys(own->store, &own->wake_from, rows, most, &end,
	    fail);
	own->wake_keys -= count;
	if (end)
		own->wake_keys = 0;
	own->dirty = own->dirty || own->wake_keys > 0;
	for (i = 0; i < count && result == 0; i++) {
		if (session_open(&session, own->store, &rows[i], &why) < 0) {
			result = worker_park(own, &rows[i], now, &why, fail);
			continue;
		}
		if (session_record(&session, own->store, now, EVENT_SIGNAL,
			resume, sizeof(resume) - 1, fail) < 0 ||
		    session_save(&session, own->store, now, fail) < 0)
			result = -1;
		session_close(&session);
	}
	free(rows);
	return count < 0 ? -1 : result;
}

int
worker_gates_follow(struct worker *own, int64_t now, struct fail *fail)
{
	size_t i;

	for (i = 0; own->look_gates && i < own->gate_count; i++)
		if (follow_gate(own, &own->gates[i], now, fail) < 0)
			return -1;
	own->look_gates = false;
	return own->wake_keys > 0 ? wake_keys(own, now, fail) : 0;
}
