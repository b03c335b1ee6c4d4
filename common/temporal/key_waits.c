/* SPDX-License-Identifier: ISC */
/*
 * How it works: a sorted array of the ids of the tasks that wait. When the key is
 * accepted, a few signals at a time are under way until it is empty. A task may
 * have stopped waiting since then: the signal says for what it is, and does
 * nothing to one that waits for something else.
 */
#include "common/temporal/key_waits.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

#define IDS_MOST 10000 /* others go on when their time has come */
#define SIGNALS 8      /* at a time */

struct key_signal {
	struct worker_temporal *worker;
	struct temporal_answer answer;
	bool busy;
};

struct key_waits {
	char **ids;
	size_t count;
	bool waking;
	struct key_signal signals[SIGNALS];
};

/* Where ID is, or belongs. */
static size_t
find(const struct key_waits *waits, const char *id)
{
	size_t low = 0, high = waits->count, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (strcmp(waits->ids[middle], id) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void
key_waits_note(struct worker_temporal *worker, const char *id, bool waits_now)
{
	struct key_waits *waits = worker->key_waits;
	char **at;
	bool there;
	size_t i;

	if (waits == NULL && !waits_now)
		return;
	if (waits == NULL) {
		waits = worker->key_waits = mem_alloc(sizeof(*waits));
		waits->ids = mem_alloc(IDS_MOST * sizeof(*waits->ids));
	}
	i = find(waits, id);
	at = &waits->ids[i];
	there = i < waits->count && strcmp(*at, id) == 0;
	if (there && !waits_now) {
		free(*at);
		memmove(at, at + 1, (--waits->count - i) * sizeof(*at));
	} else if (!there && waits_now && waits->count < IDS_MOST) {
		memmove(at + 1, at, (waits->count++ - i) * sizeof(*at));
		*at = mem_string(id);
	}
}

static void
signal_more(struct worker_temporal *worker);

static void
signal_came(void *context, struct temporal_answer *answer)
{
	struct key_signal *signal = context;

	temporal_answer_release(answer);
	signal->busy = false;
	signal_more(signal->worker);
}

static void
signal_more(struct worker_temporal *worker)
{
	static const char input[] = "{\"for\":\"key\",\"by\":\"worker\"}";
	struct key_waits *waits = worker->key_waits;
	struct key_signal *signal;
	struct fail fail;
	size_t i;
	char *id;

	for (i = 0; i < SIGNALS && waits->waking && waits->count > 0; i++) {
		signal = &waits->signals[i];
		if (signal->busy)
			continue;
		id = waits->ids[--waits->count];
		signal->worker = worker;
		signal->answer.then = signal_came;
		signal->answer.context = signal;
		signal->busy = temporal_signal(worker->temporal, id, NULL,
				   "resume",
				   (struct span){ input, sizeof(input) - 1 },
				   &signal->answer, &fail) == 0;
		free(id);
	}
	waits->waking = waits->waking && waits->count > 0;
}

void
key_waits_wake(struct worker_temporal *worker, bool accepted)
{
	if (worker->key_waits == NULL)
		return;
	worker->key_waits->waking = accepted;
	signal_more(worker);
}

void
key_waits_free(struct key_waits *waits)
{
	size_t i;

	if (waits == NULL)
		return;
	for (i = 0; i < SIGNALS; i++)
		temporal_answer_release(&waits->signals[i].answer);
	for (i = 0; i < waits->count; i++)
		free(waits->ids[i]);
	free(waits->ids);
	free(waits);
}
