/* SPDX-License-Identifier: ISC */
/*
 * How it works: a server ends a workflow whose history is too long, so a task
 * goes on in a new run before that, at a moment when nothing is under way. The
 * new run begins with the journal so far, read back from the run before, which
 * is closed but stored by the server for its retention; from then on the open
 * run is enough by itself. The full results of which the model got only a part
 * ("whole") are not copied.
 *
 * The copied part stays in proportion to the new part: unless a limit is set or
 * near, a run must have added as much as it began with before it is continued
 * again. So all runs together hold at most some three times the journal.
 */
#include "common/temporal/decisions.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/temporal/history_reader.h"

/* The server ends a run at 51,200 events or 50 MiB. */
#define EVENTS_MOST 50000
#define SIZE_MOST (48 << 20)
#define OWN_EVENTS 20000 /* of a run, even if the server allows more */
#define OWN_SIZE (16 << 20)
#define MARKER_SIZE (1u << 20)
#define REQUEST_SIZE (2u << 20) /* the server takes 4 MiB */

struct carry {
	struct worker_temporal *worker;
	char *workflow, *run, *own; /* the run that is read, and for which */
	uint64_t after;             /* events of the journal that it has */
	uint64_t taken;             /* the last one in markers */
	struct temporal_history *history;
	struct buf journal; /* a line each; the first of them */
	struct commands *commands;
	struct history_reader reader;
	struct timer done;
	bool failed;
	struct fail why;
	void (*then)(void *context, const struct fail *fail);
	void *context;
};

bool
carry_due(const struct worker_temporal *worker,
    const struct temporal_facts *facts)
{
	int64_t events = worker->config->run_events;
	int64_t size = worker->config->run_bytes;

	return facts->activities == 0 &&
	    (facts->own_events >= (events > 0 ? events : OWN_EVENTS) ||
		facts->own_size >= (size > 0 ? size : OWN_SIZE) ||
		(facts->suggest_new &&
		    facts->own_size >= facts->size - facts->own_size));
}

bool
carry_too_late(const struct temporal_facts *facts)
{
	return facts->last >= EVENTS_MOST || facts->size >= SIZE_MOST;
}

void
carry_end(struct carry *carry)
{
	if (carry == NULL)
		return;
	loop_cancel(carry->worker->loop, &carry->done);
	history_reader_release(&carry->reader);
	temporal_history_free(carry->history);
	buf_release(&carry->journal);
	free(carry->workflow);
	free(carry->run);
	free(carry->own);
	free(carry);
}

static void
on_done(void *context)
{
	struct carry *carry = context;

	carry->then(carry->context, carry->failed ? &carry->why : NULL);
}

/* Calls then from the loop, never from within a call that the caller makes. */
static void
end_reading(struct carry *carry)
{
	loop_timer(carry->worker->loop, &carry->done, 0);
}

static void
fail_reading(struct carry *carry, const struct fail *why)
{
	carry->failed = true;
	carry->why = *why;
	(void)fail_prefix(&carry->why, "run %s", carry->run);
	end_reading(carry);
}

/* Without the member "whole", or "kept". */
static void
add_event(struct buf *journal, struct span text)
{
	struct span rest = text, whole;
	bool is_whole = json_member(text, "whole", &whole);
	const char *start;
	char *size;

	if (!is_whole && !json_member(text, "kept", &whole)) {
		buf_add(journal, text.at, text.length);
		return;
	}
	start = whole.at;
	while (start > text.at && *start != ',')
		start--;
	rest.at = whole.at + whole.length;
	rest.length = text.length - (size_t)(rest.at - text.at);
	size = mem_print(",\"whole_bytes\":%zu", whole.length);
	buf_add(journal, text.at, (size_t)(start - text.at));
	if (is_whole)
		buf_add_string(journal, size);
	buf_add(journal, rest.at, rest.length);
	free(size);
}

static void
take_journal_event(void *context, const struct event *event)
{
	struct carry *carry = context;

	if (event->seq <= carry->after || carry->journal.length > REQUEST_SIZE)
		return;
	add_event(&carry->journal, event->text);
	buf_add(&carry->journal, "\n", 1);
}

static void
add_markers(struct carry *carry)
{
	Api__Payloads *marker = NULL;
	size_t marked = 0, total = 0;
	const char *at = carry->journal.data, *end,
		   *last = carry->journal.data + carry->journal.length;
	struct span event;

	for (; at < last; at = end + 1) {
		end = memchr(at, '\n', (size_t)(last - at));
		event = (struct span){ at, (size_t)(end - at) };
		if (total > 0 && total + event.length > REQUEST_SIZE)
			break;
		if (marker == NULL || marked + event.length > MARKER_SIZE) {
			marker = commands_carried(carry->commands);
			marked = 0;
		}
		commands_carry(marker, event);
		marked += event.length;
		total += event.length;
		carry->taken++;
	}
}

/* The run was read to its end, unless WHY says why not: it must be the one that
 * our run continues. */
static void
run_came(void *context, const struct fail *why)
{
	struct carry *carry = context;
	struct temporal_facts facts = temporal_history_facts(carry->history);
	struct agent_summary summary;
	struct fail fail;

	if (why != NULL) {
		fail_reading(carry, why);
		return;
	}
	agent_summary(temporal_history_agent(carry->history), &summary);
	/* an ended task that goes on was not continued by its run */
	if (facts.next_run == NULL ? !task_state_final(summary.state)
				   : strcmp(facts.next_run, carry->own) != 0) {
		fail_set(&fail, FAIL_NEVER, "invalid_journal",
		    "it is not the one that goes on as %s", carry->own);
		fail_reading(carry, &fail);
		return;
	}
	carry->taken = carry->after;
	add_markers(carry);
	if (carry->taken >= summary.seq)
		commands_carried_all(carry->commands);
	end_reading(carry);
}

struct carry *
carry_begin(struct worker_temporal *worker, const char *workflow,
    const char *run, const struct temporal_history *history,
    struct commands *commands,
    void (*then)(void *context, const struct fail *fail), void *context)
{
	struct temporal_facts facts = temporal_history_facts(history);
	struct carry *carry = mem_alloc(sizeof(*carry));
	struct span runs = { facts.runs, strlen(facts.runs) };
	struct span last = { "", 0 };

	while (json_element(&runs, &last))
		;
	carry->worker = worker;
	carry->workflow = mem_string(workflow);
	carry->run = json_decode(last);
	if (carry->run == NULL)
		carry->run = mem_string("");
	carry->own = mem_string(run);
	carry->after = facts.carried;
	carry->commands = commands;
	carry->then = then;
	carry->context = context;
	carry->done = (struct timer){ .fire = on_done, .context = carry };
	carry->journal = BUF_INIT((size_t)EVENT_MAX + REQUEST_SIZE + 2);
	carry->history = temporal_history_new(take_journal_event, carry);
	carry->reader = (struct history_reader){ .temporal = worker->temporal,
		.id = carry->workflow,
		.run = carry->run,
		.history = carry->history,
		.done = run_came,
		.context = carry };
	history_reader_read(&carry->reader, NULL);
	return carry;
}
