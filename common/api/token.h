/* SPDX-License-Identifier: ISC */
/*
 * token: bearer tokens, of which only hashes are stored.
 *
 * A token is "agt_ID_SECRET": ID is 16 hexadecimal digits, for people and for
 * finding it; SECRET is 64, random, and its SHA-256 is what the file has. A
 * secret of 256 random bits needs no slow hash: there is nothing to guess.
 *
 * The file has a line a token, five words with one space between them, and
 * lines that are empty or begin with '#':
 *
 *	ID SHA256 EXPIRES CREATED USER
 *
 * EXPIRES is a time, "-" for never, or "revoked"; times are RFC 3339; USER is
 * the rest of the line. The file is replaced as a whole, mode 0600; it can be
 * part of a Kubernetes Secret. It is refused when anybody but its owner (the
 * caller or root) can write it.
 *
 * Errors: FAIL_NEVER "no_file", "permission", "invalid_tokens" (a line of
 * another form).
 */
#ifndef COMMON_API_TOKEN_H
#define COMMON_API_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/agent/task.h"
#include "common/base/fail.h"

#define TOKEN_ID 17 /* and a NUL, so the next one */
#define TOKEN_TEXT 86

struct token {
	char id[TOKEN_ID], user[TASK_USER_MAX + 1];
	int64_t created;
	int64_t expires; /* wall time, 0: never */
	bool revoked;
};

/* Adds a token of USER to the file, which is made when missing. RET_TEXT is
 * the token itself, which cannot be read from the file again. */
int
token_new(const char *path, const char *user, int64_t expires, int64_t now,
    char ret_text[TOKEN_TEXT], struct token *ret_token, struct fail *fail);

/* Calls EACH with every token, in the order of the file. */
int
token_list(const char *path,
    void (*each)(void *context, const struct token *token), void *context,
    struct fail *fail);

/* FAIL_NO, type "no_token", when there is no token with that id. */
int
token_revoke(const char *path, const char *id, struct fail *fail);

/* ---- checking, one or many times ---- */

struct tokens; /* a file that is read again whenever it has changed */

struct tokens *
tokens_new(const char *path);

void
tokens_free(struct tokens *tokens); /* NULL is fine */

/* Gives the user of the token TEXT. FAIL_NO, type "unauthorized", when TEXT is
 * not a token or is not in the file, or has expired at NOW or was revoked; the
 * message does not say which. */
int
tokens_check(struct tokens *tokens, const char *text, int64_t now,
    char ret_user[TASK_USER_MAX + 1], struct fail *fail);

#endif
