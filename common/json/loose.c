/* SPDX-License-Identifier: ISC */
/*
 * How it works: what a parser would stumble over is replaced in a copy by
 * something of the same length, so that the places of the members in the copy
 * are those in the text.
 */
#include <string.h>

#include "common/base/mem.h"
#include "common/json/internal.h"

#define NUMBER_CHARACTERS 60 /* of one that the parser reads */

static bool
begins(const char *at, const char *end, const char *word)
{
	size_t length = strlen(word);

	return (size_t)(end - at) >= length && memcmp(at, word, length) == 0;
}

/* Makes a string of it, which is as long. */
static void
make_string(char *at, size_t length)
{
	memset(at, ' ', length);
	at[0] = at[length - 1] = '"';
}

/* Outside of strings: replaces what begins at AT; returns where it ends. */
static char *
replace_word(char *at, const char *end)
{
	static const char *const words[] = { "NaN", "Infinity", "-Infinity" };
	char *start = at;
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (begins(at, end, words[i])) {
			make_string(at, strlen(words[i]));
			return at + strlen(words[i]);
		}
	while (at < end && memchr("0123456789.eE+-", *at, 15))
		at++;
	if (at - start > NUMBER_CHARACTERS)
		make_string(start, (size_t)(at - start));
	return at > start ? at : at + 1;
}

static void
make_strict(char *at, const char *end)
{
	bool inside = false;

	if (begins(at, end, "\xef\xbb\xbf"))
		memset(at, ' ', 3);
	while (at < end) {
		if (*at == '"')
			inside = !inside;
		if (inside)
			at += *at == '\\' && at + 1 < end ? 2 : 1;
		else
			at = replace_word(at, end);
	}
}

/* The piece of the text that stands where PIECE stands in the copy SHAPE. */
static struct span
same_place(struct span piece, const char *shape, const char *text)
{
	return piece.length > 0
	    ? (struct span){ text + (piece.at - shape), piece.length }
	    : piece;
}

bool
json_object_loose(struct span text, struct json_object *ret_object,
    char **ret_copy)
{
	char *copy = mem_copy(text.at, text.length), *shape;
	bool whole;
	size_t i;

	for (i = 0; i < text.length; i++)
		if ((unsigned char)copy[i] < 0x20)
			copy[i] = ' ';
	json_repair(copy, text.length);
	shape = mem_copy(copy, text.length);
	make_strict(shape, shape + text.length);
	whole = json_object((struct span){ shape, text.length }, ret_object);
	for (i = 0; i < ret_object->count; i++) {
		ret_object->at[i].name = same_place(ret_object->at[i].name,
		    shape, copy);
		ret_object->at[i].value = same_place(ret_object->at[i].value,
		    shape, copy);
	}
	ret_object->rest = same_place(ret_object->rest, shape, copy);
	free(shape);
	*ret_copy = copy;
	return whole;
}
