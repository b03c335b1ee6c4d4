/* SPDX-License-Identifier: ISC */
/*
 * The service cuts a list into pages; each but the last names the cursor that
 * the next one begins at. A list that never ends is an error, because nothing
 * else would end it.
 */
#include <string.h>

#include "common/base/mem.h"
#include "common/json/json.h"
#include "common/provider/composio_internal.h"

#define PAGES_MAX 200

struct pages {
	struct composio *composio;
	struct query *query;
	const char *path;
	char *cursor; /* of the page under way; NULL: the first */
	unsigned count;
	int (*page)(void *context, cJSON *answer, struct fail *fail);
	void (*end)(void *context, const struct fail *fail);
	void *context;
};

static int
ask(struct pages *pages, struct fail *fail);

/* Goes on with the page after ANSWER. 1 when there is one. */
static int
next_page(struct pages *pages, const cJSON *answer, struct fail *fail)
{
	const char *cursor = json_string(answer, "next_cursor");

	if (cursor == NULL || *cursor == '\0')
		return 0;
	if ((pages->cursor != NULL && strcmp(cursor, pages->cursor) == 0) ||
	    ++pages->count >= PAGES_MAX)
		return fail_set(fail, FAIL_NOT_NOW, "upstream",
		    "Composio: the pages of %s never end", pages->path);
	free(pages->cursor);
	pages->cursor = mem_string(cursor);
	return ask(pages, fail) < 0 ? -1 : 1;
}

static void
on_answer(void *context, cJSON *answer, int status, const struct fail *why)
{
	struct pages *pages = context;
	void (*end)(void *, const struct fail *) = pages->end;
	struct fail fail;
	int more = -1;

	pages->query = NULL;
	if (answer == NULL)
		fail = *why;
	if ((answer != NULL || status == 404) &&
	    pages->page(pages->context, answer, &fail) == 0)
		more = next_page(pages, answer, &fail);
	cJSON_Delete(answer);
	if (more > 0)
		return;
	context = pages->context;
	pages_cancel(pages);
	end(context, more < 0 ? &fail : NULL);
}

static int
ask(struct pages *pages, struct fail *fail)
{
	struct buf path = BUF_INIT(65536);
	int result;

	buf_add_string(&path, pages->path);
	if (pages->cursor != NULL) {
		buf_add_string(&path, "&cursor=");
		http_escape(&path, pages->cursor);
	}
	result = query_start(pages->composio, "GET", path.data, NULL, on_answer,
	    pages, &pages->query, fail);
	buf_release(&path);
	return result;
}

int
pages_start(struct composio *composio, const char *path,
    int (*page)(void *context, cJSON *answer, struct fail *fail),
    void (*end)(void *context, const struct fail *fail), void *context,
    struct pages **ret_pages, struct fail *fail)
{
	struct pages *pages = mem_alloc(sizeof(*pages));

	pages->composio = composio;
	pages->path = path;
	pages->page = page;
	pages->end = end;
	pages->context = context;
	if (ask(pages, fail) < 0) {
		pages_cancel(pages);
		return -1;
	}
	*ret_pages = pages;
	return 0;
}

void
pages_cancel(struct pages *pages)
{
	if (pages == NULL)
		return;
	query_cancel(pages->query);
	free(pages->cursor);
	free(pages);
}
