/* SPDX-License-Identifier: ISC */
/*
 * Watches are in a table; the kernel gets a watch's slot and the slot's
 * generation, which changes whenever a watch leaves it. An event that was
 * fetched for a removed watch has an old generation and is dropped, even when
 * another watch has the slot by now.
 *
 * Timers are in a binary heap by time and then by the order in which they were
 * set. A timer that is set while callbacks run waits for the next call of
 * loop_turn, and its time is not before this one's, so timers that set
 * themselves again can neither keep a call from ending nor others from firing.
 *
 * The next time is given to the kernel as a timerfd on CLOCK_BOOTTIME and not
 * as epoll's own time-out, which stands still while the machine is suspended.
 */
#include "common/base/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"

#define EVENTS 64
#define NEVER INT64_MAX

struct slot {
	struct watch *watch; /* NULL: free */
	uint32_t generation;
	size_t next_free; /* its number, from 1; 0: the last one */
};

struct heap_entry {
	struct timer *timer;
	int64_t at;
	uint64_t order;
};

struct loop {
	int epoll;
	struct slot *slots; /* watch->slot is the index plus one */
	size_t slot_count, free_slot;
	struct heap_entry *heap; /* timer->slot is the index plus one */
	size_t heap_count, heap_room;
	uint64_t order;     /* of the next timer that is set */
	int64_t floor;      /* time of loop_turn during callbacks, else 0 */
	struct watch alarm; /* the timerfd */
	int64_t armed;      /* what it is set to, NEVER when not */
	struct watch signals;
	void (*handle)(void *context, int signal);
	void *handle_context;
	int made; /* callbacks of this call of loop_turn */
};

static void
alarm_ready(void *context, uint32_t events)
{
	struct loop *loop = context;
	uint64_t count;

	(void)events;
	/* This only wakes the loop; the heap shows which timers are due. */
	if (read(loop->alarm.fd, &count, sizeof count) > 0)
		loop->armed = NEVER;
	loop->made--;
}

int
loop_open(struct loop **ret_loop, struct fail *fail)
{
	struct loop *loop = mem_alloc(sizeof *loop);

	loop->armed = NEVER;
	loop->signals.fd = -1;
	loop->alarm.fd = -1;
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll < 0) {
		fail_errno(fail, "unable to make an epoll descriptor");
		goto out;
	}
	loop->alarm.fd = timerfd_create(CLOCK_BOOTTIME,
	    TFD_CLOEXEC | TFD_NONBLOCK);
	if (loop->alarm.fd < 0) {
		fail_errno(fail, "unable to make a timer descriptor");
		goto out;
	}
	loop->alarm.events = EPOLLIN;
	loop->alarm.ready = alarm_ready;
	loop->alarm.context = loop;
	if (loop_watch(loop, &loop->alarm, fail) < 0)
		goto out;
	*ret_loop = loop;
	return 0;
out:
	loop_close(loop);
	return -1;
}

void
loop_close(struct loop *loop)
{
	size_t i;

	if (!loop)
		return;
	for (i = 0; i < loop->slot_count; i++)
		if (loop->slots[i].watch)
			loop->slots[i].watch->slot = 0;
	for (i = 0; i < loop->heap_count; i++)
		loop->heap[i].timer->slot = 0;
	if (loop->signals.fd >= 0)
		close(loop->signals.fd);
	if (loop->alarm.fd >= 0)
		close(loop->alarm.fd);
	if (loop->epoll >= 0)
		close(loop->epoll);
	free(loop->slots);
	free(loop->heap);
	free(loop);
}

static size_t
take_slot(struct loop *loop, struct watch *watch)
{
	size_t slot = loop->free_slot, room, i;

	if (slot == 0) {
		room = loop->slot_count > 0 ? loop->slot_count * 2 : 16;
		loop->slots = mem_grow(loop->slots, room, sizeof *loop->slots);
		for (i = room; i > loop->slot_count; i--) {
			loop->slots[i - 1] = (struct slot){
				.next_free = loop->free_slot
			};
			loop->free_slot = i;
		}
		loop->slot_count = room;
		slot = loop->free_slot;
	}
	loop->free_slot = loop->slots[slot - 1].next_free;
	loop->slots[slot - 1].watch = watch;
	return slot;
}

static void
leave_slot(struct loop *loop, size_t number)
{
	struct slot *slot = &loop->slots[number - 1];

	slot->watch = NULL;
	slot->generation++;
	slot->next_free = loop->free_slot;
	loop->free_slot = number;
}

int
loop_watch(struct loop *loop, struct watch *watch, struct fail *fail)
{
	bool fresh = watch->slot == 0;
	size_t slot = fresh ? take_slot(loop, watch) : watch->slot;
	struct epoll_event event = { .events = watch->events };

	event.data.u64 = (uint64_t)loop->slots[slot - 1].generation << 32 |
	    slot;
	if (epoll_ctl(loop->epoll, fresh ? EPOLL_CTL_ADD : EPOLL_CTL_MOD,
		watch->fd, &event) < 0) {
		if (fresh)
			leave_slot(loop, slot);
		return fail_errno(fail, "unable to watch descriptor %d",
		    watch->fd);
	}
	watch->slot = slot;
	return 0;
}

void
loop_unwatch(struct loop *loop, struct watch *watch)
{
	if (watch->slot == 0)
		return;
	/* The kernel has removed a descriptor that is closed already. */
	epoll_ctl(loop->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
	leave_slot(loop, watch->slot);
	watch->slot = 0;
}

static bool
before(const struct heap_entry *a, const struct heap_entry *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void
set_entry(struct loop *loop, size_t index, struct heap_entry entry)
{
	loop->heap[index] = entry;
	entry.timer->slot = index + 1;
}

/* Puts ENTRY into its position, beginning at the free position INDEX. */
static void
sift(struct loop *loop, size_t index, struct heap_entry entry)
{
	size_t child;

	while (index > 0 && before(&entry, &loop->heap[(index - 1) / 2])) {
		set_entry(loop, index, loop->heap[(index - 1) / 2]);
		index = (index - 1) / 2;
	}
	for (;;) {
		child = index * 2 + 1;
		if (child >= loop->heap_count)
			break;
		if (child + 1 < loop->heap_count &&
		    before(&loop->heap[child + 1], &loop->heap[child]))
			child++;
		if (!before(&loop->heap[child], &entry))
			break;
		set_entry(loop, index, loop->heap[child]);
		index = child;
	}
	set_entry(loop, index, entry);
}

void
loop_timer(struct loop *loop, struct timer *timer, int64_t at)
{
	struct heap_entry entry = {
		.timer = timer,
		.at = at < loop->floor ? loop->floor : at,
		.order = loop->order++,
	};
	size_t index;

	timer->at = at;
	if (timer->slot != 0)
		index = timer->slot - 1;
	else {
		if (loop->heap_count == loop->heap_room) {
			loop->heap_room = loop->heap_room > 0
			    ? loop->heap_room * 2
			    : 16;
			loop->heap = mem_grow(loop->heap, loop->heap_room,
			    sizeof *loop->heap);
		}
		index = loop->heap_count++;
	}
	sift(loop, index, entry);
}

void
loop_cancel(struct loop *loop, struct timer *timer)
{
	size_t index;

	if (timer->slot == 0)
		return;
	index = timer->slot - 1;
	timer->slot = 0;
	loop->heap_count--;
	if (index < loop->heap_count)
		sift(loop, index, loop->heap[loop->heap_count]);
}

static void
signals_ready(void *context, uint32_t events)
{
	struct loop *loop = context;
	struct signalfd_siginfo info;

	(void)events;
	loop->made--;
	while (loop->signals.fd >= 0 &&
	    read(loop->signals.fd, &info, sizeof info) == sizeof info) {
		loop->made++;
		loop->handle(loop->handle_context, (int)info.ssi_signo);
	}
}

int
loop_signals(struct loop *loop, const int *signals,
    void (*handle)(void *context, int signal), void *context, struct fail *fail)
{
	struct sigaction old;
	sigset_t set;

	sigemptyset(&set);
	for (; *signals != 0; signals++)
		if (*signals != SIGHUP || sigaction(SIGHUP, NULL, &old) < 0 ||
		    old.sa_handler != SIG_IGN) /* not under nohup(1) */
			sigaddset(&set, *signals);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return fail_errno(fail, "unable to block signals");
	loop->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (loop->signals.fd < 0)
		return fail_errno(fail, "unable to make a signal descriptor");
	loop->signals.events = EPOLLIN;
	loop->signals.ready = signals_ready;
	loop->signals.context = loop;
	loop->handle = handle;
	loop->handle_context = context;
	return loop_watch(loop, &loop->signals, fail);
}

/* Makes epoll_wait return at AT. */
static int
set_alarm(struct loop *loop, int64_t at, struct fail *fail)
{
	struct itimerspec time = { 0 };

	if (at == loop->armed)
		return 0;
	if (at != NEVER) {
		time.it_value.tv_sec = at / 1000;
		time.it_value.tv_nsec = at % 1000 * 1000000;
	}
	if (timerfd_settime(loop->alarm.fd, TFD_TIMER_ABSTIME, &time, NULL) < 0)
		return fail_errno(fail, "unable to set a timer");
	loop->armed = at;
	return 0;
}

static void
call_ready(struct loop *loop, const struct epoll_event *events, int count)
{
	struct slot *slot;
	uint32_t happened;
	int i;

	for (i = 0; i < count; i++) {
		/* Callbacks may move the table. */
		slot = &loop->slots[(uint32_t)events[i].data.u64 - 1];
		if (!slot->watch ||
		    slot->generation != events[i].data.u64 >> 32)
			continue;
		happened = events[i].events &
		    (slot->watch->events | EPOLLERR | EPOLLHUP);
		if (happened == 0)
			continue;
		loop->made++;
		slot->watch->ready(slot->watch->context, happened);
	}
}

static void
fire_due(struct loop *loop)
{
	uint64_t first_new = loop->order;
	struct timer *timer;

	while (loop->heap_count > 0 && loop->heap[0].at <= loop->floor &&
	    loop->heap[0].order < first_new) {
		timer = loop->heap[0].timer;
		loop_cancel(loop, timer);
		loop->made++;
		timer->fire(timer->context);
	}
}

int
loop_turn(struct loop *loop, int64_t until, struct fail *fail)
{
	struct epoll_event events[EVENTS];
	int64_t wake = until < 0 ? NEVER : until;
	int count, timeout = -1;

	if (loop->heap_count > 0 && loop->heap[0].at < wake)
		wake = loop->heap[0].at;
	if (wake != NEVER && wake <= clock_boot())
		timeout = 0;
	else if (set_alarm(loop, wake, fail) < 0)
		return -1;
	count = epoll_wait(loop->epoll, events, EVENTS, timeout);
	if (count < 0 && errno != EINTR)
		return fail_errno(fail, "unable to wait for events");
	loop->made = 0;
	loop->floor = clock_boot();
	call_ready(loop, events, count);
	fire_due(loop);
	loop->floor = 0;
	return loop->made;
}
