/* SPDX-License-Identifier: ISC */
/*
 * key: the keys of the tables (table.h), made and read. For the store only. Pure.
 */
#ifndef COMMON_STORE_KEY_H
#define COMMON_STORE_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/agent/task_row.h"
#include "common/json/json.h"

#define KEY_MAX 511 /* LMDB's limit */

struct key {
	size_t length;
	uint8_t bytes[KEY_MAX + 1]; /* one more for key_next */
};

struct key
key_task(const struct id *id);

struct key
key_event(const struct id *id, uint64_t seq);

struct key
key_ready(const struct task_row *row);

struct key
key_parked(const struct task_row *row);

struct key
key_due(int64_t due, const struct id *id);

struct key
key_lease(const struct id *worker, const struct id *task);

struct key
key_idempotency(const char *user, const char *key);

/* ID NULL in these two: the prefix of all keys of that state. */
struct key
key_user(const char *user, int state, const struct id *id);

struct key
key_state(enum task_state state, const struct id *id);

/* KIND 't' or 's' with "", 'q' with a queue, 'u' with a user, 'w' with a
 * word. */
struct key
key_counter(char kind, const char *name);

/* A row of meta. */
struct key
key_name(const char *name);

struct key
key_share(const char *queue, uint8_t priority, const char *user);

struct key
key_served(const char *queue);

/* TEXT and a NUL: the prefix of all keys that belong to it. */
struct key
key_text(const char *text);

struct key
key_text2(const char *first, const char *second);

/* A key that was found. */
struct key
key_of(struct span bytes);

/* The key after every one that starts with KEY. */
void
key_after(struct key *key);

/* The key right after KEY itself. */
void
key_next(struct key *key);

bool
key_starts(struct span key, const struct key *prefix);

/* The last 16 bytes. */
struct id
key_id(struct span key);

#endif
