/* SPDX-License-Identifier: ISC */
/*
 * How it works: the agent is folded once, when a worker takes the task, and
 * from then on event by event as they are appended; the journal is never read
 * twice.
 */
#include "common/store/task_session.h"

#include "common/agent/task_row.h"

struct folding {
	struct agent *agent;
	uint64_t seq;
};

static int
fold_event(void *context, uint64_t seq, struct span text, struct fail *fail)
{
	struct folding *folding = context;
	struct event event;
	int result;

	(void)seq;
	if (event_parse(text, &event, fail) < 0)
		return -1;
	result = agent_apply(folding->agent, &event, fail);
	event_release(&event);
	return result;
}

static int
fold_after(struct drive *drive, struct store *store, uint64_t after,
    struct fail *fail)
{
	struct folding folding = { .agent = drive->agent };

	if (store_read(store, &drive->row.id, after, fold_event, &folding,
		fail) != 0) {
		char id[ID_TEXT];

		id_format(&drive->row.id, id);
		return fail_prefix(fail, "task %s", id);
	}
	return 0;
}

int
drive_open(struct drive *drive, struct store *store, const struct task_row *row,
    struct fail *fail)
{
	drive->row = *row;
	drive->agent = agent_new();
	if (fold_after(drive, store, 0, fail) < 0) {
		drive_close(drive);
		return -1;
	}
	return 0;
}

void
drive_close(struct drive *drive)
{
	agent_free(drive->agent);
	drive->agent = NULL;
}

int
drive_catch_up(struct drive *drive, struct store *store, struct fail *fail)
{
	struct agent_summary summary;

	agent_summary(drive->agent, &summary);
	if (store_get(store, &drive->row.id, &drive->row, fail) < 0)
		return -1;
	if (drive->row.seq == summary.seq)
		return 0;
	return fold_after(drive, store, summary.seq, fail);
}

int
drive_record(struct drive *drive, struct store *store, int64_t now,
    enum event_type type, const char *members, size_t length, struct fail *fail)
{
	struct buf text = BUF_INIT(EVENT_MAX);
	struct event event = { .data = NULL };
	int result = -1;

	event_write(&text, drive->row.seq + 1, now, type, members, length);
	if (text.overflow) {
		fail_set(fail, FAIL_NEVER, "too_large",
		    "event %s is larger than %u bytes", event_type_name(type),
		    EVENT_MAX);
		goto out;
	}
	if (event_parse((struct span){ text.data, text.length }, &event, fail) <
		0 ||
	    agent_apply(drive->agent, &event, fail) < 0 ||
	    store_append(store, &drive->row.id, drive->row.seq + 1, text.data,
		text.length, fail) < 0)
		goto out;
	drive->row.seq++;
	if (drive->recorded)
		drive->recorded(drive->context, &event);
	result = 0;
out:
	event_release(&event);
	buf_release(&text);
	return result;
}

int
drive_plan(struct drive *drive, struct store *store, int64_t now,
    struct plan *ret_plan, struct fail *fail)
{
	struct plan plan;
	int result;

	for (;;) {
		agent_next(drive->agent, now, &plan);
		if (!plan.has_record)
			break;
		result = drive_record(drive, store, now, plan.record,
		    plan.record_members.data, plan.record_members.length, fail);
		plan_release(&plan);
		if (result < 0)
			return -1;
	}
	*ret_plan = plan;
	return 0;
}

int
drive_save(struct drive *drive, struct store *store, int64_t now,
    struct fail *fail)
{
	row_follow(&drive->row, drive->agent, now);
	return store_put(store, &drive->row, fail);
}
