/* SPDX-License-Identifier: ISC */
/*
 * exchange: builds the answer.
 */
#include "cmd/standin/server/exchange.h"

#include "common/base/mem.h"
#include "common/json/json.h"

#define REPLY_BYTES ((size_t)64 << 20)

void
reply_init(struct reply *reply)
{
	*reply = (struct reply){
		.status = 200,
		.type = "application/json",
		.body = BUF_INIT(REPLY_BYTES),
		.cut = -1,
	};
}

void
reply_release(struct reply *reply)
{
	size_t i;

	for (i = 0; i < reply->header_count; i++) {
		free(reply->names[i]);
		free(reply->values[i]);
	}
	reply->header_count = 0;
	free(reply->ends);
	reply->ends = NULL;
	buf_release(&reply->body);
}

void
reply_header(struct reply *reply, const char *name, const char *value)
{
	if (reply->header_count == REPLY_HEADERS)
		return;
	reply->names[reply->header_count] = mem_string(name);
	reply->values[reply->header_count++] = mem_string(value);
}

void
reply_json(struct reply *reply, cJSON *json)
{
	char *text = json_text(json);

	buf_add_string(&reply->body, text);
	free(text);
	cJSON_Delete(json);
}

void
reply_event_end(struct reply *reply)
{
	/* Grown by doubling: the count is the capacity when it is a power of
	 * two, and 16 at first. */
	if (reply->end_count == 0)
		reply->ends = mem_grow(NULL, 16, sizeof(*reply->ends));
	else if (reply->end_count >= 16 &&
	    (reply->end_count & (reply->end_count - 1)) == 0)
		reply->ends = mem_grow(reply->ends, reply->end_count * 2,
		    sizeof(*reply->ends));
	reply->ends[reply->end_count++] = reply->body.length;
}
