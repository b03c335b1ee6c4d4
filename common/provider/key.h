/* SPDX-License-Identifier: ISC */
/*
 * key: a service's key that may be exchanged while the program runs: when it
 * comes from a file (NAME_FILE), the file is looked at before each use.
 *
 *	key_open(&key, "ANTHROPIC_API_KEY", "authorization: Bearer ", &fail)
 *	key_renewed(&key)	before a request, and before a refusal counts
 *	key.header		the header of the request
 */
#ifndef COMMON_PROVIDER_KEY_H
#define COMMON_PROVIDER_KEY_H

#include <stdbool.h>
#include <sys/stat.h>

#include "common/base/fail.h"

struct key {
	const char *name, *prefix, *path; /* path: of its file, or NULL */
	char *header;     /* PREFIX and the key; NULL: none is set */
	unsigned version; /* of the key: another one has another number */
	struct stat file; /* as it was when the key was read */
};

/* NAME and PREFIX must live as long as the key. */
int
key_open(struct key *key, const char *name, const char *prefix,
    struct fail *fail);

void
key_release(struct key *key);

/* Reads the key again if its file is another one than it was. Returns whether
 * the key is another one now; one that cannot be read leaves the old one. */
bool
key_renewed(struct key *key);

#endif
