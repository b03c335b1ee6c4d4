/* SPDX-License-Identifier: ISC */
/*
 * file: whole files and descriptors.
 */
#ifndef COMMON_BASE_FILE_H
#define COMMON_BASE_FILE_H

#include <stddef.h>

#include "common/base/buf.h"
#include "common/base/fail.h"

/* Reads the file PATH, or standard input for "-", to its end into BUF.
 * Longer than the buf's maximum: FAIL_NEVER, type "too_large". No such file,
 * or a folder: FAIL_NEVER, type "no_file". */
int
file_read(const char *path, struct buf *buf, struct fail *fail);

/* The same from a descriptor, which stays open; NAME is for the message. */
int
file_read_open(int fd, const char *name, struct buf *buf, struct fail *fail);

/* Writes all bytes, in spite of short writes and EINTR. EPIPE is an error like
 * any other; NAME is the name for the message. */
int
file_write(int fd, const void *bytes, size_t size, const char *name,
    struct fail *fail);

/* Replaces PATH atomically: temporary file beside it, fsync, rename, fsync of
 * the folder. Mode 0600. */
int
file_replace(const char *path, const void *bytes, size_t size,
    struct fail *fail);

/* Makes the name of PATH in its folder durable. */
int
file_sync_parent(const char *path, struct fail *fail);

/* mkdir -p, mode 0700 for new folders, which are on disk when it returns. If
 * something that is not a folder has the name: FAIL_NEVER, type "no_folder". */
int
file_make_folder(const char *path, struct fail *fail);

/* Reads a secret: the value of the environment variable NAME, else the
 * contents of the file that NAME_FILE names without the newline at its end,
 * else NULL with return 0. An empty variable counts as not set; an empty file,
 * a control character inside, or a secret that begins with REPLACE-ME, as in
 * an example that was not filled in, is FAIL_NEVER, type "bad_secret". No
 * message has the secret, and secret.h knows it from here on. The caller
 * frees. */
int
file_secret(const char *name, char **ret_secret, struct fail *fail);

#endif
