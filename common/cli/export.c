/* SPDX-License-Identifier: ISC */
/*
 * Tasks are read in pages. The events of a task are read after its object, so
 * there may be newer ones by then; these are left out, so that a line is the
 * task at one moment.
 */
#include "common/cli/export.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/id.h"

#define PAGE 100

struct export
{
	struct engine *engine;
	void (*line)(void *context, struct span line);
	void *context;
	struct buf text;
	char last[ID_TEXT]; /* the oldest task so far */
	size_t on_page;
	int64_t seq, events; /* of the current task */
	struct fail *fail;
};

static int
add_event(void *context, struct span text)
{
	struct export *export = context;

	if (export->events == export->seq)
		return 1;
	buf_add_string(&export->text, export->events++ ? "," : "");
	buf_add(&export->text, text.at, text.length);
	return 0;
}

static int
add_task(void *context, struct span text)
{
	struct export *export = context;
	struct span id, seq, error;

	if (json_member(text, "error", &error))
		return fail_set(export->fail, FAIL_NEVER, "store_damaged",
		    "a task cannot be read: %.*s", (int)text.length, text.at);
	if (!json_member(text, "id", &id) || id.length != ID_TEXT + 1 ||
	    !json_member(text, "seq", &seq))
		return fail_set(export->fail, FAIL_NOT_NOW, "system",
		    "the engine gave a task without an id");
	memcpy(export->last, id.at + 1, ID_TEXT - 1);
	export->last[ID_TEXT - 1] = '\0';
	export->on_page++;
	export->seq = strtoll(seq.at, NULL, 10);
	export->events = 0;
	buf_reset(&export->text);
	buf_add(&export->text, text.at, text.length - 1);
	buf_add_string(&export->text, ",\"events\":[");
	if (export->engine->ops->events(export->engine, export->last, 0,
		add_event, export, export->fail) < 0)
		return export->fail->kind == FAIL_NO ? 0 : -1;
	buf_add_string(&export->text, "]}\n");
	export->line(export->context,
	    (struct span){ export->text.data, export->text.length });
	return 0;
}

int
export_tasks(struct engine *engine,
    void (*line)(void *context, struct span line), void *context,
    struct fail *fail)
{
	struct export export = { .engine = engine,
		.line = line,
		.context = context,
		.text = BUF_INIT(SIZE_MAX / 2),
		.fail = fail };
	struct engine_filter filter = { .state = -1, .limit = PAGE };
	int result = 0;

	do {
		export.on_page = 0;
		result = engine->ops->list(engine, &filter, add_task, &export,
		    fail);
		filter.before = export.last;
	} while (result == 0 && export.on_page == PAGE);
	buf_release(&export.text);
	return result;
}
