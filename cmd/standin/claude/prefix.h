/* SPDX-License-Identifier: ISC */
/*
 * claude_prefix: digests of everything before each message of a request.
 *
 * Three things depend on it: thinking blocks are bound to everything before
 * them, the prompt cache pays for what was sent before, and the ids of tool
 * calls follow from the conversation.
 *
 * A digest ignores what the real API ignores, too: cache_control markers,
 * whether a text stands alone or in an array of one block, white space and
 * escapes of the JSON, and whether neighbours of one role are one message.
 */
#ifndef CMD_STANDIN_CLAUDE_PREFIX_H
#define CMD_STANDIN_CLAUDE_PREFIX_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PREFIX_DIGEST 32
#define PREFIX_CALL_ID 31 /* "toolu_", 24 characters and a NUL */

struct prefix {
	/* Entry 0: the tools and the system prompt; entry n: all before
	 * message n as well, so the last one covers the whole request. */
	struct prefix_entry {
		uint8_t digest[PREFIX_DIGEST];
		int64_t bytes;
		size_t blocks; /* of the message */
		bool marked;   /* has a cache_control */
	} * entries;
	size_t count; /* messages + 1; the last is marked by a cache_control
	               * at the top level, too */
	bool hour;    /* a marker has a ttl of 1h */
};

void
prefix_read(const cJSON *request, struct prefix *ret_prefix);

void
prefix_release(struct prefix *prefix);

/* The signature of a thinking block with THINKING as its text, said after all
 * of the request. The caller frees. */
char *
prefix_sign(const struct prefix *prefix, const char *thinking);

enum prefix_verdict {
	PREFIX_SAME,
	PREFIX_FOREIGN, /* not a signature of this stand-in */
	PREFIX_EDITED,  /* the block's text is not what was signed */
	PREFIX_MOVED,   /* the messages before message INDEX are others */
};

/* Checks the SIGNATURE of a thinking block in message INDEX. */
enum prefix_verdict
prefix_check(const struct prefix *prefix, size_t index, const char *signature,
    const char *thinking);

/* The id of the INDEX-th tool call of the reply. */
void
prefix_call_id(const struct prefix *prefix, size_t index,
    char ret_id[PREFIX_CALL_ID]);

/* Remembers which prefixes were sent, as the prompt cache does. */
struct prompt_cache;

struct prompt_cache *
prompt_cache_new(void);

void
prompt_cache_free(struct prompt_cache *cache);

struct prompt_tokens {
	int64_t input, read, written;
};

/* Splits the request's tokens, and remembers it. LEAST: a shorter prefix is
 * not cached. */
void
prompt_cache_use(struct prompt_cache *cache, const struct prefix *prefix,
    int64_t least, struct prompt_tokens *ret_tokens);

/* About how many tokens this many bytes are. */
int64_t
prefix_tokens(int64_t bytes);

#endif
