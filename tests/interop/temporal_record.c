/* SPDX-License-Identifier: ISC */
/*
 * temporal_record ENGINE ID FILE [RUN]: keeps the history of a workflow as it comes
 * from the server (a GetWorkflowExecutionHistoryResponse), for
 * tests/data/histories.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/temporal/client.h"

int
main(int argc, char **argv)
{
	struct temporal_options options = { .target = argv[1] };
	struct temporal_page page = { .id = argc > 3 ? argv[2] : "",
		.run = argc > 4 ? argv[4] : NULL };
	struct temporal_answer answer = { 0 };
	struct temporal *temporal;
	struct fail fail;
	uint8_t *bytes;
	size_t size;

	if (argc != 4 && argc != 5) {
		fputs("usage: temporal_record ENGINE ID FILE [RUN]\n", stderr);
		return 100;
	}
	if (temporal_open(NULL, &options, &temporal, &fail) < 0 ||
	    temporal_history(temporal, &page, &answer, &fail) < 0 ||
	    temporal_wait(temporal, &answer, &fail) < 0) {
		fprintf(stderr, "temporal_record: %s\n", fail.message);
		return fail.kind;
	}
	size = protobuf_c_message_get_packed_size(answer.message);
	bytes = mem_alloc(size);
	protobuf_c_message_pack(answer.message, bytes);
	if (file_replace(argv[3], bytes, size, &fail) < 0) {
		fprintf(stderr, "temporal_record: %s\n", fail.message);
		return fail.kind;
	}
	free(bytes);
	temporal_answer_release(&answer);
	temporal_close(temporal);
	return 0;
}
