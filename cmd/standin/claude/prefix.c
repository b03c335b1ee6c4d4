/* SPDX-License-Identifier: ISC */
/*
 * claude_prefix: one SHA-256 (GLib's) runs over the request; it is copied and
 * finished at each message. Its input is not the text of the request but
 * its values, each with its type and length, so that no two requests run
 * together.
 *
 * A signature holds what it binds: the digest of the prefix and one of the
 * block's text. So nothing has to be remembered, and a stand-in that was
 * restarted still knows its own thinking blocks. It is a check against
 * mistakes, not against forgery.
 */
#include "cmd/standin/claude/prefix.h"

#include <glib.h>
#include <pthread.h>

#include "common/base/mem.h"
#include "common/json/json.h"

#define MARK "standin1"
#define MARK_SIZE 8
#define BYTES_A_TOKEN 4
#define LOOK_BACK 20
#define REMEMBERED 200000

struct walk {
	GChecksum *sum;
	int64_t bytes;
	bool marked, hour;
};

static void
feed(struct walk *walk, const char *kind, const char *text, size_t size)
{
	uint64_t length = size;

	g_checksum_update(walk->sum, (const guchar *)kind, 1);
	g_checksum_update(walk->sum, (const guchar *)&length, sizeof(length));
	g_checksum_update(walk->sum, (const guchar *)text, (gssize)size);
	walk->bytes += (int64_t)size;
}

static void
note_marker(struct walk *walk, const cJSON *marker)
{
	const char *ttl = json_string(marker, "ttl");

	walk->marked = true;
	if (ttl != NULL && strcmp(ttl, "1h") == 0)
		walk->hour = true;
}

static void
feed_value(struct walk *walk, const cJSON *value)
{
	const cJSON *child;

	if (cJSON_IsString(value)) {
		feed(walk, "s", value->valuestring, strlen(value->valuestring));
	} else if (cJSON_IsNumber(value)) {
		feed(walk, "n", (const char *)&value->valuedouble,
		    sizeof(value->valuedouble));
	} else if (cJSON_IsObject(value) || cJSON_IsArray(value)) {
		feed(walk, cJSON_IsObject(value) ? "{" : "[", "", 0);
		cJSON_ArrayForEach (child, value) {
			if (child->string != NULL) {
				if (strcmp(child->string, "cache_control") ==
				    0) {
					note_marker(walk, child);
					continue;
				}
				feed(walk, "k", child->string,
				    strlen(child->string));
			}
			feed_value(walk, child);
		}
		feed(walk, "]", "", 0);
	} else {
		feed(walk,
		    cJSON_IsTrue(value)        ? "t"
			: cJSON_IsFalse(value) ? "f"
					       : "0",
		    "", 0);
	}
}

/* A string, or an array of blocks: a text block alone is the same as a
 * string. */
static void
feed_content(struct walk *walk, const cJSON *content)
{
	const cJSON *block, *member;
	const char *type, *text;

	if (cJSON_IsString(content)) {
		feed(walk, "T", content->valuestring,
		    strlen(content->valuestring));
		return;
	}
	cJSON_ArrayForEach (block, content) {
		type = json_string(block, "type");
		text = json_string(block, "text");
		if (type == NULL || text == NULL || strcmp(type, "text") != 0) {
			feed_value(walk, block);
			continue;
		}
		feed(walk, "T", text, strlen(text));
		cJSON_ArrayForEach (member, block) {
			if (strcmp(member->string, "cache_control") == 0) {
				note_marker(walk, member);
			} else if (strcmp(member->string, "type") != 0 &&
			    strcmp(member->string, "text") != 0) {
				feed(walk, "k", member->string,
				    strlen(member->string));
				feed_value(walk, member);
			}
		}
	}
}

static void
close_entry(struct walk *walk, struct prefix_entry *entry)
{
	GChecksum *copy = g_checksum_copy(walk->sum);
	gsize size = PREFIX_DIGEST;

	g_checksum_get_digest(copy, entry->digest, &size);
	entry->bytes = walk->bytes;
	entry->marked = walk->marked;
	walk->marked = false;
	g_checksum_free(copy);
}

void
prefix_read(const cJSON *request, struct prefix *ret_prefix)
{
	const cJSON *messages, *message, *content;
	struct walk walk = { .sum = g_checksum_new(G_CHECKSUM_SHA256) };
	struct prefix prefix = { .count = 0 };
	const char *role, *before = "";

	messages = json_item(request, "messages");
	prefix.entries = mem_alloc(((size_t)cJSON_GetArraySize(messages) + 1) *
	    sizeof(*prefix.entries));
	content = json_item(request, "tools");
	if (content != NULL)
		feed_value(&walk, content);
	feed(&walk, "S", "", 0);
	feed_content(&walk, json_item(request, "system"));
	close_entry(&walk, &prefix.entries[prefix.count++]);
	cJSON_ArrayForEach (message, messages) {
		role = json_string(message, "role");
		if (strcmp(role, before) != 0)
			feed(&walk, "R", role, strlen(role));
		before = role;
		content = json_item(message, "content");
		feed_content(&walk, content);
		prefix.entries[prefix.count].blocks = cJSON_IsArray(content)
		    ? (size_t)cJSON_GetArraySize(content)
		    : 1;
		close_entry(&walk, &prefix.entries[prefix.count++]);
	}
	message = json_item(request, "cache_control");
	if (cJSON_IsObject(message)) {
		note_marker(&walk, message);
		prefix.entries[prefix.count - 1].marked = true;
	}
	prefix.hour = walk.hour;
	g_checksum_free(walk.sum);
	*ret_prefix = prefix;
}

void
prefix_release(struct prefix *prefix)
{
	free(prefix->entries);
	prefix->entries = NULL;
}

static void
digest_text(const char *text, uint8_t ret_digest[PREFIX_DIGEST])
{
	GChecksum *sum = g_checksum_new(G_CHECKSUM_SHA256);
	gsize size = PREFIX_DIGEST;

	g_checksum_update(sum, (const guchar *)text, (gssize)strlen(text));
	g_checksum_get_digest(sum, ret_digest, &size);
	g_checksum_free(sum);
}

char *
prefix_sign(const struct prefix *prefix, const char *thinking)
{
	uint8_t bytes[MARK_SIZE + 2 * PREFIX_DIGEST];
	char *text, *copy;

	memcpy(bytes, MARK, MARK_SIZE);
	memcpy(bytes + MARK_SIZE, prefix->entries[prefix->count - 1].digest,
	    PREFIX_DIGEST);
	digest_text(thinking, bytes + MARK_SIZE + PREFIX_DIGEST);
	text = g_base64_encode(bytes, sizeof(bytes));
	copy = mem_string(text);
	g_free(text);
	return copy;
}

enum prefix_verdict
prefix_check(const struct prefix *prefix, size_t index, const char *signature,
    const char *thinking)
{
	enum prefix_verdict verdict = PREFIX_FOREIGN;
	uint8_t text[PREFIX_DIGEST];
	guchar *bytes;
	gsize size;

	bytes = g_base64_decode(signature, &size);
	if (size == MARK_SIZE + 2 * PREFIX_DIGEST &&
	    memcmp(bytes, MARK, MARK_SIZE) == 0) {
		digest_text(thinking, text);
		verdict = PREFIX_SAME;
		if (memcmp(bytes + MARK_SIZE + PREFIX_DIGEST, text,
			PREFIX_DIGEST) != 0)
			verdict = PREFIX_EDITED;
		else if (memcmp(bytes + MARK_SIZE,
			     prefix->entries[index].digest, PREFIX_DIGEST) != 0)
			verdict = PREFIX_MOVED;
	}
	g_free(bytes);
	return verdict;
}

void
prefix_call_id(const struct prefix *prefix, size_t index,
    char ret_id[PREFIX_CALL_ID])
{
	GChecksum *sum = g_checksum_new(G_CHECKSUM_SHA256);
	uint64_t number = index;

	g_checksum_update(sum, prefix->entries[prefix->count - 1].digest,
	    PREFIX_DIGEST);
	g_checksum_update(sum, (const guchar *)&number, sizeof(number));
	snprintf(ret_id, PREFIX_CALL_ID, "toolu_%.24s",
	    g_checksum_get_string(sum));
	g_checksum_free(sum);
}

int64_t
prefix_tokens(int64_t bytes)
{
	return (bytes + BYTES_A_TOKEN - 1) / BYTES_A_TOKEN;
}

struct prompt_cache {
	pthread_mutex_t lock;
	GHashTable *digests;
};

static guint
digest_hash(gconstpointer digest)
{
	guint hash;

	memcpy(&hash, digest, sizeof(hash));
	return hash;
}

static gboolean
digest_equal(gconstpointer a, gconstpointer b)
{
	return memcmp(a, b, PREFIX_DIGEST) == 0;
}

struct prompt_cache *
prompt_cache_new(void)
{
	struct prompt_cache *cache = mem_alloc(sizeof(*cache));

	pthread_mutex_init(&cache->lock, NULL);
	cache->digests = g_hash_table_new_full(digest_hash, digest_equal, free,
	    NULL);
	return cache;
}

void
prompt_cache_free(struct prompt_cache *cache)
{
	if (cache == NULL)
		return;
	g_hash_table_destroy(cache->digests);
	pthread_mutex_destroy(&cache->lock);
	free(cache);
}

static void
remember(struct prompt_cache *cache, const struct prefix_entry *entry)
{
	if (g_hash_table_contains(cache->digests, entry->digest))
		return;
	g_hash_table_add(cache->digests,
	    mem_copy(entry->digest, PREFIX_DIGEST));
}

/* The longest prefix that a breakpoint at the end of entry AT finds: one that
 * ends at most LOOK_BACK - 1 blocks before. 0: none. */
static int64_t
look_back(const struct prompt_cache *cache, const struct prefix *prefix,
    size_t at)
{
	size_t blocks = 0;

	for (;; at--) {
		if (g_hash_table_contains(cache->digests,
			prefix->entries[at].digest))
			return prefix_tokens(prefix->entries[at].bytes);
		blocks += prefix->entries[at].blocks;
		if (at == 0 || blocks >= LOOK_BACK)
			return 0;
	}
}

void
prompt_cache_use(struct prompt_cache *cache, const struct prefix *prefix,
    int64_t least, struct prompt_tokens *ret_tokens)
{
	const struct prefix_entry *entry, *last;
	struct prompt_tokens tokens = { 0, 0, 0 };
	int64_t found, size, kept = 0;
	size_t i;

	last = &prefix->entries[prefix->count - 1];
	pthread_mutex_lock(&cache->lock);
	/* A rehearsal is short: when there are far too many digests, all are
	 * forgotten, which has the effect of an expiry. */
	if (g_hash_table_size(cache->digests) > REMEMBERED)
		g_hash_table_remove_all(cache->digests);
	for (i = prefix->count; i-- > 0;) {
		entry = &prefix->entries[i];
		size = prefix_tokens(entry->bytes);
		if (!entry->marked || size < least)
			continue;
		found = look_back(cache, prefix, i);
		tokens.read = found > tokens.read ? found : tokens.read;
		kept = size > kept ? size : kept;
	}
	for (i = 0; i < prefix->count; i++)
		if (prefix->entries[i].marked &&
		    prefix_tokens(prefix->entries[i].bytes) >= least)
			remember(cache, &prefix->entries[i]);
	pthread_mutex_unlock(&cache->lock);
	tokens.written = kept > tokens.read ? kept - tokens.read : 0;
	tokens.input = prefix_tokens(last->bytes) - tokens.read -
	    tokens.written;
	*ret_tokens = tokens;
}
