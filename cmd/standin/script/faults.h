/* SPDX-License-Identifier: ISC */
/*
 * faults: the section "faults" of a script: what fails, and when.
 */
#ifndef CMD_STANDIN_SCRIPT_FAULTS_H
#define CMD_STANDIN_SCRIPT_FAULTS_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/fail.h"

enum fault_kind {
	FAULT_STATUS,       /* an error status, nothing is carried out */
	FAULT_STATUS_AFTER, /* the same, but it was carried out */
	FAULT_CUT,          /* a stream that breaks off after some events */
	FAULT_ERROR_EVENT,  /* a stream that ends with an error event */
	FAULT_DRIP,         /* a stream that comes slowly */
	FAULT_GARBAGE,      /* status 200, and no JSON */
	FAULT_HANG,         /* no answer */
	FAULT_RESET_BEFORE, /* reset, nothing is carried out */
	FAULT_RESET_AFTER,  /* reset, but it was carried out */
	FAULT_SLOW,         /* carried out, then a wait */
	FAULT_SLOW_BEFORE,  /* a wait, then carried out */
};

struct fault {
	enum fault_kind kind;
	const char *on;       /* "messages", a pattern of tools, or "/path*" */
	const cJSON *at;      /* numbers of matching requests, or NULL */
	int64_t every, times; /* 0: not; -1: no limit */
	double chance;        /* 1: always */
	int64_t above;        /* only what is above so many a second; 0: all */

	int64_t status, code, delay_ms, events;
	const char *type, *message, *body, *error_code, *slug;
	const cJSON *headers; /* name -> value */

	/* under the faults' lock */
	int64_t seen, fired, level_at;
	double level; /* of the bucket of what is not above */
};

struct faults;

int
faults_new(const cJSON *script, struct faults **ret_faults, struct fail *fail);

void
faults_free(struct faults *faults); /* NULL is fine */

/* Counts one request to NAME ("messages", a tool, or "") at PATH, and says
 * what goes wrong with it: a fault, or NULL. It lives as long as FAULTS. */
const struct fault *
faults_pick(struct faults *faults, const char *name, const char *path);

#endif
