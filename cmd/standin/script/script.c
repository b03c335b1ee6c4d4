/* SPDX-License-Identifier: ISC */
/*
 * script: every section is checked when the program starts, so that a script
 * that loads cannot fail in the middle of a rehearsal.
 */
#include "cmd/standin/script/script.h"

#include <fnmatch.h>
#include <stdarg.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/json/json.h"
#include "common/json/yaml.h"

#define FILE_BYTES ((size_t)1 << 20)
#define MEMBERS_MOST 20

static const char *const sections[] = { "accounts", "beta", "compaction",
	"drip", "faults", "keys", "latency", "logs", "model", "seed", "select",
	"teams", "tools", NULL };

static int
check_delay(const cJSON *value, const char *where, struct fail *fail)
{
	int64_t ignored = 0;
	const struct script_member members[] = { { "after", .number = &ignored,
						     0, DELAY_MOST },
		{ "before", .number = &ignored, 0, DELAY_MOST }, { NULL } };

	if (!cJSON_IsNumber(value))
		return script_members(value, members, where, fail);
	if (value->valuedouble >= 0 && value->valuedouble <= DELAY_MOST)
		return 0;
	return script_refuse(fail, "%s: a delay is 0 to %d milliseconds", where,
	    DELAY_MOST);
}

static int
check_latency(const cJSON *latency, struct fail *fail)
{
	const cJSON *messages = NULL, *tools = NULL, *entry;
	const struct script_member members[] = { { "messages",
						     .value = &messages },
		{ "tools", .value = &tools }, { NULL } };

	if (latency == NULL)
		return 0;
	if (script_members(latency, members, "latency", fail) < 0 ||
	    (messages != NULL &&
		check_delay(messages, "latency.messages", fail) < 0))
		return -1;
	if (tools == NULL || !cJSON_IsObject(tools))
		return tools == NULL
		    ? 0
		    : check_delay(tools, "latency.tools", fail);
	cJSON_ArrayForEach (entry, tools)
		if (check_delay(entry, "latency.tools", fail) < 0)
			return -1;
	return 0;
}

cJSON *
script_read(const char *path, struct fail *fail)
{
	struct buf text = BUF_INIT(FILE_BYTES);
	cJSON *script = NULL;

	if (file_read(path, &text, fail) < 0)
		goto out;
	script = yaml_or_json(text.data, text.length, &json_limits_task, fail);
	if (script == NULL ||
	    script_known(script, sections, "the script", fail) < 0 ||
	    check_latency(json_item(script, "latency"), fail) < 0) {
		fail_prefix(fail, "%s", path);
		cJSON_Delete(script);
		script = NULL;
	}
out:
	buf_release(&text);
	return script;
}

int
script_refuse(struct fail *fail, const char *format, ...)
{
	char message[sizeof(fail->message)];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	return fail_set(fail, FAIL_NEVER, "invalid_script", "%s", message);
}

int
script_hint(const char *word, const char *const *names, struct fail *fail)
{
	const char *near = json_nearest(word, names);
	size_t used = strlen(fail->message);

	if (near != NULL)
		snprintf(fail->message + used, sizeof(fail->message) - used,
		    "; did you mean \"%s\"?", near);
	return -1;
}

void *
script_list(const cJSON *list, size_t size)
{
	return mem_alloc(((size_t)cJSON_GetArraySize(list) + 1) * size);
}

int
script_known(const cJSON *object, const char *const *names, const char *where,
    struct fail *fail)
{
	const cJSON *member;
	size_t i;

	if (!cJSON_IsObject(object))
		return script_refuse(fail, "%s is not a mapping", where);
	cJSON_ArrayForEach (member, object) {
		for (i = 0; names[i] != NULL; i++)
			if (strcmp(names[i], member->string) == 0)
				break;
		if (names[i] != NULL)
			continue;
		script_refuse(fail, "%s has an unknown member \"%s\"", where,
		    member->string);
		return script_hint(member->string, names, fail);
	}
	return 0;
}

int
script_members(const cJSON *object, const struct script_member *members,
    const char *where, struct fail *fail)
{
	const char *names[MEMBERS_MOST + 1] = { NULL };
	const struct script_member *member;
	size_t count = 0;

	for (member = members; member->name != NULL; member++)
		names[count++] = member->name;
	if (script_known(object, names, where, fail) < 0)
		return -1;
	for (member = members; member->name != NULL; member++) {
		if (member->value != NULL)
			*member->value = json_item(object, member->name);
		if (member->flag != NULL)
			*member->flag = json_true(object, member->name);
		if ((member->text != NULL &&
			script_string(object, member->name, *member->text,
			    member->text, where, fail) < 0) ||
		    (member->number != NULL &&
			script_number(object, member->name, member->least,
			    member->most, *member->number, member->number,
			    where, fail) < 0))
			return -1;
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
		return script_refuse(fail,
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
		return script_refuse(fail, "%s: \"%s\" must be a string", where,
		    name);
	*ret_string = value->valuestring;
	return 0;
}

int
script_range(const cJSON *value, struct script_range *ret_range,
    const char *where, struct fail *fail)
{
	const int64_t most = (int64_t)1 << 50;
	struct script_range range = { 0, most };
	const struct script_member members[] = {
		{ "from", .number = &range.from, 0, most },
		{ "to", .number = &range.to, 0, most }, { NULL }
	};

	if (cJSON_IsNumber(value))
		range.from = range.to = (int64_t)value->valuedouble;
	else if (value != NULL &&
	    script_members(value, members, where, fail) < 0)
		return -1;
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
