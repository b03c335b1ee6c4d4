/* SPDX-License-Identifier: ISC */
/*
 * What the model's service says of a model is kept for some minutes in one small
 * file in the user's cache folder, so that many tasks that are checked together
 * ask once. The file names a model by a digest of address, key and name. When
 * the service does not answer, an older entry of the same day counts. Without a
 * cache folder nothing is kept.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/backoff.h"
#include "common/base/clock.h"
#include "common/base/digest.h"
#include "common/base/file.h"
#include "common/base/id.h"
#include "common/base/mem.h"
#include "common/json/json.h"
#include "common/provider/claude.h"
#include "common/provider/facts_internal.h"

#define TRIES 3
#define ASK_MS 20000
#define FRESH_MS 300000
#define KEPT_MS ((int64_t)24 * 3600 * 1000)
#define CACHE_MAX (1u << 20)

/* ---- the cache ---- */

/* NULL when there is no folder for it. The caller frees. */
static char *
cache_path(void)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	char *folder, *path = NULL;
	struct fail fail;

	if (cache != NULL && *cache == '/')
		folder = mem_print("%s/agent-utils", cache);
	else if (home != NULL && *home == '/')
		folder = mem_print("%s/.cache/agent-utils", home);
	else
		return NULL;
	if (file_make_folder(folder, &fail) == 0)
		path = mem_print("%s/models.json", folder);
	free(folder);
	return path;
}

/* All that is kept; the caller frees. */
static cJSON *
cache_read(const char *path)
{
	struct buf text = BUF_INIT(CACHE_MAX);
	cJSON *cache = NULL;
	struct fail fail;

	if (path != NULL && file_read(path, &text, &fail) == 0)
		cache = json_parse(text.data, text.length,
		    &json_limits_upstream, &fail);
	buf_release(&text);
	if (!cJSON_IsObject(cache)) {
		cJSON_Delete(cache);
		cache = cJSON_CreateObject();
	}
	return cache;
}

/* The age of an entry in milliseconds, more than KEPT_MS for one of no use. */
static int64_t
cache_age(const cJSON *entry)
{
	int64_t at, age;

	if (!json_integer(entry, "at", &at))
		return KEPT_MS + 1;
	age = clock_wall() - at;
	return age < 0 ? KEPT_MS + 1 : age;
}

/* Keeps FACT, and of the rest what is not old. That it could not be kept is no
 * error: the service is asked again then. */
static void
cache_write(const char *path, cJSON *cache, const char *name, const cJSON *fact)
{
	cJSON *entry = cJSON_Duplicate(fact, true), *item, *next;
	struct fail fail;
	char *text;

	for (item = cache->child; item != NULL; item = next) {
		next = item->next;
		if (cache_age(item) > KEPT_MS)
			cJSON_Delete(cJSON_DetachItemViaPointer(cache, item));
	}
	cJSON_AddNumberToObject(entry, "at", (double)clock_wall());
	cJSON_DeleteItemFromObjectCaseSensitive(cache, name);
	cJSON_AddItemToObject(cache, name, entry);
	text = json_text(cache);
	(void)file_replace(path, text, strlen(text), &fail);
	free(text);
}

/* ---- the question ---- */

struct answer {
	bool done;
	bool again; /* it may be asked again, after delay_ms */
	int64_t delay_ms;
	unsigned attempt;
	cJSON *fact;
	struct fail fail;
};

static void
read_model(struct answer *answer, const struct http_answer *got)
{
	struct fail why;
	cJSON *body = json_parse(got->body, got->body_length,
	    &json_limits_upstream, &why);
	const char *type = json_string(json_item(body, "error"), "type");
	const char *message = json_string(json_item(body, "error"), "message");
	int64_t most;

	answer->fact = cJSON_CreateObject();
	if (got->status / 100 == 2) {
		cJSON_AddTrueToObject(answer->fact, "found");
		if (json_integer(body, "max_tokens", &most))
			cJSON_AddNumberToObject(answer->fact, "max_tokens",
			    (double)most);
	} else if (type != NULL && strcmp(type, "not_found_error") == 0) {
		cJSON_AddFalseToObject(answer->fact, "found");
		cJSON_AddStringToObject(answer->fact, "advice",
		    message != NULL ? message : "");
	} /* else it is a service without this question, which is fine */
	cJSON_Delete(body);
}

static void
on_answer(void *context, const struct http_answer *got)
{
	struct backoff_answer back = http_backoff(got);
	struct answer *answer = context;

	answer->done = true;
	if (got->outcome == HTTP_ANSWERED &&
	    (got->status == 401 || got->status == 403)) {
		fail_set(&answer->fail, FAIL_NOT_NOW, "bad_key",
		    "the model's service refuses the key (status %d): check "
		    "ANTHROPIC_API_KEY",
		    got->status);
	} else if (got->outcome == HTTP_ANSWERED && !backoff_retryable(&back)) {
		read_model(answer, got);
	} else {
		answer->again = true;
		answer->delay_ms = backoff_delay(&back, answer->attempt,
		    random_fraction());
		fail_set(&answer->fail, FAIL_NOT_NOW, "upstream",
		    "the model's service does not answer: %s",
		    got->outcome == HTTP_ANSWERED ? "it is busy or broken"
						  : got->error);
	}
}

/* One try. ANSWER has the fact, or the fail. */
static int
ask_once(struct facts *facts, const char *key, const char *model,
    struct answer *answer, struct fail *fail)
{
	char *authorization = mem_print("authorization: Bearer %s", key);
	const char *headers[] = { authorization, CLAUDE_VERSION_HEADER,
		"accept: application/json", NULL };
	struct buf url = BUF_INIT(8192);
	struct http_request request = { .method = "GET",
		.headers = headers,
		.idle_ms = ASK_MS,
		.total_ms = ASK_MS,
		.done = on_answer,
		.context = answer };
	struct http_call *call;
	int result;

	buf_print(&url, "%s/v1/models/", facts->config->anthropic_url);
	http_escape(&url, model);
	request.url = url.data;
	answer->done = answer->again = false;
	answer->attempt++;
	result = http_start(facts->http, &request, &call, fail);
	while (result >= 0 && !answer->done && clock_boot() < facts->until)
		result = loop_turn(facts->loop, facts->until, fail);
	if (result >= 0 && !answer->done) {
		http_cancel(call);
		result = fail_set(fail, FAIL_NOT_NOW, "timeout",
		    "the model's service did not answer in time: try again, or "
		    "allow more time");
	}
	explicit_bzero(authorization, strlen(authorization));
	free(authorization);
	buf_release(&url);
	return result < 0 ? -1 : 0;
}

/* NULL when there is no answer; FAIL says why. */
static cJSON *
ask(struct facts *facts, const char *key, const char *model, struct fail *fail)
{
	struct answer answer = { .done = false };

	do {
		if (answer.again &&
		    facts_pause(facts, answer.delay_ms, fail) < 0)
			return NULL;
		if (ask_once(facts, key, model, &answer, fail) < 0)
			return NULL;
	} while (answer.again && answer.attempt < TRIES &&
	    clock_boot() + answer.delay_ms < facts->until);
	if (answer.fact == NULL)
		*fail = answer.fail;
	return answer.fact;
}

int
facts_model(struct facts *facts, const struct task *task, cJSON *known,
    struct fail *fail)
{
	char *key, *path, *about, name[DIGEST_TEXT];
	cJSON *cache, *entry, *fact;

	if (file_secret("ANTHROPIC_API_KEY", &key, fail) < 0)
		return -1;
	if (key == NULL) /* it is checked where no such key belongs */
		return 0;
	about = mem_print("%s\n%s\n%s", facts->config->anthropic_url,
	    task->model, key);
	digest_hex(about, strlen(about), name);
	path = cache_path();
	cache = cache_read(path);
	entry = json_item(cache, name);
	if (cache_age(entry) <= FRESH_MS) {
		fact = cJSON_Duplicate(entry, true);
	} else {
		fact = ask(facts, key, task->model, fail);
		if (fact != NULL && path != NULL)
			cache_write(path, cache, name, fact);
		else if (fact == NULL && cache_age(entry) <= KEPT_MS &&
		    strcmp(fail->type, "bad_key") != 0)
			fact = cJSON_Duplicate(entry, true);
	}
	if (fact != NULL)
		cJSON_AddItemToObject(known, "model", fact);
	explicit_bzero(about, strlen(about));
	explicit_bzero(key, strlen(key));
	free(about);
	free(key);
	free(path);
	cJSON_Delete(cache);
	return fact != NULL ? 0 : -1;
}
