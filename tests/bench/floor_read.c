/* SPDX-License-Identifier: ISC */
/*
 * The floor for a GET by CGI: what dash executes is the least program that
 * reads a task's row from LMDB and answers.
 */
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
main(void)
{
	const char *path = getenv("PATH_INFO"), *store = getenv("AGENT_STORE");
	unsigned char id[16];
	size_t digits = 0;
	unsigned digit;
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;
	MDB_val key = { sizeof(id), id }, value;

	for (path = path ? path : ""; *path && digits < 32; path++)
		if (sscanf(path, "%1x", &digit) == 1) {
			id[digits / 2] = (unsigned char)(id[digits / 2] << 4 |
			    digit);
			digits++;
		}
	if (!store || mdb_env_create(&env) || mdb_env_set_maxdbs(env, 16) ||
	    mdb_env_open(env, store, MDB_RDONLY | MDB_NOLOCK, 0600) ||
	    mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) ||
	    mdb_dbi_open(txn, "tasks", 0, &dbi) ||
	    mdb_get(txn, dbi, &key, &value))
		return 111;
	printf("Content-Type: application/json\r\n\r\n{\"bytes\":%zu}\n",
	    value.mv_size);
	return 0;
}
