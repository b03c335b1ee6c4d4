/* SPDX-License-Identifier: ISC */
/*
 * secret: the secrets that this process has read, and how they are struck out of
 * what a service says. A service, or a proxy before it, may quote in an error
 * the key that it was sent.
 */
#ifndef COMMON_BASE_SECRET_H
#define COMMON_BASE_SECRET_H

#include <stddef.h>

/* Makes SECRET (copied) known; file_secret does it. One that is shorter than 8
 * bytes is not searched for: it could be any word. The last 8 are known. */
void
secret_learn(const char *secret);

/* Replaces each known secret in TEXT by "[secret]", also one of which bytes are
 * escaped as in a JSON string. TEXT has a NUL behind its LENGTH bytes and gets
 * one again. Returns its length, which is never greater than before. */
size_t
secret_strike(char *text, size_t length);

/* The same for a string; NULL is fine. Returns TEXT. */
char *
secret_strike_string(char *text);

#endif
