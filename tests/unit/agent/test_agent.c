/* SPDX-License-Identifier: ISC */
/*
 * The fold against golden journals, and what must hold for every one of them.
 *
 * tests/data/journals/NAME.ndjson is a journal; NAME.plan is what agent_next
 * says after each of its events, at the time of the event and again when the
 * time that it waits for has come. To add a case: put a journal there, run
 *
 *	UPDATE=1 build/unit/test_agent
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
#include <time.h>

#include <cmocka.h>

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
		buf_print(text, "%sdo %s, try %u: %s\n", indent,
		    names[plan.actions[i].type], plan.actions[i].tries,
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
	event_release(&event);
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
			    (summary.state == TASK_WAITING && summary.paused));
			driver_close(driver);
		}
}

/* ---- a world that answers the same whenever it is asked ---- */

#define SUBMITTED \
	"\"task\":{\"user\":\"ann\",\"goal\":\"g\"," \
	"\"toolkits\":[\"gmail\"],\"tools\":[],\"model\":\"m\"," \
	"\"max_tokens\":1000,\"queue\":\"default\",\"priority\":5," \
	"\"budget\":{\"turns\":50}}"

#define TOOL(name, repeatable, policy) \
	"{\"name\":\"" name "\",\"slug\":\"" name \
	"\",\"toolkit\":\"gmail\",\"version\":\"1\",\"account\":\"ca\"," \
	"\"repeatable\":" repeatable ",\"on_unknown\":\"" policy "\"}"

#define PINNED \
	"\"request\":{\"model\":\"m\",\"max_tokens\":1000}," \
	"\"tools\":[" TOOL("READ", "true", "tell") "," TOOL("SEND", "false", \
	    "tell") "," TOOL("ASK", "false", "ask") "," TOOL("AGAIN", "false", \
	    "retry") "]"

#define REPLY(content, stop) \
	"\"content\":[" content "],\"stop_reason\":\"" stop \
	"\",\"usage\":{\"input\":10,\"output\":3},\"nano_usd\":5"
#define TEXT(text) "{\"type\":\"text\",\"text\":\"" text "\"}"
#define USE(id, name) \
	"{\"type\":\"tool_use\",\"id\":\"" id "\",\"name\":\"" name \
	"\",\"input\":{\"a\":1.0}}"
#define ERROR "\"error\":{\"type\":\"e\",\"message\":\"no \\u00e9\"}"

static const struct world_answer answers[] = {
	{ NULL, 1, 1, EVENT_MODEL_FAILED, ERROR ",\"delay_ms\":400" },
	{ NULL, 1, 0, EVENT_MODEL_REPLIED,
	    REPLY(TEXT("I look.") "," USE("a", "READ") "," USE("b",
		      "SEND") "," USE("c", "NONE") "," USE("d", "AGAIN"),
		"tool_use") },
	{ "a", 0, 1, EVENT_TOOL_UNKNOWN, ERROR ",\"delay_ms\":100" },
	{ "b", 0, 1, EVENT_TOOL_FAILED, ERROR ",\"delay_ms\":60000" },
	{ "d", 0, 1, EVENT_TOOL_UNKNOWN, ERROR },
	{ NULL, 2, 0, EVENT_MODEL_REPLIED,
	    REPLY(USE("e", "SEND") "," USE("f", "ASK") "," USE("g", "SEND"),
		"tool_use") },
	{ "e", 0, 1, EVENT_TOOL_FAILED, ERROR ",\"connection\":\"gmail\"" },
	{ "g", 0, 0, EVENT_TOOL_UNKNOWN, ERROR },
	{ NULL, 3, 0, EVENT_MODEL_REPLIED,
	    REPLY(TEXT("cut ") "," USE("h", "SEND"), "max_tokens") },
	{ NULL, 4, 0, EVENT_MODEL_REPLIED, REPLY("", "end_turn") },
	{ NULL, 5, 0, EVENT_MODEL_REPLIED, REPLY(TEXT("wait "), "pause_turn") },
	{ NULL, 6, 1, EVENT_MODEL_FAILED, ERROR ",\"delay_ms\":3600000" },
	{ NULL, 6, 0, EVENT_MODEL_REPLIED,
	    REPLY(TEXT("The end."), "end_turn") },
};

static const struct world world = { .answers = answers,
	.count = sizeof(answers) / sizeof(*answers),
	.decision = "approve",
	.steps = 300 };

static struct driver *
driver_at_start(void)
{
	struct driver *driver = driver_open();

	assert_int_equal(driver_record(driver, EVENT_SUBMITTED, SUBMITTED), 0);
	assert_int_equal(driver_record(driver, EVENT_PINNED, PINNED), 0);
	return driver;
}

static void
assert_end(const struct driver *driver)
{
	struct agent_summary summary;
	const char *last = driver->lines[driver->count - 1];

	if (driver->fault)
		fail_msg("%s", driver->fault);
	agent_summary(driver->agent, &summary);
	assert_int_equal(summary.state, TASK_COMPLETED);
	assert_int_equal(summary.turns, 6);
	assert_non_null(strstr(last, "\"result\":\"wait The end.\""));
}

static bool
was_started(const struct driver *driver, const char *id)
{
	size_t i;

	for (i = 0; i < driver->call_count; i++)
		if (strcmp(driver->calls[i].id, id) == 0)
			return driver->calls[i].started > 0;
	return false;
}

/* Continued after CUT events by one worker, and that one's journal after
 * AGAIN more by another. */
static void
run_from_cut(const struct driver *whole, size_t cut, size_t again)
{
	static const char *const sent[] = { "a", "b", "d", "e", "f", "g" };
	struct driver *driver = driver_open(), *next = driver_open();
	size_t i;

	for (i = 0; i < cut; i++)
		assert_int_equal(driver_apply(driver, whole->lines[i],
				     strlen(whole->lines[i])),
		    0);
	(void)driver_record(driver, EVENT_STARTED,
	    "\"worker\":\"n\",\"fence\":2");
	assert_int_equal(driver_run(driver, &world), 0);
	assert_end(driver);
	for (i = 0; i < driver->count && i < cut + again; i++)
		assert_int_equal(driver_apply(next, driver->lines[i],
				     strlen(driver->lines[i])),
		    0);
	(void)driver_record(next, EVENT_STARTED,
	    "\"worker\":\"m\",\"fence\":3");
	assert_int_equal(driver_run(next, &world), 0);
	assert_end(next);
	for (i = 0; i < sizeof(sent) / sizeof(*sent); i++)
		assert_true(was_started(next, sent[i]));
	assert_false(was_started(next, "c"));
	assert_false(was_started(next, "h"));
	driver_close(driver);
	driver_close(next);
}

static void
test_world_from_every_cut(void **state)
{
	struct driver *whole = driver_at_start();
	size_t cut, again;

	(void)state;
	assert_int_equal(driver_run(whole, &world), 0);
	assert_end(whole);
	assert_true(whole->count > 40);
	for (cut = 2; cut < whole->count; cut++)
		for (again = 1; again < 30; again += 4)
			run_from_cut(whole, cut, again);
	driver_close(whole);
}

/* ---- bytes ---- */

static void
test_bytes_survive(void **state)
{
	static const char content[] =
	    "[{\"type\":\"thinking\",\"thinking\":"
	    "\"\",\"signature\":\"A\\/+=\"}, {\"type\" : \"x_new\",\"n\":1.0,"
	    "\"m\":12345678901234567890,\"b\":{\"z\":1E+2,\"a\":[ ]}},"
	    "{\"data\":\"\\u00e9\\/\",\"type\":\"redacted_thinking\"},"
	    "{\"type\":\"tool_use\",\"id\":\"t\",\"input\":{\"z\":-0.0,"
	    "\"a\":\"\\ud83d\\ude00\"},\"name\":\"READ\"}]";
	static const char input[] = "{\"z\":-0.0,\"a\":\"\\ud83d\\ude00\"}";
	struct driver *driver = driver_at_start();
	struct agent_call call;
	struct plan plan;
	char *members;

	(void)state;
	assert_int_equal(driver_record(driver, EVENT_STARTED,
			     "\"worker\":\"w\",\"fence\":1"),
	    0);
	assert_int_equal(driver_settle(driver, &plan), 0);
	assert_int_equal(driver_begin(driver, &plan), 0);
	plan_release(&plan);
	members = mem_print("\"turn\":1,\"content\":%s,\"stop_reason\":"
			    "\"tool_use\",\"usage\":{},\"nano_usd\":0",
	    content);
	assert_int_equal(driver_record(driver, EVENT_MODEL_REPLIED, members),
	    0);
	free(members);
	assert_non_null(strstr(driver->body, content));
	assert_true(agent_call(driver->agent, "t", &call));
	assert_int_equal(call.input.length, strlen(input));
	assert_memory_equal(call.input.at, input, strlen(input));
	/* the pin names none, as those of old journals */
	assert_string_equal(call.provider, "composio");
	driver_close(driver);
}

static void
test_result_block(void **state)
{
	static const struct {
		const char *text;
		size_t limit;
		bool error, cut;
		const char *want;
	} cases[] = {
		{ "ok", 0, false, false,
		    "{\"type\":\"tool_result\","
		    "\"tool_use_id\":\"t\",\"content\":\"ok\"}" },
		{ "no", 2, true, false,
		    "{\"type\":\"tool_result\","
		    "\"tool_use_id\":\"t\",\"content\":\"no\","
		    "\"is_error\":true}" },
		{ "", 5, false, false,
		    "{\"type\":\"tool_result\","
		    "\"tool_use_id\":\"t\",\"content\":\"\"}" },
		{ "ab\xc3\xa9"
		  "cd",
		    3, false, true,
		    "\"content\":\"ab\\n[cut "
		    "here: the first 2 of 6 bytes" },
		{ "ab\xc3\xa9"
		  "cd",
		    4, false, true,
		    "\"content\":\"ab\xc3\xa9"
		    "\\n[cut here: the first 4 of 6 bytes" },
		{ "\xf0\x9f\x98\x80\xf0\x9f\x98\x80", 7, false, true,
		    "\"content\":\"\xf0\x9f\x98\x80\\n[cut" },
		{ "a\xff"
		  "b",
		    0, false, false,
		    "\"content\":\"a\xef\xbf\xbd"
		    "b\"" },
	};
	struct buf buf = BUF_INIT(ROOM);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		buf_reset(&buf);
		assert_int_equal(agent_result_block(&buf, "t", cases[i].text,
				     strlen(cases[i].text), cases[i].limit,
				     cases[i].error),
		    cases[i].cut);
		assert_non_null(strstr(buf.data, cases[i].want));
	}
	buf_release(&buf);
}

/* ---- large replies, long reasons ---- */

static struct driver *
driver_with_calls(size_t count, const char *name)
{
	struct driver *driver = driver_at_start();
	struct buf members = BUF_INIT(ROOM);
	struct plan plan;
	size_t i;

	assert_int_equal(driver_record(driver, EVENT_STARTED,
			     "\"worker\":\"w\",\"fence\":1"),
	    0);
	assert_int_equal(driver_settle(driver, &plan), 0);
	assert_int_equal(driver_begin(driver, &plan), 0);
	plan_release(&plan);
	buf_add_string(&members, "\"turn\":1,\"content\":[");
	for (i = 0; i < count; i++)
		buf_print(&members,
		    "%s{\"type\":\"tool_use\",\"id\":\"t%zu\","
		    "\"name\":\"%s\",\"input\":{}}",
		    i ? "," : "", i, name);
	buf_add_string(&members,
	    "],\"stop_reason\":\"tool_use\","
	    "\"usage\":{},\"nano_usd\":0");
	assert_int_equal(driver_record(driver, EVENT_MODEL_REPLIED,
			     members.data),
	    0);
	buf_release(&members);
	return driver;
}

/* Records every decision without keeping the events; returns the seconds of
 * processor time that it took. */
static double
decide_all(struct driver *driver, size_t count)
{
	clock_t begin = clock();
	struct buf text = BUF_INIT(ROOM);
	struct event event;
	struct plan plan;
	size_t i;

	for (i = 0; i < count; i++) {
		agent_next(driver->agent, driver->now, &plan);
		assert_true(plan.has_record);
		buf_reset(&text);
		event_write(&text, driver->count + 1 + i, driver->now,
		    plan.record, plan.record_members.data,
		    plan.record_members.length);
		assert_int_equal(event_parse((struct span){ text.data,
						 text.length },
				     &event, &driver->fail),
		    0);
		assert_int_equal(agent_apply(driver->agent, &event,
				     &driver->fail),
		    0);
		event_release(&event);
		plan_release(&plan);
	}
	buf_release(&text);
	return (double)(clock() - begin) / CLOCKS_PER_SEC;
}

/* Up to a thousand calls are run; of more, each is answered without being
 * run, and ten times as many take ten times as long, not a hundred times. */
static void
test_many_calls(void **state)
{
	struct driver *driver = driver_with_calls(1000, "SEND");
	double few, many;
	struct plan plan;
	char *request;
	size_t length;

	(void)state;
	assert_int_equal(driver_settle(driver, &plan), 0);
	assert_int_equal(plan.count, 1000);
	plan_release(&plan);
	driver_close(driver);

	driver = driver_with_calls(2000, "SEND");
	few = decide_all(driver, 2000);
	driver_close(driver);
	driver = driver_with_calls(20000, "SEND");
	many = decide_all(driver, 20000);
	assert_true(many < 40 * few + 0.1);
	agent_next(driver->agent, driver->now, &plan);
	assert_int_equal(plan.count, 1);
	assert_int_equal(plan.actions[0].type, ACTION_MODEL);
	plan_release(&plan);
	request = agent_request(driver->agent, &length);
	assert_non_null(strstr(request, "too many calls at once"));
	free(request);
	driver_close(driver);
}

/* A reason is cut between characters, wherever its end falls, and waited for
 * once. */
static void
test_reason_is_cut_whole(void **state)
{
	struct buf members = BUF_INIT(ROOM);
	struct driver *driver;
	struct plan plan;
	size_t shift, i;

	(void)state;
	for (shift = 0; shift < 5; shift++) {
		driver = driver_at_start();
		assert_int_equal(driver_record(driver, EVENT_STARTED,
				     "\"worker\":\"w\",\"fence\":1"),
		    0);
		assert_int_equal(driver_settle(driver, &plan), 0);
		assert_int_equal(driver_begin(driver, &plan), 0);
		plan_release(&plan);
		buf_reset(&members);
		buf_add_string(&members,
		    "\"turn\":1,\"attempt\":1,\"delay_ms\""
		    ":9000000,\"error\":{\"message\":\"");
		for (i = 0; i < shift; i++)
			buf_add_string(&members, "x");
		for (i = 0; i < 300; i++)
			buf_add_string(&members, "\xf0\x9f\x98\x80");
		buf_add_string(&members, "\"}");
		assert_int_equal(driver_record(driver, EVENT_MODEL_FAILED,
				     members.data),
		    0);
		i = driver->count;
		assert_int_equal(driver_settle(driver, &plan), 0);
		assert_int_equal(driver->count, i + 1);
		plan_release(&plan);
		driver_close(driver);
	}
	buf_release(&members);
}

/* A turn whose every worker ends is given up; a delay of ages is a year. */
static void
test_bounds(void **state)
{
	struct driver *driver = driver_at_start();
	struct agent_summary summary;
	struct plan plan;
	char *members;
	size_t i;

	(void)state;
	for (i = 0; i < 50; i++) {
		assert_int_equal(driver_record(driver, EVENT_STARTED,
				     "\"worker\":\"w\",\"fence\":1"),
		    0);
		assert_int_equal(driver_settle(driver, &plan), 0);
		assert_int_equal(plan.count, 1);
		assert_int_equal(driver_begin(driver, &plan), 0);
		plan_release(&plan);
	}
	assert_int_equal(driver_record(driver, EVENT_RELEASED,
			     "\"worker\":\"w\",\"reason\":\"worker lost\""),
	    0);
	assert_int_equal(driver_settle(driver, &plan), 0);
	agent_summary(driver->agent, &summary);
	assert_int_equal(summary.state, TASK_FAILED);
	plan_release(&plan);
	driver_close(driver);

	driver = driver_at_start();
	assert_int_equal(driver_record(driver, EVENT_STARTED,
			     "\"worker\":\"w\",\"fence\":1"),
	    0);
	assert_int_equal(driver_settle(driver, &plan), 0);
	assert_int_equal(driver_begin(driver, &plan), 0);
	plan_release(&plan);
	assert_int_equal(
	    driver_record(driver, EVENT_MODEL_FAILED,
		"\"turn\":1,\"attempt\":1,\"delay_ms\":9007199254740991," ERROR),
	    0);
	i = driver->count;
	assert_int_equal(driver_settle(driver, &plan), 0);
	assert_int_equal(driver->count, i + 1);
	agent_summary(driver->agent, &summary);
	assert_true(summary.due - driver->now < (int64_t)400 * 86400 * 1000);
	plan_release(&plan);
	driver_close(driver);

	driver = driver_at_start();
	for (i = 1; i < 4; i++) {
		assert_int_equal(driver_record(driver, EVENT_STARTED,
				     "\"worker\":\"w\",\"fence\":1"),
		    0);
		assert_int_equal(driver_settle(driver, &plan), 0);
		assert_int_equal(driver_begin(driver, &plan), 0);
		plan_release(&plan);
		members = mem_print(
		    "\"turn\":1,\"attempt\":%zu,\"delay_ms\":0,"
		    "\"usage\":{\"input\":9007199254740991,\"output\":-5}," ERROR,
		    i);
		assert_int_equal(driver_record(driver, EVENT_MODEL_FAILED,
				     members),
		    0);
		free(members);
	}
	agent_summary(driver->agent, &summary);
	assert_int_equal(summary.input_tokens, (int64_t)1 << 53);
	assert_int_equal(summary.output_tokens, 0);
	driver_close(driver);
}

/* ---- signals ---- */

static void
test_accepts(void **state)
{
	static const struct {
		const char *journal;
		size_t events;
		const char *signal, *call, *type; /* NULL: accepted */
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
		{ "ask-two", 11, "approve", NULL, "wrong_state" },
		{ "ask-two", 11, "approve", "t1", NULL },
		{ "ask-two", 11, "deny", "t2", NULL },
		{ "ask-two", 11, "deny", "t3", "wrong_state" },
	};
	struct journal *journal, key;
	struct driver *driver;
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
		result = agent_accepts(driver->agent, cases[i].signal,
		    cases[i].call, &fail);
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
		cmocka_unit_test(test_every_cut_goes_on),
		cmocka_unit_test(test_world_from_every_cut),
		cmocka_unit_test(test_bytes_survive),
		cmocka_unit_test(test_result_block),
		cmocka_unit_test(test_many_calls),
		cmocka_unit_test(test_reason_is_cut_whole),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_accepts),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("agent", tests, set_up, tear_down);
}
