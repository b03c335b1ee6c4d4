/* SPDX-License-Identifier: ISC */
/* A stat costs a microsecond, so that a key is never old by more than that. */
#include "common/provider/key.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/file.h"
#include "common/base/mem.h"

static void
look_at_file(const struct key *key, struct stat *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (key->path != NULL && stat(key->path, ret) < 0)
		memset(ret, 0, sizeof(*ret));
}

static bool
same_file(const struct stat *one, const struct stat *other)
{
	return one->st_dev == other->st_dev && one->st_ino == other->st_ino &&
	    one->st_size == other->st_size &&
	    one->st_mtim.tv_sec == other->st_mtim.tv_sec &&
	    one->st_mtim.tv_nsec == other->st_mtim.tv_nsec &&
	    one->st_ctim.tv_sec == other->st_ctim.tv_sec &&
	    one->st_ctim.tv_nsec == other->st_ctim.tv_nsec;
}

static void
wipe(char *secret)
{
	if (secret != NULL)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

/* Returns whether the key is another one than before. */
static int
read_key(struct key *key, bool *ret_changed, struct fail *fail)
{
	char *secret = NULL, *header = NULL;

	look_at_file(key, &key->file);
	if (file_secret(key->name, &secret, fail) < 0)
		return -1;
	if (secret != NULL && *secret != '\0')
		header = mem_print("%s%s", key->prefix, secret);
	wipe(secret);
	*ret_changed = header != NULL &&
	    (key->header == NULL || strcmp(key->header, header) != 0);
	if (!*ret_changed) {
		wipe(header);
		return 0;
	}
	wipe(key->header);
	key->header = header;
	key->version++;
	return 0;
}

int
key_open(struct key *key, const char *name, const char *prefix,
    struct fail *fail)
{
	char *file = mem_print("%s_FILE", name);
	bool changed;

	*key = (struct key){ .name = name, .prefix = prefix };
	key->path = getenv(file);
	free(file);
	if (key->path != NULL && *key->path == '\0')
		key->path = NULL;
	return read_key(key, &changed, fail);
}

void
key_release(struct key *key)
{
	wipe(key->header);
	key->header = NULL;
}

bool
key_renewed(struct key *key)
{
	struct stat now;
	struct fail why;
	bool changed;

	if (key->path == NULL)
		return false;
	look_at_file(key, &now);
	return !same_file(&now, &key->file) &&
	    read_key(key, &changed, &why) == 0 && changed;
}
