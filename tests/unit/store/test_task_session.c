/* SPDX-License-Identifier: ISC */
/*
 * One task's agent and its rows in a real store: they must say the same at
 * every commit.
 */
#include "tests/unit/store/store_help.h"

#include "common/agent/task_row.h"
#include "common/store/task_session.h"

#define TASK(more) \
	"\"task\":{\"user\":\"ann\",\"goal\":\"g\",\"toolkits\":[]," \
	"\"tools\":[],\"model\":\"m\",\"max_tokens\":100,\"queue\":\"q\"," \
	"\"priority\":5," more "\"budget\":{\"turns\":5}}"
#define PINS "\"request\":{\"model\":\"m\"},\"tools\":[]"
#define STARTED "\"worker\":\"w\",\"fence\":1"

static int64_t now;

/* A task as a submission leaves it, with a drive on it; the transaction is
 * open. */
static void
submit(struct setting *s, const char *task, int64_t due, struct drive *drive)
{
	struct task_row row = new_row("ann", "q", 5), existing;
	struct buf text = BUF_INIT(EVENT_MAX);

	now = clock_wall();
	begin(s);
	row.due = due;
	assert_int_equal(store_create(s->store, &row, &existing, &s->fail), 0);
	event_write(&text, 1, now, EVENT_SUBMITTED, task, strlen(task));
	must(store_append(s->store, &row.id, 1, text.data, text.length,
	    &s->fail));
	row.seq = 1;
	must(store_put(s->store, &row, &s->fail));
	buf_release(&text);
	memset(drive, 0, sizeof(*drive));
	must(drive_open(drive, s->store, &row, &s->fail));
}

static void
note(struct setting *s, struct drive *drive, enum event_type type,
    const char *members)
{
	must(drive_record(drive, s->store, now, type, members, strlen(members),
	    &s->fail));
}

static size_t
plan_and_save(struct setting *s, struct drive *drive)
{
	struct plan plan;
	size_t count;

	must(drive_plan(drive, s->store, now, &plan, &s->fail));
	count = plan.count;
	plan_release(&plan);
	must(drive_save(drive, s->store, now, &s->fail));
	return count;
}

static struct task_row
row_of(struct setting *s, const struct drive *drive)
{
	struct task_row row;

	must(store_get(s->store, &drive->row.id, &row, &s->fail));
	return row;
}

/* Paused before its time and resumed: it still begins not before its time. */
static void
test_not_before_survives_a_pause(void **state)
{
	struct setting *s = *state;
	int64_t later = clock_wall() + 3600000, due;
	struct drive drive;
	char text[CLOCK_TEXT], *task;

	clock_format(later, text);
	task = mem_print(TASK("\"not_before\":\"%s\","), text);
	submit(s, task, later, &drive);
	due = agent_task(drive.agent)->not_before;
	assert_true(due > now);
	note(s, &drive, EVENT_SIGNAL, "\"signal\":\"pause\"");
	assert_int_equal(plan_and_save(s, &drive), 0);
	assert_int_equal(row_of(s, &drive).state, TASK_WAITING);
	assert_int_equal(row_of(s, &drive).due, 0);
	assert_string_equal(row_of(s, &drive).reason, "paused");
	note(s, &drive, EVENT_SIGNAL, "\"signal\":\"resume\"");
	(void)plan_and_save(s, &drive);
	assert_int_equal(row_of(s, &drive).state, TASK_QUEUED);
	assert_int_equal(row_of(s, &drive).due, due);
	assert_string_equal(row_of(s, &drive).reason, "");
	commit(s);
	drive_close(&drive);
	free(task);
}

/* What is read from the store is what was folded as it was written, and a
 * signal that somebody else appended is folded once. */
static void
test_reread_and_catch_up(void **state)
{
	struct setting *s = *state;
	struct drive drive, other = { .agent = NULL },
			    again = { .agent = NULL };
	struct id worker = add_worker(s);
	struct store_limits limits = { 0, 0 };
	struct agent_summary summary;
	struct task_row row;
	char *one, *two;

	submit(s, TASK(""), 0, &drive);
	note(s, &drive, EVENT_PINNED, PINS);
	must(drive_save(&drive, s->store, now, &s->fail));
	assert_int_equal(store_lease(s->store, &worker, NULL, 0, &limits, &row,
			     1, &s->fail),
	    1);
	drive_close(&drive);
	must(drive_open(&drive, s->store, &row, &s->fail));
	note(s, &drive, EVENT_STARTED, STARTED);
	assert_int_equal(plan_and_save(s, &drive), 1);
	commit(s);

	begin(s);
	must(drive_open(&other, s->store, &row, &s->fail));
	must(drive_catch_up(&other, s->store, &s->fail));
	note(s, &other, EVENT_SIGNAL, "\"signal\":\"cancel\"");
	must(drive_save(&other, s->store, now, &s->fail));
	assert_int_equal(row_of(s, &other).state, TASK_RUNNING);
	commit(s);

	begin(s);
	must(drive_catch_up(&drive, s->store, &s->fail));
	must(drive_catch_up(&drive, s->store, &s->fail));
	agent_summary(drive.agent, &summary);
	assert_true(summary.cancel_asked);
	assert_int_equal(summary.seq, 4);
	assert_int_equal(plan_and_save(s, &drive), 0);
	row = row_of(s, &drive);
	assert_int_equal(row.state, TASK_CANCELLED);
	assert_int_equal(row.seq, 5);
	must(drive_open(&again, s->store, &row, &s->fail));
	commit(s);
	one = agent_dump(drive.agent);
	two = agent_dump(again.agent);
	assert_string_equal(one, two);
	free(one);
	free(two);
	drive_close(&drive);
	drive_close(&other);
	drive_close(&again);
}

/* An event that cannot come leaves nothing in the store. */
static void
test_refused_is_not_written(void **state)
{
	struct setting *s = *state;
	static const char members[] = "\"turn\":1,\"attempt\":1";
	struct drive drive;
	struct fail fail;

	submit(s, TASK(""), 0, &drive);
	commit(s);
	begin(s);
	assert_int_equal(drive_record(&drive, s->store, now,
			     EVENT_MODEL_STARTED, members, strlen(members),
			     &fail),
	    -1);
	assert_int_equal(fail.kind, FAIL_NEVER);
	assert_int_equal(drive.row.seq, 1);
	commit(s);
	begin(s);
	assert_int_equal(row_of(s, &drive).seq, 1);
	commit(s);
	drive_close(&drive);
}

static void
test_cut(void **state)
{
	static const struct {
		const char *text;
		size_t size;
		const char *want;
	} cases[] = {
		{ "", 4, "" },
		{ "abc", 4, "abc" },
		{ "abcd", 4, "abc" },
		{ "a\nb", 4, "a" },
		{ "a\r\nb", 4, "a" },
		{ "ab\xc3\xa9", 5, "ab\xc3\xa9" },
		{ "ab\xc3\xa9", 4, "ab" },
		{ "\xf0\x9f\x98\x80", 4, "" },
	};
	char target[8];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		memset(target, 'x', sizeof(target));
		row_cut(target, cases[i].size, cases[i].text);
		assert_string_equal(target, cases[i].want);
		assert_int_equal(target[cases[i].size], 'x');
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_not_before_survives_a_pause, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reread_and_catch_up, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_refused_is_not_written,
		    setup, teardown),
		cmocka_unit_test(test_cut),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("drive", tests, NULL, NULL);
}
