/* SPDX-License-Identifier: ISC */
#include "common/agent/wait.h"

#include <stddef.h>
#include <string.h>

static const char *const names[WAIT_KINDS] = {
	[WAIT_NONE] = "",
	[WAIT_RATE_LIMIT] = "rate_limit",
	[WAIT_OUTAGE] = "outage",
	[WAIT_KEY] = "key",
	[WAIT_CREDIT] = "credit",
	[WAIT_CONNECTION] = "connection",
	[WAIT_DECISION] = "decision",
	[WAIT_ANSWER] = "answer",
	[WAIT_BUDGET] = "budget",
	[WAIT_TIME] = "time",
	[WAIT_CHILD] = "child",
	[WAIT_PAUSED] = "paused",
	[WAIT_LIMIT] = "limit",
};

const char *
wait_name(enum wait_kind kind)
{
	return names[kind];
}

bool
wait_of_key(enum wait_kind kind)
{
	return kind == WAIT_KEY || kind == WAIT_CREDIT;
}

static enum wait_kind
parse(const char *name, size_t length)
{
	int kind;

	for (kind = 1; kind < WAIT_KINDS; kind++)
		if (strlen(names[kind]) == length &&
		    memcmp(names[kind], name, length) == 0)
			return (enum wait_kind)kind;
	return WAIT_NONE;
}

enum wait_kind
wait_parse(const char *name)
{
	return name ? parse(name, strlen(name)) : WAIT_NONE;
}

/* The first words of reasons before kinds were recorded. */
static enum wait_kind
parse_older(const char *word, size_t length)
{
	static const char *const older[] = { "model", "tool", "preflight" };
	size_t i;

	for (i = 0; i < sizeof(older) / sizeof(*older); i++)
		if (strlen(older[i]) == length &&
		    memcmp(older[i], word, length) == 0)
			return WAIT_OUTAGE;
	return WAIT_NONE;
}

enum wait_kind
wait_split(const char *reason, const char **ret_message)
{
	size_t length = strspn(reason, "abcdefghijklmnopqrstuvwxyz_");
	const char *message = reason + length;
	enum wait_kind kind = WAIT_NONE;

	if (*message == '\0' || strncmp(message, ": ", 2) == 0) {
		kind = parse(reason, length);
		if (kind == WAIT_NONE)
			kind = parse_older(reason, length);
	}
	if (kind == WAIT_NONE)
		message = reason;
	else if (*message != '\0')
		message += 2;
	if (ret_message)
		*ret_message = message;
	return kind == WAIT_NONE ? WAIT_TIME : kind;
}
