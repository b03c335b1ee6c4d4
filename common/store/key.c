/* SPDX-License-Identifier: ISC */
/*
 * Keys, packed part by part: numbers are big-endian, so that keys sort as they
 * should, and a text that is not the last part ends with a NUL. A change of
 * keys raises STORE_VERSION.
 */
#include "common/store/key.h"

#include <stdarg.h>
#include <string.h>

#include "common/store/pack.h"

/* Assumes that lengths were checked when the row was made. */
static void
key_add(struct key *key, const void *bytes, size_t length)
{
	if (length > sizeof(key->bytes) - key->length)
		length = sizeof(key->bytes) - key->length;
	if (length)
		memcpy(key->bytes + key->length, bytes, length);
	key->length += length;
}

/* FORM has a letter for each part: t a text and its NUL, w a text without one,
 * b a byte (int), n a number (uint64_t), i an id (NULL: nothing). */
static struct key
make(const char *form, ...)
{
	struct key key = { .length = 0 };
	const struct id *id;
	const char *text;
	uint8_t bytes[8];
	va_list parts;

	va_start(parts, form);
	for (; *form; form++) {
		switch (*form) {
		case 't':
		case 'w':
			text = va_arg(parts, const char *);
			key_add(&key, text, strlen(text) + (*form == 't'));
			break;
		case 'b':
			bytes[0] = (uint8_t)va_arg(parts, int);
			key_add(&key, bytes, 1);
			break;
		case 'n':
			put64(bytes, va_arg(parts, uint64_t));
			key_add(&key, bytes, sizeof(bytes));
			break;
		case 'i':
			id = va_arg(parts, const struct id *);
			key_add(&key, id, id ? ID_SIZE : 0);
			break;
		}
	}
	va_end(parts);
	return key;
}

struct key
key_task(const struct id *id)
{
	/* The most frequent one: there is nothing to put together. */
	return key_of((struct span){ (const char *)id->bytes, ID_SIZE });
}

struct key
key_event(const struct id *id, uint64_t seq)
{
	return make("in", id, seq);
}

struct key
key_ready(const struct task_row *row)
{
	return make("tbni", row->queue, 9 - row->priority, row->order,
	    &row->id);
}

struct key
key_parked(const struct task_row *row)
{
	return make("ttbni", row->user, row->queue, 9 - row->priority,
	    row->order, &row->id);
}

struct key
key_due(int64_t due, const struct id *id)
{
	return make("ni", (uint64_t)due, id);
}

struct key
key_lease(const struct id *worker, const struct id *task)
{
	return make("ii", worker, task);
}

struct key
key_idempotency(const char *user, const char *name)
{
	return make("tw", user, name);
}

struct key
key_user(const char *user, int state, const struct id *id)
{
	return make("tbi", user, state, id);
}

struct key
key_state(enum task_state state, const struct id *id)
{
	return make("bi", (int)state, id);
}

struct key
key_name(const char *name)
{
	return make("w", name);
}

struct key
key_counter(char kind, const char *name)
{
	return make("bw", kind, name);
}

struct key
key_share(const char *queue, uint8_t priority, const char *user)
{
	return make("tbw", queue, 9 - priority, user);
}

struct key
key_served(const char *queue)
{
	return make("tb", queue, 255);
}

struct key
key_text(const char *text)
{
	return make("t", text);
}

struct key
key_text2(const char *first, const char *second)
{
	return make("tt", first, second);
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
	key_add(key, "", 1);
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
