/* SPDX-License-Identifier: ISC */
/*
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
#include "common/store/db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/base/lock.h"
#include "common/base/mem.h"
#include "common/store/db_internal.h"

#define FIRST_MAP ((uint64_t)16 << 20)
#define SPARE ((uint64_t)8 << 20) /* left free in the map, and a quarter */
#define LOCK_MS 10000
#define VERSION_KEY "version"
#define NEARLY_FULL ((uint64_t)1 << 20)

int
db_fail(const struct db *db, int error, const char *doing, struct fail *fail)
{
	switch (error) {
	case MDB_MAP_FULL:
		if (db->options.maximum)
			return fail_set(fail, FAIL_NOT_NOW, "store_full",
			    "unable to %s %s: the store has reached its "
			    "configured maximum of %llu bytes; prune it "
			    "(agent-store prune) or raise store_bytes",
			    doing, db->folder,
			    (unsigned long long)db->options.maximum);
		return fail_set(fail, FAIL_NOT_NOW, "store_full",
		    "unable to %s %s: the transaction is larger than was "
		    "foreseen; try again",
		    doing, db->folder);
	case MDB_INVALID:
		return fail_set(fail, FAIL_NEVER, "not_a_store",
		    "unable to %s %s: data.mdb is not an LMDB file; name "
		    "another folder or restore a backup",
		    doing, db->folder);
	case MDB_VERSION_MISMATCH:
		return fail_set(fail, FAIL_NEVER, "store_version",
		    "unable to %s %s: data.mdb was written by another version "
		    "of LMDB",
		    doing, db->folder);
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_PANIC:
	case MDB_BAD_TXN:
	case MDB_CURSOR_FULL:
		return fail_set(fail, FAIL_NEVER, "store_damaged",
		    "unable to %s %s: data.mdb is damaged (%s); restore a "
		    "backup",
		    doing, db->folder, mdb_strerror(error));
	}
	if (error < 0)
		return fail_set(fail, FAIL_NOT_NOW, "system",
		    "unable to %s %s: %s", doing, db->folder,
		    mdb_strerror(error));
	errno = error;
	return fail_errno(fail, "unable to %s %s", doing, db->folder);
}

static int
fail_missing(const struct db *db, struct fail *fail)
{
	return fail_set(fail, FAIL_NEVER, "no_store",
	    "there is no store in %s; agent-submit makes one, or name another "
	    "folder with --store or AGENT_STORE",
	    db->folder);
}

static void
close_environment(struct db *db)
{
	mdb_env_close(db->env);
	db->env = NULL;
}

/* ---- the map ---- */

static uint64_t
used_bytes(struct db *db, uint64_t *ret_map)
{
	MDB_envinfo info;
	MDB_stat stat;

	mdb_env_info(db->env, &info);
	mdb_env_stat(db->env, &stat);
	*ret_map = info.me_mapsize;
	return ((uint64_t)info.me_last_pgno + 1) * stat.ms_psize;
}

void
db_want_more(struct db *db)
{
	(void)used_bytes(db, &db->wanted);
}

static int
set_map(struct db *db, uint64_t size, struct fail *fail)
{
	int error = mdb_env_set_mapsize(db->env, (size_t)size);

	if (error == 0)
		return 0;
	/* The old map may be gone: open the environment again next time. */
	close_environment(db);
	return db_fail(db, error, "map", fail);
}

/* Makes the map no larger than the maximum, since LMDB stops at its end. It is
 * never smaller than what is used already. */
static int
limit_map(struct db *db, struct fail *fail)
{
	uint64_t map;

	(void)used_bytes(db, &map);
	if (!db->options.maximum || map <= db->options.maximum)
		return 0;
	return set_map(db, db->options.maximum, fail);
}

static int
make_room(struct db *db, size_t room, struct fail *fail)
{
	uint64_t map, used, need, size;

	used = used_bytes(db, &map);
	need = used + map / 4 + SPARE + 2 * (uint64_t)room + db->wanted;
	db->wanted = 0;
	size = map;
	while (size < need)
		size *= 2;
	if (db->options.maximum && size > db->options.maximum)
		size = db->options.maximum;
	if (size <= map)
		return 0;
	return set_map(db, size, fail);
}

/* ---- the environment ---- */

static int
put_version(struct db *db, MDB_txn *txn)
{
	uint32_t version = db->options.version;
	unsigned char bytes[4] = { (unsigned char)(version >> 24),
		(unsigned char)(version >> 16), (unsigned char)(version >> 8),
		(unsigned char)version };
	MDB_val key = { strlen(VERSION_KEY), NULL };
	MDB_val value = { sizeof(bytes), bytes };
	char name[] = VERSION_KEY;

	key.mv_data = name;
	return mdb_put(txn, db->tables[0], &key, &value, 0);
}

static int
check_version(struct db *db, MDB_txn *txn, struct fail *fail)
{
	char name[] = VERSION_KEY;
	MDB_val key = { strlen(VERSION_KEY), name }, value;
	const unsigned char *bytes;
	uint32_t version;
	int error;

	error = mdb_get(txn, db->tables[0], &key, &value);
	if (error == MDB_NOTFOUND || (error == 0 && value.mv_size != 4))
		return fail_set(fail, FAIL_NEVER, "not_a_store",
		    "%s is an LMDB environment but not a store: it has no "
		    "version",
		    db->folder);
	if (error)
		return db_fail(db, error, "read", fail);
	bytes = value.mv_data;
	version = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
	    (uint32_t)bytes[2] << 8 | bytes[3];
	if (version == db->options.version ||
	    (db->options.oldest != 0 && version >= db->options.oldest &&
		version < db->options.version))
		return 0;
	return fail_set(fail, FAIL_NEVER, "store_version",
	    "the store in %s has version %u and this program knows version %u;"
	    " use the agent-utils that wrote it",
	    db->folder, (unsigned)version, (unsigned)db->options.version);
}

/* Opens the tables, or makes them and the version in an empty environment.
 * Returns 1 when it is empty and may not be changed. */
static int
open_tables(struct db *db, bool create, struct fail *fail)
{
	MDB_txn *txn = NULL;
	MDB_dbi names;
	MDB_stat stat;
	unsigned flags;
	size_t i;
	int error, result = -1;

	error = mdb_txn_begin(db->env, NULL, create ? 0 : MDB_RDONLY, &txn);
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
	for (i = 0; i < db->options.table_count; i++) {
		error = mdb_dbi_open(txn, db->options.tables[i], flags,
		    &db->tables[i]);
		if (error == MDB_NOTFOUND || error == MDB_INCOMPATIBLE) {
			error = 0;
			fail_set(fail, FAIL_NEVER, "not_a_store",
			    "%s is an LMDB environment but not a store: it "
			    "has no table \"%s\"",
			    db->folder, db->options.tables[i]);
			goto out;
		}
		if (error)
			goto out;
		if (i == 0 && flags)
			error = put_version(db, txn);
		else if (i == 0 && check_version(db, txn, fail) < 0)
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
		db_fail(db, error, "open", fail);
	return result;
}

/* Under the lock, exclusive when CREATE. Returns as open_tables. */
static int
open_environment(struct db *db, bool create, struct fail *fail)
{
	unsigned flags = MDB_NOLOCK | MDB_NOTLS;
	int error, fd, result = -1;

	if (!db->options.write)
		flags |= MDB_RDONLY;
	if (db->options.unsynced)
		flags |= MDB_NOSYNC;
	error = mdb_env_create(&db->env);
	if (error)
		return db_fail(db, error, "open", fail);
	error = mdb_env_set_maxdbs(db->env, DB_TABLES_MAX);
	if (!error && create)
		error = mdb_env_set_mapsize(db->env,
		    db->options.initial ? db->options.initial : FIRST_MAP);
	if (!error)
		error = mdb_env_open(db->env, db->folder, flags, 0600);
	if (error) {
		close_environment(db);
		return db_fail(db, error, "open", fail);
	}
	/* LMDB leaves this one open over exec. */
	if (mdb_env_get_fd(db->env, &fd) == 0)
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	if (limit_map(db, fail) == 0)
		result = open_tables(db, create, fail);
	if (result != 0 && db->env)
		close_environment(db);
	return result;
}

/* ---- opening ---- */

/* Whether data.mdb is not empty. */
static int
look_for_data(const struct db *db, bool *ret_there, struct fail *fail)
{
	struct stat data;

	if (stat(db->data_path, &data) == 0) {
		if (!S_ISREG(data.st_mode))
			return db_fail(db, MDB_INVALID, "open", fail);
		*ret_there = data.st_size > 0;
		return 0;
	}
	if (errno == ENOTDIR)
		return fail_set(fail, FAIL_NEVER, "not_a_store",
		    "%s is not a folder; a store is a folder with data.mdb in "
		    "it",
		    db->folder);
	if (errno != ENOENT)
		return fail_errno(fail, "unable to open the store %s",
		    db->folder);
	*ret_there = false;
	return 0;
}

static int
open_lock(struct db *db, struct fail *fail)
{
	db->lock = open(db->lock_path,
	    O_CLOEXEC | (db->options.write ? O_RDWR | O_CREAT : O_RDONLY),
	    0600);
	if (db->lock < 0 && errno == ENOENT && !db->options.write) {
		db->lock = open(db->lock_path, O_RDWR | O_CREAT | O_CLOEXEC,
		    0600);
		/* Every writer makes the file before it writes, so if there
		 * is none and none can be made, nobody writes. */
		if (db->lock < 0 && errno == EROFS)
			return 0;
	}
	if (db->lock < 0)
		return fail_errno(fail, "unable to open %s", db->lock_path);
	return 0;
}

static int
take_lock(struct db *db, bool exclusive, struct fail *fail)
{
	if (db->lock < 0)
		return 0;
	return lock_take(db->lock, exclusive,
	    db->options.lock_ms ? db->options.lock_ms : LOCK_MS, db->lock_path,
	    fail);
}

static void
drop_lock(struct db *db)
{
	if (db->lock >= 0)
		lock_drop(db->lock);
}

/* Opens an existing environment with the shared lock, or makes a new one with
 * the exclusive lock. */
static int
open_or_create(struct db *db, struct fail *fail)
{
	bool create = false, there = false;
	int result;

	for (;;) {
		if (take_lock(db, create, fail) < 0)
			return -1;
		result = look_for_data(db, &there, fail);
		if (result == 0 && (there || create))
			result = open_environment(db, create, fail);
		else if (result == 0)
			result = 1;
		drop_lock(db);
		if (result <= 0)
			return result;
		if (!db->options.create)
			return fail_missing(db, fail);
		create = true;
	}
}

/* The names of the files in FOLDER are durable after this. */
static int
sync_folder(const char *folder, struct fail *fail)
{
	int fd, result = 0;

	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		result = fail_errno(fail, "unable to sync the folder %s",
		    folder);
	if (fd >= 0)
		close(fd);
	return result;
}

int
db_open(const char *folder, const struct db_options *options,
    struct db **ret_db, struct fail *fail)
{
	struct db *db = mem_alloc(sizeof(*db));
	bool there = false;
	int result = -1;

	db->options = *options;
	db->folder = mem_string(folder);
	db->data_path = mem_print("%s/data.mdb", folder);
	db->lock_path = mem_print("%s/lock", folder);
	db->lock = -1;
	if (look_for_data(db, &there, fail) < 0)
		goto out;
	if (!there && !options->create) {
		fail_missing(db, fail);
		goto out;
	}
	if (open_lock(db, fail) < 0 || open_or_create(db, fail) < 0)
		goto out;
	if (!there && sync_folder(folder, fail) < 0)
		goto out;
	*ret_db = db;
	db = NULL;
	result = 0;
out:
	db_close(db);
	return result;
}

void
db_close(struct db *db)
{
	if (!db)
		return;
	db_abort(db);
	if (db->env)
		close_environment(db);
	if (db->lock >= 0)
		close(db->lock);
	free(db->folder);
	free(db->data_path);
	free(db->lock_path);
	free(db);
}

/* ---- transactions ---- */

/* A store that was removed or replaced while it is open must not be written to:
 * the data would be lost with the last descriptor. */
static int
check_files(struct db *db, struct fail *fail)
{
	struct stat data, lock;
	int fd;

	if (mdb_env_get_fd(db->env, &fd) == 0 && fstat(fd, &data) == 0 &&
	    fstat(db->lock, &lock) == 0 && data.st_nlink && lock.st_nlink)
		return 0;
	return fail_set(fail, FAIL_NOT_NOW, "no_store",
	    "the store in %s was removed or replaced while it was in use; "
	    "start again",
	    db->folder);
}

static int
begin(struct db *db, bool write, size_t room, struct fail *fail)
{
	int error, result;

	if (!db->env) {
		result = open_environment(db, false, fail);
		if (result)
			return result < 0 ? -1 : fail_missing(db, fail);
	}
	if (write &&
	    (check_files(db, fail) < 0 || make_room(db, room, fail) < 0))
		return -1;
	error = mdb_txn_begin(db->env, NULL, write ? 0 : MDB_RDONLY, &db->txn);
	if (error == MDB_MAP_RESIZED) {
		if (set_map(db, 0, fail) < 0 || limit_map(db, fail) < 0)
			return -1;
		error = mdb_txn_begin(db->env, NULL, write ? 0 : MDB_RDONLY,
		    &db->txn);
	}
	if (error) {
		db->txn = NULL;
		return db_fail(db, error, "begin a transaction in", fail);
	}
	if (check_version(db, db->txn, fail) == 0)
		return 0;
	mdb_txn_abort(db->txn);
	db->txn = NULL;
	return -1;
}

int
db_begin(struct db *db, bool write, size_t room, struct fail *fail)
{
	if (db->txn || (write && !db->options.write))
		return fail_set(fail, FAIL_NEVER, "internal",
		    "a transaction in %s was begun %s", db->folder,
		    db->txn
			? "inside another one"
			: "for writing in a store that is open for reading");
	if (take_lock(db, write, fail) < 0)
		return -1;
	if (begin(db, write, room, fail) < 0) {
		drop_lock(db);
		return -1;
	}
	db->writing = write;
	db->room = room;
	return 0;
}

/* LMDB reports a short write as an I/O error; its cause is the full disk. */
static int
disk_error(const struct db *db, int error)
{
	struct statvfs disk;

	if (error != EIO || statvfs(db->folder, &disk) < 0)
		return error;
	if ((uint64_t)disk.f_bavail * disk.f_frsize <
	    NEARLY_FULL + 2 * (uint64_t)db->room)
		return ENOSPC;
	return error;
}

int
db_commit(struct db *db, struct fail *fail)
{
	int error;

	if (!db->txn)
		return fail_set(fail, FAIL_NEVER, "internal",
		    "a commit in %s without a transaction", db->folder);
	if (!db->writing) {
		db_abort(db);
		return 0;
	}
	error = mdb_txn_commit(db->txn);
	db->txn = NULL;
	db->writing = false;
	if (error == MDB_MAP_FULL)
		db_want_more(db);
	if (error)
		close_environment(db);
	drop_lock(db);
	if (error)
		return db_fail(db, disk_error(db, error), "write to", fail);
	return 0;
}

void
db_abort(struct db *db)
{
	if (!db->txn)
		return;
	mdb_txn_abort(db->txn);
	db->txn = NULL;
	db->writing = false;
	drop_lock(db);
}

bool
db_writing(const struct db *db)
{
	return db->txn && db->writing;
}

int
db_sync(struct db *db, struct fail *fail)
{
	int error = mdb_env_sync(db->env, 1);

	if (error)
		return db_fail(db, disk_error(db, error), "sync", fail);
	return sync_folder(db->folder, fail);
}
