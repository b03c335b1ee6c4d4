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
#include "common/base/clock.h"
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

static int
read_kind(const char *kind, struct fault *fault, struct fail *fail)
{
	size_t i;

	for (i = 0; kinds[i] != NULL; i++) {
		if (strcmp(kinds[i], kind) == 0) {
			fault->kind = (enum fault_kind)i;
			return 0;
		}
	}
	script_refuse(fail, "no kind of fault is called \"%s\"", kind);
	return script_hint(kind, kinds, fail);
}

static int
read_when(struct fault *fault, const cJSON *chance, struct fail *fail)
{
	const cJSON *number;
	struct script_range range;

	if (cJSON_IsArray(fault->at)) {
		cJSON_ArrayForEach (number, fault->at)
			if (!cJSON_IsNumber(number))
				return script_refuse(fail,
				    "a fault's \"at\" is a "
				    "number, a list of numbers or a range");
	} else if (script_range(fault->at, &range, "a fault's \"at\"", fail) <
	    0) {
		return -1;
	}
	fault->chance = 1;
	if (chance == NULL)
		return 0;
	if (!cJSON_IsNumber(chance) || chance->valuedouble < 0 ||
	    chance->valuedouble > 1)
		return script_refuse(fail,
		    "a fault's \"chance\" is a number from 0 to 1");
	fault->chance = chance->valuedouble;
	return 0;
}

static int
read_one(const cJSON *entry, struct fault *fault, struct fail *fail)
{
	const char *kind = "status";
	const cJSON *chance = NULL, *header;
	const struct script_member members[] = {
		{ "above", .number = &fault->above, 1, 1000000 },
		{ "at", .value = &fault->at }, { "body", .text = &fault->body },
		{ "chance", .value = &chance },
		{ "code", .number = &fault->code, 0, 1000000 },
		{ "delay", .number = &fault->delay_ms, 0, DELAY_MOST },
		{ "error_code", .text = &fault->error_code },
		{ "events", .number = &fault->events, 0, 1000000 },
		{ "every", .number = &fault->every, 1, 1000000000 },
		{ "headers", .value = &fault->headers },
		{ "kind", .text = &kind },
		{ "message", .text = &fault->message },
		{ "on", .text = &fault->on }, { "slug", .text = &fault->slug },
		{ "status", .number = &fault->status, 200, 599 },
		{ "times", .number = &fault->times, 1, 1000000000 },
		{ "type", .text = &fault->type }, { NULL }
	};

	*fault = (struct fault){ .times = -1,
		.status = 500,
		.delay_ms = 1000,
		.events = 3,
		.slug = "" };
	if (script_members(entry, members, "a fault", fail) < 0 ||
	    read_kind(kind, fault, fail) < 0 ||
	    read_when(fault, chance, fail) < 0)
		return -1;
	if (fault->on == NULL)
		return script_refuse(fail,
		    "a fault has an \"on\": messages, a pattern of tools or a "
		    "path");
	cJSON_ArrayForEach (header, fault->headers)
		if (header->string == NULL ||
		    !(cJSON_IsString(header) || cJSON_IsNumber(header) ||
			cJSON_IsBool(header)))
			return script_refuse(fail,
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
	faults->list = script_list(list, sizeof(*faults->list));
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

/* Whether there is room for one more request in a bucket that holds "above" of
 * them and is empty again after a second. */
static bool
has_room(struct fault *fault)
{
	int64_t now = clock_boot();

	fault->level -= (double)(now - fault->level_at) * (double)fault->above /
	    1000;
	fault->level_at = now;
	if (fault->level < 0)
		fault->level = 0;
	if (fault->level + 1 > (double)fault->above)
		return false;
	fault->level++;
	return true;
}

static bool
due(struct faults *faults, struct fault *fault)
{
	if (fault->times >= 0 && fault->fired >= fault->times)
		return false;
	if (fault->every > 0 && fault->seen % fault->every != 0)
		return false;
	if (!is_at(fault) || (fault->above > 0 && has_room(fault)))
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
		log_line("info", "fault", "kind", kinds[picked->kind], "on",
		    *name != '\0' ? name : path, NULL);
	return picked;
}
