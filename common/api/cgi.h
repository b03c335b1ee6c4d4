/* SPDX-License-Identifier: ISC */
/*
 * cgi: reads a request of CGI/1.1 and writes an answer. Pure.
 *
 * A request is its variables, as environ(7) or FastCGI give them. An answer is
 * the bytes that a CGI program writes: headers, with Status, and a body.
 */
#ifndef COMMON_API_CGI_H
#define COMMON_API_CGI_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/fail.h"
#include "common/json/json.h"

/* The variable NAME of the request, or NULL. */
const char *
cgi_variable(char *const *env, const char *name);

/* Reads a query string. NAMES (ends with NULL) are the parameters that it may
 * have, each at most once; RET_VALUES gets the decoded value of each, or NULL,
 * and the caller frees them (on failure there is nothing to free). FAIL_NEVER,
 * type "bad_request", for anything else. */
int
cgi_query(const char *query, const char *const *names, char **ret_values,
    struct fail *fail);

/* A parameter or header NAME as a whole number; TEXT NULL leaves *RET_NUMBER
 * as it is. FAIL_NEVER, type "bad_request". */
int
cgi_number(const char *name, const char *text, int64_t least, int64_t most,
    int64_t *ret_number, struct fail *fail);

/* Whether the header If-None-Match (NULL: none) names ETAG. */
bool
cgi_matches(const char *header, const char *etag);

/* Whether the header Accept (NULL: none) asks for TYPE by its name. */
bool
cgi_accepts(const char *header, const char *type);

/* Whether TEXT (NULL is none) can be taken as a request's id: 1 to 64 letters,
 * digits, '.', '_', '-'. */
bool
cgi_request_id(const char *text);

struct cgi_answer {
	int status;
	const char *type; /* of the body; NULL: there is no body */
	const char *request_id;
	const char *etag, *allow; /* NULL: none */
	int64_t retry_after;      /* seconds, 0: none */
	bool head;                /* send only the length of the body */
	bool stream; /* the body follows, its length is not known */
};

void
cgi_answer(struct buf *out, const struct cgi_answer *answer, struct span body);

/* Writes the answer for an error. FAIL gives the status, ANSWER the rest.
 * Internal errors (500, 503) are described in general words, because the
 * message of FAIL is for the log. Returns the status. */
int
cgi_error(struct buf *out, const struct cgi_answer *answer,
    const struct fail *fail);

#endif
