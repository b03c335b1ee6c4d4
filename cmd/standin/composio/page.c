/* SPDX-License-Identifier: ISC */
/*
 * page: a cursor is the base64 of "PAGE:LIMIT".
 */
#include "cmd/standin/composio/page.h"

#include <glib.h>

bool
page_init(struct page *page, struct request *request, size_t usual, size_t most,
    struct reply *reply)
{
	const char *limit = request_query(request, "limit");
	const char *cursor = request_query(request, "cursor");
	unsigned long number = 0, size = 0;
	guchar *text;
	gsize length;
	char *end;

	*page = (struct page){ .limit = usual };
	if (limit != NULL) {
		size = strtoul(limit, &end, 10);
		if (end == limit || *end != '\0' || size == 0) {
			composio_fault(request, reply, 400, 0, "",
			    "limit must be a positive number");
			return false;
		}
		page->limit = size > most ? most : size;
	}
	if (cursor != NULL && *cursor != '\0') {
		text = g_base64_decode(cursor, &length);
		text = g_realloc(text, length + 1);
		text[length] = '\0';
		number = strtoul((char *)text, &end, 10);
		if (number > 1 && *end == ':')
			size = strtoul(end + 1, &end, 10);
		if (number < 2 || *end != '\0' || size == 0 ||
		    number > 1000000 || size > PAGE_MOST) {
			g_free(text);
			composio_fault(request, reply, 400, 0, "",
			    "cursor is not valid");
			return false;
		}
		g_free(text);
		page->limit = size;
		page->from = (number - 1) * size;
	}
	page->items = cJSON_CreateArray();
	return true;
}

bool
page_takes(struct page *page)
{
	size_t at = page->seen++;

	return at >= page->from && at < page->from + page->limit;
}

void
page_put(struct page *page, struct reply *reply)
{
	cJSON *body = cJSON_CreateObject();
	size_t number = page->from / page->limit + 1;
	char text[60];
	gchar *cursor;

	cJSON_AddItemToObject(body, "items", page->items);
	if (page->from + page->limit < page->seen) {
		snprintf(text, sizeof(text), "%zu:%zu", number + 1,
		    page->limit);
		cursor = g_base64_encode((guchar *)text, strlen(text));
		cJSON_AddStringToObject(body, "next_cursor", cursor);
		g_free(cursor);
	} else {
		cJSON_AddNullToObject(body, "next_cursor");
	}
	cJSON_AddNumberToObject(body, "current_page", (double)number);
	cJSON_AddNumberToObject(body, "total_pages",
	    (double)(page->seen == 0
		    ? 1
		    : (page->seen + page->limit - 1) / page->limit));
	cJSON_AddNumberToObject(body, "total_items", (double)page->seen);
	reply_json(reply, body);
}
