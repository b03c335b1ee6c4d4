/* SPDX-License-Identifier: ISC */
/*
 * fail: an error in a form that a program can print and a caller can act on.
 *
 * Every fallible call of the library takes a struct fail as its last argument
 * and returns 0 or -1. On -1 the struct is filled; on 0 it is untouched. The
 * library never prints and never exits; cli.h prints.
 *
 *	struct fail fail;
 *
 *	if (store_open(dir, STORE_READ, &store, &fail) < 0)
 *		return cli_fail(&fail);
 */
#ifndef COMMON_BASE_FAIL_H
#define COMMON_BASE_FAIL_H

/* The kind is the exit status of a program that ends because of it. */
enum fail_kind {
	FAIL_NO = 1,      /* the answer is no: refused, not found */
	FAIL_NEVER = 100, /* bad usage, input or configuration: do not retry */
	FAIL_NOT_NOW = 111, /* network, lock, disk, upstream: try again */
};

struct fail {
	enum fail_kind kind;
	char type[48];      /* a stable word for programs: "invalid_task" */
	char message[1200]; /* a sentence for people, no newline, UTF-8 */
};

/* Fills FAIL and returns -1. The message is cut when it is too long, and bytes
 * that would break a log line (controls, invalid UTF-8) become '?'. */
int
fail_set(struct fail *fail, enum fail_kind kind, const char *type,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

/* As fail_set with kind FAIL_NOT_NOW and the text of errno at the end
 * (": No space left on device"). ENOSPC and EDQUOT have type "disk_full",
 * EACCES, EPERM and EROFS kind FAIL_NEVER and type "permission", all others
 * type "system". Returns -1. */
int
fail_errno(struct fail *fail, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Puts "TEXT: " before the message that is there. Returns -1. */
int
fail_prefix(struct fail *fail, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
