/* SPDX-License-Identifier: ISC */
/* The engine on a store that fails in the middle of an answer. */
#include "tests/unit/store/store_help.h"

#include "common/agent/config.h"
#include "common/store/engine.h"

#define EVENTS 150 /* more than the engine reads in one transaction */

struct reader {
	struct store *store;
	size_t seen, fail_after;
};

static int
see_event(void *context, struct span text)
{
	struct reader *reader = context;
	struct fail ignored;

	(void)text;
	/* A transaction in the way makes the engine's next one fail. */
	if (++reader->seen == reader->fail_after &&
	    store_begin(reader->store, false, 0, &ignored) < 0)
		return 2;
	return 0;
}

/* What cannot be read to its end is not given as the whole. */
static void
test_events_cut(void **state)
{
	struct setting *s = *state;
	struct config config;
	struct engine *engine;
	struct reader reader = { .fail_after = 1 };
	struct task_row row;
	char id[ID_TEXT];

	must(config_parse(NULL, 0, &config, &s->fail));
	begin(s);
	row = add(s, "ann", "q", 5);
	while (row.seq < EVENTS)
		must(store_append(s->store, &row.id, ++row.seq, "{}", 2,
		    &s->fail));
	must(store_put(s->store, &row, &s->fail));
	commit(s);
	id_format(&row.id, id);
	must(engine_lmdb_open(s->folder, ENGINE_READ, &config, &engine,
	    &s->fail));
	reader.store = engine_lmdb_store(engine);
	assert_int_equal(engine->ops->events(engine, id, 0, see_event, &reader,
			     &s->fail),
	    -1);
	assert_in_range(reader.seen, 1, EVENTS - 1);
	store_abort(reader.store);
	reader = (struct reader){ .fail_after = 0 };
	must(engine->ops->events(engine, id, 0, see_event, &reader, &s->fail));
	assert_int_equal(reader.seen, EVENTS);
	engine_close(engine);
	config_release(&config);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_events_cut, setup,
		    teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("store engine", tests, NULL, NULL);
}
