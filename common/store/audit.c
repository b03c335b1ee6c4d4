/* SPDX-License-Identifier: ISC */
/*
 * The row of a task is the state that its journal folds to; only the position in
 * the queue is not in the journal.
 */
#include "common/store/admin.h"

#include "common/agent/agent.h"
#include "common/agent/journal.h"

/* A task that waited and whose time has come is queued without an event. */
static bool
same_state(enum task_state folded, enum task_state row)
{
	return folded == row || (folded == TASK_WAITING && row == TASK_QUEUED);
}

static int
compare(const struct agent *agent, const struct task_row *row,
    struct fail *fail)
{
	struct agent_summary folded;

	agent_summary(agent, &folded);
	if (!same_state(folded.state, row->state))
		return fail_set(fail, FAIL_NO, "fault",
		    "its journal says that it is %s, its row %s",
		    task_state_name(folded.state), task_state_name(row->state));
	if (folded.turns != row->turns || folded.calls != row->calls ||
	    folded.calls_unknown != row->calls_unknown ||
	    folded.input_tokens != row->input_tokens ||
	    folded.output_tokens != row->output_tokens ||
	    folded.cache_read_tokens != row->cache_read_tokens ||
	    folded.cache_write_tokens != row->cache_write_tokens ||
	    folded.nano_usd != row->nano_usd)
		return fail_set(fail, FAIL_NO, "fault",
		    "the turns, calls or cost of its row are not those of "
		    "its journal");
	return 0;
}

int
audit_journal(const struct task_row *row, const struct span *texts,
    size_t count, struct fail *fail)
{
	struct agent *agent = agent_new();
	struct event event;
	size_t i;
	int result = 0;

	for (i = 0; i < count; i++) {
		result = event_parse(texts[i], &event, fail) < 0
		    ? -1
		    : agent_apply(agent, &event, fail);
		if (result < 0)
			break;
	}
	if (result < 0)
		fail_prefix(fail, "event %zu of its journal", i + 1);
	else
		result = compare(agent, row, fail);
	agent_free(agent);
	return result;
}
