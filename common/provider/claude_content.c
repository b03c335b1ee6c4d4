/* SPDX-License-Identifier: ISC */
/*
 * How claude_content works: the blocks of a reply go back to the service with
 * every later request, so what it would refuse there must not be recorded:
 *
 *	blank text			is left out
 *	an id with odd characters, or
 *	of a call of an earlier turn	is replaced by a made-up one
 *	an empty id, or that of another
 *	call of the reply		likewise, and the call is not run: it may
 *					be half a call, or the same one twice
 *	a name that is no tool's name	is replaced by one like it, and the call
 *					is not run
 *	an input that is no JSON object	is {}, and the call is not run
 *
 * All other bytes stay. Why a call is not run is said in "broken", and the fold
 * tells it to the model.
 */
#include "common/provider/claude_internal.h"

#include <string.h>

#include "common/agent/agent.h"
#include "common/agent/journal.h"
#include "common/base/mem.h"
#include "common/json/json.h"

#define WORD "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
#define NAME_MAX_BYTES 128
#define SHOWN 200 /* bytes of a name that the model is shown */

static bool
is_word(const char *text)
{
	return *text != '\0' && text[strspn(text, WORD)] == '\0';
}

/* Whether the service takes the text for blank. */
static bool
is_blank(const char *text)
{
	static const char *const spaces[] = { "\xc2\x85", "\xc2\xa0",
		"\xe1\x9a\x80", "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf",
		"\xe2\x81\x9f", "\xe3\x80\x80", "\xef\xbb\xbf" };
	size_t i, length;

	for (;;) {
		text += strspn(text, " \t\n\v\f\r\x1c\x1d\x1e\x1f");
		/* U+2000 to U+200B */
		if (strncmp(text, "\xe2\x80", 2) == 0 &&
		    (unsigned char)text[2] <= 0x8b) {
			text += 3;
			continue;
		}
		for (i = 0; i < sizeof(spaces) / sizeof(*spaces); i++) {
			length = strlen(spaces[i]);
			if (strncmp(text, spaces[i], length) == 0)
				break;
		}
		if (i == sizeof(spaces) / sizeof(*spaces))
			return *text == '\0';
		text += length;
	}
}

static bool
among(const uint64_t *ids, size_t count, uint64_t id)
{
	size_t i;

	for (i = 0; i < count && ids[i] != id; i++)
		;
	return i < count;
}

static void
not_run(struct claude_content *content, const char *id, const char *why)
{
	char *text = mem_print("Not run: %s", why);

	if (content->broken.length == 0)
		buf_add_string(&content->broken, "{");
	member_string(&content->broken, id, text);
	free(text);
}

/* The id under which the call is recorded; the caller frees. *RET_WHY is why the
 * call is not run, if that is because of its id. */
static char *
choose_id(struct claude_content *content, char *id, const char **ret_why)
{
	uint64_t hash = agent_id_hash(id);

	if (*id == '\0')
		*ret_why = "the call came without an id. Call again.";
	else if (among(content->here, content->here_count, hash))
		*ret_why = "the call came with the id of another call of the "
			   "same reply. Call again if it is wanted.";
	while (!is_word(id) ||
	    among(content->here, content->here_count, hash) ||
	    among(content->earlier, content->earlier_count, hash)) {
		free(id);
		id = mem_print("made_up_%lld_%zu", (long long)content->turn,
		    ++content->made_up);
		hash = agent_id_hash(id);
	}
	content->here = mem_grow(content->here, content->here_count + 1,
	    sizeof(*content->here));
	content->here[content->here_count++] = hash;
	return id;
}

/* Makes NAME one that can be sent back; returns why the call is not run, which
 * the caller frees. */
static char *
mend_name(char *name)
{
	char *why = mem_print(
	    "\"%.*s\" is not the name of a tool: names have 1 "
	    "to %d letters, digits, _ and -. Call one of the "
	    "tools that you were given, by its name.",
	    SHOWN, name, NAME_MAX_BYTES);
	size_t i;

	for (i = 0; i < NAME_MAX_BYTES && name[i] != '\0'; i++)
		if (strchr(WORD, name[i]) == NULL)
			name[i] = '_';
	name[i] = '\0';
	return why;
}

static void
replace(struct buf *block, const char *member, const char *value)
{
	struct buf whole = BUF_INIT(2 * CLAUDE_REPLY_MAX);
	struct buf quoted = BUF_INIT(CLAUDE_REPLY_MAX);

	json_quote(&quoted, value, strlen(value));
	json_splice(&whole, (struct span){ block->data, block->length }, member,
	    (struct span){ quoted.data, quoted.length });
	buf_release(&quoted);
	buf_release(block);
	*block = whole;
}

static void
add_call(struct claude_content *content, struct buf *block,
    const struct json_object *members, const char *broken_input)
{
	char *id = json_decode(json_get(members, "id")), *chosen;
	char *name = json_decode(json_get(members, "name"));
	char *name_why = NULL;
	const char *why = NULL;

	chosen = choose_id(content, mem_string(id), &why);
	if (!is_word(name) || strlen(name) > NAME_MAX_BYTES) {
		name_why = mend_name(name);
		replace(block, "name", *name != '\0' ? name : "_");
	}
	if (strcmp(id, chosen) != 0)
		replace(block, "id", chosen);
	if (name_why != NULL)
		why = name_why;
	else if (why == NULL)
		why = broken_input;
	if (why != NULL)
		not_run(content, chosen, why);
	free(id);
	free(chosen);
	free(name);
	free(name_why);
}

void
claude_content_add(struct claude_content *content, struct buf *block,
    const char *broken_input)
{
	struct json_object members;
	char *text = NULL;
	bool blank;

	(void)json_object((struct span){ block->data, block->length },
	    &members);
	if (json_is(json_get(&members, "type"), "text"))
		text = json_decode(json_get(&members, "text"));
	blank = text != NULL && is_blank(text);
	free(text);
	if (blank)
		return;
	if (json_is(json_get(&members, "type"), "tool_use"))
		add_call(content, block, &members, broken_input);
	buf_add(&content->json, content->json.length > 0 ? "," : "[", 1);
	buf_add(&content->json, block->data, block->length);
}

void
claude_content_end(struct claude_content *content)
{
	buf_add_string(&content->json, content->json.length > 0 ? "]" : "[]");
	if (content->broken.length > 0)
		buf_add(&content->broken, "}", 1);
}

void
claude_content_release(struct claude_content *content)
{
	buf_release(&content->json);
	buf_release(&content->broken);
	free(content->earlier);
	free(content->here);
}
