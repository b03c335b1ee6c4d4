/* SPDX-License-Identifier: ISC */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"

char *
fuzz_line(struct span *rest)
{
	const char *end = NULL;
	size_t length = rest->length;
	char *line;

	if (length)
		end = memchr(rest->at, '\n', length);
	if (end)
		length = (size_t)(end - rest->at);
	line = mem_copy(rest->at, length);
	length += end ? 1 : 0;
	rest->at += length;
	rest->length -= length;
	return line;
}

const char *
fuzz_file(const void *bytes, size_t size)
{
	static char path[40];
	static int file = -1;

	if (file < 0) {
		file = memfd_create("fuzz", MFD_CLOEXEC);
		assert(file >= 0 && fchmod(file, 0600) == 0);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	}
	assert(ftruncate(file, 0) == 0);
	assert(pwrite(file, bytes, size, 0) == (ssize_t)size);
	return path;
}

void
fuzz_never(const struct fail *fail, const char *type)
{
	if (fail->kind != FAIL_NEVER || strcmp(fail->type, type) != 0)
		fprintf(stderr, "%d %s: %s\n", fail->kind, fail->type,
		    fail->message);
	assert(fail->kind == FAIL_NEVER && strcmp(fail->type, type) == 0);
}

cJSON *
fuzz_json(const char *text, size_t length)
{
	struct fail fail = { .message = "" };
	cJSON *value = json_parse(text, length, &json_limits_upstream, &fail);

	if (!value)
		fprintf(stderr, "%.*s: %s\n", (int)length, text, fail.message);
	assert(value);
	return value;
}

bool
fuzz_same(const char *one, const char *other)
{
	return one == other || (one && other && strcmp(one, other) == 0);
}
