/* SPDX-License-Identifier: ISC */
/* Secrets struck out of what services say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/base/secret.h"

static const struct {
	const char *text, *struck;
} cases[] = {
	{ "", "" },
	{ "nothing here", "nothing here" },
	{ "sk-one-4711", "[secret]" },
	{ "invalid key Bearer sk-one-4711.", "invalid key Bearer [secret]." },
	{ "sk-one-4711sk-one-4711", "[secret][secret]" },
	{ "sk-one-471", "sk-one-471" },
	{ "<sk-one-4711> 12345678 <a/b+c=\"d\\e>",
	    "<[secret]> [secret] <[secret]>" },
	/* as JSON's writers escape it */
	{ "{\"a\":\"a/b+c=\\\"d\\\\e\"}", "{\"a\":\"[secret]\"}" },
	{ "a\\/b+c=\\\"d\\\\e", "[secret]" },
	{ "\\u0061/b\\u002Bc\\u003d\\u0022d\\u005ce.", "[secret]." },
	{ "\\\\ a\\/b+c=\\\"d\\\\", "\\\\ a\\/b+c=\\\"d\\\\" },
	{ "a/b\\u00", "a/b\\u00" },
	{ "\\", "\\" },
	/* shorter than a secret is searched for */
	{ "1234567", "1234567" },
};

static void
test_strike(void **state)
{
	static const char *const secrets[] = { "sk-one-4711", "1234567",
		"12345678", "a/b+c=\"d\\e" };
	char *text, *secret;
	struct fail fail;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
		setenv("SOME_SECRET", secrets[i], 1);
		assert_int_equal(file_secret("SOME_SECRET", &secret, &fail), 0);
		assert_string_equal(secret, secrets[i]);
		free(secret);
	}
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		text = mem_string(cases[i].text);
		assert_int_equal(secret_strike(text, strlen(text)),
		    strlen(cases[i].struck));
		assert_string_equal(text, cases[i].struck);
		free(text);
	}
	assert_null(secret_strike_string(NULL));
}

/* A NUL does not end the text, and the newest secrets are known. */
static void
test_many(void **state)
{
	char text[] = "a\0secret-20\0b", secret[16];
	char known[] = "secret-14", forgotten[] = "secret-12";
	int i;

	(void)state;
	for (i = 0; i <= 20; i++) {
		(void)snprintf(secret, sizeof(secret), "secret-%d", i);
		secret_learn(secret);
		secret_learn(secret);
	}
	assert_int_equal(secret_strike(text, sizeof(text) - 1),
	    sizeof(text) - 2);
	assert_memory_equal(text, "a\0[secret]\0b", sizeof(text) - 1);
	assert_string_equal(secret_strike_string(known), "[secret]");
	assert_string_equal(secret_strike_string(forgotten), "secret-12");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strike),
		cmocka_unit_test(test_many),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
