/* SPDX-License-Identifier: ISC */
/*
 * Families are written in a fixed order, each followed by its samples, as the
 * format requires. Names of queues, states and outcomes have no character that
 * would have to be escaped.
 */
#include "common/cli/metrics.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/json/json.h"

static const char *const ended[] = { "completed", "blocked", "failed",
	"cancelled", NULL };

int
metrics_get(const cJSON *numbers, const char *name, int64_t *ret_number,
    struct fail *fail)
{
	if (json_integer(numbers, name, ret_number))
		return 0;
	return fail_set(fail, FAIL_NOT_NOW, "system",
	    "the engine gave no number \"%s\"", name);
}

/* NAME{LABEL="VALUE"} NUMBER, or for LABEL NULL NAME NUMBER. */
static int
sample(struct buf *out, const char *name, const char *label, const char *value,
    const cJSON *numbers, const char *member, struct fail *fail)
{
	int64_t number;

	if (metrics_get(numbers, member, &number, fail) < 0)
		return -1;
	buf_add_string(out, name);
	if (label)
		buf_print(out, "{%s=\"%.100s\"}", label, value);
	buf_print(out, " %" PRId64 "\n", number);
	return 0;
}

static void
family(struct buf *out, const char *name, const char *type, const char *words)
{
	buf_print(out, "# TYPE %s %s\n# HELP %s %s\n", name, type, name, words);
}

static int
print_queue(struct buf *out, struct buf *ages, const char *queue,
    const cJSON *numbers, struct fail *fail)
{
	int64_t ready, queued, running, waiting, oldest;

	if (metrics_get(numbers, "ready", &ready, fail) < 0 ||
	    metrics_get(numbers, "queued", &queued, fail) < 0 ||
	    metrics_get(numbers, "oldest_ready_ms", &oldest, fail) < 0 ||
	    metrics_get(numbers, "running", &running, fail) < 0 ||
	    metrics_get(numbers, "waiting", &waiting, fail) < 0)
		return -1;
	buf_print(out,
	    "agent_tasks{queue=\"%s\",state=\"pending\"} %" PRId64
	    "\nagent_tasks{queue=\"%s\",state=\"scheduled\"} %" PRId64
	    "\nagent_tasks{queue=\"%s\",state=\"running\"} %" PRId64
	    "\nagent_tasks{queue=\"%s\",state=\"waiting\"} %" PRId64 "\n",
	    queue, ready, queue, queued - ready, queue, running, queue,
	    waiting);
	buf_print(ages,
	    "agent_oldest_pending_seconds{queue=\"%s\"} %" PRId64 ".%03d\n",
	    queue, oldest / 1000, (int)(oldest % 1000));
	return 0;
}

static int
print_queues(struct buf *out, struct engine *engine, const cJSON *all,
    struct fail *fail)
{
	struct buf ages = BUF_INIT(1u << 20), text = BUF_INIT(64u << 10);
	const cJSON *queue;
	int done = -1;

	family(out, "agent_tasks", "gauge", "Tasks that have not ended.");
	cJSON_ArrayForEach (queue, json_item(all, "queues")) {
		cJSON *numbers = NULL;
		int printed = -1;

		buf_reset(&text);
		if (engine->ops->depth(engine, queue->valuestring, &text,
			fail) == 0 &&
		    (numbers = json_parse(text.data, text.length,
			 &json_limits_task, fail)) != NULL)
			printed = print_queue(out, &ages, queue->valuestring,
			    numbers, fail);
		cJSON_Delete(numbers);
		if (printed < 0)
			goto out;
	}
	family(out, "agent_oldest_pending_seconds", "gauge",
	    "How long the task that is next has been there.");
	buf_print(out, "# UNIT agent_oldest_pending_seconds seconds\n%s",
	    ages.length ? ages.data : "");
	done = 0;
out:
	buf_release(&ages);
	buf_release(&text);
	return done;
}

/* The usage and outcomes of all tasks ever, if the engine knows them. */
static int
print_sums(struct buf *out, const cJSON *sums, struct fail *fail)
{
	static const char *const tokens[][2] = { { "input", "input_tokens" },
		{ "output", "output_tokens" },
		{ "cache_read", "cache_read_tokens" },
		{ "cache_write", "cache_write_tokens" } };
	static const char *const plain[][3] = {
		{ "agent_tasks_submitted", "submitted", "Tasks taken." },
		{ "agent_turns", "turns", "Replies of the model." },
		{ "agent_calls", "calls", "Tool calls." },
		{ "agent_calls_in_doubt", "calls_unknown",
		    "Tool calls of "
		    "which nobody knows whether they took effect." }
	};
	char name[64];
	int64_t nano;
	size_t i;

	for (i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		family(out, plain[i][0], "counter", plain[i][2]);
		snprintf(name, sizeof(name), "%s_total", plain[i][0]);
		if (sample(out, name, NULL, NULL, sums, plain[i][1], fail) < 0)
			return -1;
	}
	family(out, "agent_tokens", "counter", "Tokens of the model.");
	for (i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++)
		if (sample(out, "agent_tokens_total", "kind", tokens[i][0],
			sums, tokens[i][1], fail) < 0)
			return -1;
	family(out, "agent_tasks_ended", "counter", "Tasks by their end.");
	for (i = 0; ended[i]; i++)
		if (sample(out, "agent_tasks_ended_total", "outcome", ended[i],
			sums, ended[i], fail) < 0)
			return -1;
	if (metrics_get(sums, "nano_usd", &nano, fail) < 0)
		return -1;
	family(out, "agent_cost_usd", "counter",
	    "Dollars, by the prices that were set.");
	buf_print(out,
	    "# UNIT agent_cost_usd usd\nagent_cost_usd_total %" PRId64
	    ".%09" PRId64 "\n",
	    nano / 1000000000, nano % 1000000000);
	return 0;
}

int
metrics_write(struct buf *out, struct engine *engine, const struct buf *text,
    struct fail *fail)
{
	const cJSON *waits, *sums, *item;
	cJSON *all;
	int done = -1;

	all = json_parse(text->data, text->length, &json_limits_task, fail);
	if (!all || print_queues(out, engine, all, fail) < 0)
		goto out;
	family(out, "agent_workers", "gauge", "Workers alive.");
	if (sample(out, "agent_workers", NULL, NULL, all, "workers", fail) < 0)
		goto out;
	family(out, "agent_leases", "gauge", "Tasks that a worker has.");
	if (sample(out, "agent_leases", NULL, NULL, all, "running", fail) < 0)
		goto out;
	family(out, "agent_tasks_kept", "gauge",
	    "Tasks that have ended and are still kept.");
	for (size_t i = 0; ended[i]; i++)
		if (sample(out, "agent_tasks_kept", "outcome", ended[i], all,
			ended[i], fail) < 0)
			goto out;
	waits = json_item(all, "waits");
	if (waits)
		family(out, "agent_tasks_waiting", "gauge",
		    "Tasks that wait, by what for.");
	cJSON_ArrayForEach (item, waits)
		if (sample(out, "agent_tasks_waiting", "for", item->string,
			waits, item->string, fail) < 0)
			goto out;
	sums = json_item(all, "sums");
	if (sums && print_sums(out, sums, fail) < 0)
		goto out;
	buf_add_string(out, "# EOF\n");
	done = 0;
out:
	cJSON_Delete(all);
	return done;
}
