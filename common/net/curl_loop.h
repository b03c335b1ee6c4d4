/* SPDX-License-Identifier: ISC */
/*
 * curl_loop: one multi handle of libcurl in a struct loop. For http.c and
 * grpc*.c only.
 *
 * libcurl forbids to add and to remove transfers while it calls a callback of
 * a transfer; an owner whose callbacks may want that asks curl_loop_inside,
 * and does it when it is told that libcurl has returned.
 */
#ifndef COMMON_NET_CURL_LOOP_H
#define COMMON_NET_CURL_LOOP_H

#include <curl/curl.h>

#include "common/base/fail.h"
#include "common/base/loop.h"

/* Begins with libcurl: what its transfers share, the sessions of TLS. */
int
curl_loop_share(CURLSH **ret_share, struct fail *fail);

void
curl_loop_unshare(CURLSH *share);

/* The options that every transfer has. CALL, whose ERROR has CURL_ERROR_SIZE
 * bytes, is what libcurl's callbacks and ended get. */
void
curl_loop_setup(CURL *easy, CURLSH *share, void *call, char *error);

struct curl_loop;

struct curl_loop_owner {
	/* libcurl has returned. May add and remove transfers. NULL: none. */
	void (*returned)(void *context);
	/* Once for each transfer, which is not removed yet. May add and remove
	 * transfers, but not close the curl_loop. */
	void (*ended)(void *context, void *call, CURLcode code);
	/* After those; may close the curl_loop. NULL: none. */
	void (*settled)(void *context);
	void *context;
	long connections; /* idle ones kept; 0: as libcurl does */
	long streams;     /* of one connection; 0: as libcurl does */
};

int
curl_loop_open(struct loop *loop, const struct curl_loop_owner *owner,
    struct curl_loop **ret_curl, struct fail *fail);

void
curl_loop_close(struct curl_loop *curl); /* without transfers; NULL is fine */

/* Whether libcurl is on the stack. */
bool
curl_loop_inside(const struct curl_loop *curl);

/* Whether it could be added. */
bool
curl_loop_add(struct curl_loop *curl, CURL *easy);

void
curl_loop_remove(struct curl_loop *curl, CURL *easy);

#endif
