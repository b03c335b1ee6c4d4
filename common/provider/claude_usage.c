/* SPDX-License-Identifier: ISC */
/*
 * How it works: a missing member keeps its earlier value. The sum of the two
 * kinds of cache writes is always sent, the number of each kind is not: the
 * rest is of the usual, cheap kind.
 */
#include "common/provider/claude_internal.h"

#include <string.h>

#include "common/agent/journal.h"

static void
take_number(const struct json_object *object, const char *name, int64_t *number)
{
	int64_t value;

	if (json_whole(json_get(object, name), &value) && value >= 0)
		*number = value;
}

static void
take_one(const struct json_object *members, struct claude_usage *usage,
    int64_t *written)
{
	struct json_object writes;

	take_number(members, "input_tokens", &usage->input);
	take_number(members, "output_tokens", &usage->output);
	take_number(members, "cache_read_input_tokens", &usage->cache_read);
	take_number(members, "cache_creation_input_tokens", written);
	(void)json_object(json_get(members, "cache_creation"), &writes);
	take_number(&writes, "ephemeral_5m_input_tokens",
	    &usage->cache_write_5m);
	take_number(&writes, "ephemeral_1h_input_tokens",
	    &usage->cache_write_1h);
	if (*written < 0)
		return;
	if (usage->cache_write_1h > *written)
		usage->cache_write_1h = *written;
	usage->cache_write_5m = *written - usage->cache_write_1h;
}

/* When the service worked in several iterations, only their sum is billed. */
void
claude_usage_take(struct span json, struct claude_usage *usage,
    int64_t *written)
{
	struct claude_usage sum = { 0 }, one;
	struct json_object members;
	struct span rounds, item;

	(void)json_object(json, &members);
	rounds = json_get(&members, "iterations");
	if (!json_element(&rounds, &item)) {
		take_one(&members, usage, written);
		return;
	}
	do {
		one = (struct claude_usage){ 0 };
		*written = -1;
		(void)json_object(item, &members);
		take_one(&members, &one, written);
		sum.input += one.input;
		sum.output += one.output;
		sum.cache_read += one.cache_read;
		sum.cache_write_5m += one.cache_write_5m;
		sum.cache_write_1h += one.cache_write_1h;
	} while (json_element(&rounds, &item));
	*usage = sum;
	*written = sum.cache_write_5m + sum.cache_write_1h;
}

/* SUM plus the price of COUNT tokens, at most the largest number. */
static int64_t
add_cost(int64_t sum, int64_t count, int64_t price)
{
	int64_t cost;

	if (__builtin_mul_overflow(count, price, &cost) ||
	    __builtin_add_overflow(sum, cost, &cost))
		return INT64_MAX;
	return cost;
}

int64_t
claude_cost(const struct claude_usage *usage, const struct price *price)
{
	int64_t sum = 0;

	price = config_price_step(price,
	    usage->input + usage->cache_read + usage->cache_write_5m +
		usage->cache_write_1h);
	if (price == NULL)
		return 0;
	sum = add_cost(sum, usage->input, price->input);
	sum = add_cost(sum, usage->output, price->output);
	sum = add_cost(sum, usage->cache_read, price->cache_read);
	sum = add_cost(sum, usage->cache_write_5m, price->cache_write_5m);
	sum = add_cost(sum, usage->cache_write_1h, price->cache_write_1h);
	return sum;
}

bool
claude_billed(const struct claude_usage *usage)
{
	static const struct claude_usage none = { 0 };

	return memcmp(usage, &none, sizeof(none)) != 0;
}

void
claude_usage_members(const struct claude_reply *reply,
    const struct config *config, const char *model, int64_t lost_nano_usd,
    struct buf *members)
{
	const struct claude_usage *usage = &reply->usage;
	const struct price *price = config_price(config, reply->model);
	struct buf text = BUF_INIT(1024);

	if (price == NULL)
		price = config_price(config, model);
	buf_print(&text,
	    "{\"input\":%lld,\"output\":%lld,\"cache_read\":%lld,"
	    "\"cache_write_5m\":%lld,\"cache_write_1h\":%lld}",
	    (long long)usage->input, (long long)usage->output,
	    (long long)usage->cache_read, (long long)usage->cache_write_5m,
	    (long long)usage->cache_write_1h);
	member_raw(members, "usage", text.data, text.length);
	member_integer(members, "nano_usd",
	    claude_cost(usage, price) + lost_nano_usd);
	buf_release(&text);
}
