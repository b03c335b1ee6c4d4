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

#include "common/base/mem.h"

/* The text between the quotes at AT, which moves behind them. */
static char *
quoted(const char **at)
{
	const char *start = *at + 1, *end = strchr(start, '\'');

	assert(**at == '\'' && end != NULL);
	*at = end + 1;
	return mem_copy(start, (size_t)(end - start));
}

static cJSON *
string(const char *text)
{
	return text == NULL ? cJSON_CreateNull() : cJSON_CreateString(text);
}

static cJSON *
argument(char kind, va_list *arguments)
{
	cJSON *value;

	switch (kind) {
	case 's':
		return string(va_arg(*arguments, const char *));
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
	char *text = NULL;

	if (**at == '%') {
		*at += 2;
		return argument((*at)[-1], arguments);
	}
	if (**at == '\'') {
		text = quoted(at);
		value = string(text);
		free(text);
		return value;
	}
	if (!object && **at != '[')
		return cJSON_ParseWithOpts(*at, at, false);
	value = object ? cJSON_CreateObject() : cJSON_CreateArray();
	for (++*at; **at != (object ? '}' : ']'); *at += **at == ',') {
		if (!object) {
			cJSON_AddItemToArray(value, value_at(at, arguments));
			continue;
		}
		text = quoted(at);
		assert(**at == ':');
		++*at;
		cJSON_AddItemToObject(value, text, value_at(at, arguments));
		free(text);
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
