/* SPDX-License-Identifier: ISC */
/*
 * template: filling is one pass over the text; each {{...}} is a path and at
 * most a few filters. Templates are checked when the script is loaded, so that
 * filling cannot fail.
 */
#include "cmd/standin/script/template.h"

#include <ctype.h>

#include "cmd/standin/script/script.h"
#include "common/base/mem.h"
#include "common/base/utf8.h"
#include "common/json/json.h"

#define TEXT_BYTES ((size_t)4 << 20)
#define PATH_BYTES 256

static const char *const filter_names[] = { "address", "cut", "line", NULL };

void
scope_release(struct scope *scope)
{
	cJSON_Delete(scope->scratch);
	scope->scratch = NULL;
}

static const cJSON *
length_of(struct scope *scope, const cJSON *value)
{
	cJSON *number;
	double length;

	if (cJSON_IsString(value))
		length = (double)strlen(value->valuestring);
	else if (cJSON_IsArray(value))
		length = cJSON_GetArraySize(value);
	else
		return NULL;
	if (scope->scratch == NULL)
		scope->scratch = cJSON_CreateArray();
	number = cJSON_CreateNumber(length);
	cJSON_AddItemToArray(scope->scratch, number);
	return number;
}

static const cJSON *
step(struct scope *scope, const cJSON *value, const char *name)
{
	const cJSON *member;
	char *end;
	long index;

	if (cJSON_IsObject(value)) {
		member = json_item(value, name);
		if (member != NULL)
			return member;
	}
	if (strcmp(name, "length") == 0)
		return length_of(scope, value);
	if (cJSON_IsArray(value) && isdigit((unsigned char)*name)) {
		index = strtol(name, &end, 10);
		if (*end == '\0' && index < 1000000)
			return cJSON_GetArrayItem(value, (int)index);
	}
	return NULL;
}

const cJSON *
scope_find(struct scope *scope, const char *path)
{
	char name[PATH_BYTES];
	const cJSON *value = NULL;
	bool first = true, selects = false;
	size_t size;

	for (;; path += size + 1) {
		size = strcspn(path, ".");
		if (size >= sizeof(name))
			return NULL;
		memcpy(name, path, size);
		name[size] = '\0';
		if (selects)
			value = scope->select
			    ? scope->select(scope->context, name)
			    : NULL;
		else if (!first)
			value = step(scope, value, name);
		else if (strcmp(name, "item") == 0)
			value = scope->item;
		else if (strcmp(name, "arguments") == 0)
			value = scope->arguments;
		else if (strcmp(name, "select") != 0)
			value = json_item(scope->root, name);
		selects = first && strcmp(name, "select") == 0;
		first = false;
		if (path[size] == '\0' || (value == NULL && !selects))
			return selects ? NULL : value;
	}
}

/* "Ana Silva <ana@example.com>" -> "ana@example.com" */
static void
only_address(struct buf *buf)
{
	char *open = strrchr(buf->data, '<'), *close;

	if (open == NULL || (close = strchr(open, '>')) == NULL)
		return;
	*close = '\0';
	memmove(buf->data, open + 1, (size_t)(close - open));
	buf->length = (size_t)(close - open - 1);
}

static void
apply_filter(struct buf *buf, const char *name, long number)
{
	if (buf->length == 0)
		return;
	if (strcmp(name, "address") == 0) {
		only_address(buf);
	} else if (strcmp(name, "line") == 0) {
		buf->length = strcspn(buf->data, "\r\n");
		buf->data[buf->length] = '\0';
	} else if (number >= 0) {
		buf->length = utf8_cut(buf->data, buf->length, (size_t)number);
		buf->data[buf->length] = '\0';
	}
}

static void
value_text(const cJSON *value, struct buf *buf)
{
	char *text;

	if (value == NULL || cJSON_IsNull(value))
		return;
	if (cJSON_IsString(value)) {
		buf_add_string(buf, value->valuestring);
		return;
	}
	text = json_text(value);
	buf_add_string(buf, text);
	free(text);
}

/* Splits "path | filter | filter 80": the next part, trimmed. */
static bool
next_part(const char **inside, const char *end, char part[PATH_BYTES])
{
	const char *start = *inside, *stop;
	size_t size;

	if (start >= end)
		return false;
	stop = memchr(start, '|', (size_t)(end - start));
	if (stop == NULL)
		stop = end;
	*inside = stop + 1;
	while (start < stop && isspace((unsigned char)*start))
		start++;
	while (stop > start && isspace((unsigned char)stop[-1]))
		stop--;
	size = (size_t)(stop - start);
	if (size >= PATH_BYTES)
		size = PATH_BYTES - 1;
	memcpy(part, start, size);
	part[size] = '\0';
	return true;
}

static long
split_filter(char *part)
{
	char *space = strchr(part, ' ');

	if (space == NULL)
		return -1;
	*space = '\0';
	return strtol(space + 1, NULL, 10);
}

static void
fill(struct scope *scope, const char *inside, const char *end, struct buf *buf)
{
	struct buf text = BUF_INIT(TEXT_BYTES);
	char part[PATH_BYTES];
	long number;

	if (!next_part(&inside, end, part))
		return;
	value_text(scope_find(scope, part), &text);
	while (next_part(&inside, end, part)) {
		number = split_filter(part);
		apply_filter(&text, part, number);
	}
	if (text.length > 0)
		buf_add(buf, text.data, text.length);
	buf_release(&text);
}

void
template_text(struct scope *scope, const char *template, struct buf *buf)
{
	const char *open, *close;

	while ((open = strstr(template, "{{")) != NULL &&
	    (close = strstr(open, "}}")) != NULL) {
		buf_add(buf, template, (size_t)(open - template));
		fill(scope, open + 2, close, buf);
		template = close + 2;
	}
	buf_add_string(buf, template);
}

char *
template_string(struct scope *scope, const char *template)
{
	struct buf buf = BUF_INIT(TEXT_BYTES);

	template_text(scope, template, &buf);
	return buf_detach(&buf, NULL);
}

/* Whether the template is one {{path}}, without filters: PATH is it. */
static bool
is_path(const char *template, char path[PATH_BYTES])
{
	size_t size = strlen(template);
	const char *inside = template + 2;

	if (size < 5 || strncmp(template, "{{", 2) != 0 ||
	    strstr(template, "}}") != template + size - 2 ||
	    strchr(template, '|') != NULL)
		return false;
	return next_part(&inside, template + size - 2, path);
}

static cJSON *
fill_string(struct scope *scope, const char *template)
{
	char path[PATH_BYTES];
	const cJSON *value;
	cJSON *filled;
	char *text;

	if (is_path(template, path)) {
		value = scope_find(scope, path);
		return value == NULL ? NULL : cJSON_Duplicate(value, true);
	}
	text = template_string(scope, template);
	filled = cJSON_CreateString(text);
	free(text);
	return filled;
}

cJSON *
template_value(struct scope *scope, const cJSON *value)
{
	const cJSON *child;
	cJSON *copy, *part;

	if (cJSON_IsString(value))
		return fill_string(scope, value->valuestring);
	if (!cJSON_IsObject(value) && !cJSON_IsArray(value))
		return cJSON_Duplicate(value, true);
	copy = cJSON_IsArray(value) ? cJSON_CreateArray()
				    : cJSON_CreateObject();
	cJSON_ArrayForEach (child, value) {
		part = template_value(scope, child);
		if (part == NULL)
			continue;
		if (cJSON_IsArray(value))
			cJSON_AddItemToArray(copy, part);
		else
			cJSON_AddItemToObject(copy, child->string, part);
	}
	return copy;
}

static int
check_text(const char *template, struct fail *fail)
{
	const char *open, *close, *inside;
	char part[PATH_BYTES];
	size_t i;

	while ((open = strstr(template, "{{")) != NULL) {
		close = strstr(open, "}}");
		if (close == NULL)
			return script_refuse(fail,
			    "a {{ without its }} in \"%s\"", template);
		inside = open + 2;
		if (!next_part(&inside, close, part) || *part == '\0')
			return script_refuse(fail, "an empty {{}} in \"%s\"",
			    template);
		while (next_part(&inside, close, part)) {
			split_filter(part);
			for (i = 0; filter_names[i] != NULL; i++)
				if (strcmp(filter_names[i], part) == 0)
					break;
			if (filter_names[i] == NULL)
				return script_refuse(fail,
				    "no filter is called "
				    "\"%s\": address, cut N and line are",
				    part);
		}
		template = close + 2;
	}
	return 0;
}

int
template_check(const cJSON *value, struct fail *fail)
{
	const cJSON *child;

	if (cJSON_IsString(value))
		return check_text(value->valuestring, fail);
	cJSON_ArrayForEach (child, value)
		if (template_check(child, fail) < 0)
			return -1;
	return 0;
}
