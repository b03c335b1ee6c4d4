/* SPDX-License-Identifier: ISC */
/*
 * A worker's task in a real store, and outcomes that the fold does not take: each
 * becomes an attempt that failed, and ends neither the task nor the worker.
 */
#include "tests/unit/store/store_help.h"

#include "common/agent/config.h"
#include "common/store/worker_internal.h"

#define TASK \
	"\"task\":{\"user\":\"ann\",\"goal\":\"g\",\"toolkits\":[]," \
	"\"tools\":[],\"model\":\"m\",\"max_tokens\":100,\"queue\":\"q\"," \
	"\"priority\":5,\"budget\":{\"turns\":5}}"
#define PINS \
	"\"request\":{\"model\":\"m\"},\"tools\":[{\"name\":\"SEND\"," \
	"\"slug\":\"SEND\",\"toolkit\":\"t\",\"version\":\"1\"," \
	"\"repeatable\":false,\"on_unknown\":\"tell\"}]"
#define REPLY(content) \
	"\"content\":[" content "],\"stop_reason\":\"tool_use\",\"usage\":" \
	"{\"input\":10,\"output\":3},\"nano_usd\":5"
#define CALL \
	"{\"type\":\"tool_use\",\"id\":\"a\",\"name\":\"SEND\",\"input\":{}}"
#define BLOCK(id) \
	"\"call\":\"a\",\"attempt\":1,\"block\":{\"type\":\"tool_result\"," \
	"\"tool_use_id\":\"" id "\",\"content\":\"x\"},\"is_error\":false"

static int64_t now;

static void
append(struct setting *s, struct task_row *row, enum event_type type,
    const char *members)
{
	struct buf text = BUF_INIT(EVENT_MAX);

	event_write(&text, ++row->seq, now, type, members, strlen(members));
	must(store_append(s->store, &row->id, row->seq, text.data, text.length,
	    &s->fail));
	buf_release(&text);
}

/* A task that OWN has leased. */
static struct run *
begin_task(struct setting *s, struct worker *own, const struct config *config)
{
	struct task_row row = new_row("ann", "q", 5), existing;
	struct store_limits limits = { 0, 0 };
	struct run *run;

	now = clock_wall();
	own->store = s->store;
	own->config = config;
	own->id = add_worker(s);
	id_format(&own->id, own->name);
	must(loop_open(&own->loop, &s->fail));
	begin(s);
	assert_int_equal(store_create(s->store, &row, &existing, &s->fail), 0);
	append(s, &row, EVENT_SUBMITTED, TASK);
	append(s, &row, EVENT_PINNED, PINS);
	must(store_put(s->store, &row, &s->fail));
	assert_int_equal(store_lease(s->store, &own->id, NULL, 0, &limits, &row,
			     1, &s->fail),
	    1);
	must(run_open(own, &row, now, &run, &s->fail));
	must(run_advance(run, now, &s->fail));
	return run;
}

static int
bring(struct setting *s, struct run *run, enum event_type type,
    const char *members)
{
	struct fact *fact;

	run->facts = mem_grow(run->facts, run->fact_count + 1,
	    sizeof(*run->facts));
	fact = &run->facts[run->fact_count++];
	*fact = (struct fact){ .type = type, .members = BUF_INIT(EVENT_MAX) };
	buf_add_string(&fact->members, members);
	return run_advance(run, now, &s->fail);
}

static int
take_event(void *context, uint64_t seq, struct span text, struct fail *fail)
{
	struct buf *journal = context;

	(void)seq;
	(void)fail;
	buf_add(journal, text.at, text.length);
	buf_add_string(journal, "\n");
	return 0;
}

static void
assert_journal(struct setting *s, const struct run *run, const char *part)
{
	struct buf journal = BUF_INIT(EVENT_MAX);

	must(store_read(s->store, &run->session.row.id, 0, take_event, &journal,
	    &s->fail));
	if (!strstr(journal.data, part))
		fail_msg("%s is not in\n%s", part, journal.data);
	buf_release(&journal);
}

static void
test_outcome_not_taken(void **state)
{
	struct setting *s = *state;
	struct worker own = { .dirty = false };
	struct agent_summary summary;
	struct config config;
	struct run *run;

	must(config_parse("", 0, &config, &s->fail));
	run = begin_task(s, &own, &config);
	must(bring(s, run, EVENT_MODEL_REPLIED,
	    "\"turn\":1,\"attempt\":1," REPLY("{\"text\":\"of no type\"}")));
	assert_journal(s, run,
	    "\"type\":\"model.failed\",\"turn\":1,\"attempt\":1,"
	    "\"usage\":{\"input\":10,\"output\":3},\"nano_usd\":5,"
	    "\"error\":{\"type\":\"invalid_outcome\"");
	agent_summary(run->session.agent, &summary);
	assert_int_equal(summary.state, TASK_RUNNING);
	assert_int_equal(summary.nano_usd, 5);
	now += 60000; /* the next attempt */
	must(run_advance(run, now, &s->fail));
	must(bring(s, run, EVENT_MODEL_REPLIED,
	    "\"turn\":1,\"attempt\":2," REPLY(CALL)));
	must(bring(s, run, EVENT_TOOL_FINISHED, BLOCK("another")));
	assert_journal(s, run,
	    "\"type\":\"tool.unknown\",\"call\":\"a\",\"attempt\":1,"
	    "\"error\":{\"type\":\"invalid_outcome\"");
	agent_summary(run->session.agent, &summary);
	assert_int_equal(summary.calls_unknown, 1);
	store_abort(s->store);
	run_close(run);
	loop_close(own.loop);
	config_release(&config);
}

/* Nothing stands for such an outcome: the worker sets the task aside. */
static void
test_set_aside(void **state)
{
	struct setting *s = *state;
	struct worker own = { .dirty = false };
	struct config config;
	struct run *run;

	must(config_parse("", 0, &config, &s->fail));
	run = begin_task(s, &own, &config);
	assert_int_equal(bring(s, run, EVENT_TOOL_FAILED,
			     "\"call\":\"none\",\"attempt\":1,\"error\":{}"),
	    -1);
	assert_int_equal(s->fail.kind, FAIL_NEVER);
	must(worker_park(&own, &run->session.row, now, &s->fail, &s->fail));
	assert_int_equal(get(s, &run->session.row.id).state, TASK_WAITING);
	store_abort(s->store);
	run_close(run);
	loop_close(own.loop);
	config_release(&config);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(outcome_not_taken),
		TEST(set_aside),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("worker_run", tests, NULL, NULL);
}
