/* SPDX-License-Identifier: ISC */
/*
 * How it works: an array that is searched from its beginning; when it is full,
 * the history that was not used for the longest time goes.
 */
#include "common/temporal/history.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

#define CACHE_MAX 512

struct entry {
	char *run;
	struct temporal_history *history;
	uint64_t used; /* when, of the cache's clock */
};

struct history_cache {
	struct entry entries[CACHE_MAX];
	size_t count;
	uint64_t clock;
};

struct history_cache *
history_cache_new(void)
{
	return mem_alloc(sizeof(struct history_cache));
}

static struct entry *
find(struct history_cache *cache, const char *run)
{
	size_t i;

	for (i = 0; i < cache->count; i++)
		if (strcmp(cache->entries[i].run, run) == 0)
			return &cache->entries[i];
	return NULL;
}

static void
drop(struct history_cache *cache, struct entry *entry)
{
	free(entry->run);
	temporal_history_free(entry->history);
	*entry = cache->entries[--cache->count];
}

void
history_cache_free(struct history_cache *cache)
{
	while (cache != NULL && cache->count > 0)
		drop(cache, cache->entries);
	free(cache);
}

struct temporal_history *
history_cache_get(struct history_cache *cache, const char *run)
{
	struct entry *entry = find(cache, run);

	if (entry == NULL)
		return NULL;
	entry->used = ++cache->clock;
	return entry->history;
}

struct temporal_history *
history_cache_take(struct history_cache *cache, const char *run)
{
	struct entry *entry = find(cache, run);
	struct temporal_history *history;

	if (entry == NULL)
		return NULL;
	history = entry->history;
	entry->history = NULL;
	drop(cache, entry);
	return history;
}

void
history_cache_put(struct history_cache *cache, const char *run,
    struct temporal_history *history)
{
	struct entry *entry = find(cache, run);
	size_t i, oldest = 0;

	if (entry != NULL)
		drop(cache, entry);
	if (history == NULL)
		return;
	if (cache->count == CACHE_MAX) {
		for (i = 1; i < CACHE_MAX; i++)
			if (cache->entries[i].used <
			    cache->entries[oldest].used)
				oldest = i;
		drop(cache, &cache->entries[oldest]);
	}
	cache->entries[cache->count++] = (struct entry){ .run = mem_string(run),
		.history = history,
		.used = ++cache->clock };
}
