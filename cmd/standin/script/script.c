/* SPDX-License-Identifier: ISC */
/*
 * script: every section is checked when the program starts, so that a script
 * that loads cannot fail in the middle of a rehearsal.
 */
#include "cmd/standin/script/script.h"

#include <fnmatch.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/json/json.h"
#include "common/json/yaml.h"

#define FILE_BYTES ((size_t)1 << 20)
#define DELAY_MOST 86400000

static const char *const sections[] = { "accounts", "beta", "drip", "faults",
	"keys", "latency", "model", "seed", "select", "teams", "tools", NULL };

cJSON *
script_read(const char *path, struct fail *fail)
{
	struct buf text = BUF_INIT(FILE_BYTES);
	cJSON *script = NULL;

	if (file_read(path, &text, fail) < 0)
		goto out;
	script = yaml_or_json(text.data, text.length, &json_limits_task, fail);
	if (script == NULL) {
		fail_prefix(fail, "%s", path);
	} else if (script_known(script, sections, "the script", fail) < 0 ||
	    script_check_latency(script, fail) < 0) {
		fail_prefix(fail, "%s", path);
		cJSON_Delete(script);
		script = NULL;
	}
out:
	buf_release(&text);
	return script;
}

int
script_known(const cJSON *object, const char *const *names, const char *where,
    struct fail *fail)
{
	const cJSON *member;
	const char *near;
	size_t i;

	if (!cJSON_IsObject(object))
		return fail_set(fail, FAIL_NEVER, "invalid_script",
		    "%s is not a mapping", where);
	cJSON_ArrayForEach (member, object) {
		for (i = 0; names[i] != NULL; i++)
			if (strcmp(names[i], member->string) == 0)
				break;
		if (names[i] != NULL)
			continue;
		near = json_nearest(member->string, names);
		return fail_set(fail, FAIL_NEVER, "invalid_script",
		    "%s has an unknown member \"%s\"%s%s%s", where,
		    member->string, near ? "; did you mean \"" : "",
		    near ? near : "", near ? "\"?" : "");
	}
	return 0;
}

int
script_number(const cJSON *object, const char *name, int64_t least,
    int64_t most, int64_t fallback, int64_t *ret_number, const char *where,
    struct fail *fail)
{
	int64_t number;

	if (json_item(object, name) == NULL) {
		*ret_number = fallback;
		return 0;
	}
	if (!json_integer(object, name, &number) || number < least ||
	    number > most)
		return fail_set(fail, FAIL_NEVER, "invalid_script",
		    "%s: \"%s\" must be a whole number from %lld to %lld",
		    where, name, (long long)least, (long long)most);
	*ret_number = number;
	return 0;
}

int
script_string(const cJSON *object, const char *name, const char *fallback,
    const char **ret_string, const char *where, struct fail *fail)
{
	const cJSON *value = json_item(object, name);

	if (value == NULL) {
		*ret_string = fallback;
		return 0;
	}
	if (!cJSON_IsString(value))
		return fail_set(fail, FAIL_NEVER, "invalid_script",
		    "%s: \"%s\" must be a string", where, name);
	*ret_string = value->valuestring;
	return 0;
}

int
script_range(const cJSON *value, struct script_range *ret_range,
    const char *where, struct fail *fail)
{
	static const char *const names[] = { "from", "to", NULL };
	int64_t most = (int64_t)1 << 50;
	struct script_range range = { 0, most };

	if (cJSON_IsNumber(value)) {
		range.from = range.to = (int64_t)value->valuedouble;
	} else if (value != NULL) {
		if (script_known(value, names, where, fail) < 0 ||
		    script_number(value, "from", 0, most, 0, &range.from, where,
			fail) < 0 ||
		    script_number(value, "to", 0, most, most, &range.to, where,
			fail) < 0)
			return -1;
	}
	*ret_range = range;
	return 0;
}

bool
script_in_range(const struct script_range *range, int64_t number)
{
	return number >= range->from && number <= range->to;
}

bool
script_glob(const char *glob, const char *name)
{
	return fnmatch(glob, name, 0) == 0;
}

static int
check_delay(const cJSON *value, const char *where, struct fail *fail)
{
	static const char *const names[] = { "after", "before", NULL };
	int64_t ignored;

	if (cJSON_IsNumber(value)) {
		if (value->valuedouble >= 0 && value->valuedouble <= DELAY_MOST)
			return 0;
		return fail_set(fail, FAIL_NEVER, "invalid_script",
		    "%s: a delay is 0 to %d milliseconds", where, DELAY_MOST);
	}
	if (script_known(value, names, where, fail) < 0 ||
	    script_number(value, "before", 0, DELAY_MOST, 0, &ignored, where,
		fail) < 0)
		return -1;
	return script_number(value, "after", 0, DELAY_MOST, 0, &ignored, where,
	    fail);
}

int
script_check_latency(const cJSON *script, struct fail *fail)
{
	static const char *const names[] = { "messages", "tools", NULL };
	const cJSON *latency, *tools, *entry;

	latency = json_item(script, "latency");
	if (latency == NULL)
		return 0;
	if (script_known(latency, names, "latency", fail) < 0)
		return -1;
	entry = json_item(latency, "messages");
	if (entry != NULL && check_delay(entry, "latency.messages", fail) < 0)
		return -1;
	tools = json_item(latency, "tools");
	if (cJSON_IsObject(tools)) {
		cJSON_ArrayForEach (entry, tools)
			if (check_delay(entry, "latency.tools", fail) < 0)
				return -1;
		return 0;
	}
	return tools == NULL ? 0 : check_delay(tools, "latency.tools", fail);
}

void
script_latency(const cJSON *script, const char *tool, int64_t *ret_before,
    int64_t *ret_after)
{
	const cJSON *latency, *value, *entry;

	*ret_before = *ret_after = 0;
	latency = json_item(script, "latency");
	value = json_item(latency, tool == NULL ? "messages" : "tools");
	if (tool != NULL && cJSON_IsObject(value)) {
		cJSON_ArrayForEach (entry, value)
			if (script_glob(entry->string, tool))
				break;
		value = entry;
	}
	/* A plain number comes after the work: a client that is cut off during
	 * the wait cannot know whether it was done. */
	if (value == NULL)
		return;
	if (cJSON_IsNumber(value)) {
		*ret_after = (int64_t)value->valuedouble;
	} else {
		json_integer(value, "before", ret_before);
		json_integer(value, "after", ret_after);
	}
}
