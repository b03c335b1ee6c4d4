/* SPDX-License-Identifier: ISC */
/*
 * store_help: what the tests of the store share. Everything is static: the
 * helpers are linked into nothing.
 */
#ifndef TESTS_UNIT_STORE_STORE_HELP_H
#define TESTS_UNIT_STORE_STORE_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <ftw.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/store/admin.h"
#include "common/store/internal.h"
#include "common/store/numbers.h"

#define UNUSED __attribute__((unused))

struct setting {
	char folder[PATH_MAX];
	struct store *store;
	struct fail fail;
	int faults;
	char sentence[4096]; /* all faults of the last verify, a line each */
};

#define must(call) \
	do { \
		if ((call) < 0) \
			fail_msg("%s: %s", #call, s->fail.message); \
	} while (0)

static int UNUSED
remove_entry(const char *path, const struct stat *stat, int type,
    struct FTW *walk)
{
	(void)stat;
	(void)type;
	(void)walk;
	return remove(path);
}

static int UNUSED
setup(void **state)
{
	struct setting *s = mem_alloc(sizeof(*s));
	const char *folder = getenv("TMPDIR");

	snprintf(s->folder, sizeof(s->folder), "%s/store-test.XXXXXX",
	    folder ? folder : "/tmp");
	if (!mkdtemp(s->folder))
		return -1;
	must(store_open(s->folder, STORE_CREATE, 0, &s->store, &s->fail));
	*state = s;
	return 0;
}

static void UNUSED
note_fault(void *context, const char *sentence)
{
	struct setting *s = context;
	size_t length = strlen(s->sentence);

	s->faults++;
	snprintf(s->sentence + length, sizeof(s->sentence) - length, "%s\n",
	    sentence);
}

static int UNUSED
verify(struct setting *s)
{
	int result;

	s->faults = 0;
	s->sentence[0] = '\0';
	result = store_verify(s->store, NULL, note_fault, s, &s->fail);
	if (result < 0)
		fail_msg("verify: %s", s->fail.message);
	assert_int_equal(result, s->faults);
	return result;
}

static int UNUSED
teardown(void **state)
{
	struct setting *s = *state;
	int faults = 0;

	if (s->store) {
		store_abort(s->store);
		if (verify(s) > 0) {
			print_error("after the test:\n%s", s->sentence);
			faults = -1;
		}
		store_close(s->store);
	}
	nftw(s->folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	free(s);
	return faults;
}

static void UNUSED
begin(struct setting *s)
{
	must(store_begin(s->store, true, 0, &s->fail));
}

static void UNUSED
commit(struct setting *s)
{
	must(store_commit(s->store, &s->fail));
}

/* A new row, not in the store. */
static struct task_row UNUSED
new_row(const char *user, const char *queue, int priority)
{
	struct task_row row;

	memset(&row, 0, sizeof(row));
	row.id = id_new();
	row.priority = (uint8_t)priority;
	snprintf(row.user, sizeof(row.user), "%s", user);
	snprintf(row.queue, sizeof(row.queue), "%s", queue);
	snprintf(row.title, sizeof(row.title), "of %s", user);
	row.created_at = row.updated_at = clock_wall();
	return row;
}

/* The same with an event, in a transaction that is open. */
static struct task_row UNUSED
add(struct setting *s, const char *user, const char *queue, int priority)
{
	struct task_row row = new_row(user, queue, priority), existing;

	row.seq = 1;
	assert_int_equal(store_create(s->store, &row, &existing, &s->fail), 0);
	must(store_append(s->store, &row.id, 1, "{}", 2, &s->fail));
	return row;
}

static void UNUSED
add_many(struct setting *s, const char *user, const char *queue, int priority,
    int count)
{
	while (count-- > 0)
		add(s, user, queue, priority);
}

static bool UNUSED
same_id(const struct id *a, const struct id *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static struct task_row UNUSED
get(struct setting *s, const struct id *id)
{
	struct task_row row;

	must(store_get(s->store, id, &row, &s->fail));
	return row;
}

static struct id UNUSED
add_worker(struct setting *s)
{
	struct id worker = id_new();

	must(store_join(s->store, &worker, &s->fail));
	begin(s);
	must(store_renew(s->store, &worker, clock_boot() + 60000, &s->fail));
	commit(s);
	return worker;
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

#endif
