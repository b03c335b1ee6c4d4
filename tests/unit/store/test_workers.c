/* SPDX-License-Identifier: ISC */
/* Workers that join, die and leave, and what wakes them. */
#include "tests/unit/store/store_help.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* The lock file of a worker; the caller frees. */
static char *
lock_path(const struct store *store, const struct id *worker)
{
	char name[ID_TEXT];

	id_format(worker, name);
	return mem_print("%s/workers/%s", store_folder(store), name);
}

/* A child joins, leases one task and is killed. */
static struct id
dead_worker(struct setting *s)
{
	struct task_row row;
	struct id worker = id_new();
	int status;
	pid_t pid;

	store_close(s->store);
	s->store = NULL;
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		if (store_open(s->folder, STORE_WRITE, 0, &s->store, &s->fail) <
			0 ||
		    store_join(s->store, &worker, &s->fail) < 0 ||
		    store_begin(s->store, true, 0, &s->fail) < 0 ||
		    store_renew(s->store, &worker, clock_boot() + 60000,
			&s->fail) < 0 ||
		    store_lease(s->store, &worker, NULL, 0, NULL, &row, 1,
			&s->fail) != 1 ||
		    store_commit(s->store, &s->fail) < 0)
			_exit(1);
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	must(store_open(s->folder, STORE_WRITE, 0, &s->store, &s->fail));
	return worker;
}

static void
set_worker(struct setting *s, const struct id *worker, const char *boot,
    int64_t until)
{
	struct key key = key_task(worker);
	uint8_t bytes[WORKER_MAX];
	struct worker_row row;

	memset(&row, 0, sizeof(row));
	snprintf(row.boot, sizeof(row.boot), "%s", boot);
	row.until = until;
	must(table_put(s->store, TABLE_WORKERS, &key, bytes,
	    pack_worker(&row, bytes), &s->fail));
}

static void
test_orphans(void **state)
{
	struct setting *s = *state;
	struct id self, worker;
	struct task_row row, rows[4];
	struct store_depth depth;
	char boot[37], *path;
	int64_t now;

	begin(s);
	add_many(s, "ann", "default", 5, 4);
	commit(s);
	worker = dead_worker(s);
	self = add_worker(s);
	clock_boot_id(boot);
	now = clock_boot();

	/* A process that died is noticed though its time is not over. */
	begin(s);
	assert_int_equal(store_orphans(s->store, &self, now, rows, 4, &s->fail),
	    1);
	assert_true(same_id(&rows[0].worker, &worker));
	assert_int_equal(rows[0].state, TASK_RUNNING);
	/* A worker does not find its own tasks orphaned. */
	assert_int_equal(store_orphans(s->store, &worker, now, rows, 4,
			     &s->fail),
	    0);
	row = rows[0];
	row.state = TASK_QUEUED;
	must(store_put(s->store, &row, &s->fail));
	assert_int_equal(store_orphans(s->store, &self, now, rows, 4, &s->fail),
	    0);
	must(store_depth(s->store, NULL, 0, &depth, &s->fail));
	assert_int_equal(depth.workers, 1); /* the dead one is gone */
	commit(s);
	path = lock_path(s->store, &worker);
	assert_int_equal(access(path, F_OK), -1);
	free(path);

	/* A living one is dead when its time is over. */
	worker = add_worker(s);
	begin(s);
	assert_int_equal(store_lease(s->store, &worker, NULL, 0, NULL, rows, 2,
			     &s->fail),
	    2);
	assert_int_equal(store_orphans(s->store, &self, now, rows, 4, &s->fail),
	    0);
	set_worker(s, &worker, boot, now - 1);
	assert_int_equal(store_orphans(s->store, &self, now, rows, 4, &s->fail),
	    2);
	set_worker(s, &worker, boot, now + 60000);
	assert_int_equal(store_orphans(s->store, &self, now, rows, 4, &s->fail),
	    0);
	commit(s);
}

/* A boot clock that is not ours says nothing; the lock does. */
static void
test_foreign_boot(void **state)
{
	struct setting *s = *state;
	int64_t now = clock_boot(), until[] = { now + 60000, now - 1 };
	struct id self, worker, dead;
	struct store_depth depth;
	struct task_row rows[4];
	char *path;
	size_t i;

	begin(s);
	add_many(s, "ann", "default", 5, 3);
	commit(s);
	dead = dead_worker(s);
	self = add_worker(s);
	worker = add_worker(s);
	begin(s);
	assert_int_equal(store_lease(s->store, &worker, NULL, 0, NULL, rows, 2,
			     &s->fail),
	    2);
	set_worker(s, &dead, "another boot", now + 60000);
	for (i = 0; i < 2; i++) {
		set_worker(s, &worker, "another boot", until[i]);
		assert_int_equal(store_orphans(s->store, &self, now, rows, 4,
				     &s->fail),
		    1);
		assert_true(same_id(&rows[0].worker, &dead));
		must(store_depth(s->store, NULL, 0, &depth, &s->fail));
		assert_int_equal(depth.workers, 2);
	}
	path = lock_path(s->store, &worker);
	assert_int_equal(unlink(path), 0);
	free(path);
	assert_int_equal(store_orphans(s->store, &self, now, rows, 4, &s->fail),
	    3);
	commit(s);
}

static void
test_leave(void **state)
{
	struct setting *s = *state;
	struct id worker = add_worker(s), stranger = id_new();
	struct task_row row;
	char *path = lock_path(s->store, &worker);

	begin(s);
	add(s, "ann", "default", 5);
	assert_int_equal(store_lease(s->store, &stranger, NULL, 0, NULL, &row,
			     1, &s->fail),
	    -1);
	assert_string_equal(s->fail.type, "no_worker");
	assert_int_equal(store_lease(s->store, &worker, NULL, 0, NULL, &row, 1,
			     &s->fail),
	    1);
	assert_int_equal(store_leave(s->store, &worker, &s->fail), -1);
	assert_int_equal(access(path, F_OK), 0);
	row.state = TASK_QUEUED;
	must(store_put(s->store, &row, &s->fail));
	must(store_leave(s->store, &worker, &s->fail));
	commit(s);
	assert_int_equal(access(path, F_OK), -1);
	free(path);
}

/* Files that nobody holds go when the next worker joins. */
static void
test_old_files(void **state)
{
	struct setting *s = *state;
	struct id left = id_new(), living = add_worker(s);
	char *path = lock_path(s->store, &left);
	char *other = lock_path(s->store, &living);
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
	add_worker(s);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(access(other, F_OK), 0);
	free(path);
	free(other);
}

static void
test_wake(void **state)
{
	static const char *const names[][2] = {
		{ "default", "default" },
		{ "../x", "%2E%2E%2Fx" },
		{ "50%", "50%25" },
	};
	struct setting *s = *state;
	struct stat stat_;
	char path[PATH_MAX + 32];
	size_t i;

	for (i = 0; i < 3; i++) {
		store_wake(s->store, names[i][0]);
		store_wake(s->store, names[i][0]);
		snprintf(path, sizeof(path), "%s/wake/%s", s->folder,
		    names[i][1]);
		assert_int_equal(stat(path, &stat_), 0);
		assert_int_equal(stat_.st_size, 1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(orphans),
		TEST(foreign_boot),
		TEST(leave),
		TEST(old_files),
		TEST(wake),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("workers", tests, NULL, NULL);
}
