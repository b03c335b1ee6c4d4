/* SPDX-License-Identifier: ISC */
/*
 * The fold against golden journals, and what must hold for every one of them.
 *
 * tests/data/journals/NAME.ndjson is a journal; NAME.plan is what agent_next
 * says after each of its events, at the time of the event and again when the
 * time that it waits for has come. To add a case: put a journal there, run
 *
 *	UPDATE=1 build/unit/agent/test_agent
 *
 * and read the plan that it wrote.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "tests/unit/agent/agent_driver.h"

#define FOLDER "tests/data/journals"
#define ROOM ((size_t)EVENT_MAX)

struct journal {
	char *name;
	char **lines;
	size_t count;
};

static struct journal *journals;
static size_t journal_count;

/* ---- reading the folder ---- */

static char *
read_file(const char *path)
{
	FILE *file = fopen(path, "r");
	struct buf text = BUF_INIT(ROOM);
	char piece[4096];
	size_t size;

	if (!file)
		return NULL;
	while ((size = fread(piece, 1, sizeof(piece), file)) > 0)
		buf_add(&text, piece, size);
	(void)fclose(file);
	return buf_detach(&text, NULL);
}

static void
read_journal(struct journal *journal, const char *name)
{
	char *path = mem_print(FOLDER "/%s.ndjson", name);
	char *text = read_file(path), *line, *end;

	assert_non_null(text);
	*journal = (struct journal){ .name = mem_string(name) };
	for (line = text; (end = strchr(line, '\n')); line = end + 1) {
		journal->lines = mem_grow(journal->lines, journal->count + 1,
		    sizeof(*journal->lines));
		journal->lines[journal->count++] = mem_copy(line,
		    (size_t)(end - line));
	}
	free(text);
	free(path);
}

static int
by_name(const void *a, const void *b)
{
	const struct journal *one = a, *other = b;

	return strcmp(one->name, other->name);
}

static int
set_up(void **state)
{
	DIR *folder = opendir(FOLDER);
	const struct dirent *entry;
	char *name, *dot;

	(void)state;
	if (!folder) {
		fprintf(stderr, "run this from the top of the tree\n");
		return -1;
	}
	while ((entry = readdir(folder))) {
		name = mem_string(entry->d_name);
		dot = strstr(name, ".ndjson");
		if (dot && !dot[7]) {
			*dot = '\0';
			journals = mem_grow(journals, journal_count + 1,
			    sizeof(*journals));
			read_journal(&journals[journal_count++], name);
		}
		free(name);
	}
	(void)closedir(folder);
	qsort(journals, journal_count, sizeof(*journals), by_name);
	return journal_count > 50 ? 0 : -1;
}

static int
tear_down(void **state)
{
	size_t i, j;

	(void)state;
	for (i = 0; i < journal_count; i++) {
		for (j = 0; j < journals[i].count; j++)
			free(journals[i].lines[j]);
		free(journals[i].lines);
		free(journals[i].name);
	}
	free(journals);
	return 0;
}

static void
apply_line(struct driver *driver, const struct journal *journal, size_t i)
{
	if (driver_apply(driver, journal->lines[i], strlen(journal->lines[i])) <
	    0)
		fail_msg("%s: event %zu: %s", journal->name, i + 1,
		    driver->fail.message);
	if (driver->fault)
		fail_msg("%s: event %zu: %s", journal->name, i + 1,
		    driver->fault);
}

static struct driver *
fold_to(const struct journal *journal, size_t count)
{
	struct driver *driver = driver_open();
	size_t i;

	for (i = 0; i < count; i++)
		apply_line(driver, journal, i);
	return driver;
}

/* ---- plans as text ---- */

static void
write_plan(struct buf *text, const struct agent *agent, int64_t now,
    const char *indent, int64_t *ret_wake)
{
	static const char *const names[] = { "pin", "model", "tool" };
	struct plan plan;
	size_t i;

	agent_next(agent, now, &plan);
	if (plan.has_record)
		buf_print(text, "%srecord %s %s\n", indent,
		    event_type_name(plan.record), plan.record_members.data);
	for (i = 0; i < plan.count; i++)
		buf_print(text, "%sdo %s, try %u%s: %s\n", indent,
		    names[plan.actions[i].type], plan.actions[i].tries,
		    plan.actions[i].date && agent_task(agent)->timezone
			? ", date"
			: "",
		    plan.actions[i].members.data ? plan.actions[i].members.data
						 : "");
	if (plan.wake_at)
		buf_print(text, "%swake in %lld ms\n", indent,
		    (long long)(plan.wake_at - now));
	*ret_wake = plan.wake_at;
	plan_release(&plan);
}

static void
write_event(struct buf *text, const struct driver *driver, const char *line)
{
	struct agent_summary summary;
	struct event event;
	struct fail fail;
	int64_t wake, none, now = driver->now;

	assert_int_equal(event_parse((struct span){ line, strlen(line) },
			     &event, &fail),
	    0);
	agent_summary(driver->agent, &summary);
	buf_print(text, "%llu %s: %s%s%s%s%s\n", (unsigned long long)event.seq,
	    event_type_name(event.type), task_state_name(summary.state),
	    summary.paused ? " paused" : "",
	    summary.cancel_asked ? " cancel-asked" : "",
	    summary.reason ? ", " : "", summary.reason ? summary.reason : "");
	write_plan(text, driver->agent, now, "\t", &wake);
	if (summary.state == TASK_WAITING && summary.due) {
		buf_print(text, "\tdue in %lld ms\n",
		    (long long)(summary.due - now));
		wake = summary.due;
	}
	if (wake) {
		buf_print(text, "\tthen\n");
		write_plan(text, driver->agent, wake, "\t\t", &none);
	}
}

static char *
write_journal(const struct journal *journal)
{
	struct buf text = BUF_INIT(ROOM);
	struct driver *driver = driver_open();
	struct agent_summary sum;
	size_t i;

	for (i = 0; i < journal->count; i++) {
		apply_line(driver, journal, i);
		write_event(&text, driver, journal->lines[i]);
	}
	agent_summary(driver->agent, &sum);
	buf_print(&text,
	    "turns %lld, calls %lld, unknown %lld, tokens %lld "
	    "%lld %lld %lld, nano-usd %lld\n",
	    (long long)sum.turns, (long long)sum.calls,
	    (long long)sum.calls_unknown, (long long)sum.input_tokens,
	    (long long)sum.output_tokens, (long long)sum.cache_read_tokens,
	    (long long)sum.cache_write_tokens, (long long)sum.nano_usd);
	if (driver->body)
		buf_print(&text, "%s\n", driver->body);
	driver_close(driver);
	return buf_detach(&text, NULL);
}

static void
show_difference(const char *name, const char *wanted, const char *got)
{
	size_t line = 1, a, b;

	for (;;) {
		a = strcspn(wanted, "\n");
		b = strcspn(got, "\n");
		if (a != b || memcmp(wanted, got, a) != 0 || !wanted[a] ||
		    !got[b])
			break;
		wanted += a + 1;
		got += b + 1;
		line++;
	}
	fprintf(stderr,
	    "# %s.plan, line %zu\n# wanted: %.*s\n# got:    "
	    "%.*s\n",
	    name, line, (int)a, wanted, (int)b, got);
}

static void
test_golden(void **state)
{
	char *path, *wanted, *got;
	FILE *file;
	size_t i, differ = 0;

	(void)state;
	for (i = 0; i < journal_count; i++) {
		got = write_journal(&journals[i]);
		path = mem_print(FOLDER "/%s.plan", journals[i].name);
		if (getenv("UPDATE")) {
			file = fopen(path, "w");
			assert_non_null(file);
			(void)fputs(got, file);
			(void)fclose(file);
		}
		wanted = read_file(path);
		if (!wanted || strcmp(wanted, got) != 0) {
			show_difference(journals[i].name, wanted ? wanted : "",
			    got);
			differ++;
		}
		free(wanted);
		free(got);
		free(path);
	}
	assert_int_equal(differ, 0);
}

/* ---- what holds for every journal ---- */

static void
test_cut_and_folded(void **state)
{
	struct driver *whole, *part;
	char *one, *other;
	size_t i, cut, k;

	(void)state;
	for (i = 0; i < journal_count; i++) {
		whole = fold_to(&journals[i], journals[i].count);
		one = agent_dump(whole->agent);
		for (cut = 0; cut <= journals[i].count; cut++) {
			part = fold_to(&journals[i], cut);
			free(agent_dump(part->agent));
			for (k = cut; k < journals[i].count; k++)
				apply_line(part, &journals[i], k);
			other = agent_dump(part->agent);
			assert_string_equal(one, other);
			free(other);
			driver_close(part);
		}
		free(one);
		driver_close(whole);
	}
}

/* A plan's text, for comparing. */
static char *
plan_text(const struct agent *agent, int64_t now)
{
	struct buf text = BUF_INIT(ROOM);
	int64_t wake;

	write_plan(&text, agent, now, "", &wake);
	return buf_detach(&text, NULL);
}

/* A clock that is set back by a year makes no wait longer: not before the next
 * event, and not after it. */
static void
test_clock_set_back(void **state)
{
	static const char released[] =
	    "\"worker\":\"w9\",\"reason\":\"worker lost\"";
	const int64_t year = (int64_t)365 * 24 * 3600 * 1000;
	struct agent_summary summary;
	struct driver *driver;
	struct plan plan, later;
	size_t i, k;

	(void)state;
	for (i = 0; i < journal_count; i++)
		for (k = 1; k <= journals[i].count; k++) {
			driver = fold_to(&journals[i], k);
			agent_summary(driver->agent, &summary);
			agent_next(driver->agent, driver->now, &plan);
			agent_next(driver->agent, driver->now - year, &later);
			if (summary.state == TASK_RUNNING &&
			    !agent_task(driver->agent)->deadline) {
				assert_int_equal(plan.count, later.count);
				assert_int_equal(plan.has_record,
				    later.has_record);
				assert_int_equal(plan.record, later.record);
				assert_int_equal(plan.wake_at,
				    later.wake_at ? later.wake_at + year : 0);
			}
			plan_release(&later);
			if (summary.state == TASK_RUNNING && !plan.count &&
			    !plan.has_record && plan.wake_at &&
			    !agent_task(driver->agent)->deadline) {
				driver->now -= year;
				assert_int_equal(driver_record(driver,
						     EVENT_RELEASED, released),
				    0);
				agent_next(driver->agent, driver->now, &later);
				assert_true(later.count || later.has_record ||
				    later.wake_at + year <= plan.wake_at);
				plan_release(&later);
			}
			plan_release(&plan);
			driver_close(driver);
		}
}

static void
test_plans_are_pure(void **state)
{
	struct agent_summary summary;
	struct driver *driver;
	struct plan plan, again;
	char *before, *after, *one, *other;
	size_t i, k, n, m;

	(void)state;
	for (i = 0; i < journal_count; i++)
		for (k = 1; k <= journals[i].count; k++) {
			driver = fold_to(&journals[i], k);
			before = agent_dump(driver->agent);
			one = plan_text(driver->agent, driver->now);
			other = plan_text(driver->agent, driver->now);
			after = agent_dump(driver->agent);
			assert_string_equal(one, other);
			assert_string_equal(before, after);
			free(before);
			free(after);
			free(one);
			free(other);
			/* Decisions end, and what was begun is not planned
			 * again. */
			n = driver->count;
			assert_int_equal(driver_settle(driver, &plan), 0);
			assert_null(driver->fault);
			assert_true(driver->count - n < 20);
			n = plan.count;
			for (m = 0; m < n; m++)
				if (plan.actions[m].type == ACTION_PIN)
					break;
			agent_summary(driver->agent, &summary);
			if (m == n && n && summary.state == TASK_RUNNING) {
				assert_int_equal(driver_begin(driver, &plan),
				    0);
				agent_next(driver->agent, driver->now, &again);
				assert_int_equal(again.count, 0);
				assert_false(again.has_record);
				plan_release(&again);
			}
			plan_release(&plan);
			driver_close(driver);
		}
}

/* After every prefix of events a new worker brings the task to its end, or it
 * waits for a person. */
static void
test_every_cut_goes_on(void **state)
{
	static const struct world world = { .steps = 200, .decision = "deny" };
	struct agent_summary summary;
	struct driver *driver;
	size_t i, cut;

	(void)state;
	for (i = 0; i < journal_count; i++)
		for (cut = 1; cut <= journals[i].count; cut++) {
			driver = fold_to(&journals[i], cut);
			agent_summary(driver->agent, &summary);
			if (summary.state == TASK_RUNNING)
				assert_int_equal(
				    driver_record(driver, EVENT_STARTED,
					"\"worker\":\"n\",\"fence\":9"),
				    0);
			if (driver_run(driver, &world) < 0 || driver->fault)
				fail_msg("%s cut after %zu: %s",
				    journals[i].name, cut,
				    driver->fault ? driver->fault
						  : driver->fail.message);
			agent_summary(driver->agent, &summary);
			assert_true(task_state_final(summary.state) ||
			    (summary.state == TASK_WAITING &&
				(summary.paused ||
				    summary.wait == WAIT_BUDGET)));
			driver_close(driver);
		}
}

/* ---- waits ---- */

/* For what, and since when, the task waits after each event "waiting"; the
 * reason is cut into the kind and the message as the event says. */
static void
test_waits(void **state)
{
	static const struct {
		const char *journal;
		size_t events;
		enum wait_kind kind;
		const char *since, *toolkit, *call, *link;
	} cases[] = {
		{ "waits", 8, WAIT_KEY, "20:00:05", NULL, NULL, NULL },
		{ "waits", 12, WAIT_KEY, "20:00:05", NULL, NULL, NULL },
		{ "waits", 13, WAIT_NONE, "00:00:00", NULL, NULL, NULL },
		{ "waits", 19, WAIT_CREDIT, "20:01:11", NULL, NULL, NULL },
		{ "waits", 27, WAIT_KEY, "20:02:13", "gmail", "t1", NULL },
		{ "waits", 31, WAIT_CONNECTION, "20:03:14", "gmail", "t2",
		    NULL },
		{ "waits", 32, WAIT_ANSWER, "20:03:15", NULL, NULL,
		    "https://example.net/answer" },
		{ "waits", 35, WAIT_CHILD, "20:03:15", NULL, NULL,
		    "https://example.net/child" },
		/* of a newer program */
		{ "waits", 37, WAIT_TIME, "20:03:15", NULL, NULL,
		    "https://example.net/moon" },
		/* of older ones */
		{ "model-failed-long", 6, WAIT_OUTAGE, "20:00:00", NULL, NULL,
		    NULL },
		{ "tool-failed-long", 10, WAIT_OUTAGE, "20:00:02", NULL, NULL,
		    NULL },
		{ "ask-two", 12, WAIT_DECISION, "20:00:03", NULL, NULL, NULL },
		{ "pause-queued", 4, WAIT_PAUSED, "20:00:00", NULL, NULL,
		    NULL },
	};
	struct journal *journal, key;
	struct agent_summary summary;
	struct driver *driver;
	char name[64], since[CLOCK_TEXT];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		(void)snprintf(name, sizeof(name), "%s", cases[i].journal);
		key.name = name;
		journal = bsearch(&key, journals, journal_count,
		    sizeof(*journals), by_name);
		assert_non_null(journal);
		driver = fold_to(journal, cases[i].events);
		agent_summary(driver->agent, &summary);
		assert_string_equal(wait_name(summary.wait),
		    wait_name(cases[i].kind));
		clock_format(summary.since, since);
		assert_memory_equal(since + 11, cases[i].since, 8);
		assert_string_equal(summary.toolkit ? summary.toolkit : "",
		    cases[i].toolkit ? cases[i].toolkit : "");
		assert_string_equal(summary.call ? summary.call : "",
		    cases[i].call ? cases[i].call : "");
		assert_string_equal(summary.link ? summary.link : "",
		    cases[i].link ? cases[i].link : "");
		driver_close(driver);
	}
}

static void
test_reasons(void **state)
{
	static const struct {
		const char *reason;
		enum wait_kind kind;
		const char *message;
	} cases[] = {
		{ "key: refused: really", WAIT_KEY, "refused: really" },
		{ "rate_limit: ", WAIT_RATE_LIMIT, "" },
		{ "paused", WAIT_PAUSED, "" },
		{ "model: Overloaded", WAIT_OUTAGE, "Overloaded" },
		{ "tool: X: y", WAIT_OUTAGE, "X: y" },
		{ "preflight: z", WAIT_OUTAGE, "z" },
		{ "keys: z", WAIT_TIME, "keys: z" },
		{ "key:z", WAIT_TIME, "key:z" },
		{ "Something else.", WAIT_TIME, "Something else." },
		{ "", WAIT_TIME, "" },
	};
	const char *message;
	size_t i;
	int kind;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(wait_split(cases[i].reason, &message),
		    cases[i].kind);
		assert_string_equal(message, cases[i].message);
	}
	for (kind = 1; kind < WAIT_KINDS; kind++)
		assert_int_equal(wait_parse(wait_name((enum wait_kind)kind)),
		    kind);
	assert_int_equal(wait_parse(""), WAIT_NONE);
	assert_int_equal(wait_parse(NULL), WAIT_NONE);
}

/* ---- signals ---- */

static void
test_accepts(void **state)
{
	static const struct {
		const char *journal;
		size_t events;
		const char *signal, *members, *type; /* NULL: accepted */
	} cases[] = {
		{ "end-turn", 1, "cancel", NULL, NULL },
		{ "end-turn", 1, "pause", NULL, NULL },
		{ "end-turn", 1, "resume", NULL, "wrong_state" },
		{ "end-turn", 1, "approve", NULL, "wrong_state" },
		{ "end-turn", 1, "explode", NULL, "unknown_signal" },
		{ "end-turn", 6, "cancel", NULL, "task_ended" },
		{ "pause-queued", 3, "pause", NULL, "wrong_state" },
		{ "pause-queued", 3, "resume", NULL, NULL },
		{ "model-failed-long", 6, "resume", NULL, NULL },
		{ "model-failed-long", 6, "resume", "\"for\":\"key\"",
		    "wrong_state" },
		{ "pause-queued", 3, "resume", "\"for\":\"key\"",
		    "wrong_state" },
		{ "waits", 12, "resume", "\"for\":\"key\"", NULL },
		{ "waits", 13, "resume", "\"for\":\"key\"", "wrong_state" },
		{ "ask-two", 11, "approve", NULL, "wrong_state" },
		{ "ask-two", 11, "approve", "\"call\":\"t1\"", NULL },
		{ "ask-two", 11, "deny", "\"call\":\"t2\"", NULL },
		{ "ask-two", 11, "deny", "\"call\":\"t3\"", "wrong_state" },
		{ "ask-two", 11, "deny", "\"all\":true", NULL },
		{ "ask-two", 11, "approve", "\"all\":false", "wrong_state" },
		{ "ask-two", 11, "retry", NULL, "wrong_state" },
		{ "end-turn", 1, "approve", "\"all\":true", "wrong_state" },
		{ "end-turn", 6, "retry", NULL, "wrong_state" },
		{ "end-turn", 6, "continue", NULL, "invalid_signal" },
		{ "end-turn", 6, "continue", "\"message\":1",
		    "invalid_signal" },
		{ "end-turn", 6, "continue", "\"message\":\"on\"", NULL },
		{ "end-turn", 5, "continue", "\"message\":\"on\"",
		    "wrong_state" },
		{ "end-turn", 1, "budget", NULL, "invalid_signal" },
		{ "end-turn", 1, "budget", "\"turns\":0", "invalid_signal" },
		{ "end-turn", 1, "budget", "\"usd\":\"5\"", "invalid_signal" },
		{ "end-turn", 1, "budget", "\"usd\":5", "wrong_state" },
		{ "end-turn", 1, "budget", "\"turns\":5", NULL },
		{ "end-turn", 6, "budget", "\"turns\":5", "task_ended" },
		{ "refusal", 6, "retry", NULL, NULL },
		{ "cannot-proceed", 6, "retry", "\"turns\":5", NULL },
		{ "cancel-queued", 4, "retry", NULL, NULL },
	};
	struct journal *journal, key;
	struct driver *driver;
	const char *members;
	struct fail fail;
	char name[64];
	size_t i;
	int result;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		(void)snprintf(name, sizeof(name), "%s", cases[i].journal);
		key.name = name;
		journal = bsearch(&key, journals, journal_count,
		    sizeof(*journals), by_name);
		assert_non_null(journal);
		driver = fold_to(journal, cases[i].events);
		members = cases[i].members ? cases[i].members : "";
		result = agent_accepts(driver->agent, cases[i].signal,
		    (struct span){ members, strlen(members) }, &fail);
		if (cases[i].type) {
			assert_int_equal(result, -1);
			assert_string_equal(fail.type, cases[i].type);
		} else {
			assert_int_equal(result, 0);
		}
		driver_close(driver);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_cut_and_folded),
		cmocka_unit_test(test_plans_are_pure),
		cmocka_unit_test(test_clock_set_back),
		cmocka_unit_test(test_every_cut_goes_on),
		cmocka_unit_test(test_waits),
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_accepts),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("agent", tests, set_up, tear_down);
}
