/* SPDX-License-Identifier: ISC */
/*
 * Recorded histories are folded to the journals that stand beside them, all at
 * once, by pieces, and ahead as a worker does it; what is unknown is refused.
 *
 * With AGENT_RECORD set, the journals are written instead (to look at before
 * they are committed).
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/temporal/history.h"

#define FOLDER "tests/data/histories"

static void
add_line(void *context, const struct event *event)
{
	struct buf *journal = context;

	buf_add(journal, event->text.at, event->text.length);
	buf_add(journal, "\n", 1);
}

static Api__GetWorkflowExecutionHistoryResponse *
load(const char *name)
{
	Api__GetWorkflowExecutionHistoryResponse *page;
	struct buf bytes = BUF_INIT(64u << 20);
	char *path = mem_print(FOLDER "/%s.history", name);
	struct fail fail;

	assert_int_equal(file_read(path, &bytes, &fail), 0);
	page = api__get_workflow_execution_history_response__unpack(NULL,
	    bytes.length, (const uint8_t *)bytes.data);
	assert_non_null(page);
	buf_release(&bytes);
	free(path);
	return page;
}

static void
unload(Api__GetWorkflowExecutionHistoryResponse *page)
{
	api__get_workflow_execution_history_response__free_unpacked(page, NULL);
}

static void
take(struct temporal_history *history,
    const Api__GetWorkflowExecutionHistoryResponse *page, size_t from,
    size_t to)
{
	struct fail fail = { .message = "" };
	size_t i;

	for (i = from; i < to; i++)
		if (temporal_history_take(history, page->history->events[i],
			&fail) < 0)
			fail_msg("event %zu: %s", i + 1, fail.message);
}

static void
fold_recorded(const char *name)
{
	Api__GetWorkflowExecutionHistoryResponse *page = load(name);
	struct buf journal = BUF_INIT(64u << 20), known = BUF_INIT(64u << 20);
	struct temporal_history *history = temporal_history_new(add_line,
	    &journal);
	char *path = mem_print(FOLDER "/%s.journal", name), *whole, *pieces;
	size_t i, count = page->history->n_events;
	struct fail fail;

	take(history, page, 0, count);
	assert_true(temporal_history_facts(history).closed);
	assert_true(temporal_history_facts(history).last == (int64_t)count);
	if (getenv("AGENT_RECORD") != NULL)
		assert_int_equal(file_replace(path, journal.data,
				     journal.length, &fail),
		    0);
	assert_int_equal(file_read(path, &known, &fail), 0);
	assert_string_equal(journal.data, known.data);
	whole = agent_dump(temporal_history_agent(history));
	temporal_history_free(history);

	/* a worker sees a longer beginning each time */
	history = temporal_history_new(NULL, NULL);
	for (i = 0; i < count; i += 7)
		take(history, page, 0, i);
	take(history, page, 0, count);
	pieces = agent_dump(temporal_history_agent(history));
	assert_string_equal(whole, pieces);
	temporal_history_free(history);
	free(whole);
	free(pieces);
	free(path);
	buf_release(&journal);
	buf_release(&known);
	unload(page);
}

static void
test_recorded(void **state)
{
	struct dirent **list;
	int count = scandir(FOLDER, &list, NULL, alphasort), i, done = 0;
	char *dot;

	(void)state;
	assert_true(count > 0);
	for (i = 0; i < count; i++) {
		dot = strrchr(list[i]->d_name, '.');
		if (dot != NULL && strcmp(dot, ".history") == 0) {
			*dot = '\0';
			print_message("# %s\n", list[i]->d_name);
			fold_recorded(list[i]->d_name);
			done++;
		}
		free(list[i]);
	}
	free(list);
	assert_true(done >= 3);
}

/* The runs of one task: each alone, and all one after the other, are the same
 * journal. */
static void
test_continued(void **state)
{
	static const char *const names[] = { "continued-01", "continued-02",
		"continued-03", "continued-04" };
	Api__GetWorkflowExecutionHistoryResponse *page;
	struct buf one = BUF_INIT(64u << 20), all = BUF_INIT(64u << 20);
	struct temporal_history *chain = temporal_history_new(add_line, &all);
	struct temporal_history *alone;
	char *expected, *got;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		page = load(names[i]);
		if (i > 0)
			temporal_history_next(chain);
		take(chain, page, 0, page->history->n_events);
		assert_non_null(temporal_history_facts(chain).next_run);
		buf_reset(&one);
		alone = temporal_history_new(add_line, &one);
		take(alone, page, 0, page->history->n_events);
		assert_string_equal(one.data, all.data);
		expected = agent_dump(temporal_history_agent(alone));
		got = agent_dump(temporal_history_agent(chain));
		assert_string_equal(got, expected);
		assert_true(temporal_history_facts(alone).steps ==
		    temporal_history_facts(chain).steps);
		assert_true(temporal_history_facts(alone).own_events ==
		    temporal_history_facts(chain).own_events);
		assert_true(temporal_history_facts(chain).runs == NULL ||
		    temporal_history_facts(chain).own_size <
			temporal_history_facts(chain).size);
		free(expected);
		free(got);
		temporal_history_free(alone);
		unload(page);
	}
	temporal_history_free(chain);
	buf_release(&one);
	buf_release(&all);
}

/* Signals that came before the carried events are folded after them, and a gap
 * in these is refused. */
static void
test_carried(void **state)
{
	Api__GetWorkflowExecutionHistoryResponse *page = load("continued-03");
	struct temporal_history *history = temporal_history_new(NULL, NULL);
	Api__Payloads *events = NULL;
	struct temporal_facts facts;
	char *chain, *alone;
	struct fail fail;
	size_t i;

	(void)state;
	for (i = 0; page->history->events[i]->event_type !=
	     TEMPORAL_EVENT(MARKER_RECORDED);
	     i++)
		;
	take(history, page, 0, i);
	facts = temporal_history_facts(history);
	assert_true(facts.carrying && facts.carried == 0);
	assert_null(agent_task(temporal_history_agent(history)));
	events = page->history->events[i]
		     ->marker_recorded_event_attributes->details[0]
		     ->value;
	assert_true(events->n_payloads > 10);
	/* the first event is missing */
	api__payload__free_unpacked(events->payloads[0], NULL);
	memmove(events->payloads, events->payloads + 1,
	    (--events->n_payloads) * sizeof(*events->payloads));
	assert_int_equal(temporal_history_take(history,
			     page->history->events[i], &fail),
	    -1);
	assert_string_equal(fail.type, "invalid_journal");
	temporal_history_free(history);
	unload(page);

	/* what was folded of the runs before is what is carried, from there
	 * on, even when they are not the same */
	history = temporal_history_new(NULL, NULL);
	page = load("continued-01");
	take(history, page, 0, page->history->n_events);
	unload(page);
	temporal_history_next(history);
	page = load("continued-03");
	take(history, page, 0, page->history->n_events);
	chain = agent_dump(temporal_history_agent(history));
	temporal_history_free(history);
	history = temporal_history_new(NULL, NULL);
	take(history, page, 0, page->history->n_events);
	alone = agent_dump(temporal_history_agent(history));
	assert_string_equal(chain, alone);
	temporal_history_free(history);
	unload(page);
	free(chain);
	free(alone);
}

/* As a worker: at each workflow task it looks, and what it decides is what the
 * history has next. */
static void
test_ahead(void **state)
{
	Api__GetWorkflowExecutionHistoryResponse *page = load("completed");
	struct temporal_history *history = temporal_history_new(NULL, NULL);
	size_t i, steps = 0, count = page->history->n_events;
	const Api__HistoryEvent *event, *next;
	const struct agent *agent;
	struct fail fail;
	struct plan plan;
	bool running;

	(void)state;
	for (i = 0; i < count; i++) {
		event = page->history->events[i];
		take(history, page, i, i + 1);
		if (event->event_type != TEMPORAL_EVENT(WORKFLOW_TASK_STARTED))
			continue;
		assert_int_equal(temporal_history_step(history, &running,
				     &fail),
		    0);
		steps++;
		agent = temporal_history_agent(history);
		if (i + 2 >= count || agent_task(agent) == NULL)
			continue;
		assert_true(running);
		next = page->history->events[i + 2];
		agent_next(agent, temporal_history_facts(history).now, &plan);
		if (plan.count == 1 && plan.actions[0].type == ACTION_MODEL) {
			assert_int_equal(next->event_type,
			    TEMPORAL_EVENT(ACTIVITY_TASK_SCHEDULED));
			assert_int_equal(
			    temporal_history_ahead(history,
				TEMPORAL_EVENT(ACTIVITY_TASK_SCHEDULED),
				next->activity_task_scheduled_event_attributes
				    ->activity_id,
				plan.actions[0].intent,
				(struct span){ plan.actions[0].members.data,
				    plan.actions[0].members.length },
				&fail),
			    0);
			assert_true(temporal_history_activity(history,
			    next->activity_task_scheduled_event_attributes
				->activity_id));
		}
		plan_release(&plan);
	}
	assert_true(steps > 5);
	temporal_history_free(history);
	unload(page);
}

static void
test_changed(void **state)
{
	Api__GetWorkflowExecutionHistoryResponse *page = load("completed");
	struct temporal_history *history = temporal_history_new(NULL, NULL);
	struct fail fail;
	bool running;

	(void)state;
	take(history, page, 0, 3);
	assert_int_equal(temporal_history_step(history, &running, &fail), 0);
	assert_int_equal(temporal_history_ahead(history,
			     TEMPORAL_EVENT(TIMER_STARTED), "until-1",
			     EVENT_WAITING, (struct span){ NULL, 0 }, &fail),
	    0);
	take(history, page, 3, 4);
	assert_int_equal(temporal_history_take(history,
			     page->history->events[4], &fail),
	    -1);
	assert_string_equal(fail.type, "history_changed");
	temporal_history_free(history);
	unload(page);
}

static void
test_refused(void **state)
{
	Api__HistoryEvent event = API__HISTORY_EVENT__INIT;
	struct temporal_history *history = temporal_history_new(NULL, NULL);
	struct fail fail;

	(void)state;
	event.event_id = 1;
	event.event_type = 99;
	assert_int_equal(temporal_history_take(history, &event, &fail), -1);
	assert_string_equal(fail.type, "unknown_event");
	event.event_type = -5;
	assert_int_equal(temporal_history_take(history, &event, &fail), -1);
	event.event_type = 1; /* without its attributes */
	assert_int_equal(temporal_history_take(history, &event, &fail), -1);
	assert_string_equal(fail.type, "invalid_event");
	event.event_type = 99;
	event.worker_may_ignore = true;
	assert_int_equal(temporal_history_take(history, &event, &fail), 0);
	event.event_id = 3;
	assert_int_equal(temporal_history_take(history, &event, &fail), -1);
	assert_string_equal(fail.type, "invalid_journal");
	temporal_history_free(history);
}

static void
test_event(void **state)
{
	static const struct {
		const char *text;
		int type; /* -1: none */
		const char *members;
	} rows[] = {
		{ "{\"type\":\"completed\",\"result\":\"x\"}", EVENT_COMPLETED,
		    "\"result\":\"x\"" },
		{ " {\"type\":\"pinned\"}\n", EVENT_PINNED, "" },
		{ "{\"type\":\"completed\"x}", -1, "" },
		{ "{\"type\":\"comp\"}", -1, "" },
		{ "{\"type\":\"complete", -1, "" },
		{ "{\"result\":1,\"type\":\"completed\"}", -1, "" },
		{ "[]", -1, "" },
		{ "", -1, "" },
		{ "{}", -1, "" },
	};
	enum event_type type;
	struct span members;
	bool known;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		known = temporal_history_event((struct span){ rows[i].text,
						   strlen(rows[i].text) },
		    &type, &members);
		assert_int_equal(known, rows[i].type >= 0);
		if (!known)
			continue;
		assert_int_equal(type, rows[i].type);
		assert_int_equal(members.length, strlen(rows[i].members));
		assert_memory_equal(members.at, rows[i].members,
		    members.length);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recorded),
		cmocka_unit_test(test_continued),
		cmocka_unit_test(test_carried),
		cmocka_unit_test(test_ahead),
		cmocka_unit_test(test_changed),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_event),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
