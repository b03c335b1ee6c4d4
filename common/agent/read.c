/* SPDX-License-Identifier: ISC */
/*
 * How it works: the fold keeps of each result only the number of its event. An
 * event that is wanted is read from the journal by the driver when the call is
 * open, and only the piece that was asked for is kept, so that long results take
 * no memory. The pieces have a limit, because they become events themselves, those
 * for one reply in one transaction.
 */
#include "common/agent/read.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/agent/pins.h"
#include "common/agent/state.h"
#include "common/base/mem.h"
#include "common/base/utf8.h"

#define CHARACTER_MAX 4 /* bytes */
#define COMPARED 64     /* bytes */

/* What a call asks for. */
struct wish {
	uint64_t seq; /* of the event that has the result */
	int64_t from, length;
	char *why; /* nothing can be read; else NULL */
};

const char *
agent_read_tool(const struct agent *agent)
{
	return agent->read_tool;
}

bool
agent_reads(const struct call *call)
{
	return call->pin && strcmp(call->pin->provider, PINS_BUILTIN) == 0;
}

void
agent_keep_result(struct agent *agent, const struct call *call, uint64_t seq)
{
	size_t last = agent->id_count - agent->call_count;

	agent->results[last + (size_t)(call - agent->calls)] = seq;
}

/* An id that was there more than once, in old journals, means its last call. */
static uint64_t
find_result(const struct agent *agent, const char *id)
{
	uint64_t hash = agent_id_hash(id);
	size_t i;

	for (i = agent->id_count; i-- > 0;)
		if (agent->ids[i] == hash)
			return agent->results[i];
	return 0;
}

/* The number in the member NAME, OTHERWISE without one; false when it is below
 * LEAST or no whole number. */
static bool
read_number(const struct json_object *input, const char *name, int64_t least,
    int64_t otherwise, int64_t *ret)
{
	struct span value = json_get(input, name);

	*ret = otherwise;
	return value.length == 0 || (json_whole(value, ret) && *ret >= least);
}

/* The caller frees wish.why. */
static struct wish
read_wish(const struct agent *agent, const struct call *call)
{
	struct wish wish = { .seq = 0 };
	struct json_object input;
	char *id;

	(void)json_object((struct span){ call->input, call->input_length },
	    &input);
	id = json_decode(json_get(&input, "call"));
	if (!id)
		wish.why = mem_string("call must be the id of an earlier call, "
				      "a string.");
	else if (!read_number(&input, "from", 0, 0, &wish.from))
		wish.why = mem_string("from must be a whole number of bytes, 0 "
				      "or more.");
	else if (!read_number(&input, "length", 1, PINS_READ_MAX, &wish.length))
		wish.why = mem_string("length must be a whole number of bytes, "
				      "1 or more.");
	else if (!(wish.seq = find_result(agent, id)))
		wish.why = mem_print("There is no earlier call \"%.*s\" with a "
				     "result.",
		    (int)utf8_cut(id, strlen(id), 200), id);
	free(id);
	if (wish.length > PINS_READ_MAX)
		wish.length = PINS_READ_MAX;
	return wish;
}

char *
agent_read_answer(const struct agent *agent, const struct call *call,
    bool *ret_is_error)
{
	struct wish wish;

	*ret_is_error = call->answer_is_error;
	if (call->answer)
		return mem_string(call->answer);
	*ret_is_error = true;
	wish = read_wish(agent, call);
	return wish.why ? wish.why
			: mem_string("The result could not be read again.");
}

static bool
is_open(const struct call *call)
{
	return call->status == CALL_PENDING && !call->answer &&
	    agent_reads(call);
}

uint64_t
agent_wants(const struct agent *agent)
{
	struct wish wish = { .seq = 0 };
	size_t i;

	for (i = agent->first_open; i < agent->call_count && !wish.seq; i++) {
		if (!is_open(&agent->calls[i]) ||
		    agent_call_refused(agent, &agent->calls[i]))
			continue;
		wish = read_wish(agent, &agent->calls[i]);
		free(wish.why);
	}
	return wish.seq;
}

/* A result as it is kept; the caller frees. */
struct kept {
	char *text;
	size_t length;
	int64_t whole; /* bytes that it had, of which that is the beginning */
};

/* The member "whole" is the result itself, or, when that is no JSON, a string of
 * it; the block, which begins with the same bytes, tells which. "kept" is a string
 * of its beginning. Without them, the block has all there is, before its mark. */
static struct kept
read_kept(const struct event *event)
{
	struct span whole = json_get(&event->members, "whole");
	struct span beginning = json_get(&event->members, "kept");
	struct span block = json_get(&event->members, "block");
	struct span content = { NULL, 0 };
	struct kept kept = { .whole = 0 };
	char *shown, *next;
	size_t length;

	(void)json_member(block, "content", &content);
	shown = json_decode(content);
	if (!shown)
		shown = mem_copy(content.at, content.length);
	(void)json_whole(json_get(&event->members, "whole_bytes"), &kept.whole);
	length = strlen(shown);
	if (whole.length || kept.whole)
		for (next = shown; (next = strstr(next, AGENT_CUT_MARK));
		     next++)
			length = (size_t)(next - shown);
	kept.text = json_decode(beginning.length ? beginning : whole);
	if (kept.text && !beginning.length &&
	    strncmp(kept.text, shown, length < COMPARED ? length : COMPARED) !=
		0) {
		free(kept.text);
		kept.text = NULL;
	}
	if (!kept.text)
		kept.text = whole.length ? mem_copy(whole.at, whole.length)
					 : mem_copy(shown, length);
	kept.length = strlen(kept.text);
	if (kept.whole < (int64_t)kept.length)
		kept.whole = (int64_t)kept.length;
	free(shown);
	return kept;
}

/* Of a character that begins before FROM, all is shown. */
static char *
cut_piece(const struct wish *wish, const struct kept *kept)
{
	size_t from = utf8_cut(kept->text, kept->length, (size_t)wish->from);
	size_t most = (size_t)wish->length, length;
	struct buf piece = BUF_INIT((size_t)EVENT_MAX);

	if (most < CHARACTER_MAX)
		most = CHARACTER_MAX;
	length = utf8_cut(kept->text + from, kept->length - from, most);
	buf_add(&piece, kept->text + from, length);
	buf_print(&piece, "\n[bytes %zu to %zu of %" PRId64, from,
	    from + length, kept->whole);
	if (from + length < kept->length)
		buf_print(&piece, "; what follows is from %zu]", from + length);
	else if ((int64_t)kept->length < kept->whole)
		buf_add_string(&piece, "; no more of it was kept]");
	else
		buf_add_string(&piece, "; this is its end]");
	return buf_detach(&piece, NULL);
}

/* How many bytes the calls of the reply have got. */
static size_t
given(const struct agent *agent)
{
	size_t bytes = 0, i;

	for (i = 0; i < agent->call_count; i++)
		if (agent->calls[i].answer)
			bytes += strlen(agent->calls[i].answer);
	return bytes;
}

static void
answer(struct call *call, size_t before, const struct wish *wish,
    const struct event *event)
{
	struct kept kept = read_kept(event);

	call->answer_is_error = true;
	if (before + (size_t)wish->length > READ_MAX)
		call->answer = mem_string("Not read: the pieces for one reply "
					  "are too long together. Call again, "
					  "with fewer at a time.");
	else if (wish->from >= (int64_t)kept.length)
		call->answer = mem_print(
		    "Of that result, %zu bytes are kept%s: from must be less.",
		    kept.length,
		    (int64_t)kept.length < kept.whole ? ", and no more" : "");
	if (!call->answer) {
		call->answer = cut_piece(wish, &kept);
		call->answer_is_error = false;
	}
	free(kept.text);
}

void
agent_recall(struct agent *agent, const struct event *event)
{
	struct wish wish;
	struct call *call;
	size_t i;

	for (i = agent->first_open; i < agent->call_count; i++) {
		call = &agent->calls[i];
		if (!is_open(call))
			continue;
		wish = read_wish(agent, call);
		if (wish.seq == event->seq)
			answer(call, given(agent), &wish, event);
		free(wish.why);
	}
}
