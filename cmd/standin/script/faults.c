/* SPDX-License-Identifier: ISC */
/*
 * faults: every fault counts the requests that it matches, whether or not an
 * earlier one takes them; the first one that is due takes the request. The
 * random numbers come from one seeded stream, so a single client meets the
 * same faults in every run.
 */
#include "cmd/standin/script/faults.h"

#include <pthread.h>

#include "cmd/standin/script/script.h"
#include "common/base/mem.h"
#include "common/json/json.h"
#include "common/json/log.h"

struct faults {
	pthread_mutex_t lock;
	struct fault *list;
	size_t count;
	unsigned short seed[3];
};

static const char *const kinds[] = { "status", "status_after", "cut",
	"error_event", "drip", "garbage", "hang", "reset_before", "reset_after",
	"slow", "slow_before", NULL };

const char *
fault_name(const struct fault *fault)
{
	return kinds[fault->kind];
}

static int
read_kind(const cJSON *entry, struct fault *fault, struct fail *fail)
{
	const char *kind, *near;
	size_t i;

	if (script_string(entry, "kind", "status", &kind, "a fault", fail) < 0)
		return -1;
	for (i = 0; kinds[i] != NULL; i++) {
		if (strcmp(kinds[i], kind) == 0) {
			fault->kind = (enum fault_kind)i;
			return 0;
		}
	}
	near = json_nearest(kind, kinds);
	return fail_set(fail, FAIL_NEVER, "invalid_script",
	    "no kind of fault is called \"%s\"%s%s%s", kind,
	    near ? "; did you mean \"" : "", near ? near : "",
	    near ? "\"?" : "");
}

static int
read_when(const cJSON *entry, struct fault *fault, struct fail *fail)
{
	const cJSON *value, *number;
	struct script_range range;

	fault->at = json_item(entry, "at");
	if (cJSON_IsArray(fault->at)) {
		cJSON_ArrayForEach (number, fault->at)
			if (!cJSON_IsNumber(number))
				return fail_set(fail, FAIL_NEVER,
				    "invalid_script",
				    "a fault's \"at\" is a "
				    "number, a list of numbers or a range");
	} else if (script_range(fault->at, &range, "a fault's \"at\"", fail) <
	    0) {
		return -1;
	}
	fault->chance = 1;
	value = json_item(entry, "chance");
	if (value == NULL)
		return 0;
	if (!cJSON_IsNumber(value) || value->valuedouble < 0 ||
	    value->valuedouble > 1)
		return fail_set(fail, FAIL_NEVER, "invalid_script",
		    "a fault's \"chance\" is a number from 0 to 1");
	fault->chance = value->valuedouble;
	return 0;
}

static int
read_one(const cJSON *entry, struct fault *fault, struct fail *fail)
{
	static const char *const names[] = { "at", "body", "chance", "code",
		"delay", "error_code", "events", "every", "headers", "kind",
		"message", "on", "slug", "status", "times", "type", NULL };
	const cJSON *header;

	if (script_known(entry, names, "a fault", fail) < 0 ||
	    read_kind(entry, fault, fail) < 0 ||
	    read_when(entry, fault, fail) < 0 ||
	    script_string(entry, "on", NULL, &fault->on, "a fault", fail) < 0 ||
	    script_number(entry, "every", 1, 1000000000, 0, &fault->every,
		"a fault", fail) < 0 ||
	    script_number(entry, "times", 1, 1000000000, -1, &fault->times,
		"a fault", fail) < 0 ||
	    script_number(entry, "status", 200, 599, 500, &fault->status,
		"a fault", fail) < 0 ||
	    script_number(entry, "code", 0, 1000000, 0, &fault->code, "a fault",
		fail) < 0 ||
	    script_number(entry, "delay", 0, 86400000, 1000, &fault->delay_ms,
		"a fault", fail) < 0 ||
	    script_number(entry, "events", 0, 1000000, 3, &fault->events,
		"a fault", fail) < 0 ||
	    script_string(entry, "type", NULL, &fault->type, "a fault", fail) <
		0 ||
	    script_string(entry, "message", NULL, &fault->message, "a fault",
		fail) < 0 ||
	    script_string(entry, "body", NULL, &fault->body, "a fault", fail) <
		0 ||
	    script_string(entry, "error_code", NULL, &fault->error_code,
		"a fault", fail) < 0 ||
	    script_string(entry, "slug", "", &fault->slug, "a fault", fail) < 0)
		return -1;
	if (fault->on == NULL)
		return fail_set(fail, FAIL_NEVER, "invalid_script",
		    "a fault has an \"on\": messages, a pattern of tools or a "
		    "path");
	fault->headers = json_item(entry, "headers");
	cJSON_ArrayForEach (header, fault->headers)
		if (header->string == NULL ||
		    !(cJSON_IsString(header) || cJSON_IsNumber(header) ||
			cJSON_IsBool(header)))
			return fail_set(fail, FAIL_NEVER, "invalid_script",
			    "a fault's \"headers\" map names to values");
	return 0;
}

int
faults_new(const cJSON *script, struct faults **ret_faults, struct fail *fail)
{
	struct faults *faults = mem_alloc(sizeof(*faults));
	const cJSON *list, *entry;
	int64_t seed;

	pthread_mutex_init(&faults->lock, NULL);
	list = json_item(script, "faults");
	faults->list = mem_alloc(
	    ((size_t)cJSON_GetArraySize(list) + 1) * sizeof(*faults->list));
	if (script_number(script, "seed", 0, (int64_t)1 << 32, 1, &seed, "seed",
		fail) < 0)
		goto failed;
	faults->seed[0] = 0x330e;
	faults->seed[1] = (unsigned short)(seed & 0xffff);
	faults->seed[2] = (unsigned short)(seed >> 16 & 0xffff);
	cJSON_ArrayForEach (entry, list)
		if (read_one(entry, &faults->list[faults->count++], fail) < 0)
			goto failed;
	*ret_faults = faults;
	return 0;
failed:
	faults_free(faults);
	return fail_prefix(fail, "faults");
}

void
faults_free(struct faults *faults)
{
	if (faults == NULL)
		return;
	pthread_mutex_destroy(&faults->lock);
	free(faults->list);
	free(faults);
}

static bool
is_at(const struct fault *fault)
{
	const cJSON *number;
	struct script_range range;
	struct fail fail;

	if (!cJSON_IsArray(fault->at))
		return script_range(fault->at, &range, "", &fail) == 0 &&
		    script_in_range(&range, fault->seen);
	cJSON_ArrayForEach (number, fault->at)
		if ((int64_t)number->valuedouble == fault->seen)
			return true;
	return false;
}

static bool
due(struct faults *faults, struct fault *fault)
{
	if (fault->times >= 0 && fault->fired >= fault->times)
		return false;
	if (fault->every > 0 && fault->seen % fault->every != 0)
		return false;
	if (!is_at(fault))
		return false;
	return fault->chance >= 1 || erand48(faults->seed) < fault->chance;
}

const struct fault *
faults_pick(struct faults *faults, const char *name, const char *path)
{
	struct fault *fault, *picked = NULL;
	bool is_due;
	size_t i;

	if (faults->count == 0)
		return NULL;
	pthread_mutex_lock(&faults->lock);
	for (i = 0; i < faults->count; i++) {
		fault = &faults->list[i];
		if (!script_glob(fault->on, *fault->on == '/' ? path : name))
			continue;
		fault->seen++;
		is_due = due(faults, fault);
		if (is_due && picked == NULL) {
			picked = fault;
			fault->fired++;
		}
	}
	pthread_mutex_unlock(&faults->lock);
	if (picked != NULL)
		log_line("info", "fault", "kind", fault_name(picked), "on",
		    *name != '\0' ? name : path, NULL);
	return picked;
}
