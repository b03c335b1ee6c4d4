/* SPDX-License-Identifier: ISC */
/* There are as many rows as there are keys in use, which are few. */
#include "common/store/gates.h"

#include <stdio.h>
#include <string.h>

#include "common/agent/task_row.h"
#include "common/base/mem.h"

#define PREFIX "gate:"
#define HEAD (3 + 4 * 8) /* format, kind, needed and the times */

static struct key
key_gate(const char *key)
{
	char name[sizeof(PREFIX) + STORE_GATE_KEY];

	(void)snprintf(name, sizeof(name), PREFIX "%s", key);
	return key_name(name);
}

bool
store_gate_read(const struct table_row *row, struct store_gate *ret_gate)
{
	const size_t prefix = sizeof(PREFIX) - 1;
	struct store_gate gate = { .kind = WAIT_NONE };
	const char *at = row->value.at;
	char text[STORE_GATE_KEY + 1 + STORE_GATE_TEXT] = "";
	size_t length = row->value.length;

	if (row->key.length != prefix + STORE_GATE_KEY ||
	    memcmp(row->key.at, PREFIX, prefix) != 0 || length < HEAD ||
	    length - HEAD >= sizeof(text) || at[0] != FORMAT ||
	    (uint8_t)at[1] >= WAIT_KINDS)
		return false;
	memcpy(gate.key, row->key.at + prefix, STORE_GATE_KEY);
	gate.kind = (enum wait_kind)at[1];
	gate.needed = at[2] != 0;
	gate.until = (int64_t)get64(at + 3);
	gate.scarce_until = (int64_t)get64(at + 11);
	gate.scarce_ms = (int64_t)get64(at + 19);
	gate.at = (int64_t)get64(at + 27);
	memcpy(text, at + HEAD, length - HEAD);
	if (strlen(text) > STORE_GATE_KEY)
		return false;
	(void)snprintf(gate.service, sizeof(gate.service), "%s", text);
	row_cut(gate.message, sizeof(gate.message), text + strlen(text) + 1);
	*ret_gate = gate;
	return true;
}

int
store_gate_get(struct store *store, const char *key,
    struct store_gate *ret_gate, struct fail *fail)
{
	struct key name = key_gate(key);
	struct table_row row = { .key = { (const char *)name.bytes,
				     name.length } };
	int found = table_get(store, TABLE_META, &name, &row.value, fail);

	return found == 1 && !store_gate_read(&row, ret_gate) ? 0 : found;
}

int
store_gate_put(struct store *store, const struct store_gate *gate,
    struct fail *fail)
{
	struct key name = key_gate(gate->key);
	uint8_t bytes[HEAD + STORE_GATE_KEY + 1 + STORE_GATE_TEXT] = { FORMAT };
	size_t service = strlen(gate->service) + 1;
	size_t message = strlen(gate->message);

	bytes[1] = (uint8_t)gate->kind;
	bytes[2] = gate->needed;
	put64(bytes + 3, (uint64_t)gate->until);
	put64(bytes + 11, (uint64_t)gate->scarce_until);
	put64(bytes + 19, (uint64_t)gate->scarce_ms);
	put64(bytes + 27, (uint64_t)gate->at);
	memcpy(bytes + HEAD, gate->service, service);
	memcpy(bytes + HEAD + service, gate->message, message);
	return table_put(store, TABLE_META, &name, bytes,
	    HEAD + service + message, fail);
}

int
store_gate_drop(struct store *store, const char *key, struct fail *fail)
{
	struct key name = key_gate(key);

	return table_delete(store, TABLE_META, &name, fail);
}

int
store_gate_newest(struct store *store, const char *service, bool needed,
    const char *other, struct store_gate *ret_gate, struct fail *fail)
{
	struct key prefix = key_name(PREFIX), next = prefix;
	struct store_gate gate;
	struct table_row row;
	int found, have = 0;

	while ((found = table_next(store, TABLE_META, &next, &prefix, &row,
		    fail)) > 0) {
		if (!store_gate_read(&row, &gate) ||
		    strcmp(gate.key, other) == 0 ||
		    (service ? strcmp(gate.service, service) != 0
			     : gate.needed != needed) ||
		    (have && gate.at <= ret_gate->at))
			continue;
		*ret_gate = gate;
		have = 1;
	}
	return found < 0 ? -1 : have;
}

int
store_gates_retry(struct store *store, int64_t now, struct fail *fail)
{
	struct key prefix = key_name(PREFIX), next = prefix;
	struct store_gate gate;
	struct table_row row;
	int found;

	while ((found = table_next(store, TABLE_META, &next, &prefix, &row,
		    fail)) > 0) {
		if (!store_gate_read(&row, &gate) || gate.kind == WAIT_NONE)
			continue;
		gate.until = gate.at = now;
		if (store_gate_put(store, &gate, fail) < 0)
			return -1;
	}
	return found;
}
