/* SPDX-License-Identifier: ISC */
/*
 * store_tool: what the shell tests do to a store and no program of ours does.
 *
 *	store_tool hammer FOLDER SECONDS WORKERS
 *	store_tool hold FOLDER              begins to write and stops itself
 *	store_tool fill FOLDER BALLAST      commits until the disk is full, then
 *	                                    removes BALLAST and goes on
 *	store_tool damage FOLDER            drops one row of an index
 *	store_tool lose FOLDER              drops the first event
 *	store_tool version FOLDER N         says that it has version N
 *	store_tool newer FOLDER             begins the next task as a worker of a
 *	                                    newer version, and dies in it
 *
 * hammer: workers, each of them process 1 of its own pid namespace, submit,
 * lease, finish and rescue tasks with synced commits, and are killed at random
 * instants. Each writes what was acknowledged to FOLDER.acks. At the end every
 * acknowledged event must be there, byte for byte.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/store/internal.h"
#include "common/store/numbers.h"

#define WORKERS_MOST 32
#define PADDING 16000
#define LEASED_MOST 4

struct ack {
	struct id id;
	uint64_t seq, sum;
};

struct hand { /* one worker */
	struct store *store;
	struct id id;
	int acks;
	struct ack pending[16];
	size_t pending_count;
};

static void __attribute__((noreturn))
die(const char *doing, const struct fail *fail)
{
	fprintf(stderr, "store_tool: %s: %s (%s)\n", doing,
	    fail ? fail->message : "unexpected", fail ? fail->type : "");
	exit(fail ? (int)fail->kind : 2);
}

static struct store *
open_store(const char *folder, enum store_mode mode, uint64_t initial)
{
	struct store_tuning tuning = { .initial = initial };
	struct store *store;
	struct fail fail;

	if (store_open_tuned(folder, mode, 0, &tuning, &store, &fail) < 0)
		die("open", &fail);
	return store;
}

static uint32_t
dice(uint32_t sides)
{
	uint32_t number;

	if (getrandom(&number, sizeof(number), 0) < 0)
		die("getrandom", NULL);
	return number % sides;
}

static uint64_t
sum_of(struct span text)
{
	uint64_t sum = 14695981039346656037u;
	size_t i;

	for (i = 0; i < text.length; i++)
		sum = (sum ^ (uint8_t)text.at[i]) * 1099511628211u;
	return sum;
}

/* ---- one worker ---- */

static int
append(struct hand *hand, struct task_row *row, enum event_type type,
    const char *members, struct fail *fail)
{
	struct buf text = BUF_INIT(1u << 20);
	struct ack *ack = &hand->pending[hand->pending_count++];
	int result;

	event_write(&text, row->seq + 1, clock_wall(), type, members,
	    strlen(members));
	result = store_append(hand->store, &row->id, ++row->seq, text.data,
	    text.length, fail);
	ack->id = row->id;
	ack->seq = row->seq;
	ack->sum = sum_of((struct span){ text.data, text.length });
	buf_release(&text);
	return result;
}

static void
begin(struct hand *hand, bool write, size_t room)
{
	struct fail fail;

	hand->pending_count = 0;
	if (store_begin(hand->store, write, room, &fail) < 0)
		die("begin", &fail);
}

/* Commits, and writes down what is acknowledged by that. */
static void
commit(struct hand *hand)
{
	struct fail fail;
	size_t size = hand->pending_count * sizeof(hand->pending[0]);

	if (store_commit(hand->store, &fail) < 0)
		die("commit", &fail);
	if (size && write(hand->acks, hand->pending, size) != (ssize_t)size)
		die("write down", NULL);
}

static void
submit(struct hand *hand)
{
	struct task_row row, existing;
	struct fail fail;
	char *padding = mem_alloc(PADDING + 1), *members;
	uint32_t count = 1 + dice(3);

	begin(hand, true, count * (PADDING + 4096));
	while (count-- > 0) {
		memset(padding, 'a' + (int)dice(26), PADDING);
		padding[dice(PADDING)] = '\0';
		memset(&row, 0, sizeof(row));
		row.id = id_new();
		row.priority = (uint8_t)dice(10);
		snprintf(row.user, sizeof(row.user), "user %d", (int)dice(5));
		snprintf(row.queue, sizeof(row.queue), "queue%d", (int)dice(3));
		row.created_at = row.updated_at = clock_wall();
		members = mem_print(
		    "\"task\":{\"user\":\"%s\",\"goal\":"
		    "\"x%s\",\"toolkits\":[],\"tools\":[],\"model\":\"m\","
		    "\"max_tokens\":32000,\"queue\":\"%s\",\"priority\":%d,"
		    "\"budget\":{}}",
		    row.user, padding, row.queue, row.priority);
		if (store_create(hand->store, &row, &existing, &fail) != 0 ||
		    append(hand, &row, EVENT_SUBMITTED, members, &fail) < 0 ||
		    store_put(hand->store, &row, &fail) < 0)
			die("submit", &fail);
		free(members);
	}
	free(padding);
	commit(hand);
}

static void
release(struct hand *hand, struct task_row *row, bool cancel)
{
	struct fail fail;
	char name[ID_TEXT], *members;

	id_format(&row->worker, name);
	members = mem_print("\"worker\":\"%s\",\"reason\":\"test\"", name);
	row->state = cancel ? TASK_CANCELLED : TASK_QUEUED;
	if (cancel &&
	    append(hand, row, EVENT_SIGNAL, "\"signal\":\"cancel\"", &fail) < 0)
		die("signal", &fail);
	if (append(hand, row, cancel ? EVENT_CANCELLED : EVENT_RELEASED,
		members, &fail) < 0 ||
	    store_put(hand->store, row, &fail) < 0)
		die("release", &fail);
	free(members);
}

static void
work(struct hand *hand)
{
	struct store_limits limits = { 3, 0 };
	struct task_row rows[LEASED_MOST], row;
	struct fail fail;
	char name[ID_TEXT], *members;
	int count, i;

	begin(hand, true, LEASED_MOST * 4096);
	count = store_lease(hand->store, &hand->id, NULL, 0, &limits, rows,
	    1 + dice(LEASED_MOST), &fail);
	if (count < 0)
		die("lease", &fail);
	id_format(&hand->id, name);
	for (i = 0; i < count; i++) {
		members = mem_print("\"worker\":\"%s\",\"fence\":%" PRIu64,
		    name, rows[i].fence);
		if (append(hand, &rows[i], EVENT_STARTED, members, &fail) < 0 ||
		    store_put(hand->store, &rows[i], &fail) < 0)
			die("start", &fail);
		free(members);
	}
	commit(hand);

	begin(hand, true, LEASED_MOST * 4096);
	for (i = 0; i < count; i++) {
		if (store_get(hand->store, &rows[i].id, &row, &fail) < 0)
			die("get", &fail);
		if (row.fence != rows[i].fence || row.state != TASK_RUNNING)
			die("a living worker was robbed of a task", NULL);
		release(hand, &row, dice(2));
	}
	commit(hand);
}

static void
rescue(struct hand *hand)
{
	struct task_row rows[8];
	struct fail fail;
	int64_t next;
	int count, i;

	begin(hand, true, 8 * 4096);
	if (store_promote(hand->store, clock_wall(), &next, &fail) < 0)
		die("promote", &fail);
	count = store_orphans(hand->store, &hand->id, clock_boot(), rows, 8,
	    &fail);
	if (count < 0)
		die("orphans", &fail);
	for (i = 0; i < count; i++)
		release(hand, &rows[i], false);
	commit(hand);
}

static int
see_row(void *context, const struct task_row *row, const struct fail *why)
{
	(void)why;
	*(uint64_t *)context += row->seq;
	return 0;
}

static void
look(struct hand *hand)
{
	struct store_filter filter = { .state = -1, .limit = 20 };
	struct store_depth depth;
	uint64_t events = 0;
	struct fail fail;

	begin(hand, false, 0);
	if (store_list(hand->store, &filter, see_row, &events, &fail) < 0 ||
	    store_depth(hand->store, NULL, 0, &depth, &fail) < 0)
		die("look", &fail);
	store_abort(hand->store);
}

static void __attribute__((noreturn)) run_worker(const char *folder, int acks)
{
	struct hand hand = { .acks = acks };
	struct fail fail;

	/* The first processes of two namespaces must be as equal as can be. */
	if (getpid() != 1)
		die("not the first process of a pid namespace", NULL);
	hand.store = open_store(folder, STORE_WRITE, 0);
	hand.id = id_new();
	if (store_join(hand.store, &hand.id, &fail) < 0)
		die("join", &fail);
	begin(&hand, true, 0);
	if (store_renew(hand.store, &hand.id, clock_boot() + 600000, &fail) < 0)
		die("renew", &fail);
	commit(&hand);
	for (;;) {
		switch (dice(8)) {
		case 0:
		case 1:
		case 2:
			submit(&hand);
			break;
		case 3:
			rescue(&hand);
			break;
		case 4:
			look(&hand);
			break;
		default:
			work(&hand);
		}
	}
}

/* ---- hammer ---- */

static pid_t
spawn(const char *folder, int acks)
{
	pid_t pid;

	fflush(NULL);
	pid = (pid_t)syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, NULL, NULL,
	    NULL, 0);
	if (pid < 0)
		die("make a pid namespace", NULL);
	if (pid == 0)
		run_worker(folder, acks);
	return pid;
}

static void
end(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status) ||
	    WTERMSIG(status) != SIGKILL) {
		fprintf(stderr, "store_tool: a worker ended by itself: %d\n",
		    status);
		exit(1);
	}
}

struct wanted {
	struct ack ack;
	bool found;
};

static int
see_event(void *context, uint64_t seq, struct span text, struct fail *fail)
{
	struct wanted *wanted = context;

	(void)fail;
	wanted->found = seq == wanted->ack.seq &&
	    sum_of(text) == wanted->ack.sum;
	return 1;
}

static int64_t
count_lost(const char *folder, int acks, int64_t *ret_count)
{
	struct store *store = open_store(folder, STORE_READ, 0);
	struct wanted wanted;
	struct fail fail;
	int64_t lost = 0;

	if (store_begin(store, false, 0, &fail) < 0)
		die("begin", &fail);
	for (*ret_count = 0; pread(acks, &wanted.ack, sizeof(wanted.ack),
				 *ret_count * (int64_t)sizeof(wanted.ack)) ==
	     (ssize_t)sizeof(wanted.ack);
	     ++*ret_count) {
		wanted.found = false;
		if (store_read(store, &wanted.ack.id, wanted.ack.seq - 1,
			see_event, &wanted, &fail) < 0)
			die("read", &fail);
		lost += !wanted.found;
	}
	store_close(store);
	return lost;
}

static int
hammer(const char *folder, int seconds, int workers)
{
	pid_t pids[WORKERS_MOST];
	struct timespec pause = { 0, 0 };
	int64_t until, count, lost, kills = 0;
	char *path = mem_print("%s.acks", folder);
	struct stat data;
	int acks, i;

	if (workers > WORKERS_MOST)
		workers = WORKERS_MOST;
	acks = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	free(path);
	if (acks < 0)
		die("open the list of what is acknowledged", NULL);
	store_close(open_store(folder, STORE_CREATE, 1u << 20));
	for (i = 0; i < workers; i++)
		pids[i] = spawn(folder, acks);
	until = clock_boot() + seconds * 1000;
	while (clock_boot() < until) {
		/* Not to wait for anything: the instants must be random. */
		pause.tv_nsec = dice(20000000);
		nanosleep(&pause, NULL);
		i = (int)dice((uint32_t)workers);
		end(pids[i]);
		pids[i] = spawn(folder, acks);
		kills++;
	}
	for (i = 0; i < workers; i++)
		end(pids[i]);
	lost = count_lost(folder, acks, &count);
	path = mem_print("%s/data.mdb", folder);
	if (stat(path, &data) < 0)
		die("stat", NULL);
	free(path);
	printf("%" PRId64 " killed, %" PRId64 " events acknowledged, %" PRId64
	       " lost, %" PRId64 " bytes\n",
	    kills + workers, count, lost, (int64_t)data.st_size);
	return lost ? 1 : 0;
}

/* ---- the others ---- */

static int
hold(const char *folder)
{
	struct hand hand = { .store = open_store(folder, STORE_WRITE, 0) };

	begin(&hand, true, 0);
	raise(SIGSTOP);
	store_close(hand.store);
	return 0;
}

/* One task in a commit of its own. Returns 0, or -1 and the reason. */
static int
add_one(struct store *store, struct task_row *row, struct fail *fail)
{
	struct task_row existing;
	char text[8000];

	memset(row, 0, sizeof(*row));
	row->id = id_new();
	row->priority = 5;
	row->seq = 1;
	snprintf(row->user, sizeof(row->user), "ann");
	snprintf(row->queue, sizeof(row->queue), "default");
	memset(text, 'x', sizeof(text));
	if (store_begin(store, true, sizeof(text), fail) < 0)
		return -1;
	if (store_create(store, row, &existing, fail) < 0 ||
	    store_append(store, &row->id, 1, text, sizeof(text), fail) < 0) {
		store_abort(store);
		return -1;
	}
	return store_commit(store, fail);
}

static void
look_for(struct store *store, const struct id *ids, int count)
{
	struct task_row row;
	struct fail fail;
	int i;

	if (store_begin(store, false, 0, &fail) < 0)
		die("begin", &fail);
	for (i = 0; i < count; i++) {
		if (store_get(store, &ids[i], &row, &fail) < 0)
			die("an acknowledged task is lost", &fail);
	}
	store_abort(store);
}

static int
fill(const char *folder, const char *ballast)
{
	struct store *store = open_store(folder, STORE_CREATE, 0);
	struct id *ids = mem_grow(NULL, 100000, sizeof(*ids));
	struct task_row row;
	struct fail fail;
	int count = 0, tries;

	while (add_one(store, &row, &fail) == 0)
		ids[count++] = row.id;
	printf("%d acknowledged, then: %d %s: %s\n", count, (int)fail.kind,
	    fail.type, fail.message);
	look_for(store, ids, count);
	/* It stays like that, and harms nothing. */
	for (tries = 0; tries < 5; tries++) {
		if (add_one(store, &row, &fail) == 0)
			ids[count++] = row.id;
	}
	look_for(store, ids, count);
	if (unlink(ballast) < 0)
		die("remove the ballast", NULL);
	for (tries = 0; tries < 20; tries++) {
		if (add_one(store, &row, &fail) < 0)
			die("go on when there is room again", &fail);
		ids[count++] = row.id;
	}
	look_for(store, ids, count);
	store_close(store);
	free(ids);
	printf("went on to %d\n", count);
	return 0;
}

static int
damage(const char *folder, enum table table)
{
	struct hand hand = { .store = open_store(folder, STORE_WRITE, 0) };
	struct table_row row;
	struct fail fail;
	struct key key = { .length = 0 };

	begin(&hand, true, 0);
	if (table_seek(hand.store, table, &key, &row, &fail) != 1)
		die("find a row", NULL);
	key = key_of(row.key);
	if (table_drop(hand.store, table, &key, &fail) < 0)
		die("drop", &fail);
	commit(&hand);
	store_close(hand.store);
	return 0;
}

static int
set_version(const char *folder, int version)
{
	struct hand hand = { .store = open_store(folder, STORE_WRITE, 0) };
	struct key key = key_name("version");
	uint8_t bytes[4] = { 0, 0, 0, (uint8_t)version };
	struct fail fail;

	begin(&hand, true, 0);
	if (table_put(hand.store, TABLE_META, &key, bytes, 4, &fail) < 0)
		die("put", &fail);
	commit(&hand);
	store_close(hand.store);
	return 0;
}

/* Appends an event that no program of today can read. */
static int
newer(const char *folder)
{
	static const char text[] = "{\"v\":99}";
	struct hand hand = { .store = open_store(folder, STORE_WRITE, 0) };
	struct task_row row;
	struct fail fail;

	hand.id = id_new();
	if (store_join(hand.store, &hand.id, &fail) < 0)
		die("join", &fail);
	begin(&hand, true, 0);
	if (store_renew(hand.store, &hand.id, clock_boot() + 600000, &fail) <
		0 ||
	    store_lease(hand.store, &hand.id, NULL, 0, NULL, &row, 1, &fail) !=
		1 ||
	    store_append(hand.store, &row.id, ++row.seq, text, sizeof(text) - 1,
		&fail) < 0 ||
	    store_put(hand.store, &row, &fail) < 0)
		die("begin a task", &fail);
	commit(&hand);
	store_close(hand.store);
	return 0;
}

int
main(int argc, char **argv)
{
	const char *command = argc > 2 ? argv[1] : "";

	if (strcmp(command, "hammer") == 0 && argc == 5)
		return hammer(argv[2], (int)strtol(argv[3], NULL, 10),
		    (int)strtol(argv[4], NULL, 10));
	if (strcmp(command, "hold") == 0)
		return hold(argv[2]);
	if (strcmp(command, "fill") == 0 && argc == 4)
		return fill(argv[2], argv[3]);
	if (strcmp(command, "damage") == 0)
		return damage(argv[2], TABLE_READY);
	if (strcmp(command, "lose") == 0)
		return damage(argv[2], TABLE_JOURNAL);
	if (strcmp(command, "version") == 0 && argc == 4)
		return set_version(argv[2], (int)strtol(argv[3], NULL, 10));
	if (strcmp(command, "newer") == 0)
		return newer(argv[2]);
	fprintf(stderr, "store_tool: see the top of its source\n");
	return 100;
}
