/* SPDX-License-Identifier: ISC */
/*
 * replay: an entry as a unit test, under any compiler: gives it the seeds in
 * tests/fuzz/corpus/NAME, where NAME is the program's, and for each changed
 * copies of it, the same ones each time. A seed that breaks it is named last.
 */
#include <dirent.h>
#include <stdio.h>

#include "common/base/file.h"
#include "common/base/mem.h"
#include "tests/fuzz/fuzz.h"

#define CHANGED 60   /* copies of a seed */
#define BYTES 400000 /* of all of them together */

static unsigned
any(size_t below)
{
	static uint64_t state = 1;

	state = state * 6364136223846793005 + 1442695040888963407;
	return (unsigned)((state >> 33) % below);
}

static void
give(const char *bytes, size_t size)
{
	/* of exactly that size, so that reading on is noticed */
	uint8_t *copy = malloc(size ? size : 1);

	if (size)
		memcpy(copy, bytes, size);
	(void)LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static void
give_changed(const char *bytes, size_t size)
{
	static const char signs[] = "\"\\{}[]:,\n\r -#&*!|>'%@0919eEtn\t\x7f"
				    "\x80\xc3\xed\xff";
	char *copy = mem_copy(bytes, size);
	size_t from, length, i;

	for (i = 1 + any(3); i > 0; i--)
		copy[any(size)] = signs[any(sizeof(signs))];
	give(copy, size);
	give(bytes, any(size));
	from = any(size);
	length = any(size - from);
	memmove(copy + from, copy + from + length, size - from - length);
	give(copy, size - length);
	free(copy);
}

static int
is_file(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

int
main(int argc, char **argv)
{
	char *name = strrchr(argv[0], '/'), *folder, *path;
	struct buf seed = BUF_INIT(64u << 20);
	struct dirent **list;
	struct fail fail;
	int count, i, j;

	(void)argc;
	folder = mem_print("tests/fuzz/corpus%s", name ? name : "/");
	count = scandir(folder, &list, is_file, alphasort);
	for (i = 0; i < count; i++) {
		path = mem_print("%s/%s", folder, list[i]->d_name);
		printf("# %s\n", path);
		fflush(stdout);
		buf_reset(&seed);
		if (file_read(path, &seed, &fail) < 0) {
			printf("Bail out! %s\n", fail.message);
			return 1;
		}
		give(seed.data, seed.length);
		for (j = 0; seed.length && j < CHANGED &&
		     (size_t)j * seed.length < BYTES;
		     j++)
			give_changed(seed.data, seed.length);
		free(path);
		free(list[i]);
	}
	printf("%sok 1 - %d seeds\n1..1\n", count > 0 ? "" : "not ", count);
	if (count >= 0)
		free(list);
	free(folder);
	buf_release(&seed);
	return count > 0 ? 0 : 1;
}
