/* SPDX-License-Identifier: ISC */
/*
 * timer: a sorted sequence (GLib's, a tree), one thread that waits for its first
 * entry.
 *
 * The clock is CLOCK_MONOTONIC: a rehearsal's delays don't jump with the wall
 * clock. Calls are made without the lock, so they may add timers.
 */
#include "cmd/standin/server/server.h"

#include <errno.h>
#include <glib.h>
#include <pthread.h>
#include <stdbool.h>

#include "common/base/mem.h"

struct entry {
	int64_t due; /* nanoseconds */
	void (*call)(void *argument);
	void *argument;
};

struct timer {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	GSequence *entries;
	bool ending;
};

static int64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static gint
by_due(gconstpointer a, gconstpointer b, gpointer context)
{
	int64_t first = ((const struct entry *)a)->due;
	int64_t second = ((const struct entry *)b)->due;

	(void)context;
	return (first > second) - (first < second);
}

static void *
run(void *argument)
{
	struct timer *timer = argument;
	struct timespec until;
	struct entry *first;
	GSequenceIter *at;

	pthread_mutex_lock(&timer->lock);
	for (;;) {
		at = g_sequence_get_begin_iter(timer->entries);
		first = g_sequence_iter_is_end(at) ? NULL : g_sequence_get(at);
		if (first != NULL &&
		    (timer->ending || first->due <= now_ns())) {
			g_sequence_remove(at);
			pthread_mutex_unlock(&timer->lock);
			first->call(first->argument);
			free(first);
			pthread_mutex_lock(&timer->lock);
		} else if (timer->ending) {
			break;
		} else if (first != NULL) {
			until.tv_sec = first->due / 1000000000;
			until.tv_nsec = first->due % 1000000000;
			pthread_cond_timedwait(&timer->changed, &timer->lock,
			    &until);
		} else {
			pthread_cond_wait(&timer->changed, &timer->lock);
		}
	}
	pthread_mutex_unlock(&timer->lock);
	return NULL;
}

int
timer_start(struct timer **ret_timer, struct fail *fail)
{
	struct timer *timer = mem_alloc(sizeof(*timer));
	pthread_condattr_t attributes;

	timer->entries = g_sequence_new(NULL);
	pthread_mutex_init(&timer->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&timer->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	errno = pthread_create(&timer->thread, NULL, run, timer);
	if (errno != 0) {
		timer_free(timer);
		return fail_errno(fail, "cannot start the timer thread");
	}
	*ret_timer = timer;
	return 0;
}

void
timer_add(struct timer *timer, int64_t delay, void (*call)(void *argument),
    void *argument)
{
	struct entry *entry;

	pthread_mutex_lock(&timer->lock);
	if (timer->ending) {
		pthread_mutex_unlock(&timer->lock);
		call(argument);
		return;
	}
	entry = mem_alloc(sizeof(*entry));
	*entry = (struct entry){ now_ns() + delay * 1000000, call, argument };
	g_sequence_insert_sorted(timer->entries, entry, by_due, NULL);
	pthread_cond_signal(&timer->changed);
	pthread_mutex_unlock(&timer->lock);
}

void
timer_drain(struct timer *timer)
{
	pthread_mutex_lock(&timer->lock);
	timer->ending = true;
	pthread_cond_signal(&timer->changed);
	pthread_mutex_unlock(&timer->lock);
	pthread_join(timer->thread, NULL);
}

void
timer_free(struct timer *timer)
{
	if (timer == NULL)
		return;
	pthread_cond_destroy(&timer->changed);
	pthread_mutex_destroy(&timer->lock);
	g_sequence_free(timer->entries);
	free(timer);
}
