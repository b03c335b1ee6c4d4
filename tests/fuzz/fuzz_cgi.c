/* SPDX-License-Identifier: ISC */
/*
 * What comes from anybody on the network: a query, a number, If-None-Match,
 * Accept and a request's id, a line each. What is refused is answered by
 * headers and a body of JSON.
 */
#include "common/api/cgi.h"
#include "tests/fuzz/fuzz.h"

static void
refuse(const struct fail *fail, const char *id)
{
	struct cgi_answer answer = { .request_id = cgi_request_id(id) ? id
								      : "r" };
	struct buf out = BUF_INIT(1u << 20);
	const char *body;

	fuzz_never(fail, "bad_request");
	assert(cgi_error(&out, &answer, fail) == 400);
	body = strstr(out.data, "\r\n\r\n");
	assert(body);
	cJSON_Delete(fuzz_json(body + 4, strlen(body + 4)));
	buf_release(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "limit", "queue", "after", NULL };
	struct span rest = { (const char *)data, size };
	char *line[5], *values[3];
	struct fail fail;
	int64_t number = 5;
	size_t i;

	for (i = 0; i < 5; i++)
		line[i] = fuzz_line(&rest);
	if (cgi_query(line[0], names, values, &fail) < 0) {
		refuse(&fail, line[4]);
	} else {
		for (i = 0; i < 3; i++) {
			assert(!values[i] ||
			    (strstr(line[0], names[i]) &&
				json_utf8(values[i], strlen(values[i]))));
			free(values[i]);
		}
	}
	if (cgi_number("limit", line[1], 1, 1000, &number, &fail) < 0)
		refuse(&fail, line[4]);
	assert(number >= 1 && number <= 1000);
	if (cgi_matches(line[2], "\"etag\""))
		assert(strstr(line[2], "\"etag\"") || strchr(line[2], '*'));
	if (cgi_accepts(line[3], "text/event-stream"))
		assert(strlen(line[3]) >= strlen("text/event-stream"));
	for (i = 0; i < 5; i++)
		free(line[i]);
	return 0;
}
