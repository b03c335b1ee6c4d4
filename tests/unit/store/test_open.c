/* SPDX-License-Identifier: ISC */
/* Opening a store, its lock and its map. */
#include "tests/unit/store/store_help.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void
test_open(void **state)
{
	struct setting *s = *state;
	struct store *store = NULL;
	char path[PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/none", s->folder);
	assert_int_equal(store_open(path, STORE_READ, 0, &store, &s->fail), -1);
	assert_string_equal(s->fail.type, "no_store");
	assert_int_equal(s->fail.kind, FAIL_NEVER);
	assert_int_equal(store_open(path, STORE_WRITE, 0, &store, &s->fail),
	    -1);
	assert_int_equal(access(path, F_OK), -1);
	snprintf(path, sizeof(path), "%s/a/b/c", s->folder);
	must(store_open(path, STORE_CREATE, 0, &store, &s->fail));
	assert_string_equal(store_folder(store), path);
	store_close(store);
	must(store_open(path, STORE_READ, 0, &store, &s->fail));
	assert_int_equal(store_begin(store, true, 0, &s->fail), -1);
	must(store_begin(store, false, 0, &s->fail));
	assert_int_equal(store_begin(store, false, 0, &s->fail), -1);
	store_close(store);
	snprintf(path, sizeof(path), "%s/lock", s->folder);
	assert_int_equal(store_open(path, STORE_CREATE, 0, &store, &s->fail),
	    -1);
}

static void
test_version(void **state)
{
	struct setting *s = *state;
	struct key key = key_name("version");
	struct store *store = NULL;
	static const uint8_t newer[4] = { 0, 0, 0, STORE_VERSION + 1 };
	static const uint8_t mine[4] = { 0, 0, 0, STORE_VERSION };

	must(store_open(s->folder, STORE_WRITE, 0, &store, &s->fail));
	must(store_begin(store, true, 0, &s->fail));
	must(table_put(store, TABLE_META, &key, newer, 4, &s->fail));
	must(store_commit(store, &s->fail));
	/* One that has it open notices too. */
	assert_int_equal(store_begin(s->store, true, 0, &s->fail), -1);
	assert_string_equal(s->fail.type, "store_version");
	store_close(s->store);
	s->store = NULL;
	assert_int_equal(store_open(s->folder, STORE_CREATE, 0, &s->store,
			     &s->fail),
	    -1);
	assert_string_equal(s->fail.type, "store_version");
	store_close(store);
	(void)mine;
}

static void
test_removed(void **state)
{
	struct setting *s = *state;
	char path[PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/data.mdb", s->folder);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(store_begin(s->store, true, 0, &s->fail), -1);
	assert_string_equal(s->fail.type, "no_store");
	store_close(s->store);
	s->store = NULL;
}

/* A second opening of the store, which waits for the lock for 300 ms. */
static struct store *
impatient(struct setting *s)
{
	struct store_tuning tuning = { 0, 300, false };
	struct store *store = NULL;

	must(store_open_tuned(s->folder, STORE_WRITE, 0, &tuning, &store,
	    &s->fail));
	return store;
}

static void
test_locked(void **state)
{
	struct setting *s = *state;
	struct store *store = impatient(s);
	struct sigaction action;
	sigset_t before, after;
	char self[32];
	int64_t start;
	int i;

	snprintf(self, sizeof(self), "process %d ", (int)getpid());
	sigemptyset(&before);
	sigaddset(&before, SIGTERM);
	sigprocmask(SIG_BLOCK, &before, NULL);
	sigprocmask(SIG_BLOCK, NULL, &before);

	begin(s);
	start = clock_boot();
	assert_int_equal(store_begin(store, false, 0, &s->fail), -1);
	assert_in_range(clock_boot() - start, 290, 3000);
	assert_string_equal(s->fail.type, "store_locked");
	assert_int_equal(s->fail.kind, FAIL_NOT_NOW);
	assert_non_null(strstr(s->fail.message, self));
	commit(s);

	/* Readers do not exclude each other, but a writer. */
	must(store_begin(s->store, false, 0, &s->fail));
	must(store_begin(store, false, 0, &s->fail));
	store_abort(store);
	assert_int_equal(store_begin(store, true, 0, &s->fail), -1);
	store_abort(s->store);
	must(store_begin(store, true, 0, &s->fail));
	store_close(store);

	sigprocmask(SIG_BLOCK, NULL, &after);
	for (i = 1; i < NSIG; i++)
		assert_int_equal(sigismember(&before, i),
		    sigismember(&after, i));
	sigaction(SIGRTMAX - 1, NULL, &action);
	assert_true(action.sa_handler == SIG_DFL);
}

static void
test_stopped(void **state)
{
	struct setting *s = *state;
	struct store *store = impatient(s);
	char self[32];
	int status;
	pid_t pid;

	store_close(s->store);
	s->store = NULL;
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		if (store_open(s->folder, STORE_WRITE, 0, &s->store, &s->fail) <
			0 ||
		    store_begin(s->store, true, 0, &s->fail) < 0)
			_exit(1);
		raise(SIGSTOP);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(store_begin(store, true, 0, &s->fail), -1);
	assert_string_equal(s->fail.type, "store_locked");
	snprintf(self, sizeof(self), "process %d ", (int)pid);
	assert_non_null(strstr(s->fail.message, self));
	assert_non_null(strstr(s->fail.message, "stopped"));
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	must(store_begin(store, true, 0, &s->fail));
	store_close(store);
	must(store_open(s->folder, STORE_WRITE, 0, &s->store, &s->fail));
}

static void
add_large(struct setting *s, struct store *store, size_t size, int count)
{
	struct task_row row, existing;
	char *text = mem_alloc(size);

	memset(text, 'x', size);
	while (count-- > 0) {
		row = new_row("ann", "default", 5);
		row.seq = 1;
		must(store_begin(store, true, size, &s->fail));
		assert_int_equal(store_create(store, &row, &existing, &s->fail),
		    0);
		must(store_append(store, &row.id, 1, text, size, &s->fail));
		must(store_commit(store, &s->fail));
	}
	free(text);
}

static void
test_growth(void **state)
{
	struct setting *s = *state;
	struct store *small = NULL;
	struct store_tuning tuning = { 65536, 0, false };
	struct store_depth depth;
	char path[PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/small", s->folder);
	store_close(s->store);
	s->store = NULL;
	must(
	    store_open_tuned(path, STORE_CREATE, 0, &tuning, &small, &s->fail));
	must(store_open(path, STORE_WRITE, 0, &s->store, &s->fail));
	/* Each of two openings has to follow what the other has made of the
	 * map, in reads and in writes. */
	add_large(s, small, 3 << 20, 10);
	must(store_begin(s->store, false, 0, &s->fail));
	must(store_depth(s->store, NULL, 0, &depth, &s->fail));
	assert_int_equal(depth.state[TASK_QUEUED], 10);
	store_abort(s->store);
	add_large(s, s->store, 30 << 20, 2);
	add_large(s, small, 100, 1);
	must(store_begin(small, false, 0, &s->fail));
	must(store_depth(small, NULL, 0, &depth, &s->fail));
	assert_int_equal(depth.state[TASK_QUEUED], 13);
	store_close(small);
}

/* A transaction that announces too little fails, and each next try has a map
 * of twice the size. */
static void
test_unforeseen(void **state)
{
	struct setting *s = *state;
	struct task_row row = new_row("ann", "default", 5), existing;
	size_t size = (size_t)60 << 20;
	char *text = mem_alloc(size);
	int tries;

	row.seq = 1;
	for (tries = 0; tries < 5; tries++) {
		begin(s);
		if (store_create(s->store, &row, &existing, &s->fail) == 0 &&
		    store_append(s->store, &row.id, 1, text, size, &s->fail) ==
			0 &&
		    store_commit(s->store, &s->fail) == 0)
			break;
		assert_string_equal(s->fail.type, "store_full");
		store_abort(s->store);
	}
	assert_in_range(tries, 1, 3);
	free(text);
}

static void
test_maximum(void **state)
{
	struct setting *s = *state;
	struct store *store = NULL;
	struct task_row row, existing;
	struct store_depth depth;
	char text[8192];
	int64_t count = 0;

	memset(text, 'x', sizeof(text));
	must(store_open(s->folder, STORE_WRITE, 1 << 20, &store, &s->fail));
	for (;;) {
		row = new_row("ann", "default", 5);
		row.seq = 1;
		must(store_begin(store, true, sizeof(text), &s->fail));
		if (store_create(store, &row, &existing, &s->fail) < 0 ||
		    store_append(store, &row.id, 1, text, sizeof(text),
			&s->fail) < 0)
			break;
		if (store_commit(store, &s->fail) < 0)
			break;
		assert_true(++count < 1000);
	}
	store_abort(store);
	assert_string_equal(s->fail.type, "store_full");
	assert_int_equal(s->fail.kind, FAIL_NOT_NOW);
	assert_non_null(strstr(s->fail.message, "1048576"));
	assert_true(count > 50);
	/* What was acknowledged is there, and reading goes on. */
	must(store_begin(store, false, 0, &s->fail));
	must(store_depth(store, NULL, 0, &depth, &s->fail));
	assert_int_equal(depth.state[TASK_QUEUED], count);
	store_close(store);
	/* Without the maximum there is room. */
	add_large(s, s->store, 1 << 20, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(open),
		TEST(version),
		TEST(removed),
		TEST(locked),
		TEST(stopped),
		TEST(growth),
		TEST(unforeseen),
		TEST(maximum),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("open", tests, NULL, NULL);
}
