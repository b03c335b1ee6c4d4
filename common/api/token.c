/* SPDX-License-Identifier: ISC */
/*
 * How it works: a check looks for the line of the token's id and judges that
 * line only, so that a file of thousands costs microseconds. A change reads
 * the whole file strictly, under a lock beside it, and replaces it.
 */
#include "common/api/token.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/digest.h"
#include "common/base/file.h"
#include "common/base/id.h"
#include "common/base/lock.h"
#include "common/base/mem.h"

#define FILE_MAX_BYTES (16u << 20)
#define PREFIX "agt_"
#define ID_LENGTH (TOKEN_ID - 1)
#define SECRET_LENGTH 64
#define LOCK_MS 5000

struct tokens {
	char *path;
	struct stat seen;
	struct buf text;
};

static bool
is_hex(const char *text, size_t length)
{
	return strspn(text, "0123456789abcdef") >= length;
}

/* The file is accepted only if nobody but its owner can write it. */
static int
check_trust(int fd, const char *path, struct stat *ret_seen, struct fail *fail)
{
	if (fstat(fd, ret_seen) < 0)
		return fail_errno(fail, "unable to read %s", path);
	if (!S_ISREG(ret_seen->st_mode))
		return fail_set(fail, FAIL_NEVER, "no_file",
		    "%s is not a regular file", path);
	if (ret_seen->st_mode & (S_IWGRP | S_IWOTH))
		return fail_set(fail, FAIL_NEVER, "permission",
		    "others than its owner can write %s: chmod go-w it", path);
	if (ret_seen->st_uid != 0 && ret_seen->st_uid != geteuid())
		return fail_set(fail, FAIL_NEVER, "permission",
		    "%s belongs to neither root nor the user who reads it",
		    path);
	return 0;
}

/* Reads the file into TEXT, which ends with a newline then. */
static int
read_file(const char *path, struct buf *text, struct stat *ret_seen,
    struct fail *fail)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), result = -1;

	if (fd < 0 && errno == ENOENT)
		return fail_set(fail, FAIL_NEVER, "no_file",
		    "there is no file of tokens at %s: make it with "
		    "agent-token new",
		    path);
	if (fd < 0)
		return fail_errno(fail, "unable to read %s", path);
	buf_reset(text);
	if (check_trust(fd, path, ret_seen, fail) == 0 &&
	    file_read_open(fd, path, text, fail) == 0)
		result = 0;
	if (result == 0 &&
	    memchr(text->data ? text->data : "", '\0', text->length))
		result = fail_set(fail, FAIL_NEVER, "invalid_tokens",
		    "%s: a zero byte", path);
	if (result == 0)
		buf_add(text, "\n", 1);
	close(fd);
	return result;
}

/* The word at *AT, up to the next space, which is skipped. */
static bool
take_word(const char **at, size_t least, size_t most, char *ret)
{
	size_t length = strcspn(*at, " \n");

	if (length < least || length > most || (*at)[length] != ' ')
		return false;
	memcpy(ret, *at, length);
	ret[length] = '\0';
	*at += length + 1;
	return true;
}

static bool
take_time(const char *word, int64_t *ret_time)
{
	struct fail ignored;

	return clock_parse(word, ret_time, &ignored) == 0;
}

/* One line of the file; HASH is as long as a digest. */
static bool
parse_line(const char *line, struct token *token, char hash[DIGEST_TEXT])
{
	char expires[40], created[40];
	size_t length;

	*token = (struct token){ .revoked = false };
	if (!take_word(&line, ID_LENGTH, ID_LENGTH, token->id) ||
	    !is_hex(token->id, ID_LENGTH) ||
	    !take_word(&line, DIGEST_TEXT - 1, DIGEST_TEXT - 1, hash) ||
	    !is_hex(hash, DIGEST_TEXT - 1) ||
	    !take_word(&line, 1, sizeof(expires) - 1, expires) ||
	    !take_word(&line, 1, sizeof(created) - 1, created))
		return false;
	length = strcspn(line, "\n");
	if (length == 0 || length > TASK_USER_MAX)
		return false;
	memcpy(token->user, line, length);
	token->user[length] = '\0';
	token->revoked = strcmp(expires, "revoked") == 0;
	return task_user_fine(token->user) &&
	    take_time(created, &token->created) &&
	    (token->revoked || strcmp(expires, "-") == 0 ||
		take_time(expires, &token->expires));
}

static void
write_line(struct buf *text, const struct token *token,
    const char hash[DIGEST_TEXT])
{
	char expires[CLOCK_TEXT] = "-", created[CLOCK_TEXT];

	if (token->expires)
		clock_format(token->expires, expires);
	clock_format(token->created, created);
	buf_print(text, "%s %s %s %s %s\n", token->id, hash,
	    token->revoked ? "revoked" : expires, created, token->user);
}

/* ---- the whole file ---- */

struct lines {
	const char *path, *line, *rest; /* REST: what follows LINE */
	size_t number;
	bool is_token; /* else an empty line or a comment */
	struct token token;
	char hash[DIGEST_TEXT];
};

/* Takes the next line: 1, at the end 0, or -1 when it is not valid. */
static int
next_line(struct lines *lines, struct fail *fail)
{
	lines->line = lines->rest;
	if (!*lines->line)
		return 0;
	lines->rest = strchr(lines->line, '\n') + 1;
	lines->number++;
	lines->is_token = *lines->line != '#' && *lines->line != '\n';
	if (!lines->is_token ||
	    parse_line(lines->line, &lines->token, lines->hash))
		return 1;
	return fail_set(fail, FAIL_NEVER, "invalid_tokens",
	    "%s: line %zu is not a token", lines->path, lines->number);
}

/* Copies the file PATH to TEXT; the token REVOKE (NULL: none) is revoked. */
static int
copy_lines(const char *path, const char *revoke, struct buf *text,
    bool *ret_found, struct fail *fail)
{
	struct buf old = BUF_INIT(FILE_MAX_BYTES);
	struct lines lines = { .path = path };
	struct stat seen;
	int got = -1;

	if (read_file(path, &old, &seen, fail) < 0)
		goto out;
	lines.rest = old.data;
	while ((got = next_line(&lines, fail)) > 0) {
		if (lines.is_token && revoke &&
		    strcmp(lines.token.id, revoke) == 0) {
			lines.token.revoked = *ret_found = true;
			write_line(text, &lines.token, lines.hash);
		} else if (*lines.line != '\n') {
			buf_add(text, lines.line,
			    (size_t)(lines.rest - lines.line));
		}
	}
out:
	buf_release(&old);
	return got;
}

/* Changes are made one after the other; the lock file stays. */
static int
lock_file(const char *path, int *ret_fd, struct fail *fail)
{
	char *name = mem_print("%s.lock", path);
	int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int result = -1;

	if (fd < 0)
		fail_errno(fail, "unable to open %s", name);
	else if (lock_take(fd, true, LOCK_MS, name, fail) < 0)
		close(fd);
	else
		result = 0;
	if (result == 0)
		*ret_fd = fd;
	free(name);
	return result;
}

/* Revokes a token (REVOKE NULL: none), or puts ADDED at the end. */
static int
change_file(const char *path, const char *revoke, const struct token *added,
    const char *hash, struct fail *fail)
{
	struct buf text = BUF_INIT(FILE_MAX_BYTES);
	bool found = false;
	int fd = -1, result = -1;

	if (lock_file(path, &fd, fail) < 0)
		return -1;
	if ((added == NULL || access(path, F_OK) == 0 || errno != ENOENT) &&
	    copy_lines(path, revoke, &text, &found, fail) < 0)
		goto out;
	if (added)
		write_line(&text, added, hash);
	if (text.overflow)
		fail_set(fail, FAIL_NEVER, "too_large",
		    "%s would be larger than %u bytes", path, FILE_MAX_BYTES);
	else if (revoke && !found)
		fail_set(fail, FAIL_NO, "no_token", "there is no token %.40s",
		    revoke);
	else
		result = file_replace(path, text.data, text.length, fail);
out:
	close(fd);
	buf_release(&text);
	return result;
}

int
token_new(const char *path, const char *user, int64_t expires, int64_t now,
    char ret_text[TOKEN_TEXT], struct token *ret_token, struct fail *fail)
{
	struct token token = { .created = now, .expires = expires };
	char secret[SECRET_LENGTH + 1], hash[DIGEST_TEXT];
	int result;

	if (strlen(user) > TASK_USER_MAX || !task_user_fine(user))
		return fail_set(fail, FAIL_NEVER, "invalid_user",
		    "a user is 1 to %d bytes without commas, control "
		    "characters or spaces at its ends",
		    TASK_USER_MAX);
	memcpy(token.user, user, strlen(user) + 1);
	random_hex(ID_LENGTH / 2, token.id);
	random_hex(SECRET_LENGTH / 2, secret);
	digest_hex(secret, SECRET_LENGTH, hash);
	result = change_file(path, NULL, &token, hash, fail);
	if (result == 0) {
		snprintf(ret_text, TOKEN_TEXT, PREFIX "%s_%s", token.id,
		    secret);
		*ret_token = token;
	}
	explicit_bzero(secret, sizeof(secret));
	return result;
}

int
token_list(const char *path,
    void (*each)(void *context, const struct token *token), void *context,
    struct fail *fail)
{
	struct buf text = BUF_INIT(FILE_MAX_BYTES);
	struct lines lines = { .path = path };
	struct stat seen;
	int got = -1;

	if (read_file(path, &text, &seen, fail) < 0)
		goto out;
	lines.rest = text.data;
	while ((got = next_line(&lines, fail)) > 0)
		if (lines.is_token)
			each(context, &lines.token);
out:
	buf_release(&text);
	return got;
}

int
token_revoke(const char *path, const char *id, struct fail *fail)
{
	return change_file(path, id, NULL, NULL, fail);
}

/* ---- checking ---- */

struct tokens *
tokens_new(const char *path)
{
	struct tokens *tokens = mem_alloc(sizeof(*tokens));

	tokens->path = mem_string(path);
	tokens->text = BUF_INIT(FILE_MAX_BYTES);
	return tokens;
}

void
tokens_free(struct tokens *tokens)
{
	if (!tokens)
		return;
	buf_release(&tokens->text);
	free(tokens->path);
	free(tokens);
}

static bool
has_changed(const struct tokens *tokens)
{
	const struct stat *seen = &tokens->seen;
	struct stat now;

	return !tokens->text.length || stat(tokens->path, &now) < 0 ||
	    now.st_ino != seen->st_ino || now.st_dev != seen->st_dev ||
	    now.st_size != seen->st_size || now.st_mode != seen->st_mode ||
	    now.st_uid != seen->st_uid ||
	    now.st_mtim.tv_sec != seen->st_mtim.tv_sec ||
	    now.st_mtim.tv_nsec != seen->st_mtim.tv_nsec;
}

/* The line that begins with ID, or NULL. */
static const char *
find_line(const struct tokens *tokens, const char *id)
{
	const char *at = tokens->text.data, *end = at + tokens->text.length;

	while (at && at < end) {
		if (strncmp(at, id, ID_LENGTH) == 0 && at[ID_LENGTH] == ' ')
			return at;
		at = memchr(at, '\n', (size_t)(end - at));
		at = at ? at + 1 : NULL;
	}
	return NULL;
}

int
tokens_check(struct tokens *tokens, const char *text, int64_t now,
    char ret_user[TASK_USER_MAX + 1], struct fail *fail)
{
	const char *id = text + strlen(PREFIX), *secret = id + ID_LENGTH + 1;
	char hash[DIGEST_TEXT], kept[DIGEST_TEXT];
	struct token token;
	const char *line;

	if (has_changed(tokens) &&
	    read_file(tokens->path, &tokens->text, &tokens->seen, fail) < 0) {
		buf_reset(&tokens->text);
		return -1;
	}
	if (strlen(text) != TOKEN_TEXT - 1 ||
	    strncmp(text, PREFIX, strlen(PREFIX)) != 0 ||
	    !is_hex(id, ID_LENGTH) || id[ID_LENGTH] != '_')
		goto refuse;
	line = find_line(tokens, id);
	if (!line || !parse_line(line, &token, kept))
		goto refuse;
	digest_hex(secret, SECRET_LENGTH, hash);
	if (!digest_same(hash, kept) || token.revoked ||
	    (token.expires && token.expires <= now))
		goto refuse;
	memcpy(ret_user, token.user, sizeof(token.user));
	return 0;
refuse:
	return fail_set(fail, FAIL_NO, "unauthorized",
	    "the token is not valid: it is unknown, has expired or was "
	    "revoked");
}
