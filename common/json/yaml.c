/* SPDX-License-Identifier: ISC */
/*
 * The tree is built from libyaml's events, so that every limit is checked while
 * the text is read and each error can name its line. The open containers are on
 * a stack of their own; nothing recurses.
 */
#include "common/json/yaml.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "common/base/mem.h"
#include "common/base/utf8.h"

struct key {
	const char *name; /* in the tree */
	size_t line;
};

struct frame {
	cJSON *node;
	char *name; /* the key whose value comes next, or NULL */
	size_t name_line;
	struct key *keys; /* of a mapping, to find duplicates */
	size_t count, room;
};

struct builder {
	yaml_parser_t parser;
	const struct json_limits *limits;
	struct frame *stack;
	size_t depth;
	cJSON *root;
	bool done; /* the document has ended */
	struct fail *fail;
};

static int __attribute__((format(printf, 3, 4)))
refuse(struct builder *builder, size_t line, const char *format, ...)
{
	va_list arguments;
	char *reason = NULL;

	va_start(arguments, format);
	if (vasprintf(&reason, format, arguments) < 0)
		reason = NULL;
	va_end(arguments);
	fail_set(builder->fail, FAIL_NEVER, "invalid_yaml",
	    "invalid YAML in line %zu: %s", line + 1, reason ? reason : "");
	free(reason);
	return -1;
}

static bool
one_of(const char *text, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(text, *words) == 0)
			return true;
	return false;
}

static bool
skip_digits(const char **text)
{
	size_t count = strspn(*text, "0123456789");

	*text += count;
	return count > 0;
}

/* Whether TEXT is a number as JSON writes it. */
static bool
is_number(const char *text)
{
	text += *text == '-';
	if (*text == '0')
		text++;
	else if (!skip_digits(&text))
		return false;
	if (*text == '.') {
		text++;
		if (!skip_digits(&text))
			return false;
	}
	if (*text == 'e' || *text == 'E') {
		text++;
		text += *text == '+' || *text == '-';
		if (!skip_digits(&text))
			return false;
	}
	return *text == '\0';
}

/* The value of a plain scalar, or NULL when it is refused. */
static cJSON *
resolve(struct builder *builder, const char *text, size_t line)
{
	static const char *const nulls[] = { "", "~", "null", "Null", "NULL",
		NULL };
	static const char *const trues[] = { "true", "True", "TRUE", NULL };
	static const char *const falses[] = { "false", "False", "FALSE", NULL };
	static const char *const endless[] = { ".inf", ".Inf", ".INF", "-.inf",
		"-.Inf", "-.INF", "+.inf", "+.Inf", "+.INF", ".nan", ".NaN",
		".NAN", NULL };
	double number;

	if (one_of(text, nulls))
		return cJSON_CreateNull();
	if (one_of(text, trues))
		return cJSON_CreateTrue();
	if (one_of(text, falses))
		return cJSON_CreateFalse();
	if (one_of(text, endless)) {
		refuse(builder, line, "%s is not a finite number", text);
		return NULL;
	}
	if (!is_number(text))
		return cJSON_CreateString(text);
	number = strtod(text, NULL);
	if (!isfinite(number)) {
		refuse(builder, line,
		    "a number is too large to be "
		    "represented");
		return NULL;
	}
	return cJSON_CreateNumber(number);
}

/* Takes NODE over into the open container, or as the root. */
static int
add_node(struct builder *builder, cJSON *node, size_t line)
{
	struct frame *frame;

	if (!node)
		return fail_set(builder->fail, FAIL_NOT_NOW, "system",
		    "unable to read YAML: out of memory");
	if (builder->depth == 0) {
		builder->root = node;
		return 0;
	}
	frame = &builder->stack[builder->depth - 1];
	if (frame->count == builder->limits->members) {
		cJSON_Delete(node);
		return refuse(builder, line, "more than %zu members",
		    builder->limits->members);
	}
	if (frame->name) {
		cJSON_AddItemToObject(frame->node, frame->name, node);
		free(frame->name);
		frame->name = NULL;
		if (frame->count == frame->room) {
			frame->room = frame->room > 0 ? frame->room * 2 : 8;
			frame->keys = mem_grow(frame->keys, frame->room,
			    sizeof *frame->keys);
		}
		frame->keys[frame->count].name = node->string;
		frame->keys[frame->count].line = frame->name_line;
	} else
		cJSON_AddItemToArray(frame->node, node);
	frame->count++;
	return 0;
}

static bool
wants_key(const struct builder *builder)
{
	const struct frame *frame;

	if (builder->depth == 0)
		return false;
	frame = &builder->stack[builder->depth - 1];
	return cJSON_IsObject(frame->node) && !frame->name;
}

static int
open_container(struct builder *builder, cJSON *node, size_t line)
{
	if (wants_key(builder)) {
		cJSON_Delete(node);
		return refuse(builder, line, "a key must be a string");
	}
	if (builder->depth == builder->limits->depth) {
		cJSON_Delete(node);
		return refuse(builder, line, "nested deeper than %zu levels",
		    builder->limits->depth);
	}
	if (add_node(builder, node, line) < 0)
		return -1;
	builder->stack[builder->depth++] = (struct frame){ .node = node };
	return 0;
}

static int
compare_keys(const void *a, const void *b)
{
	const struct key *one = a, *two = b;
	int order = strcmp(one->name, two->name);

	if (order != 0)
		return order;
	return one->line < two->line ? -1 : one->line > two->line;
}

static int
close_container(struct builder *builder)
{
	struct frame *frame = &builder->stack[builder->depth - 1];
	size_t count = frame->keys ? frame->count : 0, i;
	int result = 0;

	if (count > 1)
		qsort(frame->keys, count, sizeof *frame->keys, compare_keys);
	for (i = 1; i < count && result == 0; i++)
		if (strcmp(frame->keys[i - 1].name, frame->keys[i].name) == 0)
			result = refuse(builder, frame->keys[i].line,
			    "the key \"%.200s\" is there twice: remove one",
			    frame->keys[i].name);
	free(frame->keys);
	builder->depth--;
	return result;
}

static int
take_key(struct builder *builder, const char *text, bool plain, size_t line)
{
	struct frame *frame = &builder->stack[builder->depth - 1];
	cJSON *value = NULL;
	bool string = true;

	if (plain && strcmp(text, "<<") == 0)
		return refuse(builder, line,
		    "a merge key is not allowed: "
		    "write the members out");
	if (plain) {
		value = resolve(builder, text, line);
		if (!value)
			return -1;
		string = cJSON_IsString(value);
		cJSON_Delete(value);
	}
	if (!string)
		return refuse(builder, line,
		    "a key must be a string: put "
		    "\"%.100s\" in quotes",
		    text);
	frame->name = mem_string(text);
	frame->name_line = line;
	return 0;
}

static int
take_scalar(struct builder *builder, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	size_t length = event->data.scalar.length;
	size_t line = event->start_mark.line;
	bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	cJSON *value;

	if (memchr(text, '\0', length))
		return refuse(builder, line, "a NUL character in a string");
	if (wants_key(builder))
		return take_key(builder, text, plain, line);
	value = plain ? resolve(builder, text, line) : cJSON_CreateString(text);
	if (!value && plain)
		return -1;
	return add_node(builder, value, line);
}

static int
check_properties(struct builder *builder, const yaml_char_t *anchor,
    const yaml_char_t *tag, size_t line)
{
	if (anchor)
		return refuse(builder, line,
		    "an anchor (&%s) is not allowed: "
		    "write the value out",
		    (const char *)anchor);
	if (tag)
		return refuse(builder, line, "a tag (%s) is not allowed",
		    (const char *)tag);
	return 0;
}

static int
start_document(struct builder *builder, const yaml_event_t *event)
{
	const yaml_version_directive_t *version = event->data.document_start
						      .version_directive;

	if (builder->done)
		return refuse(builder, event->start_mark.line,
		    "a second document: only one is read");
	if (version && (version->major != 1 || version->minor != 2))
		return refuse(builder, event->start_mark.line,
		    "YAML %d.%d: only 1.2 is read", version->major,
		    version->minor);
	return 0;
}

/* Returns 1 at the end of the stream. */
static int
take_event(struct builder *builder, const yaml_event_t *event)
{
	size_t line = event->start_mark.line;

	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		return start_document(builder, event);
	case YAML_DOCUMENT_END_EVENT:
		builder->done = true;
		return 0;
	case YAML_ALIAS_EVENT:
		return refuse(builder, line,
		    "an alias (*%s) is not allowed: "
		    "write the value out",
		    (const char *)event->data.alias.anchor);
	case YAML_SCALAR_EVENT:
		if (check_properties(builder, event->data.scalar.anchor,
			event->data.scalar.tag, line) < 0)
			return -1;
		return take_scalar(builder, event);
	case YAML_SEQUENCE_START_EVENT:
		if (check_properties(builder, event->data.sequence_start.anchor,
			event->data.sequence_start.tag, line) < 0)
			return -1;
		return open_container(builder, cJSON_CreateArray(), line);
	case YAML_MAPPING_START_EVENT:
		if (check_properties(builder, event->data.mapping_start.anchor,
			event->data.mapping_start.tag, line) < 0)
			return -1;
		return open_container(builder, cJSON_CreateObject(), line);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return close_container(builder);
	case YAML_STREAM_END_EVENT:
		return 1;
	default:
		return 0;
	}
}

/* Fills the error from libyaml's message. */
static int
refuse_syntax(struct builder *builder)
{
	const yaml_parser_t *parser = &builder->parser;
	const char *problem = parser->problem ? parser->problem : "bad syntax";

	if (parser->error == YAML_MEMORY_ERROR)
		return fail_set(builder->fail, FAIL_NOT_NOW, "system",
		    "unable to read YAML: out of memory");
	if (parser->error == YAML_READER_ERROR)
		return refuse(builder, parser->mark.line, "%s (byte %zu)",
		    problem, parser->problem_offset);
	if (parser->context)
		return refuse(builder, parser->problem_mark.line,
		    "%s, %s that began in line %zu", problem, parser->context,
		    parser->context_mark.line + 1);
	return refuse(builder, parser->problem_mark.line, "%s", problem);
}

static int
read_events(struct builder *builder)
{
	yaml_event_t event;
	int result = 0;

	while (result == 0) {
		if (!yaml_parser_parse(&builder->parser, &event))
			return refuse_syntax(builder);
		result = take_event(builder, &event);
		yaml_event_delete(&event);
	}
	return result < 0 ? -1 : 0;
}

static int
check_text(const char *text, size_t length, struct builder *builder)
{
	size_t line = 0, at = 0, step;

	if (length > builder->limits->bytes)
		return fail_set(builder->fail, FAIL_NEVER, "invalid_yaml",
		    "invalid YAML: %zu bytes, and at most %zu are read here",
		    length, builder->limits->bytes);
	for (; at < length; at += step) {
		step = utf8_step(text + at, length - at);
		if (step == 0)
			return refuse(builder, line, "not UTF-8 (byte %zu)",
			    at);
		if (text[at] == '\n')
			line++;
	}
	return 0;
}

static void
skip_byte_order_mark(const char **text, size_t *length)
{
	if (*length >= 3 && memcmp(*text, "\xef\xbb\xbf", 3) == 0) {
		*text += 3;
		*length -= 3;
	}
}

cJSON *
yaml_parse(const char *text, size_t length, const struct json_limits *limits,
    struct fail *fail)
{
	struct builder builder = { .limits = limits, .fail = fail };
	int result = -1;

	skip_byte_order_mark(&text, &length);
	if (check_text(text, length, &builder) < 0)
		return NULL;
	if (!yaml_parser_initialize(&builder.parser)) {
		fail_set(fail, FAIL_NOT_NOW, "system",
		    "unable to read YAML: out of memory");
		return NULL;
	}
	yaml_parser_set_encoding(&builder.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&builder.parser,
	    (const unsigned char *)(text ? text : ""), length);
	builder.stack = mem_grow(NULL, limits->depth, sizeof *builder.stack);
	result = read_events(&builder);
	if (result == 0 && !builder.root)
		builder.root = cJSON_CreateNull();
	while (builder.depth > 0) {
		builder.depth--;
		free(builder.stack[builder.depth].name);
		free(builder.stack[builder.depth].keys);
	}
	free(builder.stack);
	yaml_parser_delete(&builder.parser);
	if (result < 0) {
		cJSON_Delete(builder.root);
		return NULL;
	}
	return builder.root;
}

cJSON *
yaml_or_json(const char *text, size_t length, const struct json_limits *limits,
    struct fail *fail)
{
	size_t at = 0;

	skip_byte_order_mark(&text, &length);
	while (at < length &&
	    (text[at] == ' ' || text[at] == '\t' || text[at] == '\n' ||
		text[at] == '\r'))
		at++;
	if (at < length && (text[at] == '{' || text[at] == '['))
		return json_parse(text, length, limits, fail);
	return yaml_parse(text, length, limits, fail);
}
