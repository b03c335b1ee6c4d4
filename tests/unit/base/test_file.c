/* SPDX-License-Identifier: ISC */
/*
 * file and log: what goes through descriptors.
 */
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/json/json.h"
#include "common/json/log.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static char folder[] = "/tmp/agent-unit.XXXXXX";

static char *
path_of(const char *name)
{
	return mem_print("%s/%s", folder, name);
}

static void
test_file_replace(void **state)
{
	char *path = path_of("replaced"), *missing = path_of("no/such");
	struct buf buf = BUF_INIT(100);
	struct stat status;
	struct fail fail;

	(void)state;
	assert_int_equal(file_replace(path, "one", 3, &fail), 0);
	assert_int_equal(file_replace(path, "a\0b", 3, &fail), 0);
	assert_int_equal(file_read(path, &buf, &fail), 0);
	assert_int_equal(buf.length, 3);
	assert_memory_equal(buf.data, "a\0b", 3);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(file_replace(missing, "x", 1, &fail), -1);
	assert_non_null(strstr(fail.message, missing));
	buf_release(&buf);
	free(missing);
	free(path);
}

static void
test_file_read(void **state)
{
	char *path = path_of("read"), *missing = path_of("missing");
	struct buf buf = BUF_INIT(100000), small = BUF_INIT(99999);
	struct fail fail;
	char *bytes;

	(void)state;
	bytes = mem_alloc(100000);
	memset(bytes, 'x', 100000);
	assert_int_equal(file_replace(path, bytes, 100000, &fail), 0);
	assert_int_equal(file_read(path, &buf, &fail), 0);
	assert_int_equal(buf.length, 100000);
	assert_memory_equal(buf.data, bytes, 100000);
	assert_int_equal(file_read(path, &small, &fail), -1);
	assert_int_equal(fail.kind, FAIL_NEVER);
	assert_string_equal(fail.type, "too_large");
	assert_int_equal(file_read(missing, &small, &fail), -1);
	assert_int_equal(fail.kind, FAIL_NEVER);
	assert_string_equal(fail.type, "no_file");
	assert_int_equal(file_read(folder, &small, &fail), -1);
	assert_string_equal(fail.type, "no_file");
	buf_release(&buf);
	buf_release(&small);
	free(bytes);
	free(path);
	free(missing);
}

static void
test_file_read_standard_input(void **state)
{
	struct buf buf = BUF_INIT(100);
	int ends[2], old = dup(STDIN_FILENO);
	struct fail fail;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "hello", 5), 5);
	close(ends[1]);
	dup2(ends[0], STDIN_FILENO);
	close(ends[0]);
	assert_int_equal(file_read("-", &buf, &fail), 0);
	assert_string_equal(buf.data, "hello");
	buf_release(&buf);
	dup2(old, STDIN_FILENO);
	close(old);
}

static void *
drain(void *context)
{
	char piece[4096];
	size_t total = 0;
	ssize_t got;

	while ((got = read(*(int *)context, piece, sizeof piece)) > 0)
		total += (size_t)got;
	return (void *)total;
}

/* More than a pipe holds, through a descriptor that does not block. */
static void
test_file_write(void **state)
{
	struct fail fail;
	pthread_t reader;
	size_t size = 300000;
	char *bytes = mem_alloc(size);
	void *total = NULL;
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(pthread_create(&reader, NULL, drain, ends), 0);
	assert_int_equal(file_write(ends[1], bytes, size, "pipe", &fail), 0);
	close(ends[1]);
	assert_int_equal(pthread_join(reader, &total), 0);
	assert_int_equal((size_t)total, size);
	close(ends[0]);
	free(bytes);
}

static void
test_file_write_fails(void **state)
{
	struct fail fail;
	int ends[2], full;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe(ends), 0);
	close(ends[0]);
	assert_int_equal(file_write(ends[1], "x", 1, "the pipe", &fail), -1);
	assert_non_null(strstr(fail.message, "the pipe"));
	close(ends[1]);
	signal(SIGPIPE, SIG_DFL);
	full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	assert_true(full >= 0);
	assert_int_equal(file_write(full, "x", 1, "/dev/full", &fail), -1);
	assert_string_equal(fail.type, "disk_full");
	assert_int_equal(fail.kind, FAIL_NOT_NOW);
	close(full);
}

static void
test_file_make_folder(void **state)
{
	char *deep = path_of("a//b/c/"), *middle = path_of("a/b");
	char *file = path_of("f"), *below = path_of("f/g");
	struct stat status;
	struct fail fail;

	(void)state;
	assert_int_equal(file_make_folder(deep, &fail), 0);
	assert_int_equal(file_make_folder(deep, &fail), 0);
	assert_int_equal(stat(middle, &status), 0);
	assert_true(S_ISDIR(status.st_mode));
	assert_int_equal(status.st_mode & 07777, 0700);
	assert_int_equal(file_replace(file, "", 0, &fail), 0);
	assert_int_equal(file_make_folder(file, &fail), -1);
	assert_string_equal(fail.type, "no_folder");
	assert_int_equal(file_make_folder(below, &fail), -1);
	assert_string_equal(fail.type, "no_folder");
	assert_int_equal(file_make_folder("", &fail), -1);
	assert_int_equal(file_make_folder("/", &fail), 0);
	free(deep);
	free(middle);
	free(file);
	free(below);
}

/* The contents of the file that TEST_SECRET_FILE names, and the result. */
static void
test_file_secret_file(void **state)
{
	static const struct {
		const char *content, *secret; /* NULL: refused */
	} cases[] = {
		{ "sk-1234567890", "sk-1234567890" },
		{ "sk-1234567890\n", "sk-1234567890" },
		{ "sk-1234567890\r\n", "sk-1234567890" },
		{ "sk-1234567890\n\n", NULL },
		{ "sk-1234\n567890", NULL },
		{ "sk-1234\t567890", NULL },
		{ "", NULL },
		{ "\n", NULL },
		{ "REPLACE-ME", NULL },
		{ "REPLACE-ME by 1234567890\n", NULL },
		{ "REPLACE-M", "REPLACE-M" },
	};
	char *path = path_of("secret"), *secret = NULL;
	struct fail fail;
	size_t i;

	(void)state;
	setenv("TEST_SECRET_FILE", path, 1);
	setenv("TEST_SECRET", "", 1);
	for (i = 0; i < COUNT(cases); i++) {
		assert_int_equal(file_replace(path, cases[i].content,
				     strlen(cases[i].content), &fail),
		    0);
		if (cases[i].secret) {
			assert_int_equal(file_secret("TEST_SECRET", &secret,
					     &fail),
			    0);
			assert_string_equal(secret, cases[i].secret);
			free(secret);
			continue;
		}
		assert_int_equal(file_secret("TEST_SECRET", &secret, &fail),
		    -1);
		assert_int_equal(fail.kind, FAIL_NEVER);
		assert_string_equal(fail.type, "bad_secret");
		assert_null(strstr(fail.message, "1234"));
		assert_null(strstr(fail.message, "567890"));
		assert_non_null(strstr(fail.message, "TEST_SECRET_FILE"));
	}
	unlink(path);
	assert_int_equal(file_secret("TEST_SECRET", &secret, &fail), -1);
	assert_string_equal(fail.type, "no_file");
	unsetenv("TEST_SECRET_FILE");
	free(path);
}

static void
test_file_secret_environment(void **state)
{
	struct fail fail;
	char *secret = NULL;

	(void)state;
	unsetenv("TEST_SECRET");
	assert_int_equal(file_secret("TEST_SECRET", &secret, &fail), 0);
	assert_null(secret);
	setenv("TEST_SECRET_FILE", "/nonexistent", 1);
	setenv("TEST_SECRET", "from the environment", 1);
	assert_int_equal(file_secret("TEST_SECRET", &secret, &fail), 0);
	assert_string_equal(secret, "from the environment");
	free(secret);
	setenv("TEST_SECRET", "abc\ndef", 1);
	assert_int_equal(file_secret("TEST_SECRET", &secret, &fail), -1);
	assert_string_equal(fail.type, "bad_secret");
	assert_null(strstr(fail.message, "abc"));
	unsetenv("TEST_SECRET");
	unsetenv("TEST_SECRET_FILE");
}

static int
redirect_stderr(int ends[2])
{
	int old = dup(STDERR_FILENO);

	assert_true(old >= 0);
	assert_int_equal(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	return old;
}

static void
restore_stderr(int old)
{
	dup2(old, STDERR_FILENO);
	close(old);
}

static void
test_log(void **state)
{
	char long_text[9000], line[PIPE_BUF + 1];
	struct fail fail;
	int ends[2], old = redirect_stderr(ends);
	cJSON *value;
	ssize_t got;

	(void)state;
	log_line("debug", "not.shown", NULL);
	log_line("info", "an.event", "text", "a\"\n\xff", "none", NULL, "n#",
	    "12", NULL);
	got = read(ends[0], line, sizeof line - 1);
	restore_stderr(old);
	assert_true(got > 0);
	line[got] = '\0';
	assert_ptr_equal(strchr(line, '\n'), line + got - 1);
	assert_non_null(strstr(line,
	    "\"level\":\"info\",\"event\":\"an.event\","
	    "\"text\":\"a\\\"\\n\xef\xbf\xbd\",\"n\":12}\n"));

	memset(long_text, '\1', sizeof long_text);
	long_text[sizeof long_text - 1] = '\0';
	close(ends[0]);
	old = redirect_stderr(ends);
	log_verbose(true);
	log_line("debug", "long", "a", long_text, "b", long_text, "n#", "1",
	    NULL);
	log_verbose(false);
	got = read(ends[0], line, sizeof line - 1);
	restore_stderr(old);
	close(ends[0]);
	assert_in_range(got, 1, PIPE_BUF);
	value = json_parse(line, (size_t)got, &json_limits_upstream, &fail);
	assert_non_null(value);
	assert_string_equal(json_string(value, "event"), "long");
	cJSON_Delete(value);
}

/* A pipe that nobody empties or reads neither stops nor ends us. */
static void
test_log_blocked(void **state)
{
	char piece[65536], *line;
	int ends[2], old = redirect_stderr(ends), i;
	ssize_t got, all = 0;

	(void)state;
	for (i = 0; i < 5000; i++)
		log_line("info", "an.event.to.fill.the.pipe", NULL);
	while (all < 60000 && (got = read(ends[0], piece, 4096)) > 0)
		all += got;
	log_line("info", "last", NULL);
	close(STDERR_FILENO);
	all = 0;
	while ((got = read(ends[0], piece + all,
		    sizeof piece - 1 - (size_t)all)) > 0)
		all += got;
	restore_stderr(old);
	close(ends[0]);
	piece[all] = '\0';
	line = strstr(piece, "\"last\",\"dropped_lines\":");
	assert_non_null(line);
	assert_true(strtol(line + 23, NULL, 10) > 1000);

	old = redirect_stderr(ends);
	close(ends[0]);
	log_line("info", "nobody.reads", NULL);
	close(STDERR_FILENO);
	log_line("info", "closed", NULL);
	restore_stderr(old);
}

static int
make_scratch(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int
remove_scratch(void **state)
{
	char *command = mem_print("rm -rf '%s'", folder);
	int result = system(command);

	(void)state;
	free(command);
	return result;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file_replace),
		cmocka_unit_test(test_file_read),
		cmocka_unit_test(test_file_read_standard_input),
		cmocka_unit_test(test_file_write),
		cmocka_unit_test(test_file_write_fails),
		cmocka_unit_test(test_file_make_folder),
		cmocka_unit_test(test_file_secret_file),
		cmocka_unit_test(test_file_secret_environment),
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_log_blocked),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("file", tests, make_scratch,
	    remove_scratch);
}
