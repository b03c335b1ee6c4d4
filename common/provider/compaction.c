/* SPDX-License-Identifier: ISC */
/*
 * How it works: what the service makes is one block, which is sent back as it
 * came. A summary is the text of the reply; calls in it are not run. The goal
 * stays in front of it, in the words of the person.
 */
#include "common/provider/compaction.h"

#include <string.h>

#include "common/agent/journal.h"
#include "common/json/json.h"

#define TEXT_MAX ((size_t)EVENT_MAX)

static bool
read_block(struct span content, struct buf *members)
{
	struct span block, type = { NULL, 0 }, value = { NULL, 0 };

	while (json_element(&content, &block)) {
		if (!json_member(block, "type", &type) ||
		    !json_is(type, "compaction") ||
		    !json_member(block, "content", &value) || *value.at == 'n')
			continue;
		member_string(members, "by", "service");
		member_raw(members, "content", "[", 1);
		buf_add(members, block.at, block.length);
		buf_add(members, "]", 1);
		return true;
	}
	return false;
}

static void
add_text(struct buf *members, const char *text)
{
	buf_add_string(members, "{\"type\":\"text\",\"text\":");
	json_quote(members, text, strlen(text));
	buf_add_string(members, "}");
}

static bool
read_summary(struct span content, const char *goal, struct buf *members)
{
	struct buf summary = BUF_INIT(TEXT_MAX);
	struct span block, type = { NULL, 0 }, value = { NULL, 0 };
	size_t before;
	char *text;

	buf_add_string(&summary,
	    "The conversation about this was too long and is replaced by the "
	    "summary of it that you wrote:\n\n");
	before = summary.length;
	while (json_element(&content, &block)) {
		if (!json_member(block, "type", &type) ||
		    !json_is(type, "text") ||
		    !json_member(block, "text", &value))
			continue;
		text = json_decode(value);
		buf_add_string(&summary, text);
		free(text);
	}
	if (summary.length > before) {
		buf_add_string(&summary, "\n\nGo on with the task from there.");
		member_string(members, "by", "summary");
		member_raw(members, "content", "[", 1);
		add_text(members, goal);
		buf_add(members, ",", 1);
		add_text(members, summary.data);
		buf_add(members, "]", 1);
	}
	before = summary.length - before;
	buf_release(&summary);
	return before > 0;
}

bool
compaction_read(const struct claude_reply *reply, enum agent_compaction way,
    const char *goal, struct buf *members)
{
	struct span content = { reply->content, reply->content_length };

	return way == AGENT_COMPACTS_BY_SERVICE
	    ? read_block(content, members)
	    : read_summary(content, goal, members);
}
