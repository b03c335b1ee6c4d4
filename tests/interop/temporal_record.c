/*
 * temporal_record ENGINE ID FILE: keeps the history of a workflow as it comes
 * from the server (a GetWorkflowExecutionHistoryResponse), for
 * tests/data/histories.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/file.h"
#include "common/mem.h"
#include "common/temporal_client.h"

int
main(int argc, char **argv)
{
	struct temporal_options options = { .target = argv[1] };
	struct temporal_page page = { .id = argc == 4 ? argv[2] : "" };
	struct temporal_answer answer = { 0 };
	struct temporal *temporal;
	struct fail fail;
	uint8_t *bytes;
	size_t size;

	if (argc != 4) {
		fputs("usage: temporal_record ENGINE ID FILE\n", stderr);
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
