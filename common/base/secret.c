/* SPDX-License-Identifier: ISC */
/*
 * How secret works: each known secret is looked for with memmem. One with bytes
 * that JSON's writers may escape is then looked for again, byte by byte, if there
 * is a backslash in the text at all. The mark is as long as the shortest secret,
 * so that a text is struck in its place.
 */
#include "common/base/secret.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/hex.h"
#include "common/base/mem.h"

#define KNOWN_MAX 8
#define MARK "[secret]"
#define MARK_LENGTH (sizeof(MARK) - 1)
#define PLAIN \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."

static struct known {
	char *text; /* NULL: none yet */
	size_t length;
	bool plain; /* nobody escapes its bytes */
} known[KNOWN_MAX];
static size_t next; /* the place of the next one */

void
secret_learn(const char *secret)
{
	struct known *place = &known[next];
	size_t i;

	if (strlen(secret) < MARK_LENGTH)
		return;
	for (i = 0; i < KNOWN_MAX; i++)
		if (known[i].text != NULL && strcmp(known[i].text, secret) == 0)
			return;
	if (place->text != NULL)
		explicit_bzero(place->text, place->length);
	free(place->text);
	place->text = mem_string(secret);
	place->length = strlen(secret);
	place->plain = secret[strspn(secret, PLAIN)] == '\0';
	next = (next + 1) % KNOWN_MAX;
}

/* How many bytes at AT stand for the byte WANTED; 0: they do not. */
static size_t
stands_for(const char *at, const char *end, char wanted)
{
	if (at == end)
		return 0;
	if (*at == '\\' && end - at >= 2 && at[1] == wanted)
		return 2;
	if (*at == '\\' && end - at >= 6 && at[1] == 'u' &&
	    hex_number(at + 2, 4) == (unsigned char)wanted)
		return 6;
	return *at == wanted;
}

static const char *
find_escaped(const char *at, const char *end, const struct known *secret,
    size_t *ret_length)
{
	const char *last;
	size_t i, step;

	for (; at < end; at++) {
		last = at;
		for (i = 0; i < secret->length; i++, last += step)
			if ((step = stands_for(last, end, secret->text[i])) ==
			    0)
				break;
		if (i == secret->length) {
			*ret_length = (size_t)(last - at);
			return at;
		}
	}
	return NULL;
}

static const char *
find(const char *at, const char *end, const struct known *secret,
    size_t *ret_length)
{
	*ret_length = secret->length;
	return memmem(at, (size_t)(end - at), secret->text, secret->length);
}

static size_t
strike(char *text, size_t length, const struct known *secret,
    const char *(*finder)(const char *at, const char *end,
	const struct known *secret, size_t *ret_length))
{
	const char *from = text, *end = text + length, *found;
	char *to = text;
	size_t size;

	while ((found = finder(from, end, secret, &size)) != NULL) {
		memmove(to, from, (size_t)(found - from));
		to += found - from;
		memcpy(to, MARK, MARK_LENGTH);
		to += MARK_LENGTH;
		from = found + size;
	}
	if (from == text)
		return length;
	memmove(to, from, (size_t)(end - from) + 1);
	return (size_t)(to - text) + (size_t)(end - from);
}

size_t
secret_strike(char *text, size_t length)
{
	const struct known *secret;

	for (secret = known; secret < known + KNOWN_MAX; secret++) {
		if (secret->text == NULL)
			break;
		length = strike(text, length, secret, find);
		if (!secret->plain && memchr(text, '\\', length) != NULL)
			length = strike(text, length, secret, find_escaped);
	}
	return length;
}

char *
secret_strike_string(char *text)
{
	if (text != NULL)
		(void)secret_strike(text, strlen(text));
	return text;
}
