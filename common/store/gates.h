/* SPDX-License-Identifier: ISC */
/*
 * gates: what the workers of a store have met at a service, each with its key,
 * so that they share it (common/provider/gate.h). There is a row in meta for
 * each gate that is closed or where little is left, "gate:" and a digest of the
 * key. All calls need an open transaction.
 */
#ifndef COMMON_STORE_GATES_H
#define COMMON_STORE_GATES_H

#include "common/agent/wait.h"
#include "common/store/table.h"

#define STORE_GATE_KEY 16
#define STORE_GATE_TEXT 200

struct store_gate {
	char key[STORE_GATE_KEY + 1];
	char service[STORE_GATE_KEY + 1]; /* its name, for people */
	enum wait_kind kind; /* WAIT_NONE: open, while another key is refused */
	bool needed;         /* by every task */
	int64_t until;       /* wall time: when one may probe */
	int64_t scarce_until, scarce_ms; /* as gate_pace; until is wall time */
	int64_t at;                      /* when it was written */
	char message[STORE_GATE_TEXT];   /* cut */
};

/* False when ROW of meta is none. */
bool
store_gate_read(const struct table_row *row, struct store_gate *ret_gate);

/* Returns as table_get. */
int
store_gate_get(struct store *store, const char *key,
    struct store_gate *ret_gate, struct fail *fail);

int
store_gate_put(struct store *store, const struct store_gate *gate,
    struct fail *fail);

/* Returns as table_delete. */
int
store_gate_drop(struct store *store, const char *key, struct fail *fail);

/* The newest row of SERVICE (NULL: of those that every task needs, or not, as
 * NEEDED says) but that of the key OTHER. Returns as table_get. */
int
store_gate_newest(struct store *store, const char *service, bool needed,
    const char *other, struct store_gate *ret_gate, struct fail *fail);

/* Somebody wants what is closed to be tried again now. */
int
store_gates_retry(struct store *store, int64_t now, struct fail *fail);

#define STORE_GATES_WAKE "gates" /* for store_wake, when a row has changed */

#endif
