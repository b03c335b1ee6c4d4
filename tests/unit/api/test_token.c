/* SPDX-License-Identifier: ISC */
/*
 * Tokens in a file, who calls by them, and the rate.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/api/caller.h"
#include "common/api/token.h"
#include "common/base/clock.h"
#include "common/base/digest.h"
#include "common/base/file.h"
#include "common/base/id.h"
#include "common/base/mem.h"

#define NOW 1790000000000

static char folder[] = "/tmp/agent-token.XXXXXX";
static char *path;

static int
make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	path = mem_print("%s/tokens", folder);
	return 0;
}

static int
remove_folder(void **state)
{
	static const char *const names[] = { "tokens", "tokens.lock", "rate" };
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		char *name = mem_print("%s/%s", folder, names[i]);

		unlink(name);
		free(name);
	}
	free(path);
	return rmdir(folder);
}

static void
write_tokens(const char *text)
{
	struct fail fail;

	assert_int_equal(file_replace(path, text, strlen(text), &fail), 0);
}

static void
test_digest(void **state)
{
	char digest[DIGEST_TEXT], random[2 * 32 + 1], other[2 * 32 + 1];

	(void)state;
	digest_hex("abc", 3, digest); /* FIPS 180-2 */
	assert_string_equal(digest,
	    "ba7816bf8f01cfea414140de5dae2223"
	    "b00361a396177a9cb410ff61f20015ad");
	assert_true(digest_same(digest, digest));
	random[0] = '\0';
	random_hex(32, random);
	random_hex(32, other);
	assert_int_equal(strlen(random), 64);
	assert_string_not_equal(random, other);
}

static void
test_life(void **state)
{
	char text[TOKEN_TEXT], user[TASK_USER_MAX + 1];
	struct tokens *tokens;
	struct token token;
	struct fail fail;

	(void)state;
	assert_int_equal(token_new(path, "Ann B\xc3\xb6ll", NOW + 1000, NOW,
			     text, &token, &fail),
	    0);
	assert_int_equal(strlen(text), TOKEN_TEXT - 1);
	tokens = tokens_new(path);
	assert_int_equal(tokens_check(tokens, text, NOW, user, &fail), 0);
	assert_string_equal(user, "Ann B\xc3\xb6ll");
	assert_int_equal(tokens_check(tokens, text, NOW + 1000, user, &fail),
	    -1);
	assert_string_equal(fail.type, "unauthorized");
	text[TOKEN_TEXT - 2] ^= 1; /* 0 and 1, a and b's neighbour, ... */
	assert_int_equal(tokens_check(tokens, text, NOW, user, &fail), -1);
	text[TOKEN_TEXT - 2] ^= 1;
	/* a change counts at once */
	assert_int_equal(token_revoke(path, token.id, &fail), 0);
	assert_int_equal(tokens_check(tokens, text, NOW, user, &fail), -1);
	assert_int_equal(token_revoke(path, "0123456789abcdef", &fail), -1);
	assert_string_equal(fail.type, "no_token");
	assert_int_equal(token_new(path, "a,b", 0, NOW, text, &token, &fail),
	    -1);
	assert_int_equal(token_new(path, "", 0, NOW, text, &token, &fail), -1);
	tokens_free(tokens);
}

#define ID "0123456789abcdef"
/* of 64 zeros */
#define HASH "60e05bd1b195af2f94112fa7197a5c88289058840ce7c6df9693756bc6250f55"
#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
#define SINCE "2026-01-01T00:00:00Z"

static void
ignore_token(void *context, const struct token *token)
{
	(void)token;
	++*(size_t *)context;
}

static void
test_file(void **state)
{
	static const struct {
		const char *text;
		bool fine;  /* the whole file */
		bool valid; /* the token of zeros in it */
	} files[] = {
		{ ID " " HASH " - " SINCE " ann\n", true, true },
		{ ID " " HASH " - " SINCE " ann", true, true },
		{ "# who\n\n" ID " " HASH " 2099-01-01T00:00:00Z " SINCE
		  " ann b\n",
		    true, true },
		{ "nonsense\n" ID " " HASH " - " SINCE " ann\n", false, true },
		{ ID " " HASH " revoked " SINCE " ann\n", true, false },
		{ ID " " HASH " 2020-01-01T00:00:00Z " SINCE " ann\n", true,
		    false },
		{ ID " " HASH " - " SINCE " \n", false, false },
		{ ID " " HASH " - " SINCE "\n", false, false },
		{ ID " " HASH " soon " SINCE " ann\n", false, false },
		{ ID " " ZEROS " - " SINCE " ann\n", true, false },
		{ ID "  " HASH " - " SINCE " ann\n", false, false },
		{ ID " " HASH " - " SINCE " a,b\n", false, false },
		{ "", true, false },
	};
	char user[TASK_USER_MAX + 1];
	struct tokens *tokens;
	struct fail fail;
	size_t i, count = 0;

	(void)state;
	for (i = 0; i < sizeof(files) / sizeof(*files); i++) {
		write_tokens(files[i].text);
		assert_int_equal(token_list(path, ignore_token, &count, &fail),
		    files[i].fine ? 0 : -1);
		tokens = tokens_new(path);
		assert_int_equal(tokens_check(tokens, "agt_" ID "_" ZEROS, NOW,
				     user, &fail),
		    files[i].valid ? 0 : -1);
		tokens_free(tokens);
	}
}

static void
test_texts(void **state)
{
	static const char *const bad[] = { "", "agt_", ID, "agt_" ID "_",
		"agt_" ID "_" ZEROS "0", "agt_" ID "_0", "agx_" ID "_" ZEROS,
		"agt_" ID "-" ZEROS, "agt_0123456789ABCDEF_" ZEROS,
		"agt_0123456789abcdee_" ZEROS, " agt_" ID "_" ZEROS };
	struct tokens *tokens = tokens_new(path);
	char user[TASK_USER_MAX + 1];
	struct fail fail;
	size_t i;

	(void)state;
	write_tokens(ID " " HASH " - " SINCE " ann\n");
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(tokens_check(tokens, bad[i], NOW, user, &fail),
		    -1);
	assert_int_equal(tokens_check(tokens, "agt_" ID "_" ZEROS, NOW, user,
			     &fail),
	    0);
	/* what others can write is not believed */
	chmod(path, 0620);
	assert_int_equal(tokens_check(tokens, "agt_" ID "_" ZEROS, NOW, user,
			     &fail),
	    -1);
	assert_string_equal(fail.type, "permission");
	chmod(path, 0644); /* a Kubernetes Secret's */
	assert_int_equal(tokens_check(tokens, "agt_" ID "_" ZEROS, NOW, user,
			     &fail),
	    0);
	unlink(path);
	assert_int_equal(tokens_check(tokens, "agt_" ID "_" ZEROS, NOW, user,
			     &fail),
	    -1);
	assert_string_equal(fail.type, "no_file");
	tokens_free(tokens);
}

/* Who it is: 0 ann (by token), 1 eve (by header), -1 nobody. */
static int
who(struct callers *callers, char *authorization, char *address, char *header)
{
	char *env[4] = { authorization, address, header, NULL };
	char user[TASK_USER_MAX + 1];
	struct fail fail;
	int64_t retry = 0;

	if (callers_identify(callers, env, user, &retry, &fail) < 0)
		return -1;
	return strcmp(user, "eve") == 0;
}

static void
test_proxy(void **state)
{
	char token[] = "HTTP_AUTHORIZATION=bearer  agt_" ID "_" ZEROS;
	char none[] = "X=", eve[] = "HTTP_X_USER=eve",
	     evil[] = "HTTP_X_USER=a,b", empty[] = "HTTP_X_USER=";
	char near[] = "REMOTE_ADDR=10.1.2.3",
	     mapped[] = "REMOTE_ADDR=::ffff:10.1.2.3",
	     far[] = "REMOTE_ADDR=11.1.2.3", six[] = "REMOTE_ADDR=fd00::7",
	     odd[] = "REMOTE_ADDR=x";
	struct callers *callers = NULL;
	struct fail fail;

	(void)state;
	write_tokens(ID " " HASH " - " SINCE " ann\n");
	setenv("AGENT_TOKENS_FILE", path, 1);
	setenv("AGENT_GATEWAY_USER_HEADER", "X-User", 1);
	assert_int_equal(callers_open(&callers, &fail), -1); /* from where? */
	setenv("AGENT_GATEWAY_PROXIES", "10.1.0.0/16, fd00::/8", 1);
	assert_int_equal(callers_open(&callers, &fail), 0);
	assert_int_equal(who(callers, token, near, eve), 1);
	assert_int_equal(who(callers, none, mapped, eve), 1);
	assert_int_equal(who(callers, none, six, eve), 1);
	assert_int_equal(who(callers, none, far, eve), -1);
	assert_int_equal(who(callers, none, odd, eve), -1);
	assert_int_equal(who(callers, none, none, eve), -1);
	assert_int_equal(who(callers, token, far, eve), 0);
	assert_int_equal(who(callers, token, near, empty), 0);
	assert_int_equal(who(callers, token, near, evil), -1);
	assert_int_equal(who(callers, none, near, none), -1);
	callers_close(callers);
	unsetenv("AGENT_GATEWAY_USER_HEADER");
	assert_int_equal(callers_open(&callers, &fail), 0);
	assert_int_equal(who(callers, none, near, eve), -1);
	callers_close(callers);
	setenv("AGENT_GATEWAY_PROXIES", "10.1.0.0/33", 1);
	assert_int_equal(callers_open(&callers, &fail), -1);
	unsetenv("AGENT_GATEWAY_PROXIES");
	setenv("AGENT_GATEWAY_RATE", "60x", 1);
	assert_int_equal(callers_open(&callers, &fail), -1);
	setenv("AGENT_GATEWAY_RATE", "60", 1);
	assert_int_equal(callers_open(&callers, &fail), -1); /* where? */
	unsetenv("AGENT_GATEWAY_RATE");
	unsetenv("AGENT_TOKENS_FILE");
	assert_int_equal(callers_open(&callers, &fail), -1); /* nobody */
}

/* How many of COUNT requests pass at NOW. */
static int
pass(const struct rate_limit *limit, const char *caller, int64_t now, int count,
    int64_t *ret_wait)
{
	struct fail fail;
	int passed = 0;

	while (count--)
		passed += rate_take(folder, limit, caller, now, ret_wait,
			      &fail) == 0;
	return passed;
}

static void
test_rate(void **state)
{
	const struct rate_limit limit = { 60, 3 };
	char name[16];
	int64_t wait = 0;
	int i;

	(void)state;
	assert_int_equal(pass(&limit, "ann", NOW, 5, &wait), 3);
	assert_int_equal(wait, 1000);
	assert_int_equal(pass(&limit, "bob", NOW, 5, &wait), 3);
	assert_int_equal(pass(&limit, "ann", NOW + 999, 1, &wait), 0);
	assert_int_equal(wait, 1);
	assert_int_equal(pass(&limit, "ann", NOW + 1000, 2, &wait), 1);
	assert_int_equal(pass(&limit, "ann", NOW + 60000, 9, &wait), 3);
	/* a clock that goes back an hour locks nobody out */
	assert_int_equal(pass(&limit, "ann", NOW - 3600000, 9, &wait), 1);
	assert_int_equal(wait, 1000);
	assert_int_equal(pass(&limit, "ann", NOW - 3599000, 9, &wait), 1);
	/* many callers, each with a count of their own */
	for (i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "user %d", i);
		assert_int_equal(pass(&limit, name, NOW + 100000, 4, &wait), 3);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_digest),
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_proxy),
		cmocka_unit_test(test_rate),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("token", tests, make_folder,
	    remove_folder);
}
