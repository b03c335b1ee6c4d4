/* SPDX-License-Identifier: ISC */
/*
 * The environment of a store, its lock and its transactions.
 *
 * LMDB runs with MDB_NOLOCK: its own locks are keyed by pid and thread id,
 * and in containers that share a volume every process may have the same ones.
 * Instead the file "lock" has one OFD lock: shared for a read, exclusive for a
 * write. Readers therefore never overlap a writer, no table of readers is
 * needed, and pages that a commit frees are free for the next one.
 *
 * The map is far larger than the file, which grows with what is written, and
 * is doubled before a write transaction begins when less is left in it than
 * the caller announced. When another process has made it larger, LMDB reports
 * that at the beginning of a transaction and the new size is used. A configured
 * maximum limits this process only.
 *
 * After a failed commit (because the disk is full) LMDB may refuse everything
 * from then on; so the environment is closed, and the next transaction opens it
 * again and reads the true state of the disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/base/file.h"
#include "common/base/lock.h"
#include "common/base/mem.h"
#include "common/store/internal.h"

#define FIRST_MAP ((uint64_t)16 << 20)
#define SPARE ((uint64_t)8 << 20) /* left free in the map, and a quarter */
#define LOCK_MS 10000
#define VERSION_KEY "version"
#define STORE_OLDEST 1
#define NEARLY_FULL ((uint64_t)1 << 20)

const char *const store_tables[] = {
	[TABLE_META] = "meta",
	[TABLE_TASKS] = "tasks",
	[TABLE_JOURNAL] = "journal",
	[TABLE_READY] = "ready",
	[TABLE_PARKED] = "parked",
	[TABLE_DUE] = "due",
	[TABLE_LEASES] = "leases",
	[TABLE_WORKERS] = "workers",
	[TABLE_KEYS] = "keys",
	[TABLE_BY_USER] = "by_user",
	[TABLE_BY_STATE] = "by_state",
	[TABLE_COUNTERS] = "counters",
	[TABLE_SHARES] = "shares",
};
_Static_assert(sizeof(store_tables) / sizeof(*store_tables) == TABLES,
    "each table has a name");

int
db_fail(const struct store *store, int error, const char *doing,
    struct fail *fail)
{
	switch (error) {
	case MDB_MAP_FULL:
		if (store->maximum)
			return fail_set(fail, FAIL_NOT_NOW, "store_full",
			    "unable to %s %s: the store has reached its "
			    "configured maximum of %llu bytes; prune it "
			    "(agent-store prune) or raise store_bytes",
			    doing, store->folder,
			    (unsigned long long)store->maximum);
		return fail_set(fail, FAIL_NOT_NOW, "store_full",
		    "unable to %s %s: the transaction is larger than was "
		    "foreseen; try again",
		    doing, store->folder);
	case MDB_INVALID:
		return fail_set(fail, FAIL_NEVER, "not_a_store",
		    "unable to %s %s: data.mdb is not an LMDB file; name "
		    "another folder or restore a backup",
		    doing, store->folder);
	case MDB_VERSION_MISMATCH:
		return fail_set(fail, FAIL_NEVER, "store_version",
		    "unable to %s %s: data.mdb was written by another version "
		    "of LMDB",
		    doing, store->folder);
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_PANIC:
	case MDB_BAD_TXN:
	case MDB_CURSOR_FULL:
		return fail_set(fail, FAIL_NEVER, "store_damaged",
		    "unable to %s %s: data.mdb is damaged (%s); restore a "
		    "backup",
		    doing, store->folder, mdb_strerror(error));
	}
	if (error < 0)
		return fail_set(fail, FAIL_NOT_NOW, "system",
		    "unable to %s %s: %s", doing, store->folder,
		    mdb_strerror(error));
	errno = error;
	return fail_errno(fail, "unable to %s %s", doing, store->folder);
}

static int
fail_missing(const struct store *store, struct fail *fail)
{
	return fail_set(fail, FAIL_NEVER, "no_store",
	    "there is no store in %s; agent-submit makes one, or name another "
	    "folder with --store or AGENT_STORE",
	    store->folder);
}

static void
close_environment(struct store *store)
{
	mdb_env_close(store->env);
	store->env = NULL;
}

/* ---- the map ---- */

static uint64_t
used_bytes(struct store *store, uint64_t *ret_map)
{
	MDB_envinfo info;
	MDB_stat stat;

	mdb_env_info(store->env, &info);
	mdb_env_stat(store->env, &stat);
	*ret_map = info.me_mapsize;
	return ((uint64_t)info.me_last_pgno + 1) * stat.ms_psize;
}

void
db_want_more(struct store *store)
{
	(void)used_bytes(store, &store->wanted);
}

static int
set_map(struct store *store, uint64_t size, struct fail *fail)
{
	int error = mdb_env_set_mapsize(store->env, (size_t)size);

	if (error == 0)
		return 0;
	/* The old map may be gone: open the environment again next time. */
	close_environment(store);
	return db_fail(store, error, "map", fail);
}

/* Makes the map no larger than the maximum, since LMDB stops at its end. It is
 * never smaller than what is used already. */
static int
limit_map(struct store *store, struct fail *fail)
{
	uint64_t map;

	(void)used_bytes(store, &map);
	if (!store->maximum || map <= store->maximum)
		return 0;
	return set_map(store, store->maximum, fail);
}

static int
make_room(struct store *store, size_t room, struct fail *fail)
{
	uint64_t map, used, need, size;

	used = used_bytes(store, &map);
	need = used + map / 4 + SPARE + 2 * (uint64_t)room + store->wanted;
	store->wanted = 0;
	size = map;
	while (size < need)
		size *= 2;
	if (store->maximum && size > store->maximum)
		size = store->maximum;
	if (size <= map)
		return 0;
	return set_map(store, size, fail);
}

/* ---- the environment ---- */

static int
put_version(struct store *store, MDB_txn *txn)
{
	unsigned char bytes[4] = { 0, 0, 0, STORE_VERSION };
	char name[] = VERSION_KEY;
	MDB_val key = { strlen(name), name }, value = { sizeof(bytes), bytes };

	store->version = STORE_VERSION;
	return mdb_put(txn, store->tables[TABLE_META], &key, &value, 0);
}

static int
check_version(struct store *store, MDB_txn *txn, struct fail *fail)
{
	char name[] = VERSION_KEY;
	MDB_val key = { strlen(name), name }, value;
	const unsigned char *bytes;
	int error;

	error = mdb_get(txn, store->tables[TABLE_META], &key, &value);
	if (error == MDB_NOTFOUND || (error == 0 && value.mv_size != 4))
		return fail_set(fail, FAIL_NEVER, "not_a_store",
		    "%s is an LMDB environment but not a store: it has no "
		    "version",
		    store->folder);
	if (error)
		return db_fail(store, error, "read", fail);
	bytes = value.mv_data;
	store->version = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
	    (uint32_t)bytes[2] << 8 | bytes[3];
	if (store->version >= STORE_OLDEST && store->version <= STORE_VERSION)
		return 0;
	return fail_set(fail, FAIL_NEVER, "store_version",
	    "the store in %s has version %u and this program knows version %u;"
	    " use the agent-utils that wrote it",
	    store->folder, (unsigned)store->version, (unsigned)STORE_VERSION);
}

/* Opens the tables, or makes them and the version in an empty environment.
 * Returns 1 when it is empty and may not be changed. */
static int
open_tables(struct store *store, bool create, struct fail *fail)
{
	MDB_txn *txn = NULL;
	MDB_dbi names;
	MDB_stat stat;
	unsigned flags;
	size_t i;
	int error, result = -1;

	error = mdb_txn_begin(store->env, NULL, create ? 0 : MDB_RDONLY, &txn);
	if (!error)
		error = mdb_dbi_open(txn, NULL, 0, &names);
	if (!error)
		error = mdb_stat(txn, names, &stat);
	if (error)
		goto out;
	if (stat.ms_entries == 0 && !create) {
		result = 1;
		goto out;
	}
	flags = stat.ms_entries == 0 ? MDB_CREATE : 0;
	for (i = 0; i < TABLES; i++) {
		error = mdb_dbi_open(txn, store_tables[i], flags,
		    &store->tables[i]);
		if (error == MDB_NOTFOUND || error == MDB_INCOMPATIBLE) {
			error = 0;
			fail_set(fail, FAIL_NEVER, "not_a_store",
			    "%s is an LMDB environment but not a store: it "
			    "has no table \"%s\"",
			    store->folder, store_tables[i]);
			goto out;
		}
		if (error)
			goto out;
		if (i == 0 && flags)
			error = put_version(store, txn);
		else if (i == 0 && check_version(store, txn, fail) < 0)
			goto out;
		if (error)
			goto out;
	}
	error = mdb_txn_commit(txn);
	txn = NULL;
	if (!error)
		result = 0;
out:
	if (txn)
		mdb_txn_abort(txn);
	if (error)
		db_fail(store, error, "open", fail);
	return result;
}

/* Under the lock, exclusive when CREATE. Returns as open_tables. */
static int
open_environment(struct store *store, bool create, struct fail *fail)
{
	unsigned flags = MDB_NOLOCK | MDB_NOTLS;
	int error, fd, result = -1;

	if (store->mode == STORE_READ)
		flags |= MDB_RDONLY;
	if (store->tuning.unsynced)
		flags |= MDB_NOSYNC;
	error = mdb_env_create(&store->env);
	if (error)
		return db_fail(store, error, "open", fail);
	error = mdb_env_set_maxdbs(store->env, TABLES);
	if (!error && create)
		error = mdb_env_set_mapsize(store->env,
		    store->tuning.initial ? store->tuning.initial : FIRST_MAP);
	if (!error)
		error = mdb_env_open(store->env, store->folder, flags, 0600);
	if (error) {
		close_environment(store);
		return db_fail(store, error, "open", fail);
	}
	/* LMDB leaves this one open over exec. */
	if (mdb_env_get_fd(store->env, &fd) == 0)
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	if (limit_map(store, fail) == 0)
		result = open_tables(store, create, fail);
	if (result != 0 && store->env)
		close_environment(store);
	return result;
}

/* ---- opening ---- */

/* Whether data.mdb is not empty. */
static int
look_for_data(const struct store *store, bool *ret_there, struct fail *fail)
{
	struct stat data;

	if (stat(store->data_path, &data) == 0) {
		if (!S_ISREG(data.st_mode))
			return db_fail(store, MDB_INVALID, "open", fail);
		*ret_there = data.st_size > 0;
		return 0;
	}
	if (errno == ENOTDIR)
		return fail_set(fail, FAIL_NEVER, "not_a_store",
		    "%s is not a folder; a store is a folder with data.mdb in "
		    "it",
		    store->folder);
	if (errno != ENOENT)
		return fail_errno(fail, "unable to open the store %s",
		    store->folder);
	*ret_there = false;
	return 0;
}

static int
open_lock(struct store *store, struct fail *fail)
{
	store->lock = open(store->lock_path,
	    O_CLOEXEC |
		(store->mode != STORE_READ ? O_RDWR | O_CREAT : O_RDONLY),
	    0600);
	if (store->lock < 0 && errno == ENOENT && store->mode == STORE_READ) {
		store->lock = open(store->lock_path,
		    O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		/* Every writer makes the file before it writes, so if there
		 * is none and none can be made, nobody writes. */
		if (store->lock < 0 && errno == EROFS)
			return 0;
	}
	if (store->lock < 0)
		return fail_errno(fail, "unable to open %s", store->lock_path);
	return 0;
}

static int
take_lock(struct store *store, bool exclusive, struct fail *fail)
{
	if (store->lock < 0)
		return 0;
	return lock_take(store->lock, exclusive,
	    store->tuning.lock_ms ? store->tuning.lock_ms : LOCK_MS,
	    store->lock_path, fail);
}

static void
drop_lock(struct store *store)
{
	if (store->lock >= 0)
		lock_drop(store->lock);
}

/* Opens an existing environment with the shared lock, or makes a new one with
 * the exclusive lock. */
static int
open_or_create(struct store *store, struct fail *fail)
{
	bool create = false, there = false;
	int result;

	for (;;) {
		if (take_lock(store, create, fail) < 0)
			return -1;
		result = look_for_data(store, &there, fail);
		if (result == 0 && (there || create))
			result = open_environment(store, create, fail);
		else if (result == 0)
			result = 1;
		drop_lock(store);
		if (result <= 0)
			return result;
		if (store->mode != STORE_CREATE)
			return fail_missing(store, fail);
		create = true;
	}
}

int
db_open(struct store *store, struct fail *fail)
{
	bool there = false;

	store->data_path = mem_print("%s/data.mdb", store->folder);
	store->lock_path = mem_print("%s/lock", store->folder);
	store->lock = -1;
	if (look_for_data(store, &there, fail) < 0)
		return -1;
	if (!there && store->mode != STORE_CREATE)
		return fail_missing(store, fail);
	if (open_lock(store, fail) < 0 || open_or_create(store, fail) < 0)
		return -1;
	return there ? 0 : file_sync_parent(store->data_path, fail);
}

void
db_close(struct store *store)
{
	store_abort(store);
	if (store->env)
		close_environment(store);
	if (store->lock >= 0)
		close(store->lock);
	free(store->data_path);
	free(store->lock_path);
}

/* ---- transactions ---- */

/* A store that was removed or replaced while it is open must not be written to:
 * the data would be lost with the last descriptor. */
static int
check_files(struct store *store, struct fail *fail)
{
	struct stat data, lock;
	int fd;

	if (mdb_env_get_fd(store->env, &fd) == 0 && fstat(fd, &data) == 0 &&
	    fstat(store->lock, &lock) == 0 && data.st_nlink && lock.st_nlink)
		return 0;
	return fail_set(fail, FAIL_NOT_NOW, "no_store",
	    "the store in %s was removed or replaced while it was in use; "
	    "start again",
	    store->folder);
}

static int
begin(struct store *store, bool write, size_t room, struct fail *fail)
{
	int error, result;

	if (!store->env) {
		result = open_environment(store, false, fail);
		if (result)
			return result < 0 ? -1 : fail_missing(store, fail);
	}
	if (write &&
	    (check_files(store, fail) < 0 || make_room(store, room, fail) < 0))
		return -1;
	error = mdb_txn_begin(store->env, NULL, write ? 0 : MDB_RDONLY,
	    &store->txn);
	if (error == MDB_MAP_RESIZED) {
		if (set_map(store, 0, fail) < 0 || limit_map(store, fail) < 0)
			return -1;
		error = mdb_txn_begin(store->env, NULL, write ? 0 : MDB_RDONLY,
		    &store->txn);
	}
	if (error) {
		store->txn = NULL;
		return db_fail(store, error, "begin a transaction in", fail);
	}
	if (check_version(store, store->txn, fail) == 0)
		return 0;
	mdb_txn_abort(store->txn);
	store->txn = NULL;
	return -1;
}

int
store_begin(struct store *store, bool write, size_t room, struct fail *fail)
{
	if (store->txn || (write && store->mode == STORE_READ))
		return fail_set(fail, FAIL_NEVER, "internal",
		    "a transaction in %s was begun %s", store->folder,
		    store->txn
			? "inside another one"
			: "for writing in a store that is open for reading");
	if (take_lock(store, write, fail) < 0)
		return -1;
	if (begin(store, write, room, fail) < 0) {
		drop_lock(store);
		return -1;
	}
	store->writing = write;
	store->room = room;
	return 0;
}

/* LMDB reports a short write as an I/O error; its cause is the full disk. */
static int
disk_error(const struct store *store, int error)
{
	struct statvfs disk;

	if (error != EIO || statvfs(store->folder, &disk) < 0)
		return error;
	if ((uint64_t)disk.f_bavail * disk.f_frsize <
	    NEARLY_FULL + 2 * (uint64_t)store->room)
		return ENOSPC;
	return error;
}

int
store_commit(struct store *store, struct fail *fail)
{
	int error;

	if (!store->txn)
		return fail_set(fail, FAIL_NEVER, "internal",
		    "a commit in %s without a transaction", store->folder);
	if (!store->writing) {
		store_abort(store);
		return 0;
	}
	error = mdb_txn_commit(store->txn);
	store->txn = NULL;
	store->writing = false;
	if (error == MDB_MAP_FULL)
		db_want_more(store);
	if (error)
		close_environment(store);
	drop_lock(store);
	if (error)
		return db_fail(store, disk_error(store, error), "write to",
		    fail);
	return 0;
}

void
store_abort(struct store *store)
{
	if (!store->txn)
		return;
	mdb_txn_abort(store->txn);
	store->txn = NULL;
	store->writing = false;
	drop_lock(store);
}

int
db_sync(struct store *store, struct fail *fail)
{
	int error = mdb_env_sync(store->env, 1);

	if (error)
		return db_fail(store, disk_error(store, error), "sync", fail);
	return file_sync_parent(store->data_path, fail);
}
