/* SPDX-License-Identifier: ISC */
/*
 * Keys, packed part by part: numbers are big-endian, so that keys sort as they
 * should, and a text that is not the last part ends with a NUL. A change of
 * keys raises STORE_VERSION.
 */
#include "common/store/key.h"

#include <string.h>

#include "common/store/pack.h"

/* Assumes that lengths were checked when the row was made. */
static void
key_add(struct key *key, const void *bytes, size_t length)
{
	if (length > sizeof(key->bytes) - key->length)
		length = sizeof(key->bytes) - key->length;
	memcpy(key->bytes + key->length, bytes, length);
	key->length += length;
}

static void
key_add_byte(struct key *key, uint8_t byte)
{
	key_add(key, &byte, 1);
}

static void
key_add_text(struct key *key, const char *text)
{
	key_add(key, text, strlen(text) + 1);
}

static void
key_add_number(struct key *key, uint64_t number)
{
	uint8_t bytes[8];

	put64(bytes, number);
	key_add(key, bytes, sizeof(bytes));
}

static void
key_add_id(struct key *key, const struct id *id)
{
	key_add(key, id->bytes, ID_SIZE);
}

struct key
key_task(const struct id *id)
{
	struct key key = { .length = 0 };

	key_add_id(&key, id);
	return key;
}

struct key
key_event(const struct id *id, uint64_t seq)
{
	struct key key = { .length = 0 };

	key_add_id(&key, id);
	key_add_number(&key, seq);
	return key;
}

static void
key_add_position(struct key *key, const struct task_row *row)
{
	key_add_byte(key, (uint8_t)(9 - row->priority));
	key_add_number(key, row->order);
	key_add_id(key, &row->id);
}

struct key
key_ready(const struct task_row *row)
{
	struct key key = { .length = 0 };

	key_add_text(&key, row->queue);
	key_add_position(&key, row);
	return key;
}

struct key
key_parked(const struct task_row *row)
{
	struct key key = { .length = 0 };

	key_add_text(&key, row->user);
	key_add_text(&key, row->queue);
	key_add_position(&key, row);
	return key;
}

struct key
key_due(int64_t due, const struct id *id)
{
	struct key key = { .length = 0 };

	key_add_number(&key, (uint64_t)due);
	key_add_id(&key, id);
	return key;
}

struct key
key_lease(const struct id *worker, const struct id *task)
{
	struct key key = { .length = 0 };

	key_add_id(&key, worker);
	key_add_id(&key, task);
	return key;
}

struct key
key_idempotency(const char *user, const char *name)
{
	struct key key = { .length = 0 };

	key_add_text(&key, user);
	key_add(&key, name, strlen(name));
	return key;
}

struct key
key_user(const char *user, int state, const struct id *id)
{
	struct key key = { .length = 0 };

	key_add_text(&key, user);
	key_add_byte(&key, (uint8_t)state);
	if (id)
		key_add_id(&key, id);
	return key;
}

struct key
key_state(enum task_state state, const struct id *id)
{
	struct key key = { .length = 0 };

	key_add_byte(&key, (uint8_t)state);
	if (id)
		key_add_id(&key, id);
	return key;
}

struct key
key_name(const char *name)
{
	struct key key = { .length = 0 };

	key_add(&key, name, strlen(name));
	return key;
}

struct key
key_counter(char kind, const char *name)
{
	struct key key = { .length = 0 };

	key_add(&key, &kind, 1);
	key_add(&key, name, strlen(name));
	return key;
}

struct key
key_share(const char *queue, uint8_t priority, const char *user)
{
	struct key key = { .length = 0 };

	key_add_text(&key, queue);
	key_add_byte(&key, (uint8_t)(9 - priority));
	key_add(&key, user, strlen(user));
	return key;
}

struct key
key_served(const char *queue)
{
	struct key key = { .length = 0 };

	key_add_text(&key, queue);
	key_add_byte(&key, 255);
	return key;
}

struct key
key_text(const char *text)
{
	struct key key = { .length = 0 };

	key_add_text(&key, text);
	return key;
}

struct key
key_text2(const char *first, const char *second)
{
	struct key key = { .length = 0 };

	key_add_text(&key, first);
	key_add_text(&key, second);
	return key;
}

struct key
key_of(struct span bytes)
{
	struct key key = { .length = 0 };

	key_add(&key, bytes.at, bytes.length);
	return key;
}

void
key_after(struct key *key)
{
	while (key->length && key->bytes[key->length - 1] == 255)
		key->length--;
	if (key->length)
		key->bytes[key->length - 1]++;
}

void
key_next(struct key *key)
{
	key_add_byte(key, 0);
}

bool
key_starts(struct span key, const struct key *prefix)
{
	return key.length >= prefix->length &&
	    memcmp(key.at, prefix->bytes, prefix->length) == 0;
}

struct id
key_id(struct span key)
{
	struct id id;

	memset(&id, 0, sizeof(id));
	if (key.length >= ID_SIZE)
		memcpy(id.bytes, key.at + key.length - ID_SIZE, ID_SIZE);
	return id;
}
