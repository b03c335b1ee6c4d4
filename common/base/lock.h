/* SPDX-License-Identifier: ISC */
/*
 * lock: OFD locks on whole files, with a limit to the wait.
 *
 * An OFD lock belongs to an open file description: the kernel releases it when
 * its last descriptor is closed, also because the process dies, and it does
 * not depend on pids, which containers share.
 */
#ifndef COMMON_BASE_LOCK_H
#define COMMON_BASE_LOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/fail.h"

/* Takes the lock of the file FD, shared or exclusive, and waits for it up to
 * MILLISECONDS. PATH is for messages. When the time is over: FAIL_NOT_NOW,
 * type "store_locked"; the message names the process that holds it and says
 * whether it is stopped. */
int
lock_take(int fd, bool exclusive, int64_t milliseconds, const char *path,
    struct fail *fail);

void
lock_drop(int fd);

/* Whether no descriptor but the caller's own FD holds a lock on the file. */
bool
lock_is_free(int fd);

/* A dying process closes its files one after the other: the news of its death
 * can come before its lock is free, so the lock is probed several times.
 * Milliseconds to wait before probe number PROBE, from 0; -1 when that many
 * are enough. */
int64_t
lock_probe_delay(size_t probe);

#endif
