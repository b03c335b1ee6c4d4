/* SPDX-License-Identifier: ISC */
/*
 * The reader is strict where a request is ambiguous: a parameter that is unknown
 * or comes twice is refused, so that a misspelt filter does not list everything.
 */
#include "common/api/cgi.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/agent/journal.h"
#include "common/base/hex.h"
#include "common/base/mem.h"

#define BODY_MAX (1u << 20) /* of an error */

const char *
cgi_variable(char *const *env, const char *name)
{
	size_t length = strlen(name);

	for (; *env; env++)
		if (strncmp(*env, name, length) == 0 && (*env)[length] == '=')
			return *env + length + 1;
	return NULL;
}

/* ---- the query ---- */

/* Decodes LENGTH bytes; NULL when they are not decodable to UTF-8 without
 * zero bytes. The caller frees. */
static char *
decode(const char *text, size_t length)
{
	char *out = mem_copy(text, length), *plus;

	while ((plus = strchr(out, '+')))
		*plus = ' ';
	if (hex_percent_decode(out, &length) && strlen(out) == length &&
	    json_utf8(out, length))
		return out;
	free(out);
	return NULL;
}

static int
take_pair(const char *pair, size_t length, const char *const *names,
    char **values, struct fail *fail)
{
	const char *equals = memchr(pair, '=', length);
	size_t name_length = equals ? (size_t)(equals - pair) : length, i;
	char *name = decode(pair, name_length), *value = NULL;
	int result = -1;

	if (equals)
		value = decode(equals + 1, length - name_length - 1);
	if (!name || !value) {
		fail_set(fail, FAIL_NEVER, "bad_request",
		    "the query has \"%.*s\", which is not NAME=VALUE in "
		    "percent-encoded UTF-8",
		    (int)(length > 60 ? 60 : length), pair);
		goto out;
	}
	for (i = 0; names[i] && strcmp(names[i], name) != 0; i++)
		;
	if (!names[i]) {
		fail_set(fail, FAIL_NEVER, "bad_request",
		    "this route has no parameter \"%.60s\"", name);
	} else if (values[i]) {
		fail_set(fail, FAIL_NEVER, "bad_request",
		    "the parameter %s is given twice", name);
	} else {
		values[i] = value;
		value = NULL;
		result = 0;
	}
out:
	free(name);
	free(value);
	return result;
}

int
cgi_query(const char *query, const char *const *names, char **ret_values,
    struct fail *fail)
{
	size_t count = 0, length, i;

	while (names[count])
		ret_values[count++] = NULL;
	for (; query && *query; query += length) {
		length = strcspn(query, "&");
		if (length &&
		    take_pair(query, length, names, ret_values, fail) < 0)
			goto failed;
		if (query[length] == '&')
			length++;
	}
	return 0;
failed:
	for (i = 0; i < count; i++) {
		free(ret_values[i]);
		ret_values[i] = NULL;
	}
	return -1;
}

int
cgi_number(const char *name, const char *text, int64_t least, int64_t most,
    int64_t *ret_number, struct fail *fail)
{
	long long number;

	if (!text)
		return 0;
	errno = 0;
	number = strtoll(text, NULL, 10);
	if (!*text || strspn(text, "0123456789") != strlen(text) || errno ||
	    number < least || number > most)
		return fail_set(fail, FAIL_NEVER, "bad_request",
		    "%s must be a whole number from %lld to %lld, not "
		    "\"%.60s\"",
		    name, (long long)least, (long long)most, text);
	*ret_number = number;
	return 0;
}

/* ---- headers ---- */

/* The next item of a comma-separated list, without blanks. Commas in double
 * quotes do not count. */
static bool
next_item(const char **list, struct span *ret_item)
{
	const char *at = *list + strspn(*list, " \t,"), *end = at;
	bool quoted = false;

	if (!*at)
		return false;
	for (; *end && (quoted || *end != ','); end++)
		quoted = quoted != (*end == '"');
	*list = end;
	while (end > at && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*ret_item = (struct span){ at, (size_t)(end - at) };
	return true;
}

bool
cgi_matches(const char *header, const char *etag)
{
	size_t length = strlen(etag);
	struct span item;

	while (header && next_item(&header, &item)) {
		if (item.length == 1 && *item.at == '*')
			return true;
		if (item.length > 2 && strncmp(item.at, "W/", 2) == 0)
			item = (struct span){ item.at + 2, item.length - 2 };
		if (item.length == length && memcmp(item.at, etag, length) == 0)
			return true;
	}
	return false;
}

bool
cgi_accepts(const char *header, const char *type)
{
	size_t length = strlen(type), own;
	struct span item;

	while (header && next_item(&header, &item)) {
		own = strcspn(item.at, "; \t,");
		if (own == length && strncasecmp(item.at, type, length) == 0)
			return true;
	}
	return false;
}

bool
cgi_request_id(const char *text)
{
	size_t length = text ? strlen(text) : 0;

	return length > 0 && length <= 64 &&
	    strspn(text,
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
		"._-") == length;
}

/* ---- answers ---- */

static const struct {
	int status;
	const char *words;
} words[] = {
	{ 200, "OK" },
	{ 304, "Not Modified" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 429, "Too Many Requests" },
	{ 500, "Internal Server Error" },
	{ 503, "Service Unavailable" },
};

static const char *
words_of(int status)
{
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (words[i].status == status)
			return words[i].words;
	return "Unknown";
}

void
cgi_answer(struct buf *out, const struct cgi_answer *answer, struct span body)
{
	buf_print(out, "Status: %d %s\r\n", answer->status,
	    words_of(answer->status));
	if (answer->type)
		buf_print(out, "Content-Type: %s\r\n", answer->type);
	if (answer->type && !answer->stream)
		buf_print(out, "Content-Length: %zu\r\n", body.length);
	if (answer->etag)
		buf_print(out, "ETag: %s\r\n", answer->etag);
	if (answer->allow)
		buf_print(out, "Allow: %s\r\n", answer->allow);
	if (answer->retry_after)
		buf_print(out, "Retry-After: %lld\r\n",
		    (long long)answer->retry_after);
	if (answer->status == 401)
		buf_add_string(out,
		    "WWW-Authenticate: Bearer realm=\"agent-utils\"\r\n");
	buf_print(out,
	    "Cache-Control: %s\r\n"
	    "Content-Security-Policy: default-src 'none'; "
	    "frame-ancestors 'none'\r\n"
	    "Referrer-Policy: no-referrer\r\n"
	    "X-Content-Type-Options: nosniff\r\n"
	    "X-Request-Id: %s\r\n\r\n",
	    answer->etag ? "private, no-cache" : "no-store",
	    answer->request_id);
	if (answer->type && !answer->head)
		buf_add(out, body.at, body.length);
}

static int
status_of(const struct fail *fail)
{
	static const struct {
		const char *type;
		int status;
	} types[] = {
		{ "bad_request", 400 },
		{ "unauthorized", 401 },
		{ "no_task", 404 },
		{ "no_result", 404 },
		{ "not_found", 404 },
		{ "method_not_allowed", 405 },
		{ "rate_limited", 429 },
		{ "too_many_waiting", 503 },
	};
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (strcmp(types[i].type, fail->type) == 0)
			return types[i].status;
	return fail->kind == FAIL_NOT_NOW ? 503 : 500;
}

int
cgi_error(struct buf *out, const struct cgi_answer *answer,
    const struct fail *fail)
{
	struct cgi_answer whole = *answer;
	struct buf body = BUF_INIT(BODY_MAX);
	const char *type = fail->type, *message = fail->message;
	bool again;

	whole.status = status_of(fail);
	again = whole.status == 503 || whole.status == 429;
	whole.type = "application/json";
	whole.etag = NULL;
	if (whole.status == 500) {
		type = "internal";
		message = "the gateway is broken or badly configured; its log "
			  "says how";
	} else if (whole.status == 503 &&
	    strcmp(fail->type, "too_many_waiting") != 0) {
		message = "the tasks cannot be read at the moment: try again";
	}
	if (again && !whole.retry_after)
		whole.retry_after = 5;
	buf_add(&body, "{", 1);
	member_error(&body, type, message,
	    again ? "\"retryable\":true" : "\"retryable\":false");
	buf_add(&body, "}", 1);
	cgi_answer(out, &whole, (struct span){ body.data, body.length });
	buf_release(&body);
	return whole.status;
}
