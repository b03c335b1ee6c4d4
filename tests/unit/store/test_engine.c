/* SPDX-License-Identifier: ISC */
/* The engine on a store that fails in the middle of an answer. */
#include "tests/unit/store/store_help.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "common/agent/config.h"
#include "common/base/lock.h"
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

/* Adds a task with EVENTS events, and opens the engine. */
static struct engine *
open_engine(struct setting *s, struct task_row *row, char id[ID_TEXT])
{
	struct config config;
	struct engine *engine;

	must(config_parse(NULL, 0, &config, &s->fail));
	begin(s);
	*row = add(s, "ann", "q", 5);
	while (row->seq < EVENTS)
		must(store_append(s->store, &row->id, ++row->seq, "{}", 2,
		    &s->fail));
	must(store_put(s->store, row, &s->fail));
	commit(s);
	id_format(&row->id, id);
	must(engine_lmdb_open(s->folder, ENGINE_READ, &config, &engine,
	    &s->fail));
	config_release(&config);
	return engine;
}

/* What cannot be read to its end is not given as the whole. */
static void
test_events_cut(void **state)
{
	struct setting *s = *state;
	struct task_row row;
	char id[ID_TEXT];
	struct engine *engine = open_engine(s, &row, id);
	struct reader reader = { .fail_after = 1 };

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
}

/* Nor are events given, or copied, of which one is missing. */
static void
test_events_missing(void **state)
{
	static const uint64_t missing[] = { 1, 100, EVENTS };
	struct setting *s = *state;
	struct task_row row;
	char id[ID_TEXT], copy[PATH_MAX + 8];
	struct engine *engine = open_engine(s, &row, id);
	struct reader reader;
	struct key key;

	snprintf(copy, sizeof(copy), "%s/copy", s->folder);
	for (size_t i = 0; i < sizeof(missing) / sizeof(*missing); i++) {
		key = key_event(&row.id, missing[i]);
		begin(s);
		must(table_drop(s->store, TABLE_JOURNAL, &key, &s->fail));
		commit(s);
		reader = (struct reader){ .fail_after = 0 };
		assert_int_equal(engine->ops->events(engine, id, 0, see_event,
				     &reader, &s->fail),
		    -1);
		assert_string_equal(s->fail.type, "store_damaged");
		assert_true(reader.seen < missing[i]);
		assert_int_equal(store_backup(s->store, copy, &s->fail), -1);
		assert_string_equal(s->fail.type, "store_damaged");
		begin(s);
		must(table_put(s->store, TABLE_JOURNAL, &key, "{}", 2,
		    &s->fail));
		commit(s);
	}
	engine_close(engine);
}

/* A backup removes what a killed one has left, and nothing else. */
static void
test_backup_leftovers(void **state)
{
	static const char *const names[] = { "copy.killed", "copy.inwork",
		"copy.202611", "copied.killed" };
	struct setting *s = *state;
	char path[4][PATH_MAX + 32], copy[PATH_MAX + 32];
	int fds[4];

	for (size_t i = 0; i < 4; i++) {
		snprintf(path[i], sizeof(path[i]), "%s/%s", s->folder,
		    names[i]);
		assert_int_equal(mkdir(path[i], 0700), 0);
		snprintf(path[i], sizeof(path[i]), "%s/%s/%s", s->folder,
		    names[i], i == 2 ? "data.mdb" : "unfinished");
		fds[i] = open(path[i], O_RDWR | O_CREAT, 0600);
		assert_true(fds[i] >= 0);
	}
	must(lock_take(fds[1], true, 0, path[1], &s->fail));
	snprintf(copy, sizeof(copy), "%s/copy", s->folder);
	must(store_backup(s->store, copy, &s->fail));
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(access(path[i], F_OK), i == 0 ? -1 : 0);
		close(fds[i]);
		*strrchr(path[i], '/') = '\0';
		assert_int_equal(access(path[i], F_OK), i == 0 ? -1 : 0);
	}
	snprintf(copy, sizeof(copy), "%s/copy/unfinished", s->folder);
	assert_int_equal(access(copy, F_OK), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(events_cut),
		TEST(events_missing),
		TEST(backup_leftovers),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("store engine", tests, NULL, NULL);
}
