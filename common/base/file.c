/* SPDX-License-Identifier: ISC */
/*
 * A durable file is synced twice: the file, and the folder that has its name.
 */
#include "common/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/base/secret.h"

#define SECRET_MAX 65536

static int
open_failed(const char *path, struct fail *fail)
{
	if (errno == ENOENT || errno == ENOTDIR || errno == EISDIR ||
	    errno == ELOOP || errno == ENAMETOOLONG)
		return fail_set(fail, FAIL_NEVER, "no_file",
		    "unable to read %s: %s", path, strerror(errno));
	return fail_errno(fail, "unable to read %s", path);
}

int
file_read_open(int fd, const char *name, struct buf *buf, struct fail *fail)
{
	char piece[32768];
	size_t used = 0; /* of piece: the rest need not be touched */
	int result = 0;
	ssize_t got = 1;

	while (got != 0 && result == 0) {
		got = read(fd, piece, sizeof piece);
		if (got < 0 && errno != EINTR)
			result = open_failed(name, fail);
		if (got <= 0)
			continue;
		if ((size_t)got > used)
			used = (size_t)got;
		buf_add(buf, piece, (size_t)got);
		if (buf->overflow)
			result = fail_set(fail, FAIL_NEVER, "too_large",
			    "%s is larger than %zu bytes, which is the most "
			    "that is read here",
			    name, buf->maximum);
	}
	explicit_bzero(piece, used);
	return result;
}

int
file_read(const char *path, struct buf *buf, struct fail *fail)
{
	int fd, result;

	if (strcmp(path, "-") == 0)
		return file_read_open(STDIN_FILENO, "standard input", buf,
		    fail);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return open_failed(path, fail);
	result = file_read_open(fd, path, buf, fail);
	close(fd);
	return result;
}

int
file_write(int fd, const void *bytes, size_t size, const char *name,
    struct fail *fail)
{
	struct pollfd room = { .fd = fd, .events = POLLOUT };
	const char *at = bytes;
	ssize_t put;

	while (size > 0) {
		put = write(fd, at, size);
		if (put < 0 && errno == EAGAIN) {
			/* Another process made the descriptor non-blocking. */
			if (poll(&room, 1, -1) < 0 && errno != EINTR)
				return fail_errno(fail, "unable to write %s",
				    name);
			continue;
		}
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return fail_errno(fail, "unable to write %s", name);
		at += put;
		size -= (size_t)put;
	}
	return 0;
}

int
file_sync_parent(const char *path, struct fail *fail)
{
	const char *slash = strrchr(path, '/');
	char *folder = !slash
	    ? mem_string(".")
	    : mem_copy(path, slash == path ? 1 : (size_t)(slash - path));
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), result = 0;

	if (fd < 0)
		result = fail_errno(fail, "unable to open the folder %s",
		    folder);
	/* EINVAL: a file system that cannot sync a folder. */
	else if (fsync(fd) < 0 && errno != EINVAL)
		result = fail_errno(fail, "unable to sync the folder %s",
		    folder);
	if (fd >= 0)
		close(fd);
	free(folder);
	return result;
}

int
file_replace(const char *path, const void *bytes, size_t size,
    struct fail *fail)
{
	char *temporary = mem_print("%s.XXXXXX", path);
	int fd = mkostemp(temporary, O_CLOEXEC), result = -1;

	if (fd < 0) {
		fail_errno(fail, "unable to make a file beside %s", path);
		free(temporary);
		return -1;
	}
	if (file_write(fd, bytes, size, temporary, fail) == 0) {
		if (fsync(fd) < 0)
			fail_errno(fail, "unable to sync %s", temporary);
		else if (rename(temporary, path) < 0)
			fail_errno(fail, "unable to rename %s to %s", temporary,
			    path);
		else
			result = 0;
	}
	close(fd);
	if (result < 0)
		unlink(temporary);
	free(temporary);
	return result < 0 ? -1 : file_sync_parent(path, fail);
}

static int
make_one(const char *path, struct fail *fail)
{
	struct stat status;

	/* Checked first: mkdir on a read-only disk or under a folder that is
	 * not ours may report that instead of EEXIST. */
	if (stat(path, &status) < 0) {
		if (errno != ENOENT)
			return fail_errno(fail, "unable to reach %s", path);
		if (mkdir(path, 0700) == 0)
			return file_sync_parent(path, fail);
		if (errno != EEXIST || stat(path, &status) < 0)
			return fail_errno(fail, "unable to make the folder %s",
			    path);
	}
	if (!S_ISDIR(status.st_mode))
		return fail_set(fail, FAIL_NEVER, "no_folder",
		    "%s is in the way: it is not a folder", path);
	return 0;
}

int
file_make_folder(const char *path, struct fail *fail)
{
	char *copy = NULL;
	size_t length, i;
	int result = -1;

	if (path[0] == '\0')
		return fail_set(fail, FAIL_NEVER, "no_folder",
		    "a folder's name is empty: give one");
	copy = mem_string(path);
	length = strlen(copy);
	while (length > 1 && copy[length - 1] == '/')
		copy[--length] = '\0';
	for (i = 1; i < length; i++) {
		if (copy[i] != '/' || copy[i - 1] == '/')
			continue;
		copy[i] = '\0';
		if (make_one(copy, fail) < 0)
			goto out;
		copy[i] = '/';
	}
	result = make_one(copy, fail);
out:
	free(copy);
	return result;
}

static const char placeholder[] = "REPLACE-ME";

static int
check_secret(const char *secret, size_t length, const char *where,
    struct fail *fail)
{
	size_t i;

	if (length == 0)
		return fail_set(fail, FAIL_NEVER, "bad_secret",
		    "the secret in %s is empty: put it there", where);
	if (length >= sizeof(placeholder) - 1 &&
	    memcmp(secret, placeholder, sizeof(placeholder) - 1) == 0)
		return fail_set(fail, FAIL_NEVER, "bad_secret",
		    "the secret in %s is still the example's %s: put the real "
		    "one in its place",
		    where, placeholder);
	for (i = 0; i < length; i++)
		if ((unsigned char)secret[i] < 0x20 || secret[i] == 0x7f)
			return fail_set(fail, FAIL_NEVER, "bad_secret",
			    "the secret in %s has a line break or another "
			    "control character in it: put the secret alone "
			    "there, in one line",
			    where);
	return 0;
}

int
file_secret(const char *name, char **ret_secret, struct fail *fail)
{
	struct buf buf = BUF_INIT(SECRET_MAX);
	const char *value = getenv(name), *path = NULL;
	char *variable = NULL, *where = NULL;
	int result = -1;

	if (value && *value != '\0') {
		if (check_secret(value, strlen(value), name, fail) < 0)
			return -1;
		*ret_secret = mem_string(value);
		secret_learn(*ret_secret);
		return 0;
	}
	variable = mem_print("%s_FILE", name);
	path = getenv(variable);
	if (!path || *path == '\0') {
		*ret_secret = NULL;
		result = 0;
		goto out;
	}
	if (file_read(path, &buf, fail) < 0) {
		fail_prefix(fail, "%s", variable);
		goto out;
	}
	if (buf.length > 0 && buf.data[buf.length - 1] == '\n')
		buf.length--;
	if (buf.length > 0 && buf.data[buf.length - 1] == '\r')
		buf.length--;
	where = mem_print("%s (named by %s)", path, variable);
	if (check_secret(buf.data, buf.length, where, fail) < 0)
		goto out;
	*ret_secret = mem_copy(buf.data, buf.length);
	secret_learn(*ret_secret);
	result = 0;
out:
	if (buf.data)
		explicit_bzero(buf.data, buf.capacity);
	buf_release(&buf);
	free(variable);
	free(where);
	return result;
}
