/* SPDX-License-Identifier: ISC */
/*
 * build: the pattern is read once, from left to right. Patterns are literals of
 * this program, so that one that is not well-formed ends it.
 */
#include "cmd/standin/build.h"

#include <assert.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_BYTES 80 /* of a string in a pattern */

/* The text between the quotes at AT, which moves behind them. */
static void
quoted(const char **at, char text[TEXT_BYTES])
{
	size_t size = strcspn(++*at, "'");

	assert((*at)[size] == '\'' && size < TEXT_BYTES);
	memcpy(text, *at, size);
	text[size] = '\0';
	*at += size + 1;
}

static cJSON *
word(const char **at)
{
	char *end;
	double number;

	switch (**at) {
	case 'n':
		*at += strlen("null");
		return cJSON_CreateNull();
	case 't':
		*at += strlen("true");
		return cJSON_CreateTrue();
	case 'f':
		*at += strlen("false");
		return cJSON_CreateFalse();
	default:
		number = strtod(*at, &end);
		assert(end != *at);
		*at = end;
		return cJSON_CreateNumber(number);
	}
}

static cJSON *
argument(char kind, va_list *arguments)
{
	const char *text;
	cJSON *value;

	switch (kind) {
	case 's':
		text = va_arg(*arguments, const char *);
		return text == NULL ? cJSON_CreateNull()
				    : cJSON_CreateString(text);
	case 'n':
		return cJSON_CreateNumber((double)va_arg(*arguments, int64_t));
	case 'b':
		return cJSON_CreateBool(va_arg(*arguments, int));
	default:
		assert(kind == 'j');
		value = va_arg(*arguments, cJSON *);
		return value == NULL ? cJSON_CreateNull() : value;
	}
}

static cJSON *
value_at(const char **at, va_list *arguments)
{
	bool object = **at == '{';
	cJSON *value;
	char text[TEXT_BYTES];

	if (**at == '%') {
		*at += 2;
		return argument((*at)[-1], arguments);
	}
	if (**at == '\'') {
		quoted(at, text);
		return cJSON_CreateString(text);
	}
	if (!object && **at != '[')
		return word(at);
	value = object ? cJSON_CreateObject() : cJSON_CreateArray();
	for (++*at; **at != (object ? '}' : ']'); *at += **at == ',') {
		if (!object) {
			cJSON_AddItemToArray(value, value_at(at, arguments));
			continue;
		}
		quoted(at, text);
		assert(**at == ':');
		++*at;
		cJSON_AddItemToObject(value, text, value_at(at, arguments));
	}
	++*at;
	return value;
}

cJSON *
build(const char *pattern, ...)
{
	va_list arguments;
	cJSON *value;

	va_start(arguments, pattern);
	value = value_at(&pattern, &arguments);
	va_end(arguments);
	assert(*pattern == '\0');
	return value;
}
