/* SPDX-License-Identifier: ISC */
/* A key that is exchanged while the program runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/provider/key.h"

static char path[] = "/tmp/key-test.XXXXXX";

/* As an editor, and as a mounted secret: the file is another one. */
static void
put(const char *text)
{
	char other[sizeof(path) + 4];
	FILE *file;

	(void)snprintf(other, sizeof(other), "%s.new", path);
	file = fopen(other, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(rename(other, path), 0);
}

static void
test_none(void **state)
{
	struct fail fail;
	struct key key;

	(void)state;
	unsetenv("SOME_KEY_FILE");
	assert_int_equal(key_open(&key, "SOME_KEY", "key: ", &fail), 0);
	assert_null(key.header);
	assert_false(key_renewed(&key));
	key_release(&key);
	setenv("SOME_KEY", "abc", 1);
	assert_int_equal(key_open(&key, "SOME_KEY", "key: ", &fail), 0);
	assert_string_equal(key.header, "key: abc");
	assert_false(key_renewed(&key));
	key_release(&key);
	unsetenv("SOME_KEY");
}

static void
test_exchanged(void **state)
{
	struct fail fail;
	struct key key;
	unsigned version;

	(void)state;
	setenv("SOME_KEY_FILE", path, 1);
	put("one\n");
	assert_int_equal(key_open(&key, "SOME_KEY", "key: ", &fail), 0);
	assert_string_equal(key.header, "key: one");
	version = key.version;
	assert_false(key_renewed(&key));
	put("one\n"); /* the same again */
	assert_false(key_renewed(&key));
	assert_int_equal(key.version, version);
	put("two\n");
	assert_true(key_renewed(&key));
	assert_string_equal(key.header, "key: two");
	assert_int_equal(key.version, version + 1);
	assert_false(key_renewed(&key));

	/* what is not a key leaves the old one */
	put("");
	assert_false(key_renewed(&key));
	put("REPLACE-ME");
	assert_false(key_renewed(&key));
	unlink(path);
	assert_false(key_renewed(&key));
	assert_string_equal(key.header, "key: two");
	put("three");
	assert_true(key_renewed(&key));
	assert_string_equal(key.header, "key: three");
	key_release(&key);
	assert_null(key.header);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_exchanged),
	};
	int fd = mkstemp(path), result;

	if (fd < 0)
		return 1;
	close(fd);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	result = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return result;
}
