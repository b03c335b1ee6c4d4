/* SPDX-License-Identifier: ISC */
/*
 * claude_stream: a reply message as the events of the streaming API.
 */
#ifndef CMD_STANDIN_CLAUDE_STREAM_H
#define CMD_STANDIN_CLAUDE_STREAM_H

#include <cjson/cJSON.h>

#include "cmd/standin/server/exchange.h"

/* MESSAGE is the whole message as it is given without streaming. */
void
claude_stream(struct reply *reply, const cJSON *message);

/* Adds an error event of TYPE behind the first COUNT events, and nothing
 * after it. */
void
claude_stream_error(struct reply *reply, size_t count, const char *type,
    const char *text);

#endif
