/* SPDX-License-Identifier: ISC */
/*
 * What a journal must not hold is refused, with FAIL_NEVER and a type that
 * says whether the event, its place or this program's age is at fault; and
 * never with a crash.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "tests/unit/agent/agent_driver.h"

#define FOLDER "tests/data/journals"
#define ROOM ((size_t)EVENT_MAX)
#define AT "\"at\":\"2026-11-23T20:00:00.000Z\""

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- one event ---- */

static void
test_events_refused(void **state)
{
	static const struct {
		const char *text, *type;
	} cases[] = {
		{ "", "invalid_event" },
		{ "x", "invalid_event" },
		{ "[]", "invalid_event" },
		{ "{}", "invalid_event" },
		{ "{\"v\":1,\"v\":1}", "invalid_event" },
		{ "{\"v\":1,\"seq\":1," AT "}", "invalid_event" },
		{ "{\"seq\":1," AT ",\"type\":\"signal\",\"signal\":\"x\"}",
		    "invalid_event" },
		{ "{\"v\":3,\"seq\":1," AT ",\"type\":\"signal\","
		  "\"signal\":\"x\"}",
		    "unknown_event" },
		{ "{\"v\":0,\"seq\":1," AT ",\"type\":\"signal\","
		  "\"signal\":\"x\"}",
		    "unknown_event" },
		{ "{\"v\":1,\"seq\":1," AT ",\"type\":\"dreamt\"}",
		    "unknown_event" },
		{ "{\"v\":1,\"seq\":0," AT ",\"type\":\"signal\","
		  "\"signal\":\"x\"}",
		    "invalid_event" },
		{ "{\"v\":1,\"seq\":1.5," AT ",\"type\":\"signal\","
		  "\"signal\":\"x\"}",
		    "invalid_event" },
		{ "{\"v\":1,\"seq\":1,\"type\":\"signal\",\"signal\":\"x\"}",
		    "invalid_event" },
		{ "{\"v\":1,\"seq\":1,\"at\":\"yesterday\",\"type\":"
		  "\"signal\",\"signal\":\"x\"}",
		    "invalid_event" },
		{ "{\"v\":1,\"seq\":1,\"at\":\"1969-01-01T00:00:00Z\","
		  "\"type\":\"signal\",\"signal\":\"x\"}",
		    "invalid_event" },
		{ "{\"v\":1,\"seq\":1," AT ",\"type\":\"signal\"}",
		    "invalid_event" },
		{ "{\"v\":1,\"seq\":1," AT ",\"type\":\"signal\","
		  "\"signal\":7}",
		    "invalid_event" },
		{ "{\"v\":1,\"seq\":1," AT ",\"type\":\"signal\","
		  "\"signal\":\"approve\",\"call\":7}",
		    "invalid_event" },
		{ "{\"v\":1,\"seq\":1," AT ",\"type\":\"model.started\","
		  "\"turn\":1.5,\"attempt\":1}",
		    "invalid_event" },
		{ "{\"v\":1,\"seq\":1," AT ",\"type\":\"model.failed\","
		  "\"turn\":1,\"attempt\":1,\"error\":{},\"delay_ms\":"
		  "\"soon\"}",
		    "invalid_event" },
		{ "{\"v\":1,\"seq\":1," AT ",\"type\":\"waiting\",\"reason\":"
		  "\"r\",\"until\":5}",
		    "invalid_event" },
	};
	struct event event;
	struct fail fail;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		memset(&fail, 0, sizeof(fail));
		assert_int_equal(event_parse((struct span){ cases[i].text,
						 strlen(cases[i].text) },
				     &event, &fail),
		    -1);
		assert_int_equal(fail.kind, FAIL_NEVER);
		assert_string_equal(fail.type, cases[i].type);
		assert_true(strlen(fail.message) > 10);
	}
}

/* Every type is written as it is read, and each required member is. */
static void
test_write_and_read(void **state)
{
	static const char *const members[EVENT_TYPES] = {
		[EVENT_SUBMITTED] = "\"task\":{}",
		[EVENT_PINNED] = "\"request\":{},\"tools\":[]",
		[EVENT_STARTED] = "\"worker\":\"w\",\"fence\":1",
		[EVENT_RELEASED] = "\"worker\":\"w\",\"reason\":\"r\"",
		[EVENT_MODEL_STARTED] = "\"turn\":1,\"attempt\":1",
		[EVENT_MODEL_REPLIED] =
		    "\"turn\":1,\"content\":[],"
		    "\"stop_reason\":\"\",\"usage\":{},\"nano_usd\":0",
		[EVENT_MODEL_FAILED] = "\"turn\":1,\"attempt\":1,\"error\":{}",
		[EVENT_TOOL_STARTED] = "\"call\":\"c\",\"tool\":\"t\","
				       "\"attempt\":1",
		[EVENT_TOOL_FINISHED] = "\"call\":\"c\",\"block\":{},"
					"\"is_error\":false",
		[EVENT_TOOL_FAILED] = "\"call\":\"c\",\"attempt\":1,"
				      "\"error\":{}",
		[EVENT_TOOL_UNKNOWN] = "\"call\":\"c\",\"attempt\":1,"
				       "\"error\":{}",
		[EVENT_EVIDENCE] = "\"call\":\"c\",\"attempt\":1",
		[EVENT_ACCOUNT] = "\"toolkit\":\"t\"",
		[EVENT_CLOCK] = "\"stepped_ms\":86400000",
		[EVENT_COMPACTED] = "\"turn\":1,\"by\":\"cut\"",
		[EVENT_USER_MESSAGE] = "\"content\":[],\"reason\":\"r\"",
		[EVENT_SIGNAL] = "\"signal\":\"pause\"",
		[EVENT_WAITING] = "\"reason\":\"r\"",
		[EVENT_COMPLETED] = "\"result\":\"r\"",
		[EVENT_BLOCKED] = "\"reason\":\"r\"",
		[EVENT_FAILED] = "\"error\":{}",
		[EVENT_CANCELLED] = "\"reason\":\"r\"",
	};
	struct buf text = BUF_INIT(ROOM), newer = BUF_INIT(ROOM);
	enum task_state named, ended = TASK_STATES;
	struct event event;
	struct fail fail;
	const char *at;
	bool is_final;
	char *part;
	size_t type;

	(void)state;
	for (type = 0; type < EVENT_TYPES; type++) {
		if (!event_type_name((enum event_type)type) || !members[type])
			fail_msg(
			    "a new type needs a row in journal.c and here");
		is_final = task_state_parse(event_type_name(
						(enum event_type)type),
			       &named) &&
		    task_state_final(named);
		assert_int_equal(event_is_end((enum event_type)type, &ended),
		    is_final);
		assert_true(!is_final || ended == named);
		buf_reset(&text);
		event_write(&text, 3, 1700000000123, (enum event_type)type,
		    members[type], strlen(members[type]));
		assert_int_equal(event_parse((struct span){ text.data,
						 text.length },
				     &event, &fail),
		    0);
		assert_int_equal(event.seq, 3);
		assert_int_equal(event.at, 1700000000123);
		assert_int_equal(event.type, type);
		/* A newer form of it is not half understood. */
		buf_print(&newer, "{\"v\":%d%s", JOURNAL_VERSION + 1,
		    strchr(text.data, ','));
		assert_int_equal(event_parse((struct span){ newer.data,
						 newer.length },
				     &event, &fail),
		    -1);
		assert_string_equal(fail.type, "unknown_event");
		buf_reset(&newer);
		/* Without its last member, whichever it is. */
		part = mem_string(members[type]);
		for (at = part; strstr(at, ",\""); at = strstr(at, ",\"") + 1)
			;
		part[at > part ? at - part - 1 : 0] = '\0';
		buf_reset(&text);
		event_write(&text, 3, 0, (enum event_type)type, part,
		    strlen(part));
		assert_int_equal(event_parse((struct span){ text.data,
						 text.length },
				     &event, &fail),
		    -1);
		assert_string_equal(fail.type, "invalid_event");
		free(part);
	}
	buf_release(&newer);
	buf_release(&text);
}

/* An event may hold as much as a service may send. */
static void
test_large_and_deep(void **state)
{
	struct buf text = BUF_INIT(ROOM);
	struct event event;
	struct fail fail;
	size_t i;

	(void)state;
	buf_add_string(&text,
	    "{\"v\":1,\"seq\":1," AT ",\"type\":"
	    "\"tool.finished\",\"call\":\"c\",\"is_error\":false,\"block\":{"
	    "\"x\":");
	for (i = 0; i < 200; i++)
		buf_add_string(&text, "[");
	for (i = 0; i < 200; i++)
		buf_add_string(&text, "]");
	buf_add_string(&text, "}}");
	assert_int_equal(event_parse((struct span){ text.data, text.length },
			     &event, &fail),
	    0);
	buf_reset(&text);
	buf_add_string(&text,
	    "{\"v\":1,\"seq\":1," AT ",\"type\":\"waiting\","
	    "\"reason\":\"");
	for (i = 0; i < 70u << 16; i++)
		buf_add(&text, "0123456789abcdef", 16);
	buf_add_string(&text, "\"}");
	assert_int_equal(event_parse((struct span){ text.data, text.length },
			     &event, &fail),
	    0);
	buf_release(&text);
}

static void
test_members(void **state)
{
	struct buf buf = BUF_INIT(ROOM);

	(void)state;
	member_string(&buf, "a\"", "x\n\xff");
	member_integer(&buf, "b", -5);
	member_raw(&buf, "c", "{\"d\":1.0}", 9);
	assert_string_equal(buf.data,
	    "\"a\\\"\":\"x\\n\xef\xbf\xbd\",\"b\":-5,"
	    "\"c\":{\"d\":1.0}");
	buf_release(&buf);
}

/* ---- an event at its place ---- */

static char *
read_journal(const char *name)
{
	char *path = mem_print(FOLDER "/%s.ndjson", name);
	FILE *file = fopen(path, "r");
	struct buf text = BUF_INIT(ROOM);
	char piece[4096];
	size_t size;

	free(path);
	assert_non_null(file);
	while ((size = fread(piece, 1, sizeof(piece), file)) > 0)
		buf_add(&text, piece, size);
	(void)fclose(file);
	return buf_detach(&text, NULL);
}

static struct driver *
fold_to(const char *name, size_t count)
{
	struct driver *driver = driver_open();
	char *text = read_journal(name), *line = text, *end;
	size_t i;

	for (i = 0; i < count; i++, line = end + 1) {
		end = strchr(line, '\n');
		assert_non_null(end);
		assert_int_equal(driver_apply(driver, line,
				     (size_t)(end - line)),
		    0);
	}
	free(text);
	return driver;
}

#define RESULT(id) \
	"\"block\":{\"type\":\"tool_result\",\"tool_use_id\":\"" id \
	"\",\"content\":\"x\"},\"is_error\":false"
#define REPLY(turn, content) \
	"\"turn\":" turn ",\"content\":[" content \
	"],\"stop_reason\":\"tool_use\",\"usage\":{},\"nano_usd\":0"
#define USE(id) \
	"{\"type\":\"tool_use\",\"id\":\"" id "\",\"name\":\"N\"," \
	"\"input\":{}}"

/* JOURNAL's first EVENTS, then this one: it cannot come there. */
static void
test_misplaced(void **state)
{
	static const struct {
		const char *journal;
		size_t events;
		enum event_type type;
		const char *members;
	} cases[] = {
		{ "end-turn", 0, EVENT_STARTED,
		    "\"worker\":\"w\",\"fence\":1" },
		{ "end-turn", 0, EVENT_SUBMITTED, "\"task\":{}" },
		{ "end-turn", 1, EVENT_SUBMITTED, "\"task\":{}" },
		{ "end-turn", 1, EVENT_PINNED, "\"request\":{},\"tools\":[]" },
		{ "end-turn", 1, EVENT_PINNED,
		    "\"request\":{\"messages\":[]},\"tools\":[]" },
		{ "end-turn", 1, EVENT_PINNED,
		    "\"request\":{\"model\":\"m\"},\"tools\":[{}]" },
		{ "end-turn", 1, EVENT_PINNED,
		    "\"request\":{\"model\":\"m\"},"
		    "\"tools\":[{\"name\":\"n\",\"slug\":\"s\",\"toolkit\":"
		    "\"t\",\"version\":\"v\",\"on_unknown\":\"guess\"}]" },
		{ "end-turn", 2, EVENT_PINNED,
		    "\"request\":{\"model\":\"m\"},\"tools\":[]" },
		{ "end-turn", 2, EVENT_MODEL_STARTED,
		    "\"turn\":1,\"attempt\":1" },
		{ "end-turn", 2, EVENT_RELEASED,
		    "\"worker\":\"w\",\"reason\":\"r\"" },
		{ "end-turn", 3, EVENT_MODEL_REPLIED, REPLY("1", "") },
		{ "end-turn", 3, EVENT_MODEL_FAILED,
		    "\"turn\":1,\"attempt\":1,\"error\":{}" },
		{ "end-turn", 3, EVENT_MODEL_STARTED,
		    "\"turn\":2,\"attempt\":1" },
		{ "end-turn", 3, EVENT_MODEL_STARTED,
		    "\"turn\":1,\"attempt\":2" },
		{ "end-turn", 3, EVENT_USER_MESSAGE,
		    "\"content\":[],\"reason\":\"r\"" },
		{ "end-turn", 3, EVENT_SIGNAL, "\"signal\":\"explode\"" },
		{ "end-turn", 3, EVENT_SIGNAL, "\"signal\":\"approve\"" },
		{ "end-turn", 3, EVENT_WAITING,
		    "\"reason\":\"r\",\"until\":\"soon\"" },
		{ "end-turn", 4, EVENT_MODEL_STARTED,
		    "\"turn\":1,\"attempt\":2" },
		{ "end-turn", 4, EVENT_MODEL_FAILED,
		    "\"turn\":2,\"attempt\":1,\"error\":{}" },
		{ "end-turn", 4, EVENT_MODEL_FAILED,
		    "\"turn\":1,\"attempt\":2,\"error\":{}" },
		{ "end-turn", 4, EVENT_MODEL_REPLIED, REPLY("2", "") },
		{ "end-turn", 4, EVENT_MODEL_REPLIED, REPLY("1", "7") },
		{ "end-turn", 4, EVENT_MODEL_REPLIED,
		    REPLY("1", "{\"type\":\"tool_use\",\"name\":\"N\"}") },
		{ "end-turn", 4, EVENT_MODEL_REPLIED,
		    REPLY("1", USE("a") "," USE("b") "," USE("a")) },
		{ "end-turn", 4, EVENT_WAITING, "\"reason\":\"r\"" },
		{ "end-turn", 6, EVENT_SIGNAL, "\"signal\":\"cancel\"" },
		{ "end-turn", 6, EVENT_STARTED,
		    "\"worker\":\"w\",\"fence\":1" },
		{ "one-tool", 5, EVENT_TOOL_FINISHED,
		    "\"call\":\"t1\"," RESULT("t1") },
		{ "one-tool", 5, EVENT_TOOL_STARTED,
		    "\"call\":\"t9\",\"tool\":\"N\",\"attempt\":1" },
		{ "one-tool", 5, EVENT_TOOL_STARTED,
		    "\"call\":\"t1\",\"tool\":\"N\",\"attempt\":2" },
		{ "one-tool", 5, EVENT_TOOL_FAILED,
		    "\"call\":\"t1\","
		    "\"attempt\":1,\"error\":{},\"delay_ms\":1" },
		{ "one-tool", 6, EVENT_TOOL_STARTED,
		    "\"call\":\"t1\",\"tool\":\"N\",\"attempt\":2" },
		{ "one-tool", 6, EVENT_TOOL_FINISHED,
		    "\"call\":\"t9\"," RESULT("t9") },
		{ "one-tool", 6, EVENT_TOOL_FINISHED,
		    "\"call\":\"t1\"," RESULT("t9") },
		{ "one-tool", 6, EVENT_TOOL_FINISHED,
		    "\"call\":\"t1\",\"block\":{},\"is_error\":false" },
		{ "one-tool", 6, EVENT_TOOL_FAILED,
		    "\"call\":\"t1\","
		    "\"attempt\":2,\"error\":{},\"delay_ms\":1" },
		{ "one-tool", 6, EVENT_TOOL_FAILED,
		    "\"call\":\"t1\","
		    "\"attempt\":1,\"error\":{}" },
		{ "one-tool", 7, EVENT_TOOL_FINISHED,
		    "\"call\":\"t1\"," RESULT("t1") },
		{ "parallel", 6, EVENT_TOOL_FINISHED,
		    "\"call\":\"t3\"," RESULT("t3") },
		{ "parallel", 5, EVENT_TOOL_STARTED,
		    "\"call\":\"t3\",\"tool\":\"N\",\"attempt\":1" },
		{ "crash-tell", 9, EVENT_TOOL_FINISHED,
		    "\"call\":\"t1\"," RESULT("t1") },
		{ "cancel-call", 8, EVENT_CANCELLED, "\"reason\":\"r\"" },
	};
	struct driver *driver;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		driver = fold_to(cases[i].journal, cases[i].events);
		if (driver_record(driver, cases[i].type, cases[i].members) == 0)
			fail_msg("case %zu (%s after %zu of %s) is taken", i,
			    event_type_name(cases[i].type), cases[i].events,
			    cases[i].journal);
		assert_int_equal(driver->fail.kind, FAIL_NEVER);
		assert_string_equal(driver->fail.type, "invalid_journal");
		driver_close(driver);
	}
}

static void
test_gaps(void **state)
{
	static const unsigned seqs[] = { 1, 2, 4, 9 };
	struct driver *driver;
	char *line;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(seqs) / sizeof(*seqs); i++) {
		driver = fold_to("end-turn", 2);
		line = mem_print("{\"v\":1,\"seq\":%u," AT ",\"type\":"
				 "\"signal\",\"signal\":\"pause\"}",
		    seqs[i]);
		assert_int_equal(driver_apply(driver, line, strlen(line)), -1);
		assert_string_equal(driver->fail.type, "invalid_journal");
		free(line);
		driver_close(driver);
	}
}

/* ---- anything at all ---- */

static uint64_t random_state = 88172645463325252u;

static size_t
random_below(size_t limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (size_t)(random_state % limit);
}

/* The lines FIRST and SECOND change places, or one of them is left out or
 * doubled, and all are numbered anew: the order is wrong, the form is not. */
static char *
shuffle(const char *text, unsigned how, size_t first, size_t second)
{
	struct buf out = BUF_INIT(ROOM);
	const char *lines[128], *end;
	size_t lengths[128], count = 0, i, k, seq = 0, times;
	const char *rest;

	for (; (end = strchr(text, '\n')) && count < 128; text = end + 1) {
		lines[count] = text;
		lengths[count++] = (size_t)(end - text);
	}
	for (i = 0; i < count; i++) {
		k = how == 0 && i == first % count    ? second % count
		    : how == 0 && i == second % count ? first % count
						      : i;
		times = i != first % count || how == 0 ? 1 : how == 1 ? 0 : 2;
		while (times-- > 0) {
			rest = strstr(lines[k], ",\"at\"");
			buf_print(&out, "{\"v\":1,\"seq\":%zu", ++seq);
			buf_add(&out, rest,
			    lengths[k] - (size_t)(rest - lines[k]));
			buf_add(&out, "\n", 1);
		}
	}
	return buf_detach(&out, NULL);
}

static void
mangle(const char *text)
{
	static const char bytes[] = "{}[]\",:\\0-9eE.tfn\xff\x80\n u";
	size_t length = strlen(text), i, changes;
	char *copy;

	for (i = 0; i < 40; i++) {
		copy = mem_copy(text, length);
		for (changes = 1 + random_below(3); changes > 0; changes--)
			copy[random_below(length)] =
			    bytes[random_below(sizeof(bytes) - 1)];
		(void)LLVMFuzzerTestOneInput((const uint8_t *)copy, length);
		free(copy);
		(void)LLVMFuzzerTestOneInput((const uint8_t *)text,
		    random_below(length));
		copy = shuffle(text, (unsigned)random_below(3),
		    1 + random_below(30), 1 + random_below(30));
		(void)LLVMFuzzerTestOneInput((const uint8_t *)copy,
		    strlen(copy));
		free(copy);
	}
}

/* Any number or string of the events is changed for an extreme one. */
static void
exaggerate(const char *text)
{
	static const char *const values[] = { "0", "-1", "1e300",
		"9007199254740991", "-9007199254740992", "\"\"", "null", "[]",
		"{}", "\"9999-12-31T23:59:59.999Z\"",
		"\"0000-01-01T00:00:00Z\"", "\"t1\"", "true" };
	struct buf out = BUF_INIT(ROOM);
	const char *at = text, *end;
	size_t i;

	while ((at = strstr(at, "\":"))) {
		at += 2;
		end = at +
		    (*at == '"' ? 1 + strcspn(at + 1, "\"") + 1
				: strcspn(at, ",}]"));
		if (strchr("{[", *at))
			continue;
		for (i = 0; i < sizeof(values) / sizeof(*values); i++) {
			if (random_below(6))
				continue;
			buf_reset(&out);
			buf_add(&out, text, (size_t)(at - text));
			buf_add_string(&out, values[i]);
			buf_add_string(&out, end);
			(void)LLVMFuzzerTestOneInput((const uint8_t *)out.data,
			    out.length);
		}
	}
	buf_release(&out);
}

static void
test_anything(void **state)
{
	DIR *folder = opendir(FOLDER);
	const struct dirent *entry;
	char *name, *dot, *text;
	size_t count = 0;

	(void)state;
	assert_non_null(folder);
	while ((entry = readdir(folder))) {
		name = mem_string(entry->d_name);
		dot = strstr(name, ".ndjson");
		if (dot) {
			*dot = '\0';
			text = read_journal(name);
			(void)LLVMFuzzerTestOneInput((const uint8_t *)text,
			    strlen(text));
			mangle(text);
			exaggerate(text);
			free(text);
			count++;
		}
		free(name);
	}
	(void)closedir(folder);
	assert_true(count > 50);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_events_refused),
		cmocka_unit_test(test_write_and_read),
		cmocka_unit_test(test_large_and_deep),
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_misplaced),
		cmocka_unit_test(test_gaps),
		cmocka_unit_test(test_anything),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
