/* SPDX-License-Identifier: ISC */
/*
 * The list of all owns the records; a table has a list for each user.
 */
#include "cmd/standin/tools/tools.h"

#include <glib.h>

#include "cmd/standin/build.h"
#include "common/base/mem.h"
#include "common/json/json.h"

struct records {
	GPtrArray *all;
	GHashTable *users; /* user -> GPtrArray, not owned */
};

static void
record_free(gpointer pointer)
{
	struct record *record = pointer;

	free(record->user);
	cJSON_Delete(record->arguments);
	free(record);
}

static void
array_free(gpointer array)
{
	g_ptr_array_free(array, TRUE);
}

struct records *
records_new(void)
{
	struct records *records = mem_alloc(sizeof(*records));

	records->all = g_ptr_array_new_with_free_func(record_free);
	records->users = g_hash_table_new_full(g_str_hash, g_str_equal, NULL,
	    array_free);
	return records;
}

void
records_free(struct records *records)
{
	if (records == NULL)
		return;
	g_hash_table_destroy(records->users);
	g_ptr_array_free(records->all, TRUE);
	free(records);
}

const struct record *
records_add(struct records *records, const char *user, int64_t date,
    const cJSON *arguments)
{
	struct record *record = mem_alloc(sizeof(*record));
	GPtrArray *own = g_hash_table_lookup(records->users, user);

	*record = (struct record){ .number = records->all->len + 1,
		.user = mem_string(user),
		.date = date,
		.arguments = cJSON_Duplicate(arguments, true) };
	g_ptr_array_add(records->all, record);
	if (own == NULL) {
		own = g_ptr_array_new();
		g_hash_table_insert(records->users, record->user, own);
	}
	g_ptr_array_add(own, record);
	return record;
}

size_t
records_count(const struct records *records, const char *user)
{
	const GPtrArray *own = g_hash_table_lookup(records->users, user);

	return own != NULL ? own->len : 0;
}

const struct record *
records_newest(const struct records *records, const char *user, size_t index)
{
	const GPtrArray *own = g_hash_table_lookup(records->users, user);

	return own != NULL && index < own->len
	    ? g_ptr_array_index(own, own->len - 1 - index)
	    : NULL;
}

cJSON *
records_save(const struct records *records)
{
	cJSON *saved = cJSON_CreateArray();
	const struct record *record;
	guint i;

	for (i = 0; i < records->all->len; i++) {
		record = g_ptr_array_index(records->all, i);
		cJSON_AddItemToArray(saved,
		    build("{'user':%s,'date':%n,'arguments':%j}", record->user,
			record->date,
			cJSON_Duplicate(record->arguments, true)));
	}
	return saved;
}

void
records_restore(struct records *records, const cJSON *saved)
{
	const cJSON *one;
	const char *user;
	int64_t date;

	cJSON_ArrayForEach (one, saved) {
		user = json_string(one, "user");
		if (user != NULL && json_integer(one, "date", &date) &&
		    cJSON_IsObject(json_item(one, "arguments")))
			records_add(records, user, date,
			    json_item(one, "arguments"));
	}
}
