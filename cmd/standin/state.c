/* SPDX-License-Identifier: ISC */
/*
 * state: Gmail's drafts and Linear's issues in a file, replaced as a whole
 * after each change: {"version":1,"drafts":[...],"issues":[...]}. A file of
 * another version is refused.
 */
#include <unistd.h>

#include "cmd/standin/standin.h"
#include "common/base/file.h"
#include "common/json/json.h"
#include "common/json/log.h"

#define STATE_BYTES ((size_t)256 << 20)
#define STATE_VERSION 1

void
standin_save(struct standin *standin)
{
	struct fail fail;
	cJSON *state;
	char *text;

	if (standin->state_path == NULL)
		return;
	state = cJSON_CreateObject();
	cJSON_AddNumberToObject(state, "version", STATE_VERSION);
	cJSON_AddItemToObject(state, "drafts", records_save(standin->drafts));
	cJSON_AddItemToObject(state, "issues", records_save(standin->issues));
	text = json_text(state);
	if (file_replace(standin->state_path, text, strlen(text), &fail) < 0)
		log_line("error", "state", "message", fail.message, NULL);
	free(text);
	cJSON_Delete(state);
}

bool
standin_knows_key(const struct standin *standin, const char *service,
    const char *key)
{
	const cJSON *keys = json_item(json_item(standin->script, "keys"),
			service),
		    *entry;

	if (keys == NULL)
		return *key != '\0';
	cJSON_ArrayForEach (entry, keys)
		if (cJSON_IsString(entry) &&
		    strcmp(entry->valuestring, key) == 0)
			return true;
	return false;
}

int
standin_restore(struct standin *standin, const char *path, struct fail *fail)
{
	struct buf text = BUF_INIT(STATE_BYTES);
	int64_t version = 0;
	cJSON *state = NULL;
	int result = -1;

	standin->state_path = path;
	if (path == NULL || access(path, F_OK) < 0)
		return 0;
	if (file_read(path, &text, fail) < 0)
		goto out;
	state = json_parse(text.data, text.length, &json_limits_upstream, fail);
	if (state == NULL) {
		fail_prefix(fail, "%s", path);
		goto out;
	}
	if (!json_integer(state, "version", &version) ||
	    version != STATE_VERSION) {
		fail_set(fail, FAIL_NEVER, "bad_state",
		    "%s is not a state file of this version", path);
		goto out;
	}
	records_restore(standin->drafts, json_item(state, "drafts"));
	records_restore(standin->issues, json_item(state, "issues"));
	result = 0;
out:
	cJSON_Delete(state);
	buf_release(&text);
	return result;
}
