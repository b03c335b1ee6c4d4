/* SPDX-License-Identifier: ISC */
/*
 * How it works: what a turn sends is known before it is sent, in bytes; the last
 * reply told how many tokens the bytes before were, and for the others some
 * three bytes are taken for a token. These and max_tokens, and their worst price,
 * must fit into what is left; else max_tokens is lowered. When not even a short
 * reply fits, the turn is not begun. A sum stops at its highest number.
 */
#include "common/agent/budget.h"

#include <inttypes.h>

#include "common/base/mem.h"

#define MARKER_BYTES 48 /* of the cache, which the messages do not have */
#define TOKEN_BYTES 3
#define OVERHEAD_TOKENS 600          /* what the service adds to tools */
#define TOTAL_MAX ((int64_t)1 << 53) /* a number that JSON can tell */

void
budget_add(int64_t *sum, int64_t count)
{
	if (count > 0)
		*sum = count > TOTAL_MAX - *sum ? TOTAL_MAX : *sum + count;
}

static int64_t
used_tokens(const struct agent *agent)
{
	return agent->tokens.input + agent->tokens.output +
	    agent->tokens.cache_read + agent->tokens.cache_write;
}

const char *
budget_reached(const struct agent *agent)
{
	const struct task *task = &agent->task;

	if (task->budget_turns && agent->turns >= task->budget_turns)
		return "turns";
	if (task->budget_tokens && used_tokens(agent) >= task->budget_tokens)
		return "tokens";
	if (task->budget_nano_usd && agent->nano_usd >= task->budget_nano_usd)
		return "dollars";
	return NULL;
}

static int64_t
prompt_tokens(const struct agent *agent, size_t sent)
{
	int64_t bytes = (int64_t)(agent->request_length + sent) + MARKER_BYTES;

	if (agent->prompt_tokens && bytes >= agent->prompt_bytes)
		return agent->prompt_tokens +
		    (bytes - agent->prompt_bytes) / TOKEN_BYTES + 1;
	return bytes / TOKEN_BYTES + OVERHEAD_TOKENS;
}

/* "0.0123": rounded up to ten-thousandths. */
static char *
dollars(int64_t nano)
{
	int64_t parts = (nano < 0 ? 0 : nano + 99999) / 100000;

	return mem_print("%" PRId64 ".%04" PRId64, parts / 10000,
	    parts % 10000);
}

static void
refuse(struct reservation *turn, int64_t least, int64_t left, const char *of)
{
	char *needed = dollars(least), *rest = dollars(left);

	turn->why = mem_print("the next turn needs up to $%s, and $%s of %s "
			      "are left",
	    needed, rest, of);
	free(needed);
	free(rest);
}

/* A prompt of TOKENS, and at least a reply of SHORTEST. */
static void
reserve_tokens(const struct agent *agent, int64_t tokens, int64_t shortest,
    struct reservation *turn)
{
	int64_t left = agent->task.budget_tokens - used_tokens(agent);

	turn->input_tokens = tokens;
	if (left - tokens < shortest)
		turn->why = mem_print("the next turn needs up to %" PRId64
				      " tokens, and %" PRId64
				      " of the budget are left",
		    tokens + shortest, left);
	else if (left - tokens < agent->task.max_tokens)
		turn->max_tokens = left - tokens;
}

static void
reserve_dollars(const struct agent *agent, int64_t tokens, int64_t shortest,
    struct reservation *turn)
{
	int64_t most = turn->max_tokens ? turn->max_tokens
					: agent->task.max_tokens;
	int64_t left = INT64_MAX, fits;
	const struct agent_terms *terms = &agent->terms;
	const struct price *price = config_price_step(terms->price, tokens);
	const char *of = "the budget";

	if (!price)
		return;
	if (agent->task.budget_nano_usd)
		left = agent->task.budget_nano_usd - agent->nano_usd;
	if (terms->limited && terms->left_nano_usd < left) {
		left = terms->left_nano_usd;
		of = terms->left_of;
		turn->until = terms->until;
	}
	/* what is not read from the cache is written to it */
	turn->input_nano_usd = tokens *
	    (price->cache_write_5m > price->input ? price->cache_write_5m
						  : price->input);
	fits = price->output ? (left - turn->input_nano_usd) / price->output
			     : most;
	if (left < turn->input_nano_usd || fits < shortest)
		refuse(turn, turn->input_nano_usd + shortest * price->output,
		    left, of);
	else if (fits < most)
		most = turn->max_tokens = fits;
	turn->nano_usd = turn->input_nano_usd + most * price->output;
}

struct reservation
budget_reserve(const struct agent *agent, size_t bytes)
{
	int64_t tokens = prompt_tokens(agent, bytes);
	int64_t shortest = task_shortest_reply(&agent->task);
	struct reservation turn = { .max_tokens = 0 };

	if (agent->task.budget_tokens)
		reserve_tokens(agent, tokens, shortest, &turn);
	if (!turn.why)
		reserve_dollars(agent, tokens, shortest, &turn);
	return turn;
}

void
budget_begin(struct agent *agent, const struct json_object *started,
    size_t bytes)
{
	agent->max_tokens = agent_integer(started, "max_tokens");
	agent->reserved_nano_usd = agent_integer(started, "reserved_nano_usd");
	agent->input_nano_usd = agent_integer(started, "input_nano_usd");
	agent->input_tokens = agent_integer(started, "input_tokens");
	agent->asked_bytes = (int64_t)(agent->request_length + bytes);
}

void
budget_end(struct agent *agent, bool lost)
{
	if (lost) {
		budget_add(&agent->nano_usd, agent->input_nano_usd);
		budget_add(&agent->tokens.input, agent->input_tokens);
	}
	agent->max_tokens = agent->reserved_nano_usd = 0;
	agent->input_nano_usd = agent->input_tokens = 0;
}

void
budget_measure(struct agent *agent, int64_t tokens)
{
	if (tokens <= 0)
		return;
	agent->prompt_tokens = tokens;
	agent->prompt_bytes = agent->asked_bytes;
}
