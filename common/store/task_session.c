/* SPDX-License-Identifier: ISC */
/*
 * How it works: the journal is folded once, when a worker takes the task, and
 * from then on each event as it is appended; the journal is not read twice, but
 * for results that the model wants to see again.
 */
#include "common/store/task_session.h"

#include "common/agent/read.h"

static int
fold_event(void *context, uint64_t seq, struct span text, struct fail *fail)
{
	struct event event;

	(void)seq;
	if (event_parse(text, &event, fail) < 0)
		return -1;
	return agent_apply(context, &event, fail);
}

static int
fold_after(struct task_session *session, struct store *store, uint64_t after,
    struct fail *fail)
{
	char id[ID_TEXT];

	if (store_read(store, &session->row.id, after, fold_event,
		session->agent, fail) != 0) {
		id_format(&session->row.id, id);
		return fail_prefix(fail, "task %s", id);
	}
	return 0;
}

int
session_open(struct task_session *session, struct store *store,
    const struct task_row *row, struct fail *fail)
{
	session->row = *row;
	session->agent = agent_new();
	if (fold_after(session, store, 0, fail) < 0) {
		session_close(session);
		return -1;
	}
	return 0;
}

void
session_close(struct task_session *session)
{
	agent_free(session->agent);
	session->agent = NULL;
}

int
session_catch_up(struct task_session *session, struct store *store,
    struct fail *fail)
{
	struct agent_summary summary;

	agent_summary(session->agent, &summary);
	if (store_get(store, &session->row.id, &session->row, fail) < 0)
		return -1;
	if (session->row.seq == summary.seq)
		return 0;
	return fold_after(session, store, summary.seq, fail);
}

int
session_record(struct task_session *session, struct store *store, int64_t now,
    enum event_type type, const char *members, size_t length, struct fail *fail)
{
	struct buf text = BUF_INIT(EVENT_MAX);
	struct event event;
	int result = -1;

	event_write(&text, session->row.seq + 1, now, type, members, length);
	if (text.overflow) {
		fail_set(fail, FAIL_NEVER, "too_large",
		    "event %s is larger than %u bytes", event_type_name(type),
		    EVENT_MAX);
		goto out;
	}
	if (event_parse((struct span){ text.data, text.length }, &event, fail) <
		0 ||
	    agent_apply(session->agent, &event, fail) < 0 ||
	    store_append(store, &session->row.id, session->row.seq + 1,
		text.data, text.length, fail) < 0)
		goto out;
	session->row.seq++;
	if (session->recorded)
		session->recorded(session->context, &event);
	result = 0;
out:
	buf_release(&text);
	return result;
}

int
session_release(struct task_session *session, struct store *store, int64_t now,
    const char *worker, const char *reason, struct fail *fail)
{
	struct buf members = BUF_INIT(EVENT_MAX);
	int result;

	member_string(&members, "worker", worker);
	member_string(&members, "reason", reason);
	result = session_record(session, store, now, EVENT_RELEASED,
	    members.data, members.length, fail);
	buf_release(&members);
	return result;
}

static int
take_recalled(void *context, uint64_t seq, struct span text, struct fail *fail)
{
	struct event event;

	(void)seq;
	if (event_parse(text, &event, fail) < 0)
		return -1;
	agent_recall(context, &event);
	return 1;
}

/* Hands over the events that calls are answered from. */
static int
recall(struct task_session *session, struct store *store, struct fail *fail)
{
	uint64_t seq;

	while ((seq = agent_wants(session->agent)) != 0)
		if (store_read(store, &session->row.id, seq - 1, take_recalled,
			session->agent, fail) != 1)
			return -1;
	return 0;
}

int
session_plan(struct task_session *session, struct store *store, int64_t now,
    struct plan *ret_plan, struct fail *fail)
{
	struct plan plan;
	int result;

	if (recall(session, store, fail) < 0)
		return -1;
	for (;;) {
		agent_next(session->agent, now, &plan);
		if (!plan.has_record)
			break;
		result = session_record(session, store, now, plan.record,
		    plan.record_members.data, plan.record_members.length, fail);
		plan_release(&plan);
		if (result < 0)
			return -1;
	}
	*ret_plan = plan;
	return 0;
}

int
session_save(struct task_session *session, struct store *store, int64_t now,
    struct fail *fail)
{
	row_follow(&session->row, session->agent, now);
	return store_put(store, &session->row, fail);
}
