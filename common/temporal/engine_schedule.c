/* SPDX-License-Identifier: ISC */
/*
 * How it works: a schedule of the server starts the workflow; no program of ours
 * has to run for it. When a task is still open at the time of the next one, that
 * one is skipped. The memo of a schedule says what it is for; lists of schedules
 * contain it.
 */
#include <string.h>

#include "common/base/clock.h"
#include "common/temporal/start_request.h"

#define OBJECT_MAX (1u << 20)
#define PAGE 100

static int
missing(const char *id, struct fail *fail)
{
	if (strcmp(fail->type, "not_found") == 0)
		fail_set(fail, FAIL_NO, "no_schedule",
		    "there is no schedule %s", id);
	return -1;
}

/* The key was used before: for the same task at the same times? */
static int
compare(struct engine_temporal *own, struct start_request *start,
    const char *cron, struct fail *fail)
{
	const Api__DescribeScheduleResponse *response;
	const Api__ScheduleAction *action;
	struct span was = { "", 0 };

	if (temporal_schedule_describe(own->temporal, start->id, &start->answer,
		fail) < 0)
		return -1;
	response = (Api__DescribeScheduleResponse *)(void *)
		       start->answer.message;
	action = response->schedule != NULL ? response->schedule->action : NULL;
	(void)temporal_memo(response->memo, "cron", &was);
	start_request_again(start,
	    action != NULL &&
		    action->action_case ==
			API__SCHEDULE_ACTION__ACTION_START_WORKFLOW &&
		    json_is(was, cron)
		? action->start_workflow->input
		: NULL);
	return 0;
}

static int
send_create(struct engine_temporal *own, struct start_request *start,
    char *cron, struct fail *fail)
{
	Api__CreateScheduleRequest request;
	Api__ScheduleAction action;
	Api__SchedulePolicies policies;
	Api__ScheduleState state;
	Api__ScheduleSpec spec;
	Api__Schedule schedule;

	api__schedule_spec__init(&spec);
	spec.n_cron_string = 1;
	spec.cron_string = &cron;
	api__schedule_action__init(&action);
	action.action_case = API__SCHEDULE_ACTION__ACTION_START_WORKFLOW;
	action.start_workflow = start->what;
	api__schedule_policies__init(&policies);
	policies.overlap_policy = TEMPORAL_ENUM(SCHEDULE_OVERLAP_POLICY, SKIP);
	api__schedule_state__init(&state);
	api__schedule__init(&schedule);
	schedule.spec = &spec;
	schedule.action = &action;
	schedule.policies = &policies;
	schedule.state = &state;
	api__create_schedule_request__init(&request);
	request.schedule_id = start->id;
	request.schedule = &schedule;
	request.memo = start->what->memo;
	return temporal_call(own->temporal, &request.base, &start->answer,
	    fail);
}

static int
create(struct engine_temporal *own, struct submission *submission,
    const char *cron, struct fail *fail)
{
	struct start_request start;
	int result = -1;

	start_request_fill(&start, submission, cron);
	memcpy(submission->id, start.id, ID_TEXT);
	if (own->plain) {
		api__search_attributes__free_unpacked(
		    start.what->search_attributes, NULL);
		start.what->search_attributes = NULL;
	}
	if (temporal_check_size(start.size, "input", fail) == 0)
		result = send_create(own, &start, temporal_text(cron), fail);
	if (result < 0 && strcmp(fail->type, "already_exists") == 0 &&
	    submission->task->key != NULL)
		result = compare(own, &start, cron, fail);
	start_request_release(&start);
	return result;
}

int
engine_temporal_schedule(struct engine *engine, struct submission *submissions,
    size_t count, const char *cron, struct fail *fail)
{
	struct engine_temporal *own = engine_temporal_own(engine);
	size_t i;

	/* nobody sees the errors of starts by a schedule: each would fail
	 * silently if the server did not know the attributes */
	if (!own->plain)
		own->plain = engine_temporal_add_attributes(own, fail) < 0;
	for (i = 0; i < count; i++) {
		if (create(own, &submissions[i], cron, fail) == 0)
			continue;
		if (fail->kind == FAIL_NOT_NOW)
			return -1;
		submissions[i].refused = true;
		submissions[i].fail = *fail;
	}
	return 0;
}

static void
add_memo(struct buf *members, const Api__Memo *memo, const char *name)
{
	struct span value;

	if (temporal_memo(memo, name, &value))
		member_raw(members, name, value.at, value.length);
}

static void
add_time(struct buf *members, const char *name, const Api__Timestamp *timestamp)
{
	char text[CLOCK_TEXT];

	if (timestamp == NULL)
		return;
	clock_format(temporal_time(timestamp), text);
	member_string(members, name, text);
}

static int
tell(const Api__ScheduleListEntry *entry,
    int (*schedule)(void *context, struct span text), void *context)
{
	static const char *const names[] = { "cron", "user", "queue", "title",
		"key" };
	const Api__ScheduleListInfo *info = entry->info;
	struct buf text = BUF_INIT(OBJECT_MAX);
	const Api__ScheduleActionResult *last;
	int result;
	size_t i;

	buf_add_string(&text, "{");
	member_string(&text, "schedule", entry->schedule_id);
	for (i = 0; i < sizeof(names) / sizeof(*names); i++)
		add_memo(&text, entry->memo, names[i]);
	if (info != NULL) {
		member_raw(&text, "paused", info->paused ? "true" : "false",
		    info->paused ? 4 : 5);
		add_time(&text, "next_at",
		    info->n_future_action_times > 0
			? info->future_action_times[0]
			: NULL);
	}
	if (info != NULL && info->n_recent_actions > 0) {
		last = info->recent_actions[info->n_recent_actions - 1];
		add_time(&text, "last_at", last->actual_time);
		if (last->start_workflow_result != NULL)
			member_string(&text, "last_id",
			    last->start_workflow_result->workflow_id);
	}
	buf_add_string(&text, "}");
	result = schedule(context, (struct span){ text.data, text.length });
	buf_release(&text);
	return result;
}

/* The schedules whose memo has a "cron" are ours. */
static int
tell_page(const Api__ListSchedulesResponse *page,
    int (*schedule)(void *context, struct span text), void *context)
{
	struct span cron;
	int result = 0;
	size_t i;

	for (i = 0; i < page->n_schedules && result == 0; i++)
		if (temporal_memo(page->schedules[i]->memo, "cron", &cron))
			result = tell(page->schedules[i], schedule, context);
	return result;
}

int
engine_temporal_schedules(struct engine *engine,
    int (*schedule)(void *context, struct span text), void *context,
    struct fail *fail)
{
	struct temporal *temporal = engine_temporal_own(engine)->temporal;
	struct temporal_answer answer = { .done = false };
	const Api__ListSchedulesResponse *page = NULL;
	int result;

	do {
		result = temporal_schedule_list(temporal, PAGE,
		    page != NULL ? &page->next_page_token : NULL, &answer,
		    fail);
		page = (Api__ListSchedulesResponse *)(void *)answer.message;
		if (result == 0)
			result = tell_page(page, schedule, context);
	} while (result == 0 && page->next_page_token.len > 0);
	temporal_answer_release(&answer);
	return result;
}

int
engine_temporal_schedule_signal(struct engine *engine, const char *id,
    const char *signal, struct fail *fail)
{
	struct temporal *temporal = engine_temporal_own(engine)->temporal;
	struct temporal_answer answer = { .done = false };
	int result;

	if (engine_temporal_check_id(id, fail) < 0)
		return -1;
	if (strcmp(signal, "delete") == 0)
		result = temporal_schedule_delete(temporal, id, &answer, fail);
	else
		result = temporal_schedule_patch(temporal, id, signal, &answer,
		    fail);
	temporal_answer_release(&answer);
	return result < 0 ? missing(id, fail) : 0;
}
