/* SPDX-License-Identifier: ISC */
/*
 * timer: a binary heap by due time, one thread that waits for its top.
 *
 * The clock is CLOCK_MONOTONIC: a rehearsal's delays don't jump with the wall
 * clock. Calls are made without the lock, so they may add timers.
 */
#include "cmd/standin/server/timer.h"

#include <errno.h>
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
	struct entry *heap;
	size_t count, capacity;
	bool ending;
};

static int64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void
swap(struct entry *a, struct entry *b)
{
	struct entry kept = *a;

	*a = *b;
	*b = kept;
}

static void
sift_up(struct timer *timer, size_t at)
{
	size_t parent;

	for (; at > 0; at = parent) {
		parent = (at - 1) / 2;
		if (timer->heap[parent].due <= timer->heap[at].due)
			return;
		swap(&timer->heap[parent], &timer->heap[at]);
	}
}

static struct entry
pop(struct timer *timer)
{
	struct entry top = timer->heap[0];
	size_t at = 0, child;

	timer->heap[0] = timer->heap[--timer->count];
	for (;; at = child) {
		child = 2 * at + 1;
		if (child >= timer->count)
			return top;
		if (child + 1 < timer->count &&
		    timer->heap[child + 1].due < timer->heap[child].due)
			child++;
		if (timer->heap[at].due <= timer->heap[child].due)
			return top;
		swap(&timer->heap[at], &timer->heap[child]);
	}
}

static void *
run(void *argument)
{
	struct timer *timer = argument;
	struct timespec until;
	struct entry entry;

	pthread_mutex_lock(&timer->lock);
	for (;;) {
		if (timer->count > 0 &&
		    (timer->ending || timer->heap[0].due <= now_ns())) {
			entry = pop(timer);
			pthread_mutex_unlock(&timer->lock);
			entry.call(entry.argument);
			pthread_mutex_lock(&timer->lock);
		} else if (timer->ending) {
			break;
		} else if (timer->count > 0) {
			until.tv_sec = timer->heap[0].due / 1000000000;
			until.tv_nsec = timer->heap[0].due % 1000000000;
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
	pthread_mutex_lock(&timer->lock);
	if (timer->ending) {
		pthread_mutex_unlock(&timer->lock);
		call(argument);
		return;
	}
	if (timer->count == timer->capacity) {
		timer->capacity = timer->capacity ? timer->capacity * 2 : 64;
		timer->heap = mem_grow(timer->heap, timer->capacity,
		    sizeof(*timer->heap));
	}
	timer->heap[timer->count] = (struct entry){
		.due = now_ns() + delay * 1000000,
		.call = call,
		.argument = argument,
	};
	sift_up(timer, timer->count++);
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
	free(timer->heap);
	free(timer);
}
