/* SPDX-License-Identifier: ISC */
/*
 * grpc_link: one multi handle of libcurl in a struct loop. For grpc.c only.
 */
#ifndef COMMON_NET_GRPC_LINK_H
#define COMMON_NET_GRPC_LINK_H

#include <curl/curl.h>

#include "common/base/fail.h"
#include "common/base/loop.h"

struct grpc_link;

struct grpc_link_owner {
	/* Once for each transfer, which is not removed yet. May add and remove
	 * transfers, but not close the link. */
	void (*ended)(void *context, CURL *easy, CURLcode code);
	/* After those; may close the link. */
	void (*settled)(void *context);
	void *context;
};

int
link_open(struct loop *loop, const struct grpc_link_owner *owner,
    struct grpc_link **ret_link, struct fail *fail);

void
link_close(struct grpc_link *link); /* without transfers; NULL is fine */

/* Whether it could be added. */
bool
link_add(struct grpc_link *link, CURL *easy);

void
link_remove(struct grpc_link *link, CURL *easy);

#endif
