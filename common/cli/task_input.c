/* SPDX-License-Identifier: ISC */
/*
 * There is one buffer, filled by read(2) in large pieces. A line is returned as
 * a piece of that buffer, and only the next call moves on, so that a line that
 * is the beginning of a document can be read with the rest. Returned lines are
 * dropped only when room is needed: a batch of lines costs one move of the
 * remaining bytes.
 *
 * The input is lines when the first one is a whole object by its brackets. A
 * document that cannot be parsed and has a brace at the start of its second
 * line is treated as lines of which the first is invalid, because no object
 * continues like that.
 */
#include "common/cli/task_input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/agent/journal.h"
#include "common/base/mem.h"
#include "common/json/yaml.h"

#define PIECE (256u << 10)

enum form { FORM_UNKNOWN, FORM_LINES, FORM_DONE };

struct task_input {
	int fd;
	char *name;
	char *data;
	size_t start;  /* of the line that was returned last */
	size_t next;   /* behind that line */
	size_t search; /* no newline between next and here */
	size_t end, capacity;
	bool ended, skipping;
	enum form form;
	unsigned long long line;
	char *json; /* text of a YAML document */
};

int
task_input_open(const char *path, struct task_input **ret_intake,
    struct fail *fail)
{
	bool standard = strcmp(path, "-") == 0;
	struct task_input *input;
	int fd = STDIN_FILENO;

	if (!standard)
		fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return fail_set(fail, FAIL_NEVER, "no_file",
		    "cannot open %s: there is no such file", path);
	if (fd < 0)
		return fail_errno(fail, "cannot open %s", path);
	input = mem_alloc(sizeof(*input));
	input->fd = fd;
	input->name = mem_string(standard ? "standard input" : path);
	*ret_intake = input;
	return 0;
}

void
task_input_close(struct task_input *input)
{
	if (!input)
		return;
	if (input->fd != STDIN_FILENO)
		close(input->fd);
	free(input->name);
	free(input->data);
	free(input->json);
	free(input);
}

unsigned long long
task_input_line(const struct task_input *input)
{
	return input->line;
}

/* Reads one piece and appends it. */
static int
fill(struct task_input *input, struct fail *fail)
{
	ssize_t got;

	if (input->capacity - input->end <= PIECE) {
		input->capacity = (input->end + PIECE) * 2;
		input->data = mem_grow(input->data, input->capacity, 1);
	}
	do
		got = read(input->fd, input->data + input->end, PIECE);
	while (got < 0 && errno == EINTR);
	if (got < 0 && errno == EISDIR)
		return fail_set(fail, FAIL_NEVER, "no_file",
		    "cannot read %s: it is a folder", input->name);
	if (got < 0)
		return fail_errno(fail, "cannot read %s", input->name);
	input->end += (size_t)got;
	input->ended = got == 0;
	return 0;
}

static void
drop(struct task_input *input)
{
	if (!input->data || !input->start)
		return;
	memmove(input->data, input->data + input->start,
	    input->end - input->start);
	input->next -= input->start;
	input->search -= input->start;
	input->end -= input->start;
	input->start = 0;
}

static bool
readable(const struct task_input *input)
{
	struct pollfd poller = { .fd = input->fd, .events = POLLIN };

	return poll(&poller, 1, 0) > 0;
}

static bool
blank(struct span line)
{
	for (size_t i = 0; i < line.length; i++)
		if (line.at[i] != ' ' && line.at[i] != '\t' &&
		    line.at[i] != '\r')
			return false;
	return true;
}

/* Cuts the next line from the buffer. False when none is complete. */
static bool
cut(struct task_input *input, struct span *ret_line)
{
	static const char mark[] = "\xef\xbb\xbf"; /* of the byte order */
	const char *from, *newline = NULL;

	from = input->data + input->next;
	if (input->search < input->end)
		newline = memchr(input->data + input->search, '\n',
		    input->end - input->search);
	if (!newline) {
		input->search = input->end;
		if (!input->ended || input->next == input->end)
			return false;
		newline = input->data + input->end;
	}
	ret_line->at = from;
	ret_line->length = (size_t)(newline - from);
	input->start = input->next;
	input->next += ret_line->length;
	if (input->next < input->end)
		input->next++;
	input->search = input->next;
	if (input->line++ == 0 && ret_line->length >= sizeof(mark) - 1 &&
	    memcmp(ret_line->at, mark, sizeof(mark) - 1) == 0) {
		ret_line->at += sizeof(mark) - 1;
		ret_line->length -= sizeof(mark) - 1;
	}
	return true;
}

static enum task_input_result
too_long(struct fail *fail)
{
	fail_set(fail, FAIL_NEVER, "too_large",
	    "longer than %u bytes: give a shorter task", INTAKE_MAX);
	return INTAKE_FAULT;
}

/* The next line that is not blank. One that is too long is INTAKE_FAULT. */
static enum task_input_result
next_line(struct task_input *input, bool wait, struct span *ret_line,
    struct fail *fail)
{
	for (;;) {
		while (input->data && cut(input, ret_line)) {
			if (input->skipping || ret_line->length > INTAKE_MAX) {
				input->skipping = false;
				return too_long(fail);
			}
			if (!blank(*ret_line))
				return INTAKE_VALUE;
		}
		if (input->ended)
			return INTAKE_END;
		if (!wait && !readable(input))
			return INTAKE_NONE;
		input->start = input->next;
		if (input->end - input->next > INTAKE_MAX) {
			input->skipping = true;
			input->start = input->next = input->end;
			input->search = input->end;
		}
		drop(input);
		if (fill(input, fail) < 0)
			return INTAKE_FAILED;
		if (input->ended && input->skipping &&
		    input->next == input->end) {
			input->skipping = false;
			input->line++;
			return too_long(fail);
		}
	}
}

/* Everything from the start of the last line to the end of the input. */
static enum task_input_result
rest(struct task_input *input, struct span *ret_text, struct fail *fail)
{
	drop(input);
	while (!input->ended && input->end <= INTAKE_MAX)
		if (fill(input, fail) < 0)
			return INTAKE_FAILED;
	input->next = input->search = input->end;
	if (input->end > INTAKE_MAX) {
		input->ended = true;
		fail_set(fail, FAIL_NEVER, "too_large",
		    "%s is longer than %u bytes: give a shorter task",
		    input->name, INTAKE_MAX);
		return INTAKE_FAULT;
	}
	input->data[input->end] = '\0';
	*ret_text = (struct span){ input->data, input->end };
	return INTAKE_VALUE;
}

/* Whether the line is a whole object by its brackets. */
static bool
whole_object(struct span line)
{
	size_t depth = 0, i = 0;
	bool quoted = false;

	while (i < line.length && (line.at[i] == ' ' || line.at[i] == '\t'))
		i++;
	if (i == line.length || line.at[i] != '{')
		return false;
	for (; i < line.length; i++) {
		char c = line.at[i];

		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && (c == '{' || c == '['))
			depth++;
		else if (!quoted && (c == '}' || c == ']') && --depth == 0)
			return true;
	}
	return false;
}

/* Parses TEXT with PARSE, within its limits. */
static enum task_input_result
parse(struct span text,
    cJSON *(*parser)(const char *text, size_t length,
	const struct json_limits *limits, struct fail *fail),
    cJSON **ret_value, struct fail *fail)
{
	struct json_limits limits = json_limits_upstream;
	cJSON *value;

	limits.bytes = INTAKE_MAX;
	value = parser(text.at, text.length, &limits, fail);
	if (!value)
		return INTAKE_FAULT;
	if (text.length > json_limits_task.bytes &&
	    !json_item(value, "preflight")) {
		cJSON_Delete(value);
		fail_set(fail, FAIL_NEVER, "too_large",
		    "the task is longer than %zu bytes: give a shorter one",
		    json_limits_task.bytes);
		return INTAKE_FAULT;
	}
	*ret_value = value;
	return INTAKE_VALUE;
}

/* The first line is not an object: the whole input is one document. */
static enum task_input_result
document(struct task_input *input, cJSON **ret_value, struct span *ret_text,
    struct fail *fail)
{
	enum task_input_result got;
	const char *newline;
	struct span text;

	got = rest(input, &text, fail);
	if (got != INTAKE_VALUE)
		return got;
	got = parse(text, yaml_or_json, ret_value, fail);
	newline = memchr(text.at, '\n', text.length);
	if (got == INTAKE_FAULT && text.at[0] == '{' && newline &&
	    newline[1] == '{') {
		input->form = FORM_LINES;
		input->line = 1;
		input->next = (size_t)(newline - text.at) + 1;
		input->search = input->next;
		text.length = input->next - 1;
		return parse(text, json_parse, ret_value, fail);
	}
	input->form = FORM_DONE;
	input->line = 0;
	if (got != INTAKE_VALUE)
		return got;
	if (text.at[strspn(text.at, " \t\r\n")] != '{') {
		input->json = json_text(*ret_value);
		text = (struct span){ input->json, strlen(input->json) };
	}
	*ret_text = text;
	return INTAKE_VALUE;
}

enum task_input_result
task_input_next(struct task_input *input, bool wait, cJSON **ret_value,
    struct span *ret_text, struct fail *fail)
{
	enum task_input_result got;
	struct span line;

	if (input->form == FORM_DONE)
		return INTAKE_END;
	got = next_line(input, wait, &line, fail);
	if (got == INTAKE_END && input->form == FORM_UNKNOWN) {
		input->form = FORM_DONE;
		fail_set(fail, FAIL_NEVER, "no_task",
		    "%s is empty: give a task as JSON or YAML", input->name);
		return INTAKE_FAULT;
	}
	if (got == INTAKE_VALUE && input->form == FORM_UNKNOWN &&
	    !whole_object(line))
		return document(input, ret_value, ret_text, fail);
	if (got == INTAKE_VALUE || got == INTAKE_FAULT)
		input->form = FORM_LINES;
	if (got != INTAKE_VALUE)
		return got;
	*ret_text = line;
	return parse(line, json_parse, ret_value, fail);
}

int
task_input_pins(struct span text, const char *request, char **ret_pins,
    struct fail *fail)
{
	struct span preflight, accounts, pins;
	struct buf members = BUF_INIT(INTAKE_MAX + 4096u);

	if (!json_member(text, "preflight", &preflight))
		return fail_set(fail, FAIL_NEVER, "not_checked",
		    "the task has not passed agent-preflight: pipe it through "
		    "agent-preflight, or use --no-preflight");
	if (!json_member(preflight, "accounts", &accounts) ||
	    !json_member(preflight, "pins", &pins) || accounts.at[0] != '{' ||
	    pins.at[0] != '{' || pins.length < 3)
		return fail_set(fail, FAIL_NEVER, "not_checked",
		    "the member \"preflight\" is not what agent-preflight "
		    "writes: pipe the task through agent-preflight again");
	buf_add(&members, pins.at + 1, pins.length - 2);
	if (request)
		member_string(&members, "request_id", request);
	*ret_pins = buf_detach(&members, NULL);
	return 0;
}
