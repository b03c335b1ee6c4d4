/* Stub, replaced below. */
#include "common/worker_temporal_internal.h"

int
notes_open(struct worker_temporal *worker, const char *folder,
    struct notes **ret_notes, struct fail *fail)
{
	(void)worker;
	(void)folder;
	(void)fail;
	*ret_notes = NULL;
	return 0;
}

void
notes_close(struct notes *notes)
{
	(void)notes;
}

void
notes_add(struct notes *notes, const char *workflow, const char *run,
    const char *activity)
{
	(void)notes; (void)workflow; (void)run; (void)activity;
}

void
notes_drop(struct notes *notes, const char *workflow, const char *run,
    const char *activity)
{
	(void)notes; (void)workflow; (void)run; (void)activity;
}

void
notes_touch(struct notes *notes)
{
	(void)notes;
}
