/* SPDX-License-Identifier: ISC */
/*
 * history_reader: reads the history of one run from the server, page by page,
 * in the loop.
 *
 *	struct history_reader reader = { .temporal = temporal, .id = id,
 *		.history = history, .done = done, .context = context };
 *
 *	history_reader_read(&reader, NULL);
 *	... done(context, NULL) or done(context, &why) ...
 *	history_reader_release(&reader);
 *
 * The struct stays in place until it is released. It can be changed, and read
 * with again, in done and after it; done may also free it.
 */
#ifndef COMMON_TEMPORAL_HISTORY_READER_H
#define COMMON_TEMPORAL_HISTORY_READER_H

#include "common/temporal/client.h"
#include "common/temporal/history.h"

struct history_reader {
	/* the caller's: */
	struct temporal *temporal;
	const char *id, *run; /* borrowed; RUN NULL or "": the latest */
	struct temporal_history *history; /* takes the events */
	/* Takes a page's events in the place of HISTORY, where it is not NULL.
	 * It owns those that it replaces by NULL. Returns 1 when it wants no
	 * more pages, -1 when it refuses this one, and fills FAIL. */
	int (*page)(void *context, Api__History *page, struct fail *fail);
	/* Called once, at the end: WHY is NULL when all has been read. */
	void (*done)(void *context, const struct fail *why);
	void *context;
	int32_t size; /* events of a page; 0: as many as the server likes */
	bool reverse; /* newest first */
	bool wait;    /* until the run is closed, for new events */
	/* filled in: */
	bool
	    refused; /* by the history, or page: the server has no part in it */
	/* its own: */
	struct temporal_answer answer;
};

/* Reads what follows the page that TOKEN came with; NULL: from the start. Done
 * is called from within when nothing can be sent. */
void
history_reader_read(struct history_reader *reader,
    const ProtobufCBinaryData *token);

/* The same, when that page is there already: takes it first. Done is called
 * from within when no more has to be read. */
void
history_reader_take(struct history_reader *reader, Api__History *page,
    const ProtobufCBinaryData *token);

/* Done is not called any more. */
void
history_reader_release(struct history_reader *reader);

#endif
