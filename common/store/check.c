/* SPDX-License-Identifier: ISC */
/*
 * What the parts of store_verify share, and the counters: tasks are counted as
 * they are looked at, and compared with what the counters say; and users with
 * parked rows must have something that will bring these back.
 */
#include "common/store/check.h"

#include <search.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/store/index.h"

void
check_fault(struct check *check, const char *format, ...)
{
	char sentence[1024];
	va_list list;

	va_start(list, format);
	vsnprintf(sentence, sizeof(sentence), format, list);
	va_end(list);
	check->faults++;
	check->fault(check->context, sentence);
}

int
check_each(struct check *check, enum table table,
    int (*row)(struct check *check, const struct table_row *row,
	struct fail *fail),
    struct fail *fail)
{
	struct MDB_cursor *cursor = NULL;
	enum cursor_move how = CURSOR_AT;
	struct table_row found;
	int result;

	check->table = table;
	if (cursor_open(check->store, table, &cursor, fail) < 0)
		return -1;
	for (;;) {
		result = cursor_move(check->store, cursor, how, NULL, &found,
		    fail);
		if (result <= 0)
			break;
		result = row(check, &found, fail);
		if (result < 0)
			break;
		how = CURSOR_NEXT;
	}
	cursor_close(cursor);
	return result;
}

/* ---- counters ---- */

/* A counter as it should be, or ('p') a user and queue with parked rows. */
struct tally {
	struct key key;
	struct counts counts;
	uint64_t running;
	bool seen;
};

static int
tally_compare(const void *a, const void *b)
{
	const struct key *one = &((const struct tally *)a)->key;
	const struct key *two = &((const struct tally *)b)->key;
	size_t least = one->length < two->length ? one->length : two->length;
	int order = memcmp(one->bytes, two->bytes, least);

	if (order)
		return order;
	return one->length < two->length ? -1 : one->length > two->length;
}

static struct tally *
tally_find(struct check *check, const struct key *key)
{
	struct tally wanted;
	void *found;

	wanted.key = *key;
	found = tfind(&wanted, &check->tallies, tally_compare);
	return found ? *(struct tally **)found : NULL;
}

static struct tally *
tally_make(struct check *check, const struct key *key)
{
	struct tally *tally = tally_find(check, key);

	if (tally)
		return tally;
	tally = mem_alloc(sizeof(*tally));
	tally->key = *key;
	if (!tsearch(tally, &check->tallies, tally_compare))
		abort();
	return tally;
}

static struct tally *
tally_first(const struct check *check)
{
	return check->tallies ? *(struct tally **)check->tallies : NULL;
}

static void
tally_free(struct check *check, struct tally *tally)
{
	tdelete(tally, &check->tallies, tally_compare);
	free(tally);
}

void
check_count(struct check *check, const struct task_row *row)
{
	struct key total = key_counter('t', "");
	struct key queue = key_counter('q', row->queue);
	struct key user = key_counter('u', row->user);
	struct key waits = sums_waits_key(row);
	int64_t sums[STORE_SUMS];
	struct tally *tally;

	tally = tally_make(check, &total);
	tally->counts.state[row->state]++;
	tally->counts.ready += index_ready(row);
	tally = tally_make(check, &queue);
	tally->counts.state[row->state]++;
	tally->counts.ready += index_ready(row);
	if (row->state == TASK_RUNNING)
		tally_make(check, &user)->running++;
	if (row->state == TASK_WAITING && check->waits_counted)
		tally_make(check, &waits)->running++;
	sums_of(row, sums);
	for (size_t i = 0; i < STORE_SUMS; i++)
		check->sums[i] = sums_plus(check->sums[i], sums[i]);
}

static const char *
counter_name(char kind)
{
	return kind == 't' ? "all tasks"
	    : kind == 'q'  ? "the queue"
	    : kind == 'w'  ? "the tasks that wait for"
	    : kind == 's'  ? "the sums"
			   : "the running tasks of the user";
}

static void
counter_fault(struct check *check, const struct key *key, const char *what)
{
	check_fault(check, "the counter of %s%s%.*s is %s",
	    counter_name((char)key->bytes[0]), key->length > 1 ? " " : "",
	    (int)key->length - 1, (const char *)key->bytes + 1, what);
}

/* The sums include pruned tasks. */
static void
check_sums(struct check *check, const struct table_row *row)
{
	int64_t sums[STORE_SUMS];
	struct fail broken;
	bool fine = sums_unpack(row->value, sums, &broken) == 0;
	size_t i;

	for (i = 0; fine && i < STORE_SUMS; i++)
		fine = sums[i] >= check->sums[i];
	if (!fine)
		check_fault(check,
		    "the sums are smaller than those of the tasks");
	check->summed = true;
}

static int
check_counter(struct check *check, const struct table_row *row,
    struct fail *fail)
{
	struct fail broken;
	struct tally *tally;
	struct counts counts;
	struct key key;
	uint64_t running = 0;
	bool equal;
	int result;

	(void)fail;
	key = key_of(row->key);
	if (key.bytes[0] == 's') {
		check_sums(check, row);
		return 0;
	}
	/* a day's cost goes with the clock */
	if (key.bytes[0] == 'd' ||
	    (key.bytes[0] == 'w' && !check->waits_counted))
		return 0;
	memset(&counts, 0, sizeof(counts));
	if (key.bytes[0] == 'u' || key.bytes[0] == 'w')
		result = unpack_number(row->value, &running, &broken);
	else
		result = unpack_counts(row->value, &counts, &broken);
	tally = tally_find(check, &key);
	equal = result == 0 && tally && tally->running == running &&
	    memcmp(&tally->counts, &counts, sizeof(counts)) == 0;
	if (tally)
		tally->seen = true;
	if (!equal)
		counter_fault(check, &key, "wrong");
	return 0;
}

/* Notes a user who has parked rows and runs nothing. */
static int
note_parked(struct check *check, const struct table_row *row, struct fail *fail)
{
	size_t user = strnlen(row->key.at, row->key.length);
	size_t queue;
	struct key key;

	(void)fail;
	if (user == row->key.length)
		return 0;
	queue = strnlen(row->key.at + user + 1, row->key.length - user - 1);
	if (user + 1 + queue >= row->key.length)
		return 0;
	key = key_counter('u', row->key.at);
	if (tally_find(check, &key))
		return 0;
	key.bytes[0] = 'p';
	memcpy(key.bytes + 1, row->key.at, user + 1 + queue);
	key.length = 1 + user + 1 + queue;
	(void)tally_make(check, &key);
	return 0;
}

static int
note_ready(struct check *check, const struct table_row *row, struct fail *fail)
{
	size_t queue = strnlen(row->key.at, row->key.length);
	size_t user = row->value.length ? row->value.length - 1 : 0;
	struct tally *tally;
	struct key key;

	(void)fail;
	if (user > TASK_USER_MAX || queue > TASK_QUEUE_MAX)
		return 0;
	key.bytes[0] = 'p';
	memcpy(key.bytes + 1, row->value.at + 1, user);
	key.bytes[1 + user] = '\0';
	memcpy(key.bytes + 2 + user, row->key.at, queue);
	key.length = 2 + user + queue;
	tally = tally_find(check, &key);
	if (tally)
		tally->seen = true;
	return 0;
}

static void
tell_unseen(struct check *check)
{
	const char *user, *queue;
	struct tally *tally;

	if (!check->summed && check->counted && check->sums[SUM_SUBMITTED] > 0)
		check_fault(check, "the sums are missing");
	while ((tally = tally_first(check))) {
		user = (const char *)tally->key.bytes + 1;
		queue = user + strlen(user) + 1;
		if (!tally->seen && tally->key.bytes[0] == 'p')
			check_fault(check,
			    "the user %s has parked tasks in the queue %s, and "
			    "nothing will unpark them",
			    user, queue);
		else if (!tally->seen)
			counter_fault(check, &tally->key, "missing");
		tally_free(check, tally);
	}
}

int
check_counters(struct check *check, struct fail *fail)
{
	if (check_each(check, TABLE_COUNTERS, check_counter, fail) < 0 ||
	    check_each(check, TABLE_PARKED, note_parked, fail) < 0 ||
	    check_each(check, TABLE_READY, note_ready, fail) < 0)
		return -1;
	tell_unseen(check);
	return 0;
}

void
check_release(struct check *check)
{
	struct tally *tally;

	while ((tally = tally_first(check)))
		tally_free(check, tally);
	free(check->texts);
}
