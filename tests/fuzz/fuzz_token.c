/* SPDX-License-Identifier: ISC */
/*
 * A bearer token, then a file of tokens: whoever is let in is a user of the
 * file.
 */
#include "common/api/token.h"
#include "tests/fuzz/fuzz.h"

static void
find(void *context, const struct token *token)
{
	const char **user = context;

	assert(task_user_fine(token->user) && strlen(token->id) == 16);
	if (*user && strcmp(token->user, *user) == 0)
		*user = NULL;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = { (const char *)data, size };
	char *text = fuzz_line(&rest), user[TASK_USER_MAX + 1];
	const char *path = fuzz_file(rest.at, rest.length), *wanted = NULL;
	struct tokens *tokens = tokens_new(path);
	struct fail fail;

	if (tokens_check(tokens, text, 1764000000000, user, &fail) == 0)
		wanted = user;
	else
		assert(fail.kind == FAIL_NO || fail.kind == FAIL_NEVER);
	if (token_list(path, find, &wanted, &fail) == 0)
		assert(!wanted);
	else
		fuzz_never(&fail, "invalid_tokens");
	tokens_free(tokens);
	free(text);
	return 0;
}
