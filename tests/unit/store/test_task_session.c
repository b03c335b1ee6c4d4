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

/* A task as a submission leaves it, with a session on it; the transaction
 * is open. */
static void
submit(struct setting *s, const char *task, int64_t due,
    struct task_session *session)
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
	memset(session, 0, sizeof(*session));
	must(session_open(session, s->store, &row, &s->fail));
}

static void
note(struct setting *s, struct task_session *session, enum event_type type,
    const char *members)
{
	must(session_record(session, s->store, now, type, members,
	    strlen(members), &s->fail));
}

static size_t
plan_and_save(struct setting *s, struct task_session *session)
{
	struct plan plan;
	size_t count;

	must(session_plan(session, s->store, now, &plan, &s->fail));
	count = plan.count;
	plan_release(&plan);
	must(session_save(session, s->store, now, &s->fail));
	return count;
}

static struct task_row
row_of(struct setting *s, const struct task_session *session)
{
	struct task_row row;

	must(store_get(s->store, &session->row.id, &row, &s->fail));
	return row;
}

/* Paused before its time and resumed: it still begins not before its time. */
static void
test_not_before_survives_a_pause(void **state)
{
	struct setting *s = *state;
	int64_t later = clock_wall() + 3600000, due;
	struct task_session session;
	char text[CLOCK_TEXT], *task;

	clock_format(later, text);
	task = mem_print(TASK("\"not_before\":\"%s\","), text);
	submit(s, task, later, &session);
	due = agent_task(session.agent)->not_before;
	assert_true(due > now);
	note(s, &session, EVENT_SIGNAL, "\"signal\":\"pause\"");
	assert_int_equal(plan_and_save(s, &session), 0);
	assert_int_equal(row_of(s, &session).state, TASK_WAITING);
	assert_int_equal(row_of(s, &session).due, 0);
	assert_string_equal(row_of(s, &session).reason, "paused");
	note(s, &session, EVENT_SIGNAL, "\"signal\":\"resume\"");
	(void)plan_and_save(s, &session);
	assert_int_equal(row_of(s, &session).state, TASK_QUEUED);
	assert_int_equal(row_of(s, &session).due, due);
	assert_string_equal(row_of(s, &session).reason, "");
	commit(s);
	session_close(&session);
	free(task);
}

/* Reading the store gives the state that was folded while it was written, and
 * a signal that another program appended is folded once. */
static void
test_reread_and_catch_up(void **state)
{
	struct setting *s = *state;
	struct task_session session, other = { .agent = NULL },
				     again = { .agent = NULL };
	struct id worker = add_worker(s);
	struct store_limits limits = { 0, 0 };
	struct agent_summary summary;
	struct task_row row;
	char *one, *two;

	submit(s, TASK(""), 0, &session);
	note(s, &session, EVENT_PINNED, PINS);
	must(session_save(&session, s->store, now, &s->fail));
	assert_int_equal(store_lease(s->store, &worker, NULL, 0, &limits, &row,
			     1, &s->fail),
	    1);
	session_close(&session);
	must(session_open(&session, s->store, &row, &s->fail));
	note(s, &session, EVENT_STARTED, STARTED);
	assert_int_equal(plan_and_save(s, &session), 1);
	commit(s);

	begin(s);
	must(session_open(&other, s->store, &row, &s->fail));
	must(session_catch_up(&other, s->store, &s->fail));
	note(s, &other, EVENT_SIGNAL, "\"signal\":\"cancel\"");
	must(session_save(&other, s->store, now, &s->fail));
	assert_int_equal(row_of(s, &other).state, TASK_RUNNING);
	commit(s);

	begin(s);
	must(session_catch_up(&session, s->store, &s->fail));
	must(session_catch_up(&session, s->store, &s->fail));
	agent_summary(session.agent, &summary);
	assert_true(summary.cancel_asked);
	assert_int_equal(summary.seq, 4);
	assert_int_equal(plan_and_save(s, &session), 0);
	row = row_of(s, &session);
	assert_int_equal(row.state, TASK_CANCELLED);
	assert_int_equal(row.seq, 5);
	must(session_open(&again, s->store, &row, &s->fail));
	commit(s);
	one = agent_dump(session.agent);
	two = agent_dump(again.agent);
	assert_string_equal(one, two);
	free(one);
	free(two);
	session_close(&session);
	session_close(&other);
	session_close(&again);
}

/* An event that cannot come leaves nothing in the store. */
static void
test_refused_is_not_written(void **state)
{
	struct setting *s = *state;
	static const char members[] = "\"turn\":1,\"attempt\":1";
	struct task_session session;
	struct fail fail;

	submit(s, TASK(""), 0, &session);
	commit(s);
	begin(s);
	assert_int_equal(session_record(&session, s->store, now,
			     EVENT_MODEL_STARTED, members, strlen(members),
			     &fail),
	    -1);
	assert_int_equal(fail.kind, FAIL_NEVER);
	assert_int_equal(session.row.seq, 1);
	commit(s);
	begin(s);
	assert_int_equal(row_of(s, &session).seq, 1);
	commit(s);
	session_close(&session);
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
	return cmocka_run_group_tests_name("task_session", tests, NULL, NULL);
}
