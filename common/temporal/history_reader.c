/* SPDX-License-Identifier: ISC */
/*
 * Whoever is told the end may free the reader, so that call is always the last
 * thing that is done with it.
 */
#include "common/temporal/history_reader.h"

static int
take_all(struct temporal_history *history, const Api__History *page,
    struct fail *fail)
{
	size_t i;

	for (i = 0; i < page->n_events; i++)
		if (temporal_history_take(history, page->events[i], fail) < 0)
			return -1;
	return 0;
}

void
history_reader_take(struct history_reader *reader, Api__History *page,
    const ProtobufCBinaryData *token)
{
	struct fail fail;
	int result = 0;

	if (page != NULL)
		result = reader->page != NULL
		    ? reader->page(reader->context, page, &fail)
		    : take_all(reader->history, page, &fail);
	reader->refused = result < 0;
	if (result == 0 && token->len > 0)
		history_reader_read(reader, token);
	else
		reader->done(reader->context, result < 0 ? &fail : NULL);
}

/* The replies to both directions have the same members. */
static void
page_came(void *context, struct temporal_answer *answer)
{
	struct history_reader *reader = context;
	ProtobufCMessage *message = answer->message;
	struct fail why;

	if (answer->status != GRPC_OK) {
		why = answer->fail;
		reader->done(reader->context, &why);
		return;
	}
	if (reader->reverse) {
		Api__GetWorkflowExecutionHistoryReverseResponse *page =
		    (Api__GetWorkflowExecutionHistoryReverseResponse *)message;
		history_reader_take(reader, page->history,
		    &page->next_page_token);
	} else {
		Api__GetWorkflowExecutionHistoryResponse
		    *page = (Api__GetWorkflowExecutionHistoryResponse *)message;
		history_reader_take(reader, page->history,
		    &page->next_page_token);
	}
}

void
history_reader_read(struct history_reader *reader,
    const ProtobufCBinaryData *token)
{
	struct temporal_page page = { .id = reader->id,
		.run = reader->run,
		.token = token,
		.size = reader->size,
		.wait = reader->wait,
		.reverse = reader->reverse };
	struct fail fail;

	reader->refused = false;
	reader->answer.then = page_came;
	reader->answer.context = reader;
	if (temporal_history(reader->temporal, &page, &reader->answer, &fail) <
	    0)
		reader->done(reader->context, &fail);
}

void
history_reader_release(struct history_reader *reader)
{
	temporal_answer_release(&reader->answer);
}
