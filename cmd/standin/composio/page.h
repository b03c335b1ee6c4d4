/* SPDX-License-Identifier: ISC */
/*
 * page: one page of a list of Composio's API.
 */
#ifndef CMD_STANDIN_COMPOSIO_PAGE_H
#define CMD_STANDIN_COMPOSIO_PAGE_H

#include "cmd/standin/standin.h"

#define PAGE_MOST 1000

struct page {
	size_t from, limit, seen;
	cJSON *items; /* add those that page_takes says */
};

/* The page that REQUEST asks for, of USUAL items and at most MOST. False when
 * there is no such page; then REPLY is the error. */
bool
page_init(struct page *page, struct request *request, size_t usual, size_t most,
    struct reply *reply);

/* Whether the next item is to be on the page. */
bool
page_takes(struct page *page);

/* Answers with the page. */
void
page_put(struct page *page, struct reply *reply);

#endif
